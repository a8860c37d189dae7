"""What the answer hangs on: degrees of control as bars."""

import pandas as pd
from matplotlib.figure import Figure

from qdsurf.report.figures import style
from qdsurf.report.system_names import label_of, require_columns

SHOWN = 8  # bars of each kind, the largest ones
NEGLIGIBLE = 1e-3
LEAST_SPAN = 0.1  # what controls nothing must not fill the axis
PANELS = {"uptake_control": "control of the uptake", "selectivity_control": "control of the selectivity"}
# sizes in inch
_ROW, _LEFT, _PANEL, _GAP, _RIGHT, _TOP, _BOTTOM = 0.2, 2.4, 2.0, 0.3, 0.2, 0.55, 0.5


@style.styled
def plot_control(control: pd.DataFrame, system: str) -> Figure:
    """Draw the largest degrees of control of steps (dark) and of states (pale), for uptake and for selectivity.

    Parameters
    ----------
    control : table of `kinetics.control.rate_control`.

    Raises
    ------
    InputError : a column is missing.
    """
    if control.empty:
        return style.nothing(label_of(system), "no degrees of control: no step has a number")
    require_columns(control, ["system", "kind", "name", *PANELS], "control")
    size = control[list(PANELS)].abs().max(axis=1)
    kept = control[size > NEGLIGIBLE].assign(size=size).sort_values("size", ascending=False).groupby("kind").head(SHOWN)
    kept = kept.sort_values(["kind", "size"], ascending=[True, True]).reset_index(drop=True)
    height = max(1, len(kept)) * _ROW
    figure = style.canvas(_LEFT + 2 * _PANEL + _GAP + _RIGHT, _BOTTOM + height + _TOP)
    for number, (column, title) in enumerate(PANELS.items()):
        axes = style.axes_at(figure, _LEFT + number * (_PANEL + _GAP), _BOTTOM, _PANEL, height)
        colours = [style.BLUE if kind == "step" else style.tint(style.BLUE, 0.6) for kind in kept.kind]
        axes.barh(range(len(kept)), kept[column].fillna(0), 0.7, color=colours)
        for place in kept.index[kept[column].isna()]:
            axes.text(0, place, " not defined", va="center", fontsize=style.SMALL_PT, style="italic", color=style.GREY)
        axes.axvline(0, color=style.INK, lw=0.6)
        axes.set(ylim=(-0.6, max(1, len(kept)) - 0.4), xlabel="degree of control (dimensionless)")
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -LEAST_SPAN), max(high, LEAST_SPAN))
        axes.set_title(title, fontsize=style.SMALL_PT, pad=3)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    first = figure.axes[0]
    first.set_yticks(
        range(len(kept)), [f"{style.words(n)} ({k})" for n, k in zip(kept["name"], kept["kind"], strict=True)]
    )
    first.tick_params(axis="y", length=0)
    figure.text(0.02, 1 - 0.12 / figure.get_size_inches()[1], label_of(system), va="top", fontsize=style.TEXT_PT)
    return figure
