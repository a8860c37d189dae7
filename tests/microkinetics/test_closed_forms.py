"""Recipes and networks with analytical solutions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from qdsurf.microkinetics.network.mechanism import Mechanism, tabulate_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.rates.rate_constants import RateConstants, collision_flux
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.solver.integration import integrate, integrate_many, steady_state
from qdsurf.units import BOLTZMANN_EV_PER_K, PLANCK_EV_S, STANDARD_PRESSURE_PA

T = 350.0
KT = BOLTZMANN_EV_PER_K * T
DENSITY = 5.0
IRREVERSIBLE = -5.0  # eV: the reverse step does not occur


def barrier_for(rate_per_s: float) -> float:
    return float(KT * np.log(KT / PLANCK_EV_S / rate_per_s))


def make(species: dict[str, float], steps: dict[str, float | None], gases: str = "", sites=None, **more):
    """Make a model from energies in eV and steps as 'equation: rate in s^-1', with None for adsorption.

    All sites are initially occupied by the first species.
    """
    first = next(iter(species))
    mechanism = Mechanism(
        system="analytical",
        temperature_range_K=(T, T),
        sites=sites or {"s": {"density_per_nm2": DENSITY}},
        species=[
            {"name": name, "formula": "", "energy_eV": level, "initial_coverage": 1.0 if name == first else 0.0}
            for name, level in species.items()
        ],
        # negligible entropy, so that energies are free energies at the standard pressure
        gases=[{"name": g, "formula": "H", "energy_eV": 0.0, "entropy_eV_per_K": 1e-12} for g in gases.split()],
        steps=[
            {"name": f"step{i}", "reaction_class": "precursor-surface", "equation": line}
            | {"activation_energy_eV": None if rate is None else barrier_for(rate)}
            for i, (line, rate) in enumerate(steps.items())
        ],
        source="assumed for the test",
        **more,
    )
    tables = tabulate_mechanism(mechanism)
    del tables.states["formula"]  # elements do not matter here
    return prepare("analytical", tables)


def run(model, schedule, **options):
    return integrate(model.network, model.rates(T), schedule, T, **options)


def collision_rate(pressure_Pa: float) -> float:
    """Collisions of a gas of mass H with a site, s^-1."""
    return float(collision_flux(pressure_Pa, 1.008, T) / (DENSITY * 1e18))


@pytest.mark.parametrize("pressure", [1e-3, 10.0])
def test_reversible_langmuir_in_time_at_two_pressures(pressure):
    model = make({"free@s": 0.0, "A@s": -0.6}, {"A(g) + free@s -> A@s": None}, "A")
    up = collision_rate(pressure)
    down = collision_rate(STANDARD_PRESSURE_PA) * np.exp(-0.6 / KT)
    end = run(model, [SupplyPeriod(0.01, {"A": pressure})])
    expected = up / (up + down) * (1 - np.exp(-(up + down) * end.time_s))
    assert end.coverages[:, 1] == pytest.approx(expected, abs=1e-6)


def test_adsorption_desorption_and_reaction_agree_with_the_matrix_exponential():
    model = make(
        {"free@s": 0.0, "A@s": -0.4, "B@s": IRREVERSIBLE}, {"A(g) + free@s -> A@s": None, "A@s -> B@s": 30.0}, "A"
    )
    up, down = collision_rate(2e-3), collision_rate(STANDARD_PRESSURE_PA) * np.exp(-0.4 / KT)
    matrix = np.array([[-up, down, 0], [up, -down - 30.0, 0], [0, 30.0, 0]])
    for duration in (1e-6, 1e-3, 0.1, 1.0):
        end = run(model, [SupplyPeriod(duration, {"A": 2e-3})]).coverages[-1]
        assert end == pytest.approx(expm(matrix * duration)[:, 0], abs=1e-6)


def test_bimolecular_reaction_of_equal_partners():
    model = make({"A@s": 0.0, "P@s": IRREVERSIBLE}, {"2 A@s -> 2 P@s": 4.0})
    end = run(model, [SupplyPeriod(3.0, {})])
    # each event, of rate k theta^2, consumes two A
    assert end.coverages[:, 0] == pytest.approx(1 / (1 + 2 * 4.0 * end.time_s), abs=1e-6)


def test_bimolecular_reaction_of_unequal_partners():
    sites = {"s": {"density_per_nm2": 6.0}, "l": {"density_per_nm2": 2.0, "empty": "B@l"}}
    model = make(
        {"A@s": 0.0, "B@l": 0.0, "P@s": IRREVERSIBLE, "Q@l": 0.0}, {"A@s + B@l -> P@s + Q@l": 1.5}, sites=sites
    )
    end = run(model, [SupplyPeriod(2.0, {})])
    a, b = end.coverages[:, [model.network.species.index(name) for name in ("A@s", "B@l")]].T
    # da/dt = -k a b, db/dt = -k (6/2) a b with b = 1 - 3 (1 - a)
    t = 1.5 * end.time_s
    expected = 2 / (3 - np.exp(-2 * t))
    assert a == pytest.approx(expected, abs=1e-6)
    assert 6.0 * (1 - a) == pytest.approx(2.0 * (1 - b), abs=1e-8)


def test_purge_with_a_time_constant():
    """Irreversible uptake while the pressure decays: 1 - exp(-k tau (1 - exp(-t / tau)))."""
    model = make({"free@s": 0.0, "A@s": IRREVERSIBLE}, {"A(g) + free@s -> A@s": None}, "A")
    pressure, tau = 1e-4, 0.3
    end = run(model, [SupplyPeriod(1e-9, {"A": pressure}), SupplyPeriod(2.0, {}, tau)])
    after = end.time_s > 1e-9
    t = end.time_s[after] - 1e-9
    assert end.pressures_Pa[after, 0] == pytest.approx(pressure * np.exp(-t / tau), rel=1e-4)
    expected = 1 - np.exp(-collision_rate(pressure) * tau * (1 - np.exp(-t / tau)))
    assert end.coverages[after, 1] == pytest.approx(expected, abs=1e-6)


def test_exposure_in_a_closed_cell_consumes_the_gas():
    """All molecules of the cell adsorb on a surface with ten times as many sites."""
    model = make({"free@s": 0.0, "A@s": IRREVERSIBLE}, {"A(g) + free@s -> A@s": None}, "A")
    pressure = 5.0
    molecules_per_m3 = pressure / (BOLTZMANN_EV_PER_K * T * 1.602176634e-19)
    area_per_volume = molecules_per_m3 / (0.1 * DENSITY * 1e18)
    end = run(model, [SupplyPeriod(100.0, {"A": pressure}, 0.0, area_per_volume)])
    assert end.coverages[-1, 1] == pytest.approx(0.1, rel=1e-6)
    assert end.pressures_Pa[-1, 0] == pytest.approx(0.0, abs=1e-6 * pressure)
    assert end.pressures_Pa[1:, 0] / pressure + end.coverages[1:, 1] / 0.1 == pytest.approx(1.0, abs=1e-8)


def test_competitive_langmuir_at_long_times():
    levels = {"free@s": 0.0, "A@s": -0.62, "B@s": -0.55}
    model = make(levels, {"A(g) + free@s -> A@s": None, "B(g) + free@s -> B@s": None}, "A B")
    pressures = {"A": 3.0, "B": 40.0}
    terms = [pressures[g] / STANDARD_PRESSURE_PA * np.exp(-levels[f"{g}@s"] / KT) for g in "AB"]
    expected = np.array([1.0, *terms]) / (1 + sum(terms))
    assert run(model, [SupplyPeriod(1e4, pressures)]).coverages[-1] == pytest.approx(expected, abs=1e-7)
    assert steady_state(model.network, model.rates(T), pressures, T) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(1e-3, 1e3))
def test_irreversible_uptake_depends_on_the_dose_alone(factor):
    model = make({"free@s": 0.0, "A@s": IRREVERSIBLE}, {"A(g) + free@s -> A@s": None}, "A")
    one, other = (run(model, [SupplyPeriod(0.1 * f, {"A": 2e-3 / f})]).coverages[-1] for f in (1.0, factor))
    assert one == pytest.approx(other, abs=1e-6)


def test_a_bidentate_occupies_two_sites_and_reaches_its_equilibrium():
    model = make({"free@s": 0.0, "A@s&s": -0.7}, {"A(g) + 2 free@s -> A@s&s": None}, "A")
    end = run(model, [SupplyPeriod(1e5, {"A": 10.0})]).coverages[-1]
    assert end.sum() == pytest.approx(1.0)  # coverages are fractions of the sites
    assert end[1] / end[0] ** 2 == pytest.approx(10.0 / STANDARD_PRESSURE_PA * np.exp(0.7 / KT), rel=1e-5)
    short = run(model, [SupplyPeriod(1e-9, {"A": 10.0})])
    gained = short.coverages[-1, 1] * DENSITY / 2  # molecules: two sites each
    assert gained == pytest.approx(short.flux_per_nm2[-1, 0], rel=1e-9)


def test_a_ligand_blocks_sites_until_it_desorbs():
    model = prepare(
        "blocked",
        tabulate_mechanism(
            Mechanism(
                system="blocked",
                temperature_range_K=(T, T),
                sites={
                    "s": {"density_per_nm2": 6.0, "empty": "free@s"},
                    "l": {"density_per_nm2": 2.0, "empty": "gap@l"},
                },
                species=[
                    {"name": "free@s", "formula": "", "energy_eV": 0.0},
                    {"name": "gap@l", "formula": "", "energy_eV": 0.0},
                    {"name": "L@l", "formula": "H", "energy_eV": 0.0, "initial_coverage": 1.0, "blocks": {"s": 2}},
                    {"name": "A@s", "formula": "H", "energy_eV": IRREVERSIBLE},
                ],
                gases=[{"name": g, "formula": "H", "energy_eV": 0.0, "entropy_eV_per_K": 1e-3} for g in ("A", "L")],
                steps=[
                    {"name": "adsorb", "reaction_class": "precursor-surface", "equation": "A(g) + free@s -> A@s"},
                    {"name": "leave", "reaction_class": "ligand-surface", "equation": "L@l -> gap@l + L(g)"}
                    | {"activation_energy_eV": barrier_for(1.0)},
                ],
                source="assumed for the test",
            )
        ),
    )
    network = model.network
    start = dict(zip(network.species, network.initial, strict=True))
    assert start["free@s"] == pytest.approx(1 - 2 * 2.0 / 6.0)
    end = run(model, [SupplyPeriod(0.7, {"A": 1.0})])
    coverage = dict(zip(network.species, end.coverages.T, strict=True))
    left = coverage["L@l&s&s"]
    assert left == pytest.approx(np.exp(-end.time_s), abs=1e-6)
    occupied = coverage["free@s"] + coverage["A@s"] + left * 2 * 2.0 / 6.0
    assert occupied == pytest.approx(1.0, abs=1e-8)
    assert coverage["A@s"][-1] == pytest.approx(1 - left[-1] * 2 / 3, rel=1e-3)  # free sites are occupied at once


def test_lateral_interactions_give_the_fowler_guggenheim_isotherm():
    """K p = theta / (1 - theta) exp(w theta / kT)."""
    model = make(
        {"free@s": 0.0, "A@s": -0.9}, {"A(g) + free@s -> A@s": None}, "A",
        interactions=[{"species": ("A@s", "A@s"), "interaction_eV_nm2": 0.05}],
    )  # fmt: skip
    theta = run(model, [SupplyPeriod(1e6, {"A": 10.0})]).coverages[-1, 1]
    left = 10.0 / STANDARD_PRESSURE_PA * np.exp(0.9 / KT)
    assert left == pytest.approx(theta / (1 - theta) * np.exp(0.05 * DENSITY * theta / KT), rel=1e-5)


def test_scaling_all_rates_is_equivalent_to_scaling_time():
    """sum over steps of k dy/dk = t dy/dt, over one period from the same start."""
    model = make(
        {"A@s": 0.0, "B@s": -0.05, "C@s": -0.1}, {"A@s -> B@s": 3.0, "2 B@s -> B@s + C@s": 1.0, "C@s -> A@s": 0.4}
    )
    rates, time, epsilon = model.rates(T), 0.8, 1e-4
    steps = len(rates.forward_per_s)
    factors = np.exp(epsilon * np.vstack([np.eye(steps), -np.eye(steps)]))
    batch = RateConstants(rates.forward_per_s * factors, rates.reverse_per_s * factors)
    up, down = np.split(
        integrate_many(model.network, batch, [[SupplyPeriod(time, {})]], T, rtol=1e-10).coverages[:, 0], 2
    )
    scaled = ((up - down) / (2 * epsilon)).sum(axis=0)
    later, earlier = (
        run(model, [SupplyPeriod(time * np.exp(s), {})], rtol=1e-10).coverages[-1] for s in (epsilon, -epsilon)
    )
    assert scaled == pytest.approx((later - earlier) / (2 * epsilon), abs=1e-7)
