"""Spring model that moves molecules until given bonds are formed or broken.

Springs on bonds and between next-nearest neighbours preserve the shape of a molecule. Bonds to be formed are springs
with the sum of the covalent radii as their length. All other pairs of atoms repel each other below a contact distance.
The atoms of the substrate are fixed. The model provides geometries only; their energies come from a calculator.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import find_mic
from scipy.sparse import csr_array

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import bond_matrix, is_molecular, near_pairs
from qdsurf.atomistic.bonding_criteria import (
    BOND_LOST,
    CLASH,
    SPRING_BROKEN,
    SPRING_CONTACT,
    SPRING_CONTACT_RANGE_A,
    SPRING_FORMED,
    SPRING_REACHED,
)
from qdsurf.errors import BuildError

Pair = tuple[int, int]

# Largest accepted spring energy of a geometry. Most geometries that relax well have less than 2.
MAX_STRAIN = 10.0
# Molecules stay this far above the outermost plane of the crystal. Anchors are exempt; they may fill a vacancy.
WALL_A = 0.5
# Energy / A^2; the unit of energy is arbitrary.
STIFFNESS = {
    "bond": 30.0,
    "angle": 3.0,
    "form": 10.0,
    "break": 10.0,
    "contact": 3.0,
    "wall": 10.0,
}
# Atoms within this distance of a molecule from the gas can be pushed aside; all others are fixed.
NEAR_A = 8.0
# Contacts within this distance are included. Pairs that approach from farther away are added at the next softness.
REACH_A = 8.0
# Factors on the stiffness of the contacts in successive minimisations. The soft start lets groups pass each other. A
# molecule that arrives from the gas needs no soft start.
SOFTNESS, SOFTNESS_ARRIVING = (0.05, 1.0, 5.0), (1.0, 5.0)


class Springs(NamedTuple):
    """Harmonic springs between pairs of atoms.

    Attributes
    ----------
    pairs : ndarray of int
        Indices of the two atoms, shape (n, 2).
    targets : ndarray of float
        Equilibrium lengths in A, shape (n,).
    stiffness : ndarray of float
        Stiffness in energy / A^2, shape (n,).
    one_sided : ndarray of bool
        Whether a spring is only repulsive, shape (n,).
    """

    pairs: np.ndarray
    targets: np.ndarray
    stiffness: np.ndarray
    one_sided: np.ndarray


class Wall(NamedTuple):
    """Lower limit of the height of molecules on a slab.

    Attributes
    ----------
    height_A : float
        Height in A.
    atoms : ndarray of int
        Indices of the atoms on which the wall acts.
    """

    height_A: float
    atoms: np.ndarray


def apply_springs(
    atoms: Atoms,
    forms: Iterable[Pair] = (),
    breaks: Iterable[Pair] = (),
    arriving: int | None = None,
    carried: Sequence[int] = (),
) -> Atoms:
    """Move the molecules of a model until the given bonds are formed and broken.

    Parameters
    ----------
    atoms : Atoms
        Structure with the column `role`; atoms of the substrate are fixed.
    forms, breaks : iterable of tuple of int
        Pairs of atoms between which a bond is formed or broken.
    arriving : int, optional
        Index of the first atom of a molecule that arrives from the gas. It is not bonded to the other atoms, however
        close it is. None starts with soft contacts, so that groups can pass each other.
    carried : sequence of int
        Atoms of the substrate that move nevertheless, such as a proton that is transferred. Their bonds to the crystal
        are not preserved.

    Returns
    -------
    Atoms
        Copy in the new geometry. `info["strain"]` is the remaining spring energy in arbitrary units; lower is better.

    Raises
    ------
    BuildError
        A bond could not be formed or broken, or the geometry remains strained; the message names the atoms.
    """
    from scipy.optimize import minimize  # slow to import, and not needed by modules that only import `Pair`

    forms, breaks = _ordered(forms), _ordered(breaks)
    movable = is_molecular(atoms)
    movable[list(carried)] = True
    moves = movable if arriving is None else movable & _near_arriving(atoms, arriving)
    mobile = np.flatnonzero(moves)
    bonds = _bond_springs(atoms, forms, breaks, arriving, movable, moves)
    wall = _wall(atoms, mobile, forms)
    driven = atoms.copy()
    springs = _join(bonds, _contact_springs(driven, bonds, moves))
    initial_strain = _contact_strain(driven, springs, arriving)
    for softness in SOFTNESS if arriving is None else SOFTNESS_ARRIVING:
        energy = _energy_function(driven, springs, mobile, wall, softness)
        start = driven.positions[mobile].ravel()
        flat = minimize(energy, start, jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
        driven.positions[mobile] = flat.reshape(-1, 3)
        springs = _join(bonds, _contact_springs(driven, bonds, moves))
    annotation.note(driven, strain=_energy_function(driven, springs, mobile, wall, 1.0)(flat)[0])
    _check(driven, forms, breaks, springs, initial_strain)
    if len(wall.atoms) and driven.positions[wall.atoms, 2].min() < wall.height_A - 2 * WALL_A:
        raise BuildError(
            "the springs pulled a molecule into the crystal; choose another site, other atoms for the bonds, or a "
            "larger supercell"
        )
    return driven


def _energy_function(
    atoms: Atoms, springs: Springs, mobile: np.ndarray, wall: Wall, softness: float
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return a function that computes spring energy and gradient from the flat positions of the mobile atoms."""
    pairs, targets, stiffness, one_sided = springs
    k = np.where(one_sided, stiffness * softness, stiffness)
    cell = atoms.cell.array
    to_scaled = np.linalg.inv(cell) * atoms.pbc
    # Sparse matrix that adds the forces of the springs up to forces on the atoms.
    scatter = csr_array(
        (np.repeat([1.0, -1.0], len(pairs)), (pairs.T[::-1].ravel(), np.tile(np.arange(len(pairs)), 2))),
        shape=(len(atoms), len(pairs)),
    )
    positions = atoms.positions.copy()

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        positions[mobile] = flat.reshape(-1, 3)
        vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
        # Rounding the scaled vectors yields the nearest image of every pair within reach of a spring, provided that the
        # cell is wider than that reach.
        vectors -= np.round(vectors @ to_scaled) @ cell
        lengths = np.maximum(np.sqrt((vectors**2).sum(axis=1)), 1e-6)
        excess = lengths - targets
        excess[one_sided & (excess > 0)] = 0.0
        gradient = scatter @ ((2 * k * excess / lengths)[:, None] * vectors)
        below = np.minimum(positions[wall.atoms, 2] - wall.height_A, 0.0)
        gradient[wall.atoms, 2] += 2 * STIFFNESS["wall"] * below
        return float(k @ excess**2 + STIFFNESS["wall"] * below @ below), gradient[mobile].ravel()

    return energy


