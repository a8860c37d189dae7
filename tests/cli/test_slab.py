"""Verb slab: indices, terminations, defects, formats and errors."""

import numpy as np
import pytest
from ase.io import read

from qdsurf.cli import main


@pytest.mark.parametrize("index", ["100", "1,0,0", "-1,0,0", "200"])
def test_slab_reads_three_indices_in_every_form(index, run_json, tmp_path):
    data = run_json("slab", "PbS", index, "--layers", 2, "--supercell", 2, 3, "--vacuum", 15, "-o", tmp_path / "s.xyz")
    slab = read(tmp_path / "s.xyz")
    assert len(slab) == data["atoms"] == 24 and slab.info["material"] == "PbS"
    assert slab.cell.cellpar()[2] - np.ptp(slab.positions[:, 2]) == pytest.approx(15)
    assert data["charge"] == 0 and data["layers"] == 2 and data["charge_balance"].endswith("total +0")


@pytest.mark.parametrize("index", ["10-10", "1,0,-1,0", "11-20"])
def test_slab_reads_four_indices_in_every_form(index, run_json, tmp_path):
    assert run_json("slab", "CdSe-wz", index, "--layers", 2, "-o", tmp_path / "s.xyz")["termination"] == "CdSe"


def test_slab_has_the_requested_terminations_and_mobile_layers(run, run_json, tmp_path):
    out = tmp_path / "s.xyz"
    assert run_json("slab", "CsPbBr3", "100", "-o", out)["termination"] == "CsBr"  # This facet is on record.
    words = ("slab", "CsPbBr3", "100", "--termination", "PbBr2", "--layers", 4, "--mobile-layers", 2)
    assert "PbBr2" in run(*words, "--bottom", "CsBr", "-o", out)
    slab = read(out)
    top = slab.positions[:, 2] > slab.positions[:, 2].max() - 0.5
    assert sorted(slab.symbols[top]) == ["Br", "Br", "Pb"]
    assert sorted(slab.constraints[0].index) == sorted(np.flatnonzero(slab.arrays["layer"] > 2))


def test_slab_has_an_adlayer_on_record(run_json, tmp_path):
    words = ("slab", "Ag", "111", "--termination", "O", "--layers", 2, "--supercell", 2, 2)
    assert run_json(*words, "-o", tmp_path / "s.xyz")["formula"] == "Ag8O"


def test_other_formats_are_written_with_a_note_on_missing_columns(capsys, tmp_path):
    assert main(["slab", "PbS", "100", "-o", str(tmp_path / "new" / "s.cif")]) == 0
    assert "does not keep the columns" in capsys.readouterr().err
    assert len(read(tmp_path / "new" / "s.cif")) == 6
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.cif"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("Pbs 100", "unknown material 'Pbs'; did you mean 'PbS'?"),
        ("PbS 10x", "Miller index '10x': 'x' is not an integer; write 100, 10-10 or 1,0,-1,0"),
        (
            "CdSe 111 --layers 4",
            "carries +0.5 e in this cell, which ions of charge one cannot balance; take a supercell",
        ),
        ("PbS 100 --thickness 7", "no slab is 7 A thick; 3 layers have 5.94 A and 4 have 8.90 A"),
        ("PbS 100 --defect V_Pb", "V_Pb leaves a charge: substrate Pb 2 x +2 = +4"),
        ("PbS 100 --defect vacancy", "unknown defect 'vacancy'; accepted: V_Br (vacancy of an ion)"),
        ("PbS 100 --vacuum 2", "2 A of vacuum; a slab needs at least 5"),
        ("CsPbBr3 100 --termination PbBr3", "unknown termination 'PbBr3'; did you mean 'PbBr2'?"),
        ("CsPbBr3 100 --bottom PbBr2", "no slab of 3 layers has CsBr on top and PbBr2 below"),
    ],
)
def test_slab_errors(words, message, error_of, tmp_path):
    assert message in error_of("slab", *words.split(), "-o", tmp_path / "s.xyz")
    assert not list(tmp_path.iterdir())


def test_charged_slab_is_cut_with_allow_charged(run_json, tmp_path):
    words = ("slab", "PbS", "111", "--termination", "Pb", "--allow-charged")
    assert run_json(*words, "-o", tmp_path / "s.xyz")["charge"] == 2
    assert read(tmp_path / "s.xyz").info["charge"] == 2


def test_polar_slab_is_balanced_by_passivating_ions(run_json, tmp_path):
    data = run_json("slab", "PbS", "111", "--passivating-ion", "Br", "-o", tmp_path / "s.xyz")
    assert data["formula"] == "Br2Pb2S" and data["charge"] == 0
    assert [t["name"] for t in data["terminations"]] == ["Pb", "S"]


def test_vacancies_of_a_neutral_defect_are_sites(run_json, tmp_path):
    out = tmp_path / "s.xyz"
    run_json("slab", "CsPbBr3", "100", "--supercell", 3, 3, "--defect", "V_CsBr", "-o", out)
    assert {"vacancy:Cs", "vacancy:Br"} <= {site["name"] for site in run_json("sites", out)}


@pytest.mark.parametrize(("name", "message"), [("s.foo", "does not know the format"), (".", "is a folder")])
def test_output_name_is_checked(name, message, error_of, tmp_path):
    assert message in error_of("slab", "PbS", "100", "-o", tmp_path / name)
