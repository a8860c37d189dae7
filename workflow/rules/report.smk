# Figures, pages and provenance: what people look at, in sections in the order of the rooms.
SYSTEM_FIGURES = {  # of each system: section and subsection
    "profile": ("7 Energetics", "energy profiles"),
    "coverages": ("8 Kinetics", "coverages"),
    "control": ("8 Kinetics", "what it hangs on"),
    "saturation": ("8 Kinetics", "dose"),
    "map": ("8 Kinetics", "temperature and pressure"),
}
PLOTTED = {
    "energetics": ("states", "steps"),
    "kinetics": ("coverages", "control", "saturation", "dose", "map", "selectivity"),
}
SADDLES = sorted(
    {
        str(Path(file).parent.relative_to("results/reactions"))
        for s in PLAN.systems
        for file in PLAN.saddle_files(s).values()
    }
)
FIGURES = [
    "results/report/selectivity.svg",
    "results/report/selectivity.png",
    *expand("results/report/{name}/{system}.{ending}", name=SYSTEM_FIGURES, system=SYSTEMS, ending=("svg", "png")),
    "results/report/ranking.svg",
    "results/report/ranking.png",
    *expand("results/report/saddle/{step}.{ending}", step=SADDLES, ending=("svg", "png")),
]

SUMMARY = "results/report/summary.rst"
VIEWS = expand("results/report/structures/{system}.html", system=SYSTEMS)
EXPORTS = ["results/qdsurf.db", "results/structures.extxyz"]
# Pages with a table that sorts: name, section of the report, and the CSV files that are joined in it.
TABLES = {
    **{f"errors_{folder}": ("1 Molecules", [f"results/reference/{folder}/errors.csv"]) for folder in PLAN.calculators},
    "qualification": ("2 Bulk", ["results/bulk/qualification.csv"]),
    "states": ("7 Energetics", ["results/energetics/states.csv"]),
    "steps": ("7 Energetics", ["results/energetics/steps.csv"]),
    "selectivity": ("8 Kinetics", ["results/kinetics/selectivity.csv"]),
    "control": ("8 Kinetics", expand("results/kinetics/{system}/control.csv", system=SYSTEMS)),
}
PAGES = [*expand("results/report/tables/{table}.html", table=TABLES), *VIEWS, SUMMARY]


# The first page of the report is the answer in words, once there is one.
report: os.path.abspath(SUMMARY) if os.path.exists(SUMMARY) else "../report/workflow.rst"


rule summarise_results:
    input:
        selectivity="results/kinetics/selectivity.csv",
        control=TABLES["control"][1],
        states="results/energetics/states.csv",
        steps="results/energetics/steps.csv",
    output:
        SUMMARY,
    log:
        "logs/summarise_results.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        recipe=PLAN.config.kinetics.recipe,
        code=code_version("report.pages.summary", "report.joined_tables"),
    script:
        "../scripts/summarise_results.py"


rule tabulate_verdicts:
    input:
        expand("{folder}/qualification.json", folder=PLAN.qualifications),
    output:
        "results/bulk/qualification.csv",
    log:
        "logs/tabulate_verdicts.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.pages.qualification", "report.joined_tables", "storage.files"),
    script:
        "../scripts/tabulate_verdicts.py"


rule show_tables:
    input:
        **{name: files for name, (_, files) in TABLES.items()},
    output:
        **{
            name: report(
                f"results/report/tables/{name}.html",
                category=category,
                subcategory="tables",
                caption=f"../report/tables/{name.split('_')[0]}.rst",
                labels={"table": name},
            )
            for name, (category, _) in TABLES.items()
        },
    log:
        "logs/show_tables.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.pages.table_page", "report.joined_tables"),
    script:
        "../scripts/show_tables.py"


rule export_structures:
    input:
        [
            f"results/{job}/{file}"
            for room in ("molecules", "slabs", "ligated", "adsorbed", "reactions")
            for job in PLAN.rooms.get(room, [])
            for file in ("relaxed.extxyz", "result.json")
        ],
    output:
        database="results/qdsurf.db",
        structures="results/structures.extxyz",
    log:
        "logs/export_structures.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("pipeline.database", "storage.files"),
    script:
        "../scripts/export_structures.py"


