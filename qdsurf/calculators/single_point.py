"""Energy, forces and stress of a structure without relaxation."""

from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError

from qdsurf.calculators.cells import has_volume
from qdsurf.errors import CalculationError, QDSurfError


class SinglePoint(NamedTuple):
    """Result of a single-point calculation.

    Attributes
    ----------
    energy_eV : float
        Total energy.
    forces_eV_per_A : ndarray
        Forces, shape (atoms, 3).
    stress_eV_per_A3 : ndarray or None
        Components xx, yy, zz, yz, xz, xy, positive under tension. None if the cell has no volume or the calculator has
        no stress.
    """

    energy_eV: float
    forces_eV_per_A: np.ndarray
    stress_eV_per_A3: np.ndarray | None


def single_point(atoms: Atoms, calculator: Calculator) -> SinglePoint:
    """Run a calculator once. Constraints are not applied to the forces.

    Parameters
    ----------
    atoms : Atoms
        Structure; it is not changed.
    calculator : Calculator
        Any ASE calculator.

    Returns
    -------
    SinglePoint
        Energy, forces and stress.

    Raises
    ------
    CalculationError
        The calculator failed, or its energy or a force is not finite.
    """
    atoms = atoms.copy()
    atoms.calc = calculator
    try:
        energy = float(atoms.get_potential_energy())
        forces = atoms.get_forces(apply_constraint=False)
        stress = _stress(atoms)
    except QDSurfError:
        raise
    except Exception as error:  # a calculator can raise anything
        raise CalculationError(f"the calculator failed: {type(error).__name__}: {error}") from None
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        raise CalculationError("the energy or a force is not finite; check the structure for overlapping atoms")
    return SinglePoint(energy, forces, stress)


def _stress(atoms: Atoms) -> np.ndarray | None:
    """Stress in eV/A^3; None if it is not defined or the calculator does not have it."""
    if not has_volume(atoms):
        return None
    try:
        return atoms.get_stress(apply_constraint=False)
    except (PropertyNotImplementedError, NotImplementedError):
        return None
