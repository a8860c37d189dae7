"""Rate constants against closed forms, and detailed balance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants

from qdsurf.microkinetics.rates.rate_constants import collision_flux, rate_constants, sticking_coefficients
from qdsurf.units import BOLTZMANN_EV_PER_K, PLANCK_EV_S

T = 300.0
KT = BOLTZMANN_EV_PER_K * T
ATTEMPT = KT / PLANCK_EV_S


def rates_of(made):
    rates = rate_constants(made.network, made.landscape)
    return dict(zip(made.network.steps, zip(rates.forward_per_s, rates.reverse_per_s, strict=True), strict=True))


def test_collision_flux_of_nitrogen():
    # Langmuir's rule of thumb: 2.9e14 cm^-2 s^-1 at 1e-6 mbar and 293 K
    assert collision_flux(1e-4, 28.013, 293.15) == pytest.approx(2.88e18, rel=0.01)


def test_adsorption_and_desorption_closed_form(tables):
    step = {"step": "ads", "lattice": "A(g) + free@surface -> A@surface", "initial_state": "ligated"}
    made = tables({"ligated": 0.0, "ads": -0.4}, [step | {"activation_energy_eV": 0.1}], {"A": (72.0, 0.0)})
    forward, reverse = rates_of(made)["ads"]
    mass = 72.0 * constants.atomic_mass
    expected = 1e5 / (4e18 * np.sqrt(2 * np.pi * mass * constants.k * T)) * np.exp(-0.1 / KT)
    assert forward == pytest.approx(expected, rel=1e-12)
    assert reverse == pytest.approx(expected * np.exp(-0.4 / KT), rel=1e-12)


@pytest.mark.parametrize(
    ("barrier", "final", "saddle"), [(0.5, -1.0, 0.5), (-0.2, -1.0, 0.0), (0.5, 0.8, 0.8), (0.0, 0.3, 0.3)]
)
def test_a_saddle_point_is_never_below_either_end(tables, barrier, final, saddle):
    step = {"step": "B", "lattice": "A@surface -> B@surface", "initial_state": "A", "activation_energy_eV": barrier}
    made = tables({"A": 0.2, "B": 0.2 + final}, [step], sites={"A@surface": 4.0})
    forward, reverse = rates_of(made)["B"]
    assert forward == pytest.approx(ATTEMPT * np.exp(-saddle / KT), rel=1e-12)
    assert reverse == pytest.approx(ATTEMPT * np.exp((final - saddle) / KT), rel=1e-12)


def test_an_endothermic_adsorption_has_at_least_its_energy_as_barrier(tables):
    step = {"step": "ads", "lattice": "A(g) + free@surface -> A@surface", "initial_state": "ligated"}
    uphill = rates_of(tables({"ligated": 0.0, "ads": 0.4}, [step], {"A": (72.0, 0.0)}, entropy_eV=0.1))["ads"][0]
    free = rates_of(tables({"ligated": 0.0, "ads": -0.2}, [step], {"A": (72.0, 0.0)}, entropy_eV=0.1))["ads"][0]
    assert uphill / free == pytest.approx(np.exp(-0.3 / KT))  # dE = 0.4 - 0.1


def test_no_desorption_is_faster_than_the_attempt_frequency(tables):
    """A complex at dG = +0.9 eV would desorb 1e6 times faster than kT/h; both rate constants are reduced together."""
    step = {"step": "ads", "lattice": "A(g) + free@surface -> A@surface", "initial_state": "ligated"}
    forward, reverse = rates_of(tables({"ligated": 0.0, "ads": 0.9}, [step], {"A": (72.0, 0.0)}, entropy_eV=0.9))["ads"]
    assert reverse == pytest.approx(ATTEMPT, rel=1e-12)
    assert forward == pytest.approx(ATTEMPT * np.exp(-0.9 / KT), rel=1e-12)


def test_a_desorption_step_is_the_reverse_of_the_adsorption_step(tables):
    """With transition state theory alone, the rate would be higher by a factor kT/h / collision rate = 1e4."""
    gases, sites = {"A": (60.0, 0.0)}, {"A@surface": 4.0, "other@ligand": 2.0}
    out = {"step": "out", "lattice": "A@surface -> free@surface + A(g)", "initial_state": "full", "final_state": "free"}
    into = {"step": "in", "lattice": "A(g) + free@surface -> A@surface", "initial_state": "free", "final_state": "full"}
    levels = {"full": -0.9, "free": 0.0}
    forward, reverse = rates_of(tables(levels, [out], gases, sites))["out"]
    (backward, landing) = rates_of(tables(levels, [out, into], gases, sites))["in"][::-1]
    assert forward == pytest.approx(backward, rel=1e-12)
    assert reverse == pytest.approx(landing, rel=1e-12)


def test_a_desorption_with_a_barrier_follows_transition_state_theory(tables):
    step = {"step": "B", "lattice": "A@surface -> B@surface + CH4(g)", "initial_state": "A"}
    step |= {"activation_energy_eV": 0.9, "barrier_source": "bep"}
    made = tables({"A": 0.0, "B": -1.5}, [step], {"CH4": (16.0, 0.0)}, {"A@surface": 4.0})
    assert rates_of(made)["B"][0] == pytest.approx(ATTEMPT * np.exp(-0.9 / KT), rel=1e-12)


def test_no_more_molecules_adsorb_than_collide(tables):
    lines = ["A(g) + free@surface -> A@surface", "A(g) + free@surface -> B@surface", "A(g) + intact@ligand -> C@ligand"]
    steps = [
        {"step": line[-9:], "lattice": line, "initial_state": "ligated", "final_state": "ligated"} for line in lines
    ]
    sites = {"free@surface": 4.0, "intact@ligand": 3.0, "kink@edge": 1.0}
    made = tables({"ligated": 0.0}, steps, {"A": (72.0, 0.0)}, sites)
    assert sticking_coefficients(made.network) == pytest.approx([0.25, 0.25, 0.375])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), sigma=st.floats(0, 1))
def test_detailed_balance_holds_for_all_samples(templates, seed, sigma):
    made = templates()
    made.states.loc[(made.states["sigma_eV"] > 0), "sigma_eV"] = sigma
    landscape = made.sampled(4, seed)
    rates = rate_constants(made.network, landscape)
    thermal = BOLTZMANN_EV_PER_K * landscape.temperature_K
    ratio = np.log(rates.forward_per_s / rates.reverse_per_s) * thermal
    assert ratio == pytest.approx(-landscape.reaction_gibbs_eV, rel=1e-12, abs=1e-12)


def test_a_batch_of_samples_agrees_with_single_ones(templates):
    made = templates()
    network, central = made.network, made.landscape
    batch = rate_constants(network, made.sampled(4, 0))
    made.states["sigma_eV"] = 0.0
    made.steps["activation_sigma_eV"] = 0.0
    still = rate_constants(network, made.sampled(4, 0))
    single = rate_constants(network, central)
    assert batch.forward_per_s.shape == (4, 8)
    assert np.array_equal(still.forward_per_s, np.tile(single.forward_per_s, (4, 1)))
