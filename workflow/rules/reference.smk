# The reference set, computed again: `snakemake reference`. Nothing else depends on it; it takes hours.
REFERENCE_SET = library.read_record(FOLDER / REACTIONS, ReferenceSet)
REFERENCE_MOLECULES = {molecule.name: molecule for molecule in REFERENCE_SET.molecules}


rule compute_reference:
    output:
        structure="results/reference_set/{molecule}.extxyz",
    log:
        "logs/compute_reference/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        molecule=lambda w: REFERENCE_MOLECULES[w.molecule].model_dump(),
        level=REFERENCE_SET.level.model_dump(),
        code=code_version("compute.reference", "build.molecules"),
    script:
        "../scripts/compute_reference.py"


rule reference:
    input:
        expand("results/reference_set/{molecule}.extxyz", molecule=REFERENCE_MOLECULES),
    output:
        "results/reference_set.extxyz",
    log:
        "logs/reference.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("structure_io"),
    script:
        "../scripts/join_structures.py"
