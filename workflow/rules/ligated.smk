# Slabs with their ligands, one candidate a binding mode.
rule attach_ligands:
    input:
        structure=lambda w: f"results/slabs/{w.ligated.split('~')[0]}/selected.extxyz",
        material=lambda w: record("materials", find_facet(w.ligated.split("~")[0])[0]),
        ligand=lambda w: record("ligands", w.ligated.split("~")[1]),
    output:
        candidates="results/ligated/{ligated}/candidates.extxyz",
    log:
        "logs/attach_ligands/{ligated}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        per_cell=lambda w: PLAN.config.slabs[w.ligated.split("~")[0]].ligands_per_cell,
        substrate=PLAN.config.substrate,
        truncate_to_carbons=PLAN.config.truncate_to_carbons,
        code=code_version("ligands.slab_ligands", "surfaces.slab"),
    script:
        "../scripts/attach_ligands.py"


use rule relax_slab as relax_ligated with:
    input:
        candidates="results/ligated/{ligated}/candidates.extxyz",
    output:
        relaxed="results/ligated/{ligated}/relaxed.extxyz",
        result="results/ligated/{ligated}/result.json",
        structure="results/ligated/{ligated}/selected.extxyz",
        state="results/ligated/{ligated}/state.json",
    log:
        "logs/relax_ligated/{ligated}.log",