def _contact_strain(atoms: Atoms, springs: Springs, arriving: int | None) -> float:
    """Return the energy of the contacts before anything moves, as between densely packed chains."""
    present = springs.one_sided & ((springs.pairs < (len(atoms) if arriving is None else arriving)).all(axis=1))
    compression = np.minimum(_lengths(atoms, springs.pairs) - springs.targets, 0.0)
    return float((springs.stiffness * compression**2)[present].sum())


def _wall(atoms: Atoms, mobile: np.ndarray, forms: set[Pair]) -> Wall:
    """Return the lowest height of molecules on a slab, and the mobile atoms on which it acts."""
    outermost = atoms.positions[annotation.layers(atoms) == 1, 2] if annotation.is_annotated(atoms) else np.array([])
    if len(outermost) == 0:
        return Wall(-np.inf, mobile[:0])
    # Atoms that are to bind to the crystal and their hydrogen atoms may fill a vacancy.
    exempt = annotation.anchors(atoms).copy()
    binding = [i for pair in forms for i in pair]
    exempt[binding] = True
    exempt |= bond_matrix(atoms)[binding].any(axis=0) & (atoms.numbers == 1)
    return Wall(float(np.median(outermost)) + WALL_A, mobile[~exempt[mobile]])


def _ordered(pairs: Iterable[Pair]) -> set[Pair]:
    """Return each pair with the smaller index first."""
    return {(min(i, j), max(i, j)) for i, j in pairs}


def _near_arriving(atoms: Atoms, arriving: int) -> np.ndarray:
    """Return the mask of a molecule from the gas and of the atoms that it can push aside, shape (n,)."""
    i, j, _ = near_pairs(atoms, NEAR_A)
    near = np.arange(len(atoms)) >= arriving
    near[i[j >= arriving]] = True
    return near


