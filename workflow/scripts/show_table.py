from qdsurf.report.table_page import write_table_page
from qdsurf.report.tables import join_tables

write_table_page(snakemake.wildcards.table, join_tables(snakemake.input), snakemake.output[0])
