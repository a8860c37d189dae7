"""The figures of the report: tables in, a matplotlib figure out, `save` writes it as SVG and PNG."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from qdsurf.records.models import Recipe
from qdsurf.report.figures.control import plot_control
from qdsurf.report.figures.coverages import plot_coverages
from qdsurf.report.figures.profile import plot_energy_profile
from qdsurf.report.figures.ranking import plot_ranking
from qdsurf.report.figures.saddle import plot_saddle
from qdsurf.report.figures.saturation import plot_saturation
from qdsurf.report.figures.selectivity import plot_selectivity
from qdsurf.report.figures.selectivity_map import plot_selectivity_map
from qdsurf.report.figures.style import save, write

__all__ = [
    "plot_control",
    "plot_coverages",
    "plot_energy_profile",
    "plot_kinetics",
    "plot_ranking",
    "plot_saddle",
    "plot_saturation",
    "plot_selectivity",
    "plot_selectivity_map",
    "save",
    "write",
]


def plot_kinetics(tables: Mapping[str, pd.DataFrame], recipe: Recipe, system: str) -> dict[str, Figure]:
    """Draw what a recipe does on one system, by name of the figure; the map where there is one.

    Parameters
    ----------
    tables : of `simulate_cycle` and `scan_conditions` by name.
    """
    figures = {
        "coverages": plot_coverages(tables["coverages"], recipe, system),
        "control": plot_control(tables["control"], system),
        "saturation": plot_saturation(tables["saturation"], tables["dose"], system),
    }
    if "map" in tables:
        figures["map"] = plot_selectivity_map(tables["map"], tables["selectivity"], system)
    return figures
