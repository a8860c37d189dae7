"""Path of one step over its saddle points: structures, lengths of the changing bonds, and energies."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import differing_bonds
from qdsurf.report.figures import style
from qdsurf.report.figures.structure import back_to_front, draw_atoms
from qdsurf.report.system_names import system_label
from qdsurf.saddles.result import SaddleResult
from qdsurf.saddles.search import energetic_span

# Sizes in inch.
_VIEW, _GAP, _LEFT, _RIGHT, _BOTTOM, _ENERGY, _LENGTHS, _TOP = 2.0, 0.12, 0.75, 0.12, 0.12, 1.3, 0.55, 0.4
_REASON_IN = 3.8
_MARGIN_A = 3.0  # distance beyond the reacting atoms that each view shows
_BAR = 0.5  # width of the bar of a state; neighbouring states are 1 apart
_MOST_BONDS = 4  # largest number of bonds whose lengths are written


@style.styled
def plot_saddle(path: Sequence[Atoms], result: SaddleResult, system: str, step: str) -> Figure:
    """Draw the states of a step and their energies, without correction of the calculator.

    The surface is seen from the side, along the axis that shows the changing bonds best. Their lengths are below each
    structure.

    Parameters
    ----------
    path : sequence of ase.Atoms
        Minima and saddle points in order, from `qdsurf.saddles.search.find_saddle`. Energies in eV, positions in Å.
    result : SaddleResult
        Result of the same search. Its structures are not used, because `path` contains them.
    system : str
        Name of the system, for the title.
    step : str
        Name of the step, for the title.

    Returns
    -------
    matplotlib.figure.Figure
        The figure. Without a verified saddle point it is a figure with the reason.
    """
    title = f"{system_label(system)}: {style.with_spaces(step)}"
    if result.status != "verified":
        reason = f"No verified saddle ({style.with_spaces(result.status)}): {result.reason}"
        return style.message_figure(title, style.wrap(reason, _REASON_IN, style.TEXT_PT))
    bonds = sorted(differing_bonds(path[0], path[-1]))[:_MOST_BONDS]
    reacting = sorted({index for bond in bonds for index in bond}) or [_farthest_moving_atom(path)]
    frames = _centred(path, reacting)
    depth = _viewing_axis(frames, bonds)
    corners = np.concatenate([atoms.positions[reacting] for atoms in frames])
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    half = np.ptp(corners, axis=0)[[1 - depth, 2]].max() / 2 + _MARGIN_A

    width = _LEFT + len(path) * _VIEW + (len(path) - 1) * _GAP + _RIGHT
    figure = style.canvas(width, _BOTTOM + _ENERGY + _LENGTHS + _VIEW + _TOP)
    for number, atoms in enumerate(frames):
        axes = style.axes_at(figure, _LEFT + number * (_VIEW + _GAP), _BOTTOM + _ENERGY + _LENGTHS, _VIEW, _VIEW)
        axes.set(xlim=middle[1 - depth] + np.array([-half, half]), ylim=middle[2] + np.array([-half, half]))
        _draw_state(axes, atoms, bonds, depth)
    energy_axes = style.axes_at(figure, _LEFT, _BOTTOM, width - _LEFT - _RIGHT, _ENERGY)
    _draw_energies(energy_axes, path, result.imaginary_modes_cm)
    figure.text(0.1 / width, 1 - 0.08 / figure.get_figheight(), title, va="top", weight="bold")
    return figure


def _farthest_moving_atom(path: Sequence[Atoms]) -> int:
    """Index of the atom with the largest displacement between the first and the last structure."""
    return int(np.argmax(np.linalg.norm(path[-1].positions - path[0].positions, axis=1)))


def _centred(path: Sequence[Atoms], reacting: Sequence[int]) -> list[Atoms]:
    """Copy the structures with the reacting atoms in the middle of the cell, along its periodic directions."""
    first, frames = path[0], []
    offsets = first.get_distances(reacting[0], reacting, mic=True, vector=True)
    centre = first.positions[reacting[0]] + offsets.mean(0)
    for atoms in path:
        moved = atoms.copy()
        moved.set_constraint()
        moved.positions += first.pbc @ first.cell.array / 2 - first.pbc * centre
        moved.wrap(eps=1e-3)
        frames.append(moved)
    return frames


def _viewing_axis(frames: Sequence[Atoms], bonds: Sequence[tuple[int, int]]) -> int:
    """Horizontal axis (0 or 1) along which the bonds extend least; 1 without bonds."""
    vectors = [atoms.get_distance(i, j, mic=True, vector=True) for atoms in frames for i, j in bonds]
    return int(np.argmin(np.square(vectors)[:, :2].sum(axis=0))) if vectors else 1


def _draw_state(axes: Axes, atoms: Atoms, bonds: Sequence[tuple[int, int]], depth: int) -> None:
    """Draw one structure with the changing bonds as dashed lines and their lengths below it."""
    across = 1 - depth
    shown = atoms
    if atoms.pbc[across]:
        # The neighbouring cells on both sides fill the view.
        shown = atoms.repeat([3 if axis == across else 1 for axis in range(3)])
        shown.positions -= atoms.cell[across]
    draw_atoms(axes, shown[back_to_front(shown, depth)], across, 2)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
    for i, j in bonds:
        axes.plot(*atoms.positions[[i, j]][:, [across, 2]].T, color=style.INK, lw=0.9, ls=(0, (2, 1.5)), zorder=9)
    lengths = [f"{atoms.symbols[i]}–{atoms.symbols[j]} {atoms.get_distance(i, j, mic=True):.2f} Å" for i, j in bonds]
    rows = [",  ".join(lengths[start : start + 2]) for start in range(0, len(lengths), 2)]
    axes.text(0.5, -0.03, "\n".join(rows), transform=axes.transAxes, ha="center", va="top", fontsize=6.5)


def _draw_energies(axes: Axes, path: Sequence[Atoms], imaginary_modes_cm: Sequence[float]) -> None:
    """Draw the energies of the states as connected bars, with the imaginary mode at the highest saddle point."""
    energies = np.array([atoms.get_potential_energy() for atoms in path]) - path[0].get_potential_energy()
    highest = energetic_span(energies)[1]
    for number, (atoms, energy) in enumerate(zip(path, energies, strict=True)):
        axes.plot([number - _BAR / 2, number + _BAR / 2], [energy, energy], color=style.BLUE, lw=2)
        if number:
            ends = [number - 1 + _BAR / 2, number - _BAR / 2]
            axes.plot(ends, energies[number - 1 : number + 1], color=style.BLUE, lw=0.7)
        label = f"{style.format_number(energy)} eV\n{annotation.noted(atoms, 'state')}"
        if number == highest and len(imaginary_modes_cm):
            label += f", {-imaginary_modes_cm[0]:.0f}i cm$^{{-1}}$"
        axes.annotate(
            label,
            (number, energy),
            (0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=style.SMALL_PT,
        )
    headroom = 0.45 * max(np.ptp(energies), 0.1)
    axes.set(xlim=(-0.5, len(path) - 0.5), ylim=(energies.min() - 0.1 * headroom, energies.max() + headroom), xticks=[])
    axes.set_ylabel("energy (eV),\nnot corrected")
    axes.spines["bottom"].set_visible(False)
