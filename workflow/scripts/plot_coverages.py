import pandas as pd

from qdsurf import library
from qdsurf.report.figures import plot_coverages, save

recipe = library.read_record(snakemake.input.recipe, library.Recipe)
figure = plot_coverages(pd.read_csv(snakemake.input.coverages), recipe, snakemake.wildcards.system)
save(figure, snakemake.output.svg.removesuffix(".svg"))
