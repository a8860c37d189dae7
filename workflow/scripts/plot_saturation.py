import pandas as pd

from qdsurf.report.figures import plot_saturation, save

curve, dose = pd.read_csv(snakemake.input.saturation), pd.read_csv(snakemake.input.dose)
save(plot_saturation(curve, dose, snakemake.wildcards.system), snakemake.output.svg.removesuffix(".svg"))
