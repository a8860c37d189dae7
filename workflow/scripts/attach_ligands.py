from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records import library
from qdsurf.storage.structures import read_structures, write_structures
from qdsurf.surfaces.slab import freeze_substrate

name = snakemake.wildcards.ligated.split("~")[1]
candidates = read_structures(snakemake.input.structure)
if snakemake.params.substrate != "mobile":
    candidates = [freeze_substrate(atoms) for atoms in candidates]
if name != "none" and candidates:
    candidates = attach_ligands(
        candidates[0],
        library.ligand(name),
        snakemake.params.per_cell,
        snakemake.params.truncate_to_carbons,
    )
write_structures(snakemake.output.candidates, candidates)
