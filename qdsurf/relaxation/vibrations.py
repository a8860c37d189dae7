"""Harmonic vibrations from central differences of the forces."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator

from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.worker import Worker

# At this displacement central differences change a mode by a fraction of 1e-4, and the forces change by much more than
# the noise of an SCF.
DISPLACEMENT_A = 0.01
CALLS_PER_ATOM = 6  # two displacements in each of three directions


def normal_modes(
    atoms: Atoms, spec: CalculatorSpec, indices: Sequence[int] | None = None, timeout_s: float | None = None
) -> np.ndarray:
    """Compute the energies of the normal modes.

    Parameters
    ----------
    atoms : Atoms
        Structure at a stationary point. Its constraints are ignored.
    spec : CalculatorSpec
        Calculator; it is called six times for each atom that moves.
    indices : sequence of int, optional
        Atoms that move; None takes all.
    timeout_s : float, optional
        Longest time in s. The calculator then runs in a separate process.

    Returns
    -------
    ndarray of float
        Mode energies in eV, ascending, shape (3 m,) for m atoms; imaginary modes are negative.

    Raises
    ------
    CalculationError
        The calculator crashed or took too long in the separate process; the message says which.
    """
    indices = list(range(len(atoms))) if indices is None else list(indices)
    work = atoms.copy()
    work.set_constraint()
    if timeout_s is None:
        return _mode_energies_with(make_calculator(spec), work, indices)
    with Worker(partial(make_calculator, spec), _mode_energies_with) as worker:
        return worker.run(work, indices, timeout_s=timeout_s, report=lambda *_: None)


def _mode_energies_with(
    calculator: Calculator, atoms: Atoms, indices: Sequence[int], report: Callable[..., None] | None = None
) -> np.ndarray:
    """Compute the mode energies with a calculator; `report` is passed by the worker and not used."""
    atoms.calc = calculator
    return mode_energies(partial_hessian(atoms, indices), atoms.get_masses()[indices])[0]


def partial_hessian(atoms: Atoms, indices: Sequence[int] | np.ndarray) -> np.ndarray:
    """Compute the Hessian of some atoms by central differences.

    Parameters
    ----------
    atoms : Atoms
        Structure with a calculator and without constraints.
    indices : sequence of int
        The m atoms that move.

    Returns
    -------
    ndarray of float
        Symmetric matrix in eV/A^2, shape (3 m, 3 m).
    """
    hessian = np.empty((3 * len(indices), 3 * len(indices)))
    for row, (i, axis) in enumerate((i, axis) for i in indices for axis in range(3)):
        forces = []
        for sign in (1, -1):
            atoms.positions[i, axis] += sign * DISPLACEMENT_A
            forces.append(atoms.get_forces()[indices].ravel())
            atoms.positions[i, axis] -= sign * DISPLACEMENT_A
        hessian[row] = (forces[1] - forces[0]) / (2 * DISPLACEMENT_A)
    return (hessian + hessian.T) / 2


def mode_energies(hessian: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Diagonalise a mass-weighted Hessian.

    Parameters
    ----------
    hessian : ndarray of float
        In eV/A^2, shape (3 m, 3 m).
    masses : ndarray of float
        Atomic masses in u, shape (m,).

    Returns
    -------
    energies : ndarray of float
        Mode energies in eV, ascending, shape (3 m,); imaginary modes are negative.
    directions : ndarray of float
        Normalised Cartesian displacements of the modes, one mode per column, shape (3 m, 3 m).
    """
    weights = np.repeat(masses**-0.5, 3)
    eigenvalues, vectors = np.linalg.eigh(hessian * np.outer(weights, weights))
    # hbar omega = hbar sqrt(k/m), with k/m in eV/(A^2 u)
    energies = np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * units._hbar * 1e10 / np.sqrt(units._e * units._amu)
    directions = weights[:, None] * vectors
    return energies, directions / np.linalg.norm(directions, axis=0)
