"""Who wins: the shares of the reaction classes for every system, with the interval of the ligand route."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from qdsurf.report.figures import style
from qdsurf.report.system_names import label_of, require_columns

SHARES = {
    "precursor_surface": "precursor-surface",
    "precursor_ligand": "precursor-ligand",
    "ligand_surface": "ligand-surface",
}
# sizes in inch
_ROW, _GROUP, _LEFT, _RIGHT, _TOP, _BOTTOM = 0.27, 0.16, 1.75, 1.95, 0.62, 0.46


@style.styled
def plot_selectivity(selectivity: pd.DataFrame) -> Figure:
    """Draw one stacked bar a system, grouped by surface, with the interval and the probability of the ligand route.

    A row without numbers shows the word and its reason in place of a bar, never a zero.

    Parameters
    ----------
    selectivity : table of the room `kinetics`; shares between 0 and 1.

    Raises
    ------
    InputError : a column is missing.
    """
    require_columns(
        selectivity,
        ["system", *SHARES, "precursor_ligand_p16", "precursor_ligand_p84", "p_ligand_wins", "missing_steps"],
        "selectivity",
    )
    surfaces = [system.split("~")[0] for system in selectivity.system]
    heights, top = [], 0.0
    for number, surface in enumerate(surfaces):
        top += _ROW + (_GROUP if number and surface != surfaces[number - 1] else 0.0)
        heights.append(-top)
    figure = style.canvas(style.DOUBLE_COLUMN_IN, _TOP + top + _ROW / 2 + _BOTTOM)
    width = style.DOUBLE_COLUMN_IN - _LEFT - _RIGHT
    axes = style.axes_at(figure, _LEFT, _BOTTOM, width, top + _ROW / 2)
    for height, (_, row) in zip(heights, selectivity.iterrows(), strict=True):
        _draw_row(axes, height, row, width)
    axes.set(xlim=(0, 1), ylim=(-top - _ROW / 2, 0), xlabel="share of the reactive flux over one cycle (dimensionless)")
    axes.set_yticks(heights, [label_of(system) for system in selectivity.system])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _head(figure, axes)
    return figure


def _draw_row(axes: Axes, height: float, row: pd.Series, width_in: float) -> None:
    thickness = 0.66 * _ROW
    note = "" if pd.isna(row.missing_steps) else str(row.missing_steps)
    if row[list(SHARES)].isna().any():
        steps = style.words(note).replace(";", "; ")
        text = style.wrap(f"no number: {steps}", width_in, style.SMALL_PT, max_lines=2)
        axes.text(0.0, height, text, va="center", fontsize=style.SMALL_PT, style="italic", color=style.GREY)
        return
    left = 0.0
    for share, group in SHARES.items():
        axes.barh(height, row[share], thickness, left=left, color=style.CLASS_COLOURS[group], label=share)
        left += row[share]
    # The ligand share counts from the right end of the surface share; its interval stands on an axis of its own below.
    low, high = row.precursor_ligand_p16, row.precursor_ligand_p84
    if pd.notna(low) and pd.notna(high):
        under = height - 0.44 * _ROW
        axes.plot([low, high], [under, under], color=style.CLASS_COLOURS["precursor-ligand"], lw=1.6, clip_on=False)
        axes.plot([low, high], [under, under], "|", color=style.CLASS_COLOURS["precursor-ligand"], ms=4, clip_on=False)
    wins = "no number" if pd.isna(row.p_ligand_wins) else f"P = {row.p_ligand_wins:.2f}"
    mark = "  (steps missing)" if note else ""
    axes.text(1.02, height, wins + mark, va="center", fontsize=style.SMALL_PT, transform=axes.get_yaxis_transform())


def _head(figure: Figure, axes: Axes) -> None:
    patches = [Patch(color=style.CLASS_COLOURS[group], label=group) for group in SHARES.values()]
    axes.legend(
        handles=patches, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.2
    )
    height = figure.get_size_inches()[1]
    figure.text(
        1 - (_RIGHT - 0.1) / style.DOUBLE_COLUMN_IN,
        1 - 0.1 / height,
        "P: probability that the ligand route\nis the faster one; thin bar: 16th to\n84th percentile of its share",
        fontsize=style.SMALL_PT,
        va="top",
    )
