# The reference set, computed again: `snakemake reference` and `reference_surfaces`. Nothing else needs them; they take hours.
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
        code=code_version("qualification.reference_energies", "atomistic.molecules"),
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
        code=code_version("storage.files"),
    script:
        "../scripts/join_structures.py"


# Faces: states that surfaces.yaml names, of a run whose configuration has `refine`, such as config/examples/transfer.yaml.
rule reference_surfaces:
    input:
        lambda w: [f"{room}/refined.extxyz" for room in rooms_on_faces()],
    output:
        "results/reference_set/surfaces.extxyz",
    log:
        "logs/reference_surfaces.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        level=SURFACE_SET.level.model_dump(),
        program=PLAN.config.refine and PLAN.config.refine.label,
        code=code_version("qualification.reference_energies", "storage.files"),
    script:
        "../scripts/strip_states.py"
