# Reference reactions: how wrong the calculator is on reactions whose energies are known.
rule embed_reference:
    input:
        reference=REFERENCE_FILES,
    output:
        candidates=REFERENCE.candidates,
    log:
        "logs/embed_reference/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        calculator=settings_of,
        code=code_version("atomistic.molecules", "calculators.registry", "records.reference_set"),
    message:
        "Build the molecules of the reference reactions for {wildcards.calculator}"
    script:
        "../scripts/embed_reference.py"


rule measure_errors:
    input:
        **REFERENCE.relaxation,
        reference=REFERENCE_FILES,
        records=reference_surface_records(),
        candidates=REFERENCE.candidates,
    output:
        errors=REFERENCE.errors,
    log:
        "logs/measure_errors/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("energetics.corrections", "relaxation.selection", "records.reference_set"),
    message:
        "Compare {wildcards.calculator} with the reference reactions"
    script:
        "../scripts/measure_errors.py"


rule compute_saddles:
    input:
        records=REFERENCE_FILES,
    output:
        barriers=REFERENCE.barriers,
    log:
        "logs/compute_saddles/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        mem_mb=memory(),
        runtime=minutes(REFINING_CALLS),
    params:
        calculator=settings_of,
        code=code_version("qualification.reference_energies"),
    message:
        "Compute the barriers of the reference saddles with {wildcards.calculator}"
    script:
        "../scripts/compute_saddles.py"


use rule refine_state as refine_reference with:
    input:
        candidates=REFERENCE.relaxed,
    output:
        **REFERENCE.refined,
    log:
        "logs/refine_reference/{calculator}.log",
    message:
        "Compute the energies of the reference reactions with the better method"


use rule measure_errors as measure_refined_errors with:
    input:
        **REFERENCE.relaxation,
        reference=REFERENCE_FILES,
        records=reference_surface_records(),
        candidates=REFERENCE.candidates,
        refined=[REFERENCE.refined["result"]],
    output:
        errors=REFERENCE.refined_errors,
    log:
        "logs/measure_refined_errors/{calculator}.log",
    message:
        "Compare the better method with the reference reactions"
