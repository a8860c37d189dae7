"""Verb sites: adsorption sites of slabs with and without annotation."""

import json

from ase import Atoms
from ase.build import bulk
from ase.io import read, write

from qdsurf.cli import main


def test_sites_of_a_slab_with_and_without_annotation(run, run_json, structures, tmp_path):
    sites = run_json("sites", structures / "PbS.xyz")
    assert {"name", "position", "normal", "multiplicity", "elements"} <= sites[0].keys()
    count = {site["name"]: site["multiplicity"] for site in sites}
    assert count == {"top:Pb": 9, "top:S": 9, "bridge:Pb-S": 36, "hollow:4": 18}
    bare = read(structures / "PbS.xyz")
    write(tmp_path / "POSCAR", Atoms(bare.symbols, bare.positions, cell=bare.cell, pbc=True))
    assert {s["name"]: s["multiplicity"] for s in run_json("sites", tmp_path / "POSCAR")} == count
    covered = run_json("sites", structures / "PbS-oleate.xyz")
    assert "anchor:O" in {site["name"] for site in covered}
    assert any(site["free"] < site["multiplicity"] for site in covered)
    assert all(site["free"] == site["multiplicity"] for site in sites)
    assert run("sites", structures / "PbS.xyz").splitlines()[1].split()[:2] == ["top:Pb", "9"]


def test_last_of_several_frames_is_used_with_a_note(capsys, structures, tmp_path):
    write(tmp_path / "two.xyz", [read(structures / "PbS.xyz"), read(structures / "Ag.xyz")])
    assert main(["sites", f"{tmp_path}/two.xyz", "--json"]) == 0
    captured = capsys.readouterr()
    assert "contains 2 structures and the last one is used" in captured.err
    assert {e for site in json.loads(captured.out) for e in site["elements"]} == {"Ag"}


def test_sites_errors(error_of, tmp_path):
    write(tmp_path / "bulk.xyz", bulk("PbS", "rocksalt", a=5.9))
    (tmp_path / "bad.xyz").write_text("not a structure\n")
    assert "sites need a slab" in error_of("sites", tmp_path / "bulk.xyz")
    assert "not readable as a structure" in error_of("sites", tmp_path / "bad.xyz")
    assert "absent.xyz: no such file" in error_of("sites", tmp_path / "absent.xyz")
