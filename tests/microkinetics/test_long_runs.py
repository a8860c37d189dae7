"""Simulations of many cycles are complete and need limited memory."""

from pathlib import Path

import numpy as np
import pytest

from qdsurf.errors import CalculationError, InputError
from qdsurf.microkinetics.analysis.selectivity import run_kinetics
from qdsurf.microkinetics.network.mechanism import read_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import SupplyPeriod, schedule_recipe
from qdsurf.microkinetics.simulate_cycle import Conditions, simulate_cycle
from qdsurf.microkinetics.solver import batch, memory
from qdsurf.microkinetics.solver import integration as solver
from qdsurf.microkinetics.solver.integration import integrate, integrate_many
from qdsurf.records import library

SYSTEM, TABLES = read_mechanism(Path(__file__).parents[2] / "config/mechanisms/alumina_OH.yaml")
RECIPE = library.recipe("alumina_thermal_40C")
SCHEDULE = schedule_recipe(RECIPE)
T = RECIPE.temperature_K
PULSED = [SupplyPeriod(0.5, {"A": 10.0}), SupplyPeriod(2.0, {})]


@pytest.fixture(scope="module")
def model():
    return prepare(SYSTEM, TABLES)


@pytest.fixture
def adsorption(tables):
    """A gas that adsorbs in the pulse, desorbs in part in the purge, and reacts slowly with the surface."""
    steps = [
        {"step": "ads", "lattice": "A(g) + free@surface -> A@surface", "initial_state": "ligated"},
        {
            "step": "react",
            "lattice": "A@surface -> B@surface",
            "initial_state": "ads",
            "activation_energy_eV": 0.8,
            "barrier_source": "bep",
        },
    ]
    return tables({"ligated": 0.0, "ads": -0.35, "react": -2.0}, steps, {"A": (28.0, 0.0)}).model


@pytest.mark.parametrize(("cycles", "time_s", "uptake"), [(100, 1205.5, 21.927), (1000, 12055.0, 218.95)])
def test_all_tables_of_a_long_simulation_reach_its_end(cycles, time_s, uptake):
    tables = simulate_cycle(Conditions(SYSTEM, TABLES, RECIPE, cycles=cycles, samples=8))
    coverages, row = tables["coverages"], tables["selectivity"].iloc[0]
    ledger = tables["ledger"].set_index(["kind", "name"])["end_per_nm2"]
    growth = tables["growth"]
    assert coverages["time_s"].iloc[-1] == pytest.approx(time_s) == row["time_s"]
    assert row["uptake_per_nm2"] == pytest.approx(uptake, rel=2e-4)
    assert growth["total_per_nm2"].iloc[-1] == pytest.approx(row["uptake_per_nm2"], rel=1e-12)
    assert ledger["gas", "TMA"] == pytest.approx(-row["uptake_per_nm2"], rel=1e-9)
    assert ledger["element", "Al"] == pytest.approx(row["uptake_per_nm2"], rel=1e-9)
    assert len(growth) == cycles and growth["limit_cycle"].iloc[-1]
    for name in growth.columns[4:]:
        assert growth[name].iloc[-1] == coverages[name].iloc[-1]
    assert len(coverages) < 7000 + 4 * cycles


def test_up_to_twenty_cycles_every_solver_step_is_stored(model):
    rates = model.rates(T)
    run = integrate(model.network, rates, SCHEDULE, T, cycles=20)
    full = integrate(model.network, rates, SCHEDULE, T, cycles=21)
    first = run.period_ends[39]
    assert len(run.time_s) == run.period_ends[-1] + 1 > 5000
    assert np.array_equal(run.flux_per_nm2[: first + 1], full.flux_per_nm2[: first + 1])
    assert len(full.time_s) == pytest.approx(len(run.time_s) + 4, abs=40), "the eleventh cycle has four rows"


def test_fewer_stored_rows_keep_the_ends_of_all_periods_and_change_no_number(model, monkeypatch):
    rates = model.rates(T)
    thin = integrate(model.network, rates, SCHEDULE, T, cycles=30)
    monkeypatch.setattr(solver, "WHOLE_CYCLES", 30)
    whole = integrate(model.network, rates, SCHEDULE, T, cycles=30)
    assert len(thin.time_s) < 0.75 * len(whole.time_s)
    for name in ("time_s", "coverages", "flux_per_nm2", "pressures_Pa"):
        assert np.array_equal(getattr(thin, name)[thin.period_ends], getattr(whole, name)[whole.period_ends])
    durations = [period.duration_s for period in SCHEDULE] * 30
    assert thin.time_s[thin.period_ends] == pytest.approx(np.cumsum(durations), rel=1e-12)
    middle = np.diff(thin.period_ends)[40 : 4 * 20 - 1]
    assert np.all(middle == 1) and np.all(np.diff(thin.period_ends)[:39] > 1)


