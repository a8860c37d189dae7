# Tables of states, steps and sites. From here on there are only tables.
use rule find_modes as find_surface_modes with:
    input:
        structure="results/{room}/selected.extxyz",
    output:
        modes="results/{room}/modes.json",
    log:
        "logs/find_surface_modes/{room}.log",
    params:
        calculator=lambda w: PLAN.calculator(slab_of(w)).model_dump(),
        code=code_version("relaxation.vibrations"),


rule collect_energies:
    input:
        states=lambda w: [
            file for room in PLAN.states(System.parse(w.system)).values() for file in PLAN.state_files(room)
        ],
        modes=lambda w: PLAN.mode_files(System.parse(w.system)),
        saddles=lambda w: list(PLAN.saddle_files(System.parse(w.system)).values()),
        molecules=lambda w: [
            file
            for molecule in PLAN.gas_roles(System.parse(w.system)).values()
            for room in [PLAN.molecule_room(slab_of(w), molecule.name)]
            for file in (*PLAN.state_files(room), f"{room}/selected.extxyz", f"{room}/modes.json")
        ],
        qualification=lambda w: f"{PLAN.qualification(slab_of(w))}/qualification.json",
        errors=lambda w: PLAN.errors(slab_of(w)),
        barriers=lambda w: PLAN.barriers(slab_of(w)),
        reactions=lambda w: [record("reactions", name) for name in PLAN.reactions(System.parse(w.system))],
        recipe=record("recipes", PLAN.config.kinetics.recipe),
    output:
        states="results/energetics/{system}/states.csv",
        steps="results/energetics/{system}/steps.csv",
        sites="results/energetics/{system}/sites.csv",
        factors="results/energetics/{system}/factors.csv",
        gibbs="results/energetics/{system}/gibbs.csv",
    log:
        "logs/collect_energies/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        config=lambda w: PLAN.part(System.parse(w.system)),
        code=code_version("pipeline.plan", "energetics.collect"),
    script:
        "../scripts/collect_energies.py"


# The same at the calculator's own level, beside better energies.
use rule collect_energies as collect_unrefined with:
    output:
        states="results/energetics/{system}/unrefined/states.csv",
        steps="results/energetics/{system}/unrefined/steps.csv",
        sites="results/energetics/{system}/unrefined/sites.csv",
        factors="results/energetics/{system}/unrefined/factors.csv",
        gibbs="results/energetics/{system}/unrefined/gibbs.csv",
    log:
        "logs/collect_unrefined/{system}.log",
    params:
        config=lambda w: PLAN.part(System.parse(w.system)) | {"refine": None},
        code=code_version("pipeline.plan", "energetics.collect"),


rule join_tables:
    input:
        lambda w: expand("results/energetics/{system}/{table}.csv", system=SYSTEMS, table=w.table),
    output:
        "results/energetics/{table,states|steps|sites|factors}.csv",
    log:
        "logs/join_tables/{table}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.joined_tables"),
    script:
        "../scripts/join_tables.py"
