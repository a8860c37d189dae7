"""Cross-validation: closed forms against fits without the reactions, and the uncertainty of new bonds."""

import numpy as np
import pandas as pd
import pytest
from known_errors import METALS, PARTNERS, adducts, exchanges, on_faces, table

from qdsurf.energetics.corrections import UNKNOWN_SIGMA_EV, Correction, fit_correction
from qdsurf.energetics.cross_validation import (
    bond_of,
    face_of,
    leave_each_out,
    leave_one_out,
    leave_out,
    metal_of,
    summarise_predictions,
)


def test_leave_one_out_is_the_prediction_of_a_fit_without_the_reaction():
    fit = fit_correction(exchanges(0.2, seed=3)[0])
    quick = leave_one_out(fit)
    for k in (0, 7, 20):
        rest = np.arange(len(fit.errors_eV)) != k
        slow = Correction(fit.bonds, fit.counts[rest], fit.molecules[rest], fit.errors_eV[rest], fit.widths, 0.0)
        mean, covariance = slow.predict([dict(zip(fit.bonds, fit.counts[k], strict=True))])
        assert quick["predicted_eV"][k] == pytest.approx(mean[0], abs=1e-9)
        assert quick["sigma_eV"][k] == pytest.approx(np.sqrt(covariance[0, 0] + fit.widths.noise**2), abs=1e-9)
    assert not quick["new_bond"].any()


def test_leaving_out_the_only_reaction_of_a_bond_says_so():
    errors, _ = exchanges(0.1)
    element = table([{"Al-C": -1, "Al-Br": 1, "Br-H": -1, "C-H": 1}], [1.5])
    left = leave_one_out(fit_correction(pd.concat([errors, element])))
    assert left["new_bond"].tolist() == [False] * len(errors) + [True]
    assert left["sigma_eV"].iloc[-1] > UNKNOWN_SIGMA_EV, "no other bromine"
    dative = table([{"Al-O": -1, "Al<-O": 1}, {"Al<-S": 1}, {"Zn<-O": 1}], [0.5, 0.1, 0.2])
    fit = fit_correction(pd.concat([errors, dative]))
    left = leave_one_out(fit)
    assert left["new_bond"].tolist() == [False] * len(errors) + [True] * 3
    assert left["unknown"].tolist() == [False] * len(errors) + [False, True, True], "S, Zn: no other"


def test_all_reactions_of_a_metal_can_be_left_out():
    fit = fit_correction(exchanges(0.1)[0])
    left = leave_each_out(fit, metal_of)
    assert left["left_out"].value_counts().to_dict() == dict.fromkeys(METALS, len(fit.errors_eV) // 3)
    assert left["new_bond"].all() and (left["sigma_eV"] > UNKNOWN_SIGMA_EV).all()
    assert (left["error_eV"] == fit.errors_eV[left.index]).all(), "the index is the number in the fit"
    half = np.arange(len(fit.errors_eV)) < len(fit.errors_eV) // 2
    left = leave_out(fit, half)
    assert not left["new_bond"].any() and (left["sigma_eV"] < 0.5).all(), "every reaction occurs twice"


def test_the_uncertainty_of_a_bond_that_is_left_out_is_correct():
    """The errors of bonds have one width, so two thirds of the predictions must be within one standard deviation."""
    left = pd.concat(leave_each_out(fit_correction(exchanges(0.1, seed)[0]), bond_of) for seed in range(8))
    assert set(left["left_out"]) == {f"{metal}-{partner}" for metal in METALS for partner in PARTNERS}
    assert left["new_bond"].all() and (left["sigma_eV"] < UNKNOWN_SIGMA_EV).all()
    assert 0.60 < summarise_predictions(left)["within_sigma"] < 0.76


def test_without_predictions_the_summary_has_only_the_number():
    left = leave_each_out(fit_correction(exchanges(0.1)[0]), face_of)
    assert summarise_predictions(left) == {"number": 0}


def test_each_facet_is_predicted_without_its_steps():
    faces = on_faces({"A_110_A": 1.5, "B_110_B": -1.0, "C_110_C": 0.6})
    fit = fit_correction(pd.concat([adducts(), faces]))
    left = leave_each_out(fit, face_of)
    assert left["left_out"].tolist() == ["A_110_A", "B_110_B", "C_110_C"] and left["on_face"].all()
    assert left["predicted_eV"].abs().max() < 0.3 and (left["sigma_eV"] > 0.5).all()
    assert leave_each_out(fit, metal_of).empty, "all reactions have Al"
