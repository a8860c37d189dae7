"""Tests of the page and of the table on the qualification of calculators."""

from qdsurf.report.pages.qualification import criteria_table, qualification_page

CRITERION = {"fit": False, "reason": "lattice constant off by -4.3% (limit 3.0%)", "number": -0.043, "limit": 0.03}
DATA = {
    "material": "PbS",
    "calculator": {"name": "tblite", "version": "0.8.0", "parameters": {"method": "GFN1-xTB"}},
    "lattice_constant": "-4.3% against experiment",
    "bulk_modulus_GPa": 97.2,
    "bulk_modulus_experiment_GPa": 60.0,
    "stability": {"reason": "the rattled structure ends -0.100 eV per moving atom from the crystal"},
    "scf": {"failed": 2, "calls": 80, "failed_share": 0.025, "rescued": 3},
    "uses": {"geometry": CRITERION, "substrate_relaxation": CRITERION | {"fit": True, "reason": "rattled slab shifts"}},
    "substrate": "relaxed",
    "force_calls": 80,
    "wall_s": 123.4,
}
FACETS = [
    {"facet": "100_PbS", "surface_energy_J_per_m2": 0.21, "literature_J_per_m2": 0.18},
    {"facet": "110_PbS", "surface_energy_J_per_m2": None, "literature_J_per_m2": None},
]
REACTIONS = {"number": 12, "by_metal": {"Pb": 12}, "mae_raw_eV": 0.3, "mae_left_out_eV": 0.15, "fewest": 12}


def test_the_page_contains_all_results_and_uses():
    page = qualification_page(DATA | {"facets": FACETS, "facet_order_agrees": None, "reactions": REACTIONS})
    for line in (
        "# tblite GFN1-xTB for PbS",
        "| geometry | no | lattice constant off by -4.3% (limit 3.0%) |",
        "| substrate relaxation | yes | rattled slab shifts |",
        "| bulk modulus | 97 GPa, 60 GPa from experiment |",
        "| rattled bulk | not run |",
        "| surface energies, as cut | 100 PbS 0.21 (literature 0.18) J/m2, 110 PbS SCF failed |",
        "| SCF | 2 of 80 calls failed or jumped, 3 converged after a rescue |",
        "| reference reactions | Pb 12; mean absolute error 0.30 eV, 0.15 eV where left out and corrected |",
        "80 force calls, 123 s.",
    ):
        assert line in page.splitlines(), line
    assert len(page.splitlines()) < 50


def test_missing_tests_are_marked_as_not_run():
    page = qualification_page(DATA | {"bulk_modulus_GPa": None})
    assert "| surface energies, as cut | not run |" in page and "| reference reactions | not run |" in page
    assert "| bulk modulus | no number, 60 GPa from experiment |" in page
    none = qualification_page(
        DATA | {"facets": [], "facet_order_agrees": None, "reactions": {"number": 0, "by_metal": {"Hg": 0}}}
    )
    assert "| surface energies, as cut | none of its facets can be tested alone |" in none
    assert "| reference reactions | none (Hg 0) |" in none


def test_the_order_of_the_facets_is_compared_with_the_literature():
    for agrees, words in ((True, "the order is that of the literature"), (False, "the literature has another order")):
        assert words in qualification_page(DATA | {"facets": FACETS, "facet_order_agrees": agrees})


def test_the_table_contains_uses_and_tests_of_all_qualifications():
    table = criteria_table([DATA, DATA | {"material": "CdSe"}]).set_index(["material", "question"])
    assert list(table.loc["PbS"].index[:2]) == ["geometry", "substrate relaxation"]
    assert table.loc[("CdSe", "geometry"), "fit"] == "no" and table.loc[("CdSe", "SCF"), "fit"] == ""
    assert set(table["calculator"]) == {"tblite GFN1-xTB"}
