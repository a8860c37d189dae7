from qdsurf.pipeline.config import load_config
from qdsurf.pipeline.plan import Plan
from qdsurf.pipeline.tables import tabulate_system
from qdsurf.records.systems import System
from qdsurf.storage.files import write_table

plan = Plan(load_config(snakemake.params.config))
tables = tabulate_system(plan, System.parse(snakemake.wildcards.system))
for name, table in (vars(tables.energies) | {"gibbs": tables.gibbs}).items():
    write_table(snakemake.output[name], table)
