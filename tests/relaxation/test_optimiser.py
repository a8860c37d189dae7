"""The model Hessian saves steps and does not change the minimum."""

import numpy as np
import pytest
from ase.build import add_adsorbate, bulk, fcc100, molecule
from ase.constraints import FixAtoms
from ase.optimize import BFGS

from qdsurf.atomistic.annotation import annotate
from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.hessian import FLOOR, model_hessian, update_by_history
from qdsurf.relaxation.optimiser import ModelNewton

GFN2 = CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"})
MOLECULES = ["CH3OH", "CH3COOH", "C2H6", "trans-butane"]


def start(name: str):
    atoms = annotate(molecule(name), "adsorbate")
    atoms.rattle(0.08, seed=1)
    atoms.calc = make_calculator(GFN2)
    return atoms


@pytest.mark.parametrize("make", [lambda: molecule("CH3COOH"), lambda: bulk("Cu", cubic=True).repeat((2, 2, 1))])
def test_the_model_is_symmetric_and_positive_definite_and_its_springs_ignore_translations(make):
    hessian = model_hessian(annotate(make(), "adsorbate"))
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-9)
    assert np.linalg.eigvalsh(hessian).min() > 0
    shift = np.tile([0.3, -0.5, 0.8], len(make()))
    np.testing.assert_allclose(hessian @ shift, FLOOR * shift, atol=1e-9)  # no spring acts on a translation


def test_the_model_rotates_with_the_molecule():
    atoms = annotate(molecule("CH3COOH"), "adsorbate")
    turned = atoms.copy()
    turned.rotate(37, (1, 2, 3))
    spectra = [np.linalg.eigvalsh(model_hessian(a)) for a in (atoms, turned)]
    np.testing.assert_allclose(*spectra, atol=1e-8)


@pytest.mark.parametrize("name", MOLECULES)
def test_the_minimum_is_that_of_bfgs_in_no_more_steps(name):
    ours, theirs = start(name), start(name)
    steps = []
    for optimiser in (ModelNewton(ours), BFGS(theirs, logfile=None)):
        optimiser.run(fmax=0.01, steps=200)
        steps.append(optimiser.nsteps)
    assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), abs=2e-3)
    assert steps[0] <= steps[1]


def test_fixed_atoms_stay():
    atoms = start("CH3OH")
    atoms.set_constraint(FixAtoms([0]))
    before = atoms.positions[0].copy()
    ModelNewton(atoms).run(fmax=0.02, steps=100)
    np.testing.assert_array_equal(atoms.positions[0], before)


def test_an_updated_hessian_reproduces_the_last_step_and_stays_symmetric():
    """Also if the curvature along a step is negative, where BFGS fails."""
    rng = np.random.default_rng(3)
    true = np.diag([-2.0, 0.3, 1.0, 5.0, 20.0])
    steps = list(rng.normal(size=(8, 5)))
    corrected = update_by_history(np.eye(5), steps, [true @ step for step in steps])
    np.testing.assert_allclose(corrected, corrected.T, atol=1e-9)
    np.testing.assert_allclose(corrected @ steps[-1], true @ steps[-1], atol=1e-9)
    values = np.linalg.eigvalsh(corrected)
    assert values[0] == pytest.approx(-2, abs=0.5) and values[-1] == pytest.approx(20, abs=1)


def test_a_relaxation_leaves_a_ridge_in_few_steps():
    """An adatom beside the bridge between two hollows. BFGS took 70 steps; its Hessian reached -1e5 eV/A^2."""
    slab = fcc100("Al", (2, 2, 2), vacuum=8)
    add_adsorbate(slab, "Au", 1.9, "bridge")
    slab.set_constraint(FixAtoms(range(4)))
    slab.calc = make_calculator(CalculatorSpec(name="emt"))
    slab.positions[-1, 1] += 0.15
    assert ModelNewton(slab).run(fmax=0.02, steps=40)
    hollow = fcc100("Al", (2, 2, 2), vacuum=8)
    add_adsorbate(hollow, "Au", 1.7, "hollow")
    hollow.set_constraint(FixAtoms(range(4)))
    hollow.calc = make_calculator(CalculatorSpec(name="emt"))
    ModelNewton(hollow).run(fmax=0.02, steps=60)
    assert slab.get_potential_energy() == pytest.approx(hollow.get_potential_energy(), abs=5e-3)
