"""Verb relax: results, progress lines and errors."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read, write

from qdsurf.cli import main

# Progress line of the only structure of a file.
PROGRESS = r"relax {file} 1/1: \d+ calls, -?\d+\.\d{{3}} eV, converged, \d+\.\d s\n"


def relax_water(capsys, folder: Path, *options: str) -> str:
    """Relax a water molecule with EMT, check the result on standard output, and return standard error."""
    write(folder / "w.xyz", molecule("H2O"))
    words = ["relax", f"{folder}/w.xyz", "--calculator", "emt", "--fmax", "0.1", "-o", f"{folder}/r.xyz", *options]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{folder}/r.xyz: 1 of 1 converged\n")
    return captured.err


def test_progress_lines_have_one_form(capsys, tmp_path):
    errors = relax_water(capsys, tmp_path)
    assert re.fullmatch(PROGRESS.format(file=re.escape(f"{tmp_path}/w.xyz")), errors)


def test_verbose_prints_the_progress_lines_too(capsys, tmp_path):
    errors = relax_water(capsys, tmp_path, "--verbose")
    assert re.search(PROGRESS.format(file=re.escape(f"{tmp_path}/w.xyz")), errors)


def test_quiet_prints_no_progress_lines(capsys, tmp_path):
    assert relax_water(capsys, tmp_path, "--quiet") == ""


def test_all_frames_are_relaxed(capsys, tmp_path):
    water = molecule("H2O")
    write(tmp_path / "w.xyz", [water, molecule("CH3OH")])
    words = ["relax", f"{tmp_path}/w.xyz", "--calculator", "emt", "--fmax", "0.1", "-o", f"{tmp_path}/r.xyz", "--json"]
    assert main(words) == 0
    captured = capsys.readouterr()
    data = json.loads(captured.out)
    assert f"relax {tmp_path}/w.xyz 2/2: " in captured.err and [r["converged"] for r in data["results"]] == [True, True]
    relaxed = read(tmp_path / "r.xyz", ":")
    for frame, result in zip(relaxed, data["results"], strict=True):
        assert frame.get_potential_energy() == pytest.approx(result["energy_eV"], abs=1e-6)
        assert np.linalg.norm(frame.get_forces(), axis=1).max() < 0.1
    assert relaxed[0].get_distance(0, 1) != pytest.approx(water.get_distance(0, 1), abs=1e-3)


def test_one_frame_keeps_its_columns_and_constraints(run, structures, tmp_path):
    atoms = read(structures / "Ag-methylamine.xyz")
    write(tmp_path / "two.xyz", [atoms, atoms])
    words = ("relax", f"{tmp_path}/two.xyz@1", "--calculator", "emt", "--max-steps", 2, "-o", tmp_path / "r.xyz")
    text = run(*words)
    assert "0 of 1 converged" in text and "not converged in 2 steps [" in text
    (relaxed,) = read(tmp_path / "r.xyz", ":")
    fixed = relaxed.constraints[0].index
    assert np.allclose(relaxed.positions[fixed], atoms.positions[fixed]) and len(fixed)
    assert (relaxed.arrays["role"] == atoms.arrays["role"]).all()


def test_relax_errors(error_of, structures, tmp_path):
    slab, out = structures / "PbS.xyz", ("-o", tmp_path / "r.xyz")
    message = error_of("relax", slab, "--calculator", "emt", *out)
    assert "calculator emt has no parameters for Pb, S; it supports Ag, Al" in message
    message = error_of("relax", slab, "--calculator", "tblit", *out)
    assert "unknown calculator 'tblit'; did you mean 'tblite'?" in message
    method = ("--calculator", "tblite", "--method", "GFN3-xTB")
    assert "unknown tblite method 'GFN3-xTB'" in error_of("relax", slab, *method, *out)
    ag = structures / "Ag.xyz"
    assert "method" in error_of("relax", ag, "--calculator", "emt", "--method", "GFN2-xTB", *out)
    assert "unknown parameter 'asap'" in error_of("relax", ag, "--calculator", "emt", "--parameter", "asap=1", *out)
    assert "frame '3' does not exist" in error_of("relax", f"{ag}@3", "--calculator", "emt", *out)
    assert not (tmp_path / "r.xyz").exists()


def test_parameters_are_passed_to_the_calculator(run_json, structures, tmp_path):
    words = ("relax", structures / "Ag.xyz", "--calculator", "emt", "-o", tmp_path / "r.xyz")
    (default,) = run_json(*words)["results"]
    (changed,) = run_json(*words, "--parameter", "asap_cutoff=true")["results"]
    assert default["energy_eV"] != changed["energy_eV"]
