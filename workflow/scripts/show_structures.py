from qdsurf.report.viewer import write_page
from qdsurf.structure_io import read_reason, read_structures

structures = {}
for name, path in zip(snakemake.params.names, snakemake.input, strict=True):
    found = read_structures(path)
    structures[name] = found[-1] if found else read_reason(path)
write_page(structures, snakemake.output[0])
