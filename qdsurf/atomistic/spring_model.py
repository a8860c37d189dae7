"""Bring atoms together and apart with springs: the one engine behind ligands, adducts and products.

A molecule keeps its shape through springs on its bonds and next-nearest neighbours, bonds to be formed are
springs to the sum of covalent radii, everything else repels inside a contact distance. The substrate stands
still. It is geometry only; energies come later, from a calculator.
"""

from collections.abc import Iterable, Sequence
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

MAX_STRAIN = 10.0  # spring energy of a geometry that counts as reached; most that relax well have less than 2
WALL_A = 0.5  # molecules stay this far above the outermost plane of the crystal; anchors may fill a vacancy in it
STIFFNESS = {
    "bond": 30.0,
    "angle": 3.0,
    "form": 10.0,
    "break": 10.0,
    "contact": 3.0,
    "wall": 10.0,
}  # arbitrary energy / A^2
NEAR_A = 8.0  # a molecule from the gas may push aside what lies within it
REACH_A = 8.0  # contacts within it are felt; what comes nearer from farther away is found at the next softness


class Springs(NamedTuple):
    """Index pairs, shape (n, 2), target lengths in A, stiffness, and which push but do not pull, each shape (n,)."""

    pairs: np.ndarray
    targets: np.ndarray
    stiffness: np.ndarray
    one_sided: np.ndarray


