"""Verb qualify: tests of a calculator for one material."""

from pathlib import Path

from qdsurf.energetics.corrections import measure_errors
from qdsurf.records.reference_set import read_reference


def test_qualification_of_emt_for_silver(run_json):
    data = run_json("qualify", "Ag", "--calculator", "emt")
    assert abs(data["lattice_constant_error"]) < 0.01  # EMT is fitted to the lattice constant.
    assert data["substrate"] == "relaxed" and data["stability"]["stable"] and data["bulk_stability"]["stable"]
    assert [row["facet"] for row in data["facets"]] == ["111_Ag", "100_Ag", "110_Ag"]  # by surface energy
    assert {use: result["fit"] for use, result in data["uses"].items()} == {
        "geometry": True,
        "substrate_relaxation": True,
        "reaction_energies": False,  # No reference reaction contains silver.
    }


def test_qualify_prints_a_page_and_reads_the_errors_of_a_run(run, tmp_path, monkeypatch):
    errors = measure_errors(read_reference(), {})
    errors["bonds"] = errors["bonds"].str.replace("Pb", "Ag")
    errors["error_eV"] = 0.1
    line = f"| reference reactions | Ag {errors['bonds'].str.contains('Ag[-<]').sum()}; mean absolute error 0.10 eV"
    folder = tmp_path / "results/reference/emt"
    folder.mkdir(parents=True)
    errors.to_csv(folder / "errors.csv", index=False)
    for where, words in ((tmp_path, ()), (Path.cwd(), ("--errors", folder / "errors.csv"))):
        monkeypatch.chdir(where)
        page = run("qualify", "Ag", "--calculator", "emt", *words)
        assert page.startswith("# emt for Ag\n") and line in page


def test_qualify_errors(error_of):
    assert "has no parameters for Cd, Se" in error_of("qualify", "CdSe", "--calculator", "emt")
    assert "unknown material 'CdX'" in error_of("qualify", "CdX", "--calculator", "emt")
    missing = error_of("qualify", "Ag", "--calculator", "emt", "--errors", "nowhere.csv")
    assert "nowhere.csv: no such file; a run writes it" in missing
