"""Coverages over one cycle of a recipe.

Each step of the recipe has a panel with a separate time axis, because pulses take milliseconds and purges take seconds.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdsurf.records.models import Recipe, RecipeStep
from qdsurf.report.figures import style
from qdsurf.report.system_names import system_label
from qdsurf.report.tables import require_columns

# Sizes in inch.
_PANEL, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM, _GAP, _ROW_GAP = 1.15, 1.5, 0.62, 1.55, 0.55, 0.48, 0.06, 0.28
VISIBLE = 1e-3  # a species whose coverage remains below this value is not drawn
_EDGE_S = 1e-12  # tolerance for the times at which steps begin and end, against rounding


@style.styled
def plot_coverages(coverages: pd.DataFrame, recipe: Recipe, system: str) -> Figure:
    """Draw the coverages of each site family over the last cycle.

    Parameters
    ----------
    coverages : pandas.DataFrame
        Column `time_s` and one column `name@family` for each species, with coverages between 0 and 1.
    recipe : Recipe
        Recipe of the cycle. Each step has a panel, and pulses are shaded.
    system : str
        Name of the system, for the title.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with one row for each site family. A table without species gives a figure with a message.

    Raises
    ------
    InputError
        The column `time_s` is missing.
    """
    require_columns(coverages, ["time_s"], "coverages")
    species = [column for column in coverages.columns if "@" in column]
    families = list(dict.fromkeys(_family(name) for name in species))
    if not families:
        return style.message_figure(system_label(system), "no coverages: no step could be computed")
    edges = np.cumsum([0.0, *(step.duration_s for step in recipe.steps)])
    edges += coverages.time_s.max() - edges[-1]  # The table may contain several cycles; the last one is drawn.
    columns, rows = len(recipe.steps), len(families)
    figure = style.canvas(
        _LEFT + columns * _PANEL + (columns - 1) * _GAP + _RIGHT,
        _TOP + rows * _HEIGHT + (rows - 1) * _ROW_GAP + _BOTTOM,
    )
    for row, family in enumerate(families):
        shown = [name for name in species if _family(name) == family and coverages[name].max() > VISIBLE]
        bottom = _BOTTOM + (rows - 1 - row) * (_HEIGHT + _ROW_GAP)
        for column, step in enumerate(recipe.steps):
            axes = style.axes_at(figure, _LEFT + column * (_PANEL + _GAP), bottom, _PANEL, _HEIGHT)
            _draw_panel(axes, coverages, shown, edges[column], edges[column + 1])
            if step.role != "purge":
                axes.set_facecolor(style.tint(style.SKY, 0.8))
            if row == 0:
                axes.set_title(_step_title(step, system), fontsize=style.SMALL_PT, pad=3)
            if column == 0:
                axes.set_ylabel(f"coverage of\n{family} sites (fraction)")
            else:
                axes.set_yticklabels([])
            if row == rows - 1:
                axes.set_xlabel("time (s)", fontsize=style.SMALL_PT, labelpad=1)
        _label_lines(axes, coverages, shown)
    width, height = figure.get_size_inches()
    figure.text(_LEFT / width, 1 - 0.14 / height, system_label(system), va="top", fontsize=style.TEXT_PT)
    return figure


def _family(species: str) -> str:
    """Return the site family of a species `name@family`, or the first family of a species on several sites."""
    return species.split("@")[1].split("&")[0]


def _draw_panel(axes: Axes, coverages: pd.DataFrame, shown: list[str], start_s: float, end_s: float) -> None:
    """Draw the coverages during one step of the recipe, with the time measured from the beginning of the step."""
    during = coverages[(coverages.time_s >= start_s - _EDGE_S) & (coverages.time_s <= end_s + _EDGE_S)]
    for number, name in enumerate(shown):
        axes.plot(during.time_s - start_s, during[name], color=style.SERIES[number % len(style.SERIES)], lw=1.4)
    axes.set(xlim=(0, end_s - start_s), ylim=(-0.02, 1.02))
    axes.set_xticks([0, end_s - start_s], ["0", f"{end_s - start_s:g}"])
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _step_title(step: RecipeStep, system: str) -> str:
    """Name a step of the recipe; the precursor of the system replaces that of the recipe."""
    if step.role == "purge":
        return "purge"
    species = system.split("~")[-1] if step.role == "precursor" and "~" in system else step.species
    return f"{species} pulse"


def _label_lines(axes: Axes, coverages: pd.DataFrame, shown: list[str]) -> None:
    """Write the names of the species at the right ends of their lines, without overlap."""
    ends = [float(coverages[name].iloc[-1]) for name in shown]
    heights = style.spread_labels(ends, 0.11, 0.0, 1.0)
    for number, (name, height) in enumerate(zip(shown, heights, strict=True)):
        axes.text(
            1.06,
            height,
            style.with_spaces(name.split("@")[0]),
            color=style.SERIES[number % len(style.SERIES)],
            fontsize=style.SMALL_PT,
            va="center",
            transform=axes.get_yaxis_transform(),
        )
