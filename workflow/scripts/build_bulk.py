from qdsurf import library
from qdsurf.build.bulk import build_test
from qdsurf.build.slab import cut_slab
from qdsurf.config import QualificationSpec, SlabSpec, find_facet
from qdsurf.structure_io import write_structures

material = library.material(snakemake.wildcards.material)
spec = SlabSpec(ligands=(), **snakemake.params.spec)
settings = QualificationSpec(**snakemake.params.settings)
slab = cut_slab(material, find_facet(snakemake.params.slab)[1], spec.layers, spec.supercell, spec.vacuum_A, spec.bottom)
structures = build_test(snakemake.wildcards.test, material, slab, settings, snakemake.params.seed)
write_structures(snakemake.output.candidates, structures, reason="no facet that can be tested")
