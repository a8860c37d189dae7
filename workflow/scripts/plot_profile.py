import pandas as pd

from qdsurf.report.figures import plot_energy_profile, save

states, steps = pd.read_csv(snakemake.input.states), pd.read_csv(snakemake.input.steps)
unrefined = tuple(map(pd.read_csv, snakemake.input.unrefined))
figure = plot_energy_profile(states, steps, snakemake.wildcards.system, unrefined)
save(figure, snakemake.output.svg.removesuffix(".svg"))
