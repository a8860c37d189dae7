# Crystals, and whether the calculator may move them.
rule build_bulk:
    input:
        material=lambda w: record("materials", w.material),
    output:
        strained="results/bulk/{material}/strained/candidates.extxyz",
        rattled="results/bulk/{material}/rattled/candidates.extxyz",
    log:
        "logs/build_bulk/{material}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        slab=lambda w: PLAN.materials[w.material],
        spec=lambda w: PLAN.config.slabs[PLAN.materials[w.material]].model_dump(exclude={"ligands"}),
        tests=PLAN.config.qualification.model_dump(),
        seed=PLAN.config.seed,
        code=code_version("build.bulk"),
    script:
        "../scripts/build_bulk.py"


use rule relax_molecule as relax_bulk with:
    input:
        candidates="results/bulk/{material}/{test}/candidates.extxyz",
    output:
        relaxed="results/bulk/{material}/{test}/relaxed.extxyz",
        result="results/bulk/{material}/{test}/result.json",
    log:
        "logs/relax_bulk/{material}/{test}.log",
    params:
        calculator=PLAN.config.calculator.model_dump(),
        fmax=PLAN.config.relax.fmax_eV_per_A,
        max_steps=lambda w: {"strained": 0, "rattled": PLAN.config.qualification.max_steps}[w.test],
        keep=None,
        code=code_version("compute.relax"),


rule qualify_calculator:
    input:
        strained="results/bulk/{material}/strained/result.json",
        candidates="results/bulk/{material}/rattled/candidates.extxyz",
        relaxed="results/bulk/{material}/rattled/relaxed.extxyz",
        result="results/bulk/{material}/rattled/result.json",
    output:
        qualification="results/bulk/{material}/qualification.json",
    log:
        "logs/qualify_calculator/{material}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        strains=PLAN.config.qualification.strains,
        code=code_version("compute.qualify"),
    script:
        "../scripts/qualify_calculator.py"
