from qdsurf.elementary_steps.products import endpoint_candidates
from qdsurf.records import library
from qdsurf.storage.structures import read_structures, write_structures

candidates = endpoint_candidates(
    read_structures(snakemake.input.structure),
    library.get("reactions", snakemake.wildcards.reaction),
    snakemake.params.attempts,
    snakemake.params.complete,
)
write_structures(snakemake.output.candidates, candidates.structures, candidates.reason)
