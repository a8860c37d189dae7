"""Selectivity of all systems: shares of the reaction classes with the uncertainty of the ligand route."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from qdsurf.report.figures import style
from qdsurf.report.system_names import system_label
from qdsurf.report.tables import require_columns

SHARES = {
    "precursor_surface": "precursor-surface",
    "precursor_ligand": "precursor-ligand",
    "ligand_surface": "ligand-surface",
}
# Sizes in inch.
_ROW, _GROUP, _LEFT, _RIGHT, _TOP, _BOTTOM = 0.27, 0.16, 1.75, 1.95, 0.62, 0.46


@style.styled
def plot_selectivity(selectivity: pd.DataFrame) -> Figure:
    """Draw one stacked bar for each system, with the interval and the probability of the ligand route.

    Systems are grouped by surface. A system without shares shows the reason instead of a bar, never a zero.

    Parameters
    ----------
    selectivity : pandas.DataFrame
        Table `results/kinetics/selectivity.csv`, with shares between 0 and 1.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    InputError
        A column is missing.
    """
    require_columns(
        selectivity,
        ["system", *SHARES, "precursor_ligand_p16", "precursor_ligand_p84", "p_ligand_wins", "missing_steps"],
        "selectivity",
    )
    heights = _row_heights([system.split("~")[0] for system in selectivity.system])
    total = -heights[-1] if heights else 0.0
    figure = style.canvas(style.DOUBLE_COLUMN_IN, _TOP + total + _ROW / 2 + _BOTTOM)
    width = style.DOUBLE_COLUMN_IN - _LEFT - _RIGHT
    axes = style.axes_at(figure, _LEFT, _BOTTOM, width, total + _ROW / 2)
    for height, (_, row) in zip(heights, selectivity.iterrows(), strict=True):
        _draw_row(axes, height, row, width)
    axes.set(
        xlim=(0, 1), ylim=(-total - _ROW / 2, 0), xlabel="share of the reactive flux over one cycle (dimensionless)"
    )
    axes.set_yticks(heights, [system_label(system) for system in selectivity.system])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _draw_legend(figure, axes)
    return figure


def _row_heights(surfaces: list[str]) -> list[float]:
    """Heights of the rows in inch, from zero downwards, with a gap between different surfaces."""
    heights: list[float] = []
    depth = 0.0
    for number, surface in enumerate(surfaces):
        is_next_group = number > 0 and surface != surfaces[number - 1]
        depth += _ROW + (_GROUP if is_next_group else 0.0)
        heights.append(-depth)
    return heights


def _draw_row(axes: Axes, height: float, row: pd.Series, width_in: float) -> None:
    """Draw the bar of one system with the interval below it and the probability to the right of it."""
    missing_steps = "" if pd.isna(row.missing_steps) else str(row.missing_steps)
    if row[list(SHARES)].isna().any():
        steps = style.with_spaces(missing_steps).replace(";", "; ")
        text = style.wrap(f"no number: {steps}", width_in, style.SMALL_PT, max_lines=2)
        axes.text(0.0, height, text, va="center", fontsize=style.SMALL_PT, style="italic", color=style.GREY)
        return
    left = 0.0
    for share, reaction_class in SHARES.items():
        colour = style.CLASS_COLOURS[reaction_class]
        axes.barh(height, row[share], 0.66 * _ROW, left=left, color=colour, label=share)
        left += row[share]
    # The bar of the ligand route begins at the end of the surface route, but its interval is measured from zero.
    # Therefore the interval is drawn below the bar.
    low, high = row.precursor_ligand_p16, row.precursor_ligand_p84
    if pd.notna(low) and pd.notna(high):
        below = height - 0.44 * _ROW
        colour = style.CLASS_COLOURS["precursor-ligand"]
        axes.plot([low, high], [below, below], color=colour, lw=1.6, clip_on=False)
        axes.plot([low, high], [below, below], "|", color=colour, ms=4, clip_on=False)
    probability = "no number" if pd.isna(row.p_ligand_wins) else f"P = {row.p_ligand_wins:.2f}"
    mark = "  (steps missing)" if missing_steps else ""
    axes.text(
        1.02, height, probability + mark, va="center", fontsize=style.SMALL_PT, transform=axes.get_yaxis_transform()
    )


def _draw_legend(figure: Figure, axes: Axes) -> None:
    """Explain colours, interval and probability above the axes."""
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
