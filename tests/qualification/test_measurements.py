"""What a calculator makes of a crystal, from energies and displacements that are known."""

import numpy as np
import pytest
from ase.build import fcc111
from ase.constraints import FixAtoms
from ase.eos import EquationOfState
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from qdsurf.calculators.registry import make_calculator
from qdsurf.qualification.criteria import MELT_EV_PER_ATOM, MELT_SHIFT_A
from qdsurf.qualification.measurements import (
    Outcome,
    equation_of_state,
    order_agrees,
    qualify,
    scf_robustness,
    stability,
    surface_energies,
)
from qdsurf.qualification.trial_structures import facet_pairs, free_upper_half, rattle, strained_cells
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.units import EV_PER_A2_J_PER_M2, EV_PER_A3_GPA

EMT = CalculatorSpec(name="emt")
STRAINS = (-0.06, -0.03, 0.0, 0.03, 0.06)
VOLUME = 1000.0


def birch_murnaghan(strain, minimum: float, modulus_GPa: float, pressure_derivative: float, volume: float = VOLUME):
    """Energy in eV by the third-order equation as textbooks write it, in volumes."""
    v0, v = volume * (1 + minimum) ** 3, volume * (1 + np.asarray(strain)) ** 3
    eta = (v0 / v) ** (2 / 3)
    shape = (eta - 1) ** 3 * pressure_derivative + (eta - 1) ** 2 * (6 - 4 * eta)
    return 9 / 16 * v0 * modulus_GPa / EV_PER_A3_GPA * shape


@given(
    minimum=st.floats(-0.05, 0.05), modulus=st.floats(5, 300), derivative=st.floats(2, 7), level=st.floats(-1e4, 1e4)
)
def test_lattice_constant_and_modulus_of_a_birch_murnaghan_solid_are_exact(minimum, modulus, derivative, level):
    found = equation_of_state(STRAINS, list(level + birch_murnaghan(STRAINS, minimum, modulus, derivative)), VOLUME)
    assert found["lattice_constant_error"] == pytest.approx(minimum, abs=1e-5)
    assert found["bulk_modulus_GPa"] == pytest.approx(modulus, rel=1e-4)
    assert found["lattice_constant"] == f"{found['lattice_constant_error']:+.1%} against experiment"


def test_points_that_failed_are_left_out():
    energies = list(birch_murnaghan(STRAINS, 0.01, 60.0, 4.0))
    energies[1] = None
    assert equation_of_state(STRAINS, energies, VOLUME)["lattice_constant_error"] == pytest.approx(0.01, abs=1e-9)
    few = equation_of_state(STRAINS, [None, None, None, 1.0, 2.0], VOLUME)
    assert few["lattice_constant_error"] is None and few["bulk_modulus_GPa"] is None
    assert few["lattice_constant"] == "SCF failed at 3 of 5 points"


@pytest.mark.parametrize("slope", [-1.0, 1.0])
def test_no_minimum_in_the_range_is_no_number(slope):
    found = equation_of_state(STRAINS, [slope * s for s in STRAINS], VOLUME)
    assert found["lattice_constant_error"] is None and found["bulk_modulus_GPa"] is None
    assert found["lattice_constant"] == "no minimum between -6.0% and +6.0%"


def test_a_maximum_is_not_taken_for_the_minimum():
    assert equation_of_state(STRAINS, [-(s**2) for s in STRAINS], VOLUME)["lattice_constant_error"] is None


def test_a_minimum_stiffer_than_any_crystal_is_none():
    """FAPbBr3 in GFN1-xTB, -16473 to -7789 eV over the five cells, asked for 36 TPa."""
    found = equation_of_state(STRAINS, birch_murnaghan(STRAINS, -0.03, 36_000.0, 4.0), VOLUME)
    assert found["lattice_constant_error"] is None and found["bulk_modulus_GPa"] is None
    assert found["lattice_constant"] == "no crystal: the minimum at -3.0% asks for 36000 GPa"


def test_silver_with_emt_is_that_of_a_direct_search_and_of_another_fit():
    silver = library.material("Ag")
    cells = strained_cells(silver, STRAINS, 4.0)
    energies = [r["energy_eV"] for r in relax_batch(cells, EMT, max_steps=0)[1]]
    found = equation_of_state(STRAINS, energies, cells[2].get_volume())

    def energy(strain):
        (atoms,) = strained_cells(silver, [strain], 4.0)
        atoms.calc = make_calculator(EMT)
        return atoms.get_potential_energy()

    direct = minimize_scalar(energy, bounds=(-0.05, 0.05), method="bounded").x
    assert found["lattice_constant_error"] == pytest.approx(direct, abs=0.002)
    _, _, modulus = EquationOfState([c.get_volume() for c in cells], energies, eos="birchmurnaghan").fit()
    assert found["bulk_modulus_GPa"] == pytest.approx(modulus * EV_PER_A3_GPA, rel=0.05)


