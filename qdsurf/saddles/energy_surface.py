"""The potential energy as a function of the free coordinates; counts the calls of the calculator."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.errors import CalculationError
from qdsurf.relaxation.coordinates import coordinates_of, free_atoms, longest
from qdsurf.relaxation.hessian import model_hessian


class Point(NamedTuple):
    """Flat free coordinates in A, energy in eV and its gradient in eV/A."""

    x: np.ndarray
    energy: float
    gradient: np.ndarray

    @property
    def max_force(self) -> float:
        """Largest force on an atom, eV/A."""
        return longest(self.gradient)

    def checked(self) -> "Point":
        """The same point.

        Raises
        ------
        CalculationError : energy or gradient are not finite.
        """
        if not (np.isfinite(self.energy) and np.isfinite(self.gradient).all()):
            raise CalculationError("energy or forces are not finite")
        return self


class Surface:
    """The energy as a function of the free coordinates; every call of the calculator is counted here.

    Parameters
    ----------
    atoms : gives the fixed atoms and the cell.
    """

    def __init__(self, atoms: Atoms, calculator):
        self.free = free_atoms(atoms)
        self.atoms = atoms.copy()
        self.atoms.set_constraint()
        self.atoms.calc = calculator
        self.calls = 0

    def __call__(self, x: np.ndarray) -> Point:
        """Run the calculator."""
        self.atoms.positions[self.free] = x.reshape(-1, 3)
        self.calls += 1
        return Point(x, self.atoms.get_potential_energy(), -self.flat(self.atoms.get_forces())).checked()

    def flat(self, vectors: np.ndarray) -> np.ndarray:
        """The part of positions or forces, shape (n, 3), that belongs to the free atoms."""
        return vectors[self.free].ravel()

    def structure(self, x: np.ndarray, like: Atoms) -> Atoms:
        """A copy of a structure at other free coordinates."""
        atoms = like.copy()
        positions = atoms.positions
        positions[self.free] = x.reshape(-1, 3)
        atoms.set_positions(positions, apply_constraint=False)
        return atoms

    def guess(self, atoms: Atoms) -> np.ndarray:
        """Model Hessian of the free coordinates, eV/A^2."""
        rows = coordinates_of(self.free)
        return model_hessian(atoms)[np.ix_(rows, rows)]

    def stretch(self, x: np.ndarray, pairs: Mapping[tuple[int, int], float]) -> np.ndarray:
        """Direction in which the distances of pairs grow fastest, each with its weight; length 1, or 0 for no pairs."""
        structure = self.structure(x, self.atoms)
        direction = np.zeros((len(structure), 3))
        for (i, j), weight in pairs.items():
            away = structure.get_distance(i, j, mic=True, vector=True)
            direction[[i, j]] += weight * np.outer([-1, 1], away / np.linalg.norm(away))
        flat = self.flat(direction)
        return flat / max(np.linalg.norm(flat), 1e-12)

    def shapes(self, x: np.ndarray) -> np.ndarray:
        """Orthonormal directions that change the shape, one a column: all of them unless the molecule is free."""
        if len(self.free) < len(self.atoms) or self.atoms.pbc.any():
            return np.eye(len(x))
        positions = x.reshape(-1, 3) - x.reshape(-1, 3).mean(axis=0)
        rigid = [np.tile(axis, len(positions)) for axis in np.eye(3)]
        rigid += [np.cross(axis, positions).ravel() for axis in np.eye(3)]
        left, sizes, _ = np.linalg.svd(np.array(rigid).T)
        return left[:, int((sizes > 1e-6).sum()) :]
