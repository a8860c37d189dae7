"""Barriers of molecules: what a step changes, the share of its correction, and what a set must not lack."""

from shutil import copytree

import numpy as np
import pytest
from ase.io import read, write

from qdsurf.energetics.corrections import Correction, Widths
from qdsurf.energetics.saddles import SHARE, check_saddles, root_mean_squares, step_of
from qdsurf.errors import InputError
from qdsurf.reference import FOLDER, SADDLE_GEOMETRIES, read_saddles

RECORDS, STRUCTURES = read_saddles()


def test_bonds_of_a_methane_elimination():
    change = step_of("C[Al-](C)(C)[OH2+]", ("C[Al](C)O", "C"))
    assert change == {"Al<-O": -1, "Al-C": -1, "O-H": -1, "C-H": 1, "Al-O": 1, "C|O": 2}


@pytest.mark.parametrize("saddle", RECORDS.saddles, ids=lambda one: one.name)
def test_every_saddle_lies_above_its_reactant_and_is_described_by_its_bonds(saddle):
    initial, top = STRUCTURES[saddle.name]
    assert initial.symbols.get_chemical_formula() == top.symbols.get_chemical_formula()
    assert top.info["energy_eV"] > initial.info["energy_eV"]
    change = step_of(saddle.reactant, saddle.products)
    assert change["C-H"] == 1 and sum(n for bond, n in change.items() if "<-" in bond) == -1


def test_a_saddle_takes_half_of_what_its_step_takes():
    saddle = RECORDS.saddles[0]
    change = step_of(saddle.reactant, saddle.products)
    known = Correction(("Al-C",), np.eye(1), np.eye(1), np.array([0.4]), Widths(5.0, 0.0, 0.0, 0.0, 1e-3), 0.0)
    assert change["Al-C"] == -1
    table = check_saddles(RECORDS, STRUCTURES, {saddle.name: (-1.0, -0.2)}, known)
    assert table["saddle"].tolist() == [saddle.name], "those without energies are left out"
    assert table["barrier_eV"][0] == pytest.approx(0.8)
    assert table["corrected_eV"][0] == pytest.approx(0.8 + SHARE * 0.4, abs=1e-6)
    raw = table["barrier_eV"][0] - table["reference_eV"][0]
    assert root_mean_squares(table)["raw_rms_eV"] == pytest.approx(abs(raw))
    assert np.isnan(root_mean_squares(check_saddles(RECORDS, STRUCTURES, {}, known))["raw_rms_eV"])


def test_a_saddle_without_its_initial_state_is_refused(tmp_path):
    copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    frames = read(FOLDER / SADDLE_GEOMETRIES, ":", format="extxyz")
    write(tmp_path / SADDLE_GEOMETRIES, frames[1:], format="extxyz")
    with pytest.raises(InputError, match="saddles.extxyz: AlMe3.H2O/initial is missing"):
        read_saddles(tmp_path)
