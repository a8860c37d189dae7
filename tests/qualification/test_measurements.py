"""Measurements on a crystal, from known energies and displacements."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.constraints import FixAtoms
from ase.eos import EquationOfState
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from qdsurf.calculators.registry import make_calculator
from qdsurf.qualification.criteria import MELT_EV_PER_ATOM, MELT_SHIFT_A
from qdsurf.qualification.measurements import (
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
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.units import EV_PER_A2_J_PER_M2, EV_PER_A3_GPA

EMT = CalculatorSpec(name="emt")
STRAINS = (-0.06, -0.03, 0.0, 0.03, 0.06)
VOLUME = 1000.0


def birch_murnaghan(strain, minimum: float, modulus_GPa: float, pressure_derivative: float, volume: float = VOLUME):
    """Energy in eV from the third-order equation in volumes, as in textbooks."""
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


def test_failed_points_are_left_out():
    energies = list(birch_murnaghan(STRAINS, 0.01, 60.0, 4.0))
    energies[1] = None
    assert equation_of_state(STRAINS, energies, VOLUME)["lattice_constant_error"] == pytest.approx(0.01, abs=1e-9)
    few = equation_of_state(STRAINS, [None, None, None, 1.0, 2.0], VOLUME)
    assert few["lattice_constant_error"] is None and few["bulk_modulus_GPa"] is None
    assert few["lattice_constant"] == "SCF failed at 3 of 5 points"


@pytest.mark.parametrize("slope", [-1.0, 1.0])
def test_there_is_no_number_without_a_minimum_in_the_range(slope):
    found = equation_of_state(STRAINS, [slope * s for s in STRAINS], VOLUME)
    assert found["lattice_constant_error"] is None and found["bulk_modulus_GPa"] is None
    assert found["lattice_constant"] == "no minimum between -6.0% and +6.0%"


def test_a_maximum_is_not_a_minimum():
    assert equation_of_state(STRAINS, [-(s**2) for s in STRAINS], VOLUME)["lattice_constant_error"] is None


def test_a_minimum_stiffer_than_any_crystal_is_rejected():
    """FAPbBr3 with GFN1-xTB, -16473 to -7789 eV in the five cells, gave 36 TPa."""
    found = equation_of_state(STRAINS, birch_murnaghan(STRAINS, -0.03, 36_000.0, 4.0), VOLUME)
    assert found["lattice_constant_error"] is None and found["bulk_modulus_GPa"] is None
    assert found["lattice_constant"] == "no crystal: the minimum at -3.0% has a bulk modulus of 36000 GPa"


def test_silver_with_emt_agrees_with_a_direct_minimisation_and_with_another_fit():
    silver = library.material("Ag")
    cells = strained_cells(silver, STRAINS, 4.0)
    energies = [r.energy_eV for r in relax_batch(cells, EMT, max_steps=0)]
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
        (-0.5, 0.5, True),  # a shallow second minimum, not melting
        (1.1, 0.0, False),
        (0.0, 1.1, False),
        (3.0, 3.0, False),
    ],
)
def test_a_slab_is_unstable_if_its_energy_drops_or_its_atoms_shift(slabs, drop, shift, stable):
    ideal = slabs[0]
    free = len(ideal) - len(ideal.constraints[0].index)
    after = moved(ideal, shift * MELT_SHIFT_A)
    found = stability(ideal, after, -100.0, -100.0 - drop * MELT_EV_PER_ATOM * free)
    assert found["stable"] is stable
    assert found["energy_drop_eV_per_moving_atom"] == pytest.approx(-drop * MELT_EV_PER_ATOM)
    assert found["largest_shift_A"] == pytest.approx(abs(shift) * MELT_SHIFT_A, abs=1e-9)


def test_a_displacement_by_a_lattice_vector_is_no_shift(slabs):
    ideal = slabs[0]
    after = ideal.copy()
    after.positions += after.cell[0] + after.cell[1]
    assert stability(ideal, after, 0.0, 0.0)["largest_shift_A"] == pytest.approx(0, abs=1e-9)


def test_a_translation_of_the_whole_crystal_is_no_shift(slabs):
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


def test_all_atoms_count_in_a_slab_without_constraints(slabs):
    ideal = slabs[0]
    ideal.set_constraint()
    found = stability(ideal, ideal, 0.0, -0.9 * MELT_EV_PER_ATOM * len(ideal))
    assert found["stable"] and found["energy_drop_eV_per_moving_atom"] == pytest.approx(-0.9 * MELT_EV_PER_ATOM)


def model_energy(atoms, bulk: float = -3.0, surface: float = 0.05) -> float:
    """Energy in eV of a slab with the energy `bulk` per atom and `surface` in eV/A^2 on both sides."""
    area = np.linalg.norm(np.cross(*atoms.cell.array[:2]))
    return len(atoms) * bulk + 2 * area * surface


def test_surface_energies_of_model_slabs_are_exact():
    material = library.material("PbS")
    slabs = facet_pairs(material, 5.0)
    surface_terms = [0.02, 0.02, 0.01, 0.01]
    energies = [model_energy(slab, surface=term) for slab, term in zip(slabs, surface_terms, strict=True)]
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
    energies = [r.energy_eV for r in relax_batch(slabs, EMT, max_steps=0)]
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
def test_an_order_needs_two_computed_and_two_literature_values(computed, literature, agrees):
    rows = [
        {"facet": str(k), "surface_energy_J_per_m2": a, "literature_J_per_m2": b}
        for k, (a, b) in enumerate(zip(computed, literature, strict=True))
    ]
    assert order_agrees(rows) is agrees


def test_failures_are_counted_per_call():
    converged = RelaxationResult(Atoms(), 1.0, 0.0, True, "converged", force_calls=8)
    jumped = replace(converged, jumps=2, force_calls=10, rescues={"loose": 3, "fresh guess": 1})
    failed = RelaxationResult(Atoms(), None, None, False, "failed")
    assert scf_robustness([converged, jumped, failed, failed]) == {
        "calls": 20,
        "failed": 4,
        "failed_share": 0.2,
        "rescued": 4,
    }


def relaxed_tests(slab, material: str = "Ag") -> dict[str, list[RelaxationResult]]:
    record = library.material(material)
    rattled = rattle(free_upper_half(slab), 0.1, seed=1)
    return {
        "strained_bulk": relax_batch(strained_cells(record, STRAINS, 4.0), EMT, max_steps=0),
        "rattled_slab": relax_batch(rattled, EMT, fmax=0.05, max_steps=40),
    }


def test_silver_is_stable_with_emt_and_the_force_calls_are_counted(slab_of):
    tests = relaxed_tests(slab_of("Ag"))
    found = qualify(library.material("Ag"), tests)
    assert found["substrate"] == "relaxed" and found["stability"]["stable"]
    assert abs(found["lattice_constant_error"]) < 0.02 and found["uses"]["geometry"]["fit"]
    assert found["force_calls"] == sum(r.force_calls for results in tests.values() for r in results)
    assert found["calculator"]["name"] == "emt" and found["material"] == "Ag"
    assert found["uses"]["reaction_energies"] == {"fit": False, "reason": "not tested", "number": None, "limit": None}


def test_the_substrate_is_frozen_if_the_slab_or_the_bulk_is_unstable(slab_of):
    good = relaxed_tests(slab_of("Ag"))
    ideal, rattled = good["rattled_slab"]
    assert isinstance(ideal.atoms.constraints[0], FixAtoms)
    bad = [ideal, replace(rattled, energy_eV=rattled.energy_eV - 10)]
    for tests in (good | {"rattled_slab": bad}, good | {"rattled_bulk": bad}):
        found = qualify(library.material("Ag"), tests)
        assert found["substrate"] == "frozen" and not found["uses"]["substrate_relaxation"]["fit"]
        assert "eV per moving atom (limit -0.020" in found["uses"]["substrate_relaxation"]["reason"]


def test_a_recorded_bulk_modulus_is_compared(slab_of):
    silver = library.material("Ag").model_copy(update={"bulk_modulus_GPa": 50.0, "bulk_modulus_source": "a test"})
    found = qualify(silver, relaxed_tests(slab_of("Ag")))
    assert found["bulk_modulus_error"] == pytest.approx(found["bulk_modulus_GPa"] / 50.0 - 1)
    assert not found["uses"]["geometry"]["fit"]
    assert found["uses"]["geometry"]["reason"].startswith("bulk modulus off by +")
