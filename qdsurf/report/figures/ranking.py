"""Ranking of precursors: uptake against the loss of ligands and cations."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdsurf.report.figures import style
from qdsurf.report.system_names import parse_system, system_label
from qdsurf.report.tables import require_columns

FLOOR = 1e-12  # smaller losses are drawn here, because a logarithmic axis has no zero
MARKERS = "osD^v<>pP*X"
# Sizes in inch.
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 3.2, 2.8, 0.85, 1.75, 0.55, 0.4


@style.styled
def plot_ranking(selectivity: pd.DataFrame) -> Figure:
    """Draw the uptake and the damage of every system. Precursors are colours and surfaces are markers.

    The uptake increases to the right. The damage increases upwards; it is the larger one of the losses of ligands and
    of cations, per ligand. Systems without numbers are listed beside the axes. So are systems without uptake, because a
    logarithmic axis cannot show them.

    Parameters
    ----------
    selectivity : pandas.DataFrame
        Table `results/kinetics/selectivity.csv`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    InputError
        A column is missing.
    """
    require_columns(selectivity, ["system", "uptake_per_nm2", "ligand_loss", "cation_loss"], "selectivity")
    damage = selectivity[["ligand_loss", "cation_loss"]].max(axis=1)
    table = selectivity.assign(
        damage=damage.clip(lower=FLOOR), precursor=[system.split("~")[-1] for system in selectivity.system]
    )
    with_numbers = table.dropna(subset=["damage", "uptake_per_nm2"])
    with_uptake = with_numbers[with_numbers.uptake_per_nm2 > 0]
    figure = style.canvas(_LEFT + _WIDTH + _RIGHT, _BOTTOM + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    surfaces = list(dict.fromkeys(system.split("~")[0] for system in table.system))
    for number, precursor in enumerate(dict.fromkeys(table.precursor)):
        size = max(4.0, 9.0 - 2.5 * number)  # Coinciding markers differ in size, so all of them remain visible.
        for row in with_uptake[with_uptake.precursor == precursor].itertuples():
            marker = _marker(surfaces.index(row.system.split("~")[0]))
            axes.plot(row.uptake_per_nm2, row.damage, marker, color=_colour(number), ms=size)
    axes.set(xscale="log", yscale="log", xlabel="uptake over the recipe (nm$^{-2}$)")
    axes.set_ylabel("ligands or cations lost\nfor each ligand (fraction)")
    without_numbers = table.system[~table.index.isin(with_numbers.index)]
    without_uptake = with_numbers.system[with_numbers.uptake_per_nm2 <= 0]
    _draw_key(axes, table, surfaces, {"no number": without_numbers, "no uptake": without_uptake})
    return figure


def _colour(precursor_number: int) -> str:
    return style.SERIES[precursor_number % len(style.SERIES)]


def _marker(surface_number: int) -> str:
    return MARKERS[surface_number % len(MARKERS)]


def _draw_key(axes: Axes, table: pd.DataFrame, surfaces: list[str], not_drawn: dict[str, pd.Series]) -> None:
    """Write precursors, surfaces, and the systems that are not drawn with their reason, to the right of the axes."""
    entries = [(name, _colour(number), "o") for number, name in enumerate(dict.fromkeys(table.precursor))]
    entries += [(_surface_label(table, name), style.GREY, _marker(number)) for number, name in enumerate(surfaces)]
    height = 0.98
    for label, colour, marker in entries:
        axes.plot(1.05, height, marker, color=colour, ms=5, transform=axes.transAxes, clip_on=False)
        axes.text(1.1, height, label, va="center", transform=axes.transAxes, fontsize=style.SMALL_PT)
        height -= 0.07
    lists = [
        "\n".join((f"{reason}:", *map(system_label, systems))) for reason, systems in not_drawn.items() if len(systems)
    ]
    if lists:
        text = "\n\n".join(lists)
        axes.text(1.03, height, text, va="top", transform=axes.transAxes, fontsize=style.SMALL_PT, color=style.GREY)


def _surface_label(table: pd.DataFrame, surface: str) -> str:
    """Label of a surface, from the first system that has this surface."""
    system = next(system for system in table.system if system.startswith(f"{surface}~"))
    return parse_system(system).surface