rule plot_selectivity:
    input:
        table="results/kinetics/selectivity.csv",
    output:
        svg=report(
            "results/report/selectivity.svg",
            category="8 Kinetics",
            subcategory="all systems",
            caption="../report/selectivity_figure.rst",
            labels={"figure": "who wins"},
        ),
        png="results/report/selectivity.png",
    log:
        "logs/plot_selectivity.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures.kinetics"),
    script:
        "../scripts/plot_selectivity.py"


rule show_system:
    input:
        **{name: f"results/{room}/{{system}}/{name}.csv" for room, names in PLOTTED.items() for name in names},
        unrefined=lambda w: [
            f"results/energetics/{w.system}/unrefined/{table}.csv"
            for table in ("states", "steps")
            if PLAN.config.refine
        ],
        structures=lambda w: [f"{room}/selected.extxyz" for room in rooms_of(w.system).values()],
        recipe=record("recipes", PLAN.config.kinetics.recipe),
    output:
        **{
            name: report(
                f"results/report/{name}/{{system}}.svg",
                category=category,
                subcategory=subcategory,
                labels={"system": "{system}"},
                caption=f"../report/{name}.rst",
            )
            for name, (category, subcategory) in SYSTEM_FIGURES.items()
        },
        pngs=expand("results/report/{name}/{{system}}.png", name=SYSTEM_FIGURES),
        structures=report(
            "results/report/structures/{system}.html",
            category="3 to 6 Structures",
            labels={"system": "{system}"},
            caption="../report/structures.rst",
        ),
    log:
        "logs/show_system/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        tables=[name for names in PLOTTED.values() for name in names],
        rooms=lambda w: list(rooms_of(w.system)),
        code=code_version("report.figures.kinetics", "report.pages.viewer", "storage.files"),
    script:
        "../scripts/show_system.py"


rule plot_saddle:
    input:
        path="results/reactions/{owner}/{reaction}/path.extxyz",
        saddle="results/reactions/{owner}/{reaction}/saddle.json",
    output:
        svg=report(
            "results/report/saddle/{owner}/{reaction}.svg",
            category="3 to 6 Structures",
            subcategory="transition states",
            labels={"system": "{owner}", "step": "{reaction}"},
            caption="../report/saddle.rst",
        ),
        png="results/report/saddle/{owner}/{reaction}.png",
    log:
        "logs/plot_saddle/{owner}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures.kinetics", "storage.files"),
    script:
        "../scripts/plot_saddle.py"


rule plot_ranking:
    input:
        table="results/kinetics/selectivity.csv",
    output:
        svg=report(
            "results/report/ranking.svg",
            category="8 Kinetics",
            subcategory="all systems",
            caption="../report/ranking.rst",
            labels={"figure": "precursors, good and harm"},
        ),
        png="results/report/ranking.png",
    log:
        "logs/plot_ranking.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures.kinetics"),
    script:
        "../scripts/plot_ranking.py"


rule write_provenance:
    input:
        results=lambda w: [
            f"results/{job}/result.json"
            for room in ("molecules", "slabs", "ligated", "adsorbed", "reactions", "reference")
            for job in PLAN.rooms[room]
        ],
        qualifications=lambda w: expand("{folder}/qualification.json", folder=PLAN.qualifications),
        records=lambda w: PLAN.records,
        tables=["results/energetics/states.csv", "results/energetics/steps.csv", "results/kinetics/selectivity.csv"],
    output:
        report(
            "results/provenance.json",
            category="9 The run",
            caption="../report/provenance.rst",
            labels={"file": "provenance.json"},
        ),
    log:
        "logs/write_provenance.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        config=dict(config),
        code=code_version("pipeline.provenance", "storage.files"),
    script:
        "../scripts/write_provenance.py"
