"""Degrees of rate control and of selectivity control, drawn as bars."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdsurf.report.figures import style
from qdsurf.report.system_names import system_label
from qdsurf.report.tables import require_columns

SHOWN = 8  # number of steps and number of states that are drawn, the largest ones
NEGLIGIBLE = 1e-3  # smaller degrees of control are not drawn
LEAST_SPAN = 0.1  # lower limit of the axis on both sides, so that negligible degrees of control do not fill the axis
PANELS = {"uptake_control": "control of the uptake", "selectivity_control": "control of the selectivity"}
# Sizes in inch.
_ROW, _LEFT, _PANEL, _GAP, _RIGHT, _TOP, _BOTTOM = 0.2, 2.4, 2.0, 0.3, 0.2, 0.55, 0.5


@style.styled
def plot_control(control: pd.DataFrame, system: str) -> Figure:
    """Draw the largest degrees of control of steps and states, for the uptake and for the selectivity.

    Steps are dark and states are pale. A degree of control that is not defined is written as such.

    Parameters
    ----------
    control : pandas.DataFrame
        Table of `qdsurf.microkinetics.analysis.control.rate_control`, dimensionless.
    system : str
        Name of the system, for the title.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with one panel for the uptake and one for the selectivity. An empty table gives a figure with a message.

    Raises
    ------
    InputError
        A column is missing.
    """
    if control.empty:
        return style.message_figure(system_label(system), "no degrees of control: no step could be computed")
    require_columns(control, ["system", "kind", "name", *PANELS], "control")
    shown = _largest(control)
    height = max(1, len(shown)) * _ROW
    figure = style.canvas(_LEFT + 2 * _PANEL + _GAP + _RIGHT, _BOTTOM + height + _TOP)
    for number, (column, title) in enumerate(PANELS.items()):
        axes = style.axes_at(figure, _LEFT + number * (_PANEL + _GAP), _BOTTOM, _PANEL, height)
        _draw_panel(axes, shown, column)
        axes.set_title(title, fontsize=style.SMALL_PT, pad=3)
    first = figure.axes[0]
    labels = [f"{style.with_spaces(name)} ({kind})" for name, kind in zip(shown["name"], shown["kind"], strict=True)]
    first.set_yticks(range(len(shown)), labels)
    first.tick_params(axis="y", length=0)
    figure.text(0.02, 1 - 0.12 / figure.get_size_inches()[1], system_label(system), va="top", fontsize=style.TEXT_PT)
    return figure


def _largest(control: pd.DataFrame) -> pd.DataFrame:
    """Select the steps and states with the largest degrees of control, in the order of the bars from the bottom."""
    largest = control[list(PANELS)].abs().max(axis=1)
    shown = control[largest > NEGLIGIBLE].assign(size=largest)
    shown = shown.sort_values("size", ascending=False).groupby("kind").head(SHOWN)
    return shown.sort_values(["kind", "size"], ascending=[True, True]).reset_index(drop=True)


def _draw_panel(axes: Axes, shown: pd.DataFrame, column: str) -> None:
    """Draw one bar for each step or state."""
    colours = [style.BLUE if kind == "step" else style.tint(style.BLUE, 0.6) for kind in shown.kind]
    axes.barh(range(len(shown)), shown[column].fillna(0), 0.7, color=colours)
    for row in shown.index[shown[column].isna()]:
        axes.text(0, row, " not defined", va="center", fontsize=style.SMALL_PT, style="italic", color=style.GREY)
    axes.axvline(0, color=style.INK, lw=0.6)
    axes.set(ylim=(-0.6, max(1, len(shown)) - 0.4), xlabel="degree of control (dimensionless)")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -LEAST_SPAN), max(high, LEAST_SPAN))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
