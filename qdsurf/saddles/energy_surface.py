"""The potential energy as a function of the free coordinates, with a count of the force calls."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from qdsurf.errors import CalculationError
from qdsurf.relaxation.coordinates import coordinates_of, free_atoms, longest
from qdsurf.relaxation.hessian import model_hessian


class Point(NamedTuple):
    """A point of the potential energy surface.

    Attributes
    ----------
    x : ndarray of float
        Free coordinates in A, shape (m,).
    energy : float
        In eV.
    gradient : ndarray of float
        Gradient of the energy in eV/A, shape (m,).
    """

    x: np.ndarray
    energy: float
    gradient: np.ndarray

    @property
    def max_force(self) -> float:
        """Largest force on an atom in eV/A."""
        return longest(self.gradient)

    def checked(self) -> "Point":
        """Return the same point.

        Raises
        ------
        CalculationError
            Energy or gradient are not finite.
        """
        if not (np.isfinite(self.energy) and np.isfinite(self.gradient).all()):
            raise CalculationError("energy or forces are not finite")
        return self


class EnergySurface:
    """The potential energy of a structure as a function of its free coordinates.

    Parameters
    ----------
    atoms : Atoms
        Structure of n atoms; gives the elements, the cell and the fixed atoms.
    calculator : Calculator or None
        Any ASE calculator; None if only the geometric functions are used.

    Attributes
    ----------
    free : ndarray of int
        Indices of the free atoms.
    calls : int
        Number of force calls.
    """

    def __init__(self, atoms: Atoms, calculator: Calculator | None):
        self.free = free_atoms(atoms)
        self.atoms = atoms.copy()
        self.atoms.set_constraint()
        self.atoms.calc = calculator
        self.calls = 0

    def __call__(self, x: np.ndarray) -> Point:
        """Compute energy and gradient at free coordinates in A, shape (m,)."""
        self.atoms.positions[self.free] = x.reshape(-1, 3)
        self.calls += 1
        gradient = -self.free_coordinates(self.atoms.get_forces())
        return Point(x, self.atoms.get_potential_energy(), gradient).checked()

    def free_coordinates(self, vectors: np.ndarray) -> np.ndarray:
        """Return the part of positions or forces, shape (n, 3), that belongs to the free atoms, shape (m,)."""
        return vectors[self.free].ravel()

    def structure(self, x: np.ndarray, template: Atoms) -> Atoms:
        """Return a copy of a structure with other free coordinates.

        Parameters
        ----------
        x : ndarray of float
            Free coordinates in A, shape (m,).
        template : Atoms
            Gives the fixed positions, the annotations and the constraints.
        """
        atoms = template.copy()
        positions = atoms.positions
        positions[self.free] = x.reshape(-1, 3)
        atoms.set_positions(positions, apply_constraint=False)
        return atoms

    def hessian_guess(self, atoms: Atoms) -> np.ndarray:
        """Return the model Hessian of the free coordinates in eV/A^2, shape (m, m)."""
        coordinates = coordinates_of(self.free)
        return model_hessian(atoms)[np.ix_(coordinates, coordinates)]

    def stretch_direction(self, x: np.ndarray, weights: Mapping[tuple[int, int], float]) -> np.ndarray:
        """Compute the direction in which a weighted sum of distances increases fastest.

        Parameters
        ----------
        x : ndarray of float
            Free coordinates in A, shape (m,).
        weights : mapping
            Weight of each pair of atoms.

        Returns
        -------
        ndarray of float
            Unit vector, shape (m,); 0 without pairs.
        """
        structure = self.structure(x, self.atoms)
        direction = np.zeros((len(structure), 3))
        for (i, j), weight in weights.items():
            bond = structure.get_distance(i, j, mic=True, vector=True)
            direction[[i, j]] += weight * np.outer([-1, 1], bond / np.linalg.norm(bond))
        free_direction = self.free_coordinates(direction)
        return free_direction / max(np.linalg.norm(free_direction), 1e-12)

    def internal_directions(self, x: np.ndarray) -> np.ndarray:
        """Compute an orthonormal basis of the displacements without overall translation and rotation.

        Parameters
        ----------
        x : ndarray of float
            Free coordinates in A, shape (m,).

        Returns
        -------
        ndarray of float
            Directions as columns, shape (m, k). They include all displacements if an atom is fixed or if a direction is
            periodic.
        """
        if len(self.free) < len(self.atoms) or self.atoms.pbc.any():
            return np.eye(len(x))
        positions = x.reshape(-1, 3) - x.reshape(-1, 3).mean(axis=0)
        translations = [np.tile(axis, len(positions)) for axis in np.eye(3)]
        rotations = [np.cross(axis, positions).ravel() for axis in np.eye(3)]
        left, sizes, _ = np.linalg.svd(np.array(translations + rotations).T)
        return left[:, int((sizes > 1e-6).sum()) :]
