"""Saturation curve of one pulse: uptake and sticking coefficient against the dose."""

import pandas as pd
from matplotlib.figure import Figure

from qdsurf.report.figures import style
from qdsurf.report.system_names import system_label
from qdsurf.report.tables import require_columns
from qdsurf.units import LANGMUIR_PA_S

# Sizes in inch.
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 3.4, 2.1, 0.7, 0.7, 0.5, 0.85
VISIBLE = 1e-4  # the dose axis begins where the uptake reaches this fraction of its final value


@style.styled
def plot_saturation(curve: pd.DataFrame, dose: pd.DataFrame, system: str) -> Figure:
    """Draw uptake and sticking coefficient against the dose, in Pa s and in Langmuir.

    Parameters
    ----------
    curve : pandas.DataFrame
        Table of `qdsurf.microkinetics.analysis.dose.saturation_curve`. The sticking coefficient is the fraction of
        the arrived molecules that remained.
    dose : pandas.DataFrame
        One row. A solid line marks `dose_95_Pa_s`, the dose at 95 % of saturation. A dashed line marks `pulse_Pa_s`,
        the dose of the recipe.
    system : str
        Name of the system, for the title.

    Returns
    -------
    matplotlib.figure.Figure
        The figure. Without uptake it is a figure with a message.

    Raises
    ------
    InputError
        A column is missing.
    """
    if curve.empty or not curve["uptake_per_nm2"].iloc[-1] > 0:
        reason = "no saturation curve: there is no uptake, or no step could be computed"
        return style.message_figure(system_label(system), reason)
    require_columns(curve, ["dose_Pa_s", "uptake_per_nm2", "sticking"], "saturation")
    require_columns(dose, ["dose_95_Pa_s", "pulse_Pa_s"], "dose")
    figure = style.canvas(_LEFT + _WIDTH + _RIGHT, _BOTTOM + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    last = curve.uptake_per_nm2.iloc[-1]
    shown = curve[(curve.uptake_per_nm2 > VISIBLE * last) & (curve.dose_Pa_s > 0)]
    axes.plot(shown.dose_Pa_s, shown.uptake_per_nm2, color=style.BLUE, lw=1.6)
    marks = {"95 %": (dose["dose_95_Pa_s"].iloc[0], "solid"), "recipe": (dose["pulse_Pa_s"].iloc[0], "dashed")}
    for label, (dose_Pa_s, dashes) in marks.items():
        if dose_Pa_s > 0:
            axes.axvline(dose_Pa_s, color=style.INK, ls=dashes, lw=0.8)
            axes.text(dose_Pa_s, 0.03, f" {label}", transform=axes.get_xaxis_transform(), fontsize=style.SMALL_PT)
    axes.set(xscale="log", xlabel="dose (Pa s)", ylabel="uptake (nm$^{-2}$)", ylim=(0, None))
    axes.yaxis.label.set_color(style.BLUE)
    above = axes.secondary_xaxis("top", functions=(lambda x: x / LANGMUIR_PA_S, lambda x: x * LANGMUIR_PA_S))
    above.set_xlabel("dose (Langmuir)", labelpad=3)
    right = axes.twinx()
    right.plot(shown.dose_Pa_s, shown.sticking, color=style.VERMILLION, lw=1.2, ls="dotted")
    right.set(yscale="log", ylabel="sticking so far (dimensionless)")
    right.yaxis.label.set_color(style.VERMILLION)
    right.spines["right"].set_visible(True)
    figure.text(0.03, 1 - 0.1 / figure.get_size_inches()[1], system_label(system), va="top", fontsize=style.TEXT_PT)
    return figure
