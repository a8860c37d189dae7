"""Free atoms of a structure, their coordinates, and displacements between two structures."""

import numpy as np
from ase import Atoms
from ase.build import minimize_rotation_and_translation
from ase.constraints import FixAtoms
from ase.geometry import find_mic


def free_atoms(atoms: Atoms) -> np.ndarray:
    """Return the indices of the atoms that no FixAtoms constraint fixes, shape (m,), ascending."""
    fixed = [constraint.index for constraint in atoms.constraints if isinstance(constraint, FixAtoms)]
    return np.setdiff1d(np.arange(len(atoms)), np.concatenate([np.zeros(0, dtype=int), *fixed]))


def coordinates_of(indices: np.ndarray) -> np.ndarray:
    """Return the indices of the coordinates of some atoms in a Hessian or in a flat vector.

    Parameters
    ----------
    indices : ndarray of int
        Indices of the atoms, shape (m,).

    Returns
    -------
    ndarray of int
        Shape (3 m,), in the order x, y, z for each atom.
    """
    return (3 * indices[:, None] + np.arange(3)).ravel()


def longest(vectors: np.ndarray) -> float:
    """Return the largest length among the vectors of the atoms.

    Parameters
    ----------
    vectors : ndarray
        One vector for each atom, shape (n, 3) or (3 n,), in any unit.

    Returns
    -------
    float
        In the same unit; 0 without atoms.
    """
    return float(np.linalg.norm(vectors.reshape(-1, 3), axis=1).max(initial=0.0))


def displacements(start: Atoms, end: Atoms) -> np.ndarray:
    """Compute the displacement of each atom between two structures.

    Two free molecules are first superimposed by a rotation and a translation.

    Parameters
    ----------
    start, end : Atoms
        The same atoms in the same order. A molecule is free if it has neither a periodic direction nor constraints.

    Returns
    -------
    ndarray of float
        Vectors from `start` to `end` in A, shape (n, 3); in a periodic cell, those to the nearest images.
    """
    end = end.copy()
    if not start.pbc.any() and not start.constraints and len(start) > 1:
        minimize_rotation_and_translation(start, end)
    return find_mic(end.positions - start.positions, start.cell, start.pbc)[0]
