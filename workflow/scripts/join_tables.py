from qdsurf.report.tables import join_tables
from qdsurf.storage.files import write_table

write_table(snakemake.output[0], join_tables(snakemake.input))
