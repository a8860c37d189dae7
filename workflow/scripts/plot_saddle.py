from qdsurf.report.figures.saddle import plot_saddle
from qdsurf.report.figures.style import write_svg_and_png
from qdsurf.saddles.result import read_saddle
from qdsurf.storage.structures import read_structures

path, result = read_structures(snakemake.input.path), read_saddle(snakemake.input.saddle)
figure = plot_saddle(path, result, snakemake.wildcards.owner, snakemake.wildcards.reaction)
write_svg_and_png(figure, snakemake.output.svg.removesuffix(".svg"))
