from qdsurf.compute.qualify import qualify
from qdsurf.structure_io import read_json, read_structures, write_json

verdict = qualify(
    snakemake.wildcards.material,
    read_json(snakemake.input.strained),
    snakemake.params.strains,
    read_structures(snakemake.input.candidates),
    read_structures(snakemake.input.relaxed),
    read_json(snakemake.input.result),
)
write_json(snakemake.output.qualification, verdict)
