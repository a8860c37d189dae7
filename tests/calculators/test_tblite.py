"""Recovery attempts of the SCF: in order, counted, and never an energy at a raised electronic temperature."""

import pytest
from ase.build import molecule
from ase.calculators.calculator import CalculationFailed
from tblite.ase import TBLite

from qdsurf.calculators.tblite import SCF_ATTEMPTS, RecoveringTBLite
from qdsurf.errors import CalculationError
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch, relax_one

NAMES = [attempt.name for attempt in SCF_ATTEMPTS]
TEMPERATURES = [
    changes.get("electronic_temperature", 300.0) for attempt in SCF_ATTEMPTS for changes in attempt.settings
]


def failing(calculator: RecoveringTBLite, times: float) -> list[dict]:
    """Let the inner calculator fail a number of times; return the list to which the settings of each SCF are added."""
    attempts, real = [], calculator._inner.calculate

    def calculate(*args, **keys):
        attempts.append(dict(calculator._inner.parameters) | {"fresh": calculator._inner._xtb is None})
        if len(attempts) <= times:
            raise CalculationFailed("SCF not converged")
        return real(*args, **keys)

    calculator._inner.calculate = calculate
    return attempts


def warm() -> tuple:
    """A displaced water molecule whose calculator has a density, and the calculator."""
    atoms = molecule("H2O")
    atoms.calc = RecoveringTBLite()
    atoms.get_potential_energy()
    atoms.calc.rescues.clear()
    atoms.rattle(0.02, seed=1)
    return atoms, atoms.calc


@pytest.mark.parametrize("number", range(len(SCF_ATTEMPTS)))
def test_attempts_are_made_in_order_and_the_successful_one_is_counted(number):
    atoms, calculator = warm()
    attempts = failing(calculator, number)
    atoms.get_potential_energy()
    assert calculator.rescues == {NAMES[number]: 1}
    seen = [attempt["electronic_temperature"] for attempt in attempts]
    assert seen == TEMPERATURES[: len(seen)]
    assert seen[-1] == 300.0, "the last SCF ran at a raised electronic temperature"
    assert [attempt["accuracy"] for attempt in attempts[:4]] == [1.0, 1.0, 100.0, 100.0][: min(4, len(attempts))]


def test_without_a_density_the_fresh_guess_is_not_repeated():
    atoms = molecule("H2O")
    atoms.calc = RecoveringTBLite()
    attempts = failing(atoms.calc, 1)
    atoms.get_potential_energy()
    assert [attempt["accuracy"] for attempt in attempts] == [1.0, 100.0]


def test_a_loose_attempt_is_kept_with_its_density_until_it_is_forgotten():
    atoms, calculator = warm()
    attempts = failing(calculator, 2)
    atoms.get_potential_energy()
    assert calculator.loose
    atoms.rattle(0.02, seed=5)
    atoms.get_potential_energy()
    assert attempts[-1]["accuracy"] == 100.0 and not attempts[-1]["fresh"]
    calculator.forget()
    atoms.get_potential_energy()
    assert attempts[-1]["accuracy"] == 1.0 and not calculator.loose


def test_a_result_of_a_loose_scf_is_flagged(monkeypatch):
    real = TBLite.calculate

    def calculate(self, *args):
        if self.parameters.accuracy < 100:
            raise CalculationFailed("SCF not converged")
        return real(self, *args)

    monkeypatch.setattr(TBLite, "calculate", calculate)
    result = relax_one(molecule("H2O"), RecoveringTBLite(), 0.05, 50)
    assert result.converged and result.flags == ("loose_scf",) and list(result.rescues) == ["loose"]


@pytest.mark.parametrize("times", range(len(SCF_ATTEMPTS) - 1))  # without a density the fresh guess is skipped
@pytest.mark.parametrize("temperature", [300.0, 1000.0])
def test_a_recovered_energy_is_that_at_the_stated_temperature(times, temperature):
    atoms = molecule("H2O")
    atoms.calc = RecoveringTBLite(electronic_temperature=temperature)
    failing(atoms.calc, times)
    loose = 5e-3 if times in (1, 2) else 1e-5  # error of a loose SCF
    reference = molecule("H2O")
    reference.calc = TBLite(method="GFN2-xTB", electronic_temperature=temperature, verbosity=0)
    assert atoms.get_potential_energy() == pytest.approx(reference.get_potential_energy(), abs=loose)
    assert abs(atoms.get_forces() - reference.get_forces()).max() < (0.05 if loose > 1e-4 else 1e-3)


def test_a_later_attempt_starts_from_a_fresh_guess():
    atoms = molecule("H2O")
    atoms.calc = RecoveringTBLite()
    atoms.get_potential_energy()
    attempts = failing(atoms.calc, 2)
    atoms.rattle(0.02, seed=1)
    atoms.get_potential_energy()
    assert [attempt["fresh"] for attempt in attempts] == [False, True, True]


@pytest.mark.parametrize("times", [1, 3])
def test_the_settings_are_restored_after_a_recovery(times):
    atoms = molecule("H2O")
    atoms.calc = RecoveringTBLite()
    before = dict(atoms.calc._inner.parameters)
    failing(atoms.calc, times)
    atoms.get_potential_energy()
    assert dict(atoms.calc._inner.parameters) == before


def test_the_error_lists_all_attempts():
    atoms = molecule("H2O")
    atoms.calc = RecoveringTBLite()
    attempts = failing(atoms.calc, float("inf"))
    with pytest.raises(CalculationError, match=f"SCF of .*OH2.* not converged after: {', '.join(NAMES)}"):
        atoms.get_potential_energy()
    assert len(attempts) == len(SCF_ATTEMPTS) - 1 and not atoms.calc.rescues
    assert atoms.calc._inner.parameters["electronic_temperature"] == 300.0


def test_recoveries_are_counted_for_each_structure(monkeypatch):
    real = TBLite.calculate
    failed = set()

    def calculate(self, atoms=None, *args):
        if "C" in atoms.symbols and "CH4" not in failed:
            failed.add("CH4")
            raise CalculationFailed("SCF not converged")
        return real(self, atoms, *args)

    monkeypatch.setattr(TBLite, "calculate", calculate)
    results = relax_batch([molecule("H2O"), molecule("CH4"), molecule("NH3")], CalculatorSpec(name="tblite"))
    assert [list(result.rescues) for result in results] == [[], ["loose"], []]
    assert all(result.converged for result in results)


def test_a_fresh_guess_does_not_change_the_energy():
    atoms = molecule("CH3OH")
    atoms.calc = RecoveringTBLite()
    first = atoms.get_potential_energy()
    atoms.rattle(0.05, seed=2)
    atoms.get_potential_energy()
    warm = atoms.get_potential_energy()
    atoms.calc.forget()
    assert atoms.get_potential_energy() == pytest.approx(warm, abs=1e-5)
    assert first != warm
