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
        complete=False,
        code=code_version("elementary_steps.products"),
    script:
        "../scripts/build_endpoints.py"


use rule relax_slab as relax_reaction with:
    input:
        candidates="results/reactions/{owner}/{reaction}/candidates.extxyz",
    output:
        relaxed="results/reactions/{owner}/{reaction}/relaxed.extxyz",
        result="results/reactions/{owner}/{reaction}/result.json",
        structure="results/reactions/{owner}/{reaction}/selected.extxyz",
        state="results/reactions/{owner}/{reaction}/state.json",
    log:
        "logs/relax_reaction/{owner}/{reaction}.log",


# The same product with what it gives off still beside it: a path needs the same atoms at both ends.
use rule build_endpoints as build_complex with:
    output:
        candidates="results/reactions/{owner}/{reaction}/complex/candidates.extxyz",
    log:
        "logs/build_complex/{owner}/{reaction}.log",
    params:
        attempts=PLAN.config.relax.candidates,
        complete=True,
        code=code_version("elementary_steps.products"),


use rule relax_slab as relax_complex with:
    input:
        candidates="results/reactions/{owner}/{reaction}/complex/candidates.extxyz",
    output:
        relaxed="results/reactions/{owner}/{reaction}/complex/relaxed.extxyz",
        result="results/reactions/{owner}/{reaction}/complex/result.json",
        structure="results/reactions/{owner}/{reaction}/complex/selected.extxyz",
        state="results/reactions/{owner}/{reaction}/complex/state.json",
    log:
        "logs/relax_complex/{owner}/{reaction}.log",


rule find_saddle:
    input:
        initial=reactant_of,
        final=product_of,
    output:
        path="results/reactions/{owner}/{reaction}/path.extxyz",
        saddle="results/reactions/{owner}/{reaction}/saddle.json",
    log:
        "logs/find_saddle/{owner}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        mem_mb=memory(),
        runtime=minutes(SADDLE_CALLS),
    params:
        calculator=lambda w: PLAN.calculator(slab_of(w)).model_dump(),
        fmax=PLAN.config.relax.fmax_eV_per_A,
        code=code_version("saddles.search"),
    script:
        "../scripts/find_saddle.py"
