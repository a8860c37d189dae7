"""Normal modes: their number, and agreement with the finite differences of ASE."""

import numpy as np
import pytest
from ase.build import molecule
from ase.vibrations import Vibrations

from qdsurf.atomistic.annotation import annotate
from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.vibrations import DISPLACEMENT_A, normal_modes
from qdsurf.units import INVERSE_CM_EV

GFN2 = CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB", "accuracy": 0.01})


@pytest.fixture(scope="module")
def water():
    return relax_batch([annotate(molecule("H2O"), "adsorbate")], GFN2, fmax=1e-4)[0].atoms


def test_water_has_three_internal_modes_and_six_of_zero_energy(water):
    modes = normal_modes(water, GFN2) / INVERSE_CM_EV
    assert modes.shape == (9,) and (np.diff(modes) >= 0).all()
    assert np.abs(modes[:6]).max() < 60  # cm-1; a rotation of light H deviates from a straight line
    # GFN2-xTB 1539, 3643, 3652 cm-1; experiment (harmonic) 1649, 3832, 3943
    assert modes[6:] == pytest.approx([1539, 3643, 3652], abs=5)


def test_the_modes_agree_with_those_of_ase(water, tmp_path):
    modes = normal_modes(water, GFN2)
    reference = water.copy()
    reference.calc = make_calculator(GFN2)
    vibrations = Vibrations(reference, delta=DISPLACEMENT_A, nfree=2, name=str(tmp_path / "vib"))
    vibrations.run()
    assert modes[6:] == pytest.approx(np.sort(vibrations.get_energies().real)[6:], abs=0.2 * INVERSE_CM_EV)


def test_only_the_given_atoms_move(water):
    before = water.positions.copy()
    modes = normal_modes(water, GFN2, indices=[1])
    assert modes.shape == (3,) and modes[-1] / INVERSE_CM_EV == pytest.approx(3650, rel=0.03)  # one O-H stretch
    np.testing.assert_array_equal(water.positions, before)


def test_planar_ammonia_has_one_imaginary_mode():
    ammonia = annotate(molecule("NH3"), "adsorbate")
    ammonia.positions[:, 2] = 0  # forces stay in the plane, so this relaxes to the saddle of the inversion
    planar = relax_batch([ammonia], GFN2, fmax=1e-3)[0].atoms
    assert np.ptp(planar.positions[:, 2]) < 1e-3
    assert (normal_modes(planar, GFN2) < -200 * INVERSE_CM_EV).sum() == 1
