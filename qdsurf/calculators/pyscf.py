"""Kohn-Sham theory of closed-shell molecules by PySCF, which the extra `reference` installs."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree

from qdsurf.atomistic import annotation
from qdsurf.errors import CalculationError

FIRST_WITH_ECP = 37  # the def2 sets have effective core potentials from rubidium on, 10.1039/b508541a
SCF_GRID = 1  # PySCF's level


class KohnSham(Calculator):
    """Closed-shell Kohn-Sham theory of molecules by PySCF with density fitting, each SCF started from the last.

    Parameters
    ----------
    functional, basis : names that PySCF knows; elements from rubidium on have the effective core of the basis.
    """

    implemented_properties = ("energy", "forces")

    def __init__(self, functional: str, basis: str):
        super().__init__()
        self.functional, self.basis, self.density = functional, basis, None

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF, in eV and eV/A.

        Raises
        ------
        CalculationError : the SCF did not converge, or the structure is periodic.
        """
        super().calculate(atoms, properties, system_changes)
        if self.atoms.pbc.any():
            raise CalculationError("pyscf computes molecules only; take cp2k or gpaw for slabs")
        guess = None if "numbers" in system_changes else self.density
        solved = converged(mean_field_of(self.atoms, self.functional, self.basis), self.atoms, guess)
        self.density = solved.make_rdm1()
        gradient = solved.nuc_grad_method().kernel()
        gradient -= gradient.mean(axis=0)  # the coarse grid leaves a net force on heavy atoms
        self.results = {"energy": float(solved.e_tot) * Hartree, "forces": -gradient * Hartree / Bohr}


def mean_field_of(atoms: Atoms, functional: str, basis: str):
    """PySCF's restricted Kohn-Sham object of a molecule, with density fitting, on a coarse grid."""
    from pyscf import dft, gto

    symbols = list(atoms.symbols)
    cores = {symbol: basis for symbol in set(symbols) if atomic_numbers[symbol] >= FIRST_WITH_ECP}
    molecule = gto.M(
        atom=list(zip(symbols, atoms.positions, strict=True)), basis=basis, ecp=cores, verbose=0, max_memory=6000
    )
    mean_field = dft.RKS(molecule, xc=functional).density_fit().set(conv_tol=1e-6)
    mean_field.grids.level = SCF_GRID
    return mean_field


def converged(mean_field, atoms: Atoms, density: np.ndarray | None = None):
    """Run the SCF, of second order where the first is lost.

    Raises
    ------
    CalculationError : it did not converge; names the molecule.
    """
    mean_field.kernel(density)
    if not mean_field.converged:
        mean_field = mean_field.newton()
        mean_field.kernel(mean_field.make_rdm1())
    if not mean_field.converged:
        raise CalculationError(f"{annotation.noted(atoms, 'name')}: the SCF of {mean_field.xc} did not converge")
    return mean_field
