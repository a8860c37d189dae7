"""Who is bonded to whom, from distances in units of the sum of covalent radii (10.1039/b801115j)."""

import json

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import get_distances
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding_criteria import BOND_GAINED, BOND_LOST, CRYSTAL_BOND, MOLECULAR_BOND

DENSE = 300  # atoms up to which a table of all distances is faster than a list of neighbours

# Atomic numbers; metalloids are among them, as in pymatgen, which takes a tenth of a second to import.
NONMETALS = [1, 2, *range(5, 11), *range(14, 19), *range(32, 37), *range(51, 55), *range(84, 87), *range(113, 119)]
DONORS = ("N", "O", "P", "S", "Se", "Te", "F", "Cl", "Br", "I")  # elements that bind by a lone pair


def bond_ratios(atoms: Atoms) -> np.ndarray:
    """Distances over sums of covalent radii, shape (n, n), minimum image; infinite on the diagonal."""
    radii = covalent_radii[atoms.numbers]
    ratios = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1] / (radii[:, None] + radii[None, :])
    np.fill_diagonal(ratios, np.inf)
    return ratios


def near_pairs(atoms: Atoms, reach_A: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i < j whose nearest images are within a distance: their indices, and the distance in A, each shape (p,)."""
    if len(atoms) <= DENSE:
        distances = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1]
        i, j = np.nonzero(np.triu(distances < reach_A, 1))
        return i, j, distances[i, j]
    i, j, distance = neighbor_list("ijd", atoms, reach_A)
    order = np.lexsort((distance, j, i))
    i, j, distance = i[order], j[order], distance[order]
    first = (np.diff(i, prepend=-1) != 0) | (np.diff(j, prepend=-1) != 0)
    first &= i < j
    return i[first], j[first], distance[first]


def bond_matrix(atoms: Atoms) -> np.ndarray:
    """Boolean matrix of bonds, shape (n, n)."""
    molecular = is_molecular(atoms) if annotation.has_parts(atoms) else np.zeros(len(atoms), dtype=bool)
    radii = covalent_radii[atoms.numbers]
    bonded = np.zeros((len(atoms), len(atoms)), dtype=bool)
    if len(atoms) == 0:
        return bonded
    i, j, distance = near_pairs(atoms, CRYSTAL_BOND * 2 * radii.max())
    near = distance < np.where(molecular[i] & molecular[j], MOLECULAR_BOND, CRYSTAL_BOND) * (radii[i] + radii[j])
    bonded[i[near], j[near]] = bonded[j[near], i[near]] = True
    return bonded


def touching(atoms: Atoms, multiple: float) -> np.ndarray:
    """Boolean matrix of pairs nearer than a multiple of the sum of their covalent radii, shape (n, n)."""
    radii = covalent_radii[atoms.numbers]
    near = np.zeros((len(atoms), len(atoms)), dtype=bool)
    i, j, distance = near_pairs(atoms, multiple * 2 * radii.max(initial=0.0))
    close = distance < multiple * (radii[i] + radii[j])
    near[i[close], j[close]] = near[j[close], i[close]] = True
    return near


def is_metal(atoms: Atoms) -> np.ndarray:
    """Mask of the atoms of metallic elements, whose contacts come and go without a reaction."""
    return ~np.isin(atoms.numbers, NONMETALS)


def is_molecular(atoms: Atoms) -> np.ndarray:
    """Mask of the atoms that are not substrate."""
    return annotation.parts(atoms) != "substrate"


def molecular_bonds(atoms: Atoms) -> set[tuple[int, int]]:
    """Bonds among the atoms that are not substrate, as ordered pairs of indices."""
    molecular = is_molecular(atoms)
    bonded = bond_matrix(atoms) & molecular[:, None] & molecular[None, :]
    return {(int(i), int(j)) for i, j in np.argwhere(np.triu(bonded))}


def recorded_pairs(atoms: Atoms, key: str) -> list[tuple[int, int]]:
    """Index pairs that a builder wrote into `info`: `bonds`, `formed` or `broken`; empty where it wrote none."""
    value = annotation.noted(atoms, key, [])
    value = json.loads(value) if isinstance(value, str) else value
    return [tuple(map(int, pair)) for pair in np.asarray(value, dtype=int).reshape(-1, 2)]


def intended_bonds(atoms: Atoms) -> set[tuple[int, int]]:
    """Molecular bonds that a structure is meant to have: those on record, else those that it has."""
    return set(recorded_pairs(atoms, "bonds")) if annotation.has_note(atoms, "bonds") else molecular_bonds(atoms)


def component(bonds: set[tuple[int, int]], start: int, n: int) -> np.ndarray:
    """Indices of the atoms that hang together with `start`, sorted."""
    pairs = np.array(sorted(bonds), dtype=int).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    return np.flatnonzero(labels == labels[start])


def changed_bonds(before: set[tuple[int, int]], atoms: Atoms) -> tuple[set, set]:
    """Molecular bonds that a relaxation has lost and gained against those on record."""
    ratios, molecular = bond_ratios(atoms), is_molecular(atoms)
    lost = {pair for pair in before if ratios[pair] > BOND_LOST}
    close = np.triu((ratios < BOND_GAINED) & molecular[:, None] & molecular[None, :])
    return lost, {(int(i), int(j)) for i, j in np.argwhere(close)} - before


def differing_bonds(one: Atoms, other: Atoms) -> set[tuple[int, int]]:
    """Pairs that are bonded in one of two structures of the same atoms and clearly apart in the other."""
    first, second = bond_ratios(one), bond_ratios(other)
    differ = (np.minimum(first, second) < CRYSTAL_BOND) & (np.maximum(first, second) > BOND_LOST)
    return {(int(i), int(j)) for i, j in np.argwhere(np.triu(differ))}