def apply_springs(
    atoms: Atoms,
    forms: Iterable[Pair] = (),
    breaks: Iterable[Pair] = (),
    arriving: int | None = None,
    carried: Sequence[int] = (),
) -> Atoms:
    """Move the molecules of a model until the named bonds are formed and broken.

    Parameters
    ----------
    atoms : with a `role` column; substrate atoms do not move.
    forms, breaks : index pairs.
    arriving : index of the first atom of a molecule that comes from the gas: it has no bonds to the rest yet, however
        near it lies. None begins with soft contacts, so that groups can pass one another.
    carried : substrate atoms that move all the same, such as a proton that is taken away; the crystal lets go of them.

    Returns
    -------
    A copy in the driven geometry; `info["strain"]` is the spring energy left (arbitrary units, lower is better).

    Raises
    ------
    BuildError : a bond could not be formed or broken; the message names it.
    """
    from scipy.optimize import minimize  # slow to import, and what only reads bonds from here does without

    forms, breaks = _ordered(forms), _ordered(breaks)
    movable = is_molecular(atoms)
    movable[list(carried)] = True
    moves = movable & _near(atoms, arriving) if arriving is not None else movable
    mobile = np.flatnonzero(moves)
    bonds = _bonds(atoms, forms, breaks, arriving, movable, moves)
    floor, held_up = _wall(atoms, mobile, forms)
    driven = atoms.copy()
    springs = _joined(bonds, _contacts(driven, bonds, moves))
    standing = _standing_strain(driven, springs, arriving)
    for softness in (0.05, 1.0, 5.0) if arriving is None else (1.0, 5.0):
        energy = _energy(driven, springs, mobile, held_up, floor, softness)
        start = driven.positions[mobile].ravel()
        flat = minimize(energy, start, jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
        driven.positions[mobile] = flat.reshape(-1, 3)
        springs = _joined(bonds, _contacts(driven, bonds, moves))
    annotation.note(driven, strain=_energy(driven, springs, mobile, held_up, floor, 1.0)(flat)[0])
    _check(driven, forms, breaks, springs, standing)
    if len(held_up) and driven.positions[held_up, 2].min() < floor - 2 * WALL_A:
        raise BuildError("the springs pulled a molecule into the crystal")
    return driven


def _energy(atoms: Atoms, springs: Springs, mobile: np.ndarray, held_up: np.ndarray, floor: float, softness: float):
    """Spring energy and its gradient as a function of the flat positions of the mobile atoms."""
    pairs, targets, stiffness, one_sided = springs
    k = np.where(one_sided, stiffness * softness, stiffness)
    cell = atoms.cell.array
    to_scaled = np.linalg.inv(cell) * atoms.pbc
    scatter = csr_array(
        (np.repeat([1.0, -1.0], len(pairs)), (pairs.T[::-1].ravel(), np.tile(np.arange(len(pairs)), 2))),
        shape=(len(atoms), len(pairs)),
    )
    positions = atoms.positions.copy()

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        positions[mobile] = flat.reshape(-1, 3)
        vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
        # Rounding is the minimum image for every vector within reach of a spring in a cell worth its name.
        vectors -= np.round(vectors @ to_scaled) @ cell
        lengths = np.maximum(np.sqrt((vectors**2).sum(axis=1)), 1e-6)
        excess = lengths - targets
        excess[one_sided & (excess > 0)] = 0.0
        gradient = scatter @ ((2 * k * excess / lengths)[:, None] * vectors)
        sunk = np.minimum(positions[held_up, 2] - floor, 0.0)
        gradient[held_up, 2] += 2 * STIFFNESS["wall"] * sunk
        return float(k @ excess**2 + STIFFNESS["wall"] * sunk @ sunk), gradient[mobile].ravel()

    return energy


def _standing_strain(atoms: Atoms, springs: Springs, arriving: int | None) -> float:
    """Energy of the contacts that are tight before anything moves, as between densely packed chains."""
    there = springs.one_sided & ((springs.pairs < (len(atoms) if arriving is None else arriving)).all(axis=1))
    missing = np.minimum(_lengths(atoms, springs.pairs) - springs.targets, 0.0)
    return float((springs.stiffness * missing**2)[there].sum())


def _wall(atoms: Atoms, mobile: np.ndarray, forms: set[Pair]) -> tuple[float, np.ndarray]:
    """Lowest height in A for molecules on a slab, and the atoms that it holds."""
    outermost = atoms.positions[annotation.layers(atoms) == 1, 2] if annotation.is_annotated(atoms) else np.array([])
    if len(outermost) == 0:
        return -np.inf, mobile[:0]
    free = annotation.anchors(atoms).copy()
    binding = [i for pair in forms for i in pair]
    free[binding] = True  # what is to bind there, with its hydrogens, may fill a vacancy
    free |= bond_matrix(atoms)[binding].any(axis=0) & (atoms.numbers == 1)
    return float(np.median(outermost)) + WALL_A, mobile[~free[mobile]]


def _ordered(pairs: Iterable[Pair]) -> set[Pair]:
    return {(min(i, j), max(i, j)) for i, j in pairs}


def _near(atoms: Atoms, arriving: int) -> np.ndarray:
    """Mask of a molecule from the gas and of the atoms that it can push aside; those farther away stand still."""
    i, j, _ = near_pairs(atoms, NEAR_A)
    near = np.arange(len(atoms)) >= arriving
    near[i[j >= arriving]] = True
    return near


def _bonds(
    atoms: Atoms, forms: set[Pair], breaks: set[Pair], arriving: int | None, movable: np.ndarray, moves: np.ndarray
) -> Springs:
    """Springs on bonds, on next-nearest neighbours, and on what is to form and to break."""
    # Only what is charged or an anchor is bonded to the crystal; a methyl group lies beside caesium.
    holds = ~movable | annotation.anchors(atoms) | (annotation.formal_charges(atoms) != 0)
    i, j = np.nonzero(bond_matrix(atoms))
    bonded = np.where(movable[i] == movable[j], movable[i], holds[i] & holds[j])
    substrate = ~is_molecular(atoms)
    bonded &= ~(substrate[i] & substrate[j]) | (movable[i] & movable[j])
    if arriving is not None:
        bonded &= (i < arriving) == (j < arriving)
    bonded &= ~np.isin(i * len(atoms) + j, [a * len(atoms) + b for pair in breaks for a, b in (pair, pair[::-1])])
    graph = csr_array((np.ones(bonded.sum(), dtype=int), (i[bonded], j[bonded])), shape=(len(atoms),) * 2)
    stiff = movable & (annotation.formal_charges(atoms) < 2)  # a metal centre opens its angles to a new neighbour
    first = _upper(graph)
    second = _upper((graph * stiff.astype(int)) @ graph) - first
    held = sorted(pair for pair in first | second if (moves[pair[0]] or moves[pair[1]]) and pair not in forms)
    pairs = np.array([*held, *sorted(forms), *sorted(breaks)], dtype=int).reshape(-1, 2)
    kinds = np.array(
        ["bond" if pair in first else "angle" for pair in held] + ["form"] * len(forms) + ["break"] * len(breaks)
    )
    sums = covalent_radii[atoms.numbers[pairs]].sum(axis=1)
    wanted = np.where(kinds == "form", SPRING_FORMED * sums, SPRING_BROKEN * sums)
    targets = np.where(np.isin(kinds, ["bond", "angle"]), _lengths(atoms, pairs), wanted)
    return Springs(pairs, targets, np.array([STIFFNESS[kind] for kind in kinds]), kinds == "break")


def _contacts(atoms: Atoms, bonds: Springs, moves: np.ndarray) -> Springs:
    """Repulsion between all atoms within reach of one another that no bond holds."""
    i, j, _ = near_pairs(atoms, REACH_A)
    keep = moves[i] | moves[j]
    code = np.setdiff1d(i[keep] * len(atoms) + j[keep], bonds.pairs[:, 0] * len(atoms) + bonds.pairs[:, 1])
    pairs = np.column_stack(np.divmod(code, len(atoms))).astype(int)
    targets = np.clip(SPRING_CONTACT * covalent_radii[atoms.numbers[pairs]].sum(axis=1), *SPRING_CONTACT_RANGE_A)
    return Springs(pairs, targets, np.full(len(pairs), STIFFNESS["contact"]), np.ones(len(pairs), dtype=bool))


def _joined(first: Springs, second: Springs) -> Springs:
    return Springs(*(np.concatenate(parts) for parts in zip(first, second, strict=True)))


def _lengths(atoms: Atoms, pairs: np.ndarray) -> np.ndarray:
    vectors = atoms.positions[pairs[:, 1]] - atoms.positions[pairs[:, 0]]
    return find_mic(vectors, atoms.cell, atoms.pbc)[1] if len(pairs) else np.zeros(0)


def _upper(graph: csr_array) -> set[Pair]:
    """Pairs of a symmetric graph, each once."""
    i, j = graph.nonzero()
    return set(zip(i[i < j].tolist(), j[i < j].tolist(), strict=True))


def _check(atoms: Atoms, forms: set[Pair], breaks: set[Pair], springs: Springs, standing: float) -> None:
    ratios = _lengths(atoms, springs.pairs) / covalent_radii[atoms.numbers[springs.pairs]].sum(axis=1)
    of = dict(zip(map(tuple, springs.pairs.tolist()), ratios.tolist(), strict=True))
    wrong = [(pair, "not formed") for pair in sorted(forms) if of[pair] > SPRING_REACHED]
    wrong += [(pair, "not broken") for pair in sorted(breaks) if of[pair] < BOND_LOST]
    wrong += [(pair, "clash") for pair, ratio in of.items() if ratio < CLASH]
    if wrong:
        words = ", ".join(f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j} {what}" for (i, j), what in wrong)
        raise BuildError(f"the springs could not reach the geometry: {words}")
    if annotation.noted(atoms, "strain") > MAX_STRAIN + standing:
        raise BuildError(
            f"the springs stay strained: {annotation.noted(atoms, 'strain'):.1f}, at most {MAX_STRAIN + standing:.0f}"
        )
