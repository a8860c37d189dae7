"""Files are written completely or not at all, and their content does not change."""

import json
import os
import re
import resource
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.constraints import FixAtoms
from hypothesis import given
from hypothesis import strategies as st
from invariants import assert_same_structure, through_file

from qdsurf.atomistic.annotation import annotate, content_hash
from qdsurf.errors import InputError
from qdsurf.records import library
from qdsurf.storage.files import read_json, read_table, write_atomically, write_json
from qdsurf.storage.structures import read_reason, read_structure, read_structures, write_structures

ROOT = Path(__file__).parents[2]


@pytest.fixture
def water() -> Atoms:
    atoms = annotate(molecule("H2O", vacuum=5, pbc=(True, True, False)), "ligand", 2, [-1, 0.5, 0.5])
    atoms.arrays["anchor"][0] = True
    atoms.set_constraint(FixAtoms([1]))
    return atoms


def test_columns_and_constraints_do_not_change_in_a_file(water, tmp_path):
    back = through_file(water, tmp_path)
    assert back.arrays["anchor"].dtype == bool and back.arrays["fragment"].dtype.kind == "i"


@pytest.mark.parametrize("value", [[], [[1, 2]], [[1, 2], [3, 4]], [[0, 1], [2, 3], [4, 5]]])
def test_bond_lists_do_not_change_in_a_file(water, tmp_path, value):
    from qdsurf.atomistic.bonding import recorded_pairs

    water.info["formed"] = value
    assert recorded_pairs(through_file(water, tmp_path), "formed") == [tuple(pair) for pair in value]


def test_empty_strings_and_lists_do_not_change_other_entries(water, tmp_path):
    """Without this precaution, ASE reads the pbc of a slab as the value of an empty string before it."""
    from qdsurf.atomistic.bonding import recorded_pairs

    water.cell, water.pbc = [9, 9, 20], (True, True, False)
    water.info |= {"formed": [], "broken": [[0, 1]], "failures": ""}
    twice = through_file(through_file(water, tmp_path), tmp_path)
    assert twice.pbc.tolist() == [True, True, False] and not twice.info.get("failures")
    assert recorded_pairs(twice, "formed") == [] and recorded_pairs(twice, "broken") == [(0, 1)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_frames_are_read_in_their_order(water, tmp_path, count):
    frames = [water.copy() for _ in range(count)]
    for i, frame in enumerate(frames):
        frame.positions += i
    path = tmp_path / "deep" / "folder" / "x.extxyz"
    write_structures(path, frames)
    back = read_structures(path)
    assert len(back) == count
    for a, b in zip(frames, back, strict=True):
        assert_same_structure(a, b)
    assert {p.name for p in path.parent.iterdir()} == {"x.extxyz", ".x.extxyz.check"}, "there are temporary files"


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_atomically(path, object())
    with pytest.raises((TypeError, AttributeError)):
        write_json(path, {"a": object()})
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert {p.name for p in tmp_path.iterdir()} == {"x.json", ".x.json.check"}
    assert read_json(path) == {"a": 1}


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_of_a_table_are_read_exactly(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("tables") / "x.csv"
    path.write_text("a\n" + "\n".join(map(repr, numbers)) + "\n")
    assert read_table(path)["a"].tolist() == numbers


def test_numpy_values_become_plain_json(tmp_path):
    data = {"a": np.float64(1.5), "b": np.arange(3), "c": np.bool_(True), "d": None}
    write_json(tmp_path / "x.json", data)
    assert read_json(tmp_path / "x.json") == {"a": 1.5, "b": [0, 1, 2], "c": True, "d": None}


@pytest.mark.parametrize("reader", [read_json, read_structure, read_structures])
def test_a_missing_file_is_refused_with_its_name(tmp_path, reader):
    with pytest.raises(InputError, match=r"gone\.extxyz: no such file"):
        reader(tmp_path / "gone.extxyz")


@pytest.mark.parametrize("name", ["x.xyz", "x.cif", "x.vasp", "x.nonsense"])
def test_a_damaged_structure_is_refused_with_its_name(tmp_path, name):
    (tmp_path / name).write_text("this is no structure\n\n1 2 three")
    with pytest.raises(InputError, match=rf"{name}: not readable as a structure"):
        read_structures(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n\nH 0 0 nan\n", r"frame 0: atom 0 \(H\) has the position \[0\.0, 0\.0, nan\]; positions must be finite"),
        (
            '1\nLattice="nan 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3\nH 0 0 0\n',
            "frame 0: the cell .* is not finite",
        ),
        ("0\n\n", "frame 0 has no atoms"),
    ],
)
def test_a_structure_without_atoms_or_with_infinite_numbers_is_refused(tmp_path, text, message):
    (tmp_path / "x.xyz").write_text(text)
    with pytest.raises(InputError, match=rf"x\.xyz: {message}"):
        read_structures(tmp_path / "x.xyz")


def test_damaged_json_is_refused_with_its_name(tmp_path):
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(InputError, match=r"x\.json: not readable as JSON"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("reader", [read_json, read_structures, library.read_yaml])
def test_a_file_that_cannot_be_read_is_refused_with_its_name(tmp_path, reader):
    """The path is a folder. Missing permissions would not stop an administrator."""
    (tmp_path / "x.json").mkdir()
    with pytest.raises(InputError, match=r"x\.json: (not readable as|no such file)"):
        reader(tmp_path / "x.json")


def test_a_file_without_structure_is_refused_if_one_is_needed(tmp_path):
    write_structures(tmp_path / "x.extxyz", [])
    with pytest.raises(InputError, match=r"x\.extxyz: contains no structure"):
        read_structure(tmp_path / "x.extxyz")


def test_the_hash_does_not_change_in_a_file(water, tmp_path):
    assert content_hash(through_file(water, tmp_path)) == content_hash(water)


@given(axis=st.integers(0, 2), atom=st.integers(0, 2), shift=st.floats(1e-5, 5))
def test_the_hash_depends_on_every_position(axis, atom, shift):
    atoms = molecule("H2O")
    moved = atoms.copy()
    moved.positions[atom, axis] += shift
    assert content_hash(moved) != content_hash(atoms)


def test_the_hash_depends_on_elements_cell_and_periodicity_but_not_on_the_sign_of_zero():
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]], cell=[5, 5, 5])
    others = [atoms.copy() for _ in range(3)]
    others[0].symbols[0] = "S"
    others[1].cell[0, 0] = 6
    others[2].pbc = True
    assert len({content_hash(a) for a in (atoms, *others)}) == 4
    negative = atoms.copy()
    negative.positions *= -1
    negative.positions[1, 2] = 1.0
    assert content_hash(negative) == content_hash(atoms)


