# Tables of states, steps and sites. The stages after this one read tables only.
rule collect_energies:
    input:
        unpack(energetics_input),
        recipe=record("recipes", PLAN.config.kinetics.recipe),
    output:
        **{table: layout.energy_table("{system}", table) for table in layout.ENERGY_TABLES},
    log:
        "logs/collect_energies/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        config=lambda w: PLAN.requirements.part(System.parse(w.system)),
        code=code_version("pipeline.tables", "energetics.collect"),
    message:
        "Make the tables of {wildcards.system}"
    script:
        "../scripts/collect_energies.py"


# The same with the calculator's own energies, beside those of the better method.
use rule collect_energies as collect_unrefined with:
    output:
        **{table: layout.energy_table("{system}", table, refined=False) for table in layout.ENERGY_TABLES},
    log:
        "logs/collect_unrefined/{system}.log",
    params:
        config=lambda w: PLAN.requirements.part(System.parse(w.system)) | {"refine": None},
        code=code_version("pipeline.tables", "energetics.collect"),
    message:
        "Make the tables of {wildcards.system} with the energies of the calculator"


rule join_tables:
    input:
        lambda w: [layout.energy_table(system, w.table) for system in SYSTEMS],
    output:
        layout.joined_table("energetics", "{table,states|steps|sites|factors}"),
    log:
        "logs/join_tables/{table}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.tables"),
    message:
        "Join the tables of {wildcards.table} of all systems"
    script:
        "../scripts/join_tables.py"
