from qdsurf.config import System, load_config
from qdsurf.plan import Plan
from qdsurf.structure_io import write_table

plan = Plan(load_config(snakemake.params.config))
tables = plan.collect(System.parse(snakemake.wildcards.system))
for path, table in zip(snakemake.output, tables, strict=True):
    write_table(path, table)
