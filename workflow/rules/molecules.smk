# Gas molecules: starting geometries. Their relaxation and their modes are in relaxation.smk.
rule embed_molecule:
    output:
        candidates=MOLECULE.candidates,
    log:
        "logs/embed_molecule/{calculator}/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        molecule=lambda w: PLAN.gases.molecules[w.molecule].model_dump(),
        code=code_version("atomistic.molecules"),
    message:
        "Build {wildcards.molecule}"
    script:
        "../scripts/embed_molecule.py"
