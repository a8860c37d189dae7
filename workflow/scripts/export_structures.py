from qdsurf.pipeline import layout
from qdsurf.pipeline.database import collect_structures, write_database
from qdsurf.storage.structures import write_structures

jobs = dict.fromkeys(layout.job_name(path) for path in snakemake.input)
structures = collect_structures(layout.RESULTS, jobs)
write_structures(snakemake.output.structures, structures)
write_database(snakemake.output.database, structures)
