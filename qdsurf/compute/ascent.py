"""Climb to a saddle along one mode, with a model Hessian that learns from every force call."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.compute.optimiser import SOFTEST, model_hessian
from qdsurf.compute.path import coordinates_of, free_atoms, longest
from qdsurf.errors import CalculationError

# Measured on the four molecular reactions of benchmarks/saddle.py, from geodesics: with 0.1 A all are found in 21 to 29
# calls; with longer steps, or with lengths that adapt to how well the energy is foreseen, some fall off the ridge.
MAX_STEP_A = 0.1
# Of fmax, for climbs, and for falls that are hardly deep. Beside soft modes fmax is left far from the saddle, and
# structures on both sides give way to it: with 1.0 the way of N2 over Cu(111) is not found, with 0.3 it is.
TIGHT = 0.3
DOWN = -2.0  # eV/A^2 along the path at its highest point, until force calls say more


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


def start_hessian(guess: np.ndarray, top: Point, tangent: np.ndarray, neighbours: list[Point]) -> np.ndarray:
    """Model Hessian at the highest point of a path: falling along it, and corrected by the points beside it."""
    across = np.eye(len(tangent)) - np.outer(tangent, tangent)
    hessian = across @ guess @ across + DOWN * np.outer(tangent, tangent)
    for point in neighbours:
        hessian = learn(hessian, point.x - top.x, point.gradient - top.gradient)
    return hessian


def learn(hessian: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Update a Hessian by a step and the change of the gradient; negative curvatures may stay (TS-BFGS).

    10.1021/acs.jctc.9b00869, section 2.
    """
    missing = change - hessian @ step
    values, vectors = np.linalg.eigh(hessian)
    stiff = (vectors * np.abs(values)) @ (vectors.T @ step)
    weight = (step @ change) * change + (step @ stiff) * stiff
    scale = weight @ step
    if scale < 1e-12:
        return hessian
    weight = weight / scale
    update = np.outer(missing, weight)
    return hessian + update + update.T - (missing @ step) * np.outer(weight, weight)


def follow_mode(
    surface: Callable[[np.ndarray], Point],
    start: Point,
    hessian: np.ndarray,
    mode: np.ndarray,
    fmax: float,
    max_calls: int,
    guide: Callable[[np.ndarray], np.ndarray],
) -> tuple[Point, np.ndarray, np.ndarray]:
    """Go uphill along one mode and downhill in all others until no force is left.

    10.1063/1.442352; the choice of the mode as in 10.1002/jcc.540070402.

    Parameters
    ----------
    hessian : guess in eV/A^2, over the free coordinates.
    mode : the direction to climb along; after every step it is the mode that resembles the last one and the guide most,
        negative curvatures first.
    fmax : largest force on an atom at the end, eV/A; the climb goes on to `TIGHT` of it where it can.
    guide : direction at a point that the mode should lean to, length 1 or 0.

    Returns
    -------
    The last point, whether or not its forces are below `fmax`, the mode there, and the Hessian learnt on the way.
    """
    point = start
    for _ in range(max_calls):
        if point.max_force < TIGHT * fmax:
            break
        basis = surface.shapes(point.x)
        values, vectors = np.linalg.eigh(basis.T @ hessian @ basis)
        modes = basis @ vectors
        resemblance = np.abs(mode @ modes) + np.abs(guide(point.x) @ modes)
        likeness = resemblance * np.where(values < 0, 10.0, np.exp(-np.maximum(values, 0) / 5))
        up = int(np.argmax(likeness))
        if point.max_force < fmax and values[up] > 0:  # on its way into a minimum
            break
        lengths = -(point.gradient @ modes) / np.maximum(np.abs(values), SOFTEST)
        lengths[up] *= -1
        step = modes @ lengths
        step *= min(1.0, MAX_STEP_A / longest(step))
        mode, before = modes[:, up], point
        point = surface(before.x + step)
        hessian = learn(hessian, step, point.gradient - before.gradient)
    return point, mode, hessian
