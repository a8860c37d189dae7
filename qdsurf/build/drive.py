"""Bring atoms together and apart with springs: the one engine behind ligands, adducts and products.

A molecule keeps its shape through springs on its bonds and next-nearest neighbours, bonds to be formed are
springs to the sum of covalent radii, everything else repels inside a contact distance. The substrate stands
still. It is geometry only; energies come later, from a calculator.
"""

from collections.abc import Iterable

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from scipy.optimize import minimize
from scipy.sparse import csr_array

from qdsurf.connectivity import GONE, bond_matrix, bond_ratios, is_molecular
from qdsurf.errors import BuildError

Pair = tuple[int, int]

FORMED = 1.08  # length of a formed bond in covalent radii: between covalent (1.0) and dative (1.1 to 1.15)
APART = 1.7  # distance in covalent radii that the ends of a broken bond must reach
CONTACT = 1.45  # non-bonded contact in covalent radii, and ...
# ... within these limits in A: H...H costs energy below 2.1 (van der Waals radii less 10 %), and nothing next to
# caesium, whose covalent radius is that of a metal, needs more than 3.3.
CONTACT_A = 2.1, 3.3
CLASH = 0.65  # two atoms that are not to be bonded may not be nearer than this multiple of their covalent radii
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


def drive(
    atoms: Atoms,
    forms: Iterable[Pair] = (),
    breaks: Iterable[Pair] = (),
    arriving: int | None = None,
) -> Atoms:
    """Move the molecules of a model until the named bonds are formed and broken.

    Parameters
    ----------
    atoms : with a `role` column; substrate atoms do not move.
    forms, breaks : index pairs.
    arriving : index of the first atom of a molecule that comes from the gas: it has no bonds to the rest yet, however
        near it lies. None begins with soft contacts, so that groups can pass one another.

    Returns
    -------
    A copy in the driven geometry; `info["strain"]` is the spring energy left (arbitrary units, lower is better).

    Raises
    ------
    BuildError : a bond could not be formed or broken; the message names it.
    """
    forms, breaks = _ordered(forms), _ordered(breaks)
    mobile = np.flatnonzero(is_molecular(atoms))
    pairs, targets, stiffness, one_sided = _springs(atoms, forms, breaks, arriving)
    floor, held_up = _wall(atoms, mobile, forms)
    driven = atoms.copy()
    start = atoms.positions[mobile]
    cell = driven.cell.array
    to_scaled = np.linalg.inv(cell) * driven.pbc
    n = len(driven)
    scatter = csr_array(
        (np.repeat([1.0, -1.0], len(pairs)), (pairs.T[::-1].ravel(), np.tile(np.arange(len(pairs)), 2))),
        shape=(n, len(pairs)),
    )

    def energy(flat: np.ndarray, softness: float) -> tuple[float, np.ndarray]:
        positions = driven.positions.copy()
        positions[mobile] = flat.reshape(-1, 3)
        vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
        # Rounding is the minimum image for every vector within reach of a spring in a cell worth its name.
        vectors -= np.round(vectors @ to_scaled) @ cell
        lengths = np.maximum(np.sqrt((vectors**2).sum(axis=1)), 1e-6)
        excess = lengths - targets
        excess[one_sided & (excess > 0)] = 0.0
        k = np.where(one_sided, stiffness * softness, stiffness)
        gradient = scatter @ ((2 * k * excess / lengths)[:, None] * vectors)
        sunk = np.minimum(positions[held_up, 2] - floor, 0.0)
        gradient[held_up, 2] += 2 * STIFFNESS["wall"] * sunk
        return float(k @ excess**2 + STIFFNESS["wall"] * sunk @ sunk), gradient[mobile].ravel()

    standing = _standing_strain(driven, pairs, targets, stiffness, one_sided, arriving)
    flat = start.ravel()
    for softness in (0.05, 1.0, 5.0) if arriving is None else (1.0, 5.0):
        flat = minimize(energy, flat, args=(softness,), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    driven.positions[mobile] = flat.reshape(-1, 3)
    driven.info["strain"] = energy(flat, 1.0)[0]
    _check(driven, forms, breaks, mobile, standing)
    if len(held_up) and driven.positions[held_up, 2].min() < floor - 2 * WALL_A:
        raise BuildError("the springs pulled a molecule into the crystal")
    return driven


def _standing_strain(
    atoms: Atoms,
    pairs: np.ndarray,
    targets: np.ndarray,
    stiffness: np.ndarray,
    one_sided: np.ndarray,
    arriving: int | None,
) -> float:
    """Energy of the contacts that are tight before anything moves, as between densely packed chains."""
    there = one_sided & ((pairs < (len(atoms) if arriving is None else arriving)).all(axis=1))
    lengths = bond_ratios(atoms)[pairs[:, 0], pairs[:, 1]] * covalent_radii[atoms.numbers[pairs]].sum(axis=1)
    return float((stiffness * np.minimum(lengths - targets, 0.0) ** 2)[there].sum())


def _wall(atoms: Atoms, mobile: np.ndarray, forms: set[Pair]) -> tuple[float, np.ndarray]:
    """Lowest height in A for molecules on a slab, and the atoms that it holds."""
    outermost = atoms.positions[atoms.arrays["layer"] == 1, 2] if "layer" in atoms.arrays else np.array([])
    if len(outermost) == 0:
        return -np.inf, mobile[:0]
    free = atoms.arrays["anchor"].copy()
    binding = [i for pair in forms for i in pair]
    free[binding] = True  # what is to bind there, with its hydrogens, may fill a vacancy
    free |= bond_matrix(atoms)[binding].any(axis=0) & (atoms.numbers == 1)
    return float(np.median(outermost)) + WALL_A, mobile[~free[mobile]]


def _ordered(pairs: Iterable[Pair]) -> set[Pair]:
    return {(min(i, j), max(i, j)) for i, j in pairs}


def _springs(atoms: Atoms, forms: set[Pair], breaks: set[Pair], arriving: int | None) -> tuple[np.ndarray, ...]:
    """All pairs with at least one mobile atom: index pairs, target lengths in A, stiffness, one-sided or not."""
    n = len(atoms)
    movable = is_molecular(atoms)
    # Only what is charged or an anchor is bonded to the crystal; a methyl group lies beside caesium.
    holds = ~movable | atoms.arrays["anchor"] | (atoms.arrays["formal_charge"] != 0)
    within = movable[:, None] & movable[None, :]
    across = (movable[:, None] != movable[None, :]) & holds[:, None] & holds[None, :]
    bonded = bond_matrix(atoms) & (within | across)
    if arriving is not None:
        bonded[:arriving, arriving:] = bonded[arriving:, :arriving] = False
    for i, j in breaks:
        bonded[i, j] = bonded[j, i] = False
    stiff = bonded & movable & (atoms.arrays["formal_charge"] < 2)  # a metal centre opens its angles to a new neighbour
    second = (stiff.astype(int) @ bonded.astype(int) > 0) & ~bonded
    np.fill_diagonal(second, False)
    i, j = np.triu_indices(n, 1)
    keep = movable[i] | movable[j]
    pairs = np.column_stack([i[keep], j[keep]])
    i, j = pairs.T
    sums = covalent_radii[atoms.numbers[i]] + covalent_radii[atoms.numbers[j]]
    lengths = bond_ratios(atoms)[i, j] * sums
    targets = np.clip(CONTACT * sums, *CONTACT_A)
    stiffness = np.full(len(pairs), STIFFNESS["contact"])
    one_sided = np.ones(len(pairs), dtype=bool)
    index = {pair: k for k, pair in enumerate(map(tuple, pairs.tolist()))}
    for kind, mask in (("bond", bonded[i, j]), ("angle", second[i, j])):
        targets[mask], stiffness[mask], one_sided[mask] = lengths[mask], STIFFNESS[kind], False
    for pair in forms:
        k = index[pair]
        targets[k], stiffness[k], one_sided[k] = FORMED * sums[k], STIFFNESS["form"], False
    for pair in breaks & index.keys():
        k = index[pair]
        targets[k], stiffness[k], one_sided[k] = APART * sums[k], STIFFNESS["break"], True
    return pairs, targets, stiffness, one_sided


def _check(atoms: Atoms, forms: set[Pair], breaks: set[Pair], mobile: np.ndarray, standing: float) -> None:
    ratios = bond_ratios(atoms)
    wrong = [(p, "not formed") for p in forms if ratios[p] > 1.3] + [
        (p, "not broken") for p in breaks if ratios[p] < GONE
    ]
    wrong += [
        ((min(i, j), max(i, j)), "clash")
        for i, j in zip(mobile, ratios[mobile].argmin(axis=1), strict=True)
        if ratios[i, j] < CLASH
    ]
    if wrong:
        words = ", ".join(f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j} {what}" for (i, j), what in wrong)
        raise BuildError(f"the springs could not reach the geometry: {words}")
    if atoms.info["strain"] > MAX_STRAIN + standing:
        raise BuildError(f"the springs stay strained: {atoms.info['strain']:.1f}, at most {MAX_STRAIN + standing:.0f}")
