"""Driven paths: they end beyond the barrier, and their energies and gradients exclude the springs."""

from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from qdsurf.atomistic.bonding import differing_bonds
from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_one
from qdsurf.saddles.driven_path import BARRIER_PASSED_EV, DRIVING_STEPS, RELAX_STEPS, drive_bonds
from qdsurf.saddles.energy_surface import EnergySurface

ENDS = Path(__file__).parents[2] / "benchmarks/saddle_ends/AlMe3_H2O.extxyz"
# GFN2-xTB from the adduct, from a tightly converged band: docs/explanation/choice-of-method.md
BARRIER_EV = 0.238


@pytest.fixture(scope="module")
def driven():
    calculator = make_calculator(CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"}))
    ends = [relax_one(atoms, calculator, 0.05, 100).atoms for atoms in read(ENDS, ":")]
    surface = EnergySurface(ends[0], calculator)
    calculate = calculator.calculate
    real_calls = []

    def counted(*args, **keywords):
        real_calls.append(1)
        return calculate(*args, **keywords)

    calculator.calculate = counted
    images = drive_bonds(surface, *ends, differing_bonds(*ends))
    calculator.calculate = calculate
    assert surface.calls == len(real_calls)  # every force call is counted
    return ends, surface, images


def test_the_path_ends_beyond_the_barrier(driven):
    ends, surface, images = driven
    energies = np.array([point.energy for _, point in images]) - ends[0].get_potential_energy()
    assert len(images) <= DRIVING_STEPS and surface.calls <= DRIVING_STEPS * (RELAX_STEPS + 1)
    assert energies[-1] < energies.max() - BARRIER_PASSED_EV
    assert BARRIER_EV / 2 < energies.max() < BARRIER_EV + 0.15  # the saddle point may lie between two images


def test_energies_and_gradients_exclude_the_springs(driven):
    _, surface, images = driven
    for image, point in images:
        again = surface(surface.free_coordinates(image.positions))
        assert point.energy == pytest.approx(again.energy, abs=1e-4)
        np.testing.assert_allclose(point.gradient, again.gradient, atol=2e-3)
        assert not image.constraints


def test_changing_bonds_end_closer_to_the_product(driven):
    ends, _, images = driven
    for i, j in differing_bonds(*ends):
        first, last = (atoms.get_distance(i, j) for atoms in ends)
        lengths = [image.get_distance(i, j) for image, _ in images]
        assert (lengths[-1] - first) * (last - first) > 0
