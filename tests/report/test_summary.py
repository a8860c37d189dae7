"""The answer in words says what the tables say, and says so where they hold no number."""

import re

import numpy as np
import pandas as pd
import pytest
from docutils.core import publish_parts
from report.conftest import MISSING, NO_NUMBER, SYSTEMS

from qdsurf.errors import InputError
from qdsurf.report.pages.summary import verdict, write_summary

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
        (0.99, "The ligands win"),
        (0.7, "Open, it leans to the ligands"),
        (0.3, "Open, it leans to the crystal"),
        (0.16, "The crystal wins"),
        (np.nan, "No answer"),
    ],
)
def test_the_words_follow_the_probability(tables, chance, words):
    page = page_of(tables, p_ligand_wins=chance)
    assert f"*{words}.*" in page and f"1 x {words.lower()}." in page


def test_the_shares_are_those_of_the_table(tables):
    shares = {"precursor_surface": 0.9, "precursor_ligand": 0.1, "ligand_surface": 1e-9}
    page = page_of(tables, **shares, precursor_ligand_p16=0.004, precursor_ligand_p84=0.4)
    assert "90 % of what reacts goes to the crystal and 10 % to the ligands" in page
    assert "(16th to 84th percentile: <1 % to 40 %)" in page and "leave by themselves" not in page
    lost = {"precursor_surface": 1e-4, "precursor_ligand": 1e-3, "ligand_surface": 0.9989}
    assert "But >99 % is ligands that leave by themselves" in page_of(tables, **lost)


def test_what_would_change_the_answer_has_a_size_and_a_sign(tables):
    page = page_of(tables, precursor_surface=0.9, precursor_ligand=0.1)
    # kT ln 9 = 0.0593 eV at 313.15 K: a lower barrier of the ligand route, a less stable adduct on the crystal
    turns = "0.06 eV lower makes the routes equal, known to 0.25 eV; degree of control +1"
    assert f"the barrier of carboxylate transfer ({turns})" in page
    assert "the state adduct surface (0.12 eV higher makes the routes equal, known to" in page
    assert "adduct ligand" not in page  # it has no barrier: that is a matter of collisions, not of an energy
    turned = page_of(tables, precursor_surface=0.1, precursor_ligand=0.9)
    assert "carboxylate transfer (0.06 eV higher makes the routes equal" in turned


def test_collisions_that_decide_are_named(tables):
    control = tables["control"].replace({"selectivity_control": {0.2: -3.0}})
    assert "how fast the precursor lands and leaves" in page_of(tables | {"control": control})
    assert "how fast the precursor lands" not in page_of(tables)
    still = tables["control"].assign(selectivity_control=0.0)
    assert "No single energy, moved a little, changes the ratio" in page_of(tables | {"control": still})


def test_a_missing_number_is_named_with_its_reason(tables):
    page = page_of(tables, MISSING)
    assert "they could change the answer: dissociation surface (SCF did not converge in step 12)" in page
    lost = tables["steps"].assign(status="sank into the crystal")
    page = page_of(tables | {"steps": lost}, NO_NUMBER)
    assert "*No answer.*" in page and "its rival is not: adduct surface (sank into the crystal)" in page
    assert "What would change" not in page


def test_a_calculator_that_failed_its_qualification_is_in_the_sentence(tables):
    states = tables["states"].assign(note="not qualified for reaction energies: mean error 0.61 eV (limit 0.30)")
    assert "Caution: not qualified for reaction energies: mean error 0.61 eV (limit 0.30)." in page_of(
        tables | {"states": states}
    )


def test_the_page_is_clean_restructured_text_whatever_the_words(tables):
    odd = tables["states"].assign(note="a_ *b |c `d {{ e }} {% f")
    page = write_summary(**{**tables, "states": odd}, recipe="r_")
    html = publish_parts(page, writer_name="html", settings_overrides={"halt_level": 2})["body"]
    assert "Caution: a_ *b |c `d (( e )) (% f." in html and not re.search(r"\{[{%#]", page)
    assert html.count("Computed with synthetic") == len(SYSTEMS) and html.count("*") == len(SYSTEMS)


def test_a_table_without_a_column_is_refused(tables):
    with pytest.raises(InputError, match="states: missing column total_sigma_eV"):
        page_of(tables | {"states": tables["states"].drop(columns="total_sigma_eV")})
    assert verdict(pd.Series({"p_ligand_wins": 0.5})) == "leans ligand"
