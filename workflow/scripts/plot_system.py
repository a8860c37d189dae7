import pandas as pd

from qdsurf import library
from qdsurf.report.figures import plot_energy_profile, plot_kinetics, save

given, system = snakemake.input, snakemake.wildcards.system
tables = {name: pd.read_csv(given[name]) for name in snakemake.params.tables}
unrefined = tuple(map(pd.read_csv, given.unrefined))
figures = plot_kinetics(tables, library.read_record(given.recipe, library.Recipe), system)
figures["profile"] = plot_energy_profile(tables["states"], tables["steps"], system, unrefined)
for name, figure in figures.items():
    save(figure, snakemake.output[name].removesuffix(".svg"))
