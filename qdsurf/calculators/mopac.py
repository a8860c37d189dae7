"""MOPAC in process: NDDO methods whose exact exchange keeps the gap of ionic crystals open."""

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator, all_changes
from mopactools import api

from qdsurf.errors import CalculationError

KCAL_EV = units.kcal / units.mol


class Mopac(Calculator):
    """Heat of formation and its gradient by MOPAC's library, at the Gamma point.

    Cell vectors should be longer than about 8 A: MOPAC takes interactions beyond half a cell from a cut-off.

    Parameters
    ----------
    method : PM7, PM6-D3H4 or PM6 (10.1007/s00894-012-1667-x).
    tolerance : multiple of MOPAC's usual convergence thresholds.
    """

    implemented_properties = ("energy", "forces")

    def __init__(self, method: str = "PM7", tolerance: float = 1.0):
        super().__init__()
        self.method, self.tolerance = method, tolerance
        self.forget()

    def forget(self) -> None:
        """Drop the last density, so that the next SCF starts from a fresh guess."""
        self._state = api.MopacState()
        self.reset()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF; energy is the heat of formation in eV.

        Raises
        ------
        CalculationError : MOPAC reports an error.
        """
        super().calculate(atoms, properties, system_changes)
        if "numbers" in system_changes:
            self._state = api.MopacState()
        system = api.MopacSystem()
        system.model, system.tolerance = self.method, self.tolerance
        system.natom = system.natom_move = len(self.atoms)
        system.atom = self.atoms.numbers.astype(np.int32)
        system.coord = self.atoms.positions.ravel().copy()
        lattice = self.atoms.cell.array[self.atoms.pbc]
        system.nlattice, system.lattice = len(lattice), lattice.ravel().copy()
        found = api.from_data(system, self._state)
        if found.error_msg:
            raise CalculationError(f"MOPAC {self.method} of {self.atoms.symbols}: {'; '.join(found.error_msg)}")
        forces = -np.array(found.coord_deriv).reshape(-1, 3) * KCAL_EV
        self.results = {"energy": float(found.heat) * KCAL_EV, "forces": forces}
