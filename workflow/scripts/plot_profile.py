import pandas as pd

from qdsurf.report.figures import plot_energy_profile, save

states, steps = pd.read_csv(snakemake.input.states), pd.read_csv(snakemake.input.steps)
save(plot_energy_profile(states, steps, snakemake.wildcards.system), snakemake.output.svg.removesuffix(".svg"))
