"""States and steps: balanced, with barriers and errors that can be traced."""

import numpy as np
import pandas as pd
import pytest

from qdsurf import library
from qdsurf.energetics.corrections import UNMEASURED_SIGMA_EV, measure_errors, typical_errors
from qdsurf.energetics.states import Gas, System, error_kind, exchanged, state_sigma, state_table
from qdsurf.energetics.steps import assert_balanced, bep_barrier, site_table, step_table
from qdsurf.errors import BalanceError

TEMPLATES = library.reactions()
ERRORS = {"dative": 0.3, "exchange": 0.4}


def state(energy, charge=0.0, **composition) -> dict:
    return {
        "status": "ok" if energy is not None else "SCF failed",
        "energy_eV": energy,
        "converged": energy is not None,
        "flags": [],
        "calculator": {"name": "tblite", "parameters": {"method": "GFN2-xTB"}},
        "composition": composition,
        "charge": charge,
        "mass_amu": 72.0,
        "density_per_nm2": {"surface": 5.0, "ligand": 0.6},
    }


@pytest.fixture
def system() -> System:
    """An adduct at -1 eV, its dissociation not found, and protonolysis to -2.5 eV with the gas."""
    states = {
        "ligated": state(-100.0, S=4, H=1),
        "adduct_surface": state(-131.0, S=4, H=10, Al=1, C=3),
        "dissociation_surface": state(None),
        "protonolysis_surface_hydrogen": state(-122.5, S=4, H=6, Al=1, C=2),
    }
    gases = {
        "precursor": Gas(state(-30.0, Al=1, C=3, H=9), -1.0, -0.4),
        "by_product": Gas(state(-10.0, C=1, H=4), -0.6, -0.2),
    }
    names = {"precursor": "TMA", "by_product": "CH4"}
    return System("PbS_100_PbS~oleate~TMA", library.precursor("TMA"), states, gases, names, "acetate", "a note")


def test_reaction_energies_count_the_gas(system):
    steps = step_table(system, TEMPLATES, ERRORS).set_index("step")
    assert steps.reaction_energy_eV["adduct_surface"] == pytest.approx(-1.0)
    assert steps.reaction_energy_eV["protonolysis_surface_hydrogen"] == pytest.approx(-122.5 - 10 + 131)
    assert steps.lattice["protonolysis_surface_hydrogen"].endswith("+ CH4(g)")


def test_a_step_without_its_end_point_has_no_number_and_says_why(system):
    row = step_table(system, TEMPLATES, ERRORS).set_index("step").loc["dissociation_surface"]
    assert np.isnan(row.reaction_energy_eV) and np.isnan(row.activation_energy_eV)
    assert row.status == "dissociation_surface: SCF failed"


def test_a_step_that_does_not_balance_is_refused_with_its_ledger():
    with pytest.raises(BalanceError, match=r"does not balance: C: 3 -> 2; charge: \+0 -> \+1"):
        assert_balanced(TEMPLATES["adduct_surface"], state(0, C=3), state(0, 1.0, C=2), [], [])


def test_gibbs_energies_exchange_what_adsorbs_and_desorbs(system):
    states = state_table(system, TEMPLATES, ERRORS, 313.15).set_index("state")
    assert states.gibbs_eV["adduct_surface"] == pytest.approx(-131.0 - 0.4)
    assert states.gibbs_eV["protonolysis_surface_hydrogen"] == pytest.approx(-122.5 - 0.4 + 0.2)
    assert states.gibbs_eV["TMA"] == pytest.approx(-31.0) and states.gibbs_eV["ligated"] == -100.0
    assert (states.sample_model == "acetate").all() and (states.note == "a note").all()


def test_a_partial_hessian_takes_the_place_of_the_hindered_molecule(system):
    system.states["ligated"]["thermal_eV"] = 0.1
    system.states["adduct_surface"]["thermal_eV"] = 2.2
    states = state_table(system, TEMPLATES, ERRORS, 313.15).set_index("state")
    assert states.gibbs_eV["ligated"] == pytest.approx(-99.9)
    assert states.gibbs_eV["adduct_surface"] == pytest.approx(-131.0 + 2.2)
    assert np.isnan(states.gibbs_eV["dissociation_surface"])


@pytest.mark.parametrize(
    ("energy", "barrier"), [(-0.85, 1.14 - 0.425), (-4.0, 0.0), (0.0, 1.14), (3.0, 3.0), (1.0, 1.64)]
)
def test_barriers_follow_the_relation_within_its_limits(energy, barrier):
    assert bep_barrier(TEMPLATES["dissociation_surface"], energy) == pytest.approx(barrier)


@pytest.mark.parametrize(("energy", "barrier"), [(-1.0, 0.0), (1.2, 1.2)])
def test_a_step_without_a_relation_has_no_barrier_beyond_its_energy(energy, barrier):
    assert bep_barrier(TEMPLATES["adduct_surface"], energy) == barrier


@pytest.mark.parametrize(
    ("name", "kind", "sigma"),
    [
        ("adduct_surface", "dative", 0.3),
        ("protonolysis_surface_hydrogen", "exchange", 0.5),
        ("carboxylate_transfer", "exchange", 0.5),
        ("ligand_desorption_acid", "exchange", 0.4),
        ("ligand_desorption_dative", "dative", 0.3),
    ],
)
def test_errors_add_up_over_the_kinds_of_change(name, kind, sigma):
    assert error_kind(TEMPLATES[name]) == kind
    assert state_sigma(TEMPLATES[name], TEMPLATES, ERRORS) == pytest.approx(sigma)


def test_history_knows_what_came_and_went():
    assert exchanged(TEMPLATES["protonolysis_surface_hydrogen"], TEMPLATES) == (["precursor"], ["by_product"])
    assert exchanged(TEMPLATES["ligand_desorption_acid"], TEMPLATES) == ([], ["ligand"])


def test_sites_come_from_the_covered_surface(system):
    table = site_table(system).set_index("family")
    assert table.density_per_nm2.to_dict() == {"surface": 5.0, "ligand": 0.6}
    assert table.initial_species["ligand"] == "intact@ligand"


def test_errors_are_measured_and_their_absence_is_a_wide_prior():
    reference = library.reference_set()
    exact = {}
    for reaction in reference.reactions:  # energies that reproduce one reaction with an error of 0.5 eV
        exact |= dict.fromkeys(reaction.stoichiometry, None)
    reaction = next(r for r in reference.reactions if r.kind == "exchange")
    exact |= dict.fromkeys(reaction.stoichiometry, 0.0)
    product = next(m for m, n in reaction.stoichiometry.items() if n == 1)
    exact[product] = reaction.energy_eV + 0.5
    errors = measure_errors(reference, exact)
    assert errors.error_eV.dropna().to_list() == [pytest.approx(0.5)]
    assert typical_errors(errors) == {"dative": UNMEASURED_SIGMA_EV, "exchange": pytest.approx(0.5)}
    assert isinstance(errors, pd.DataFrame) and len(errors) == len(reference.reactions)


def test_every_reference_reaction_balances():
    from qdsurf.build.molecules import build_molecule

    reference = library.reference_set()
    formulas = {m.name: build_molecule(m).symbols.formula.count() for m in reference.molecules}
    for reaction in reference.reactions:
        total: dict[str, int] = {}
        for name, n in reaction.stoichiometry.items():
            for element, count in formulas[name].items():
                total[element] = total.get(element, 0) + n * count
        assert not any(total.values()), f"{reaction.name}: {total}"
