# Report: figures, pages and provenance, in sections that follow the stages.
SYSTEM_FIGURES = {  # of each system: section and subsection
    "profile": ("7 Energetics", "energy profiles"),
    "coverages": ("8 Kinetics", "coverages"),
    "control": ("8 Kinetics", "rate control"),
    "saturation": ("8 Kinetics", "dose"),
    "map": ("8 Kinetics", "temperature and pressure"),
}
PLOTTED_TABLES = {
    **{table: layout.energy_table("{system}", table) for table in ("states", "steps")},
    **{
        table: layout.kinetic_table("{system}", table)
        for table in ("coverages", "control", "saturation", "dose", "map", "selectivity")
    },
}
ENDINGS = ("svg", "png")
SADDLES = sorted(  # owner and reaction
    {
        layout.describe_job(layout.job_name(job.structure))[1:]
        for system in PLAN.systems
        for job in PLAN.steps.saddles(system).values()
    }
)
FIGURES = [
    *(layout.figure(name, ending=ending) for name in ("selectivity", "ranking") for ending in ENDINGS),
    *(layout.figure(name, system, ending=e) for name in SYSTEM_FIGURES for system in SYSTEMS for e in ENDINGS),
    *(layout.figure("saddle", *step, ending=ending) for step in SADDLES for ending in ENDINGS),
]
EXPORTS = [layout.DATABASE, layout.ALL_STRUCTURES]
# Pages with a table that can be sorted: name, section of the report, and the CSV files that are joined in it.
TABLES = {
    **{f"errors_{name}": ("1 Molecules", [layout.reference(name).errors]) for name in PLAN.requirements.calculators},
    "qualification": ("2 Bulk", [layout.QUALIFICATIONS]),
    "states": ("7 Energetics", [layout.joined_table("energetics", "states")]),
    "steps": ("7 Energetics", [layout.joined_table("energetics", "steps")]),
    "selectivity": ("8 Kinetics", [layout.joined_table("kinetics", "selectivity")]),
    "control": ("8 Kinetics", [layout.kinetic_table(system, "control") for system in SYSTEMS]),
}
PAGES = [
    *map(layout.table_page, TABLES),
    *map(layout.structure_page, SYSTEMS),
    layout.SUMMARY,
]


# The first page of the report is the answer in words, once there is one.
report: os.path.abspath(layout.SUMMARY) if os.path.exists(layout.SUMMARY) else "../report/workflow.rst"


rule summarise_results:
    input:
        selectivity=layout.joined_table("kinetics", "selectivity"),
        control=TABLES["control"][1],
        states=layout.joined_table("energetics", "states"),
        steps=layout.joined_table("energetics", "steps"),
    output:
        layout.SUMMARY,
    log:
        "logs/summarise_results.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        recipe=PLAN.config.kinetics.recipe,
        code=code_version("report.pages.summary", "report.tables", "storage.files"),
    message:
        "Write the answer in words"
    script:
        "../scripts/summarise_results.py"


rule show_tables:
    input:
        **{name: files for name, (_, files) in TABLES.items()},
    output:
        **{
            name: report(
                layout.table_page(name),
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
        code=code_version("report.pages.table_page", "report.tables"),
    message:
        "Write the pages with the tables"
    script:
        "../scripts/show_tables.py"


rule export_structures:
    input:
        [
            file
            for stage in layout.RELAXED_STAGES
            for name in PLAN.jobs.get(stage, [])
            for file in layout.job(name).relaxation.values()
        ],
    output:
        database=layout.DATABASE,
        structures=layout.ALL_STRUCTURES,
    log:
        "logs/export_structures.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("pipeline.database", "storage.files"),
    message:
        "Export all structures"
    script:
        "../scripts/export_structures.py"


rule plot_selectivity:
    input:
        table=layout.joined_table("kinetics", "selectivity"),
    output:
        svg=report(
            layout.figure("selectivity"),
            category="8 Kinetics",
            subcategory="all systems",
            caption="../report/selectivity_figure.rst",
            labels={"figure": "selectivity"},
        ),
        png=layout.figure("selectivity", ending="png"),
    log:
        "logs/plot_selectivity.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures.selectivity", "report.figures.style", "storage.files"),
    message:
        "Draw the selectivity of all systems"
    script:
        "../scripts/plot_selectivity.py"


rule show_system:
    input:
        **PLOTTED_TABLES,
        unrefined=lambda w: [
            layout.energy_table(w.system, table, refined=False) for table in ("states", "steps") if PLAN.config.refine
        ],
        structures=lambda w: [job.structure for job in jobs_of(w.system).values()],
        recipe=record("recipes", PLAN.config.kinetics.recipe),
    output:
        **{
            name: report(
                layout.figure(name, "{system}"),
                category=category,
                subcategory=subcategory,
                labels={"system": "{system}"},
                caption=f"../report/{name}.rst",
            )
            for name, (category, subcategory) in SYSTEM_FIGURES.items()
        },
        pngs=[layout.figure(name, "{system}", ending="png") for name in SYSTEM_FIGURES],
        structures=report(
            layout.structure_page("{system}"),
            category="3 to 6 Structures",
            labels={"system": "{system}"},
            caption="../report/structures.rst",
        ),
    log:
        "logs/show_system/{system}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        tables=list(PLOTTED_TABLES),
        states=lambda w: list(jobs_of(w.system)),
        code=code_version(
            "report.figures.kinetics",
            "report.figures.profile",
            "report.figures.style",
            "report.pages.viewer",
            "records.library",
            "storage.files",
            "storage.structures",
        ),
    message:
        "Draw {wildcards.system}"
    script:
        "../scripts/show_system.py"


rule plot_saddle:
    input:
        **PRODUCT.saddle,
    output:
        svg=report(
            layout.figure("saddle", "{owner}", "{reaction}"),
            category="3 to 6 Structures",
            subcategory="transition states",
            labels={"system": "{owner}", "step": "{reaction}"},
            caption="../report/saddle.rst",
        ),
        png=layout.figure("saddle", "{owner}", "{reaction}", ending="png"),
    log:
        "logs/plot_saddle/{owner}/{reaction}.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures.saddle", "report.figures.style", "saddles.result", "storage.structures"),
    message:
        "Draw the saddle of {wildcards.reaction} of {wildcards.owner}"
    script:
        "../scripts/plot_saddle.py"


rule plot_ranking:
    input:
        table=layout.joined_table("kinetics", "selectivity"),
    output:
        svg=report(
            layout.figure("ranking"),
            category="8 Kinetics",
            subcategory="all systems",
            caption="../report/ranking.rst",
            labels={"figure": "ranking of the precursors"},
        ),
        png=layout.figure("ranking", ending="png"),
    log:
        "logs/plot_ranking.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        code=code_version("report.figures.ranking", "report.figures.style", "storage.files"),
    message:
        "Draw the ranking of the precursors"
    script:
        "../scripts/plot_ranking.py"


rule write_provenance:
    input:
        results=[
            layout.job(name).result
            for stage in (*layout.RELAXED_STAGES, "reference")
            for name in PLAN.jobs.get(stage, [])
        ],
        qualifications=[layout.JobFiles(folder).qualification for folder in PLAN.qualifications],
        records=PLAN.record_files,
        tables=[
            layout.joined_table("energetics", "states"),
            layout.joined_table("energetics", "steps"),
            layout.joined_table("kinetics", "selectivity"),
        ],
    output:
        report(
            layout.PROVENANCE,
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
    message:
        "Write the provenance"
    script:
        "../scripts/write_provenance.py"
