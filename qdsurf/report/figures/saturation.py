"""How much a pulse deposits against its dose."""

import pandas as pd
from matplotlib.figure import Figure

from qdsurf.report.figures import style
from qdsurf.report.system_names import label_of, require_columns
from qdsurf.units import LANGMUIR_PA_S

# sizes in inch
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 3.4, 2.1, 0.7, 0.7, 0.5, 0.85
VISIBLE = 1e-4  # of the final uptake: where the dose axis starts


@style.styled
def plot_saturation(curve: pd.DataFrame, dose: pd.DataFrame, system: str) -> Figure:
    """Draw uptake against dose, in Pa s below and in Langmuir above, with the sticking so far.

    Parameters
    ----------
    curve : table of `kinetics.dose.saturation_curve`.
    dose : one row with dose_95_Pa_s, marked by a line, and pulse_Pa_s, the recipe's, marked by a dashed one.

    Raises
    ------
    InputError : a column is missing.
    """
    if curve.empty or not curve["uptake_per_nm2"].iloc[-1] > 0:
        return style.nothing(label_of(system), "no saturation curve: nothing is taken up, or no step has a number")
    require_columns(curve, ["dose_Pa_s", "uptake_per_nm2", "sticking"], "saturation")
    require_columns(dose, ["dose_95_Pa_s", "pulse_Pa_s"], "dose")
    figure = style.canvas(_LEFT + _WIDTH + _RIGHT, _BOTTOM + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    last = curve.uptake_per_nm2.iloc[-1]
    shown = curve[(curve.uptake_per_nm2 > VISIBLE * last) & (curve.dose_Pa_s > 0)]
    axes.plot(shown.dose_Pa_s, shown.uptake_per_nm2, color=style.BLUE, lw=1.6)
    marks = {"95 %": (dose["dose_95_Pa_s"].iloc[0], "solid"), "recipe": (dose["pulse_Pa_s"].iloc[0], "dashed")}
    for label, (place, dashes) in marks.items():
        if place > 0:
            axes.axvline(place, color=style.INK, ls=dashes, lw=0.8)
            axes.text(place, 0.03, f" {label}", transform=axes.get_xaxis_transform(), fontsize=style.SMALL_PT)
    axes.set(xscale="log", xlabel="dose (Pa s)", ylabel="uptake (nm$^{-2}$)", ylim=(0, None))
    axes.yaxis.label.set_color(style.BLUE)
    above = axes.secondary_xaxis("top", functions=(lambda x: x / LANGMUIR_PA_S, lambda x: x * LANGMUIR_PA_S))
    above.set_xlabel("dose (Langmuir)", labelpad=3)
    right = axes.twinx()
    right.plot(shown.dose_Pa_s, shown.sticking, color=style.VERMILLION, lw=1.2, ls="dotted")
    right.set(yscale="log", ylabel="sticking so far (dimensionless)")
    right.yaxis.label.set_color(style.VERMILLION)
    right.spines["right"].set_visible(True)
    figure.text(0.03, 1 - 0.1 / figure.get_size_inches()[1], label_of(system), va="top", fontsize=style.TEXT_PT)
    return figure
