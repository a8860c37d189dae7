from qdsurf.report.pages.qualification import verdict_table
from qdsurf.storage.files import read_json, write_table

write_table(snakemake.output[0], verdict_table(map(read_json, snakemake.input)))
