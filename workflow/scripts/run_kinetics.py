from pathlib import Path

from qdsurf.microkinetics.cantera_export import export_mechanism
from qdsurf.microkinetics.network.tables import read_tables
from qdsurf.microkinetics.simulate_cycle import Conditions, scan_conditions, simulate_cycle
from qdsurf.records import library
from qdsurf.records.systems import System
from qdsurf.storage.files import write_atomically, write_table

system, settings = snakemake.wildcards.system, snakemake.params.settings
tables = read_tables(Path(snakemake.input.states).parent)
conditions = Conditions(
    system,
    tables,
    library.read_record(snakemake.input.recipe, library.Recipe),
    library.precursor(System.parse(system).precursor),
    cycles=settings["cycles"],
    samples=settings["samples"],
    seed=snakemake.params.seed,
)
results = simulate_cycle(conditions)
results |= scan_conditions(conditions, settings["map_points"], settings["map_samples"])
for name, table in results.items():
    write_table(snakemake.output[name], table)
write_atomically(snakemake.output.mechanism, export_mechanism(system, tables))
