"""Verb reactions: templates that apply, atoms for each role, and reasons."""

from unittest.mock import ANY

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from qdsurf.records import library


@pytest.mark.parametrize(
    ("name", "applies"),
    [
        ("Ag.xyz", {"adduct_surface", "dissociation_surface"}),
        (
            "PbS-oleate.xyz",
            {
                "adduct_surface",
                "dissociation_surface",
                "protonolysis_surface_hydrogen",
                "adduct_ligand",
                "protonolysis_acid",
                "carboxylate_transfer",
                "ligand_desorption_acid",
            },
        ),
        ("CsPbBr3-oleylammonium.xyz", {"adduct_surface", "dissociation_surface", "protonolysis_ammonium"}),
    ],
)
def test_templates_apply_or_have_a_reason(name, applies, run, run_json, structures):
    data = run_json("reactions", structures / name, "--precursor", "TMA")
    matches = {match["name"]: match for match in data["reactions"]}
    templates = library.reactions()
    assert matches.keys() == templates.keys() and data["charge_balance"].endswith("total +0")
    found = {match for match in matches if matches[match]["applies"]}
    assert {match for match in found if templates[match].default} == applies
    assert all(bool(match["reason"]) != match["applies"] for match in matches.values())
    lines = run("reactions", structures / name, "--precursor", "TMA").splitlines()
    assert {line.split()[1] for line in lines if line.startswith("+ ")} == found


def test_reason_names_what_is_missing(run, structures):
    text = run("reactions", structures / "Ag.xyz", "--precursor", "DEZ")
    assert "applies to ligand_entry acid, but this structure has none" in text
    assert "adduct_coreactant          needs a coreactant; give one with --coreactant" in text
    assert "no atom matches surface.hydroxyl (an O atom of the crystal that carries H: cut a hydroxylated facet" in text


def test_atoms_for_each_role_and_mass_balance(run, run_json, structures):
    data = run_json("reactions", structures / "PbS-oleate.xyz", "--precursor", "TMA", "--coreactant", "O3")
    matches = {match["name"]: match for match in data["reactions"]}
    slab = read(structures / "PbS-oleate.xyz")
    anchors = matches["adduct_ligand"]["roles"]["ligand.anchor"]
    assert anchors["atoms"] == np.flatnonzero(slab.arrays["anchor"]).tolist() and anchors["matches"] == 2
    assert matches["adduct_ligand"]["balance"] == {
        "takes": {"precursor": "C3H9Al"},
        "releases": {},
        "surface_gains": {"Al": 1, "C": 3, "H": 9},
        "charge": 0,
    }
    assert matches["protonolysis_acid"]["balance"]["releases"] == {"by_product": "CH4"}
    assert matches["protonolysis_acid"]["balance"]["surface_gains"] == {"C": -1, "H": -4}
    assert matches["cation_exchange"]["balance"]["releases"] == {"alkyl": "C2H6Pb"}
    assert matches["reductive_coupling"]["balance"]["releases"] == {"coupled": "C2H6"}
    assert matches["ozone_transfer"]["balance"]["releases"] == {"dioxygen": "O2"}
    assert matches["oxygen_insertion"]["chemistry"] == ["ozone"]
    bare = {m["name"]: m for m in run_json("reactions", structures / "PbS.xyz", "--precursor", "TMA")["reactions"]}
    assert bare["adduct_surface"]["roles"]["surface.anion"] == {"atoms": ANY, "matches": 9, "unique": 1}
    assert "surface.anion 9 (1 unique); takes C3H9Al" in run("reactions", structures / "PbS.xyz", "--precursor", "TMA")


