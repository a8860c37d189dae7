from qdsurf.report.pages.qualification import criteria_table
from qdsurf.storage.files import read_json, write_table

write_table(snakemake.output[0], criteria_table(map(read_json, snakemake.input)))
