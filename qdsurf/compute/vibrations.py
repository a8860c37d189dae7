"""Harmonic vibrations by central differences."""

import numpy as np
from ase import Atoms, units

from qdsurf.compute.calculators import make_calculator
from qdsurf.records import CalculatorSpec

DISPLACEMENT_A = 0.01  # central differences: error 1e-4 of a mode, well above the noise of an SCF


def normal_modes(atoms: Atoms, spec: CalculatorSpec, indices: list[int] | None = None) -> np.ndarray:
    """Energies of the normal modes.

    Parameters
    ----------
    indices : atoms that move; None takes all. Costs 6 force calls for each.

    Returns
    -------
    Mode energies in eV, ascending, shape (3 n,); imaginary modes are negative.
    """
    indices = list(range(len(atoms))) if indices is None else list(indices)
    work = atoms.copy()
    work.set_constraint()
    work.calc = make_calculator(spec)
    hessian = np.empty((3 * len(indices), 3 * len(indices)))
    for row, (i, axis) in enumerate((i, axis) for i in indices for axis in range(3)):
        forces = []
        for sign in (1, -1):
            work.positions[i, axis] += sign * DISPLACEMENT_A
            forces.append(work.get_forces()[indices].ravel())
            work.positions[i, axis] -= sign * DISPLACEMENT_A
        hessian[row] = (forces[1] - forces[0]) / (2 * DISPLACEMENT_A)
    weights = np.repeat(work.get_masses()[indices] ** -0.5, 3)
    eigenvalues = np.linalg.eigvalsh((hessian + hessian.T) / 2 * np.outer(weights, weights))
    # hbar omega = hbar sqrt(k/m), with k/m in eV/(A^2 u)
    return np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * units._hbar * 1e10 / np.sqrt(units._e * units._amu)
