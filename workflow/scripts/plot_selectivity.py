from pathlib import Path

import pandas as pd

from qdsurf.report.figures import plot_selectivity, save

save(plot_selectivity(pd.read_csv(snakemake.input.table)), Path(snakemake.output.svg).with_suffix(""))
