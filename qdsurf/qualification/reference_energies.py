"""Reference energies of small molecules: single points of a range-separated hybrid at geometries of a GGA.

The geometries are relaxed by PySCF and geomeTRIC; install the extra `reference`. A molecule of a dozen atoms takes one
to three minutes on one core. The reference energies on facets are single points of a run with `refine`; this module
copies what the reference set stores.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.units import Bohr, Hartree

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, annotate
from qdsurf.calculators.pyscf import KohnSham, converged, mean_field_of
from qdsurf.calculators.registry import supported_elements
from qdsurf.errors import CalculationError
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.reference_set import PointLevel, ReferenceLevel, read_saddles
from qdsurf.relaxation.relax import relax_batch

# Levels of the integration grids in PySCF.
ENERGY_GRID, NONLOCAL_GRID = 3, 1
# Largest component of the gradient at convergence, 0.1 eV/A.
GRADIENT_HARTREE_PER_BOHR = 2e-3
MAX_STEPS = 40
ROUGH_FMAX_EV_PER_A, ROUGH_STEPS = 0.05, 300
# Criteria of geomeTRIC in Hartree, Bohr and A; the remaining error is a few meV. The limits on displacements are so
# large that they have no effect, because the free rotation of a methyl or SH group changes the energy very little.
CONVERGENCE = {
    "convergence_energy": 1e-4,
    "convergence_grms": GRADIENT_HARTREE_PER_BOHR / 2,
    "convergence_gmax": GRADIENT_HARTREE_PER_BOHR,
    "convergence_drms": 1.0,
    "convergence_dmax": 1.0,
}


def compute_reference(atoms: Atoms, level: ReferenceLevel) -> Atoms:
    """Relax a closed-shell molecule and compute its energy with the functional of the reference level.

    Parameters
    ----------
    atoms : Atoms
        Starting geometry with all bonds, and with the note `name`.
    level : ReferenceLevel
        Functionals and basis sets of the geometry and of the energy.

    Returns
    -------
    Atoms
        Copy at the relaxed geometry with the notes `name`, `level`, `energy_eV` (electronic, absolute) and `programs`.

    Raises
    ------
    CalculationError
        The SCF or the relaxation did not converge; the message names the molecule.
    """
    relaxed = relax_geometry(atoms, level.geometry_functional, level.geometry_basis)
    energy = single_point(relaxed, level.functional, level.basis)
    programs = f"pyscf {version('pyscf')}, geometric {version('geometric')}"
    annotation.drop_notes(relaxed)
    annotation.note(
        relaxed, name=annotation.noted(atoms, "name"), level=level.label, energy_eV=energy, programs=programs
    )
    return relaxed


def saddle_barriers(spec: CalculatorSpec) -> pd.DataFrame:
    """Compute the barriers of a calculator at the geometries of the reference saddle points and initial states.

    Parameters
    ----------
    spec : CalculatorSpec
        Calculator.

    Returns
    -------
    pandas.DataFrame
        Columns `saddle`, `barrier_eV` and `reference_eV`. Saddle points with elements that the calculator does not
        support, or whose energies it could not compute, are missing.
    """
    supported = supported_elements(spec)
    pairs = read_saddles()[1]
    if supported is not None:
        pairs = {name: pair for name, pair in pairs.items() if set(pair[0].symbols) <= set(supported)}
    frames = [annotate(atoms.copy(), ADSORBATE) for pair in pairs.values() for atoms in pair]
    energies = [result.energy_eV for result in relax_batch(frames, spec, 0.0, 0, label="single point saddles")]
    rows = []
    for (name, (initial, saddle)), low, high in zip(pairs.items(), energies[::2], energies[1::2], strict=True):
        if low is not None and high is not None:
            reference = annotation.noted(saddle, "energy_eV") - annotation.noted(initial, "energy_eV")
            rows.append((name, high - low, reference))
    return pd.DataFrame(rows, columns=["saddle", "barrier_eV", "reference_eV"])


def strip_states(states_by_name: Mapping[str, Sequence[Atoms]], level: PointLevel, program: str) -> list[Atoms]:
    """Copy structures with only the data that the reference set stores.

    Parameters
    ----------
    states_by_name : mapping
        Structures by the name that the reference set uses. Structures without energy are left out.
    level : PointLevel
        Level of theory of the energies.
    program : str
        Program that computed the energies.

    Returns
    -------
    list of Atoms
        Positions, cell, and the notes `name`, `level`, `energy_eV` and `programs`.
    """
    stored = []
    for name, states in states_by_name.items():
        for state in states:
            if state.calc is not None:
                atoms = Atoms(state.symbols, state.positions, cell=state.cell, pbc=state.pbc)
                energy = state.get_potential_energy()
                annotation.note(atoms, name=name, level=level.label, energy_eV=energy, programs=program)
                stored.append(atoms)
    return stored


def relax_roughly(atoms: Atoms) -> Atoms:
    """Relax a geometry from SMILES with GFN1-xTB.

    GFN1-xTB gives linear geometries of two-coordinate Zn and Cd, whereas GFN2-xTB bends them.

    Parameters
    ----------
    atoms : Atoms
        Starting geometry.

    Returns
    -------
    Atoms
        Relaxed copy.
    """
    spec = CalculatorSpec(name="tblite", parameters={"method": "GFN1-xTB"})
    return relax_batch([atoms], spec, ROUGH_FMAX_EV_PER_A, ROUGH_STEPS, label="relax starting geometry")[0].atoms


def relax_geometry(atoms: Atoms, functional: str, basis: str) -> Atoms:
    """Relax a molecule in internal coordinates, in which soft and linear bends converge well.

    Every SCF starts from the last density.

    Parameters
    ----------
    atoms : Atoms
        Closed-shell molecule with the note `name`.
    functional, basis : str
        Functional and basis set by their names in PySCF.

    Returns
    -------
    Atoms
        Copy at the relaxed geometry.

    Raises
    ------
    CalculationError
        The SCF or the relaxation did not converge; the message names the molecule.
    """
    from pyscf.geomopt import as_pyscf_method, geometric_solver

    calculator = KohnSham(functional, basis)

    def energy_and_gradient(molecule: Any) -> tuple[float, np.ndarray]:
        geometry = Atoms(atoms.symbols, molecule.atom_coords() * Bohr, calculator=calculator)
        annotation.copy_notes(atoms, geometry)
        return geometry.get_potential_energy() / Hartree, -geometry.get_forces() * Bohr / Hartree

    start = as_pyscf_method(mean_field_of(atoms, functional, basis).mol, energy_and_gradient)
    is_converged, molecule = geometric_solver.kernel(start, maxsteps=MAX_STEPS, **CONVERGENCE)
    if not is_converged:
        name = annotation.noted(atoms, "name")
        raise CalculationError(
            f"{name}: the geometry did not converge in {MAX_STEPS} steps; start from a geometry closer to the minimum"
        )
    relaxed = atoms.copy()
    relaxed.positions = molecule.atom_coords() * Bohr
    return relaxed


def single_point(atoms: Atoms, functional: str, basis: str) -> float:
    """Compute the electronic energy of a closed-shell molecule.

    The SCF runs on a coarse grid and without nonlocal correlation. The energy is then evaluated once with the converged
    density, on a fine grid and with VV10. The error is of second order in the density: 5e-8 Hartree for AlMe3, in half
    the time.

    Parameters
    ----------
    atoms : Atoms
        Closed-shell molecule.
    functional, basis : str
        Functional and basis set by their names in PySCF.

    Returns
    -------
    float
        Electronic energy in eV.

    Raises
    ------
    CalculationError
        The SCF did not converge.
    """
    from pyscf import dft, scf

    # A guess from a small basis saves half of the cycles with the larger basis.
    small = converged(mean_field_of(atoms, "pbe", "def2-svp"), atoms)
    mean_field = mean_field_of(atoms, functional, basis)
    molecule = mean_field.mol
    mean_field.nlc = 0
    guess = scf.addons.project_dm_nr2nr(small.mol, small.make_rdm1(), molecule)
    density = converged(mean_field, atoms, guess).make_rdm1()
    mean_field.grids = dft.gen_grid.Grids(molecule).set(level=ENERGY_GRID)
    energy = mean_field.energy_tot(density, vhf=mean_field.get_veff(molecule, density))
    if mean_field._numint.libxc.is_nlc(functional):
        grid = dft.gen_grid.Grids(molecule).set(level=NONLOCAL_GRID).build()
        energy += mean_field._numint.nr_nlc_vxc(molecule, grid, functional, density)[1]
    return float(energy) * Hartree
