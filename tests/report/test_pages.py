"""Tests of the interactive pages, and of the exported structures and database."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from ase.build import fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect

from qdsurf.atomistic.annotation import annotate, content_hash
from qdsurf.pipeline.database import collect_structures, write_database
from qdsurf.relaxation.result import RelaxationResult, write_results
from qdsurf.report.pages.table_page import write_table_page
from qdsurf.report.pages.viewer import write_structure_page
from qdsurf.storage.structures import read_structures, write_structures


def constant(page: str, name: str) -> object:
    """Value of a constant in the script of a page."""
    return json.JSONDecoder().raw_decode(page[re.search(rf"\b{name} = ", page).end() :])[0]


def test_the_table_page_contains_all_values_unchanged(tmp_path):
    words = "</script><b>"
    table = pd.DataFrame({"name": ["a", words], "share": [1.25e-25, np.nan], "fit": [True, False], "n": [1, 2]})
    write_table_page("shares", table, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert constant(page, "columns") == list(table) and words not in page
    assert constant(page, "rows") == [["a", 1.25e-25, True, 1], [words, None, False, 2]]
    assert "http" not in page


def test_the_structure_page_contains_structures_and_reasons_of_missing_ones(tmp_path):
    slab = annotate(fcc111("Ag", (2, 2, 2), vacuum=5), "substrate")
    write_structure_page({"slab": slab, "adduct": "not converged"}, tmp_path / "s.html")
    page = (tmp_path / "s.html").read_text()
    scenes = constant(page, "scenes")
    assert list(scenes) == ["slab", "adduct"] and scenes["adduct"] == {"reason": "not converged"}
    assert scenes["slab"]["elements"] == ["Ag"] * 8 and all(scenes["slab"]["substrate"])
    drawn = np.array(scenes["slab"]["positions"])
    assert np.allclose(drawn - drawn[0], slab.positions - slab.positions[0], atol=1e-3)
    assert "http" not in page


@pytest.fixture
def results(tmp_path):
    """Two jobs, each with three candidates, one of them without an energy."""
    for job, name in (("molecules/emt/CH4", "CH4"), ("adsorbed/Ag_111_Ag~none~TMA/adduct_surface", "H2O")):
        candidates = []
        for number in range(3):
            atoms = annotate(molecule(name), "adsorbate")
            atoms.positions += 0.01 * number
            energy = None if number == 1 else -1.5 - number
            if energy is not None:
                forces = np.full((len(atoms), 3), 0.01)
                atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
            result = RelaxationResult(
                atoms,
                energy_eV=energy,
                max_force_eV_per_A=None,
                converged=number == 2,
                reason="",
                input_hash="123e45678901",
                calculator={"name": "emt", "version": "3.29.0", "parameters": {}},
                qdsurf_version="0.1.0",
            )
            candidates.append(result)
        write_results(candidates, tmp_path / job / "relaxed.extxyz", tmp_path / job / "result.json")
    return tmp_path


def test_all_structures_with_an_energy_are_exported_with_their_origin(results):
    jobs = ["molecules/emt/CH4", "adsorbed/Ag_111_Ag~none~TMA/adduct_surface"]
    structures = collect_structures(results, jobs)
    write_structures(results / "structures.extxyz", structures)
    write_database(results / "qdsurf.db", structures)
    read_back = read_structures(results / "structures.extxyz")
    assert [atoms.get_potential_energy() for atoms in read_back] == [-1.5, -3.5] * 2
    assert all((atoms.get_forces() == 0.01).all() for atoms in read_back)
    origin = read_back[3].info["provenance"]
    assert origin["hash"] == content_hash(read_back[3]) and origin["converged"] is True
    assert (origin["system"], origin["state"], origin["candidate"]) == ("Ag_111_Ag~none~TMA", "adduct_surface", 3)
    rows = list(connect(results / "qdsurf.db").select())
    assert [(row.system, row.state, row.calculator) for row in rows[1:3]] == [
        ("CH4", "gas", "emt"),
        ("Ag_111_Ag~none~TMA", "adduct_surface", "emt"),
    ]
    assert rows[3].hash == f"h{origin['hash']}" and rows[3].energy == -3.5 and rows[3].input_hash == "i123e45678901"
    written = sorted(path.name for path in results.glob("*") if path.is_file())
    assert written == [".structures.extxyz.check", "qdsurf.db", "structures.extxyz"]
