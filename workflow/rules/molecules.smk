# Gas molecules: built, relaxed, selected; their vibrations; and how wrong the calculator is on known reactions.
rule embed_molecule:
    output:
        candidates="results/molecules/{calculator}/{molecule}/candidates.extxyz",
    log:
        "logs/embed_molecule/{calculator}/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        molecule=lambda w: PLAN.molecules[w.molecule].model_dump(),
        code=code_version("atomistic.molecules"),
    script:
        "../scripts/embed_molecule.py"


rule relax_molecule:
    input:
        candidates="results/molecules/{calculator}/{molecule}/candidates.extxyz",
    output:
        relaxed="results/molecules/{calculator}/{molecule}/relaxed.extxyz",
        result="results/molecules/{calculator}/{molecule}/result.json",
        structure="results/molecules/{calculator}/{molecule}/selected.extxyz",
        state="results/molecules/{calculator}/{molecule}/state.json",
    log:
        "logs/relax_molecule/{calculator}/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        timeout_s=patience(MOLECULE_STEPS),
        mem_mb=memory(),
        runtime=minutes(RELAXATION_CALLS),
    params:
        calculator=lambda w: PLAN.calculators[w.calculator].model_dump(),
        fmax=0.01,
        max_steps=MOLECULE_STEPS,
        keep=None,
        code=code_version("relaxation.relax", "elementary_steps.selection"),
    script:
        "../scripts/relax_state.py"


rule find_modes:
    input:
        structure="results/molecules/{calculator}/{molecule}/selected.extxyz",
    output:
        modes="results/molecules/{calculator}/{molecule}/modes.json",
    log:
        "logs/find_modes/{calculator}/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        timeout_s=patience(MODES_CALLS),
        mem_mb=memory(),
        runtime=minutes(MODES_CALLS),
    params:
        calculator=lambda w: PLAN.calculators[w.calculator].model_dump(),
        code=code_version("relaxation.vibrations"),
    script:
        "../scripts/find_modes.py"


rule embed_reference:
    input:
        reference=REFERENCE_FILES,
    output:
        candidates="results/reference/{calculator}/candidates.extxyz",
    log:
        "logs/embed_reference/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        calculator=lambda w: PLAN.calculators[w.calculator].model_dump(),
        code=code_version("atomistic.molecules", "calculators.registry", "records.reference_set"),
    script:
        "../scripts/embed_reference.py"


rule relax_reference:
    input:
        candidates="results/reference/{calculator}/candidates.extxyz",
    output:
        relaxed="results/reference/{calculator}/relaxed.extxyz",
        result="results/reference/{calculator}/result.json",
    log:
        "logs/relax_reference/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        timeout_s=patience(MOLECULE_STEPS),
        mem_mb=memory(),
        runtime=minutes(RELAXATION_CALLS),
    params:
        calculator=lambda w: PLAN.calculators[w.calculator].model_dump(),
        fmax=0.01,
        max_steps=MOLECULE_STEPS,
        keep=None,
        code=code_version("relaxation.relax", "elementary_steps.state_check"),
    script:
        "../scripts/relax_structures.py"


rule measure_errors:
    input:
        reference=REFERENCE_FILES,
        records=face_records(),
        candidates="results/reference/{calculator}/candidates.extxyz",
        relaxed="results/reference/{calculator}/relaxed.extxyz",
        result="results/reference/{calculator}/result.json",
    output:
        errors="results/reference/{calculator}/errors.csv",
    log:
        "logs/measure_errors/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("energetics.corrections", "elementary_steps.selection", "records.reference_set"),
    script:
        "../scripts/measure_errors.py"


rule compute_saddles:
    input:
        records=REFERENCE_FILES,
    output:
        barriers="results/reference/{calculator}/saddles.csv",
    log:
        "logs/compute_saddles/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        mem_mb=memory(),
        runtime=minutes(REFINING_CALLS),
    params:
        calculator=lambda w: PLAN.calculators[w.calculator].model_dump(),
        code=code_version("qualification.reference_energies"),
    script:
        "../scripts/compute_saddles.py"


# Where the configuration asks for better energies: single points at the calculator's geometries.
use rule relax_reference as refine_state with:
    input:
        candidates="results/{refined}/selected.extxyz",
    output:
        relaxed="results/{refined}/refined.extxyz",
        result="results/{refined}/refined.json",
    log:
        "logs/refine_state/{refined}.log",
    resources:
        timeout_s=patience(REFINING_CALLS, refined),
        mem_mb=memory(refined),
        runtime=minutes(REFINING_CALLS, refined),
    params:
        calculator=PLAN.config.refine and PLAN.config.refine.model_dump(),
        fmax=0,
        max_steps=0,
        keep=None,
        code=code_version("relaxation.relax", "elementary_steps.state_check"),


use rule refine_state as refine_reference with:
    input:
        candidates="results/reference/{calculator}/relaxed.extxyz",
    output:
        relaxed="results/reference/{calculator}/refined.extxyz",
        result="results/reference/{calculator}/refined.json",
    log:
        "logs/refine_reference/{calculator}.log",


use rule measure_errors as measure_refined_errors with:
    input:
        reference=REFERENCE_FILES,
        records=face_records(),
        candidates="results/reference/{calculator}/candidates.extxyz",
        relaxed="results/reference/{calculator}/relaxed.extxyz",
        result="results/reference/{calculator}/result.json",
        refined=["results/reference/{calculator}/refined.json"],
    output:
        errors="results/reference/{calculator}/refined_errors.csv",
    log:
        "logs/measure_refined_errors/{calculator}.log",
