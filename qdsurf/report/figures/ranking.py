"""Precursors by what they do well and by what they do harm: reactions with the surface against loss of ligands."""

import pandas as pd
from matplotlib.figure import Figure

from qdsurf.report.figures import style
from qdsurf.report.system_names import label_of, parse_system, require_columns

FLOOR = 1e-12  # a share below it is drawn there: who loses nothing would fall off a logarithmic axis
# sizes in inch
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 3.2, 2.8, 0.85, 1.75, 0.55, 0.4


@style.styled
def plot_ranking(selectivity: pd.DataFrame) -> Figure:
    """Draw every system by its uptake (to the right is better) and its damage (lower is better).

    Damage is the larger of the losses of ligands and of cations for each ligand. Beside the axes are listed systems
    without numbers, and systems without uptake, which have no place on a logarithmic axis.

    Parameters
    ----------
    selectivity : table of the room `kinetics`.

    Raises
    ------
    InputError : a column is missing.
    """
    require_columns(selectivity, ["system", "uptake_per_nm2", "ligand_loss", "cation_loss"], "selectivity")
    damage = selectivity[["ligand_loss", "cation_loss"]].max(axis=1)
    table = selectivity.assign(
        damage=damage.clip(lower=FLOOR), precursor=[s.split("~")[-1] for s in selectivity.system]
    )
    numeric = table.dropna(subset=["damage", "uptake_per_nm2"])
    known = numeric[numeric.uptake_per_nm2 > 0]
    figure = style.canvas(_LEFT + _WIDTH + _RIGHT, _BOTTOM + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, _BOTTOM, _WIDTH, _HEIGHT)
    surfaces = list(dict.fromkeys(system.split("~")[0] for system in table.system))
    for number, precursor in enumerate(dict.fromkeys(table.precursor)):
        rows = known[known.precursor == precursor]
        for row in rows.itertuples():
            marker = "osD^v<>pP*X"[surfaces.index(row.system.split("~")[0]) % 11]
            size = max(4.0, 9.0 - 2.5 * number)  # what coincides shows as rings
            axes.plot(row.uptake_per_nm2, row.damage, marker, color=style.SERIES[number % len(style.SERIES)], ms=size)
    axes.set(xscale="log", yscale="log", xlabel="uptake over the recipe (nm$^{-2}$)")
    axes.set_ylabel("ligands or cations lost\nfor each ligand (fraction)")
    unknown = table.system[~table.index.isin(numeric.index)]
    without_uptake = numeric.system[numeric.uptake_per_nm2 <= 0]
    _key(axes, table, surfaces, {"no number": unknown, "no uptake": without_uptake})
    return figure


def _key(axes, table: pd.DataFrame, surfaces: list[str], absent: dict[str, pd.Series]) -> None:
    lines = [
        (precursor, style.SERIES[i % len(style.SERIES)], "o")
        for i, precursor in enumerate(dict.fromkeys(table.precursor))
    ]
    lines += [(_surface(table, name), style.GREY, "osD^v<>pP*X"[i % 11]) for i, name in enumerate(surfaces)]
    place = 0.98
    for label, colour, marker in lines:
        axes.plot(1.05, place, marker, color=colour, ms=5, transform=axes.transAxes, clip_on=False)
        axes.text(1.1, place, label, va="center", transform=axes.transAxes, fontsize=style.SMALL_PT)
        place -= 0.07
    lists = ["\n".join((f"{reason}:", *map(label_of, systems))) for reason, systems in absent.items() if len(systems)]
    if lists:
        text = "\n\n".join(lists)
        axes.text(1.03, place, text, va="top", transform=axes.transAxes, fontsize=style.SMALL_PT, color=style.GREY)


def _surface(table: pd.DataFrame, name: str) -> str:
    system = next(system for system in table.system if system.startswith(f"{name}~"))
    return parse_system(system).surface
