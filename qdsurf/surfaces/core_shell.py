"""Epitaxial shells: layers of another crystal grown on a core across a shared plane of anions."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.errors import BuildError
from qdsurf.records.models import Material
from qdsurf.surfaces.crystal import Bonds, Period, crystal_period, ion_charge

# Largest strain of a shell relative to its own lattice constant. Beyond it, no shell grows epitaxially.
WIDEST_STRAIN = 0.2
# Largest difference between the strains along the two vectors of the surface cell, or the three of the bulk cell.
STRAIN_ANISOTROPY = 0.03
# Assumed Poisson's ratio; those of cubic semiconductors are 0.3 to 0.4.
POISSON = 1 / 3


def stack_layers(period: Period, material: Material, start: int, count: int) -> Atoms:
    """Stack atomic layers of a crystal.

    Parameters
    ----------
    period : Period
        One period of the crystal along the surface normal.
    material : Material
        Record of the material, for the formal charges.
    start : int
        Number of the lowest layer in the period; may be negative or larger than the number of layers.
    count : int
        Number of layers.

    Returns
    -------
    Atoms
        Slab with the columns `stacked` (number of the layer, counted from below), `ion` (index in the period) and
        `formal_charge` (e).
    """
    slab = Atoms(cell=period.atoms.cell, pbc=(True, True, False))
    slab.set_array("stacked", np.zeros(0, dtype=int))
    annotation.set_column(slab, "ion", np.zeros(0, dtype=int))
    annotation.set_column(slab, "formal_charge", np.zeros(0))
    for k in range(count):
        periods, number = divmod(start + k, len(period.layers))
        layer = period.layers[number]
        piece = period.atoms[layer]
        piece.positions += periods * np.array([*period.shift, period.atoms.cell[2, 2]])
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

    The shell is strained in the plane to the surface cell of the core. Along the normal, its thickness changes by
    Poisson's ratio. Its stacking continues above the highest anions of the core as above its own anions.

    Parameters
    ----------
    slab : Atoms
        Layers of the core from `stack_layers`.
    period : Period
        Period of the core.
    miller_index : sequence of int
        Miller indices of the surface, for the core and for all shells.
    shells : sequence of tuple of Material and int
        Material and number of atomic layers of each shell, from the inside to the outside.

    Returns
    -------
    slab : Atoms
        Core with shells; `info["shells"]` states the strains.
    bonds : Bonds
        Bonds of all crystals. Their atoms are the values of the column `ion` of the slab.

    Raises
    ------
    BuildError
        The lattices do not match, or the core has no anions.
    """
    bonds, words = period.bonds, []
    for material, count in shells:
        shell_period, strain = _strain_to(
            crystal_period(material, miller_index), slab.cell.array[:2, :2], material.name, miller_index
        )
        start, move = _registry(slab, shell_period, material)
        shell = stack_layers(shell_period, material, start, count)
        shell.positions += move
        shell.arrays["stacked"] += slab.arrays["stacked"].max() + 1
        offset = annotation.ions(slab).max() + len(period.atoms) + 1
        annotation.ions(shell)[:] += offset
        slab = slab + shell
        bonds = _join(bonds, shell_period.bonds, offset)
        words.append(f"{material.name} {count} layers strained {100 * strain:+.1f} % in the plane")
    annotation.note(slab, shells="; ".join(words))
    return slab, bonds


