from qdsurf.pipeline.provenance import describe_run
from qdsurf.storage.files import read_json, write_json

run = describe_run(
    snakemake.params.config,
    [result for path in snakemake.input.results for result in read_json(path)],
    [read_json(path) for path in snakemake.input.qualifications],
    snakemake.input.records,
    snakemake.input.tables,
)
write_json(snakemake.output[0], run)
