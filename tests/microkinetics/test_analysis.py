"""Rate control, dose, growth, mass balance, process window and pores on networks with known results."""

from pathlib import Path

import numpy as np
import pytest
from microkinetics.conftest import net_rates_per_site

from qdsurf.errors import InputError
from qdsurf.microkinetics.analysis.branching import uptake
from qdsurf.microkinetics.analysis.control import rate_control
from qdsurf.microkinetics.analysis.dose import nucleation_delay, saturation_curve, saturation_dose, tabulate_growth
from qdsurf.microkinetics.analysis.mass_balance import tabulate_mass_balance
from qdsurf.microkinetics.analysis.pores import penetration
from qdsurf.microkinetics.analysis.process_window import process_window, selectivity_map
from qdsurf.microkinetics.network.mechanism import read_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.rates.rate_constants import RateConstants, collision_flux, rate_constants
from qdsurf.microkinetics.rates.schedule import SupplyPeriod, schedule_recipe
from qdsurf.microkinetics.solver.integration import integrate, integrate_many, steady_state
from qdsurf.records import library

T = 313.15
CYCLE = [SupplyPeriod(1.0, {"TMA": 3.0}), SupplyPeriod(30.0, {})]
ALUMINA = Path(__file__).parents[2] / "config" / "mechanisms" / "alumina_OH.yaml"
RECIPE = library.recipe("alumina_thermal_40C")


@pytest.fixture(scope="module")
def alumina():
    return prepare(*read_mechanism(ALUMINA))


def test_selectivity_control_of_two_parallel_routes(templates):
    """At small conversion, ln(ligand/surface) changes with ln k of each route by +1 or -1."""
    table = rate_control(templates().model, [SupplyPeriod(1e-4, {"TMA": 3.0})], T, "TMA")
    steps = table[table["kind"] == "step"].set_index("name")
    assert set(table["kind"]) == {"step", "state"}
    selectivity = steps["selectivity_control"]
    assert selectivity["carboxylate_transfer"] + selectivity["protonolysis_ligand"] == pytest.approx(1, abs=0.01)
    assert selectivity["dissociation_surface"] + selectivity["protonolysis_surface_hydrogen"] == pytest.approx(
        -1, abs=0.01
    )
    assert abs(selectivity["ligand_desorption_salt"]) < 1e-3


def test_control_of_a_saturated_uptake_is_zero(alumina):
    table = rate_control(alumina, [SupplyPeriod(1e4, {"TMA": 100.0})], 450.0, "TMA").set_index("name")
    assert np.abs(table["uptake_control"].to_numpy()).max() < 1e-3
    assert table["selectivity_control"].isna().all()  # there are no ligands


def test_degrees_of_rate_control_in_a_steady_state_add_up_to_one(alumina):
    """The rate is homogeneous of degree one in the rate constants. TMA and water together react continuously."""
    network, temperature, pressures, epsilon = alumina.network, 500.0, {"TMA": 1.0, "H2O": 5.0}, 0.01
    central = alumina.rates(temperature)

    def log_uptake_rate(factors: np.ndarray) -> float:
        rates = RateConstants(central.forward_per_s * factors, central.reverse_per_s * factors)
        coverages = steady_state(network, rates, pressures, temperature)
        events = net_rates_per_site(network, rates, coverages, pressures, temperature) * network.step_density_per_m2
        return np.log(uptake(network, events, "TMA"))

    changes = epsilon * np.eye(len(network.steps))
    control = [(log_uptake_rate(np.exp(c)) - log_uptake_rate(np.exp(-c))) / (2 * epsilon) for c in changes]
    assert sum(control) == pytest.approx(1, abs=1e-4)
    assert max(control) > 0.05


def test_saturation_and_sticking(alumina):
    temperature, gases = 500.0, {"TMA": 1.0}
    curve = saturation_curve(alumina, gases, temperature, "TMA")
    assert curve["uptake_per_nm2"].iloc[-1] == pytest.approx(8.0, rel=1e-3)
    assert curve["uptake_per_nm2"].is_monotonic_increasing
    assert (curve["sticking"].dropna() <= 1 + 1e-6).all()
    assert curve["dose_langmuir"].iloc[-1] == pytest.approx(1e4 / 1.33322368e-4, rel=1e-6)
    dose = saturation_dose(curve)
    assert np.interp(dose, curve["dose_Pa_s"], curve["uptake_per_nm2"]) == pytest.approx(0.95 * 8.0, rel=1e-3)


def test_growth_reaches_its_limit_cycle_and_the_delay_is_the_growth_missing_before_it(alumina):
    run = integrate(alumina.network, alumina.rates(340.0), schedule_recipe(RECIPE, temperature_K=340.0), 340.0, 8)
    table = tabulate_growth(alumina, run, "TMA", 8)
    assert table["total_per_nm2"].iloc[-1] == pytest.approx(table["growth_per_cycle_per_nm2"].sum())
    assert table["limit_cycle"].iloc[-1] and not table["limit_cycle"].iloc[0]
    gained = table["total_per_nm2"].iloc[-1] / table["growth_per_cycle_per_nm2"].iloc[-1]
    assert nucleation_delay(table) == pytest.approx(8 - gained)


def test_the_mass_balance_adds_up(alumina):
    run = integrate(alumina.network, alumina.rates(500.0), schedule_recipe(RECIPE, temperature_K=500.0), 500.0)
    table = tabulate_mass_balance(alumina, run.flux_per_nm2[-1], run.coverages[-1])
    rows = {
        kind: table[table["kind"] == kind].set_index("name")["end_per_nm2"] for kind in ("surface", "gas", "element")
    }
    assert rows["surface"].sum() == pytest.approx(8.0)
    assert rows["element"]["Al"] == pytest.approx(-rows["gas"]["TMA"]) and rows["element"]["Al"] > 1
    assert rows["element"]["C"] == pytest.approx(-3 * rows["gas"]["TMA"] - rows["gas"]["CH4"])


