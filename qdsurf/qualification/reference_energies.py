"""Reference energies of small molecules: a range-separated hybrid at the geometry of a GGA, by PySCF and geomeTRIC.

Needs the extra `reference`. A molecule of a dozen atoms takes one to three minutes on one core. Those on faces are
single points of a run with `refine`, stripped to what is stored.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

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

ENERGY_GRID, NONLOCAL_GRID = 3, 1  # PySCF's levels
GRADIENT_HARTREE_PER_BOHR = 2e-3  # largest; 0.1 eV/A
STEPS = 40
ROUGH_FMAX_EV_PER_A, ROUGH_STEPS = 0.05, 300
CONVERGENCE = {  # geomeTRIC's criteria, in Hartree, Bohr and A; what is left is worth some meV
    "convergence_energy": 1e-4,
    "convergence_grms": GRADIENT_HARTREE_PER_BOHR / 2,
    "convergence_gmax": GRADIENT_HARTREE_PER_BOHR,
    "convergence_drms": 1.0,  # never asked: a methyl group or SH that turns freely costs nothing
    "convergence_dmax": 1.0,
}


def compute_reference(atoms: Atoms, level: ReferenceLevel) -> Atoms:
    """Relax a closed-shell molecule and take one single point with the better functional.

    Parameters
    ----------
    atoms : a starting geometry with all bonds in place.

    Returns
    -------
    A copy at the relaxed geometry; `info` holds `name`, `level`, `energy_eV` (electronic, absolute) and `programs`.

    Raises
    ------
    CalculationError : the SCF or the relaxation did not converge; names the molecule.
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
    """Barriers of a calculator at the geometries of the reference saddles and of their initial states.

    Returns
    -------
    saddle, barrier_eV, reference_eV; one row for each saddle whose elements the calculator has and whose energies it
    could compute.
    """
    known = supported_elements(spec)
    pairs = {name: pair for name, pair in read_saddles()[1].items() if known is None or {*pair[0].symbols} <= {*known}}
    frames = [annotate(atoms.copy(), ADSORBATE) for pair in pairs.values() for atoms in pair]
    energies = [result["energy_eV"] for result in relax_batch(frames, spec, 0.0, 0, label="saddles")[1]]
    rows = [
        (name, top - initial, annotation.noted(pair[1], "energy_eV") - annotation.noted(pair[0], "energy_eV"))
        for (name, pair), initial, top in zip(pairs.items(), energies[::2], energies[1::2], strict=True)
        if initial is not None and top is not None
    ]
    return pd.DataFrame(rows, columns=["saddle", "barrier_eV", "reference_eV"])


def strip_states(rooms: Mapping[str, Sequence[Atoms]], level: PointLevel, program: str) -> list[Atoms]:
    """Structures that have an energy, named by their rooms, with nothing but what the reference set stores of them."""
    stored = []
    for room, states in rooms.items():
        for state in states:
            if state.calc is not None:
                atoms = Atoms(state.symbols, state.positions, cell=state.cell, pbc=state.pbc)
                energy = state.get_potential_energy()
                annotation.note(atoms, name=room, level=level.label, energy_eV=energy, programs=program)
                stored.append(atoms)
    return stored


def relax_roughly(atoms: Atoms) -> Atoms:
    """Relax a geometry from SMILES with GFN1-xTB, which keeps Zn and Cd linear where GFN2-xTB bends them."""
    spec = CalculatorSpec(name="tblite", parameters={"method": "GFN1-xTB"})
    return relax_batch([atoms], spec, ROUGH_FMAX_EV_PER_A, ROUGH_STEPS, label="start")[0][0]


def relax_geometry(atoms: Atoms, functional: str, basis: str) -> Atoms:
    """Relax in internal coordinates, where soft and linear bends are no obstacle; each SCF starts from the last."""
    from pyscf.geomopt import as_pyscf_method, geometric_solver

    calculator = KohnSham(functional, basis)

    def solve(molecule) -> tuple[float, np.ndarray]:
        at = Atoms(atoms.symbols, molecule.atom_coords() * Bohr, calculator=calculator)
        annotation.copy_notes(atoms, at)
        return at.get_potential_energy() / Hartree, -at.get_forces() * Bohr / Hartree

    start = as_pyscf_method(mean_field_of(atoms, functional, basis).mol, solve)
    done, molecule = geometric_solver.kernel(start, maxsteps=STEPS, **CONVERGENCE)
    if not done:
        raise CalculationError(f"{annotation.noted(atoms, 'name')}: the geometry did not converge in {STEPS} steps")
    relaxed = atoms.copy()
    relaxed.positions = molecule.atom_coords() * Bohr
    return relaxed


def single_point(atoms: Atoms, functional: str, basis: str) -> float:
    """Electronic energy in eV of a closed-shell molecule.

    The SCF runs on a coarse grid without the nonlocal correlation; one evaluation on a fine grid and VV10 with the
    converged density follow. The density enters at second order: 5e-8 Hartree for AlMe3, in half the time.
    """
    from pyscf import dft, scf

    small = converged(mean_field_of(atoms, "pbe", "def2-svp"), atoms)  # saves half the cycles of the larger basis
    mean_field = mean_field_of(atoms, functional, basis)
    molecule, mean_field.nlc = mean_field.mol, 0
    guess = scf.addons.project_dm_nr2nr(small.mol, small.make_rdm1(), molecule)
    density = converged(mean_field, atoms, guess).make_rdm1()
    mean_field.grids = dft.gen_grid.Grids(molecule).set(level=ENERGY_GRID)
    energy = mean_field.energy_tot(density, vhf=mean_field.get_veff(molecule, density))
    if mean_field._numint.libxc.is_nlc(functional):
        grid = dft.gen_grid.Grids(molecule).set(level=NONLOCAL_GRID).build()
        energy += mean_field._numint.nr_nlc_vxc(molecule, grid, functional, density)[1]
    return float(energy) * Hartree
