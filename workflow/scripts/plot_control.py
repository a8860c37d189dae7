import pandas as pd

from qdsurf.report.figures import plot_control, save

figure = plot_control(pd.read_csv(snakemake.input.control), snakemake.wildcards.system)
save(figure, snakemake.output.svg.removesuffix(".svg"))
