"""Verb corrections: bond corrections of a calculator."""

from dataclasses import replace

import pytest

from qdsurf.cli import main
from qdsurf.records.reference_set import read_reference


def test_corrections_of_gfn2(run_json, monkeypatch):
    full = read_reference()
    names = {"CH4", "NH3", "H2O", "HBr", "H2S", "CsBr", "CsOH", "CsNH2", "CsSH"}
    small = replace(
        full,
        molecules={name: one for name, one in full.molecules.items() if name in names},
        geometries={name: atoms for name, atoms in full.geometries.items() if name in names},
        reactions=tuple(r for r in full.reactions if set(r.stoichiometry) <= names),
        surfaces=None,
    )
    monkeypatch.setattr("qdsurf.cli.calculations.read_reference", lambda: small)
    data = run_json("corrections", "--calculator", "tblite", "--method", "GFN2-xTB")
    rows = {row["reaction"]: row for row in data["table"]}
    assert set(rows) == {r.name for r in small.reactions} and data["measured_reactions"] == len(rows) == 3
    water = rows["CsBr+H2O"]
    assert water["error_eV"] == pytest.approx(water["energy_eV"] - water["reference_eV"])
    assert {"mae_raw_eV", "mae_left_out_eV", "within_sigma"} <= data["molecules"].keys()
    assert data["calculator"]["parameters"] == {"method": "GFN2-xTB"} and data["predict_100_steps_s"] > 0


def test_corrections_without_any_supported_reaction(capsys, monkeypatch):
    full = read_reference()
    reaction = next(r for r in full.reactions if "ZnBr2" in r.stoichiometry)
    names = set(reaction.stoichiometry)
    small = replace(
        full,
        molecules={name: full.molecules[name] for name in names},
        geometries={name: full.geometries[name] for name in names},
        reactions=(reaction,),
        surfaces=None,
    )
    monkeypatch.setattr("qdsurf.cli.calculations.read_reference", lambda: small)
    assert main(["corrections", "--calculator", "emt"]) == 0
    message = "emt: none of the 1 reactions could be computed; the uncertainty of every bond is 2 eV\n"
    assert capsys.readouterr().out == message


def test_corrections_errors(error_of):
    assert "unknown calculator 'xtb'" in error_of("corrections", "--calculator", "xtb")