@pytest.mark.parametrize(
    "write",
    [lambda path: write_structures(path, [molecule("H2O")] * 500), lambda path: write_json(path, list(range(50000)))],
)
def test_a_full_disk_leaves_the_old_file_and_no_temporary_file(tmp_path, write):
    """A limit on the size of a file interrupts a write, as a full disk does."""
    path = tmp_path / "x.extxyz"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_comment_on_the_first_line_of_a_structure_is_not_a_reason(tmp_path, water):
    water.set_constraint()
    path = tmp_path / "x.cif"
    water.write(path)
    path.write_text("# generated by another program\n" + path.read_text())
    assert len(read_structure(path)) == 3 and read_reason(path) == ""
    path.write_bytes(b"# \xff\xfe no text\n")
    assert read_structures(path) == []


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.97])
def test_a_truncated_file_without_check_file_is_refused(water, tmp_path, keep):
    path = tmp_path / "x.extxyz"
    write_structures(path, [water] * 3, checked=False)
    path.write_text(path.read_text()[: int(keep * path.stat().st_size)])
    with pytest.raises(InputError, match=r"x\.extxyz: not readable as a structure"):
        read_structures(path)


def test_all_files_are_written_by_the_storage_package():
    """Any other way of writing could leave half a file after a kill."""
    elsewhere = re.compile(
        r"\.write_text\(|\.write_bytes\(|\bopen\([^)]*[\"'][wx]|\.to_csv\((?!index)|\.savefig\((?!temporary)"
    )
    files = [*(ROOT / "qdsurf").rglob("*.py"), *(ROOT / "workflow/scripts").glob("*.py")]
    found = {path.name for path in files if elsewhere.search(path.read_text())}
    assert found == {"files.py", "structures.py"}


def test_an_absurd_cell_is_refused(tmp_path):
    path = tmp_path / "wide.xyz"
    write_structures(path, Atoms("H", cell=[4.6e13, 5, 5], pbc=True), checked=False)
    with pytest.raises(InputError, match="has a component longer than 100000 A; give vectors in A"):
        read_structures(path)
