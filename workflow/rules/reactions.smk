# Products of the reaction templates, from the relaxed state they start at.
def reactant_of(w):
    """Structure from which a reaction starts: the covered slab, or the state that another template made."""
    name = library.get("reactions", w.reaction).reactant
    if name == "ligated":
        return f"results/ligated/{'~'.join(w.owner.split('~')[:2])}/selected.extxyz"
    return f"{PLAN.states(System.parse(w.owner))[name]}/selected.extxyz"


rule build_endpoints:
    input:
        structure=reactant_of,
        reaction=lambda w: record("reactions", w.reaction),
    output:
        candidates="results/reactions/{owner}/{reaction}/candidates.extxyz",
    params:
        attempts=PLAN.config.relax.candidates,
        code=code_version("build.endpoints"),
    script:
        "../scripts/build_endpoints.py"


use rule relax_slab as relax_reaction with:
    input:
        candidates="results/reactions/{owner}/{reaction}/candidates.extxyz",
    output:
        relaxed="results/reactions/{owner}/{reaction}/relaxed.extxyz",
        result="results/reactions/{owner}/{reaction}/result.json",


use rule select_molecule as select_reaction with:
    input:
        candidates="results/reactions/{owner}/{reaction}/candidates.extxyz",
        relaxed="results/reactions/{owner}/{reaction}/relaxed.extxyz",
        result="results/reactions/{owner}/{reaction}/result.json",
    output:
        structure="results/reactions/{owner}/{reaction}/selected.extxyz",
        state="results/reactions/{owner}/{reaction}/state.json",
