"""Errors of a calculator for the reference reactions of given metals."""

import numpy as np
import pandas as pd
import pytest

from qdsurf.energetics.bond_types import format_counts
from qdsurf.energetics.corrections import fit_correction, measure_errors
from qdsurf.energetics.cross_validation import leave_one_out
from qdsurf.energetics.reliability import cations, reaction_errors, read_errors
from qdsurf.errors import InputError
from qdsurf.records import library
from qdsurf.records.reference_set import read_reference
from qdsurf.storage.files import write_table


@pytest.fixture
def errors() -> pd.DataFrame:
    """A table of the reference set with random errors and one reaction without an energy."""
    rng = np.random.default_rng(0)
    table = measure_errors(read_reference(), {})
    table["error_eV"] = rng.normal(0.5, 0.2, len(table))
    table.loc[3, "error_eV"] = np.nan
    return table


def test_only_reactions_of_the_metals_count(errors):
    found = reaction_errors(errors, ["Cs", "Pb"])
    measured = errors.dropna(subset="error_eV")
    has_metal = measured["bonds"].str.contains("Pb[-<]|Cs[-<]")
    assert found["number"] == has_metal.sum() > found["by_metal"]["Pb"] > found["by_metal"]["Cs"] == found["fewest"] > 0
    assert found["mae_raw_eV"] == pytest.approx(measured["error_eV"][has_metal].abs().mean())
    left = leave_one_out(fit_correction(errors))
    residual = (left["error_eV"] - left["predicted_eV"]).abs()
    assert found["mae_left_out_eV"] == pytest.approx(residual[has_metal.to_numpy()].mean())


def test_a_pair_of_partners_is_not_a_metal():
    bonds = [{"Pb-O": 1, "C|O": 1}, {"Zn-S": 1, "S-H": -1}, {"C-H": 1, "Zn-C": -1}]
    table = pd.DataFrame(
        {"reaction": list("abc"), "bonds": map(format_counts, bonds), "molecules": ["A +1", "B +1", "C +1"]}
        | {"error_eV": [0.1, 0.2, 0.4], "level": "one", "reference_sigma_eV": 0.08, "on_face": False}
    )
    assert reaction_errors(table, ["Pb"])["by_metal"] == {"Pb": 1}
    assert reaction_errors(table, ["Zn"])["mae_raw_eV"] == pytest.approx(0.3)


def test_metals_without_reactions_have_no_error(errors):
    assert reaction_errors(errors, ["Hg"]) == {"number": 0, "by_metal": {"Hg": 0}, "fewest": 0}
    assert reaction_errors(errors.assign(error_eV=np.nan), ["Pb"])["number"] == 0


def test_a_table_is_read_or_refused(tmp_path, errors):
    path = tmp_path / "errors.csv"
    with pytest.raises(InputError, match="errors.csv: no such file"):
        read_errors(path)
    errors.drop(columns="bonds").to_csv(path, index=False)
    with pytest.raises(InputError, match="errors.csv: has no column bonds; a table of errors has reaction, bonds"):
        read_errors(path)
    path.write_text("")
    with pytest.raises(InputError, match="errors.csv: not readable as CSV"):
        read_errors(path)
    errors.to_csv(path, index=False)
    assert reaction_errors(read_errors(path), ["Cd"]) == reaction_errors(errors, ["Cd"])


def test_a_damaged_table_is_refused(tmp_path, errors):
    path = tmp_path / "errors.csv"
    write_table(path, errors)
    assert len(read_errors(path)) == len(errors)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=f"errors.csv: {len(errors) - 1} rows instead of {len(errors)} rows"):
        read_errors(path)


@pytest.mark.parametrize(
    ("material", "metals"),
    [("CsPbBr3", ["Cs", "Pb"]), ("Cd0.5Zn0.5S", ["Cd", "Zn"]), ("Ag", ["Ag"]), ("FAPbBr3", ["Pb"]), ("InP", ["In"])],
)
def test_the_cations_of_a_crystal(material, metals):
    assert cations(library.material(material)) == metals
