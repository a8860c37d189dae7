"""Free atoms of a structure, their coordinates, and displacements between two structures."""

import numpy as np
from ase import Atoms
from ase.build import minimize_rotation_and_translation
from ase.constraints import FixAtoms
from ase.geometry import find_mic


def free_atoms(atoms: Atoms) -> np.ndarray:
    """Indices of the atoms that no FixAtoms holds."""
    held = [constraint.index for constraint in atoms.constraints if isinstance(constraint, FixAtoms)]
    return np.setdiff1d(np.arange(len(atoms)), np.concatenate([np.zeros(0, dtype=int), *held]))


def coordinates_of(indices: np.ndarray) -> np.ndarray:
    """Rows of some atoms in a Hessian or a flat vector."""
    return (3 * indices[:, None] + np.arange(3)).ravel()


def longest(vectors: np.ndarray) -> float:
    """Length of the longest of the atoms' vectors, flat or of shape (n, 3)."""
    return float(np.linalg.norm(vectors.reshape(-1, 3), axis=1).max(initial=0.0))


def displacements(start: Atoms, end: Atoms) -> np.ndarray:
    """Vectors in A from one structure to another, shape (n, 3), the shortest ones in a periodic cell.

    A free molecule is first turned and shifted onto the other.
    """
    end = end.copy()
    if not start.pbc.any() and not start.constraints and len(start) > 1:
        minimize_rotation_and_translation(start, end)
    return find_mic(end.positions - start.positions, start.cell, start.pbc)[0]
