from qdsurf.report.figures import plot_saddle, save
from qdsurf.structure_io import read_json, read_structures

path, result = read_structures(snakemake.input.path), read_json(snakemake.input.saddle)
figure = plot_saddle(path, result, snakemake.wildcards.owner, snakemake.wildcards.reaction)
save(figure, snakemake.output.svg.removesuffix(".svg"))
