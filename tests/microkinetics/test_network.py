"""Construction of the network from tables, its balances and its cycles."""

import numpy as np
import pandas as pd
import pytest

from qdsurf.errors import BalanceError, InputError
from qdsurf.microkinetics.network.assembly import build_network
from qdsurf.microkinetics.network.reaction_network import assert_cycles_close, find_cycles
from qdsurf.microkinetics.network.tables import Tables

SITES = {"free@surface": 4.0, "intact@ligand": 3.0}
ADSORPTION = {"step": "adduct", "lattice": "TMA(g) + free@surface -> adduct@surface", "initial_state": "ligated"}


def test_arrays_agree_with_the_equations(templates):
    network = templates().network
    assert network.species[:2] == ("free@surface", "intact@ligand")
    assert network.gases == ("TMA", "CH4", "HOAc", "salt")
    assert network.densities_per_m2 == pytest.approx([4e18, 3e18])
    step = network.steps.index("protonolysis_surface_hydrogen")
    change = dict(zip(network.species, network.right[:, step] - network.left[:, step], strict=True))
    assert {name: count for name, count in change.items() if count} == {
        "adduct@surface": -1,
        "intact@ligand": -1,
        "film@surface": 1,
        "deprotonated@ligand": 1,
    }
    assert network.gas_right[:, step].tolist() == [0, 1, 0, 0]
    assert (
        network.families[network.reactant_family[step]] == "surface"
    )  # that of the first reactant as written, not of the first species in the network
    assert network.missing == ()


def test_counts_may_be_written_before_a_species(tables):
    step = {"step": "split", "lattice": "H2(g) + 2 free@surface -> 2 H@surface", "initial_state": "ligated"}
    network = build_network(*system_and_tables(tables, step))
    assert network.left[network.species.index("free@surface"), 0] == 2
    assert network.right[network.species.index("H@surface"), 0] == 2


def system_and_tables(tables, *steps):
    made = tables({"ligated": 0.0}, list(steps), sites=SITES)
    return made.sites["system"][0], made.tables


def test_steps_without_energies_and_steps_only_reachable_through_them_are_omitted(templates):
    made = templates()
    made.steps.loc[made.steps["step"] == "adduct_surface", "status"] = "adduct_surface: desorbed"
    network = made.network
    assert network.missing == ("adduct_surface", "dissociation_surface", "protonolysis_surface_hydrogen")
    assert len(network.steps) == 5


def test_the_equation_of_a_step_without_energies_may_be_empty(tables):
    failed = {"step": "failed", "lattice": np.nan, "initial_state": "ligated", "status": "not built"}
    assert build_network(*system_and_tables(tables, ADSORPTION, failed)).missing == ("failed",)


def test_a_system_in_which_every_step_failed_has_an_empty_network(tables):
    network = build_network(*system_and_tables(tables, ADSORPTION | {"status": "not_converged"}))
    assert network.steps == () and network.left.shape == (2, 0) and network.missing == ("adduct",)
    assert_cycles_close(network, np.zeros(0))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lattice": "TMA(g) + free@edge -> a@edge"}, InputError, "step 'adduct', .*unknown site family 'edge'"),
        ({"lattice": "fre@surface -> a@surface"}, InputError, "unknown species 'fre@surface'; did you mean 'free@surf"),
        ({"lattice": "2 free@surface -> a@surface"}, BalanceError, "'surface' are not conserved, 2 .* left and 1"),
        ({"lattice": "TMA + free@surface -> a@surface"}, InputError, "cannot read 'TMA'; write species as name@family"),
        ({"lattice": "free@surface = a@surface"}, InputError, "lattice 'free@surface = a@surface': cannot be read"),
        ({"lattice": "A(g) + B(g) + free@surface -> a@surface"}, InputError, "more than one gas molecule adsorbs"),
        ({"lattice": "A(g) -> B(g)"}, InputError, "no surface species"),
        ({"reaction_class": "surface"}, InputError, "unknown reaction_class 'surface'; did you mean"),
        ({"reactive": "maybe"}, InputError, "column 'reactive' is 'maybe'; give True or False"),
    ],
)
def test_error_messages_name_the_step_and_the_equation(tables, change, error, message):
    with pytest.raises(error, match=message):
        build_network(*system_and_tables(tables, ADSORPTION | change))


def test_error_messages_about_the_tables(tables):
    system, (states, steps, sites, *_) = system_and_tables(tables, ADSORPTION, ADSORPTION)
    with pytest.raises(InputError, match="step 'adduct' is given twice"):
        build_network(system, Tables(states, steps, sites))
    with pytest.raises(InputError, match="sites table: unknown system 'PbS_110~none~TMA'"):
        build_network("PbS_110~none~TMA", Tables(states, steps, sites))
    with pytest.raises(InputError, match="family 'surface' is given twice"):
        build_network(system, Tables(states, steps, pd.concat([sites, sites])))
    with pytest.raises(InputError, match=r"density_per_nm2 of family 'surface' is -4.0; it must be positive"):
        build_network(system, Tables(states, steps, sites.assign(density_per_nm2=[-4.0, 3.0])))
    with pytest.raises(InputError, match="initial species 'free@edge' must be written 'name@surface'"):
        build_network(system, Tables(states, steps, sites.assign(initial_species=["free@edge", "intact@ligand"])))


@pytest.fixture
def triangle(tables):
    steps = [
        {"step": "A_B", "lattice": "A@surface -> B@surface", "initial_state": "A", "final_state": "B"},
        {"step": "B_C", "lattice": "B@surface -> C@surface", "initial_state": "B", "final_state": "C"},
        {"step": "C_A", "lattice": "C@surface -> A@surface", "initial_state": "C", "final_state": "A"},
    ]
    return tables({"A": 0.0, "B": -0.3, "C": 0.2}, steps, sites={"A@surface": 1.0}, sigma_eV=0.3)


def test_a_triangle_has_one_cycle_and_closes(triangle):
    cycles = find_cycles(triangle.network)
    assert np.abs(cycles) == pytest.approx(np.full((1, 3), 3**-0.5))
    assert_cycles_close(triangle.network, triangle.landscape.reaction_gibbs_eV)


def test_the_shipped_templates_have_no_cycle(templates):
    assert find_cycles(templates().network).shape == (0, 8)


def test_a_cycle_that_does_not_close_is_named(triangle):
    with pytest.raises(BalanceError, match=r"cycle A_B, B_C, C_A add up to 0\.\d+ eV instead of 0; the same species"):
        assert_cycles_close(triangle.network, triangle.landscape.reaction_gibbs_eV + np.array([0.0, 0.0, 0.1]))
