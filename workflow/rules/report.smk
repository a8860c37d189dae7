# Figures, pages and provenance: what people look at, in sections in the order of the rooms.
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
    *expand("results/report/profile/{system}.{ending}", system=SYSTEMS, ending=("svg", "png")),
    *expand(
        "results/report/{kind}/{system}.{ending}",
        kind=("coverages", "control", "saturation", "map"),
        system=SYSTEMS,
        ending=("svg", "png"),
    ),
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
        code=code_version("report.summary", "report.tables"),
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
        code=code_version("report.qualification", "report.tables", "structure_io"),
    script:
        "../scripts/tabulate_verdicts.py"


rule show_table:
    input:
        lambda w: TABLES[w.table][1],
    output:
        report(
            "results/report/tables/{table}.html",
            category=lambda w: TABLES[w.table][0],
            subcategory="tables",
            caption="../report/table.rst",
            labels={"table": "{table}"},
        ),
    log:
        "logs/show_table/{table}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.table_page", "report.tables"),
    script:
        "../scripts/show_table.py"


rule show_structures:
    input:
        lambda w: [f"{room}/selected.extxyz" for room in rooms_of(w.system).values()],
    output:
        report(
            "results/report/structures/{system}.html",
            category="3 to 6 Structures",
            caption="../report/structures.rst",
            labels={"system": "{system}"},
        ),
    log:
        "logs/show_structures/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        names=lambda w: list(rooms_of(w.system)),
        code=code_version("report.viewer", "structure_io"),
    script:
        "../scripts/show_structures.py"


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
        code=code_version("report.database", "structure_io"),
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
        code=code_version("report.figures"),
    script:
        "../scripts/plot_selectivity.py"


rule plot_profile:
    input:
        states="results/energetics/{system}/states.csv",
        steps="results/energetics/{system}/steps.csv",
        unrefined=lambda w: [
            f"results/energetics/{w.system}/unrefined/{table}.csv"
            for table in ("states", "steps")
            if PLAN.config.refine
        ],
    output:
        svg=report(
            "results/report/profile/{system}.svg",
            category="7 Energetics",
            subcategory="energy profiles",
            labels={"system": "{system}"},
            caption="../report/profile.rst",
        ),
        png="results/report/profile/{system}.png",
    log:
        "logs/plot_profile/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures"),
    script:
        "../scripts/plot_profile.py"


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
        code=code_version("report.figures", "structure_io"),
    script:
        "../scripts/plot_saddle.py"


rule plot_coverages:
    input:
        coverages="results/kinetics/{system}/coverages.csv",
        recipe=record("recipes", PLAN.config.kinetics.recipe),
    output:
        svg=report(
            "results/report/coverages/{system}.svg",
            category="8 Kinetics",
            subcategory="coverages",
            labels={"system": "{system}"},
            caption="../report/coverages.rst",
        ),
        png="results/report/coverages/{system}.png",
    log:
        "logs/plot_coverages/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures"),
    script:
        "../scripts/plot_coverages.py"


rule plot_control:
    input:
        control="results/kinetics/{system}/control.csv",
    output:
        svg=report(
            "results/report/control/{system}.svg",
            category="8 Kinetics",
            subcategory="what it hangs on",
            labels={"system": "{system}"},
            caption="../report/control.rst",
        ),
        png="results/report/control/{system}.png",
    log:
        "logs/plot_control/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures"),
    script:
        "../scripts/plot_control.py"


rule plot_saturation:
    input:
        saturation="results/kinetics/{system}/saturation.csv",
        dose="results/kinetics/{system}/dose.csv",
    output:
        svg=report(
            "results/report/saturation/{system}.svg",
            category="8 Kinetics",
            subcategory="dose",
            labels={"system": "{system}"},
            caption="../report/saturation.rst",
        ),
        png="results/report/saturation/{system}.png",
    log:
        "logs/plot_saturation/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures"),
    script:
        "../scripts/plot_saturation.py"


rule plot_map:
    input:
        map="results/kinetics/{system}/map.csv",
        selectivity="results/kinetics/{system}/selectivity.csv",
    output:
        svg=report(
            "results/report/map/{system}.svg",
            category="8 Kinetics",
            subcategory="temperature and pressure",
            labels={"system": "{system}"},
            caption="../report/map.rst",
        ),
        png="results/report/map/{system}.png",
    log:
        "logs/plot_map/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures"),
    script:
        "../scripts/plot_map.py"


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
        code=code_version("report.figures"),
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
        code=code_version("provenance", "structure_io"),
    script:
        "../scripts/write_provenance.py"
