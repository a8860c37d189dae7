from qdsurf.storage.structures import read_structures, write_structures

write_structures(snakemake.output[0], [atoms for path in snakemake.input for atoms in read_structures(path)])
