"""MOPAC through its library: NDDO methods, whose exact exchange keeps the band gap of ionic crystals open."""

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from mopactools import api

from qdsurf.errors import CalculationError

KCAL_EV = units.kcal / units.mol


class Mopac(Calculator):
    """Heat of formation and its gradient by the library of MOPAC, at the Gamma point.

    Cell vectors should be longer than about 8 A, because MOPAC uses a cut-off for interactions beyond half a cell.

    Parameters
    ----------
    method : str, optional
        PM7, PM6-D3H4 or PM6 (10.1007/s00894-012-1667-x).
    tolerance : float, optional
        Multiple of the default convergence thresholds of MOPAC.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as in ASE)

    def __init__(self, method: str = "PM7", tolerance: float = 1.0):
        super().__init__()
        self.method = method
        self.tolerance = tolerance
        self.forget()

    def forget(self) -> None:
        """Drop the last density, so that the next SCF starts from a fresh guess."""
        self._state = api.MopacState()
        self.reset()

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute the heat of formation (eV) as the energy, and the forces (eV/A).

        Raises
        ------
        CalculationError
            MOPAC reports an error; the message contains its text.
        """
        super().calculate(atoms, properties, system_changes)
        if "numbers" in system_changes:
            self._state = api.MopacState()
        system = api.MopacSystem()
        system.model = self.method
        system.tolerance = self.tolerance
        system.natom = system.natom_move = len(self.atoms)
        system.atom = self.atoms.numbers.astype(np.int32)
        system.coord = self.atoms.positions.ravel().copy()
        periodic_vectors = self.atoms.cell.array[self.atoms.pbc]
        system.nlattice = len(periodic_vectors)
        system.lattice = periodic_vectors.ravel().copy()
        found = api.from_data(system, self._state)
        if found.error_msg:
            raise CalculationError(f"MOPAC {self.method} of {self.atoms.symbols}: {'; '.join(found.error_msg)}")
        forces = -np.array(found.coord_deriv).reshape(-1, 3) * KCAL_EV
        self.results = {"energy": float(found.heat) * KCAL_EV, "forces": forces}
