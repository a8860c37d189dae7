"""Verb list: every record of every kind."""

import pytest

from qdsurf.records import library


@pytest.mark.parametrize("kind", library.KINDS)
def test_list_contains_every_record(kind, run, run_json):
    names = library.names(kind)
    assert [record["name"] for record in run_json("list", kind)] == names
    assert [line.split()[0] for line in run("list", kind).splitlines()] == names


def test_list_facets_gives_names_for_a_configuration(run, run_json):
    names = [facet["name"] for facet in run_json("list", "facets")]
    assert {"PbS_100_PbS", "CdSe-wz_10-10_CdSe", "Ag_111_O"} <= set(names)
    assert [line.split()[0] for line in run("list", "facets").splitlines()] == names


def test_list_calculators_gives_methods_and_elements(run, run_json):
    calculators = {record["name"]: record for record in run_json("list", "calculators")}
    assert "GFN2-xTB" in calculators["tblite"]["methods"] and "Ag" in calculators["emt"]["elements"]
    assert "module:Class" in run("list", "calculators")
