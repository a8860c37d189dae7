"""Relaxations go downhill, say what happened, and never lose the other structures of a batch."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.optimize import BFGS

from qdsurf.atomistic.annotation import annotate, content_hash
from qdsurf.calculators.registry import make_calculator
from qdsurf.errors import CalculationError
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.descent import CHECK_EVERY, HOPELESS_EV_PER_A, MAX_JUMPS
from qdsurf.relaxation.relax import relax_batch, relax_one
from qdsurf.relaxation.result import RelaxationResult

EMT, GFN2 = CalculatorSpec(name="emt"), CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"})


def shaken(name: str, seed: int = 0) -> Atoms:
    atoms = annotate(molecule(name), "adsorbate")
    atoms.rattle(0.08, seed=seed)
    return atoms


def copper() -> Atoms:
    atoms = annotate(bulk("Cu", cubic=True).repeat((2, 1, 1)), "substrate")
    atoms.rattle(0.1, seed=1)
    return atoms


STARTS = [(EMT, copper), (GFN2, lambda: shaken("H2O")), (GFN2, lambda: shaken("CH3OH")), (GFN2, lambda: shaken("C2H6"))]
IDS = ["emt-Cu", "gfn2-H2O", "gfn2-CH3OH", "gfn2-C2H6"]


@pytest.mark.parametrize(("spec", "make"), STARTS, ids=IDS)
@pytest.mark.parametrize("fmax", [0.1, 0.02])
def test_the_energy_falls_and_the_forces_are_met(spec, make, fmax):
    start = make()
    before = start.positions.copy()
    (result,) = relax_batch([start], spec, fmax=fmax)
    final = result.atoms
    (single,) = relax_batch([make()], spec, max_steps=0)
    assert result.converged and result.reason == "converged" and not result.flags
    assert result.energy_eV < single.energy_eV
    assert result.max_force_eV_per_A < fmax
    energy = final.get_potential_energy()
    final.calc = make_calculator(spec)
    assert energy == result.energy_eV
    assert final.get_potential_energy() == pytest.approx(energy, abs=1e-5)
    assert np.linalg.norm(final.get_forces(), axis=1).max() < fmax * 1.05
    np.testing.assert_array_equal(start.positions, before)
    assert start.calc is None


def test_the_minimum_is_the_one_that_ase_finds():
    (result,) = relax_batch([shaken("CH3OH")], GFN2, fmax=0.005)
    final = result.atoms
    atoms = shaken("CH3OH")
    atoms.calc = make_calculator(GFN2)
    BFGS(atoms, logfile=None).run(fmax=0.005)
    assert result.energy_eV == pytest.approx(atoms.get_potential_energy(), abs=1e-3)
    assert final.get_distance(0, 1) == pytest.approx(atoms.get_distance(0, 1), abs=0.005)


def test_a_single_point_is_one_call_and_moves_nothing():
    start = shaken("H2O")
    (result,) = relax_batch([start], GFN2, max_steps=0)
    final = result.atoms
    assert result.force_calls == 1 and not result.converged and "not_converged" in result.flags
    np.testing.assert_array_equal(final.positions, start.positions)
    assert final.get_potential_energy() == result.energy_eV and final.get_forces().shape == (3, 3)


def test_a_structure_at_rest_converges_at_once():
    rested = relax_batch([shaken("H2O")], GFN2, fmax=0.01)[0].atoms
    (result,) = relax_batch([rested], GFN2, fmax=0.02)
    assert result.converged and result.force_calls == 1


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_number_of_steps_is_kept(steps):
    (result,) = relax_batch([copper()], EMT, fmax=1e-6, max_steps=steps)
    assert result.reason == f"not converged in {steps} steps" and "not_converged" in result.flags
    assert result.force_calls == steps + 1


def test_fixed_atoms_stay_and_their_forces_do_not_count():
    start = copper()
    start.set_constraint(FixAtoms([0, 1, 2, 3]))
    (result,) = relax_batch([start], EMT, fmax=0.02)
    final = result.atoms
    np.testing.assert_array_equal(final.positions[:4], start.positions[:4])
    assert np.abs(final.positions[4:] - start.positions[4:]).max() > 0.01 and result.converged
    assert final.constraints[0].index.tolist() == [0, 1, 2, 3]


def test_results_are_plain_data_that_say_how_they_were_made():
    starts = [shaken("H2O"), shaken("CH4")]
    results = relax_batch(starts, GFN2)
    for start, result in zip(starts, results, strict=True):
        plain = json.loads(json.dumps(result.as_record()))
        assert plain["calculator"]["parameters"] == {"method": "GFN2-xTB"} and plain["calculator"]["version"]
        assert plain["input_hash"] == content_hash(start) and plain["qdsurf_version"] and plain["wall_s"] >= 0
        assert plain["rescues"] == {} and plain["jumps"] == 0
        again = RelaxationResult.from_record(result.atoms, plain)
        assert again.as_record() == result.as_record()


def test_one_result_does_not_depend_on_the_structures_before_it():
    alone = relax_batch([shaken("CH3OH")], GFN2)[0]
    last = relax_batch([shaken("CH3SH"), shaken("CH4"), shaken("CH3OH")], GFN2)[2]
    assert last.energy_eV == pytest.approx(alone.energy_eV, abs=1e-6)
    assert last.force_calls == alone.force_calls


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("spec", "make"), STARTS[:2], ids=IDS[:2])
def test_atoms_on_top_of_one_another_do_not_stop_the_others(spec, make):
    broken = make()
    broken.positions[1] = broken.positions[0]
    results = relax_batch([make(), broken, make()], spec)
    assert [result.converged for result in results] == [True, False, True]
    assert results[1].reason.startswith("failed") and "not_converged" in results[1].flags
    assert results[0].energy_eV == pytest.approx(results[2].energy_eV, abs=1e-6)
    np.testing.assert_array_equal(results[1].atoms.positions, broken.positions)


def test_an_scf_that_fails_for_one_structure_does_not_stop_the_others(monkeypatch):
    from qdsurf.calculators.tblite import RecoveringTBLite

    real = RecoveringTBLite.calculate

    def calculate(self, atoms=None, *args):
        if "C" in atoms.symbols:
            raise CalculationError("SCF of CH4 not converged")
        return real(self, atoms, *args)

    monkeypatch.setattr(RecoveringTBLite, "calculate", calculate)
    results = relax_batch([shaken("H2O"), shaken("CH4"), shaken("NH3")], GFN2)
    assert [result.converged for result in results] == [True, False, True]
    assert "SCF of CH4 not converged" in results[1].reason and results[1].energy_eV is None


def test_an_empty_batch_is_an_empty_answer():
    assert relax_batch([], EMT) == []


@pytest.mark.parametrize("keep", [1, 2])
def test_only_the_lowest_single_points_are_relaxed(keep):
    starts = [copper() for _ in range(3)]
    for scale, atoms in zip((1.12, 1.02, 1.07), starts, strict=True):
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    results = relax_batch(starts, EMT, keep=keep)
    assert [result.converged for result in results] == [False, True, keep == 2]
    assert "not relaxed" in results[0].reason and results[0].force_calls == 1
    assert results[1].force_calls > 2


def test_candidates_are_tried_until_one_is_what_it_was_meant_to_be():
    starts = [copper() for _ in range(4)]
    for scale, atoms in zip((0.5, 0.2, 0.35, 0.6), starts, strict=True):
        atoms.info |= {"bonds": [], "scale": scale}
        atoms.positions += scale * 0.1 * np.random.default_rng(7).normal(size=atoms.positions.shape)
    asked = []

    def check_state(before: Atoms, after: Atoms) -> str:
        asked.append(before.info["scale"])
        return "" if before.info["scale"] == 0.5 else "came back"

    results = relax_batch(starts, EMT, keep=1, check=check_state)
    assert list(dict.fromkeys(asked)) == [0.2, 0.35, 0.5], "not in the order of the single points"
    assert [result.reason.startswith("not relaxed") for result in results] == [False, False, False, True]


def test_a_walk_that_loses_its_bonds_is_not_followed_to_the_end():
    start = shaken("C2H6")
    start.rattle(0.1, seed=4)
    start.info["bonds"] = []
    (result,) = relax_batch([start], GFN2, fmax=1e-4, max_steps=200, check=lambda before, after: "came back")
    assert result.reason == "stopped: came back" and result.force_calls == CHECK_EVERY
    assert not result.converged


class Slope(Calculator):
    """Nearly the same force everywhere: a walk on it never arrives."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        forces = np.zeros((len(self.atoms), 3))
        x = self.atoms.positions[0, 0]
        forces[0, 0] = 2.0 - 0.01 * x
        self.results = {"energy": -2.0 * x + 0.005 * x**2, "forces": forces}


