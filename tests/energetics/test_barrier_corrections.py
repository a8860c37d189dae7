"""Corrections of barriers: bonds of the reference reactions, the fitted share, and incomplete sets."""

from shutil import copytree

import numpy as np
import pandas as pd
import pytest
from ase.io import read, write

from qdsurf.energetics.barrier_corrections import (
    SaddleCorrection,
    bond_changes,
    fit_saddle_correction,
    summarise_saddles,
)
from qdsurf.energetics.corrections import Correction, Widths
from qdsurf.errors import InputError
from qdsurf.records.reference_set import FOLDER, SADDLE_GEOMETRIES, read_saddles

RECORDS, STRUCTURES = read_saddles()


def test_bonds_of_a_methane_elimination():
    change = bond_changes("C[Al-](C)(C)[OH2+]", ("C[Al](C)O", "C"))
    assert change == {"Al<-O": -1, "Al-C": -1, "O-H": -1, "C-H": 1, "Al-O": 1, "C|O": 2}


@pytest.mark.parametrize("saddle", RECORDS.saddles, ids=lambda one: one.name)
def test_every_saddle_point_is_above_its_initial_state_and_moves_one_proton_to_carbon(saddle):
    initial, top = STRUCTURES[saddle.name]
    assert initial.symbols.get_chemical_formula() == top.symbols.get_chemical_formula()
    assert top.info["energy_eV"] > initial.info["energy_eV"]
    change = bond_changes(saddle.reactant, saddle.products)
    assert change["C-H"] == 1 and sum(n for bond, n in change.items() if "<-" in bond) == -1


def barriers_with(share: float, scatter: np.ndarray, known: Correction) -> pd.DataFrame:
    """Barriers of a calculator whose errors are a share of the errors of the reaction energies."""
    rows = []
    for saddle, noise in zip(RECORDS.saddles, scatter, strict=True):
        initial, top = (atoms.info["energy_eV"] for atoms in STRUCTURES[saddle.name])
        error = known.predict([bond_changes(saddle.reactant, saddle.products)])[0][0]
        rows.append((saddle.name, top - initial + share * error + noise, top - initial))
    return pd.DataFrame(rows, columns=["saddle", "barrier_eV", "reference_eV"])


@pytest.fixture
def known() -> Correction:
    """A fit to one reaction that breaks Al-C, with an error of 0.4 eV."""
    return Correction(("Al-C",), np.eye(1), np.eye(1), np.array([0.4]), Widths(5.0, 0.0, 0.0, 0.0, 1e-3), 0.0)


@pytest.mark.parametrize(("share", "found"), [(0.3, 0.3), (0.0, 0.0), (-0.5, 0.0), (1.4, 1.0)])
def test_the_share_is_found_within_its_bounds(known, share, found):
    fitted, table = fit_saddle_correction(barriers_with(share, np.zeros(8), known), RECORDS.saddles, known)
    assert fitted.share == pytest.approx(found, abs=1e-9)
    if share == found:
        assert fitted.sigma_eV == pytest.approx(0.0, abs=1e-9)
        np.testing.assert_allclose(table["corrected_eV"], table["reference_eV"])


def test_each_barrier_is_predicted_without_its_saddle_point(known):
    scatter = np.zeros(8)
    scatter[0] = 0.2
    fitted, table = fit_saddle_correction(barriers_with(0.5, scatter, known), RECORDS.saddles, known)
    first = table.iloc[0]
    assert first["left_out_eV"] - first["reference_eV"] == pytest.approx(0.2), "the share of the others is exactly 0.5"
    assert abs(first["corrected_eV"] - first["reference_eV"]) < 0.2, "the share of all is closer to the outlier"
    summary = summarise_saddles(table, fitted)
    assert summary["number"] == 8 and summary["within_sigma"] >= 7 / 8
    assert summary["mae_left_out_eV"] >= (table["corrected_eV"] - table["reference_eV"]).abs().mean()


def test_with_few_saddle_points_the_share_is_assumed(known):
    few = barriers_with(0.9, np.zeros(8), known).iloc[:2]
    assert fit_saddle_correction(few, RECORDS.saddles, known)[0] == SaddleCorrection(0.5, 0.25)


def test_a_saddle_point_without_its_initial_state_is_refused(tmp_path):
    copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    frames = read(FOLDER / SADDLE_GEOMETRIES, ":", format="extxyz")
    write(tmp_path / SADDLE_GEOMETRIES, frames[1:], format="extxyz")
    with pytest.raises(InputError, match="saddles.extxyz: AlMe3.H2O/initial is missing"):
        read_saddles(tmp_path)
