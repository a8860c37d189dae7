"""A path on which bonds are pulled: over the hill that a climb finds too, and not much farther."""

from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from qdsurf.atomistic.bonding import differing_bonds
from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_one
from qdsurf.saddles.driven_path import DOWN_EV, PULLS, SETTLE_CALLS, drive_bonds
from qdsurf.saddles.energy_surface import Surface

ENDS = Path(__file__).parents[2] / "benchmarks/saddle_ends/AlMe3_H2O.extxyz"
BARRIER_EV = 0.238  # GFN2-xTB from the adduct, as a tight band has it: docs/explanation/choice-of-method.md


@pytest.fixture(scope="module")
def pulled():
    calculator = make_calculator(CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"}))
    ends = [relax_one(atoms, calculator, 0.05, 100)[0] for atoms in read(ENDS, ":")]
    surface, calculate, real = Surface(ends[0], calculator), calculator.calculate, []
    calculator.calculate = lambda *args, **keywords: (real.append(1), calculate(*args, **keywords))
    images = drive_bonds(surface, *ends, differing_bonds(*ends))
    calculator.calculate = calculate
    assert surface.calls == len(real)  # no force call goes uncounted
    return ends, surface, images


def test_it_ends_beyond_the_hill(pulled):
    ends, surface, images = pulled
    energies = np.array([point.energy for _, point in images]) - ends[0].get_potential_energy()
    assert len(images) <= PULLS and surface.calls <= PULLS * (SETTLE_CALLS + 1)
    assert energies[-1] < energies.max() - DOWN_EV
    assert BARRIER_EV / 2 < energies.max() < BARRIER_EV + 0.15  # two images may have the saddle between them


def test_energies_and_gradients_are_those_without_springs(pulled):
    _, surface, images = pulled
    for image, point in images:
        again = surface(surface.flat(image.positions))
        assert point.energy == pytest.approx(again.energy, abs=1e-4)
        np.testing.assert_allclose(point.gradient, again.gradient, atol=2e-3)
        assert not image.constraints


def test_bonds_that_change_end_nearer_to_the_product(pulled):
    ends, _, images = pulled
    for i, j in differing_bonds(*ends):
        first, last = (atoms.get_distance(i, j) for atoms in ends)
        lengths = [image.get_distance(i, j) for image, _ in images]
        assert (lengths[-1] - first) * (last - first) > 0
