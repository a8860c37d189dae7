"""The rescue ladder: rungs in order, recorded, and never an energy at a raised electronic temperature."""

import pytest
from ase.build import molecule
from ase.calculators.calculator import CalculationFailed
from tblite.ase import TBLite

from qdsurf.compute.relax import relax_batch
from qdsurf.compute.scf import LADDER, RescuedTBLite
from qdsurf.errors import CalculationError
from qdsurf.records import CalculatorSpec

RUNGS = [name for name, _, _ in LADDER]
TEMPERATURES = [changes.get("electronic_temperature", 300.0) for _, _, attempts in LADDER for changes in attempts]


def failing(calculator: RescuedTBLite, times: float) -> list[dict]:
    """Let the inner calculator fail so many times; returns the list of the settings of each attempt."""
    attempts, real = [], calculator._inner.calculate

    def calculate(*args, **keys):
        attempts.append(dict(calculator._inner.parameters) | {"fresh": calculator._inner._xtb is None})
        if len(attempts) <= times:
            raise CalculationFailed("SCF not converged")
        return real(*args, **keys)

    calculator._inner.calculate = calculate
    return attempts


@pytest.mark.parametrize("rung", range(len(LADDER)))
def test_the_rungs_are_climbed_in_order_and_the_one_that_helped_is_recorded(rung):
    atoms = molecule("H2O")
    atoms.calc = RescuedTBLite()
    attempts = failing(atoms.calc, rung)
    atoms.get_potential_energy()
    assert atoms.calc.rescues == {RUNGS[rung]: 1}
    seen = [attempt["electronic_temperature"] for attempt in attempts]
    assert seen == TEMPERATURES[: len(seen)]
    assert seen[-1] == 300.0, "the last SCF ran at a raised electronic temperature"
    assert [attempt["mixer_damping"] for attempt in attempts][:3] == [0.4, 0.4, 0.1][: min(3, len(attempts))]


@pytest.mark.parametrize("times", range(len(LADDER)))
@pytest.mark.parametrize("temperature", [300.0, 1000.0])
def test_a_rescued_energy_is_the_energy_at_the_stated_temperature(times, temperature):
    atoms = molecule("H2O")
    atoms.calc = RescuedTBLite(electronic_temperature=temperature)
    failing(atoms.calc, times)
    reference = molecule("H2O")
    reference.calc = TBLite(method="GFN2-xTB", electronic_temperature=temperature, verbosity=0)
    assert atoms.get_potential_energy() == pytest.approx(reference.get_potential_energy(), abs=1e-5)
    assert abs(atoms.get_forces() - reference.get_forces()).max() < 1e-3


def test_a_later_rung_starts_from_a_fresh_guess():
    atoms = molecule("H2O")
    atoms.calc = RescuedTBLite()
    atoms.get_potential_energy()
    attempts = failing(atoms.calc, 2)
    atoms.rattle(0.02, seed=1)
    atoms.get_potential_energy()
    assert [attempt["fresh"] for attempt in attempts] == [False, True, True]


@pytest.mark.parametrize("times", [1, 3])
def test_the_settings_are_back_after_a_rescue(times):
    atoms = molecule("H2O")
    atoms.calc = RescuedTBLite()
    before = dict(atoms.calc._inner.parameters)
    failing(atoms.calc, times)
    atoms.get_potential_energy()
    assert dict(atoms.calc._inner.parameters) == before


def test_when_nothing_helps_the_error_lists_what_was_tried():
    atoms = molecule("H2O")
    atoms.calc = RescuedTBLite()
    attempts = failing(atoms.calc, float("inf"))
    with pytest.raises(CalculationError, match=f"SCF of .*OH2.* not converged after: {', '.join(RUNGS)}"):
        atoms.get_potential_energy()
    assert len(attempts) == len(LADDER) and not atoms.calc.rescues
    assert atoms.calc._inner.parameters["electronic_temperature"] == 300.0


def test_rescues_are_counted_for_each_structure(monkeypatch):
    real = TBLite.calculate
    failed = set()

    def calculate(self, atoms=None, *args):
        if "C" in atoms.symbols and "CH4" not in failed:
            failed.add("CH4")
            raise CalculationFailed("SCF not converged")
        return real(self, atoms, *args)

    monkeypatch.setattr(TBLite, "calculate", calculate)
    _, results = relax_batch([molecule("H2O"), molecule("CH4"), molecule("NH3")], CalculatorSpec(name="tblite"))
    assert [result["rescues"] for result in results] == [{}, {"fresh guess": 1}, {}]
    assert all(result["converged"] for result in results)


def test_forgetting_changes_no_energy():
    atoms = molecule("CH3OH")
    atoms.calc = RescuedTBLite()
    first = atoms.get_potential_energy()
    atoms.rattle(0.05, seed=2)
    atoms.get_potential_energy()
    warm = atoms.get_potential_energy()
    atoms.calc.forget()
    assert atoms.get_potential_energy() == pytest.approx(warm, abs=1e-5)
    assert first != warm
