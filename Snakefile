# qdsurf: config, rooms in order, targets. Nothing else.
if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/molecules.smk"
include: "workflow/rules/bulk.smk"
include: "workflow/rules/slabs.smk"
include: "workflow/rules/ligated.smk"
include: "workflow/rules/adsorbed.smk"
include: "workflow/rules/reactions.smk"
include: "workflow/rules/energetics.smk"
include: "workflow/rules/kinetics.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/reference.smk"


rule all:
    default_target: True
    input:
        "results/energetics/states.csv",
        "results/energetics/steps.csv",
        "results/kinetics/selectivity.csv",
        expand(
            "results/kinetics/{system}/{table}", system=SYSTEMS, table=("mechanism.yaml", "ledger.csv", "window.csv")
        ),
        FIGURES,
        PAGES,
        EXPORTS,
        "results/provenance.json",
