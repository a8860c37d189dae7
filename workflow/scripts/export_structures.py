from pathlib import Path

from qdsurf.pipeline.database import collect_structures, write_database
from qdsurf.storage.structures import write_structures

results = Path(snakemake.output.database).parent
jobs = [str(Path(path).parent.relative_to(results)) for path in snakemake.input if path.endswith("result.json")]
structures = collect_structures(results, jobs)
write_structures(snakemake.output.structures, structures)
write_database(snakemake.output.database, structures)
