# Bare slabs, with mobile layers where the qualification allows it. Their relaxation is in relaxation.smk.
rule cut_slab:
    input:
        material=lambda w: record("materials", find_facet(w.slab)[0]),
        qualification=lambda w: PLAN.qualification(w.slab).qualification,
    output:
        candidates=SLAB.candidates,
    log:
        "logs/cut_slab/{slab}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        spec=lambda w: slab_size(w.slab),
        substrate=PLAN.config.substrate,
        code=code_version("surfaces.slab"),
    message:
        "Cut the slab {wildcards.slab}"
    script:
        "../scripts/cut_slab.py"
