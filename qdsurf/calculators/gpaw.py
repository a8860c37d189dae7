"""Density functional theory with plane waves and PAW by GPAW, molecules, slabs and bulk."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from qdsurf.errors import CalculationError

EMPTY_A = 5.0  # around a molecule; plane waves want a cell


class Gpaw(Calculator):
    """GPAW with a box around molecules, and an error where the SCF did not converge.

    Parameters
    ----------
    xc : functional that GPAW knows, such as PBE.
    ecut_eV : of the plane waves.
    kpoints : along each periodic direction.
    """

    implemented_properties = ("energy", "forces")

    def __init__(self, xc: str, ecut_eV: float, kpoints: int):
        super().__init__()
        self.xc, self.ecut_eV, self.kpoints, self._gpaw = xc, ecut_eV, kpoints, None

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF, started from the last one where only atoms moved.

        Raises
        ------
        CalculationError : the SCF did not converge, or GPAW has no setup for an element.
        """
        from gpaw import GPAW, PW, ConvergenceError

        super().calculate(atoms, properties, system_changes)
        boxed = boxed_molecule(self.atoms)
        if self._gpaw is None or {"numbers", "pbc"} & set(system_changes):
            kpoints = [self.kpoints if periodic else 1 for periodic in boxed.pbc]
            self._gpaw = GPAW(mode=PW(self.ecut_eV), xc=self.xc, kpts=kpoints, txt=None)
        boxed.calc = self._gpaw
        try:
            self.results = {"energy": boxed.get_potential_energy(), "forces": boxed.get_forces()}
        except ConvergenceError as error:
            self._gpaw = None
            raise CalculationError(f"GPAW of {self.atoms.symbols}: the SCF did not converge: {error}") from None
        except FileNotFoundError as error:
            self._gpaw = None
            raise CalculationError(
                f"GPAW of {self.atoms.symbols}: {error}; `pip install gpaw-data` brings the setups"
            ) from None


def boxed_molecule(atoms: Atoms) -> Atoms:
    """Copy without constraints, in the middle of its cell along open directions; a molecule is put into a box."""
    boxed = atoms.copy()
    boxed.set_constraint()
    if not boxed.pbc.any():
        # Whole angstroms: a box that followed every step would change the plane waves, and the energy with them.
        boxed.cell = np.diag(np.ceil(np.ptp(boxed.positions, axis=0)) + 2 * EMPTY_A)
    boxed.center(axis=np.flatnonzero(~boxed.pbc))
    return boxed
