"""States and steps: balanced, with barriers and errors that can be traced."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qdsurf.energetics.barrier_corrections import SaddleCorrection
from qdsurf.energetics.bond_types import assign_roles
from qdsurf.energetics.corrections import UNKNOWN_SIGMA_EV, Correction, Widths, fit_correction
from qdsurf.energetics.states import Gas, SystemStates, exchanged, factor_table, state_errors, state_table
from qdsurf.energetics.steps import assert_balanced, bep_barrier, site_table, step_table
from qdsurf.errors import BalanceError
from qdsurf.records import library
from qdsurf.relaxation.selection import State
from qdsurf.saddles.result import SaddleResult

TEMPLATES = library.reactions()
PBS = library.material("PbS")
NOTHING_KNOWN = Correction((), np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), Widths(0.0, 0.0, 0.0, 0.0, 0.0), 0.0)
# One reaction for each bond of TMA on PbS with a proton, each with its own error in eV; and one for the sulphur.
BONDS = {"Al<-S": -0.2, "Al-C": 0.5, "C-H": 0.1, "Al-S": -0.3, "S-H": 0.4, "S@PbS_100_PbS": 0.05}
EXACT = Correction(
    tuple(BONDS), np.eye(6), np.eye(6), np.array(list(BONDS.values())), Widths(5.0, 0.0, 0.0, 5.0, 1e-3), 0.0
)


NOISY = pd.DataFrame(
    {
        "reaction": [f"r{i}" for i in range(30)],
        "bonds": [f"{a} +1 {b} -1" for a in BONDS for b in BONDS if a != b],
        "error_eV": [
            BONDS[a] - BONDS[b] + 0.05 * ((i * 7) % 5 - 2)
            for i, (a, b) in enumerate((a, b) for a in BONDS for b in BONDS if a != b)
        ],
        "level": "one",
        "molecules": [f"m{i} +1" for i in range(30)],
        "reference_sigma_eV": 0.08,
        "on_face": False,
    }
)


def state(energy, charge=0.0, **composition) -> State:
    return State(
        status="ok" if energy is not None else "SCF failed",
        energy_eV=energy,
        converged=energy is not None,
        calculator={"name": "tblite", "parameters": {"method": "GFN2-xTB"}},
        composition=composition,
        charge=charge,
        mass_amu=72.0,
        density_per_nm2={"surface": 5.0, "ligand": 0.6},
    )


@pytest.fixture
def system() -> SystemStates:
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
    roles = assign_roles(PBS, PBS.facets[0], library.ligand("oleate"), library.precursor("TMA"))
    return SystemStates("PbS_100_PbS~oleate~TMA", roles, states, gases, names, "acetate", "a note")


def errors_of(system: SystemStates, correction: Correction = NOTHING_KNOWN):
    return state_errors(system, TEMPLATES, correction)


def test_reaction_energies_count_the_gas(system):
    steps = step_table(system, TEMPLATES, errors_of(system)).set_index("step")
    assert steps.reaction_energy_eV["adduct_surface"] == pytest.approx(-1.0)
    assert steps.reaction_energy_eV["protonolysis_surface_hydrogen"] == pytest.approx(-122.5 - 10 + 131)
    assert steps.lattice["protonolysis_surface_hydrogen"].endswith("+ CH4(g)")


def test_a_step_without_its_end_point_has_no_number_and_says_why(system):
    row = step_table(system, TEMPLATES, errors_of(system)).set_index("step").loc["dissociation_surface"]
    assert np.isnan(row.reaction_energy_eV) and np.isnan(row.activation_energy_eV)
    assert row.status == "dissociation_surface: SCF failed"


def test_a_step_that_does_not_balance_is_refused_with_its_ledger():
    with pytest.raises(BalanceError, match=r"does not balance: C: 3 -> 2; charge: \+0 -> \+1"):
        assert_balanced(TEMPLATES["adduct_surface"], state(0, C=3), state(0, 1.0, C=2), [], [])


def test_gibbs_energies_exchange_what_adsorbs_and_desorbs(system):
    states = state_table(system, TEMPLATES, errors_of(system), 313.15).set_index("state")
    assert states.gibbs_eV["adduct_surface"] == pytest.approx(-131.0 - 0.4)
    assert states.gibbs_eV["protonolysis_surface_hydrogen"] == pytest.approx(-122.5 - 0.4 + 0.2)
    assert states.gibbs_eV["TMA"] == pytest.approx(-31.0) and states.gibbs_eV["ligated"] == -100.0
    assert (states.sample_model == "acetate").all() and (states.note == "a note").all()


def test_a_partial_hessian_takes_the_place_of_the_hindered_molecule(system):
    hessians = replace(system, thermal_eV={"ligated": 0.1, "adduct_surface": 2.2})
    states = state_table(hessians, TEMPLATES, errors_of(system), 313.15).set_index("state")
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


def searched(status: str, barrier: float | None, saddles: int = 1) -> SaddleResult:
    energies = {f"saddle {number}": 0.0 for number in range(saddles)}
    return SaddleResult(status, "because", barrier, energies_eV=energies)


def test_a_verified_saddle_takes_the_place_of_the_relation(system):
    name = "protonolysis_surface_hydrogen"  # -1.5 eV, corrected by +0.9
    corrected = replace(system, saddles={name: searched("verified", 0.7)})
    row = step_table(corrected, TEMPLATES, errors_of(system, EXACT)).set_index("step").loc[name]
    assert row.barrier_source == "eigenvector_following" and row.activation_sigma_eV == SaddleCorrection().sigma_eV
    assert row.activation_energy_eV == pytest.approx(0.7 + row.correction_eV / 2)
    assert row.note == "a note; verified: because"
    low = replace(system, saddles={name: searched("verified", -0.2)})
    assert step_table(low, TEMPLATES, errors_of(system)).set_index("step").activation_energy_eV[name] == 0.0
    flat = replace(system, saddles={name: searched("barrierless", 0.0)})
    row = step_table(flat, TEMPLATES, errors_of(system)).set_index("step").loc[name]
    assert (row.barrier_source, row.activation_energy_eV, row.activation_sigma_eV) == ("none", 0.0, 0.0)


def test_a_detour_leaves_the_relation_and_says_so(system):
    name = "protonolysis_surface_hydrogen"
    plain = step_table(system, TEMPLATES, errors_of(system)).set_index("step").loc[name]
    limit = plain.activation_energy_eV + 2 * plain.activation_sigma_eV
    for saddles, above, source in (
        (2, 0.1, "bep"),
        (1, 0.1, "eigenvector_following"),
        (2, -0.1, "eigenvector_following"),
    ):
        found = replace(system, saddles={name: searched("verified", limit + above, saddles)})
        row = step_table(found, TEMPLATES, errors_of(system)).set_index("step").loc[name]
        assert row.barrier_source == source
        assert ("a path lower than that of" in row.note) == (source == "bep")


def test_a_saddle_that_is_not_verified_leaves_the_relation_and_its_reason(system):
    name = "protonolysis_surface_hydrogen"
    plain = step_table(system, TEMPLATES, errors_of(system)).set_index("step").loc[name]
    failed = replace(system, saddles={name: searched("wrong_ends", None)})
    row = step_table(failed, TEMPLATES, errors_of(system)).set_index("step").loc[name]
    assert row.barrier_source == "bep" and row.activation_energy_eV == plain.activation_energy_eV
    assert row.note.endswith("no verified saddle, wrong_ends: because")


def test_corrections_follow_the_bonds_and_close(system):
    errors = errors_of(system, EXACT)
    steps = step_table(system, TEMPLATES, errors).set_index("step")
    states = state_table(system, TEMPLATES, errors, 313.15).set_index("state")
    # gained: Al<-S, a bond to sulphur of the face
    assert steps.correction_eV["adduct_surface"] == pytest.approx(0.2 - 0.05, abs=1e-5)
    # lost: Al<-S, Al-C, S-H; gained: C-H, Al-S; the sulphur exchanges H for Al
    assert steps.correction_eV["protonolysis_surface_hydrogen"] == pytest.approx(
        -0.2 + 0.5 + 0.4 - 0.1 + 0.3 + 0.05, abs=1e-5
    )
    assert states.correction_eV["protonolysis_surface_hydrogen"] == pytest.approx(1.1, abs=1e-5)
    assert steps.reaction_energy_eV["adduct_surface"] == pytest.approx(-1.0 + 0.15, abs=1e-5)
    assert states.energy_eV["adduct_surface"] == pytest.approx(-131.0 + 0.15, abs=1e-5)
    assert states.correction_eV["ligated"] == 0 and states.total_sigma_eV["ligated"] == 0
    assert states.energy_eV["TMA"] == -30.0, "the correction is counted on the surface states"
    assert steps.note["protonolysis_surface_hydrogen"] == "a note", "all its bonds are in the fit"
    assert (
        steps.note["dissociation_surface"]
        == "a note; not in the reference set: Pb-C (2 eV), Pb-S (2 eV), Pb@PbS_100_PbS"
    )
    only = Correction(("Al-C",), np.eye(1), np.eye(1), np.zeros(1), Widths(1.0, 0.0, 0.0, 0.0, 0.1), 0.0)
    steps = step_table(system, TEMPLATES, errors_of(system, only)).set_index("step")
    assert steps.note["dissociation_surface"].endswith(
        "Al-S (2 eV), Al<-S (2 eV), Pb-C (2 eV), Pb-S (2 eV), Pb@PbS_100_PbS (2 eV)"
    )


def test_what_is_not_in_the_reference_set_is_wide_and_named(system):
    steps = step_table(system, TEMPLATES, errors_of(system)).set_index("step")
    assert steps.sigma_eV["adduct_surface"] == pytest.approx(np.sqrt(2) * UNKNOWN_SIGMA_EV), "bond and face"
    assert steps.note["adduct_surface"] == "a note; not in the reference set: Al<-S (2 eV), S@PbS_100_PbS (2 eV)"


def test_shared_errors_are_those_of_the_covariance(system):
    errors = errors_of(system, fit_correction(NOISY))
    table = factor_table(system, errors).pivot_table(index="state", columns="factor", values="loading_eV")
    loadings = table.reindex(errors.names).to_numpy()
    assert np.abs(loadings @ loadings.T - errors.covariance_eV2).max() < 1e-8
    states = state_table(system, TEMPLATES, errors, 313.15).set_index("state").loc[errors.names]
    assert states.sigma_eV.to_numpy() == pytest.approx(errors.own_eV) and errors.own_eV > 0.08 / np.sqrt(2)
    total = np.sqrt((loadings**2).sum(axis=1) + 2 * errors.own_eV**2)
    assert total[1:] == pytest.approx(states.total_sigma_eV.to_numpy()[1:]), "against the covered surface"


def test_history_knows_what_came_and_went():
    assert exchanged(TEMPLATES["protonolysis_surface_hydrogen"], TEMPLATES) == (["precursor"], ["by_product"])
    assert exchanged(TEMPLATES["ligand_desorption_acid"], TEMPLATES) == ([], ["ligand"])


def test_sites_come_from_the_covered_surface(system):
    table = site_table(system, TEMPLATES).set_index("family")
    assert table.density_per_nm2.to_dict() == {"surface": 5.0, "ligand": 0.6}
    assert table.initial_species["ligand"] == "intact@ligand"
