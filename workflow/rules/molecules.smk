# Gas molecules: built, relaxed, selected; their vibrations; and how wrong the calculator is on known reactions.
rule embed_molecule:
    output:
        candidates="results/molecules/{molecule}/candidates.extxyz",
    log:
        "logs/embed_molecule/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        molecule=lambda w: PLAN.molecules[w.molecule].model_dump(),
        code=code_version("build.molecules"),
    script:
        "../scripts/embed_molecule.py"


rule relax_molecule:
    input:
        candidates="results/molecules/{molecule}/candidates.extxyz",
    output:
        relaxed="results/molecules/{molecule}/relaxed.extxyz",
        result="results/molecules/{molecule}/result.json",
    log:
        "logs/relax_molecule/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        calculator=PLAN.config.calculator.model_dump(),
        fmax=0.01,
        max_steps=500,
        keep=None,
        code=code_version("compute.relax"),
    script:
        "../scripts/relax_structures.py"


rule select_molecule:
    input:
        candidates="results/molecules/{molecule}/candidates.extxyz",
        relaxed="results/molecules/{molecule}/relaxed.extxyz",
        result="results/molecules/{molecule}/result.json",
    output:
        structure="results/molecules/{molecule}/selected.extxyz",
        state="results/molecules/{molecule}/state.json",
    log:
        "logs/select_molecule/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("build.selection"),
    script:
        "../scripts/select_state.py"


rule find_modes:
    input:
        structure="results/molecules/{molecule}/selected.extxyz",
    output:
        modes="results/molecules/{molecule}/modes.json",
    log:
        "logs/find_modes/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        calculator=PLAN.config.calculator.model_dump(),
        code=code_version("compute.vibrations"),
    script:
        "../scripts/find_modes.py"


rule embed_reference:
    input:
        reference=library.STRUCTURES / "reference" / "gas_reactions.yaml",
    output:
        candidates="results/reference/candidates.extxyz",
    log:
        "logs/embed_reference.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        calculator=PLAN.config.calculator.model_dump(),
        code=code_version("build.molecules", "compute.calculators"),
    script:
        "../scripts/embed_reference.py"


use rule relax_molecule as relax_reference with:
    input:
        candidates="results/reference/candidates.extxyz",
    output:
        relaxed="results/reference/relaxed.extxyz",
        result="results/reference/result.json",
    log:
        "logs/relax_reference.log",


rule measure_errors:
    input:
        reference=library.STRUCTURES / "reference" / "gas_reactions.yaml",
        candidates="results/reference/candidates.extxyz",
        relaxed="results/reference/relaxed.extxyz",
        result="results/reference/result.json",
    output:
        errors="results/reference/errors.csv",
    log:
        "logs/measure_errors.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("energetics.corrections", "build.selection"),
    script:
        "../scripts/measure_errors.py"
