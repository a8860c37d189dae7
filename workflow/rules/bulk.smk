# Qualification: what the calculator is fit for on each crystal.
QUALIFICATION = PLAN.config.qualification
BULK = layout.bulk("{calculator}", "{material}")
BULK_TEST = layout.bulk_test("{calculator}", "{material}", "{test}")


rule build_bulk:
    input:
        material=lambda w: record("materials", w.material),
    output:
        candidates=BULK_TEST.candidates,
    log:
        "logs/build_bulk/{calculator}/{material}/{test}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        slab=qualified_slab,
        spec=lambda w: slab_size(qualified_slab(w)),
        settings=QUALIFICATION.model_dump(),
        seed=PLAN.config.seed,
        code=code_version("qualification.trial_structures", "surfaces.slab"),
    message:
        "Build the test {wildcards.test} of {wildcards.material}"
    script:
        "../scripts/build_bulk.py"


use rule relax_reference as relax_bulk with:
    input:
        candidates=BULK_TEST.candidates,
    output:
        **BULK_TEST.relaxation,
    log:
        "logs/relax_bulk/{calculator}/{material}/{test}.log",
    params:
        calculator=settings_of,
        fmax=RELAX.fmax_eV_per_A,
        max_steps=lambda w: QUALIFICATION.steps(w.test),
        keep=None,
        code=code_version("relaxation.relax", "elementary_steps.state_check"),
    message:
        "Compute the test {wildcards.test} of {wildcards.material} with {wildcards.calculator}"


rule qualify_calculator:
    input:
        material=lambda w: record("materials", w.material),
        relaxed=expand(BULK_TEST.relaxed, test=QUALIFICATION.tests, allow_missing=True),
        results=expand(BULK_TEST.result, test=QUALIFICATION.tests, allow_missing=True),
        errors=REFERENCE.errors,
    output:
        qualification=BULK.qualification,
        page=BULK.qualification_page,
    log:
        "logs/qualify_calculator/{calculator}/{material}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        tests=QUALIFICATION.tests,
        code=code_version("qualification.measurements", "energetics.reliability", "report.pages.qualification"),
    message:
        "Qualify {wildcards.calculator} for {wildcards.material}"
    script:
        "../scripts/qualify_calculator.py"


rule tabulate_qualifications:
    input:
        [layout.JobFiles(folder).qualification for folder in PLAN.qualifications],
    output:
        layout.QUALIFICATIONS,
    log:
        "logs/tabulate_qualifications.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.pages.qualification", "storage.files"),
    message:
        "Tabulate the qualifications"
    script:
        "../scripts/tabulate_qualifications.py"
