from pathlib import Path

from qdsurf import library
from qdsurf.config import System
from qdsurf.microkinetics.export import export_mechanism
from qdsurf.microkinetics.study import Case, study_cycle, study_range
from qdsurf.microkinetics.tables import read_tables
from qdsurf.structure_io import write_atomically, write_table

given, how, system = snakemake.input, snakemake.params, snakemake.wildcards.system
tables, recipe = read_tables(Path(given.states).parent), library.read_record(given.recipe, library.Recipe)
case = Case(
    *(system, tables, recipe, library.precursor(System.parse(system).precursor)),
    *(None, None, how.settings["cycles"], how.settings["samples"], how.seed),
)
studied = study_cycle(case) | study_range(case, how.settings["map_points"], how.settings["map_samples"])
for name, table in studied.items():
    write_table(snakemake.output[name], table)
write_atomically(snakemake.output.mechanism, export_mechanism(system, tables))
