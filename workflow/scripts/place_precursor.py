from qdsurf.elementary_steps.adsorption_poses import place_candidates
from qdsurf.records import library
from qdsurf.records.systems import System
from qdsurf.storage.structures import read_structures, write_structures

candidates = place_candidates(
    read_structures(snakemake.input.structure),
    read_structures(snakemake.input.molecule),
    library.precursor(System.parse(snakemake.wildcards.system).precursor),
    library.get("reactions", snakemake.wildcards.reaction),
    snakemake.params.poses,
    snakemake.params.seed,
)
write_structures(snakemake.output.candidates, candidates.structures, candidates.reason)
