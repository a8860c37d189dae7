from pathlib import Path

from qdsurf.report.figures import plot_ranking, save
from qdsurf.structure_io import read_table

save(plot_ranking(read_table(snakemake.input.table)), Path(snakemake.output.svg).with_suffix(""))
