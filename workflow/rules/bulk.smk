# Crystals, and whether the calculator may move them.
rule build_bulk:
    input:
        material=lambda w: record("materials", w.material),
    output:
        strained="results/bulk/{calculator}/{material}/strained/candidates.extxyz",
        rattled="results/bulk/{calculator}/{material}/rattled/candidates.extxyz",
    log:
        "logs/build_bulk/{calculator}/{material}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        slab=qualified_slab,
        spec=lambda w: slab_size(qualified_slab(w)),
        tests=PLAN.config.qualification.model_dump(),
        seed=PLAN.config.seed,
        code=code_version("build.bulk", "build.slab"),
    script:
        "../scripts/build_bulk.py"


use rule relax_molecule as relax_bulk with:
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
        max_steps=lambda w: {"strained": 0, "rattled": PLAN.config.qualification.max_steps}[w.test],
        keep=None,
        code=code_version("compute.relax"),


rule qualify_calculator:
    input:
        strained="results/bulk/{calculator}/{material}/strained/result.json",
        candidates="results/bulk/{calculator}/{material}/rattled/candidates.extxyz",
        relaxed="results/bulk/{calculator}/{material}/rattled/relaxed.extxyz",
        result="results/bulk/{calculator}/{material}/rattled/result.json",
    output:
        qualification="results/bulk/{calculator}/{material}/qualification.json",
    log:
        "logs/qualify_calculator/{calculator}/{material}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        strains=PLAN.config.qualification.strains,
        code=code_version("compute.qualify"),
    script:
        "../scripts/qualify_calculator.py"
