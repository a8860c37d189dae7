# Bare slabs, free or frozen as the qualification says.
rule cut_slab:
    input:
        material=lambda w: record("materials", find_facet(w.slab)[0]),
        qualification=lambda w: f"{PLAN.qualification(w.slab)}/qualification.json",
    output:
        candidates="results/slabs/{slab}/candidates.extxyz",
    log:
        "logs/cut_slab/{slab}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        spec=lambda w: slab_size(w.slab),
        substrate=PLAN.config.substrate,
        code=code_version("surfaces.slab"),
    script:
        "../scripts/cut_slab.py"


use rule relax_molecule as relax_slab with:
    input:
        candidates="results/slabs/{slab}/candidates.extxyz",
    output:
        relaxed="results/slabs/{slab}/relaxed.extxyz",
        result="results/slabs/{slab}/result.json",
        structure="results/slabs/{slab}/selected.extxyz",
        state="results/slabs/{slab}/state.json",
    log:
        "logs/relax_slab/{slab}.log",
    params:
        calculator=lambda w: PLAN.calculator(slab_of(w)).model_dump(),
        fmax=PLAN.config.relax.fmax_eV_per_A,
        max_steps=PLAN.config.relax.max_steps,
        keep=PLAN.config.relax.keep,
        code=code_version("relaxation.relax", "elementary_steps.selection"),
