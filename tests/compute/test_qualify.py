"""The verdict on a calculator, from energies and displacements that are known."""

import numpy as np
import pytest
from ase.constraints import FixAtoms
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from qdsurf import library
from qdsurf.build.bulk import rattle_slab, strained_cells
from qdsurf.compute.calculators import make_calculator
from qdsurf.compute.qualify import MELT_EV_PER_ATOM, MELT_SHIFT_A, lattice_constant_error, qualify, slab_stability
from qdsurf.compute.relax import relax_batch
from qdsurf.records import CalculatorSpec

EMT = CalculatorSpec(name="emt")
STRAINS = (-0.05, -0.025, 0.0, 0.025, 0.05)


@given(minimum=st.floats(-0.04, 0.04), stiffness=st.floats(10, 1000), skew=st.floats(-3, 3), level=st.floats(-1e4, 1e4))
def test_the_minimum_of_a_cubic_is_found(minimum, stiffness, skew, level):
    x = np.array(STRAINS) - minimum
    error, words = lattice_constant_error(STRAINS, list(level + stiffness * (x**2 + skew * x**3)))
    assert error == pytest.approx(minimum, abs=1e-5)
    assert words == f"{error:+.1%} against experiment"


def test_points_that_failed_are_left_out():
    energies = [(s - 0.01) ** 2 for s in STRAINS]
    energies[1] = None
    assert lattice_constant_error(STRAINS, energies)[0] == pytest.approx(0.01, abs=1e-9)
    assert lattice_constant_error(STRAINS, [None, None, None, 1.0, 2.0]) == (None, "SCF failed at 3 of 5 points")


@pytest.mark.parametrize("slope", [-1.0, 1.0])
def test_no_minimum_in_the_range_is_no_number(slope):
    error, words = lattice_constant_error(STRAINS, [slope * s for s in STRAINS])
    assert error is None and words == "no minimum between -5.0% and +5.0%"


def test_a_maximum_is_not_taken_for_the_minimum():
    assert lattice_constant_error(STRAINS, [-(s**2) for s in STRAINS])[0] is None


def test_the_lattice_constant_of_silver_with_emt_is_that_of_a_direct_search():
    silver = library.material("Ag")
    energies = [r["energy_eV"] for r in relax_batch(strained_cells(silver, STRAINS, 4.0), EMT, max_steps=0)[1]]
    found = lattice_constant_error(STRAINS, energies)[0]

    def energy(strain):
        (atoms,) = strained_cells(silver, [strain], 4.0)
        atoms.calc = make_calculator(EMT)
        return atoms.get_potential_energy()

    assert found == pytest.approx(minimize_scalar(energy, bounds=(-0.05, 0.05), method="bounded").x, abs=0.002)


@pytest.fixture
def slabs(slab_of):
    return rattle_slab(slab_of("PbS"), 0.1, seed=1)


def moved(atoms, distance: float):
    out = atoms.copy()
    out.positions[-1, 0] += distance
    return out


@pytest.mark.parametrize(
    ("drop", "shift", "stable"),
    [
        (0.0, 0.0, True),
        (0.9, 0.9, True),
        (-0.5, 0.5, True),  # uphill is a shallow second minimum, not melting
        (1.1, 0.0, False),
        (0.0, 1.1, False),
        (3.0, 3.0, False),
    ],
)
def test_a_slab_melts_when_it_falls_or_wanders(slabs, drop, shift, stable):
    ideal, rattled = slabs
    free = len(ideal) - len(ideal.constraints[0].index)
    after = moved(ideal, shift * MELT_SHIFT_A)
    verdict = slab_stability(ideal, rattled, after, -100.0, -100.0 - drop * MELT_EV_PER_ATOM * free)
    assert verdict["stable"] is stable
    assert verdict["energy_drop_eV_per_moving_atom"] == pytest.approx(-drop * MELT_EV_PER_ATOM)
    assert verdict["largest_shift_A"] == pytest.approx(abs(shift) * MELT_SHIFT_A, abs=1e-9)


def test_a_step_over_the_cell_boundary_is_no_shift(slabs):
    ideal, rattled = slabs
    after = ideal.copy()
    after.positions += after.cell[0] + after.cell[1]
    assert slab_stability(ideal, rattled, after, 0.0, 0.0)["largest_shift_A"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("energies", [(None, -1.0), (-1.0, None), (None, None)])
def test_a_slab_without_energy_is_not_stable(slabs, energies):
    assert slab_stability(slabs[0], slabs[1], slabs[1], *energies) == {
        "stable": False,
        "reason": "SCF failed on the slab",
    }


def test_a_slab_without_constraints_is_judged_on_all_its_atoms(slabs):
    ideal, rattled = slabs
    ideal.set_constraint()
    verdict = slab_stability(ideal, rattled, ideal, 0.0, -0.9 * MELT_EV_PER_ATOM * len(ideal))
    assert verdict["stable"] and verdict["energy_drop_eV_per_moving_atom"] == pytest.approx(-0.9 * MELT_EV_PER_ATOM)


def test_emt_keeps_silver_and_says_what_it_cost(slab_of):
    silver = library.material("Ag")
    images = rattle_slab(slab_of("Ag"), 0.1, seed=1)
    strained = relax_batch(strained_cells(silver, STRAINS, 4.0), EMT, max_steps=0)[1]
    relaxed, results = relax_batch(images, EMT, fmax=0.05, max_steps=40)
    verdict = qualify("Ag", strained, STRAINS, images, relaxed, results)
    assert verdict["substrate"] == "relaxed" and verdict["stability"]["stable"]
    assert abs(verdict["lattice_constant_error"]) < 0.02
    assert verdict["force_calls"] == len(STRAINS) + sum(r["force_calls"] for r in results)
    assert verdict["calculator"]["name"] == "emt" and verdict["material"] == "Ag"


def test_a_molten_slab_is_frozen(slab_of):
    images = rattle_slab(slab_of("Ag"), 0.1, seed=1)
    relaxed, results = relax_batch(images, EMT, max_steps=0)
    strained = [{"energy_eV": s**2, "force_calls": 1, "wall_s": 0.0} for s in STRAINS]
    results[1]["energy_eV"] = results[0]["energy_eV"] - 10
    verdict = qualify("Ag", strained, STRAINS, images, relaxed, results)
    assert verdict["substrate"] == "frozen" and not verdict["stability"]["stable"]
    assert isinstance(images[0].constraints[0], FixAtoms)
