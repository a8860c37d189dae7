"""A way over saddles: its structures, their energies, and the bonds that change."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import differing_bonds
from qdsurf.report.figures import style
from qdsurf.report.pages.viewer import draw_atoms
from qdsurf.report.system_names import label_of
from qdsurf.saddles.search import energetic_span

# sizes in inch
_VIEW, _GAP, _LEFT, _RIGHT, _BOTTOM, _ENERGY, _LENGTHS, _TOP = 2.0, 0.12, 0.75, 0.12, 0.12, 1.3, 0.55, 0.4
_AROUND_A = 3.0  # what is shown beyond the atoms whose bonds change
_BAR = 0.5  # width of a state's bar, where states are 1 apart
_MOST_BONDS = 4  # named
_REASON_IN = 3.8


@style.styled
def plot_saddle(path: Sequence[Atoms], result: dict, system: str, step: str) -> Figure:
    """Draw the states of a step above their energies, as the calculator has them.

    The surface is seen from the side, turned so that the bonds that change lie in the page; their lengths stand below.

    Parameters
    ----------
    path : what `compute.saddle.find_saddle` found, in order; energies in eV, positions in A.
    result : its result.
    system, step : what is drawn.

    Returns
    -------
    The figure; without a verified saddle it says why.
    """
    title = f"{label_of(system)}: {style.words(step)}"
    if result["status"] != "verified":
        words = f"No verified saddle ({style.words(result['status'])}): {result['reason']}"
        return style.nothing(title, style.wrap(words, _REASON_IN, style.TEXT_PT))
    bonds = sorted(differing_bonds(path[0], path[-1]))[:_MOST_BONDS]
    reacting = sorted({i for bond in bonds for i in bond}) or [_farthest(path)]
    frames = _centred(path, reacting)
    depth = _line_of_sight(frames, bonds)
    corners = np.concatenate([atoms.positions[reacting] for atoms in frames])
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    half = np.ptp(corners, axis=0)[[1 - depth, 2]].max() / 2 + _AROUND_A

    width = _LEFT + len(path) * _VIEW + (len(path) - 1) * _GAP + _RIGHT
    figure = style.canvas(width, _BOTTOM + _ENERGY + _LENGTHS + _VIEW + _TOP)
    for number, atoms in enumerate(frames):
        axes = style.axes_at(figure, _LEFT + number * (_VIEW + _GAP), _BOTTOM + _ENERGY + _LENGTHS, _VIEW, _VIEW)
        axes.set(xlim=middle[1 - depth] + np.array([-half, half]), ylim=middle[2] + np.array([-half, half]))
        _draw_state(axes, atoms, bonds, depth)
    _draw_energies(style.axes_at(figure, _LEFT, _BOTTOM, width - _LEFT - _RIGHT, _ENERGY), path, result)
    figure.text(0.1 / width, 1 - 0.08 / figure.get_figheight(), title, va="top", weight="bold")
    return figure


def _farthest(path: Sequence[Atoms]) -> int:
    """The atom that moves most."""
    return int(np.argmax(np.linalg.norm(path[-1].positions - path[0].positions, axis=1)))


def _centred(path: Sequence[Atoms], reacting: Sequence[int]) -> list[Atoms]:
    """Copies with the reacting atoms in the middle of the cell, along its periodic directions."""
    first, frames = path[0], []
    centre = first.positions[reacting[0]] + first.get_distances(reacting[0], reacting, mic=True, vector=True).mean(0)
    for atoms in path:
        moved = atoms.copy()
        moved.set_constraint()
        moved.positions += first.pbc @ first.cell.array / 2 - first.pbc * centre
        moved.wrap(eps=1e-3)
        frames.append(moved)
    return frames


def _line_of_sight(frames: Sequence[Atoms], bonds: Sequence[tuple[int, int]]) -> int:
    """Axis, 0 or 1, along which the bonds reach least far."""
    vectors = [atoms.get_distance(i, j, mic=True, vector=True) for atoms in frames for i, j in bonds]
    return int(np.argmin(np.square(vectors)[:, :2].sum(axis=0))) if vectors else 1


def _draw_state(axes: Axes, atoms: Atoms, bonds: Sequence[tuple[int, int]], depth: int) -> None:
    """Draw one structure with the bonds that change, dashed, and their lengths below."""
    wide = atoms
    if atoms.pbc[1 - depth]:  # the neighbouring cells to both sides fill the window
        wide = atoms.repeat([3 if axis == 1 - depth else 1 for axis in range(3)])
        wide.positions -= atoms.cell[1 - depth]
    order = np.argsort(wide.positions[:, depth] * (-1 if depth == 1 else 1), kind="stable")
    draw_atoms(axes, wide[order], 1 - depth, 2)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
    for i, j in bonds:
        axes.plot(*atoms.positions[[i, j]][:, [1 - depth, 2]].T, color=style.INK, lw=0.9, ls=(0, (2, 1.5)), zorder=9)
    lengths = [f"{atoms.symbols[i]}–{atoms.symbols[j]} {atoms.get_distance(i, j, mic=True):.2f} Å" for i, j in bonds]
    rows = [",  ".join(lengths[start : start + 2]) for start in range(0, len(lengths), 2)]
    axes.text(0.5, -0.03, "\n".join(rows), transform=axes.transAxes, ha="center", va="top", fontsize=6.5)


def _draw_energies(axes: Axes, path: Sequence[Atoms], result: dict) -> None:
    """Draw bars at the energies of the states, joined, with their numbers."""
    energies = np.array([atoms.get_potential_energy() for atoms in path]) - path[0].get_potential_energy()
    for number, (atoms, energy) in enumerate(zip(path, energies, strict=True)):
        axes.plot([number - _BAR / 2, number + _BAR / 2], [energy, energy], color=style.BLUE, lw=2)
        if number:
            ends = [number - 1 + _BAR / 2, number - _BAR / 2], energies[number - 1 : number + 1]
            axes.plot(*ends, color=style.BLUE, lw=0.7)
        modes = result["imaginary_modes_cm"] if number == energetic_span(energies)[1] else ()
        mode = "".join(f", {-mode:.0f}i cm$^{{-1}}$" for mode in modes[:1])
        words = f"{style.number(energy)} eV\n{annotation.noted(atoms, 'state')}{mode}"
        place = {"ha": "center", "va": "bottom", "textcoords": "offset points", "fontsize": style.SMALL_PT}
        axes.annotate(words, (number, energy), (0, 3), **place)
    room = 0.45 * max(np.ptp(energies), 0.1)
    axes.set(xlim=(-0.5, len(path) - 0.5), ylim=(energies.min() - 0.1 * room, energies.max() + room), xticks=[])
    axes.set_ylabel("energy (eV),\nnot corrected")
    axes.spines["bottom"].set_visible(False)
