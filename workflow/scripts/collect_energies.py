from qdsurf.pipeline.config import load_config
from qdsurf.pipeline.plan import Plan
from qdsurf.records.systems import System
from qdsurf.storage.files import write_table

plan = Plan(load_config(snakemake.params.config))
tables = plan.collect(System.parse(snakemake.wildcards.system))
for path, table in zip(snakemake.output, tables, strict=True):
    write_table(path, table)
