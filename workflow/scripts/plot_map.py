import pandas as pd

from qdsurf.report.figures import plot_selectivity_map, save

points, selectivity = pd.read_csv(snakemake.input.map), pd.read_csv(snakemake.input.selectivity)
save(plot_selectivity_map(points, selectivity, snakemake.wildcards.system), snakemake.output.svg.removesuffix(".svg"))
