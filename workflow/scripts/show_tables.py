from qdsurf.report.pages.table_page import write_table_page
from qdsurf.report.tables import join_tables

for name, page in snakemake.output.items():
    write_table_page(name, join_tables(snakemake.input.get(name)), page)