def test_a_walk_on_a_steep_slope_is_given_up():
    result = relax_one(shaken("H2O"), Slope(), 0.1, 100)
    assert result.reason.startswith("stopped: a force of 1.") and result.reason.endswith("left after 51 calls")
    assert result.force_calls == 51 and "not_converged" in result.flags


def test_one_strong_force_gives_up_nothing(monkeypatch):
    monkeypatch.setattr("qdsurf.relaxation.descent.HOPELESS_CALLS", 0)
    start = shaken("H2O")
    start.positions[1] *= 1.3
    forces = []
    result = relax_one(start, make_calculator(GFN2), 0.05, 100, report=lambda calls, force: forces.append(force))
    assert forces[0] > HOPELESS_EV_PER_A and result.converged


def test_a_structure_that_names_no_bonds_is_not_judged():
    (result,) = relax_batch([copper()], EMT, check=lambda before, after: 1 / 0)
    assert result.converged


# Jumps of the energy: the signature of an SCF that falls into another solution.


class _Well(Calculator):
    """Harmonic well at the origin, 5 eV/A^2."""

    implemented_properties = ("energy", "forces")

    def offset(self, x: float) -> float:
        """Energy that the forces know nothing of."""
        return 0.0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x = self.atoms.positions
        self.results = {"energy": 2.5 * (x**2).sum() + self.offset(float(x[0, 0])), "forces": -5.0 * x}


