from qdsurf.atomistic.molecules import build_molecule
from qdsurf.records.models import Molecule
from qdsurf.storage.structures import write_structures

write_structures(snakemake.output.candidates, build_molecule(Molecule(**snakemake.params.molecule)))
