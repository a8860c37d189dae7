# Covered slabs: one candidate for each binding mode of the ligand.
LIGATED = layout.ligated("{ligated}")


rule attach_ligands:
    input:
        structure=lambda w: layout.slab(slab_of(w)).structure,
        material=lambda w: record("materials", find_facet(slab_of(w))[0]),
        ligand=lambda w: record("ligands", w.ligated.split("~")[1]),
    output:
        candidates=LIGATED.candidates,
    log:
        "logs/attach_ligands/{ligated}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        per_cell=lambda w: PLAN.config.slabs[slab_of(w)].ligands_per_cell,
        substrate=PLAN.config.substrate,
        truncate_to_carbons=PLAN.config.truncate_to_carbons,
        code=code_version("ligands.slab_ligands", "surfaces.slab"),
    message:
        "Attach the ligand of {wildcards.ligated}"
    script:
        "../scripts/attach_ligands.py"


use rule relax_slab as relax_ligated with:
    input:
        candidates=LIGATED.candidates,
    output:
        **LIGATED.selection,
    log:
        "logs/relax_ligated/{ligated}.log",
    message:
        "Relax the covered slab {wildcards.ligated}"
