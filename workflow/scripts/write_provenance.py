from qdsurf.provenance import describe_run
from qdsurf.structure_io import read_json, write_json

results = [result for path in snakemake.input.results for result in read_json(path)]
write_json(
    snakemake.output[0],
    describe_run(snakemake.params.config, results, [read_json(path) for path in snakemake.input.qualifications]),
)
