from pathlib import Path

from qdsurf.kinetics.export import export_mechanism
from qdsurf.kinetics.tables import read_tables

tables = read_tables(Path(snakemake.input.states).parent)
Path(snakemake.output.mechanism).write_text(export_mechanism(snakemake.wildcards.system, tables))
