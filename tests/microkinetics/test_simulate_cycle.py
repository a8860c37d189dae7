"""All tables of one system under one recipe, with and without energies."""

import numpy as np
import pytest

from qdsurf.errors import InputError
from qdsurf.microkinetics.simulate_cycle import Conditions, scan_conditions, simulate_cycle, simulate_pore
from qdsurf.records import library

SYSTEM = "PbS_111_Pb~acetate~TMA"
RECIPE = library.recipe("alumina_thermal_40C")
NAMES = {"coverages", "selectivity", "control", "ledger", "growth", "saturation", "dose"}


@pytest.fixture
def conditions(templates) -> Conditions:
    return Conditions(SYSTEM, templates().tables, RECIPE, library.precursor("TMA"), cycles=2, samples=4)


def test_a_system_with_energies_has_all_tables(conditions):
    tables = simulate_cycle(conditions)
    assert set(tables) == NAMES and all(len(table) for table in tables.values())
    assert tables["coverages"]["time_s"].iloc[-1] == pytest.approx(2 * 12.055)
    assert len(tables["growth"]) == 2
    dose = tables["dose"].iloc[0]
    assert 0 < dose["pulse_sticking"] <= dose["initial_sticking"] <= 1 + 1e-6
    assert dose["dose_95_langmuir"] == pytest.approx(dose["dose_95_Pa_s"] / 1.33322368e-4)


def test_free_energies_at_one_temperature_give_a_map_of_one_temperature(conditions):
    tables = scan_conditions(conditions, (5, 3), 2)
    assert tables["map"]["temperature_K"].unique().tolist() == [313.15]
    assert len(tables["map"]) == 3 and np.isfinite(tables["map"]["p_ligand_wins"]).all()
    assert len(tables["window"]) == 1


def test_the_pore_uses_uptake_and_sticking_of_the_dose_table(conditions):
    table = simulate_pore(conditions, simulate_cycle(conditions)["dose"], 5.0)
    assert table["depth_nm"].is_monotonic_increasing and table["front_nm"].iloc[-1] > 5


def test_a_system_without_energies_has_empty_tables_and_a_reason(conditions):
    conditions.tables.steps["status"] = "not_converged"
    tables = simulate_cycle(conditions)
    assert set(tables) == NAMES
    assert tables["selectivity"]["missing_steps"].iloc[0].startswith("adduct_surface;")
    assert all(tables[name].empty for name in ("coverages", "control", "ledger", "growth", "saturation"))
    assert all(table.empty for table in scan_conditions(conditions, (3, 3), 0).values())
    with pytest.raises(InputError, match="no uptake of TMA, so it has no penetration depth"):
        simulate_pore(conditions, tables["dose"], 5.0)


def test_a_temperature_without_free_energies_is_rejected(conditions):
    with pytest.raises(
        InputError, match=r"no free energies at 500 K. Column gibbs_eV of the tables is known only at 313.15 K"
    ):
        simulate_cycle(conditions._replace(temperature_K=500))
