from pathlib import Path

from qdsurf.report.figures.kinetics import plot_ranking, save
from qdsurf.storage.files import read_table

save(plot_ranking(read_table(snakemake.input.table)), Path(snakemake.output.svg).with_suffix(""))
