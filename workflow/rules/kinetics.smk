# Kinetics: the recipe on every system.
rule run_kinetics:
    input:
        **{table: layout.energy_table("{system}", table) for table in ("states", "steps", "sites", "gibbs", "factors")},
        recipe=record("recipes", PLAN.config.kinetics.recipe),
        precursor=lambda w: record("precursors", System.parse(w.system).precursor),
    output:
        **{table: layout.kinetic_table("{system}", table) for table in layout.KINETIC_TABLES},
        mechanism=layout.mechanism("{system}"),
    log:
        "logs/run_kinetics/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        settings=PLAN.config.kinetics.model_dump(),
        seed=PLAN.config.seed,
        code=code_version("microkinetics.simulate_cycle", "microkinetics.cantera_export", "storage.files"),
    message:
        "Simulate {wildcards.system}"
    script:
        "../scripts/run_kinetics.py"


use rule join_tables as join_selectivity with:
    input:
        [layout.kinetic_table(system, "selectivity") for system in SYSTEMS],
    output:
        layout.joined_table("kinetics", "selectivity"),
    log:
        "logs/join_selectivity.log",
    message:
        "Join the selectivities of all systems"
