from pathlib import Path

from qdsurf.report.figures import plot_selectivity, save
from qdsurf.structure_io import read_table

save(plot_selectivity(read_table(snakemake.input.table)), Path(snakemake.output.svg).with_suffix(""))
