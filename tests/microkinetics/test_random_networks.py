"""Properties of all balanced networks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qdsurf.microkinetics.network.mechanism import Mechanism, tabulate_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.network.reaction_network import conservation_laws, find_cycles
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.solver.integration import integrate, integrate_many
from qdsurf.units import BOLTZMANN_EV_PER_K

T = 400.0
KT = BOLTZMANN_EV_PER_K * T


@st.composite
def mechanisms(draw) -> Mechanism:
    """Species on two families, adsorption, isomers and pair reactions, all reachable, with random initial coverages."""
    count = draw(st.integers(2, 4))
    levels = st.floats(-0.8, 0.2)
    species, lines = [], []
    for family in ("s", "l"):
        start = draw(st.floats(0.0, 1.0))
        species += [{"name": f"free@{family}", "formula": "", "energy_eV": 0.0, "initial_coverage": start}]
        species += [
            {"name": f"x{i}@{family}", "formula": "H", "energy_eV": draw(levels), "sigma_eV": 0.2}
            | {"initial_coverage": (1 - start) if i == 0 else 0.0}
            for i in range(count)
        ]
        lines.append((f"A(g) + free@{family} -> x0@{family}", None))
        lines += [(f"x{i}@{family} -> x{i + 1}@{family}", draw(st.floats(0.2, 0.9))) for i in range(count - 1)]
        if count > 2:
            lines.append((f"x0@{family} -> x{count - 1}@{family}", draw(st.floats(0.2, 0.9))))  # closes a cycle
    lines.append(("x0@s + free@l -> free@s + x1@l", draw(st.floats(0.2, 0.9))))
    level = {item["name"]: item["energy_eV"] for item in species}

    def above_both_ends(line: str, barrier: float | None) -> float | None:
        left, right = (sum(level.get(name, 0.0) for name in side.split(" + ")) for side in line.split(" -> "))
        return None if barrier is None else barrier + max(0.0, right - left)

    return Mechanism(
        system="random",
        temperature_range_K=(T, T),
        sites={"s": {"density_per_nm2": 5.0}, "l": {"density_per_nm2": draw(st.sampled_from([2.5, 3.3]))}},
        species=species,
        gases=[{"name": "A", "formula": "H", "energy_eV": 0.0, "entropy_eV_per_K": 1e-3}],
        steps=[
            {
                "name": f"step{i}",
                "reaction_class": "precursor-surface",
                "equation": line,
                "activation_energy_eV": above_both_ends(line, barrier),
            }
            for i, (line, barrier) in enumerate(lines)
        ],
        source="assumed for the test",
    )


@settings(max_examples=30, deadline=None)
@given(mechanism=mechanisms(), pressure=st.floats(1e-2, 1e4), duration=st.floats(1e-6, 10.0))
def test_coverages_stay_between_zero_and_one_and_sums_are_conserved(mechanism, pressure, duration):
    model = prepare("random", tabulate_mechanism(mechanism))
    run = integrate(
        model.network, model.rates(T), [SupplyPeriod(duration, {"A": pressure}), SupplyPeriod(duration, {})], T
    )
    assert run.coverages.min() >= -1e-9 and run.coverages.max() <= 1 + 1e-9
    laws = conservation_laws(model.network)
    assert len(laws) >= 2
    assert np.abs((run.coverages - model.network.initial) @ laws.T).max() < 1e-9


@settings(max_examples=30, deadline=None)
@given(mechanism=mechanisms(), pressure=st.floats(1.0, 1e4))
def test_equilibrium_is_reached_from_any_start(mechanism, pressure):
    model = prepare("random", tabulate_mechanism(mechanism))
    end = integrate(model.network, model.rates(T), [SupplyPeriod(1e12, {"A": pressure})], T).coverages[-1]
    network, states = model.network, model.tables.states.set_index("state")["gibbs_eV"]
    activity = pressure / 1e5 * np.exp(states["A"] / KT)
    weight = {
        name: 1.0 if name.startswith("free") else activity * np.exp(-states[name] / KT) for name in network.species
    }
    for f in range(2):
        members = np.flatnonzero(network.family_of == f)
        expected = np.array([weight[network.species[i]] for i in members])
        np.testing.assert_allclose(end[members], expected / expected.sum(), rtol=1e-4, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(mechanism=mechanisms(), seed=st.integers(0, 1000))
def test_the_product_of_equilibrium_constants_around_a_cycle_is_one_in_every_sample(mechanism, seed):
    model = prepare("random", tabulate_mechanism(mechanism))
    rates = model.rates(T, sample_shifts(model.network, model.tables, 8, seed))
    log_k = np.log(rates.forward_per_s / rates.reverse_per_s)
    cycles = find_cycles(model.network)
    assert len(cycles)
    assert np.abs(log_k @ cycles.T).max() < 1e-12 * np.abs(log_k).max() * len(log_k[0]) ** 0.5
    ends = integrate_many(model.network, rates, [[SupplyPeriod(1.0, {"A": 10.0})]], T)
    assert not ends.problems