def _strain_to(period: Period, target: np.ndarray, name: str, miller_index: Sequence[int]) -> tuple[Period, float]:
    """Strain a period to the in-plane cell `target`, shape (2, 2); return it with its mean in-plane strain."""
    stretch = np.linalg.inv(period.atoms.cell.array[:2, :2]) @ target
    principal = np.linalg.svd(stretch, compute_uv=False)
    strain = float(principal.mean() - 1)
    if np.ptp(principal) > STRAIN_ANISOTROPY * principal.mean() or abs(strain) > WIDEST_STRAIN:
        raise BuildError(
            f"{name} {tuple(miller_index)} does not grow epitaxially: its surface cell would be strained by "
            f"{100 * (principal[0] - 1):+.1f} and {100 * (principal[1] - 1):+.1f} %; at most "
            f"{100 * WIDEST_STRAIN:.0f} % are accepted, and both must agree within {100 * STRAIN_ANISOTROPY:.0f} %; "
            "choose another material for the shell"
        )
    full = np.eye(3)
    full[:2, :2] = stretch
    full[2, 2] = 1 - 2 * POISSON / (1 - POISSON) * strain
    atoms = period.atoms.copy()
    atoms.set_cell(atoms.cell.array @ full, scale_atoms=True)
    bonds = replace(period.bonds, vectors=period.bonds.vectors @ full)
    return Period(atoms, period.layers, period.shift @ stretch, bonds), strain


def _registry(slab: Atoms, shell: Period, material: Material) -> tuple[int, np.ndarray]:
    """Find the position of a shell on a slab.

    The function matches a plane of anions of the shell to the highest plane of anions of the slab. Among the possible
    planes, it takes the one for which the next plane of anions below agrees as well, because that fixes the stacking.

    Returns
    -------
    first : int
        Number in the period of the lowest layer of the shell.
    move : ndarray of float
        Displacement of the shell in A, shape (3,).
    """
    stacked = slab.arrays["stacked"]
    anion = annotation.formal_charges(slab) < 0
    if not anion.any():
        raise BuildError(
            "a shell shares the outermost anions of the core, but the core has none; choose an ionic crystal as core"
        )
    upper = stacked[anion].max()
    shared = slab.positions[anion & (stacked == upper)]
    lower = slab.positions[anion & (stacked == np.unique(stacked[anion])[-2:][0])]
    cation_layers_above = int(stacked.max() - upper)
    charges = np.array([ion_charge(material, symbol) for symbol in shell.atoms.symbols])
    n, height = len(shell.layers), shell.atoms.cell[2, 2]
    best: tuple[float, int, np.ndarray] | None = None
    for number, layer in enumerate(shell.layers):
        anions = layer[charges[layer] < 0]
        if len(anions) == 0:
            continue
        move = shared[0] - shell.atoms.positions[anions[0]]
        steps_down = next(k for k in range(1, n + 1) if (charges[shell.layers[(number - k) % n]] < 0).any())
        periods, number_below = divmod(number - steps_down, n)
        layer_below = shell.layers[number_below]
        anions_below = layer_below[charges[layer_below] < 0]
        below = shell.atoms.positions[anions_below] + periods * np.array([*shell.shift, height]) + move
        misfit = _in_plane_distances(below[0] - lower, slab.cell.array[:2, :2]).min() if len(lower) else 0.0
        # A later layer replaces an earlier one only if it fits better by more than the rounding error.
        if best is None or misfit < best[0] - 1e-3:
            best = misfit, number, move
    if best is None:
        raise BuildError(f"a shell shares anions with the core, but {material.name} has none; choose an ionic crystal")
    _, number, move = best
    first = number + 1
    # Cation layers of the core above the shared plane take the place of the lowest cation layers of the shell.
    while cation_layers_above and (charges[shell.layers[first % n]] > 0).all():
        first += 1
        cation_layers_above -= 1
    return first, move


def _in_plane_distances(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the lengths of the in-plane parts of vectors in A, nearest images."""
    flat = vectors[:, :2]
    return np.linalg.norm(flat - np.round(flat @ np.linalg.inv(cell)) @ cell, axis=1)


def _join(bonds: Bonds, more: Bonds, offset: int) -> Bonds:
    """Return the bonds of two crystals; `offset` is added to the indices of the second one."""
    return Bonds(
        np.concatenate([bonds.first, more.first + offset]),
        np.concatenate([bonds.second, more.second + offset]),
        np.concatenate([bonds.vectors, more.vectors]),
        np.concatenate([bonds.strength, more.strength]),
    )
