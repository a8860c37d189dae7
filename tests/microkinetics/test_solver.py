"""The solver: closed forms, conservation laws, order of the method, and comparison with Radau and LSODA."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qdsurf.errors import CalculationError
from qdsurf.microkinetics.rates.rate_constants import RateConstants, collision_flux, rate_constants
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.solver import integration as solver
from qdsurf.microkinetics.solver import lsoda, rosenbrock
from qdsurf.microkinetics.solver.integration import activities, integrate
from qdsurf.microkinetics.solver.rate_law import compile_law
from qdsurf.units import BOLTZMANN_EV_PER_K, PLANCK_EV_S

T = 300.0
KT = BOLTZMANN_EV_PER_K * T
CYCLE = [
    SupplyPeriod(1.0, {"TMA": 3.0}),
    SupplyPeriod(30.0, {}),
    SupplyPeriod(1.0, {"H2O": 10.0}),
    SupplyPeriod(30.0, {}),
]


def run(made, periods, **kwargs):
    schedule = [SupplyPeriod(*period) for period in periods]
    return integrate(made.network, rate_constants(made.network, made.landscape), schedule, T, **kwargs)


def barrier_for(rate_per_s: float) -> float:
    return KT * np.log(KT / PLANCK_EV_S / rate_per_s)


def isomerisation(tables, rates: dict[str, float]):
    """Irreversible steps 'AB': rate in s^-1, on one family of sites that are initially all A."""
    steps = [
        {
            "step": name,
            "lattice": f"{name[0]}@surface -> {name[1]}@surface",
            "initial_state": name[0],
            "final_state": name[1],
            "activation_energy_eV": barrier_for(rate),
            "barrier_source": "bep",
        }
        for name, rate in rates.items()
    ]
    levels = {name: -3.0 * "ABCD".index(name) for name in "ABCD"}
    return tables(levels, steps, sites={"A@surface": 4.0})


def adsorption(tables, gibbs_eV: float):
    step = {"step": "ads", "lattice": "A(g) + free@surface -> A@surface", "initial_state": "ligated"}
    return tables({"ligated": 0.0, "ads": gibbs_eV}, [step], {"A": (72.0, 0.0)})


def test_langmuir_isotherm_with_the_standard_pressure(tables):
    """Published codes that omit p0 give 0.99992 for this coverage."""
    gibbs = -KT * np.log(13186.0)
    end = run(adsorption(tables, gibbs), [(10.0, {"A": 1.0})]).coverages[-1]
    assert end == pytest.approx([0.8835, 0.1165], abs=5e-5)  # K p / (p0 + K p) with K p / p0 = 0.13186


@settings(max_examples=25, deadline=None)
@given(gibbs=st.floats(-1.2, 0.3), pressure=st.floats(1e-3, 1e4))
def test_langmuir_isotherm_at_any_free_energy_and_pressure(tables, gibbs, pressure):
    end = run(adsorption(tables, gibbs), [(1e9, {"A": pressure})]).coverages[-1]
    activity = np.exp(-gibbs / KT) * pressure / 1e5
    assert end == pytest.approx([1 / (1 + activity), activity / (1 + activity)], rel=1e-5)


def test_irreversible_adsorption_and_its_uptake(tables):
    made = adsorption(tables, -3.0)
    pressure, duration = 1e-3, 0.3
    rate = collision_flux(pressure, 72.0, T) / 4e18
    end = run(made, [(duration, {"A": pressure}), (5.0, {})])
    pulse = end.time_s <= duration
    assert end.coverages[pulse, 1] == pytest.approx(1 - np.exp(-rate * end.time_s[pulse]), rel=1e-5)
    assert end.flux_per_nm2[:, 0] == pytest.approx(4 * end.coverages[:, 1], rel=1e-6)
    assert end.coverages[-1, 1] == pytest.approx(end.coverages[pulse, 1][-1], rel=1e-6)  # nothing desorbs in the purge


def test_desorption_into_the_purge(tables):
    gibbs = -0.55
    made = adsorption(tables, gibbs)
    end = run(made, [(10.0, {"A": 1.0}), (0.5, {})])
    loss = collision_flux(1e5, 72.0, T) / 4e18 * np.exp(gibbs / KT)
    after = end.time_s >= 10.0
    assert np.sum(end.time_s == 10.0) == 1
    decay = end.coverages[after, 1][0] * np.exp(-loss * (end.time_s[after] - 10.0))
    assert end.coverages[after, 1] == pytest.approx(decay, rel=1e-4)


def test_consecutive_steps(tables):
    made = isomerisation(tables, {"AB": 3.0, "BC": 0.5})
    end = run(made, [(4.0, {})])
    t = end.time_s
    b = 3.0 / (0.5 - 3.0) * (np.exp(-3.0 * t) - np.exp(-0.5 * t))
    # the relative error of a coverage that has decayed by exp(-12) is the sum over many steps at 1e-6
    assert end.coverages[:, 0] == pytest.approx(np.exp(-3.0 * t), rel=1e-4)
    assert end.coverages[:, 1] == pytest.approx(b, rel=1e-5)
    assert end.coverages[:, 2] == pytest.approx(1 - np.exp(-3.0 * t) - b, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("slow", [0.7, 1e-6, 1e-15, 1e-30])
def test_branching_is_the_ratio_of_the_rates_even_if_it_is_tiny(tables, slow):
    made = isomerisation(tables, {"AB": 2.0, "AC": slow})
    flux = run(made, [(1.0, {}), (1.0, {})]).flux_per_nm2[-1]
    assert flux[1] / flux[0] == pytest.approx(slow / 2.0, rel=1e-5)
    assert flux.sum() == pytest.approx(4.0 * (1 - np.exp(-2.0 * (2.0 + slow))), rel=1e-5)


def test_families_of_different_density_reach_their_equilibrium(tables):
    line = "a@surface + b@ligand -> c@surface + d@ligand"
    step = {"step": "swap", "lattice": line, "initial_state": "start", "activation_energy_eV": 0.6}
    made = tables({"start": 0.0, "swap": -0.05}, [step], sites={"b@ligand": 1.5, "a@surface": 6.0})
    end = run(made, [(1e4, {})])
    coverage = dict(zip(made.network.species, end.coverages[-1], strict=True))
    quotient = coverage["c@surface"] * coverage["d@ligand"] / coverage["a@surface"] / coverage["b@ligand"]
    assert quotient == pytest.approx(np.exp(0.05 / KT), rel=1e-5)
    assert 6.0 * coverage["c@surface"] == pytest.approx(1.5 * coverage["d@ligand"], rel=1e-9)
    assert end.flux_per_nm2[-1, 0] == pytest.approx(1.5 * coverage["d@ligand"], rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.floats(0, 0.5))
def test_sites_are_conserved(templates, seed, spread):
    made = templates()
    made.states.loc[made.states["sigma_eV"] > 0, "sigma_eV"] = spread
    network = made.network
    sampled = rate_constants(network, made.sampled(1, seed))
    end = integrate(network, RateConstants(sampled.forward_per_s[0], sampled.reverse_per_s[0]), CYCLE, 313.15)
    for family in range(2):
        assert end.coverages[:, network.family_of == family].sum(axis=1) == pytest.approx(1, abs=1e-8)
    assert end.coverages.min() > -1e-8
    # the events of the steps account for the coverages
    own = network.densities_per_m2[network.family_of] / 1e18
    explained = network.initial + end.flux_per_nm2 @ (network.right - network.left).T / own
    assert end.coverages == pytest.approx(explained, abs=1e-8)


def functions(made, pressures, temperature_K=313.15, supply_rate=0.0, depletion=0.0):
    """dy/dt and Jacobian of synthetic tables under constant pressures, and the initial (coverages, gas, extents)."""
    network, law = made.network, compile_law(made.network)
    rates, gas = rate_constants(network, made.landscape), activities(network, pressures)
    kT = BOLTZMANN_EV_PER_K * temperature_K
    pair = lsoda.derivatives(law, rates, kT, gas, supply_rate, depletion)
    return *pair, np.concatenate([network.initial, gas, np.zeros(len(network.steps))])


@pytest.mark.parametrize("closed", [0.0, 1e-20])
def test_jacobian_is_the_derivative(templates, closed):
    pressures = {"TMA": 10.0, "CH4": 5.0, "HOAc": 1.0, "salt": 1.0}
    derivative, jacobian, start = functions(templates(), pressures, supply_rate=0.3, depletion=closed)
    y = np.random.default_rng(0).uniform(0.1, 1.0, len(start))
    steps = np.eye(len(start)) * 0.05
    # central differences are exact for products of two variables, and nearly exact for products of three
    numeric = np.array([derivative(y + h) - derivative(y - h) for h in steps]).T / 0.1
    assert jacobian(y) == pytest.approx(numeric, rel=1e-2, abs=1e-12 * np.abs(numeric).max())


def test_agrees_with_radau_at_tight_tolerance(templates):
    made = templates()
    rates = rate_constants(made.network, made.landscape)
    n = len(made.network.species)
    state = functions(made, {})[2]
    for period in CYCLE[:2]:
        derivative, jacobian, fresh = functions(made, period.pressures_Pa)
        state[n : n + 4] = fresh[n : n + 4]
        result = solve_ivp(
            lambda t, y, f=derivative: f(y),
            (0, period.duration_s),
            state,
            method="Radau",
            jac=lambda t, y, f=jacobian: f(y),
            rtol=1e-10,
            atol=1e-22,
        )
        state = result.y[:, -1]
    end = integrate(made.network, rates, CYCLE[:2], 313.15)
    expected = state[n + 4 :] * made.network.step_density_per_m2 / 1e18
    assert end.flux_per_nm2[-1] == pytest.approx(expected, rel=1e-5)
    assert end.coverages[-1] == pytest.approx(state[:n], abs=1e-6)


def test_the_method_has_order_four(tables):
    """At a smooth problem with constant steps, half the step length gives 1/16 of the error."""
    made = isomerisation(tables, {"AB": 3.0, "BC": 0.5})
    law, rates = compile_law(made.network), rate_constants(made.network, made.landscape)
    exact = 3.0 / (0.5 - 3.0) * (np.exp(-3.0) - np.exp(-0.5))
    errors = []
    for steps in (4, 8, 16):
        lanes = rosenbrock.make_lanes(law)
        lanes.forward[:], lanes.reverse[:] = rates.forward_per_s[:, None], rates.reverse_per_s[:, None]
        lanes.y[:], lanes.h[:] = made.network.initial[:, None], 1 / steps
        for _ in range(steps):
            rosenbrock.try_step(law, lanes, 1e-4, 1e-12, rosenbrock.make_workspace(law))
            lanes.y[:], lanes.q[:] = lanes.y_after, lanes.q_after
        errors.append(abs(lanes.y[1, 0] - exact))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.4)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(4, abs=0.3)


def test_lsoda_gives_the_same_result(templates, monkeypatch):
    made = templates()
    normal = run(made, CYCLE)
    monkeypatch.setattr(solver, "MAXIMUM_STEPS", 1)
    rescued = run(made, CYCLE)
    assert rescued.flux_per_nm2[-1] == pytest.approx(normal.flux_per_nm2[-1], rel=1e-4)


def test_the_error_names_system_temperature_and_pressure(templates, monkeypatch):
    made = templates()
    monkeypatch.setattr(solver, "MAXIMUM_STEPS", 1)
    monkeypatch.setattr(lsoda, "MAXIMUM_STEPS", 1)
    with pytest.raises(CalculationError, match=r"PbS_111_Pb~acetate~TMA: .* at 300.0 K, TMA 3 Pa \(more than .* steps"):
        run(made, CYCLE)


def test_without_steps_nothing_changes(tables):
    failed = {"step": "ads", "lattice": "A(g) + free@surface -> A@surface", "status": "desorbed"}
    made = tables({"ligated": 0.0}, [failed | {"initial_state": "ligated"}])
    end = run(made, CYCLE)
    assert end.time_s[-1] == 62.0 and np.all(end.coverages == 1) and end.flux_per_nm2.shape[1] == 0
