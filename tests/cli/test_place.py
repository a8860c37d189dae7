"""Verb place: poses on roles and over named sites."""

import pytest
from ase.io import read


def test_precursor_is_placed_on_crystal_and_ligand(run, run_json, structures, tmp_path):
    out = tmp_path / "p.xyz"
    words = ("place", structures / "PbS-oleate.xyz", "TMA", "-o", out)
    data = run_json(*words, "--poses", 2, "--seed", 1)
    frames = read(out, ":")
    assert len(frames) == len(data["poses"]) == 2 and data["template"] == "adduct_surface"
    assert all(frame.info["pose"] == pose["pose"] for frame, pose in zip(frames, data["poses"], strict=True))
    assert data["poses"][0]["contact"].startswith("Al") and "-S" in data["poses"][0]["contact"]
    assert run_json(*words, "--poses", 2, "--seed", 1) == data
    assert run_json(*words, "--site", "ligand.anchor")["template"] == "adduct_ligand"
    assert "TMA on surface.anion, 1 pose(s)" in run(*words)


@pytest.mark.parametrize(
    ("molecule", "site", "anchor"), [("H2O", "top:Pb", "O"), ("TMA", "top:S", "Al"), ("CCO", "hollow:4", "O")]
)
def test_any_molecule_is_placed_over_a_site(molecule, site, anchor, run, run_json, structures, tmp_path):
    words = ("place", structures / "PbS.xyz", molecule, "--site", site, "--poses", 2, "-o", tmp_path / "p.xyz")
    data = run_json(*words)
    frames = read(tmp_path / "p.xyz", ":")
    assert 1 <= len(frames) == len(data["poses"]) <= 2 and data["anchor"].startswith(anchor)
    assert all(" touches " in reason or "the same pose as an earlier one" in reason for reason in data["rejected"])
    assert "orientations rejected" in run(*words)


def test_adduct_with_a_dative_ligand_breaks_its_bond_to_the_crystal(run_json, structures, tmp_path):
    words = ("place", structures / "Ag-methylamine.xyz", "TMA", "--site", "ligand.anchor", "-o", tmp_path / "p.xyz")
    data = run_json(*words)
    assert data["template"] == "adduct_amine" and "-N" in data["poses"][0]["contact"]
    assert len(read(tmp_path / "p.xyz").info["broken"])


def test_place_errors(error_of, structures, tmp_path):
    slab, out = structures / "PbS.xyz", tmp_path / "p.xyz"
    assert "unknown precursor 'TMAl'; did you mean 'TMA'?" in error_of("place", slab, "TMAl", "-o", out)
    assert "--site: unknown site 'top:X'; did you mean 'top:S'?" in error_of(
        "place", slab, "TMA", "--site", "top:X", "-o", out
    )
    assert "no atom matches ligand.anchor" in error_of("place", slab, "TMA", "--site", "ligand.anchor", "-o", out)
    message = error_of("place", slab, "TMA", "--poses", 2, "-o", tmp_path / "POSCAR")
    assert "stores one structure, not 2" in message
