"""Contradictions between the tables of one result are errors, in whichever table they are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microkinetics.conftest import make_tables
from microkinetics.test_random_networks import mechanisms

from qdsurf.errors import CalculationError
from qdsurf.microkinetics import simulate_cycle as simulation
from qdsurf.microkinetics.analysis.consistency import CHECKED, assert_tables_agree
from qdsurf.microkinetics.analysis.dose import tabulate_growth
from qdsurf.microkinetics.analysis.mass_balance import tabulate_mass_balance
from qdsurf.microkinetics.analysis.selectivity import central_results, tabulate_coverages
from qdsurf.microkinetics.network.mechanism import tabulate_mechanism
from qdsurf.microkinetics.network.model import Model, prepare
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.simulate_cycle import Conditions, simulate_cycle
from qdsurf.microkinetics.solver.integration import integrate
from qdsurf.records import library
from qdsurf.storage.files import read_table, write_table

SYSTEM = "PbS_111_Pb~acetate~TMA"
RECIPE = library.recipe("alumina_thermal_40C")


@pytest.fixture(scope="module")
def finished(templates):
    tables = simulate_cycle(
        Conditions(SYSTEM, templates().tables, RECIPE, library.precursor("TMA"), cycles=3, samples=2)
    )
    return {name: tables[name] for name in CHECKED}


@pytest.fixture
def tables(finished):
    """Copies of the tables that a test may change."""
    return {name: table.copy() for name, table in finished.items()}


def shifted(table, where, column, by=1e-4):
    table.loc[where, column] = table.loc[where, column] + by
    return table


def stored(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, pd.DataFrame]:
    """The tables after writing and reading their files, with ten digits."""
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    return {name: read_table(folder / f"{name}.csv") for name in tables}


def test_computed_and_stored_tables_agree(tables, tmp_path):
    assert_tables_agree(tables, "TMA", 3)
    assert_tables_agree(stored(tables, tmp_path), "TMA")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "coverages",
            lambda t: t.iloc[:-5],
            r"end of the simulation in s: .* in coverages.csv, but 36.165 in selectivity",
        ),
        (
            "selectivity",
            lambda t: t.assign(time_s=t["time_s"] + 1),
            "end of the simulation in s: 36.165 in coverages.csv, but 37",
        ),
        (
            "coverages",
            lambda t: t.iloc[[*range(9), 8, 7, *range(9, len(t))]],
            "time of row 10 in s: .* in the row before",
        ),
        (
            "coverages",
            lambda t: shifted(t, t.index[-1], "adduct@ligand"),
            "last coverage of adduct@ligand: .* growth.csv",
        ),
        (
            "coverages",
            lambda t: t.drop(columns="free@surface"),
            "number of species: \\d+ in ledger.csv, but \\d+ in coverages",
        ),
        ("coverages", lambda t: t.iloc[:0], "number of simulations: 0 in coverages.csv, but 1 in selectivity.csv"),
        ("growth", lambda t: t.iloc[:-1], "number of cycles: 2 in growth.csv, but 3 in the recipe"),
        ("growth", lambda t: t.iloc[[0, 2, 1]], "cycle of row 1: 3 in growth.csv, but 2 in the rows before"),
        (
            "growth",
            lambda t: shifted(t, 1, "growth_per_cycle_per_nm2"),
            "uptake of cycle 2 per nm.2: .* total_per_nm2 of",
        ),
        (
            "growth",
            lambda t: t.assign(
                total_per_nm2=2 * t["total_per_nm2"], growth_per_cycle_per_nm2=2 * t["growth_per_cycle_per_nm2"]
            ),
            "uptake of TMA per nm.2: .* in ledger.csv, but .* in growth.csv",
        ),
        (
            "ledger",
            lambda t: shifted(t, t["name"] == "film@surface", "end_per_nm2"),
            "film@surface per nm.2 at the end: .* in ledger.csv, but .* in coverages.csv",
        ),
        (
            "ledger",
            lambda t: shifted(t, t["name"] == "TMA", "end_per_nm2"),
            "uptake of TMA per nm.2: .* in ledger.csv, but .* in growth.csv",
        ),
        ("ledger", lambda t: t[t["name"] != "TMA"], "uptake of TMA per nm.2: nan in ledger.csv"),
        (
            "selectivity",
            lambda t: t.assign(uptake_per_nm2=0.9 * t["uptake_per_nm2"]),
            "uptake of TMA per nm.2: .* in growth.csv, but .* in selectivity.csv",
        ),
        (
            "selectivity",
            lambda t: t.assign(uptake_per_nm2=np.nan),
            "uptake of TMA per nm.2: .* in growth.csv, but nan in selectivity.csv",
        ),
    ],
)
def test_the_error_names_both_tables_and_both_numbers(tables, name, change, message):
    tables[name] = change(tables[name])
    with pytest.raises(
        CalculationError, match=f"{SYSTEM}: {message}.*describe the same simulation. Compute the kinetics"
    ):
        assert_tables_agree(tables, "TMA", 3)


def test_a_missing_row_of_growth_is_found_without_the_number_of_cycles(tables):
    tables["growth"] = tables["growth"].iloc[:-1]
    with pytest.raises(CalculationError, match="in growth.csv"):
        assert_tables_agree(tables, "TMA")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ledger", lambda t: t.astype(str).replace({"end_per_nm2": {t["end_per_nm2"].astype(str).iloc[-1]: "-1.2.3"}})),
        ("coverages", lambda t: t.drop(columns="time_s")),
        ("growth", lambda t: t.drop(columns="adduct@ligand")),
        ("selectivity", lambda t: t.iloc[:0]),
    ],
)
def test_tables_that_cannot_be_compared_are_an_error(tables, name, change):
    tables[name] = change(tables[name])
    with pytest.raises(
        CalculationError, match=r"(cannot be compared|in ledger.csv).*Compute the kinetics of this system again"
    ):
        assert_tables_agree(tables, "TMA")


def test_every_computed_result_is_checked(templates, monkeypatch):
    monkeypatch.setattr(simulation, "tabulate_growth", lambda *given: tabulate_growth(*given).iloc[:-1])
    conditions = Conditions(SYSTEM, templates().tables, RECIPE, library.precursor("TMA"), cycles=2, samples=2)
    with pytest.raises(CalculationError, match="number of cycles: 1 in growth.csv, but 2 in the recipe"):
        simulate_cycle(conditions)


def test_tables_of_a_system_without_energies_are_accepted(templates):
    made = templates()
    made.steps["status"] = "not_converged"
    tables = simulate_cycle(Conditions(SYSTEM, made.tables, RECIPE, library.precursor("TMA")))
    assert_tables_agree(tables, "TMA", 1)


def tables_of(
    model: Model, schedule: list[SupplyPeriod], temperature: float, cycles: int, gas: str
) -> dict[str, pd.DataFrame]:
    """The tables that are compared, without the others, which take longer."""
    run = integrate(model.network, model.rates(temperature), schedule, temperature, cycles)
    time = cycles * sum(period.duration_s for period in schedule)
    row = {"system": model.network.system, "time_s": time} | central_results(model.network, run, gas)
    return {
        "coverages": tabulate_coverages(model.network, run),
        "selectivity": pd.DataFrame([row]),
        "ledger": tabulate_mass_balance(model, run.flux_per_nm2[-1], run.coverages[-1]),
        "growth": tabulate_growth(model, run, gas, cycles),
    }


def test_a_molecule_on_two_sites_has_half_the_capacity(tmp_path):
    made = make_tables(
        {"ligated": 0.0, "ads": -0.6},
        [{"step": "ads", "lattice": "A(g) + 2 free@surface -> A@surface&surface", "initial_state": "ligated"}],
        {"A": (28.0, 0.0)},
    )
    tables = tables_of(made.model, [SupplyPeriod(1.0, {"A": 5.0}), SupplyPeriod(1.0, {})], 300.0, 25, "A")
    surface = tables["ledger"].set_index("name")["end_per_nm2"]
    assert surface["A@surface&surface"] > 0.1
    assert surface["free@surface"] + 2 * surface["A@surface&surface"] == pytest.approx(4.0)
    assert_tables_agree(tables, "A", 25)
    assert_tables_agree(stored(tables, tmp_path), "A")


@settings(max_examples=10, deadline=None)
@given(
    mechanism=mechanisms(),
    pressure=st.floats(1e-2, 1e4),
    duration=st.floats(1e-3, 10.0),
    cycles=st.sampled_from([1, 3, 23]),
)
def test_tables_of_random_networks_agree_after_storage(mechanism, pressure, duration, cycles, tmp_path_factory):
    model = prepare("random", tabulate_mechanism(mechanism))
    tables = tables_of(
        model, [SupplyPeriod(duration, {"A": pressure}), SupplyPeriod(10 * duration, {})], 400.0, cycles, "A"
    )
    assert_tables_agree(tables, "A", cycles)
    assert_tables_agree(stored(tables, tmp_path_factory.mktemp("tables")), "A")
