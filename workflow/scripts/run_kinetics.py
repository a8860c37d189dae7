from qdsurf import library
from qdsurf.config import System
from qdsurf.kinetics.study import Case, study_cycle
from qdsurf.kinetics.tables import read_tables
from qdsurf.report.tables import write_table

case = Case(
    snakemake.wildcards.system,
    read_tables(snakemake.input.states.removesuffix("/states.csv")),
    library.read_record(snakemake.input.recipe, library.Recipe),
    library.precursor(System.parse(snakemake.wildcards.system).precursor),
    cycles=snakemake.params.settings["cycles"],
    samples=snakemake.params.settings["samples"],
    seed=snakemake.params.seed,
)
for name, table in study_cycle(case).items():
    write_table(snakemake.output[name], table)