class _Step(_Well):
    """The well with a cliff of 3 eV at x = 0.5 A."""

    def offset(self, x):
        return -3.0 if x < 0.5 else 0.0


class _Slip(_Well):
    """The well, but from the fourth call on 3 eV too low, until the density is forgotten."""

    def __init__(self):
        super().__init__()
        self.count, self.forgotten = 0, 0

    def forget(self):
        self.forgotten += 1
        self.reset()

    def offset(self, x):
        self.count += 1
        return -3.0 if self.count > 3 and self.forgotten < 2 else 0.0


def test_a_cliff_is_noticed_and_the_last_consistent_point_is_returned():
    result = relax_one(Atoms("H", [[1.0, 0, 0]]), _Step(), fmax=0.01, max_steps=100)
    final = result.atoms
    assert result.jumps == MAX_JUMPS + 1 and not result.converged
    assert "the calculator failed or its energy jumped" in result.reason and "not_converged" in result.flags
    assert final.positions[0, 0] >= 0.5
    assert result.energy_eV == pytest.approx(2.5 * final.positions[0, 0] ** 2), "energy of another branch"
    assert result.max_force_eV_per_A == pytest.approx(5 * final.positions[0, 0])


def test_a_slip_is_undone_by_forgetting_the_density():
    result = relax_one(Atoms("H", [[1.0, 0, 0]]), _Slip(), fmax=0.01, max_steps=100)
    final = result.atoms
    assert result.converged and result.jumps == 1
    assert result.energy_eV == pytest.approx(0, abs=1e-4) and abs(final.positions).max() < 0.002


def test_a_smooth_walk_counts_no_jumps():
    result = relax_one(Atoms("H", [[1.0, 0.3, 0]]), _Well(), fmax=0.01, max_steps=100)
    assert result.converged and result.jumps == 0
