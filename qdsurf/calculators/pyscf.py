"""Kohn-Sham theory of closed-shell molecules by PySCF, which the extra `reference` installs."""

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree

from qdsurf.atomistic import annotation
from qdsurf.errors import CalculationError

FIRST_WITH_ECP = 37  # the def2 sets have effective core potentials from rubidium on, 10.1039/b508541a
SCF_GRID = 1  # grid level of PySCF


class KohnSham(Calculator):
    """Closed-shell Kohn-Sham theory of molecules by PySCF with density fitting.

    Every SCF starts from the last density of the same molecule.

    Parameters
    ----------
    functional : str
        Functional by its name in PySCF.
    basis : str
        Basis set by its name in PySCF. Elements from rubidium on have the effective core potential of the basis.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as in ASE)

    def __init__(self, functional: str, basis: str):
        super().__init__()
        self.functional = functional
        self.basis = basis
        self.density: np.ndarray | None = None

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute energy (eV) and forces (eV/A).

        Raises
        ------
        CalculationError
            The SCF did not converge, or the structure is periodic.
        """
        super().calculate(atoms, properties, system_changes)
        if self.atoms.pbc.any():
            raise CalculationError("pyscf computes molecules only; use cp2k or gpaw for slabs")
        guess = None if "numbers" in system_changes else self.density
        solved = converged(mean_field_of(self.atoms, self.functional, self.basis), self.atoms, guess)
        self.density = solved.make_rdm1()
        gradient = solved.nuc_grad_method().kernel()
        gradient -= gradient.mean(axis=0)  # the coarse grid leaves a net force on heavy atoms
        self.results = {"energy": float(solved.e_tot) * Hartree, "forces": -gradient * Hartree / Bohr}


def mean_field_of(atoms: Atoms, functional: str, basis: str) -> Any:
    """Prepare a restricted Kohn-Sham calculation of a molecule with density fitting on a coarse grid.

    Parameters
    ----------
    atoms : Atoms
        Closed-shell molecule.
    functional : str
        Functional by its name in PySCF.
    basis : str
        Basis set by its name in PySCF.

    Returns
    -------
    pyscf.dft.rks.RKS
        The calculation, which has not been run.
    """
    from pyscf import dft, gto

    symbols = list(atoms.symbols)
    cores = {symbol: basis for symbol in set(symbols) if atomic_numbers[symbol] >= FIRST_WITH_ECP}
    molecule = gto.M(
        atom=list(zip(symbols, atoms.positions, strict=True)), basis=basis, ecp=cores, verbose=0, max_memory=6000
    )
    mean_field = dft.RKS(molecule, xc=functional).density_fit().set(conv_tol=1e-6)
    mean_field.grids.level = SCF_GRID
    return mean_field


def converged(mean_field: Any, atoms: Atoms, density: np.ndarray | None = None) -> Any:
    """Run the SCF, and a second-order SCF if the first one does not converge.

    Parameters
    ----------
    mean_field : pyscf.dft.rks.RKS
        Calculation of `mean_field_of`.
    atoms : Atoms
        The molecule, for the error message.
    density : ndarray, optional
        Density matrix of the initial guess.

    Returns
    -------
    pyscf.dft.rks.RKS
        The converged calculation.

    Raises
    ------
    CalculationError
        Neither SCF converged; the message gives the name of the molecule.
    """
    mean_field.kernel(density)
    if not mean_field.converged:
        mean_field = mean_field.newton()
        mean_field.kernel(mean_field.make_rdm1())
    if not mean_field.converged:
        raise CalculationError(f"{annotation.noted(atoms, 'name')}: the SCF of {mean_field.xc} did not converge")
    return mean_field
