# Figures and provenance.
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
]


rule plot_selectivity:
    input:
        table="results/kinetics/selectivity.csv",
    output:
        svg=report(
            "results/report/selectivity.svg",
            category="6 Figures",
            caption="../report/selectivity_figure.rst",
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
            category="6 Figures",
            subcategory="energy profiles",
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


rule plot_coverages:
    input:
        coverages="results/kinetics/{system}/coverages.csv",
        recipe=record("recipes", PLAN.config.kinetics.recipe),
    output:
        svg=report(
            "results/report/coverages/{system}.svg",
            category="6 Figures",
            subcategory="coverages",
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
            category="6 Figures",
            subcategory="what it hangs on",
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
            category="6 Figures",
            subcategory="dose",
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
            category="6 Figures",
            subcategory="temperature and pressure",
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
            category="6 Figures",
            caption="../report/ranking.rst",
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
        "results/provenance.json",
    log:
        "logs/write_provenance.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        config=dict(config),
        code=code_version("provenance", "structure_io"),
    script:
        "../scripts/write_provenance.py"
