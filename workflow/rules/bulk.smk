# Crystals, and what the calculator is fit for on them.
QUALIFICATION = PLAN.config.qualification


rule build_bulk:
    input:
        material=lambda w: record("materials", w.material),
    output:
        candidates="results/bulk/{calculator}/{material}/{test}/candidates.extxyz",
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
    script:
        "../scripts/build_bulk.py"


use rule relax_reference as relax_bulk with:
    input:
        candidates="results/bulk/{calculator}/{material}/{test}/candidates.extxyz",
    output:
        relaxed="results/bulk/{calculator}/{material}/{test}/relaxed.extxyz",
        result="results/bulk/{calculator}/{material}/{test}/result.json",
    log:
        "logs/relax_bulk/{calculator}/{material}/{test}.log",
    params:
        calculator=lambda w: PLAN.calculators[w.calculator].model_dump(),
        fmax=PLAN.config.relax.fmax_eV_per_A,
        max_steps=lambda w: QUALIFICATION.steps(w.test),
        keep=None,
        code=code_version("relaxation.relax", "elementary_steps.state_check"),


rule qualify_calculator:
    input:
        material=lambda w: record("materials", w.material),
        relaxed=expand("results/bulk/{{calculator}}/{{material}}/{test}/relaxed.extxyz", test=QUALIFICATION.tests),
        results=expand("results/bulk/{{calculator}}/{{material}}/{test}/result.json", test=QUALIFICATION.tests),
        errors="results/reference/{calculator}/errors.csv",
    output:
        qualification="results/bulk/{calculator}/{material}/qualification.json",
        page="results/bulk/{calculator}/{material}/qualification.md",
    log:
        "logs/qualify_calculator/{calculator}/{material}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        tests=QUALIFICATION.tests,
        code=code_version("qualification.measurements", "energetics.reliability", "report.pages.qualification"),
    script:
        "../scripts/qualify_calculator.py"
