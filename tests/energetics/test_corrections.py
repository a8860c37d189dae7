"""Bond corrections: closed forms, brute force, and what a fit must refuse."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdsurf.energetics.bonds import format_bonds, parse_bonds
from qdsurf.energetics.corrections import (
    UNMEASURED_SIGMA_EV,
    Correction,
    Widths,
    bond_errors,
    fit_correction,
    leave_one_out,
    leave_out,
    measure_errors,
    reactions_of_metals,
    summarise_left_out,
)
from qdsurf.errors import InputError
from qdsurf.reference import read_reference

METALS, PARTNERS = ("Al", "Zn", "Pb"), ("C", "O", "N", "S")


def table(counts: list[dict[str, int]], errors: list[float], level: str = "one") -> pd.DataFrame:
    rows = {"reaction": [f"r{i}" for i in range(len(errors))], "bonds": [format_bonds(c) for c in counts]}
    return pd.DataFrame(rows | {"error_eV": errors, "level": level})


def exchanges(noise: float, seed: int = 0) -> tuple[pd.DataFrame, dict[str, float]]:
    """Exchanges of two bonds between every pair of metals and partners, with known errors of the bonds."""
    rng = np.random.default_rng(seed)
    truth = {f"{m}-{p}": rng.normal(0, 0.5) for m in METALS for p in PARTNERS} | {
        f"{p}-H": rng.normal(0, 0.3) for p in PARTNERS
    }
    counts = [
        {f"{m}-{a}": -1, f"{b}-H": -1, f"{m}-{b}": 1, f"{a}-H": 1}
        for m in METALS
        for a in PARTNERS
        for b in PARTNERS
        if a < b
    ] * 2
    errors = [sum(n * truth[bond] for bond, n in c.items()) + rng.normal(0, noise) for c in counts]
    return table(counts, errors), truth


def test_one_bond_one_reaction_is_the_textbook_shrinkage():
    fit = Correction(("Al-C",), np.array([[2.0]]), np.array([1.0]), Widths(0.5, 0.0, 0.0, 0.2))
    mean, covariance = fit.predict([{"Al-C": 1}])
    gain = 2 * 0.25 / (4 * 0.25 + 0.04)
    assert mean[0] == pytest.approx(gain * 1.0)
    assert covariance[0, 0] == pytest.approx(0.25 - gain * 2 * 0.25)


def test_bonds_of_one_metal_or_partner_inform_one_another():
    fit = Correction(("Al-C", "Zn-O"), np.eye(2), np.array([1.0, 0.0]), Widths(0.3, 0.4, 0.0, 0.1))
    mean, covariance = fit.predict([{"Al-O": 1}, {"Zn-C": 1}])
    assert mean[0] == pytest.approx(0.16 / (0.25 + 0.01)) and mean[1] == pytest.approx(0.0)
    assert covariance[0, 0] == pytest.approx(0.25 - 0.16**2 / 0.26)
    dative, _ = fit.predict([{"Al<-C": 1}])
    assert dative[0] == 0.0, "a dative bond is another kind"


def test_predictions_are_those_of_the_joint_gaussian():
    errors, _ = exchanges(0.1)
    fit = fit_correction(errors)
    asked = [parse_bonds(text) for text in errors["bonds"][:5]]
    names = fit.bonds
    rows = np.array([[change[bond] for bond in names] for change in asked])
    both = np.vstack([fit.counts, rows])
    joint = both @ fit.widths.covariance(names, names) @ both.T
    n = len(fit.errors_eV)
    joint[:n, :n] += fit.widths.noise**2 * np.eye(n)
    gain = joint[n:, :n] @ np.linalg.inv(joint[:n, :n])
    mean, covariance = fit.predict(asked)
    assert mean == pytest.approx(gain @ fit.errors_eV, abs=1e-9)
    assert covariance == pytest.approx(joint[n:, n:] - gain @ joint[:n, n:], abs=1e-9)


def test_known_errors_are_found_and_the_noise_is_learned():
    errors, truth = exchanges(0.1)
    fit = fit_correction(errors)
    assert fit.widths.noise == pytest.approx(0.1, rel=0.4)
    left = summarise_left_out(leave_one_out(fit))
    assert left["corrected_mae_eV"] < 0.2 < left["raw_mae_eV"]
    new = [{"Al-C": -1, "Al-S": 1, "C-H": 1, "S-H": -1}]
    mean, covariance = fit.predict(new)
    assert abs(mean[0] - sum(n * truth[bond] for bond, n in new[0].items())) < 3 * np.sqrt(covariance[0, 0]) + 1e-3


def test_leave_one_out_is_what_leaving_one_out_gives():
    fit = fit_correction(exchanges(0.2, seed=3)[0])
    quick = leave_one_out(fit)
    for k in (0, 7, 20):
        rest = np.arange(len(fit.errors_eV)) != k
        slow = Correction(fit.bonds, fit.counts[rest], fit.errors_eV[rest], fit.widths)
        mean, covariance = slow.predict([dict(zip(fit.bonds, fit.counts[k], strict=True))])
        assert quick["predicted_eV"][k] == pytest.approx(mean[0], abs=1e-9)
        assert quick["sigma_eV"][k] == pytest.approx(np.sqrt(covariance[0, 0] + fit.widths.noise**2), abs=1e-9)


def test_a_metal_can_be_left_out_whole():
    fit = fit_correction(exchanges(0.1)[0])
    groups = dict(reactions_of_metals(fit))
    assert set(groups) == set(METALS) and groups["Al"].sum() == len(fit.errors_eV) // 3
    left = leave_out(fit, groups["Al"])
    assert (left["sigma_eV"] > UNMEASURED_SIGMA_EV).all(), "nothing else tells the bonds of this metal"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([f"{m}-{p}" for m in METALS for p in PARTNERS]), min_size=3, max_size=3, unique=True))
def test_every_cycle_of_steps_closes(bonds):
    a, b, c = bonds
    steps = [{a: -1, b: 1}, {b: -1, c: 1}, {c: -1, a: 1}]
    mean, covariance = fit_correction(exchanges(0.1)[0]).predict(steps)
    assert abs(mean.sum()) < 1e-10 and abs(covariance.sum()) < 1e-10


def test_an_unknown_metal_has_a_wide_prior_and_is_named():
    fit = fit_correction(exchanges(0.1)[0])
    covariance = fit.predict([{"Ti-C": 1}])[1]
    assert np.sqrt(covariance[0, 0]) >= UNMEASURED_SIGMA_EV
    assert fit.unmeasured({"Ti-C": 1, "Al-C": -1}) == ["Ti-C"]
    assert {name for name, _, _ in bond_errors(fit)} == set(fit.bonds)


def test_a_calculator_that_could_compute_nothing_has_priors_only():
    fit = fit_correction(table([{"Al-C": 1}], [np.nan]))
    mean, covariance = fit.predict([{"Al-C": 1}, {}])
    assert mean.tolist() == [0.0, 0.0]
    assert covariance.tolist() == [[UNMEASURED_SIGMA_EV**2, 0.0], [0.0, 0.0]]


def test_two_levels_in_one_fit_are_refused():
    mixed = pd.concat([table([{"Al-C": 1}], [0.1]), table([{"Al-O": 1}], [0.1], level="two")])
    with pytest.raises(InputError, match="several levels are mixed: one, two"):
        fit_correction(mixed)


def test_errors_are_differences_to_the_reference():
    reference = read_reference()
    errors = measure_errors(reference, {name: 2 * energy for name, energy in reference.energies.items()})
    assert errors["error_eV"].to_numpy() == pytest.approx(errors["reference_eV"].to_numpy())
    some = measure_errors(reference, dict.fromkeys(reference.energies, None))
    assert some["error_eV"].isna().all() and len(some) == len(reference.reactions)


def test_bonds_survive_the_table():
    change = Counter({"Al-C": -1, "Al<-O": 2})
    assert parse_bonds(format_bonds(change)) == change
