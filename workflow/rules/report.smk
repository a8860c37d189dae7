# Figures and provenance.
SYSTEMS = list(map(str, PLAN.config.systems))
FIGURES = [
    "results/report/selectivity.svg",
    "results/report/selectivity.png",
    *expand("results/report/profile/{system}.{ending}", system=SYSTEMS, ending=("svg", "png")),
    *expand("results/report/coverages/{system}.{ending}", system=SYSTEMS, ending=("svg", "png")),
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


rule write_provenance:
    input:
        "results/kinetics/selectivity.csv",
        results=lambda w: sorted(
            {f"{room}/result.json" for s in PLAN.config.systems for room in PLAN.states(s).values()}
        ),
        qualifications=expand("{folder}/qualification.json", folder=PLAN.qualifications),
    output:
        "results/provenance.json",
    log:
        "logs/write_provenance.log",
    conda:
        "../envs/qdsurf.yaml"
    params:
        config=dict(config),
        code=code_version("provenance"),
    script:
        "../scripts/write_provenance.py"
