from qdsurf.report.tables import join_tables
from qdsurf.structure_io import write_table

write_table(snakemake.output[0], join_tables(snakemake.input))
