"""Comparison with Cantera, an independent implementation of collision theory, detailed balance and mass action."""

import numpy as np
import pytest
from microkinetics.conftest import net_rates_per_site

from qdsurf.microkinetics.rates.rate_constants import rate_constants
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.solver.integration import integrate
from qdsurf.units import BOLTZMANN_EV_PER_K, PLANCK_EV_S

cantera = pytest.importorskip("cantera")

T = 350.0
PER_MOL = 96485.33212 * 1e3  # eV to J/kmol
LEVELS = {"ligated": 0.0, "A": -0.62, "B": -0.80, "empty": 0.15}
GASES = {"A": (72.0, 0.0), "P": (72.0, -0.3)}
DENSITY = 4e18  # m^-2
BARRIERS = {"A_B": 0.70, "B_out": 1.05}


def mechanism() -> str:
    def species(name: str, level: float, composition: str) -> str:
        thermo = (
            f"{{model: constant-cp, T0: {T}, h0: {level * PER_MOL!r}, s0: 0.0, cp0: 0.0, reference-pressure: 1.0e5}}"
        )
        return f"- {{name: {name}, composition: {composition}, thermo: {thermo}}}"

    def rate_constant(barrier: float) -> str:
        return f"{{A: {BOLTZMANN_EV_PER_K * T / PLANCK_EV_S!r}, b: 0, Ea: {barrier * PER_MOL!r}}}"

    return "\n".join(
        [
            "units: {length: m, quantity: kmol, energy: J, activation-energy: J/kmol}",
            "elements: [{symbol: Xx, atomic-weight: 72.0}]",
            "phases:",
            "- {name: gas, thermo: ideal-gas, elements: [Xx], species: [{gas-species: all}]}",
            "- {name: surface, thermo: ideal-surface, elements: [Xx], species: [{surface-species: all}],",
            f"   site-density: {DENSITY / 6.02214076e26!r},",
            "   adjacent-phases: [gas], kinetics: surface, reactions: all}",
            "gas-species:",
            species("A", GASES["A"][1], "{Xx: 1}"),
            species("P", GASES["P"][1], "{Xx: 1}"),
            "surface-species:",
            species("free", 0.0, "{}"),
            species("As", LEVELS["A"], "{Xx: 1}"),
            species("Bs", LEVELS["B"], "{Xx: 1}"),
            species("Es", LEVELS["empty"], "{}"),
            "reactions:",
            "- {equation: A + free <=> As, sticking-coefficient: {A: 1.0, b: 0, Ea: 0}}",
            f"- {{equation: As <=> Bs, rate-constant: {rate_constant(BARRIERS['A_B'])}}}",
            f"- {{equation: Bs <=> Es + P, rate-constant: {rate_constant(BARRIERS['B_out'])}}}",
        ]
    )


@pytest.fixture
def made(tables):
    steps = [
        {"step": "A", "lattice": "A(g) + free@surface -> A@surface", "initial_state": "ligated"},
        {
            "step": "B",
            "lattice": "A@surface -> B@surface",
            "initial_state": "A",
            "activation_energy_eV": BARRIERS["A_B"],
            "barrier_source": "bep",
        },
        {
            "step": "empty",
            "lattice": "B@surface -> empty@surface + P(g)",
            "initial_state": "B",
            "activation_energy_eV": BARRIERS["B_out"],
            "barrier_source": "bep",
        },
    ]
    levels = {"ligated": 0.0, "A": LEVELS["A"], "B": LEVELS["B"], "empty": LEVELS["empty"]}
    # states and molecules have different names in the table
    gases = {"A_gas": GASES["A"], "P": GASES["P"]}
    steps[0]["lattice"] = steps[0]["lattice"].replace("A(g)", "A_gas(g)")
    return tables(levels, steps, gases, {"free@surface": DENSITY / 1e18}, temperature_K=T)


@pytest.fixture
def surface():
    gas = cantera.Solution(yaml=mechanism(), name="gas")
    gas.TPX = T, 20.0, {"A": 0.75, "P": 0.25}
    interface = cantera.Interface(yaml=mechanism(), name="surface", adjacent=[gas])
    interface.TP = T, 20.0
    return interface


def test_net_rates_at_arbitrary_coverages(made, surface):
    rates, gases = rate_constants(made.network, made.landscape), {"A_gas": 15.0, "P": 5.0}
    for coverages in np.random.default_rng(1).dirichlet(np.ones(4), size=20):
        surface.coverages = coverages  # free, As, Bs, Es: the order of appearance in both codes
        events = net_rates_per_site(made.network, rates, coverages, gases, T) * DENSITY  # m^-2 s^-1
        scale = surface.forward_rates_of_progress * 6.02214076e26
        assert events == pytest.approx(surface.net_rates_of_progress * 6.02214076e26, abs=1e-7 * scale.max(), rel=1e-7)


def test_coverages_in_time(made, surface):
    surface.coverages = [1.0, 0.0, 0.0, 0.0]
    rates = rate_constants(made.network, made.landscape)
    for duration in (1e-4, 1e-2, 1.0):
        surface.coverages = [1.0, 0.0, 0.0, 0.0]
        surface.advance_coverages(duration)
        end = integrate(made.network, rates, [SupplyPeriod(duration, {"A_gas": 15.0, "P": 5.0})], T)
        assert end.coverages[-1] == pytest.approx(surface.coverages, rel=1e-4, abs=1e-9)
