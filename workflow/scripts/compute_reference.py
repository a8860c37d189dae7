from qdsurf.atomistic.molecules import build_molecule
from qdsurf.logs import log_to_file
from qdsurf.qualification.reference_energies import compute_reference, relax_roughly
from qdsurf.records.reference_set import ReferenceLevel, ReferenceMolecule, read_reference
from qdsurf.storage.structures import write_structures

molecule = ReferenceMolecule(**snakemake.params.molecule)
with log_to_file(snakemake.log[0]):
    stored = read_reference().geometries.get(molecule.name)
    start = relax_roughly(build_molecule(molecule)) if stored is None else stored
    computed = compute_reference(start, ReferenceLevel(**snakemake.params.level))
write_structures(snakemake.output.structure, [computed])
