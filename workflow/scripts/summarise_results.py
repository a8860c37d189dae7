from qdsurf.report.pages.summary import write_summary
from qdsurf.report.tables import join_tables
from qdsurf.storage.files import read_table, write_atomically

given = snakemake.input
selectivity, states, steps = map(read_table, (given.selectivity, given.states, given.steps))
page = write_summary(selectivity, join_tables(given.control), states, steps, snakemake.params.recipe)
write_atomically(snakemake.output[0], page)
