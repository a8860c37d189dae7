"""Verb ligate: ligands, mixtures and external slabs."""

import pytest
from ase import Atoms
from ase.io import read, write


def test_ligate_with_count_coverage_and_mode(run, run_json, structures, tmp_path):
    out = tmp_path / "l.xyz"
    words = ("ligate", structures / "PbS.xyz", "oleate", "--truncate-to-carbons", 1, "-o", out)
    first = run_json(*words)
    assert first["ligands"] == 1 and first["charge"] == 0 and first["ligand_entry"] == "acid"
    assert first["model"].startswith("oleate truncated from 18 to 1 C") and first["binding_mode"] == "chelating"
    bridging = run_json(*words, "--mode", "bridging", "--coverage", 1.2)
    assert bridging["binding_mode"] == "bridging" and bridging["ligands"] == 2
    assert bridging["coverage_per_nm2"] == pytest.approx(2 / first["area_nm2"])
    assert "2 x oleate truncated from 18 to 1 C" in run(*words, "--count", 2)
    covered = read(out)
    assert covered.info["ligand"] == "oleate" and len(set(covered.arrays["fragment"])) == 3


def test_ligate_errors(error_of, structures, tmp_path):
    slab, out = structures / "PbS.xyz", ("-o", tmp_path / "l.xyz")
    assert "unknown ligand 'oleat'; did you mean 'oleate'?" in error_of("ligate", slab, "oleat", *out)
    assert "--mode: unknown binding mode of methylamine 'bridging'" in error_of(
        "ligate", slab, "methylamine", "--mode", "bridging", *out
    )
    assert "one ligand is 0.631 nm^-2" in error_of("ligate", slab, "methylamine", "--coverage", 0.1, *out)
    assert "only 9 sites are available" in error_of("ligate", slab, "methylamine", "--count", 10, *out)
    assert "has no place on PbS" in error_of("ligate", slab, "oleylammonium", *out)


def test_mixture_has_the_numbers_closest_to_its_fractions(run_json, error_of, structures, tmp_path):
    words = ("ligate", structures / "PbS.xyz", "acetate=0.4,methylamine=0.6", "--count", 3, "-o", tmp_path / "l.xyz")
    data = run_json(*words)
    assert data["ligand"] == "2 methylamine + 1 acetate" and data["ligands"] == 3 and data["charge"] == 0
    assert "--mode is for one ligand" in error_of(*words, "--mode", "bridging")
    assert "must not be negative" in error_of("ligate", structures / "PbS.xyz", "acetate=-1", "-o", tmp_path / "l.xyz")


def test_second_ligand_is_added_to_the_first(run_json, structures, tmp_path):
    data = run_json("ligate", structures / "PbS-oleate.xyz", "methylamine", "-o", tmp_path / "l.xyz")
    assert data["ligands"] == 2 and data["charge"] == 0


def test_external_slab_is_covered_like_our_own(run_json, structures, tmp_path):
    write(tmp_path / "s.cif", read(structures / "PbS.xyz"))
    ours = run_json("ligate", structures / "PbS.xyz", "acetate", "-o", tmp_path / "l.xyz")
    theirs = run_json("ligate", tmp_path / "s.cif", "acetate", "-o", tmp_path / "m.xyz")
    assert [theirs[key] for key in ("formula", "charge_balance", "layers")] == [
        ours[key] for key in ("formula", "charge_balance", "layers")
    ]


def test_unknown_charge_and_overlapping_atoms_are_errors(error_of, structures, tmp_path):
    slab = read(structures / "PbS.xyz")
    write(tmp_path / "s.cif", Atoms(["Pt", *slab.symbols[1:]], slab.positions, cell=slab.cell, pbc=slab.pbc))
    assert "no formal charge is known for Pt; give it as ELEMENT=CHARGE" in error_of(
        "ligate", tmp_path / "s.cif", "acetate", "-o", tmp_path / "l.xyz"
    )
    slab.positions[1] = slab.positions[0] + 0.1
    write(tmp_path / "t.cif", slab)
    assert "are 0.17 A apart" in error_of("ligate", tmp_path / "t.cif", "acetate", "-o", tmp_path / "l.xyz")