@pytest.fixture
def slabs(slab_of):
    return rattle(free_upper_half(slab_of("PbS")), 0.1, seed=1)


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
    ideal = slabs[0]
    free = len(ideal) - len(ideal.constraints[0].index)
    after = moved(ideal, shift * MELT_SHIFT_A)
    verdict = stability(ideal, after, -100.0, -100.0 - drop * MELT_EV_PER_ATOM * free)
    assert verdict["stable"] is stable
    assert verdict["energy_drop_eV_per_moving_atom"] == pytest.approx(-drop * MELT_EV_PER_ATOM)
    assert verdict["largest_shift_A"] == pytest.approx(abs(shift) * MELT_SHIFT_A, abs=1e-9)


def test_a_step_over_the_cell_boundary_is_no_shift(slabs):
    ideal = slabs[0]
    after = ideal.copy()
    after.positions += after.cell[0] + after.cell[1]
    assert stability(ideal, after, 0.0, 0.0)["largest_shift_A"] == pytest.approx(0, abs=1e-9)


def test_a_crystal_that_drifts_as_a_whole_is_at_rest(slabs):
    ideal = slabs[0].copy()
    ideal.set_constraint()
    after = ideal.copy()
    after.positions += [0.5, 0.5, 0.5]
    assert stability(ideal, after, 0.0, 0.0)["largest_shift_A"] == pytest.approx(0, abs=1e-9)
    after.positions[3] += [0.8, 0, 0]
    assert stability(ideal, after, 0.0, 0.0)["largest_shift_A"] == pytest.approx(0.8 * (1 - 1 / len(ideal)))


@pytest.mark.parametrize("energies", [(None, -1.0), (-1.0, None), (None, None)])
def test_a_slab_without_energy_is_not_stable(slabs, energies):
    assert stability(*slabs, *energies) == {
        "stable": False,
        "energy_drop_eV_per_moving_atom": None,
        "largest_shift_A": None,
        "reason": "SCF failed",
    }


def test_a_slab_without_constraints_is_judged_on_all_its_atoms(slabs):
    ideal = slabs[0]
    ideal.set_constraint()
    verdict = stability(ideal, ideal, 0.0, -0.9 * MELT_EV_PER_ATOM * len(ideal))
    assert verdict["stable"] and verdict["energy_drop_eV_per_moving_atom"] == pytest.approx(-0.9 * MELT_EV_PER_ATOM)


def toy_energy(atoms, bulk: float = -3.0, surface: float = 0.05) -> float:
    """Energy in eV of a slab whose atoms cost `bulk` and whose two sides cost `surface` in eV/A^2."""
    area = np.linalg.norm(np.cross(*atoms.cell.array[:2]))
    return len(atoms) * bulk + 2 * area * surface


def test_the_surface_energy_of_a_toy_is_what_it_was_made_of():
    material = library.material("PbS")
    slabs = facet_pairs(material, 5.0)
    costs = [0.02, 0.02, 0.01, 0.01]
    energies = [toy_energy(slab, surface=cost) for slab, cost in zip(slabs, costs, strict=True)]
    rows = surface_energies(material, slabs, energies)
    assert [row["facet"] for row in rows] == ["110_PbS", "100_PbS"]
    assert [row["surface_energy_J_per_m2"] for row in rows] == pytest.approx(
        [0.01 * EV_PER_A2_J_PER_M2, 0.02 * EV_PER_A2_J_PER_M2]
    )
    rows = surface_energies(material, slabs, [None, *energies[1:]])
    assert [row["surface_energy_J_per_m2"] is None for row in rows] == [False, True]


