# Adducts: a molecule from the gas on the covered slab, or on the product of another step.
ADSORBED = layout.adsorbed("{system}", "{reaction}")


rule place_precursor:
    input:
        structure=reactant_of,
        molecule=lambda w: PLAN.molecule(
            slab_of(w), PLAN.steps.arriving(System.parse(w.system), w.reaction).name
        ).structure,
        precursor=lambda w: record("precursors", System.parse(w.system).precursor),
        reaction=lambda w: record("reactions", w.reaction),
    output:
        candidates=ADSORBED.candidates,
    log:
        "logs/place_precursor/{system}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        poses=RELAX.candidates,
        seed=PLAN.config.seed,
        code=code_version("elementary_steps.adsorption_poses"),
    message:
        "Place the molecule of {wildcards.reaction} on {wildcards.system}"
    script:
        "../scripts/place_precursor.py"


use rule relax_slab as relax_adsorbed with:
    input:
        candidates=ADSORBED.candidates,
    output:
        **ADSORBED.selection,
    log:
        "logs/relax_adsorbed/{system}/{reaction}.log",
    message:
        "Relax {wildcards.reaction} of {wildcards.system}"
