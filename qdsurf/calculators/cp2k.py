"""Density functional theory with plane waves and Gaussians by CP2K, molecules and slabs."""

from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.cp2k import CP2K
from ase.units import Rydberg

from qdsurf.errors import CalculationError

EMPTY_A = 6.0  # around a molecule; CP2K wants a cell, and the multipoles of a free molecule want room
# Orbital transformation converges molecules and fails on PbS; diagonalisation with Broyden mixing does the reverse.
MOLECULE_SCF = "&OT\n MINIMIZER DIIS\n PRECONDITIONER FULL_SINGLE_INVERSE\n &END OT"
SLAB_SCF = (
    "ADDED_MOS 40\n &SMEAR\n METHOD FERMI_DIRAC\n ELECTRONIC_TEMPERATURE 300\n &END SMEAR\n"
    "&DIAGONALIZATION\n ALGORITHM STANDARD\n &END DIAGONALIZATION\n"
    "&MIXING\n METHOD BROYDEN_MIXING\n ALPHA 0.2\n NBROYDEN 8\n &END MIXING"
)
DISPERSION = """
&VDW_POTENTIAL
 POTENTIAL_TYPE PAIR_POTENTIAL
 &PAIR_POTENTIAL
  TYPE DFTD3(BJ)
  PARAMETER_FILE_NAME dftd3.dat
  REFERENCE_FUNCTIONAL {xc}
 &END PAIR_POTENTIAL
&END VDW_POTENTIAL"""
INPUT = """
&FORCE_EVAL
 &DFT
  &SCF
   EPS_SCF 1E-6
   MAX_SCF {steps}
   {scf}
  &END SCF
  &XC{dispersion}
  &END XC
 &END DFT
&END FORCE_EVAL"""
SCF_STEPS = 150
FAILED = "FAILED to converge", "SCF run NOT converged"


class Cp2k(Calculator):
    """CP2K through ASE's shell, with the SCF that suits the structure and an error where it did not converge.

    Parameters
    ----------
    xc : functional that CP2K knows, such as PBE.
    basis : of the MOLOPT family, with GTH potentials.
    cutoff_Ry : of the finest grid.
    dispersion : DFT-D3 with Becke-Johnson damping (10.1002/jcc.21759).
    folder : where CP2K writes its output.
    """

    implemented_properties = ("energy", "forces")

    def __init__(self, xc: str, basis: str, cutoff_Ry: float, dispersion: bool, command: str, folder: str):
        super().__init__()
        self.settings = {"xc": xc, "basis_set": basis, "cutoff": cutoff_Ry * Rydberg, "command": command}
        self.dispersion, self.folder, self._shell = dispersion, Path(folder), None

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF.

        Raises
        ------
        CalculationError : CP2K failed, or its SCF did not converge, which it reports in its output only.
        """
        super().calculate(atoms, properties, system_changes)
        boxed = self._boxed()
        if self._shell is None or "numbers" in system_changes or "pbc" in system_changes:
            self._shell = self._start(bool(self.atoms.pbc.any()))
        boxed.calc = self._shell
        try:
            self.results = {"energy": boxed.get_potential_energy(), "forces": boxed.get_forces()}
        except (AssertionError, RuntimeError, OSError) as error:
            raise CalculationError(f"CP2K of {self.atoms.symbols}: {error or 'the shell stopped'}") from None
        output = (self.folder / "qdsurf.out").read_text(errors="replace")
        if any(word in output.rpartition("SCF WAVEFUNCTION OPTIMIZATION")[2] for word in FAILED):
            self.results = {}
            raise CalculationError(f"CP2K of {self.atoms.symbols}: the SCF did not converge in {SCF_STEPS} steps")

    def _boxed(self) -> Atoms:
        boxed = self.atoms.copy()
        boxed.set_constraint()
        if boxed.pbc.any():
            boxed.pbc = True  # a slab with its vacuum is repeated: CP2K's Poisson solver is of three dimensions
        else:
            boxed.center(vacuum=EMPTY_A)
        return boxed

    def _start(self, periodic: bool) -> CP2K:
        text = INPUT.format(
            steps=SCF_STEPS,
            scf=SLAB_SCF if periodic else MOLECULE_SCF,
            dispersion=DISPERSION.format(xc=self.settings["xc"]) if self.dispersion else "",
        )
        return CP2K(
            label=str(self.folder / "qdsurf"), inp=text, max_scf=None, stress_tensor=False, print_level="LOW",
            poisson_solver="auto" if not periodic else None, pseudo_potential="auto", potential_file="GTH_POTENTIALS",
            **self.settings,
        )  # fmt: skip
