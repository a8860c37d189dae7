"""One path over a saddle: its three structures, their energies, and the bonds that change."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdsurf.connectivity import differing_bonds
from qdsurf.report import style
from qdsurf.report.viewer import draw_atoms

# sizes in inch
_VIEW, _GAP, _LEFT, _RIGHT, _BOTTOM, _ENERGY, _LENGTHS, _TOP = 2.0, 0.12, 0.6, 0.12, 0.15, 1.3, 0.6, 0.45
_AROUND_A = 4.0  # what is shown beyond the atoms whose bonds change
_BAR = 0.5  # width of a state's bar, where states are 1 apart
_MOST_BONDS = 4  # named; with more it is no elementary step


@style.styled
def plot_saddle(path: Sequence[Atoms], result: dict, title: str) -> Figure:
    """Draw initial state, saddle and final state above their energies, as the calculator has them.

    The surface is seen from the side, turned so that the bonds that change lie in the page; their lengths stand below.

    Parameters
    ----------
    path : what `compute.saddle.find_saddle` found, in order; energies in eV, positions in A.
    result : its result.
    title : what is drawn.

    Returns
    -------
    The figure; without a verified saddle it says why.
    """
    if result["status"] != "verified":
        return style.nothing(title, style.wrap(f"{style.words(result['status'])}: {result['reason']}", 3.8, 7.0))
    bonds = sorted(differing_bonds(path[0], path[-1]))[:_MOST_BONDS]
    frames, depth = _turned([atoms.copy() for atoms in path], bonds)
    across = 1 - depth
    corners = np.concatenate([atoms.positions[sorted({i for bond in bonds for i in bond})] for atoms in frames])
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    half = np.ptp(corners, axis=0)[[across, 2]].max() / 2 + _AROUND_A

    width = _LEFT + len(path) * _VIEW + (len(path) - 1) * _GAP + _RIGHT
    figure = style.canvas(width, _BOTTOM + _ENERGY + _LENGTHS + _VIEW + _TOP)
    lowest = _BOTTOM + _ENERGY + _LENGTHS
    for number, atoms in enumerate(frames):
        axes = style.axes_at(figure, _LEFT + number * (_VIEW + _GAP), lowest, _VIEW, _VIEW)
        _draw_state(axes, atoms, bonds, across, middle, half)
    _draw_energies(style.axes_at(figure, _LEFT, _BOTTOM, width - _LEFT - _RIGHT, _ENERGY), path, result)
    figure.text(_LEFT / width, 1 - 0.08 / figure.get_figheight(), title, va="top", weight="bold")
    return figure


def _turned(frames: list[Atoms], bonds: Sequence[tuple[int, int]]) -> tuple[list[Atoms], int]:
    """Frames with the reacting atoms in the middle of the cell, and the axis to look along: 0 or 1."""
    reacting = sorted({i for bond in bonds for i in bond})
    first = frames[0]
    centre = first.positions[reacting[0]] + first.get_distances(reacting[0], reacting, mic=True, vector=True).mean(0)
    shift = first.cell.array.sum(axis=0) / 2 * first.pbc - centre * first.pbc
    for atoms in frames:
        atoms.set_constraint()
        atoms.positions += shift
        atoms.wrap(eps=1e-3)
    vectors = np.array([atoms.get_distance(i, j, mic=True, vector=True) for atoms in frames for i, j in bonds])
    depth = int(np.argmin((vectors[:, :2] ** 2).sum(axis=0)))
    order = np.arange(len(first))
    return [atoms[order] for atoms in frames], depth


def _draw_state(
    axes: Axes, atoms: Atoms, bonds: Sequence[tuple[int, int]], across: int, middle: np.ndarray, half: float
) -> None:
    """Draw one structure in the window around the reacting atoms, and the lengths of the bonds that change."""
    near = np.argsort(atoms.positions[:, 1 - across] * (-1 if across == 0 else 1), kind="stable")
    draw_atoms(axes, atoms[near], across, 2)
    axes.set(xlim=(middle[across] - half, middle[across] + half), ylim=(middle[2] - half, middle[2] + half))
    axes.set(aspect="equal", xticks=[], yticks=[])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    for i, j in bonds:
        ends = atoms.positions[[i, j]]
        axes.plot(*ends[:, [across, 2]].T, color=style.INK, lw=0.9, ls=(0, (2, 1.5)), zorder=9)
    lengths = [f"{atoms.symbols[i]}–{atoms.symbols[j]} {atoms.get_distance(i, j, mic=True):.2f} Å" for i, j in bonds]
    rows = [",  ".join(lengths[start : start + 2]) for start in range(0, len(lengths), 2)]
    axes.text(0.5, -0.03, "\n".join(rows), transform=axes.transAxes, ha="center", va="top", fontsize=6.5)


def _draw_energies(axes: Axes, path: Sequence[Atoms], result: dict) -> None:
    """Draw bars at the energies of the states, joined, with their numbers."""
    energies = np.array([atoms.get_potential_energy() for atoms in path]) - path[0].get_potential_energy()
    for number, (atoms, energy) in enumerate(zip(path, energies, strict=True)):
        name = f"{atoms.info['state']} {'state' if atoms.info['state'] != 'saddle' else ''}".strip()
        axes.plot([number - _BAR / 2, number + _BAR / 2], [energy, energy], color=style.BLUE, lw=2)
        if number:
            ends = [number - 1 + _BAR / 2, number - _BAR / 2], energies[number - 1 : number + 1]
            axes.plot(*ends, color=style.BLUE, lw=0.7)
        mode = f", {-result['imaginary_modes_cm'][0]:.0f}i cm$^{{-1}}$" if atoms.info["state"] == "saddle" else ""
        axes.annotate(
            f"{style.number(energy)} eV\n{name}{mode}", (number, energy), (0, 3), textcoords="offset points",
            ha="center", va="bottom", fontsize=style.SMALL_PT,
        )  # fmt: skip
    room = 0.45 * max(np.ptp(energies), 0.1)
    axes.set(xlim=(-0.5, len(path) - 0.5), ylim=(energies.min() - 0.1 * room, energies.max() + room), xticks=[])
    axes.set_ylabel("energy (eV), not corrected")
    axes.spines["bottom"].set_visible(False)
