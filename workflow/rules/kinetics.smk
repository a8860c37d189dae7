# One recipe on every system: coverages in time, who wins, and what that hangs on.
KINETIC_TABLES = ("coverages", "selectivity", "control", "ledger", "growth", "saturation", "dose", "map", "window")


rule run_kinetics:
    input:
        states="results/energetics/{system}/states.csv",
        steps="results/energetics/{system}/steps.csv",
        sites="results/energetics/{system}/sites.csv",
        gibbs="results/energetics/{system}/gibbs.csv",
        factors="results/energetics/{system}/factors.csv",
        recipe=record("recipes", PLAN.config.kinetics.recipe),
        precursor=lambda w: record("precursors", System.parse(w.system).precursor),
    output:
        **{name: f"results/kinetics/{{system}}/{name}.csv" for name in KINETIC_TABLES},
        mechanism="results/kinetics/{system}/mechanism.yaml",
    log:
        "logs/run_kinetics/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        settings=PLAN.config.kinetics.model_dump(),
        seed=PLAN.config.seed,
        code=code_version("microkinetics.simulate_cycle", "microkinetics.cantera_export", "storage.files"),
    script:
        "../scripts/run_kinetics.py"


use rule join_tables as join_selectivity with:
    input:
        expand("results/kinetics/{system}/selectivity.csv", system=SYSTEMS),
    output:
        "results/kinetics/selectivity.csv",
    log:
        "logs/join_selectivity.log",
