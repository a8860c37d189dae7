"""Harmonic vibrations by central differences."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator

from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.worker import Worker

DISPLACEMENT_A = 0.01  # central differences: error 1e-4 of a mode, well above the noise of an SCF
CALLS_AN_ATOM = 6


def normal_modes(
    atoms: Atoms, spec: CalculatorSpec, indices: Sequence[int] | None = None, timeout_s: float | None = None
) -> np.ndarray:
    """Energies of the normal modes.

    Parameters
    ----------
    indices : atoms that move; None takes all. Costs 6 force calls for each.
    timeout_s : with it the calculator has a process of its own, which is ended when it takes longer.

    Returns
    -------
    Mode energies in eV, ascending, shape (3 n,); imaginary modes are negative.

    Raises
    ------
    CalculationError : the calculator crashed or took too long in its own process; says which.
    """
    indices = list(range(len(atoms))) if indices is None else list(indices)
    work = atoms.copy()
    work.set_constraint()
    if timeout_s is None:
        return _modes(make_calculator(spec), work, indices)
    with Worker(partial(make_calculator, spec), _modes) as worker:
        return worker.run(work, indices, timeout_s=timeout_s, report=print)


def _modes(
    calculator: Calculator, atoms: Atoms, indices: Sequence[int], report: Callable[..., None] | None = None
) -> np.ndarray:
    atoms.calc = calculator
    return mode_energies(partial_hessian(atoms, indices), atoms.get_masses()[indices])[0]


def partial_hessian(atoms: Atoms, indices: Sequence[int]) -> np.ndarray:
    """Hessian in eV/A^2 of the atoms that move, shape (3 n, 3 n), symmetrised; the calculator of `atoms` runs."""
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
    """Energies of the modes in eV, ascending, imaginary ones negative, and their Cartesian directions as columns."""
    weights = np.repeat(masses**-0.5, 3)
    eigenvalues, vectors = np.linalg.eigh(hessian * np.outer(weights, weights))
    # hbar omega = hbar sqrt(k/m), with k/m in eV/(A^2 u)
    energies = np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * units._hbar * 1e10 / np.sqrt(units._e * units._amu)
    directions = weights[:, None] * vectors
    return energies, directions / np.linalg.norm(directions, axis=0)
