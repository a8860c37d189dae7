"""D3(BJ) dispersion (10.1002/jcc.21759) through dftd3, for slabs and molecules wherever they lie in their cell."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from qdsurf.errors import InputError

MARGIN_A = 1.0  # between the atoms and the ends of the cell in directions that are not periodic


class Dispersion(Calculator):
    """Two-body D3(BJ) of a functional.

    dftd3 wraps atoms into the cell in all directions, also where the structure is not periodic: a slab across the end
    of its cell would be torn in two. It is therefore given a cell that encloses the whole structure.

    Parameters
    ----------
    functional : such as PBE.

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
                f"calculator.parameters.d3: {functional!r} is no functional that D3 knows, such as PBE"
            ) from None
        self.d3 = DFTD3(method=functional, damping="d3bj")

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Energy (eV), forces (eV/A) and, in a periodic cell, stress (eV/A^3)."""
        super().calculate(atoms, properties, system_changes)
        held = enclosed(self.atoms)
        energy = self.d3.get_potential_energy(held)
        self.results = {"energy": energy, "free_energy": energy, "forces": self.d3.get_forces(held)}
        if self.atoms.pbc.any() and self.atoms.cell.rank == 3:
            per_volume = held.get_volume() / self.atoms.get_volume()
            self.results["stress"] = self.d3.get_stress(held) * per_volume


def enclosed(atoms: Atoms) -> Atoms:
    """The structure, moved into a cell that encloses it in every direction in which it is not periodic."""
    if not atoms.pbc.any():
        return Atoms(atoms.numbers, atoms.positions)
    cell = completed_cell(atoms)
    held = Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=atoms.pbc)
    for axis in np.flatnonzero(~atoms.pbc):
        height = atoms.positions @ cell[axis]
        held.positions += (MARGIN_A - height.min()) * cell[axis]
        held.cell[axis] = (np.ptp(height) + 2 * MARGIN_A) * cell[axis]
    return held


def completed_cell(atoms: Atoms) -> np.ndarray:
    """Cell with unit vectors, at right angles to the periodic ones, in place of those that are not periodic, A."""
    cell = atoms.cell.array.copy()
    periodic = cell[atoms.pbc]
    if not len(periodic):
        return np.eye(3)
    cell[~atoms.pbc] = np.linalg.svd(periodic)[2][len(periodic) :]
    return cell
