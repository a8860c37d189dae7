"""All figures of the kinetics of one system."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from qdsurf.records.models import Recipe
from qdsurf.report.figures.control import plot_control
from qdsurf.report.figures.coverages import plot_coverages
from qdsurf.report.figures.saturation import plot_saturation
from qdsurf.report.figures.selectivity_map import plot_selectivity_map


def plot_kinetics(tables: Mapping[str, pd.DataFrame], recipe: Recipe, system: str) -> dict[str, Figure]:
    """Draw the figures that belong to the kinetics of one system.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        Tables of `qdsurf.microkinetics.simulate_cycle.simulate_cycle` by name, and the table `map` of `scan_conditions`
        if there is one.
    recipe : Recipe
        Recipe of the cycle.
    system : str
        Name of the system.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        The figures `coverages`, `control` and `saturation`, and `map` if `tables` contains a map.
    """
    figures = {
        "coverages": plot_coverages(tables["coverages"], recipe, system),
        "control": plot_control(tables["control"], system),
        "saturation": plot_saturation(tables["saturation"], tables["dose"], system),
    }
    if "map" in tables:
        figures["map"] = plot_selectivity_map(tables["map"], tables["selectivity"], system)
    return figures
