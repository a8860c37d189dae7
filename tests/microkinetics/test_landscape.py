"""Energies of states and saddle points, and their samples."""

import numpy as np
import pytest

from qdsurf.errors import InputError
from qdsurf.microkinetics.network.reaction_network import assert_cycles_close
from qdsurf.microkinetics.rates.landscape import read_landscape


def sample(made, count=256, seed=0):
    return made.sampled(count, seed)


def test_ends_include_the_gases(templates):
    made = templates(adduct_surface=-0.5)
    made.states.loc[made.states["state"] == "CH4", "gibbs_eV"] = -0.1
    network, landscape = made.network, made.landscape
    reaction = dict(zip(network.steps, landscape.reaction_gibbs_eV, strict=True))
    assert reaction["adduct_surface"] == pytest.approx(-0.5)
    assert reaction["protonolysis_surface_hydrogen"] == pytest.approx(-2.3 - 0.1 + 0.5)


def test_every_sample_of_a_cycle_closes(tables):
    pairs = ["AB", "BC", "CA", "BD", "DA"]
    steps = [
        {"step": p, "lattice": f"{p[0]}@surface -> {p[1]}@surface", "initial_state": p[0], "final_state": p[1]}
        for p in pairs
    ]
    made = tables({"A": 0.0, "B": -0.3, "C": 0.2, "D": 0.4}, steps, sites={"A@surface": 1.0}, sigma_eV=0.5)
    landscape = sample(made)
    assert np.std(landscape.reaction_gibbs_eV, axis=0) == pytest.approx(0.5 * 2**0.5, rel=0.1)
    assert_cycles_close(made.network, landscape.reaction_gibbs_eV)


def test_a_state_of_several_steps_has_one_shift_with_its_sigma(templates):
    made = templates()
    landscape = sample(made, 1024)
    network = made.network
    adduct = network.steps.index("adduct_surface")
    for name in ("dissociation_surface", "protonolysis_surface_hydrogen"):
        onward = network.steps.index(name)
        assert np.array_equal(landscape.final_gibbs_eV[:, adduct], landscape.initial_gibbs_eV[:, onward])
    shift = landscape.final_gibbs_eV[:, adduct] - made.landscape.final_gibbs_eV[adduct]
    assert np.mean(shift) == pytest.approx(0, abs=0.005)
    assert np.std(shift) == pytest.approx(0.2, rel=0.02)
    assert np.all(landscape.initial_gibbs_eV[:, adduct] == made.landscape.initial_gibbs_eV[adduct])  # ligated


def test_saddle_points_shift_by_the_mean_of_their_ends_and_barrierless_steps_have_none(templates):
    made = templates()
    made.steps["activation_sigma_eV"] = 0.0
    landscape, network = sample(made), made.network
    step = network.steps.index("carboxylate_transfer")
    shifts = (landscape.final_gibbs_eV - landscape.initial_gibbs_eV) - made.landscape.reaction_gibbs_eV
    assert landscape.barrier_eV[:, step] == pytest.approx(0.75 + shifts[:, step] / 2)
    assert np.all(landscape.barrier_eV[:, network.steps.index("adduct_surface")] == 0)


def test_seed_fixes_the_samples(templates):
    made = templates()
    assert np.array_equal(sample(made, 8, 3).barrier_eV, sample(made, 8, 3).barrier_eV)
    assert not np.array_equal(sample(made, 8, 3).barrier_eV, sample(made, 8, 4).barrier_eV)


@pytest.mark.parametrize(
    ("state", "column", "value", "message"),
    [
        ("adduct_surface", "gibbs_eV", np.nan, r"state 'adduct_surface' has no energy \(\), but a step .* needs it"),
        ("adduct_surface", "state", "adduct_x", "unknown state 'adduct_surface'; did you mean"),
        ("adduct_surface", "temperature_K", 500.0, r"temperatures \[313.15, 500.0\] K; it must have one"),
        ("adduct_surface", "state", "ligated", "state 'ligated' is given twice"),
        ("TMA", "mass_amu", np.nan, "mass_amu of gas 'TMA' is nan; it must be positive"),
    ],
)
def test_messages_name_the_state(templates, state, column, value, message):
    made = templates()
    made.states.loc[made.states["state"] == state, column] = value
    with pytest.raises(InputError, match=message):
        read_landscape(made.network, made.tables)


def test_messages_about_sigma_and_barrier(templates):
    made = templates()
    made.states.loc[made.states["state"] == "adduct_surface", "sigma_eV"] = -0.1
    with pytest.raises(InputError, match=r"state 'adduct_surface': sigma_eV is -0.1"):
        sample(made)
    made.steps.loc[0, "activation_energy_eV"] = np.nan
    with pytest.raises(InputError, match="step 'adduct_surface': activation_energy_eV is empty"):
        read_landscape(made.network, made.tables)
