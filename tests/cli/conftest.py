"""Runners of the command line in this process, and structures that several verbs use."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qdsurf.cli import main

# Material, Miller index, layers and supercell of each slab, and the ligand of its covered slab.
STRUCTURES = (
    ("PbS", "100", "2", "33", "oleate"),
    ("Ag", "111", "2", "44", "methylamine"),
    ("CsPbBr3", "100", "3", "22", "oleylammonium"),
)


@pytest.fixture
def run(capsys) -> Callable[..., str]:
    """Function that runs a verb, which must succeed, and returns its standard output."""

    def run_verb(*words) -> str:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run_verb


@pytest.fixture
def run_json(run) -> Callable[..., Any]:
    """Function that runs a verb with --json, which must succeed, and returns its one JSON value."""

    def reject(constant: str) -> None:
        raise AssertionError(f"{constant} is not valid JSON")

    return lambda *words: json.loads(run(*words, "--json"), parse_constant=reject)


@pytest.fixture
def error_of(capsys) -> Callable[..., str]:
    """Function that runs a verb, which must end with exit code 2, and returns its one error line."""

    def run_verb(*words) -> str:
        assert main([str(word) for word in words]) == 2
        captured = capsys.readouterr()
        (line,) = [line for line in captured.err.splitlines() if not line.startswith("qdsurf: note: ")]
        assert captured.out == "" and line.startswith("qdsurf: error: ")
        return line

    return run_verb


@pytest.fixture
def usage_error_of(capsys) -> Callable[..., str]:
    """Function that runs a verb with wrong options, and returns the last line on standard error."""

    def run_verb(*words) -> str:
        with pytest.raises(SystemExit, match="2"):
            main([str(word) for word in words])
        return capsys.readouterr().err.splitlines()[-1]

    return run_verb


@pytest.fixture(scope="session")
def structures(tmp_path_factory) -> Path:
    """Folder with slabs of three crystals, MATERIAL.xyz, and covered slabs, MATERIAL-LIGAND.xyz."""
    folder = tmp_path_factory.mktemp("structures")
    for material, index, layers, supercell, ligand in STRUCTURES:
        slab, covered = f"{folder}/{material}.xyz", f"{folder}/{material}-{ligand}.xyz"
        assert main(["slab", material, index, "--layers", layers, "--supercell", *supercell, "-o", slab]) == 0
        assert main(["ligate", slab, ligand, "--truncate-to-carbons", "1", "-o", covered]) == 0
    return folder
