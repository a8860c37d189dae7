"""Tests of the page with the answers in words."""

import re

import numpy as np
import pandas as pd
import pytest
from docutils.core import publish_parts
from report.conftest import MISSING, NO_NUMBER, SYSTEMS

from qdsurf.errors import InputError
from qdsurf.report.pages.summary import Answer, classify_answer, write_summary

SYSTEM = "CdSe_110_CdSe~oleate~TMA"


@pytest.fixture
def tables(energetics, selectivity) -> dict[str, pd.DataFrame]:
    states, steps = energetics
    states = states.assign(sample_model="oleate truncated from 18 to 2 C", note="")
    names = [("step", "carboxylate_transfer"), ("step", "adduct_ligand"), ("state", "adduct_surface")]
    rows = [
        (system, *name, 0.5, degree) for system in SYSTEMS for name, degree in zip(names, (1, 0.2, -0.5), strict=True)
    ]
    columns = ["system", "kind", "name", "uptake_control", "selectivity_control"]
    control = pd.DataFrame(rows, columns=columns)
    return {"selectivity": selectivity, "control": control, "states": states, "steps": steps}


def page_of(tables: dict[str, pd.DataFrame], system: str = SYSTEM, **changes) -> str:
    row = tables["selectivity"].query("system == @system").assign(**changes)
    return write_summary(**{**tables, "selectivity": row}, recipe="alumina_thermal_40C")


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (0.99, "The precursor reacts mainly with the ligands"),
        (0.7, "Undecided, but the ligands are more likely"),
        (0.3, "Undecided, but the crystal is more likely"),
        (0.16, "The precursor reacts mainly with the crystal"),
        (np.nan, "No answer"),
    ],
)
def test_the_answer_depends_on_the_probability(tables, chance, words):
    page = page_of(tables, p_ligand_wins=chance)
    assert f"*{words}.*" in page and f": {words.lower()} (1)." in page


def test_the_page_contains_the_shares_of_the_table(tables):
    shares = {"precursor_surface": 0.9, "precursor_ligand": 0.1, "ligand_surface": 1e-9}
    page = page_of(tables, **shares, precursor_ligand_p16=0.004, precursor_ligand_p84=0.4)
    assert "90 % of the reactive flux goes to the crystal and 10 % to the ligands" in page
    assert "(16th to 84th percentile of the ligand share: <1 % to 40 %)" in page and "desorption" not in page
    lost = {"precursor_surface": 1e-4, "precursor_ligand": 1e-3, "ligand_surface": 0.9989}
    assert "However, >99 % of the reactive flux is desorption of ligands" in page_of(tables, **lost)


def test_the_energy_changes_that_make_the_routes_equal_have_the_right_size_and_sign(tables):
    page = page_of(tables, precursor_surface=0.9, precursor_ligand=0.1)
    # kT ln 9 is 0.0593 eV at 313.15 K. The barrier of the ligand route must decrease, or the energy of the adduct on
    # the crystal must increase.
    words = "0.06 eV lower makes the routes equal, standard deviation 0.25 eV, degree of control +1"
    assert f"the barrier of carboxylate transfer ({words})" in page
    assert "the state adduct surface (0.12 eV higher makes the routes equal, standard deviation" in page
    assert "adduct ligand" not in page  # a step without a barrier
    opposite = page_of(tables, precursor_surface=0.1, precursor_ligand=0.9)
    assert "carboxylate transfer (0.06 eV higher makes the routes equal" in opposite


def test_the_page_states_if_adsorption_decides_the_answer(tables):
    control = tables["control"].replace({"selectivity_control": {0.2: -3.0}})
    assert "how fast the precursor adsorbs and desorbs" in page_of(tables | {"control": control})
    assert "how fast the precursor adsorbs" not in page_of(tables)
    insensitive = tables["control"].assign(selectivity_control=0.0)
    assert "A small change of a single energy does not change the ratio" in page_of(tables | {"control": insensitive})


def test_missing_steps_have_a_reason(tables):
    page = page_of(tables, MISSING)
    assert "could change the answer: dissociation surface (SCF did not converge in step 12)" in page
    lost = tables["steps"].assign(status="not converged")
    page = page_of(tables | {"steps": lost}, NO_NUMBER)
    assert "*No answer.*" in page and "could not be computed: adduct surface (not converged)" in page
    assert "most sensitive" not in page


def test_the_page_contains_the_notes_of_the_qualification(tables):
    states = tables["states"].assign(note="not qualified for reaction energies: mean error 0.61 eV (limit 0.30)")
    assert "Caution: not qualified for reaction energies: mean error 0.61 eV (limit 0.30)." in page_of(
        tables | {"states": states}
    )


def test_special_characters_in_notes_give_valid_restructured_text(tables):
    special = tables["states"].assign(note="a_ *b |c `d {{ e }} {% f")
    page = write_summary(**{**tables, "states": special}, recipe="r_")
    html = publish_parts(page, writer_name="html", settings_overrides={"halt_level": 2})["body"]
    assert "Caution: a_ *b |c `d (( e )) (% f." in html and not re.search(r"\{[{%#]", page)
    assert html.count("Calculator: synthetic") == len(SYSTEMS) and html.count("*") == len(SYSTEMS)


def test_a_missing_column_is_an_error(tables):
    with pytest.raises(InputError, match="states: missing column total_sigma_eV"):
        page_of(tables | {"states": tables["states"].drop(columns="total_sigma_eV")})


def test_equal_probabilities_are_undecided():
    assert classify_answer(0.5) is Answer.RATHER_LIGANDS
