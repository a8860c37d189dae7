from pathlib import Path

from qdsurf.report.figures.ranking import plot_ranking
from qdsurf.report.figures.style import write_svg_and_png
from qdsurf.storage.files import read_table

write_svg_and_png(plot_ranking(read_table(snakemake.input.table)), Path(snakemake.output.svg).with_suffix(""))
