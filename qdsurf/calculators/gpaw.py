"""Density functional theory with plane waves and PAW by GPAW, for molecules, slabs and bulk."""

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from qdsurf.errors import CalculationError

VACUUM_A = 5.0  # around a molecule, because plane waves need a cell


class Gpaw(Calculator):
    """GPAW with a box around molecules, and an error if the SCF does not converge.

    Parameters
    ----------
    xc : str
        Functional by its name in GPAW, such as PBE.
    ecut_eV : float
        Plane-wave cut-off.
    kpoints : int
        Number of k points along each periodic direction.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as in ASE)

    def __init__(self, xc: str, ecut_eV: float, kpoints: int):
        super().__init__()
        self.xc = xc
        self.ecut_eV = ecut_eV
        self.kpoints = kpoints
        self._gpaw: Any = None

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF; it starts from the last one if only positions have changed.

        Raises
        ------
        CalculationError
            The SCF did not converge, or GPAW has no setup for an element.
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
                f"GPAW of {self.atoms.symbols}: {error}; install the setups with `pip install gpaw-data`"
            ) from None


def boxed_molecule(atoms: Atoms) -> Atoms:
    """Copy a structure without constraints into the centre of its cell; a molecule gets a cell with vacuum.

    Parameters
    ----------
    atoms : Atoms
        Molecule, slab or bulk.

    Returns
    -------
    Atoms
        The copy, centred along the directions that are not periodic.
    """
    boxed = atoms.copy()
    boxed.set_constraint()
    if not boxed.pbc.any():
        # The box has whole angstroms. If it changed with every step, the plane waves and the energy would change too.
        boxed.cell = np.diag(np.ceil(np.ptp(boxed.positions, axis=0)) + 2 * VACUUM_A)
    boxed.center(axis=np.flatnonzero(~boxed.pbc))
    return boxed
