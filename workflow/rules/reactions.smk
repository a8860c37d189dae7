# Products of the reaction templates, from the relaxed state they start at.
rule build_endpoints:
    input:
        structure=reactant_of,
        reaction=lambda w: record("reactions", w.reaction),
    output:
        candidates="results/reactions/{owner}/{reaction}/candidates.extxyz",
    log:
        "logs/build_endpoints/{owner}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
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
    log:
        "logs/relax_reaction/{owner}/{reaction}.log",


use rule select_molecule as select_reaction with:
    input:
        candidates="results/reactions/{owner}/{reaction}/candidates.extxyz",
        relaxed="results/reactions/{owner}/{reaction}/relaxed.extxyz",
        result="results/reactions/{owner}/{reaction}/result.json",
    output:
        structure="results/reactions/{owner}/{reaction}/selected.extxyz",
        state="results/reactions/{owner}/{reaction}/state.json",
    log:
        "logs/select_reaction/{owner}/{reaction}.log",
