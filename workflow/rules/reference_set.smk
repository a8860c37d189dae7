# The reference set itself, computed again by the targets `reference` and `reference_surfaces`; this takes hours.
REFERENCE_SET = library.read_record(FOLDER / REACTIONS, ReferenceSet)
REFERENCE_MOLECULES = {molecule.name: molecule for molecule in REFERENCE_SET.molecules}


rule compute_reference:
    output:
        structure=layout.reference_molecule("{molecule}"),
    log:
        "logs/compute_reference/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        molecule=lambda w: REFERENCE_MOLECULES[w.molecule].model_dump(),
        level=REFERENCE_SET.level.model_dump(),
        code=code_version("qualification.reference_energies", "atomistic.molecules"),
    message:
        "Compute {wildcards.molecule} of the reference set"
    script:
        "../scripts/compute_reference.py"


rule reference:
    input:
        [layout.reference_molecule(name) for name in REFERENCE_MOLECULES],
    output:
        layout.reference_structures(),
    log:
        "logs/reference.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("storage.files"),
    message:
        "Join the molecules of the reference set"
    script:
        "../scripts/join_structures.py"


# Surfaces: the states that surfaces.yaml names, of a run whose configuration has `refine`, such as
# config/examples/transfer.yaml.
rule reference_surfaces:
    input:
        lambda w: [job.refined["relaxed"] for job in reference_surface_jobs()],
    output:
        layout.reference_structures("surfaces"),
    log:
        "logs/reference_surfaces.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        level=SURFACE_SET.level.model_dump(),
        program=PLAN.config.refine and PLAN.config.refine.label,
        code=code_version("qualification.reference_energies", "storage.files"),
    message:
        "Join the surfaces of the reference set"
    script:
        "../scripts/strip_states.py"
