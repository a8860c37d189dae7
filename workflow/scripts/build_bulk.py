from qdsurf.qualification.trial_structures import build_test
from qdsurf.records import library
from qdsurf.records.settings import QualificationSpec, SlabSpec
from qdsurf.records.systems import find_facet
from qdsurf.storage.structures import write_structures
from qdsurf.surfaces.slab import cut_slab

material = library.material(snakemake.wildcards.material)
spec = SlabSpec(ligands=(), **snakemake.params.spec)
settings = QualificationSpec(**snakemake.params.settings)
slab = cut_slab(material, find_facet(snakemake.params.slab)[1], spec.layers, spec.supercell, spec.vacuum_A, spec.bottom)
structures = build_test(snakemake.wildcards.test, material, slab, settings, snakemake.params.seed)
write_structures(snakemake.output.candidates, structures, reason="no facet that can be tested")
