"""The starting Hessian saves steps and changes no minimum."""

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.constraints import FixAtoms
from ase.optimize import BFGS

from qdsurf.compute.calculators import make_calculator
from qdsurf.compute.optimiser import FLOOR, ModelBFGS, model_hessian
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import annotate

GFN2 = CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"})
MOLECULES = ["CH3OH", "CH3COOH", "C2H6", "trans-butane"]


def start(name: str):
    atoms = annotate(molecule(name), "adsorbate")
    atoms.rattle(0.08, seed=1)
    atoms.calc = make_calculator(GFN2)
    return atoms


@pytest.mark.parametrize("make", [lambda: molecule("CH3COOH"), lambda: bulk("Cu", cubic=True).repeat((2, 2, 1))])
def test_the_guess_is_symmetric_positive_and_free_of_translations(make):
    hessian = model_hessian(annotate(make(), "adsorbate"))
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-9)
    assert np.linalg.eigvalsh(hessian).min() > 0
    shift = np.tile([0.3, -0.5, 0.8], len(make()))
    np.testing.assert_allclose(hessian @ shift, FLOOR * shift, atol=1e-9)  # springs pull on nothing that moves as one


def test_the_guess_turns_with_the_molecule():
    atoms = annotate(molecule("CH3COOH"), "adsorbate")
    turned = atoms.copy()
    turned.rotate(37, (1, 2, 3))
    spectra = [np.linalg.eigvalsh(model_hessian(a)) for a in (atoms, turned)]
    np.testing.assert_allclose(*spectra, atol=1e-8)


@pytest.mark.parametrize("name", MOLECULES)
def test_the_minimum_is_that_of_plain_bfgs_in_no_more_steps(name):
    ours, theirs = start(name), start(name)
    steps = []
    for optimiser in (ModelBFGS(ours, logfile=None), BFGS(theirs, logfile=None)):
        optimiser.run(fmax=0.01, steps=200)
        steps.append(optimiser.nsteps)
    assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), abs=2e-3)
    assert steps[0] <= steps[1]


def test_fixed_atoms_stay():
    atoms = start("CH3OH")
    atoms.set_constraint(FixAtoms([0]))
    before = atoms.positions[0].copy()
    ModelBFGS(atoms, logfile=None).run(fmax=0.02, steps=100)
    np.testing.assert_array_equal(atoms.positions[0], before)
