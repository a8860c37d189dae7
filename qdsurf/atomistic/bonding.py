"""Bonds from interatomic distances in units of the sum of the covalent radii (10.1039/b801115j)."""

import json

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import get_distances
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.atomistic.bonding_criteria import BOND_GAINED, BOND_LOST, CRYSTAL_BOND, MOLECULAR_BOND

# Up to this number of atoms, a table of all distances is faster than a neighbour list.
DENSE = 300

# Atomic numbers of the nonmetals and metalloids. The list is that of pymatgen, whose import takes a tenth of a second.
NONMETALS = [1, 2, *range(5, 11), *range(14, 19), *range(32, 37), *range(51, 55), *range(84, 87), *range(113, 119)]
# Elements that bind to a cation through a lone pair.
DONORS = ("N", "O", "P", "S", "Se", "Te", "F", "Cl", "Br", "I")


def bond_ratios(atoms: Atoms) -> np.ndarray:
    """Compute all distances divided by the sums of the covalent radii.

    Parameters
    ----------
    atoms : Atoms
        Structure of n atoms.

    Returns
    -------
    ndarray of float
        Ratios for the nearest periodic images, shape (n, n); infinite on the diagonal.
    """
    radii = covalent_radii[atoms.numbers]
    ratios = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1] / (radii[:, None] + radii[None, :])
    np.fill_diagonal(ratios, np.inf)
    return ratios


def near_pairs(atoms: Atoms, reach_A: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the pairs of atoms whose nearest periodic images are closer than a distance.

    Parameters
    ----------
    atoms : Atoms
        Structure.
    reach_A : float
        Largest distance in A.

    Returns
    -------
    i, j : ndarray of int
        Indices of the atoms of each pair with i < j, shape (p,).
    distance : ndarray of float
        Distance of each pair in A, shape (p,).
    """
    if len(atoms) <= DENSE:
        distances = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1]
        i, j = np.nonzero(np.triu(distances < reach_A, 1))
        return i, j, distances[i, j]
    i, j, distance = neighbor_list("ijd", atoms, reach_A)
    # The list contains every image of a pair; after sorting, the nearest image comes first.
    order = np.lexsort((distance, j, i))
    i, j, distance = i[order], j[order], distance[order]
    nearest = (np.diff(i, prepend=-1) != 0) | (np.diff(j, prepend=-1) != 0)
    nearest &= i < j
    return i[nearest], j[nearest], distance[nearest]


def bond_matrix(atoms: Atoms) -> np.ndarray:
    """Find all bonds of a structure.

    The limit is `MOLECULAR_BOND` between two atoms of molecules and `CRYSTAL_BOND` for all other pairs. A structure
    without annotations is treated as a crystal.

    Returns
    -------
    ndarray of bool
        Symmetric matrix, shape (n, n).
    """
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
    """Find the pairs of atoms that are closer than a multiple of the sum of their covalent radii.

    Parameters
    ----------
    atoms : Atoms
        Structure.
    multiple : float
        Limit in units of the sum of the covalent radii, usually one of `bonding_criteria`.

    Returns
    -------
    ndarray of bool
        Symmetric matrix, shape (n, n).
    """
    radii = covalent_radii[atoms.numbers]
    near = np.zeros((len(atoms), len(atoms)), dtype=bool)
    i, j, distance = near_pairs(atoms, multiple * 2 * radii.max(initial=0.0))
    close = distance < multiple * (radii[i] + radii[j])
    near[i[close], j[close]] = near[j[close], i[close]] = True
    return near


def is_metal(atoms: Atoms) -> np.ndarray:
    """Return the mask of the metal atoms, shape (n,); contacts between them may form and break without a reaction."""
    return ~np.isin(atoms.numbers, NONMETALS)


def is_molecular(atoms: Atoms) -> np.ndarray:
    """Return the mask of the atoms that do not belong to the substrate, shape (n,)."""
    return annotation.parts(atoms) != SUBSTRATE


def molecular_bonds(atoms: Atoms) -> set[tuple[int, int]]:
    """Return the bonds between atoms that do not belong to the substrate, as pairs of indices i < j."""
    molecular = is_molecular(atoms)
    bonded = bond_matrix(atoms) & molecular[:, None] & molecular[None, :]
    return {(int(i), int(j)) for i, j in np.argwhere(np.triu(bonded))}


def recorded_pairs(atoms: Atoms, key: str) -> list[tuple[int, int]]:
    """Return the pairs of indices stored in `atoms.info`.

    Parameters
    ----------
    atoms : Atoms
        Structure.
    key : str
        `bonds`, `formed` or `broken`.

    Returns
    -------
    list of tuple of int
        Empty if nothing is stored under the key.
    """
    value = annotation.noted(atoms, key, [])
    value = json.loads(value) if isinstance(value, str) else value
    return [(int(i), int(j)) for i, j in np.asarray(value, dtype=int).reshape(-1, 2)]


def intended_bonds(atoms: Atoms) -> set[tuple[int, int]]:
    """Return the recorded bonds of the molecules, or the bonds of the present geometry if none are recorded."""
    return set(recorded_pairs(atoms, "bonds")) if annotation.has_note(atoms, "bonds") else molecular_bonds(atoms)


def component(bonds: set[tuple[int, int]], start: int, n: int) -> np.ndarray:
    """Find the atoms that are connected to an atom through bonds.

    Parameters
    ----------
    bonds : set of tuple of int
        Pairs of bonded atoms.
    start : int
        Index of the atom.
    n : int
        Number of atoms of the structure.

    Returns
    -------
    ndarray of int
        Sorted indices, `start` included.
    """
    pairs = np.array(sorted(bonds), dtype=int).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    return np.flatnonzero(labels == labels[start])


def changed_bonds(before: set[tuple[int, int]], atoms: Atoms) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Compare the molecular bonds of a structure with recorded ones.

    Parameters
    ----------
    before : set of tuple of int
        Recorded bonds, as pairs of indices i < j.
    atoms : Atoms
        Structure, usually after a relaxation.

    Returns
    -------
    lost : set of tuple of int
        Recorded bonds that are longer than `BOND_LOST`.
    gained : set of tuple of int
        Contacts between atoms of molecules that are shorter than `BOND_GAINED` and not recorded.
    """
    ratios, molecular = bond_ratios(atoms), is_molecular(atoms)
    lost = {pair for pair in before if ratios[pair] > BOND_LOST}
    close = np.triu((ratios < BOND_GAINED) & molecular[:, None] & molecular[None, :])
    return lost, {(int(i), int(j)) for i, j in np.argwhere(close)} - before


def differing_bonds(one: Atoms, other: Atoms) -> set[tuple[int, int]]:
    """Find the pairs that are bonded in one of two structures of the same atoms and separated in the other.

    Returns
    -------
    set of tuple of int
        Pairs i < j that are closer than `CRYSTAL_BOND` in one structure and farther than `BOND_LOST` in the other.
    """
    first, second = bond_ratios(one), bond_ratios(other)
    differ = (np.minimum(first, second) < CRYSTAL_BOND) & (np.maximum(first, second) > BOND_LOST)
    return {(int(i), int(j)) for i, j in np.argwhere(np.triu(differ))}
