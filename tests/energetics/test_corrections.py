"""Bond corrections: closed forms, comparison with explicit Gaussian formulas, and refused input."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from known_errors import adducts, exchanges, on_faces, table

from qdsurf.energetics.bond_types import format_counts, parse_counts
from qdsurf.energetics.corrections import (
    UNKNOWN_SIGMA_EV,
    Correction,
    Widths,
    fit_correction,
    measure_errors,
)
from qdsurf.energetics.cross_validation import leave_one_out, summarise_predictions
from qdsurf.errors import InputError
from qdsurf.records.reference_set import read_reference


def fit_with_widths(bonds, counts, errors, widths) -> Correction:
    """A fit with given widths, in which every reaction has another molecule."""
    return Correction(tuple(bonds), np.array(counts, float), np.eye(len(errors)), np.array(errors), widths, 0.0)


def test_one_bond_in_one_reaction_has_the_textbook_shrinkage():
    fit = fit_with_widths(["Al-C"], [[2.0]], [1.0], Widths(0.5, 0.0, 0.0, 0.0, 0.2))
    mean, covariance = fit.predict([{"Al-C": 1}])
    gain = 2 * 0.25 / (4 * 0.25 + 0.04)
    assert mean[0] == pytest.approx(gain * 1.0)
    assert covariance[0, 0] == pytest.approx(0.25 - gain * 2 * 0.25)


def test_a_bond_without_data_is_predicted_from_bonds_with_the_same_partner_or_acceptor():
    fit = fit_with_widths(["Al-C", "Zn-O"], np.eye(2), [1.0, 0.0], Widths(0.3, 0.4, 0.0, 0.0, 0.1))
    mean, covariance = fit.predict([{"Zn-C": 1}, {"Al-O": 1}])
    assert mean == pytest.approx([0.16 / 0.26, 0.0]), "the same partner, and another one"
    assert np.diag(covariance) == pytest.approx([0.25 - 0.16**2 / 0.26] * 2)
    dative = fit_with_widths(["Al<-N"], np.eye(1), [1.0], Widths(0.3, 0.4, 0.0, 0.0, 0.1))
    assert dative.predict([{"Al<-S": 1}, {"Zn<-N": 1}])[0] == pytest.approx([0.16 / 0.26, 0.0]), "the same acceptor"


@pytest.mark.parametrize(
    ("bond", "known"),
    [
        ("Zn-O", True),
        ("Ti<-O2C", True),
        ("Ti-C", False),  # there is no covalent bond of titanium
        ("Al-N", False),  # there is no covalent bond of nitrogen
        ("Zn<-N", False),
        ("O-H", False),  # it is the only bond between oxygen and hydrogen
        ("Al-H", False),  # only nonmetals are bound to hydrogen
        ("Al-Zn", False),
        ("C-O", False),
        ("O2C<-N", False),
    ],
)
def test_a_bond_is_unknown_if_an_end_occurs_in_no_bond_of_the_same_type(bond, known):
    bonds = ["Al-O", "Zn-C", "C-H", "O-H", "Al<-O2C", "Ti<-N"]
    fit = fit_with_widths(bonds, np.eye(len(bonds)), np.zeros(len(bonds)), Widths(0.3, 0.0, 0.0, 0.0, 0.1))
    fit = replace(fit, bonds=tuple(name if name != bond else "Pb-O" for name in bonds))
    sigma = np.sqrt(fit.predict([{bond: 1}])[1][0, 0])
    assert sigma == pytest.approx(0.3 if known else np.hypot(UNKNOWN_SIGMA_EV, 0.3))


def test_a_bond_that_a_calculator_cannot_describe_is_unknown():
    lost = table([{"Al-C": -1, "Al-Br": 1, "Br-H": -1, "C-H": 1}, {"Al-Se": 1}], [np.nan, 0.2])
    there = table([{"Zn-Br": 1}, {"Br-H": 1}, {"Al-C": 1, "C-H": 1}, {"Zn-Se": -1}], [0.1, 0.3, -0.2, 0.1])
    fit = fit_correction(pd.concat([there, lost]))
    assert fit.undescribed == {"Al-Br"}
    _, covariance = fit.predict([{"Al-Br": 1}, {"Zn-C": 1}])
    assert covariance[0, 0] > UNKNOWN_SIGMA_EV**2 > covariance[1, 1]


def test_errors_of_reactions_with_a_common_molecule_are_correlated():
    apart = fit_with_widths(["Al-C"], [[1.0], [1.0]], [1.0, 1.0], Widths(0.5, 0.0, 0.0, 0.0, 0.5))
    shared = Correction(
        ("Al-C",), np.ones((2, 1)), np.ones((2, 1)), np.ones(2), Widths(0.5, 0.0, 0.0, 0.0, 0.5 - 1e-6), 0.0
    )
    assert apart.covariance == pytest.approx(np.array([[0.5, 0.25], [0.25, 0.5]]))
    assert shared.covariance == pytest.approx(np.full((2, 2), 0.5), abs=1e-5), (
        "two reactions contain as much information as one"
    )


def test_predictions_are_those_of_the_joint_normal_distribution():
    errors, _ = exchanges(0.1)
    fit = fit_correction(errors)
    asked = [parse_counts(text) for text in errors["bonds"][:5]]
    rows = np.array([[change[bond] for bond in fit.bonds] for change in asked])
    both = np.vstack([fit.counts, rows])
    joint = both @ fit.widths.covariance(fit.bonds) @ both.T
    n = len(fit.errors_eV)
    joint[:n, :n] += fit.widths.noise**2 * np.eye(n)
    gain = joint[n:, :n] @ np.linalg.inv(joint[:n, :n])
    mean, covariance = fit.predict(asked)
    assert mean == pytest.approx(gain @ fit.errors_eV, abs=1e-9)
    assert covariance == pytest.approx(joint[n:, n:] - gain @ joint[:n, n:], abs=1e-9)


def test_known_errors_and_the_noise_are_recovered():
    errors, truth = exchanges(0.1)
    fit = fit_correction(errors)
    assert fit.widths.noise == pytest.approx(0.1, rel=0.4)
    left = summarise_predictions(leave_one_out(fit))
    assert left["mae_left_out_eV"] < 0.2 < left["mae_raw_eV"]
    new = [{"Al-C": -1, "Al-S": 1, "C-H": 1, "S-H": -1}]
    mean, covariance = fit.predict(new)
    assert abs(mean[0] - sum(n * truth[bond] for bond, n in new[0].items())) < 3 * np.sqrt(covariance[0, 0]) + 1e-3


def test_a_bond_without_data_is_named():
    fit = fit_correction(exchanges(0.1)[0])
    assert fit.unmeasured({"Ti-C": 1, "Al-C": -1}) == ["Ti-C (2 eV)"]
    rest = fit_correction(exchanges(0.1)[0].query("not bonds.str.contains('Al-N')"))
    assert rest.unmeasured({"Al-N": 1, "C|O": 1}) == ["Al-N"], "aluminium and nitrogen are known; pairs are not named"


def test_without_any_energy_the_predictions_are_the_prior():
    fit = fit_correction(table([{"Al-C": 1}], [np.nan]))
    mean, covariance = fit.predict([{"Al-C": 1}, {}])
    assert mean.tolist() == [0.0, 0.0]
    assert covariance.tolist() == [[UNKNOWN_SIGMA_EV**2, 0.0], [0.0, 0.0]]


def test_two_levels_of_theory_in_one_fit_are_refused():
    mixed = pd.concat([table([{"Al-C": 1}], [0.1]), table([{"Al-O": 1}], [0.1], level="two")])
    with pytest.raises(InputError, match="several levels are mixed: one, two"):
        fit_correction(mixed)


def test_errors_are_differences_to_the_reference():
    reference = read_reference()
    errors = measure_errors(reference, {name: 2 * energy for name, energy in reference.energies.items()})
    assert errors["error_eV"].to_numpy() == pytest.approx(errors["reference_eV"].to_numpy())
    some = measure_errors(reference, dict.fromkeys(reference.energies, None))
    assert some["error_eV"].isna().all() and len(some) == len(reference.measured)


def test_a_molecule_that_a_calculator_cannot_describe_leaves_its_bonds_without_data():
    reference = read_reference()
    energies = dict(reference.energies)
    energies["Hf(NH2)3SH"] -= 7.6  # as in PM7
    errors = measure_errors(reference, energies).set_index("reaction")
    assert errors.loc["Hf(NH2)4+H2S", ["energy_eV", "error_eV"]].isna().tolist() == [False, True]
    fit = fit_correction(errors.reset_index())
    assert fit.unmeasured({"Hf-S": 1}) == ["Hf-S (2 eV)"] and fit.undescribed == {"Hf-S"}


def test_a_fit_from_a_file_is_the_same(tmp_path):
    errors = pd.concat([exchanges(0.1)[0], table([{}], [0.05])])  # the last reaction changes no bond
    errors.to_csv(tmp_path / "errors.csv", index=False)
    fit, again = fit_correction(errors), fit_correction(pd.read_csv(tmp_path / "errors.csv"))
    assert again.bonds == fit.bonds and again.counts.tolist() == fit.counts.tolist()
    assert parse_counts(format_counts({"Al-C": -1, "Al<-O": 2, "Al-N": 0})) == {"Al-C": -1, "Al<-O": 2}


def test_different_errors_of_facets_increase_the_uncertainty_on_other_facets():
    fit = fit_correction(pd.concat([adducts(), on_faces({"A_110_A": 1.5, "B_110_B": -1.0, "C_110_C": 0.6})]))
    assert 0.6 < fit.widths.face < 2.0 and fit.widths.noise < 0.1
    mean, covariance = fit.predict([{"Al<-S": 1, "S@A_110_A": 1}, {"Al<-S": 1, "S@D_110_D": 1}, {"Al<-S": 1}])
    assert mean[0] == pytest.approx(1.5, abs=0.1), "a facet of the reference set"
    assert mean[1] == pytest.approx(mean[2]), "another facet: the error of the bond ..."
    assert covariance[1, 1] - covariance[2, 2] == pytest.approx(fit.widths.face**2), "... with the width of the facets"
    assert np.sqrt(covariance[0, 0]) < 0.1
    assert fit.unmeasured({"Al<-S": 1, "S@D_110_D": 1}) == ["S@D_110_D"]


def test_facets_with_the_errors_of_molecules_have_a_small_width():
    fit = fit_correction(pd.concat([adducts(), on_faces({"A_110_A": 0.05, "B_110_B": -0.05, "C_110_C": 0.0})]))
    assert fit.widths.face < 0.1


def test_without_steps_on_facets_bonds_to_a_facet_are_unknown():
    fit = fit_correction(adducts())
    assert fit.widths.face == 0.0
    assert fit.predict([{"S@A_110_A": 1}])[1][0, 0] == UNKNOWN_SIGMA_EV**2


def test_steps_on_facets_do_not_make_other_bonds_known():
    molecules = table([{"Zn<-O": 1}, {"Zn<-S": 1}], [0.3, -0.2])
    fit = fit_correction(pd.concat([molecules, on_faces({"A_110_A": 0.5})]))
    _, covariance = fit.predict([{"Al<-S": 1}, {"Al<-O": 1}])
    assert covariance[0, 0] < 1 < UNKNOWN_SIGMA_EV**2 < covariance[1, 1]


def test_the_uncertainty_of_another_level_reduces_the_correction():
    faces = {"A_110_A": 1.5, "B_110_B": -1.0, "C_110_C": 0.6}
    change = [{"Al<-S": 1, "S@A_110_A": 1}]
    sharp, blunt = (fit_correction(pd.concat([adducts(), on_faces(faces, sigma)])) for sigma in (0.0, 0.5))
    assert blunt.reference_sigma_eV == 0.0, "the uncertainty of reactions of molecules"
    assert blunt.predict(change)[0][0] < sharp.predict(change)[0][0]
    assert blunt.predict(change)[1][0, 0] > sharp.predict(change)[1][0, 0]


def test_steps_on_facets_have_the_bonds_of_their_templates():
    errors = measure_errors(read_reference(), {}).query("on_face").set_index("reaction")
    assert errors["bonds"]["TMA on CdSe(110)"] == "Al<-Se +1 Se@CdSe_110_CdSe +1"
    apart = parse_counts(errors["bonds"]["TMA dissociates on CdSe(110)"])
    assert apart["Cd@CdSe_110_CdSe"] == 1 and "Se@CdSe_110_CdSe" not in apart, "Al remains bound to Se"
    assert errors["reference_eV"]["TMA on PbS(100)"] == pytest.approx(-0.98, abs=0.01)
