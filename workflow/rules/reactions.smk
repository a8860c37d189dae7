# Products of the reaction templates, and the saddle points before them.
PRODUCT = layout.reaction("{owner}", "{reaction}")


rule build_endpoints:
    input:
        structure=reactant_of,
        reaction=lambda w: record("reactions", w.reaction),
    output:
        candidates=PRODUCT.candidates,
    log:
        "logs/build_endpoints/{owner}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        attempts=RELAX.candidates,
        complete=False,
        code=code_version("elementary_steps.products"),
    message:
        "Build the product of {wildcards.reaction} of {wildcards.owner}"
    script:
        "../scripts/build_endpoints.py"


use rule relax_slab as relax_reaction with:
    input:
        candidates=PRODUCT.candidates,
    output:
        **PRODUCT.selection,
    log:
        "logs/relax_reaction/{owner}/{reaction}.log",
    message:
        "Relax the product of {wildcards.reaction} of {wildcards.owner}"


# The same product with the released molecules still beside it, for the end of a reaction path.
use rule build_endpoints as build_complex with:
    output:
        candidates=PRODUCT.complex.candidates,
    log:
        "logs/build_complex/{owner}/{reaction}.log",
    params:
        attempts=RELAX.candidates,
        complete=True,
        code=code_version("elementary_steps.products"),
    message:
        "Build the product complex of {wildcards.reaction} of {wildcards.owner}"


use rule relax_slab as relax_complex with:
    input:
        candidates=PRODUCT.complex.candidates,
    output:
        **PRODUCT.complex.selection,
    log:
        "logs/relax_complex/{owner}/{reaction}.log",
    message:
        "Relax the product complex of {wildcards.reaction} of {wildcards.owner}"


rule find_saddle:
    input:
        initial=reactant_of,
        final=product_of,
    output:
        **PRODUCT.saddle,
    log:
        "logs/find_saddle/{owner}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        mem_mb=memory(),
        runtime=minutes(SADDLE_CALLS),
    params:
        calculator=settings_of,
        fmax=RELAX.fmax_eV_per_A,
        code=code_version("saddles.search"),
    message:
        "Search the saddle of {wildcards.reaction} of {wildcards.owner}"
    script:
        "../scripts/find_saddle.py"
