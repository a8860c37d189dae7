import pandas as pd

from qdsurf import library
from qdsurf.config import System
from qdsurf.kinetics.analysis import run_kinetics
from qdsurf.report.tables import write_table

coverages, selectivity = run_kinetics(
    snakemake.wildcards.system,
    *(pd.read_csv(snakemake.input[name]) for name in ("states", "steps", "sites")),
    library.read_record(snakemake.input.recipe, library.Recipe),
    library.precursor(System.parse(snakemake.wildcards.system).precursor),
    samples=snakemake.params.samples,
    seed=snakemake.params.seed,
)
write_table(snakemake.output.coverages, coverages)
write_table(snakemake.output.selectivity, selectivity)
