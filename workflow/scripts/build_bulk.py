from qdsurf import library
from qdsurf.build.bulk import rattle_slab, strained_cells
from qdsurf.build.slab import cut_slab
from qdsurf.config import QualificationSpec, SlabSpec, find_facet
from qdsurf.structure_io import write_structures

material = library.material(snakemake.wildcards.material)
spec = SlabSpec(ligands=(), **snakemake.params.spec)
tests = QualificationSpec(**snakemake.params.tests)
slab = cut_slab(material, find_facet(snakemake.params.slab)[1], spec.layers, spec.supercell, spec.vacuum_A, spec.bottom)
write_structures(snakemake.output.strained, strained_cells(material, tests.strains, tests.shortest_vector_A))
write_structures(snakemake.output.rattled, rattle_slab(slab, tests.rattle_A, snakemake.params.seed))
