"""Coverages over one cycle: pulses of milliseconds and purges of seconds side by side, each on its own clock."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdsurf.records.models import Recipe
from qdsurf.report.figures import style
from qdsurf.report.system_names import label_of, require_columns

# sizes in inch
_PANEL, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM, _GAP, _ROW_GAP = 1.15, 1.5, 0.62, 1.55, 0.55, 0.48, 0.06, 0.28
VISIBLE = 1e-3  # a species that never reaches this coverage gets no line


@style.styled
def plot_coverages(coverages: pd.DataFrame, recipe: Recipe, system: str) -> Figure:
    """Draw the coverages of each site family over the last cycle, one panel for each step of the recipe.

    Parameters
    ----------
    coverages : time_s and one column for each species `name@family`, values between 0 and 1.
    recipe : whose steps give the panels; pulses are shaded.
    system : name for the title.

    Raises
    ------
    InputError : there is no time column.
    """
    require_columns(coverages, ["time_s"], "coverages")
    species = [column for column in coverages.columns if "@" in column]
    families = list(dict.fromkeys(_family(name) for name in species))
    if not families:
        return style.nothing(label_of(system), "no coverages: no step has a number")
    edges = np.cumsum([0.0, *(step.duration_s for step in recipe.steps)])
    edges += coverages.time_s.max() - edges[-1]  # the last of several cycles
    columns, rows = len(recipe.steps), len(families)
    figure = style.canvas(
        _LEFT + columns * _PANEL + (columns - 1) * _GAP + _RIGHT,
        _TOP + rows * _HEIGHT + (rows - 1) * _ROW_GAP + _BOTTOM,
    )
    for row, family in enumerate(families):
        members = [name for name in species if _family(name) == family and coverages[name].max() > VISIBLE]
        bottom = _BOTTOM + (rows - 1 - row) * (_HEIGHT + _ROW_GAP)
        for column, step in enumerate(recipe.steps):
            axes = style.axes_at(figure, _LEFT + column * (_PANEL + _GAP), bottom, _PANEL, _HEIGHT)
            _draw_panel(axes, coverages, members, edges[column], edges[column + 1])
            _dress(axes, row, column, family, rows, system, step)
        _label_ends(axes, coverages, members)
    height = figure.get_size_inches()[1]
    left = _LEFT / figure.get_size_inches()[0]
    figure.text(left, 1 - 0.14 / height, label_of(system), va="top", fontsize=style.TEXT_PT)
    return figure


def _family(species: str) -> str:
    """The family to which a species binds, the first one behind the @."""
    return species.split("@")[1].split("&")[0]


def _draw_panel(axes: Axes, coverages: pd.DataFrame, members: list[str], start: float, end: float) -> None:
    inside = coverages[(coverages.time_s >= start - 1e-12) & (coverages.time_s <= end + 1e-12)]
    for number, name in enumerate(members):
        axes.plot(inside.time_s - start, inside[name], color=style.SERIES[number % len(style.SERIES)], lw=1.4)
    axes.set(xlim=(0, end - start), ylim=(-0.02, 1.02))
    axes.set_xticks([0, end - start], ["0", f"{end - start:g}"])
    for tick, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        tick.set_horizontalalignment(side)


def _dress(axes: Axes, row: int, column: int, family: str, rows: int, system: str, step) -> None:
    if step.role != "purge":
        axes.set_facecolor(style.tint(style.SKY, 0.8))
    if row == 0:
        species = system.split("~")[-1] if step.role == "precursor" and "~" in system else step.species
        axes.set_title("purge" if step.role == "purge" else f"{species} pulse", fontsize=style.SMALL_PT, pad=3)
    if column == 0:
        axes.set_ylabel(f"coverage of\n{family} sites (fraction)")
    else:
        axes.set_yticklabels([])
    if row == rows - 1:
        axes.set_xlabel("time (s)", fontsize=style.SMALL_PT, labelpad=1)


def _label_ends(axes: Axes, coverages: pd.DataFrame, members: list[str]) -> None:
    """Name the lines at their right ends, apart from one another."""
    ends = [float(coverages[name].iloc[-1]) for name in members]
    for number, (name, place) in enumerate(zip(members, style.spread(ends, 0.11, 0.0, 1.0), strict=True)):
        axes.text(
            1.06, place, style.words(name.split("@")[0]), color=style.SERIES[number % len(style.SERIES)],
            fontsize=style.SMALL_PT, va="center", transform=axes.get_yaxis_transform(),
        )  # fmt: skip
