from pathlib import Path

from qdsurf.microkinetics.cantera_export import export_mechanism
from qdsurf.microkinetics.network.tables import read_tables
from qdsurf.microkinetics.simulate_cycle import Conditions, scan_conditions, simulate_cycle
from qdsurf.records import library
from qdsurf.records.systems import System
from qdsurf.storage.files import write_atomically, write_table

given, how, system = snakemake.input, snakemake.params, snakemake.wildcards.system
tables, recipe = read_tables(Path(given.states).parent), library.read_record(given.recipe, library.Recipe)
conditions = Conditions(
    *(system, tables, recipe, library.precursor(System.parse(system).precursor)),
    *(None, None, how.settings["cycles"], how.settings["samples"], how.seed),
)
studied = simulate_cycle(conditions) | scan_conditions(
    conditions, how.settings["map_points"], how.settings["map_samples"]
)
for name, table in studied.items():
    write_table(snakemake.output[name], table)
write_atomically(snakemake.output.mechanism, export_mechanism(system, tables))