def test_surface_energies_of_silver_agree_with_a_bulk_cell():
    material = library.material("Ag")
    slabs = facet_pairs(material, 5.0)
    energies = [r["energy_eV"] for r in relax_batch(slabs, EMT, max_steps=0)[1]]
    rows = {row["facet"]: row["surface_energy_J_per_m2"] for row in surface_energies(material, slabs, energies)}
    bulk, slab = strained_cells(material, [0.0], 5.0)[0], fcc111("Ag", (2, 2, 6), a=4.0862, vacuum=8.0)
    for atoms in (bulk, slab):
        atoms.calc = make_calculator(EMT)
    excess = slab.get_potential_energy() - len(slab) * bulk.get_potential_energy() / len(bulk)
    area = np.linalg.norm(np.cross(*slab.cell.array[:2]))
    assert rows["111_Ag"] == pytest.approx(excess / (2 * area) * EV_PER_A2_J_PER_M2, rel=0.02)
    assert sorted(rows, key=rows.get) == ["111_Ag", "100_Ag", "110_Ag"]  # close-packed first, as in every fcc metal


@pytest.mark.parametrize(
    ("computed", "literature", "agrees"),
    [
        ((0.1, 0.2), (0.3, 0.4), True),
        ((0.2, 0.1), (0.3, 0.4), False),
        ((0.1, 0.2), (0.3, None), None),
        ((0.1, None), (0.3, 0.4), None),
    ],
)
def test_an_order_takes_two_numbers_on_both_sides(computed, literature, agrees):
    rows = [
        {"facet": str(k), "surface_energy_J_per_m2": a, "literature_J_per_m2": b}
        for k, (a, b) in enumerate(zip(computed, literature, strict=True))
    ]
    assert order_agrees(rows) is agrees


def test_failures_are_counted_by_call():
    fine = {"energy_eV": 1.0, "jumps": 0, "force_calls": 8, "rescues": {}}
    jumpy = {"energy_eV": 1.0, "jumps": 2, "force_calls": 10, "rescues": {"loose": 3, "fresh guess": 1}}
    dead = {"energy_eV": None, "jumps": 0, "force_calls": 0, "rescues": {}}
    assert scf_robustness([fine, jumpy, dead, dead]) == {
        "calls": 20,
        "failed": 4,
        "failed_share": 0.2,
        "rescued": 4,
    }


def outcomes(slab, material: str = "Ag") -> dict[str, Outcome]:
    record = library.material(material)
    rattled = rattle(free_upper_half(slab), 0.1, seed=1)
    return {
        "strained_bulk": Outcome(*relax_batch(strained_cells(record, STRAINS, 4.0), EMT, max_steps=0)),
        "rattled_slab": Outcome(*relax_batch(rattled, EMT, fmax=0.05, max_steps=40)),
    }


def test_emt_keeps_silver_and_says_what_it_cost(slab_of):
    tests = outcomes(slab_of("Ag"))
    verdict = qualify(library.material("Ag"), tests)
    assert verdict["substrate"] == "relaxed" and verdict["stability"]["stable"]
    assert abs(verdict["lattice_constant_error"]) < 0.02 and verdict["uses"]["geometry"]["fit"]
    assert verdict["force_calls"] == sum(r["force_calls"] for outcome in tests.values() for r in outcome.results)
    assert verdict["calculator"]["name"] == "emt" and verdict["material"] == "Ag"
    assert verdict["uses"]["reaction_energies"] == {"fit": False, "reason": "not tested", "number": None, "limit": None}


def test_a_molten_slab_or_bulk_is_frozen(slab_of):
    good = outcomes(slab_of("Ag"))
    assert isinstance(good["rattled_slab"].relaxed[0].constraints[0], FixAtoms)
    molten = [dict(result) for result in good["rattled_slab"].results]
    molten[1]["energy_eV"] -= 10
    bad = Outcome(good["rattled_slab"].relaxed, molten)
    for tests in (good | {"rattled_slab": bad}, good | {"rattled_bulk": bad}):
        verdict = qualify(library.material("Ag"), tests)
        assert verdict["substrate"] == "frozen" and not verdict["uses"]["substrate_relaxation"]["fit"]
        assert "eV per moving atom (limit -0.020" in verdict["uses"]["substrate_relaxation"]["reason"]


def test_a_known_bulk_modulus_is_compared(slab_of):
    silver = library.material("Ag").model_copy(update={"bulk_modulus_GPa": 50.0, "bulk_modulus_source": "a test"})
    verdict = qualify(silver, outcomes(slab_of("Ag")))
    assert verdict["bulk_modulus_error"] == pytest.approx(verdict["bulk_modulus_GPa"] / 50.0 - 1)
    assert not verdict["uses"]["geometry"]["fit"]
    assert verdict["uses"]["geometry"]["reason"].startswith("bulk modulus off by +")
