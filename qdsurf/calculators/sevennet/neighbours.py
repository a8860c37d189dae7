"""Edges of a structure: all pairs of atoms within the cut-off, including periodic images."""

from typing import NamedTuple

import numpy as np
from ase import Atoms
from vesin import NeighborList

from qdsurf.calculators.cells import completed_cell
from qdsurf.errors import CalculationError, InputError

CLOSEST_A = 0.4  # the radial tables are coarse below; the shortest distance in a molecule is 0.74 A


class NeighbourList(NamedTuple):
    """Edges within the cut-off. Every pair of atoms has two edges, one from each atom, sorted by the first atom.

    Attributes
    ----------
    starts : ndarray
        The edges of atom a are starts[a] to starts[a + 1], shape (atoms + 1,).
    neighbours : ndarray
        Index of the second atom, shape (edges,).
    vectors : ndarray
        From the first to the second atom in A, shape (edges, 3).
    distances : ndarray
        Length of the vectors in A, shape (edges,).
    """

    starts: np.ndarray
    neighbours: np.ndarray
    vectors: np.ndarray
    distances: np.ndarray


def check_structure(atoms: Atoms) -> None:
    """Assert that the energy of a structure is defined.

    Parameters
    ----------
    atoms : Atoms
        The structure.

    Raises
    ------
    InputError
        There are no atoms, a position or cell vector is not finite, or the structure is periodic along a cell vector
        that is zero or lies in the plane of the others.
    """
    if not len(atoms):
        raise InputError("the structure has no atoms; give at least one")
    for number in np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))[:1]:
        raise InputError(
            f"atom {number} ({atoms.symbols[number]}) has the position {atoms.positions[number].tolist()}; "
            "positions must be finite numbers in A"
        )
    if not np.isfinite(atoms.cell.array).all():
        raise InputError(f"the cell {atoms.cell.array.tolist()} is not finite; give vectors in A")
    for axis in np.flatnonzero(atoms.pbc):
        if not np.linalg.norm(atoms.cell[axis]) > CLOSEST_A:
            raise InputError(
                f"the structure is periodic along cell vector {'abc'[axis]}, which is {atoms.cell[axis].tolist()} A; "
                f"give it a length, or set pbc[{axis}] to False"
            )
    periodic = atoms.cell.array[atoms.pbc]
    if len(periodic) and not np.linalg.svd(periodic, compute_uv=False).min() > CLOSEST_A / 2:
        raise InputError(
            f"the periodic cell vectors {periodic.tolist()} lie in one plane or line, or nearly; give independent ones"
        )


def find_edges(atoms: Atoms, cutoff_A: float) -> NeighbourList:
    """Find all edges of a structure.

    Parameters
    ----------
    atoms : Atoms
        Structure with any periodicity.
    cutoff_A : float
        Largest distance of a pair.

    Returns
    -------
    NeighbourList
        Edges from both ends of every pair, sorted by the first atom.

    Raises
    ------
    CalculationError
        Two atoms are closer than 0.4 A; the message names them.
    """
    cell = completed_cell(atoms)
    search = NeighborList(cutoff=cutoff_A, full_list=True, sorted=True, n_threads=1)
    first, second, vectors, distances = search.compute(atoms.positions, cell, atoms.pbc, "ijDd")
    if len(distances) and distances.min() < CLOSEST_A:
        k = int(np.argmin(distances))
        i, j = int(first[k]), int(second[k])
        raise CalculationError(
            f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) are {distances[k]:.3f} A apart. The smallest "
            f"distance of the potential is {CLOSEST_A} A. Separate the atoms, or check the cell and pbc"
        )
    starts = np.concatenate([[0], np.cumsum(np.bincount(first.astype(np.int64), minlength=len(atoms)))])
    return NeighbourList(starts, second.astype(np.int64), np.ascontiguousarray(vectors), distances)
