from pathlib import Path

from qdsurf.kinetics.export import export_mechanism
from qdsurf.kinetics.tables import read_tables
from qdsurf.structure_io import write_atomically

tables = read_tables(Path(snakemake.input.states).parent)
write_atomically(snakemake.output.mechanism, export_mechanism(snakemake.wildcards.system, tables))