def test_the_number_of_ligand_sites_is_conserved(templates):
    model = templates().model
    run = integrate(model.network, model.rates(T), CYCLE, T)
    table = tabulate_mass_balance(model, run.flux_per_nm2[-1], run.coverages[-1])
    ligands = table[table["name"].str.endswith("@ligand")]
    assert ligands["end_per_nm2"].sum() == pytest.approx(ligands["start_per_nm2"].sum()) == pytest.approx(3.0)


def test_the_map_agrees_with_single_integrations(alumina):
    temperatures, pressures = np.array([320.0, 600.0]), np.array([0.2, 2000.0])
    table = selectivity_map(alumina, RECIPE, None, temperatures, pressures)
    assert len(table) == 4 and table["failed_samples"].sum() == 0 and table["p_ligand_wins"].isna().all()
    for row in table.itertuples():
        schedule = schedule_recipe(RECIPE, None, row.temperature_K, row.pressure_Pa)
        single = integrate(alumina.network, alumina.rates(row.temperature_K), schedule, row.temperature_K)
        gas = alumina.network.gases.index("TMA")
        taken = single.flux_per_nm2[-1] @ (alumina.network.gas_left[gas] - alumina.network.gas_right[gas])
        assert row.uptake_per_nm2 == pytest.approx(taken, rel=1e-5)


def test_the_map_is_nan_if_a_class_has_no_energies(templates):
    made = templates()
    made.steps.loc[made.steps["step"].isin(["carboxylate_transfer", "protonolysis_ligand"]), "status"] = "lost"
    table = selectivity_map(made.model, RECIPE, library.precursor("TMA"), np.array([T]), np.array([1.0]), 2)
    assert table[["precursor_surface", "precursor_ligand", "p_ligand_wins"]].isna().all(axis=None)
    assert table["uptake_per_nm2"].iloc[0] > 0


def test_no_point_fails_from_18_to_400_C_and_1_mTorr_to_1_atm(templates, alumina):
    temperatures, pressures = np.linspace(291.15, 673.15, 9), np.geomspace(0.133322, 101325, 7)
    assert selectivity_map(alumina, RECIPE, None, temperatures, pressures, 8)["failed_samples"].sum() == 0
    made = templates()
    network, landscape = made.network, made.landscape
    for (
        temperature
    ) in temperatures:  # the energies of 40 C at other temperatures make these networks stiffer than real ones
        hot = type(landscape)(**{**landscape.__dict__, "temperature_K": temperature})
        rates = rate_constants(network, hot)
        batch = RateConstants(*(np.tile(k, (len(pressures), 1)) for k in (rates.forward_per_s, rates.reverse_per_s)))
        schedules = [[SupplyPeriod(1.0, {"TMA": p}), SupplyPeriod(30.0, {})] for p in pressures]
        assert not integrate_many(network, batch, schedules, temperature).problems


def test_the_window_needs_a_sufficient_pulse_and_ligands_that_remain(templates, alumina):
    window = process_window(alumina, RECIPE, None, np.array([300.0, 650.0]))
    assert window["pulse_share"].iloc[1] > window["pulse_share"].iloc[0]
    assert window["ligand_desorbed"].tolist() == [0.0, 0.0]  # the system has no ligands
    made = templates(ligand_desorption=-0.8)  # the acid desorbs at once
    lost = process_window(made.model, RECIPE, library.precursor("TMA"), np.array([T]))
    assert lost["ligand_desorbed"].iloc[0] > 0.9 and not lost["inside"].iloc[0]


def test_penetration_is_proportional_to_the_root_of_the_exposure():
    table = penetration(np.array([0.0, 1.0, 4.0, 100.0]), 5.0, 4.0, 1e-3, 72.09, 313.15)
    front = table["front_nm"].to_numpy()
    assert front[0] == 0 and front[2] == pytest.approx(2 * front[1]) and front[3] == pytest.approx(10 * front[1])
    assert table["blur_nm"].iloc[0] == pytest.approx(5.0 / np.sqrt(3e-3))
    assert table["depth_nm"].iloc[0] == 0
    # the molecules that enter the pore, flux D n / x integrated over time, are those on its wall
    x, exposure = front[3] * 1e-9, 100.0
    speed = 4 * collision_flux(1.0, 72.09, 313.15) * 1.380649e-23 * 313.15  # v = 4 flux / n
    entered = 5e-9 * speed / 3 * exposure / (1.380649e-23 * 313.15) / x * 2  # int dt D n / x(t), x ~ sqrt(t)
    assert entered == pytest.approx(4e18 * 4 / 5e-9 * x, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"pore_diameter_nm": 50.0},
            "pore diameter 50.0 nm: Knudsen diffusion is assumed, give more than 0 and at most 30 nm",
        ),
        ({"sticking": 0.0}, "sticking 0.0, uptake 4.0 nm.-2: both must be positive"),
    ],
)
def test_impossible_pores_are_rejected(change, message):
    right = {"pore_diameter_nm": 5.0, "uptake_per_nm2": 4.0, "sticking": 1e-3, "mass_amu": 72.0, "temperature_K": 300.0}
    with pytest.raises(InputError, match=message):
        penetration(np.ones(1), **right | change)
