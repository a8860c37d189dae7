from qdsurf import library
from qdsurf.build.slab import cut_slab
from qdsurf.config import find_facet
from qdsurf.structure_io import read_json, write_structures

material, facet = find_facet(snakemake.wildcards.slab)
spec, substrate = snakemake.params.spec, snakemake.params.substrate
if substrate == "auto":
    substrate = read_json(snakemake.input.qualification)["substrate"]
slab = cut_slab(
    library.material(material),
    facet,
    layers=spec["layers"],
    supercell=spec["supercell"],
    vacuum=spec["vacuum_A"],
    bottom=spec["bottom"],
    mobile_layers=spec["mobile_layers"] if substrate != "frozen" else 0,
)
write_structures(snakemake.output.candidates, slab)
