from pathlib import Path

import pandas as pd

from qdsurf.report.figures import plot_ranking, save

save(plot_ranking(pd.read_csv(snakemake.input.table)), Path(snakemake.output.svg).with_suffix(""))
