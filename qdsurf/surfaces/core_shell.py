"""A shell of another crystal on top of a core, grown on through the plane of anions that both share."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.errors import BuildError
from qdsurf.records.models import Material
from qdsurf.surfaces.crystal import Bonds, Period, crystal_period, ion_charge

WIDEST_STRAIN = 0.2  # beyond this no shell grows in register
SHAPE = 0.03  # the two surface cells must be alike to this, apart from their size
POISSON = 1 / 3  # assumed: ratio of a cubic semiconductor, 0.3 to 0.4


def stack_layers(period: Period, material: Material, start: int, count: int) -> Atoms:
    """Pile atomic layers of a crystal, period upon period.

    Returns
    -------
    Slab with columns `stacked` (number of the layer from below), `ion` (number in the period), `formal_charge` (e).
    """
    slab = Atoms(cell=period.atoms.cell, pbc=(True, True, False))
    for name, kind in (("stacked", int), ("ion", int), ("formal_charge", float)):
        slab.set_array(name, np.zeros(0, dtype=kind))
    for k in range(count):
        turn, number = divmod(start + k, len(period.layers))
        layer = period.layers[number]
        piece = period.atoms[layer]
        piece.positions += turn * np.array([*period.shift, period.atoms.cell[2, 2]])
        piece.set_array("stacked", np.full(len(layer), k))
        annotation.set_column(piece, "ion", layer)
        charges = np.array([ion_charge(material, s) for s in piece.symbols], dtype=float)
        annotation.set_column(piece, "formal_charge", charges)
        slab += piece
    return slab


def add_shells(
    slab: Atoms, period: Period, miller_index: Sequence[int], shells: Sequence[tuple[Material, int]]
) -> tuple[Atoms, Bonds]:
    """Grow shells on a stack of layers.

    The new crystal is strained in the plane to the old one, thins or thickens along the normal by Poisson's ratio, and
    goes on above the old one's highest anions as it does above its own.

    Parameters
    ----------
    slab : from `stack_layers`, of `period`.
    shells : material and number of atomic layers, inside out.

    Returns
    -------
    slab : `info["shells"]` states the strains.
    bonds : of all crystals, for the ions numbered in `slab`.

    Raises
    ------
    BuildError : the lattices do not match.
    """
    bonds, words = period.bonds, []
    for material, count in shells:
        grown = crystal_period(material, miller_index)
        grown, strain = _strained(grown, slab.cell.array[:2, :2], material.name, miller_index)
        start, move = _registry(slab, grown, material)
        shell = stack_layers(grown, material, start, count)
        shell.positions += move
        shell.arrays["stacked"] += slab.arrays["stacked"].max() + 1
        offset = annotation.ions(slab).max() + len(period.atoms) + 1
        annotation.ions(shell)[:] += offset
        slab = slab + shell
        bonds = _joined(bonds, grown.bonds, offset)
        words.append(f"{material.name} {count} layers strained {100 * strain:+.1f} % in the plane")
    annotation.note(slab, shells="; ".join(words))
    return slab, bonds


def _strained(period: Period, target: np.ndarray, name: str, miller_index: Sequence[int]) -> tuple[Period, float]:
    """A period with the in-plane cell `target`, shape (2, 2), and its mean strain."""
    own = period.atoms.cell.array[:2, :2]
    stretch = np.linalg.inv(own) @ target
    sizes = np.linalg.svd(stretch, compute_uv=False)
    strain = float(sizes.mean() - 1)
    if np.ptp(sizes) > SHAPE * sizes.mean() or abs(strain) > WIDEST_STRAIN:
        raise BuildError(
            f"{name} {tuple(miller_index)} does not grow in register: its surface cell would be stretched by "
            f"{100 * (sizes[0] - 1):+.1f} and {100 * (sizes[1] - 1):+.1f} %; at most {100 * WIDEST_STRAIN:.0f} % fit"
        )
    full = np.eye(3)
    full[:2, :2] = stretch
    full[2, 2] = 1 - 2 * POISSON / (1 - POISSON) * strain
    atoms = period.atoms.copy()
    atoms.set_cell(atoms.cell.array @ full, scale_atoms=True)
    bonds = replace(period.bonds, vectors=period.bonds.vectors @ full)
    return Period(atoms, period.layers, period.shift @ stretch, bonds), strain


def _registry(slab: Atoms, grown: Period, material: Material) -> tuple[int, np.ndarray]:
    """Number of the first layer of a shell, and the shift in A that puts its anions onto the slab's highest ones."""
    stacked = slab.arrays["stacked"]
    anion = annotation.formal_charges(slab) < 0
    if not anion.any():
        raise BuildError("a shell grows on shared anions; the core has none")
    upper = stacked[anion].max()
    shared = slab.positions[anion & (stacked == upper)]
    lower = slab.positions[anion & (stacked == np.unique(stacked[anion])[-2:][0])]
    above = int(stacked.max() - upper)  # layers of cations on top of the shared plane
    charges = np.array([ion_charge(material, symbol) for symbol in grown.atoms.symbols])
    n, height = len(grown.layers), grown.atoms.cell[2, 2]
    best = None
    for number, layer in enumerate(grown.layers):
        own = layer[charges[layer] < 0]
        if len(own) == 0:
            continue
        move = shared[0] - grown.atoms.positions[own[0]]
        # The plane of anions beneath must fit as well, or the stacking is another.
        below = next(k for k in range(1, n + 1) if (charges[grown.layers[(number - k) % n]] < 0).any())
        turn, before = divmod(number - below, n)
        under = grown.layers[before][charges[grown.layers[before]] < 0]
        places = grown.atoms.positions[under] + turn * np.array([*grown.shift, height]) + move
        misfit = _in_plane(places[0] - lower, slab.cell.array[:2, :2]).min() if len(lower) else 0.0
        if best is None or misfit < best[0] - 1e-3:
            best = misfit, number, move
    _, number, move = best
    first = number + 1
    while above and (charges[grown.layers[first % n]] > 0).all():
        first, above = first + 1, above - 1
    return first, move


def _in_plane(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Lengths in A of the in-plane parts, nearest image."""
    flat = vectors[:, :2]
    return np.linalg.norm(flat - np.round(flat @ np.linalg.inv(cell)) @ cell, axis=1)


def _joined(bonds: Bonds, more: Bonds, offset: int) -> Bonds:
    return Bonds(
        np.concatenate([bonds.first, more.first + offset]),
        np.concatenate([bonds.second, more.second + offset]),
        np.concatenate([bonds.vectors, more.vectors]),
        np.concatenate([bonds.strength, more.strength]),
    )
