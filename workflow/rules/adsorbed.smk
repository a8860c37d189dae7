# A molecule from the gas on the covered slab or on what a step has left there.
rule place_precursor:
    input:
        structure=reactant_of,
        molecule=lambda w: f"{PLAN.molecule_room(slab_of(w), PLAN.arriving(System.parse(w.system), w.reaction).name)}/selected.extxyz",
        precursor=lambda w: record("precursors", System.parse(w.system).precursor),
        reaction=lambda w: record("reactions", w.reaction),
    output:
        candidates="results/adsorbed/{system}/{reaction}/candidates.extxyz",
    log:
        "logs/place_precursor/{system}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        poses=PLAN.config.relax.candidates,
        seed=PLAN.config.seed,
        code=code_version("elementary_steps.adsorption_poses"),
    script:
        "../scripts/place_precursor.py"


use rule relax_slab as relax_adsorbed with:
    input:
        candidates="results/adsorbed/{system}/{reaction}/candidates.extxyz",
    output:
        relaxed="results/adsorbed/{system}/{reaction}/relaxed.extxyz",
        result="results/adsorbed/{system}/{reaction}/result.json",
        structure="results/adsorbed/{system}/{reaction}/selected.extxyz",
        state="results/adsorbed/{system}/{reaction}/state.json",
    log:
        "logs/relax_adsorbed/{system}/{reaction}.log",
