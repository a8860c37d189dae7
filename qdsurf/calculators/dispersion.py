"""D3(BJ) dispersion (10.1002/jcc.21759) by dftd3, independent of the position of a structure in its cell."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.units import Bohr

from qdsurf.calculators.cells import completed_cell, has_volume
from qdsurf.errors import InputError

VACUUM_A = 60 * Bohr + 0.1  # more than the cut-off of D3, so that periodic images do not interact


class Dispersion(Calculator):
    """Two-body D3(BJ) dispersion of a functional.

    dftd3 1.7 is correct for molecules and for cells that are periodic in three directions. With mixed periodicity it
    wraps atoms in all directions, which splits a slab that crosses a cell boundary, and its energies depend on the
    orientation of the cell. Slabs and wires are therefore computed in a periodic cell with vacuum beyond the cut-off of
    D3.

    Parameters
    ----------
    functional : str
        Functional such as PBE.

    Raises
    ------
    InputError
        D3 has no parameters for the functional.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 (as in ASE)

    def __init__(self, functional: str):
        from dftd3.ase import DFTD3
        from dftd3.interface import RationalDampingParam

        super().__init__()
        try:
            RationalDampingParam(method=functional)
        except RuntimeError:
            raise InputError(
                f"calculator.parameters.d3: D3(BJ) has no parameters for {functional!r}; give a functional such as "
                "PBE, or none"
            ) from None
        self.d3 = DFTD3(method=functional, damping="d3bj")

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute energy (eV), forces (eV/A) and, if the cell has a volume, stress (eV/A^3)."""
        super().calculate(atoms, properties, system_changes)
        boxed = enclose(self.atoms)
        energy = self.d3.get_potential_energy(boxed)
        self.results = {"energy": energy, "free_energy": energy, "forces": self.d3.get_forces(boxed)}
        if has_volume(self.atoms):
            per_volume = boxed.get_volume() / self.atoms.get_volume()
            self.results["stress"] = self.d3.get_stress(boxed) * per_volume


def enclose(atoms: Atoms) -> Atoms:
    """Copy a structure into a cell that is periodic in all directions, with vacuum in the non-periodic ones.

    Parameters
    ----------
    atoms : Atoms
        Structure with any periodicity.

    Returns
    -------
    Atoms
        The copy; a molecule has no cell.
    """
    if not atoms.pbc.any():
        return Atoms(atoms.numbers, atoms.positions)
    cell = completed_cell(atoms)
    boxed = Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=True)
    for axis in np.flatnonzero(~atoms.pbc):
        height = atoms.positions @ cell[axis]
        boxed.positions -= (height.min() - VACUUM_A / 2) * cell[axis]
        boxed.cell[axis] = (np.ptp(height) + VACUUM_A) * cell[axis]
    return boxed
