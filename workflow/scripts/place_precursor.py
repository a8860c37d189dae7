from qdsurf import library
from qdsurf.build.placement import place_candidates
from qdsurf.config import System
from qdsurf.structure_io import read_structures, write_structures

candidates, reason = place_candidates(
    read_structures(snakemake.input.structure),
    read_structures(snakemake.input.molecule),
    library.precursor(System.parse(snakemake.wildcards.system).precursor),
    library.get("reactions", snakemake.wildcards.reaction),
    snakemake.params.poses,
    snakemake.params.seed,
)
write_structures(snakemake.output.candidates, candidates, reason)
