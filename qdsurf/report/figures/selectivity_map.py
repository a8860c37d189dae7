"""Map of the selectivity: share of the ligand route over temperature and pressure, and its probability."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy.constants import zero_Celsius

from qdsurf.report.figures import style
from qdsurf.report.system_names import system_label
from qdsurf.report.tables import require_columns

LEVELS = {0.5: "solid", 0.9: "dashed"}  # probabilities that are drawn as contours
SHARES = LinearSegmentedColormap.from_list("shares", [style.BLUE, "#FFFFFF", style.VERMILLION])
# Sizes in inch.
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _GAP, _BAR, _RIGHT = 3.6, 2.7, 0.75, 0.55, 0.62, 0.15, 0.16, 0.75


@style.styled
def plot_selectivity_map(points: pd.DataFrame, selectivity: pd.DataFrame, system: str) -> Figure:
    """Draw the share of the ligand route in the reactions of the precursor, over temperature and pressure.

    Contours are the probability that the ligand route is faster than the surface route. Points are grey if no reaction
    of the precursor remains after the purge.

    Parameters
    ----------
    points : pandas.DataFrame
        Table of `qdsurf.microkinetics.analysis.process_window.selectivity_map`, a full grid.
    selectivity : pandas.DataFrame
        One row with `temperature_K` and `pressure_Pa` of the recipe, which a ring marks.
    system : str
        Name of the system, for the title.

    Returns
    -------
    matplotlib.figure.Figure
        The figure. Without shares, or with one temperature only, it is a figure with a message.

    Raises
    ------
    InputError
        A column is missing.
    """
    if points.empty or points["precursor_ligand"].isna().all() or points["temperature_K"].nunique() < 2:
        reason = "no map: no shares, or free energies at one temperature only"
        return style.message_figure(system_label(system), reason)
    columns = ["system", "temperature_K", "pressure_Pa", "precursor_surface", "precursor_ligand", "p_ligand_wins"]
    require_columns(points, columns, "map")
    figure = style.canvas(_LEFT + _WIDTH + _GAP + _BAR + _RIGHT, _BOTTOM + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    share = points.precursor_ligand / (points.precursor_surface + points.precursor_ligand)
    grid = points.assign(share=share).pivot_table(
        index="pressure_Pa", columns="temperature_K", values="share", dropna=False
    )
    celsius = grid.columns.to_numpy(float) - zero_Celsius
    mesh = axes.pcolormesh(celsius, grid.index, grid, cmap=SHARES, vmin=0, vmax=1, shading="nearest", rasterized=True)
    axes.set_facecolor(style.PALE)
    known = points[share.notna()]
    _draw_contours(axes, known, grid)
    recipe_celsius = selectivity["temperature_K"].iloc[0] - zero_Celsius
    recipe_pressure_Pa = selectivity["pressure_Pa"].iloc[0]
    is_inside = grid.index[0] <= recipe_pressure_Pa <= grid.index[-1] and celsius[0] <= recipe_celsius <= celsius[-1]
    if is_inside:
        axes.plot(recipe_celsius, recipe_pressure_Pa, "o", mfc="none", mec=style.INK, mew=1.4, ms=9)
    axes.set(yscale="log", xlabel="temperature (°C)", ylabel="pressure of the precursor (Pa)")
    bar = style.axes_at(figure, _LEFT + _WIDTH + _GAP, _BOTTOM, _BAR, _HEIGHT)
    figure.colorbar(mesh, cax=bar, label="ligand route's share of the\nprecursor's reactions (fraction)")
    width, height = figure.get_size_inches()
    figure.text(_LEFT / width, 1 - 0.12 / height, system_label(system), va="top", fontsize=style.TEXT_PT)
    figure.text(
        _LEFT / width,
        1 - 0.3 / height,
        _explanation(known, is_inside, bool(share.isna().any())),
        va="top",
        fontsize=style.SMALL_PT,
        color=style.GREY,
    )
    return figure


def _draw_contours(axes: Axes, known: pd.DataFrame, grid: pd.DataFrame) -> None:
    """Draw contours of the probability that the ligand route is faster, if the map crosses them."""
    table = known.pivot_table(index="pressure_Pa", columns="temperature_K", values="p_ligand_wins", dropna=False)
    if not table.size or table.isna().all(axis=None):
        return
    table = table.reindex(index=grid.index, columns=grid.columns)
    probability, celsius = table.to_numpy(float), table.columns.to_numpy(float) - zero_Celsius
    for level, dashes in LEVELS.items():
        if np.nanmin(probability) < level < np.nanmax(probability):
            lines = axes.contour(
                celsius, table.index, probability, [level], colors=style.INK, linestyles=dashes, linewidths=1
            )
            axes.clabel(lines, fmt=f"P = {level:g}", fontsize=style.SMALL_PT)


def _explanation(known: pd.DataFrame, is_marked: bool, has_grey: bool) -> str:
    """Text below the title that explains ring, grey points and contours."""
    symbols = "ring: the recipe" if is_marked else "the recipe lies outside"
    if has_grey:
        symbols += "; grey: no reaction of the precursor remains after the purge"
    probability = known.p_ligand_wins.dropna()
    if probability.empty:
        return f"{symbols}\nno probability sampled"
    low, high = probability.min(), probability.max()
    return f"{symbols}\nP, the probability that the ligand route is faster, is {low:.2f} to {high:.2f} here"
