# One cycle of the recipe: coverages in time, and who wins.
rule run_kinetics:
    input:
        states="results/energetics/{system}/states.csv",
        steps="results/energetics/{system}/steps.csv",
        sites="results/energetics/{system}/sites.csv",
        recipe=record("recipes", PLAN.config.kinetics.recipe),
        precursor=lambda w: record("precursors", System.parse(w.system).precursor),
    output:
        coverages="results/kinetics/{system}/coverages.csv",
        selectivity="results/kinetics/{system}/selectivity.csv",
    log:
        "logs/run_kinetics/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        samples=PLAN.config.kinetics.samples,
        seed=PLAN.config.seed,
        code=code_version("kinetics.analysis"),
    script:
        "../scripts/run_kinetics.py"


use rule join_tables as join_selectivity with:
    input:
        expand("results/kinetics/{system}/selectivity.csv", system=map(str, PLAN.config.systems)),
    output:
        report(
            "results/kinetics/selectivity.csv",
            category="5 Kinetics",
            caption="../report/selectivity.rst",
        ),
    log:
        "logs/join_selectivity.log",
