from qdsurf.records import library
from qdsurf.records.systems import find_facet
from qdsurf.storage.files import read_json
from qdsurf.storage.structures import write_structures
from qdsurf.surfaces.slab import cut_slab

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
