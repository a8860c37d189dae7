from qdsurf import library
from qdsurf.config import System
from qdsurf.kinetics.study import Case, study_range
from qdsurf.kinetics.tables import read_tables
from qdsurf.report.tables import write_table

case = Case(
    snakemake.wildcards.system,
    read_tables(snakemake.input.states.removesuffix("/states.csv")),
    library.read_record(snakemake.input.recipe, library.Recipe),
    library.precursor(System.parse(snakemake.wildcards.system).precursor),
    seed=snakemake.params.seed,
)
settings = snakemake.params.settings
for name, table in study_range(case, settings["map_points"], settings["map_samples"]).items():
    write_table(snakemake.output[name], table)
