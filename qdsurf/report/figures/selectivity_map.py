"""Who wins at which temperature and pressure: the ligand route's share, and how sure it is."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy.constants import zero_Celsius

from qdsurf.report.figures import style
from qdsurf.report.system_names import label_of, require_columns

LEVELS = {0.5: "solid", 0.9: "dashed"}  # probabilities whose contours are drawn
SHARES = LinearSegmentedColormap.from_list("shares", [style.BLUE, "#FFFFFF", style.VERMILLION])
# sizes in inch
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _GAP, _BAR, _RIGHT = 3.6, 2.7, 0.75, 0.55, 0.62, 0.15, 0.16, 0.75


@style.styled
def plot_selectivity_map(points: pd.DataFrame, selectivity: pd.DataFrame, system: str) -> Figure:
    """Draw the share of the ligand route in what the precursor does, over temperature and pressure.

    Parameters
    ----------
    points : rows of `kinetics.window.selectivity_map`, a full grid.
    selectivity : one row with temperature_K and pressure_Pa of the recipe, marked with a ring.

    Raises
    ------
    InputError : a column is missing.
    """
    if points.empty or points["precursor_ligand"].isna().all() or points["temperature_K"].nunique() < 2:
        return style.nothing(label_of(system), "no map: no shares, or free energies at one temperature only")
    columns = ["system", "temperature_K", "pressure_Pa", "precursor_surface", "precursor_ligand", "p_ligand_wins"]
    require_columns(points, columns, "map")
    figure = style.canvas(_LEFT + _WIDTH + _GAP + _BAR + _RIGHT, _BOTTOM + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    share = points.precursor_ligand / (points.precursor_surface + points.precursor_ligand)
    grid = points.assign(share=share).pivot_table(
        index="pressure_Pa", columns="temperature_K", values="share", dropna=False
    )
    temperature_K, pressure_Pa = selectivity["temperature_K"].iloc[0], selectivity["pressure_Pa"].iloc[0]
    celsius = grid.columns.to_numpy(float) - zero_Celsius
    mesh = axes.pcolormesh(celsius, grid.index, grid, cmap=SHARES, vmin=0, vmax=1, shading="nearest", rasterized=True)
    axes.set_facecolor(style.PALE)
    _contours(axes, points[share.notna()], grid)
    inside = (
        grid.index[0] <= pressure_Pa <= grid.index[-1] and celsius[0] <= temperature_K - zero_Celsius <= celsius[-1]
    )
    if inside:
        axes.plot(temperature_K - zero_Celsius, pressure_Pa, "o", mfc="none", mec=style.INK, mew=1.4, ms=9)
    axes.set(yscale="log", xlabel="temperature (°C)", ylabel="pressure of the precursor (Pa)")
    bar = style.axes_at(figure, _LEFT + _WIDTH + _GAP, _BOTTOM, _BAR, _HEIGHT)
    figure.colorbar(mesh, cax=bar, label="ligand route's share of the\nprecursor's reactions (fraction)")
    height = figure.get_size_inches()[1]
    left = _LEFT / figure.get_size_inches()[0]
    figure.text(left, 1 - 0.12 / height, label_of(system), va="top", fontsize=style.TEXT_PT)
    figure.text(
        left,
        1 - 0.3 / height,
        _legend(points[share.notna()], inside, bool(share.isna().any())),
        va="top",
        fontsize=style.SMALL_PT,
        color=style.GREY,
    )
    return figure


def _contours(axes: Axes, points: pd.DataFrame, grid: pd.DataFrame) -> None:
    wins = points.pivot_table(index="pressure_Pa", columns="temperature_K", values="p_ligand_wins", dropna=False)
    if not wins.size or wins.isna().all(axis=None):
        return
    wins = wins.reindex(index=grid.index, columns=grid.columns)
    values, celsius = wins.to_numpy(float), wins.columns.to_numpy(float) - zero_Celsius
    for level, dashes in LEVELS.items():
        if np.nanmin(values) < level < np.nanmax(values):
            lines = axes.contour(
                celsius, wins.index, values, [level], colors=style.INK, linestyles=dashes, linewidths=1
            )
            axes.clabel(lines, fmt=f"P = {level:g}", fontsize=style.SMALL_PT)


def _legend(points: pd.DataFrame, marked: bool, undone: bool) -> str:
    wins = points.p_ligand_wins.dropna()
    parts = ["ring: the recipe" if marked else "the recipe lies outside"]
    if undone:
        parts[0] += "; grey: what the precursor does, the purge undoes"
    parts.append(
        f"P, the probability that the ligand route wins, is {wins.min():.2f} to {wins.max():.2f} here"
        if len(wins)
        else "no probability sampled"
    )
    return "\n".join(parts)
