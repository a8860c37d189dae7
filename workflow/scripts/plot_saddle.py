from qdsurf.report.figures.kinetics import plot_saddle, save
from qdsurf.storage.files import read_json
from qdsurf.storage.structures import read_structures

path, result = read_structures(snakemake.input.path), read_json(snakemake.input.saddle)
figure = plot_saddle(path, result, snakemake.wildcards.owner, snakemake.wildcards.reaction)
save(figure, snakemake.output.svg.removesuffix(".svg"))