def _bond_springs(
    atoms: Atoms, forms: set[Pair], breaks: set[Pair], arriving: int | None, movable: np.ndarray, moves: np.ndarray
) -> Springs:
    """Create the springs on bonds, between next-nearest neighbours, and on the bonds to be formed and broken."""
    # Only charged atoms and anchors are bonded to the crystal. A methyl group may be close to caesium without a bond.
    can_bind = ~movable | annotation.anchors(atoms) | (annotation.formal_charges(atoms) != 0)
    i, j = np.nonzero(bond_matrix(atoms))
    bonded = np.where(movable[i] == movable[j], movable[i], can_bind[i] & can_bind[j])
    substrate = ~is_molecular(atoms)
    bonded &= ~(substrate[i] & substrate[j]) | (movable[i] & movable[j])
    if arriving is not None:
        bonded &= (i < arriving) == (j < arriving)
    # A pair (i, j) is encoded as the integer i n + j.
    n = len(atoms)
    bonded &= ~np.isin(i * n + j, [a * n + b for pair in breaks for a, b in (pair, pair[::-1])])
    graph = csr_array((np.ones(bonded.sum(), dtype=int), (i[bonded], j[bonded])), shape=(n, n))
    # No angle springs at a metal centre (charge of 2 or more), so that its angles can open for a new neighbour.
    has_stiff_angles = movable & (annotation.formal_charges(atoms) < 2)
    first = _each_once(graph)
    second = _each_once((graph * has_stiff_angles.astype(int)) @ graph) - first
    kept = sorted(pair for pair in first | second if (moves[pair[0]] or moves[pair[1]]) and pair not in forms)
    pairs = np.array([*kept, *sorted(forms), *sorted(breaks)], dtype=int).reshape(-1, 2)
    kinds = np.array(
        ["bond" if pair in first else "angle" for pair in kept] + ["form"] * len(forms) + ["break"] * len(breaks)
    )
    sums = covalent_radii[atoms.numbers[pairs]].sum(axis=1)
    changed_lengths = np.where(kinds == "form", SPRING_FORMED * sums, SPRING_BROKEN * sums)
    targets = np.where(np.isin(kinds, ["bond", "angle"]), _lengths(atoms, pairs), changed_lengths)
    return Springs(pairs, targets, np.array([STIFFNESS[kind] for kind in kinds]), kinds == "break")


def _contact_springs(atoms: Atoms, bonds: Springs, moves: np.ndarray) -> Springs:
    """Create the repulsion between all pairs within `REACH_A` that no other spring connects."""
    n = len(atoms)
    i, j, _ = near_pairs(atoms, REACH_A)
    keep = moves[i] | moves[j]
    # A pair (i, j) is encoded as the integer i n + j.
    codes = np.setdiff1d(i[keep] * n + j[keep], bonds.pairs[:, 0] * n + bonds.pairs[:, 1])
    pairs = np.column_stack(np.divmod(codes, n)).astype(int)
    targets = np.clip(SPRING_CONTACT * covalent_radii[atoms.numbers[pairs]].sum(axis=1), *SPRING_CONTACT_RANGE_A)
    return Springs(pairs, targets, np.full(len(pairs), STIFFNESS["contact"]), np.ones(len(pairs), dtype=bool))


def _join(first: Springs, second: Springs) -> Springs:
    """Return the springs of both sets."""
    return Springs(*(np.concatenate(parts) for parts in zip(first, second, strict=True)))


def _lengths(atoms: Atoms, pairs: np.ndarray) -> np.ndarray:
    """Return the distances of the pairs in A, nearest images, shape (n,)."""
    vectors = atoms.positions[pairs[:, 1]] - atoms.positions[pairs[:, 0]]
    return find_mic(vectors, atoms.cell, atoms.pbc)[1] if len(pairs) else np.zeros(0)


def _each_once(graph: csr_array) -> set[Pair]:
    """Return the pairs i < j of a symmetric graph."""
    i, j = graph.nonzero()
    return set(zip(i[i < j].tolist(), j[i < j].tolist(), strict=True))


def _check(atoms: Atoms, forms: set[Pair], breaks: set[Pair], springs: Springs, initial_strain: float) -> None:
    """Raise an error if a bond is not formed or broken, two atoms clash, or the geometry remains strained."""
    ratios = _lengths(atoms, springs.pairs) / covalent_radii[atoms.numbers[springs.pairs]].sum(axis=1)
    ratio_of = {(int(i), int(j)): ratio for (i, j), ratio in zip(springs.pairs, ratios.tolist(), strict=True)}
    wrong = [(pair, "not formed") for pair in sorted(forms) if ratio_of[pair] > SPRING_REACHED]
    wrong += [(pair, "not broken") for pair in sorted(breaks) if ratio_of[pair] < BOND_LOST]
    wrong += [(pair, "clash") for pair, ratio in ratio_of.items() if ratio < CLASH]
    if wrong:
        words = ", ".join(f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j} {problem}" for (i, j), problem in wrong)
        raise BuildError(f"the springs could not reach the geometry: {words}")
    strain, limit = annotation.noted(atoms, "strain"), MAX_STRAIN + initial_strain
    if strain > limit:
        raise BuildError(
            f"the springs remain strained: their energy is {strain:.1f}, but at most {limit:.0f} is accepted"
        )