def test_coreactant_is_accepted_instead_of_a_precursor(run_json, error_of, structures):
    data = run_json("reactions", structures / "PbS-oleate.xyz", "--precursor", "HCl")
    matches = {match["name"]: match for match in data["reactions"]}
    assert matches["adduct_surface"]["reason"] == "needs a precursor; give one with --precursor"
    assert matches["protonolysis_ligand"]["balance"]["releases"] == {"ligand": "CH2O2"}
    amine = run_json("reactions", structures / "PbS-oleate.xyz", "--precursor", "TDMAT", "--coreactant", "HNMe2")
    assert {m["name"] for m in amine["reactions"] if m["applies"]} >= {"dissociation_coreactant", "protonolysis_ligand"}
    assert "precursor: unknown precursor 'H2'" in error_of("reactions", structures / "PbS.xyz", "--precursor", "H2")
    words = "reactions", structures / "PbS.xyz", "--precursor", "TMA", "--coreactant", "TMA"
    assert "coreactant: unknown co-reactant 'TMA'" in error_of(*words)


def test_external_structure_has_the_same_reactions(run_json, structures, tmp_path):
    """Ligands, protons and charges are inferred from the positions if the file has no columns."""
    own = read(structures / "PbS-oleate.xyz")
    write(tmp_path / "POSCAR", Atoms(own.symbols, own.positions, cell=own.cell, pbc=True), format="vasp")
    found = [
        {m["name"] for m in run_json("reactions", path, "--precursor", "TMA")["reactions"] if m["applies"]}
        for path in (structures / "PbS-oleate.xyz", tmp_path / "POSCAR")
    ]
    assert found[0] == found[1]
    assert run_json("reactions", tmp_path / "POSCAR", "--precursor", "TMA")["ligand_entry"] == "acid"


def test_user_template_is_a_yaml_file(run_json, error_of, structures, tmp_path):
    """The metal of an adduct on the ligand loses an alkyl group to a cation of the crystal."""
    (tmp_path / "mine").mkdir()
    assert "contains no template" in error_of(
        "reactions", structures / "PbS.xyz", "--precursor", "TMA", "--templates", tmp_path
    )
    (tmp_path / "mine" / "methide_to_tail.yaml").write_text("""
name: methide_to_cation
reaction_class: precursor-surface
chemistry: [cation_exchange]
equation: "E*-MLn + C* -> E*-MLn-1 + C*-L, the metal stays on the ligand"
reactant: adduct_ligand
breaks: [[precursor.metal, precursor.leaving]]
forms: [[surface.cation, precursor.leaving]]
ligand_entry: [acid]
lattice: "adduct@ligand -> opened@ligand"
source: "assumed: a test"
""")
    words = "reactions", structures / "PbS-oleate.xyz", "--precursor", "TMA", "--templates", tmp_path / "mine"
    assert "name: 'methide_to_cation' must be 'methide_to_tail'" in error_of(*words)
    (tmp_path / "mine" / "methide_to_tail.yaml").rename(tmp_path / "mine" / "methide_to_cation.yaml")
    (match,) = [m for m in run_json(*words)["reactions"] if m["name"] == "methide_to_cation"]
    assert match["applies"] and match["roles"]["surface.cation"]["matches"] == 18


def test_reason_names_the_missing_atom(run_json, structures, tmp_path):
    slab = read(structures / "PbS-oleate.xyz")
    del slab[slab.arrays["role"] == "ligand"]
    slab.arrays["role"][slab.symbols == "S"] = "ligand"  # The outermost layer of the crystal has no anion.
    write(tmp_path / "s.xyz", slab)
    matches = {m["name"]: m for m in run_json("reactions", tmp_path / "s.xyz", "--precursor", "TMA")["reactions"]}
    assert matches["adduct_ligand"]["reason"].startswith(
        "no atom matches ligand.anchor (an atom through which a ligand"
    )
    assert matches["carboxylate_transfer"]["reason"] == "starts from adduct_ligand, which does not apply"


def test_reactions_errors(error_of, run, structures, tmp_path):
    write(tmp_path / "charged.xyz", read(structures / "PbS-oleate.xyz")[:-1])
    assert "total -1" in error_of("reactions", tmp_path / "charged.xyz", "--precursor", "TMA")
    run("place", structures / "PbS.xyz", "TMA", "-o", tmp_path / "p.xyz")
    assert "already carries a precursor" in error_of("reactions", tmp_path / "p.xyz", "--precursor", "TMA")