def test_lsoda_stores_the_same_cycles(adsorption, monkeypatch):
    network, rates = adsorption.network, adsorption.rates()
    normal = integrate(network, rates, PULSED, 300.0, cycles=7)
    monkeypatch.setattr(solver, "MAXIMUM_STEPS", 1)
    monkeypatch.setattr(solver, "WHOLE_CYCLES", 2)
    rescued = integrate(network, rates, PULSED, 300.0, cycles=7)
    assert len(rescued.time_s) == 1 + 4 * 2 * 40 + 3 * 2
    assert np.diff(rescued.period_ends)[3:9].tolist() == [1] * 6
    assert rescued.flux_per_nm2[rescued.period_ends] == pytest.approx(normal.flux_per_nm2[normal.period_ends], rel=1e-4)


@pytest.mark.parametrize("last_only", [False, True])
def test_a_member_integrated_by_lsoda_has_the_ends_of_all_periods(adsorption, monkeypatch, last_only):
    network, rates = adsorption.network, adsorption.rates()
    two = RateConstants(*(np.tile(k, (2, 1)) for k in (rates.forward_per_s, rates.reverse_per_s)))
    given = (network, two, [PULSED], 300.0, 25)
    normal = integrate_many(*given, last_only=last_only)
    monkeypatch.setattr(solver, "MAXIMUM_STEPS", 1)
    rescued = integrate_many(*given, last_only=last_only)
    assert not rescued.problems
    assert rescued.coverages.shape == normal.coverages.shape == (2, 1 if last_only else 50, 3)
    assert rescued.flux_per_nm2 == pytest.approx(normal.flux_per_nm2, rel=1e-3)
    assert rescued.exchanged_per_nm2 == pytest.approx(normal.exchanged_per_nm2, rel=1e-3)


def test_the_last_end_agrees_with_or_without_the_others(adsorption):
    network, rates = adsorption.network, adsorption.rates()
    one = RateConstants(rates.forward_per_s[None], rates.reverse_per_s[None])
    every, last = (integrate_many(network, one, [PULSED], 300.0, 12, last_only=only) for only in (False, True))
    assert np.array_equal(every.flux_per_nm2[:, -1:], last.flux_per_nm2)
    assert np.array_equal(every.coverages[:, -1:], last.coverages)
    changes = np.abs(np.diff(every.flux_per_nm2, axis=1, prepend=0.0)).sum(axis=1)
    assert every.exchanged_per_nm2 == pytest.approx(changes, rel=1e-14)
    assert np.array_equal(every.exchanged_per_nm2, last.exchanged_per_nm2)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda path, ends: (path[:-1], ends), r"the trajectory ends at .* instead of 31\.25 s"),
        (lambda path, ends: (path, ends * (ends != ends[3])), "the ends of 24 recipe steps instead of 25"),
    ],
)
def test_an_incomplete_trajectory_is_an_error(adsorption, monkeypatch, keep, message):
    run_batch = batch.run_batch

    def cut(*arguments):
        total, path, ends = run_batch(*arguments)
        return total, *keep(path, ends)

    monkeypatch.setattr(batch, "run_batch", cut)
    with pytest.raises(CalculationError, match=f"{message}.*must contain all 25 cycles.*Try fewer cycles"):
        integrate(adsorption.network, adsorption.rates(), [SupplyPeriod(1.25, {"A": 10.0})], 300.0, cycles=25)


def test_the_accepted_number_of_samples_is_a_power_of_two(model):
    with pytest.raises(InputError, match=f"use `--samples {2**22}` or less"):
        memory.assert_run_fits(model.network, 4, 1, 2**27)
    memory.assert_run_fits(model.network, 4, 1, 2**22)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cycles": 10**9, "samples": 8}, r"1000000000 cycles of a recipe with 4 steps .*use `--cycles \d+` or less"),
        ({"cycles": 10**20, "samples": 8}, "at most 4 GiB are accepted"),
        ({"samples": 10**9}, r"1073741824 samples .*use `--samples \d+` or less"),
        ({"cycles": 10**9, "samples": 10**9}, "use fewer `--cycles` and `--samples`"),
    ],
)
def test_a_simulation_that_needs_too_much_memory_is_rejected_at_once(given, message):
    with pytest.raises(InputError, match=message):
        run_kinetics(SYSTEM, TABLES, RECIPE, None, seed=0, **given)


def test_the_number_in_the_error_message_is_accepted(model, monkeypatch):
    monkeypatch.setattr(memory, "LARGEST_MEMORY_BYTES", 2**26)
    with pytest.raises(InputError, match="use `--cycles") as rejected:
        memory.assert_run_fits(model.network, 4, 10**6, 8)
    accepted = int(str(rejected.value).partition("--cycles ")[2].partition("`")[0])
    memory.assert_run_fits(model.network, 4, accepted, 8)
    with pytest.raises(InputError):
        memory.assert_run_fits(model.network, 4, accepted + 1, 8)


def test_the_estimate_covers_the_stored_arrays(model):
    run = integrate(model.network, model.rates(T), SCHEDULE, T, cycles=40)
    stored = sum(getattr(run, name).nbytes for name in ("time_s", "coverages", "flux_per_nm2", "pressures_Pa"))
    estimate = memory.estimate_memory(model.network, 4, 40)
    assert stored < estimate.whole_cycles + 40 * estimate.per_cycle < 30 * stored
