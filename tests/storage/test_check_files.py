"""A result that has changed since it was written is found. A killed process never makes an intact file look damaged."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from ase.build import molecule

from qdsurf.errors import InputError
from qdsurf.storage import files
from qdsurf.storage.check_files import check_file, find_damage, verify_folder
from qdsurf.storage.files import read_json, read_table, write_json, write_table
from qdsurf.storage.structures import read_structures, write_structures

TABLE = pd.DataFrame({"step": ["adsorption", 'a "quoted", name'], "energy_eV": [-0.5, 1 / 3]})
WRITERS = {
    "steps.csv": (lambda path, n: write_table(path, TABLE.assign(number=n)), read_table),
    "frames.extxyz": (lambda path, n: write_structures(path, [molecule("H2O")] * (n + 1)), read_structures),
    "state.json": (lambda path, n: write_json(path, {"number": n}), read_json),
}


@pytest.fixture(params=WRITERS)
def case(request, tmp_path):
    """A path, a function that writes version n of a file to it, and a function that reads the file."""
    write, read = WRITERS[request.param]
    path = tmp_path / request.param
    return path, lambda n: write(path, n), lambda: read(path)


def killed_at(moment: int, write, number: int) -> None:
    """Write in a process that is killed before or after one of its two replacements."""
    child = os.fork()
    if not child:
        calls, replace = [], os.replace

        def replace_and_exit(source, target):
            if moment == 2 * len(calls):
                os._exit(9)
            replace(source, target)
            calls.append(target)
            if moment == 2 * len(calls) - 1:
                os._exit(9)

        files.os.replace = replace_and_exit
        write(number)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_the_check_file_is_one_line_beside_the_file(tmp_path):
    write_table(tmp_path / "steps.csv", TABLE)
    write_structures(tmp_path / "x.extxyz", [molecule("H2O")] * 3)
    write_json(tmp_path / "state.json", {})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".state.json.check", ".steps.csv.check", ".x.extxyz.check", "state.json", "steps.csv", "x.extxyz"]
    entries = [json.loads(text) for name in names[:3] if (text := (tmp_path / name).read_text()).count("\n") == 1]
    assert [set(entry) for entry in entries] == [{"sha256"}, {"rows", "sha256"}, {"frames", "sha256"}]
    assert (entries[1]["rows"], entries[2]["frames"]) == (2, 3)


def test_an_intact_file_can_be_read(case):
    path, write, read = case
    for number, replaced in ((1, False), (2, True), (2, False)):
        write(number)
        assert find_damage(path) is None
        assert ("previous_sha256" in json.loads(check_file(path).read_text())) is replaced
        read()


@pytest.mark.parametrize(
    ("name", "cut", "message"),
    [
        ("steps.csv", lambda text: "".join(text.splitlines(keepends=True)[:2]), "1 row instead of 2 rows"),
        ("steps.csv", lambda text: text.replace("-0.5", "-0.6"), "other content instead of the content that was"),
        ("steps.csv", lambda text: "", "0 rows instead of 2 rows"),
        ("steps.csv", lambda text: text.replace('"a', '"' + "a" * 200_000), "other content"),
        ("frames.extxyz", lambda text: "".join(text.splitlines(keepends=True)[:5]), "1 frame instead of 2 frames"),
        ("frames.extxyz", lambda text: "".join(text.splitlines(keepends=True)[:-1]), "1 frame instead of 2 frames"),
        ("frames.extxyz", lambda text: "1000000000000\n" + text, "0 frames instead of 2 frames"),
        ("state.json", lambda text: text[:5], "other content instead of the content that was written"),
    ],
)
def test_a_changed_file_is_refused_with_present_and_written_content(tmp_path, name, cut, message):
    write, read = WRITERS[name]
    path = tmp_path / name
    write(path, 1)
    path.write_text(cut(path.read_text()))
    with pytest.raises(
        InputError, match=rf"{name}: {message}.*damaged or was edited. Start snakemake again"
    ) as refused:
        read(path)
    assert f"or delete {check_file(path)} to use it as it is" in str(refused.value)
    check_file(path).unlink()
    if message.startswith("1 row"):
        assert len(read(path)) == 1  # without its check file the file is accepted


def test_a_file_without_check_file_is_not_checked(tmp_path):
    TABLE.to_csv(tmp_path / "own.csv", index=False)
    (tmp_path / "own.json").write_text("[1]")
    molecule("H2O").write(tmp_path / "own.xyz")
    assert len(read_table(tmp_path / "own.csv")) == 2
    assert read_json(tmp_path / "own.json") == [1] and len(read_structures(tmp_path / "own.xyz")) == 1
    assert verify_folder(tmp_path) == (0, [])


@pytest.mark.parametrize("name", WRITERS)
def test_an_unchecked_write_removes_the_old_check_file(tmp_path, name):
    path = tmp_path / name
    write, read = WRITERS[name]
    write(path, 1)
    content = {"steps.csv": TABLE, "frames.extxyz": [molecule("CH4")], "state.json": [2]}[name]
    writer = {"steps.csv": write_table, "frames.extxyz": write_structures, "state.json": write_json}[name]
    writer(path, content, checked=False)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sha256": null}', "\x00\x00"])
def test_a_damaged_check_file_is_refused_with_its_name(tmp_path, text):
    write_json(tmp_path / "x.json", 1)
    check_file(tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json: .*Start snakemake again.*delete .*\.x\.json\.check"):
        read_json(tmp_path / "x.json")
    write_json(tmp_path / "x.json", 2)
    assert read_json(tmp_path / "x.json") == 2


@pytest.mark.parametrize("moment", range(4))
@pytest.mark.parametrize("before", ["nothing", "checked", "unchecked"])
def test_a_kill_at_any_moment_leaves_an_intact_file(case, moment, before):
    """Moments 0 to 3: before and after the replacement of the check file, before and after that of the file."""
    path, write, read = case
    if before != "nothing":
        write(1)
        if before == "unchecked":
            check_file(path).unlink()
    old = path.read_bytes() if path.exists() else None
    killed_at(moment, write, 2)
    assert find_damage(path) is None and verify_folder(path.parent)[1] == []
    assert path.exists() is (old is not None or moment == 3)
    if path.exists():
        assert (path.read_bytes() == old) is (moment < 3)
        read()
    killed_at(moment, write, 3)
    assert find_damage(path) is None
    write(4)
    assert find_damage(path) is None


def test_a_kill_does_not_make_a_damaged_file_look_intact(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, 1)
    path.write_text("2")
    killed_at(1, lambda number: write_json(path, number), 3)
    with pytest.raises(InputError, match="damaged or was edited"):
        read_json(path)


def test_a_file_that_is_replaced_during_the_check_is_intact(tmp_path, monkeypatch):
    """The check file is read before a running job replaces both files, the content after it."""
    path = tmp_path / "x.json"
    write_json(path, 1)
    read_text, replaced = Path.read_text, []

    def replace_after_reading(self, *given, **more):
        text = read_text(self, *given, **more)
        if self.name.endswith(".check") and not replaced:
            replaced.append(True)
            write_json(path, 2)
        return text

    monkeypatch.setattr(Path, "read_text", replace_after_reading)
    assert find_damage(path) is None and replaced


def test_a_folder_is_verified_and_check_files_without_a_file_are_ignored(tmp_path):
    for name in ("a/x.json", "a/b/y.json", "z.json"):
        write_json(tmp_path / name, name)
    (tmp_path / "z.json").unlink()
    (tmp_path / ".check").write_text("no check file")
    (tmp_path / "a/b/y.json").write_text("[]")
    checked, damaged = verify_folder(tmp_path)
    assert checked == 2 and [damage.path for damage in damaged] == [tmp_path / "a/b/y.json"]
    assert verify_folder(tmp_path / "gone") == (0, [])
