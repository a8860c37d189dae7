"""Density functional theory with Gaussians and plane waves by CP2K, for molecules and slabs."""

from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.cp2k import CP2K
from ase.units import Rydberg

from qdsurf.errors import CalculationError

VACUUM_A = 6.0  # around a molecule: CP2K needs a cell, and its Poisson solver for free molecules needs vacuum
# Orbital transformation converges molecules but not PbS slabs. Diagonalisation with Broyden mixing does the reverse.
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
FAILURE_MESSAGES = ("FAILED to converge", "SCF run NOT converged")


class Cp2k(Calculator):
    """CP2K through the shell of ASE, with an error if the SCF does not converge.

    Molecules and periodic structures are computed with different SCF methods.

    Parameters
    ----------
    xc : str
        Functional by its name in CP2K, such as PBE.
    basis : str
        Basis set of the MOLOPT family, for GTH pseudopotentials.
    cutoff_Ry : float
        Cut-off of the finest grid.
    dispersion : bool
        Whether to add DFT-D3 with Becke-Johnson damping (10.1002/jcc.21759).
    command : str
        Command that starts the shell of CP2K.
    folder : str
        Folder for the output of CP2K.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as in ASE)

    def __init__(self, xc: str, basis: str, cutoff_Ry: float, dispersion: bool, command: str, folder: str):
        super().__init__()
        self.settings = {"xc": xc, "basis_set": basis, "cutoff": cutoff_Ry * Rydberg, "command": command}
        self.dispersion = dispersion
        self.folder = Path(folder)
        self._shell: CP2K | None = None

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute energy (eV) and forces (eV/A).

        Raises
        ------
        CalculationError
            CP2K failed, or its SCF did not converge. CP2K reports the latter only in its output.
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
        last_scf = output.rpartition("SCF WAVEFUNCTION OPTIMIZATION")[2]
        if any(message in last_scf for message in FAILURE_MESSAGES):
            self.results = {}
            raise CalculationError(f"CP2K of {self.atoms.symbols}: the SCF did not converge in {SCF_STEPS} steps")

    def _boxed(self) -> Atoms:
        """Copy the structure without constraints into a periodic cell, or into a box if it is a molecule."""
        boxed = self.atoms.copy()
        boxed.set_constraint()
        if boxed.pbc.any():
            boxed.pbc = True  # a slab is repeated with its vacuum, because the Poisson solver is periodic in 3D
        else:
            boxed.center(vacuum=VACUUM_A)
        return boxed

    def _start(self, periodic: bool) -> CP2K:
        """Start the shell of CP2K with the input for a molecule or for a periodic structure."""
        text = INPUT.format(
            steps=SCF_STEPS,
            scf=SLAB_SCF if periodic else MOLECULE_SCF,
            dispersion=DISPERSION.format(xc=self.settings["xc"]) if self.dispersion else "",
        )
        return CP2K(
            label=str(self.folder / "qdsurf"),
            inp=text,
            max_scf=None,
            stress_tensor=False,
            print_level="LOW",
            poisson_solver=None if periodic else "auto",
            pseudo_potential="auto",
            potential_file="GTH_POTENTIALS",
            **self.settings,
        )
