from qdsurf.build.molecules import build_molecule
from qdsurf.records import Molecule
from qdsurf.structure_io import write_structures

write_structures(snakemake.output.candidates, build_molecule(Molecule(**snakemake.params.molecule)))
