"""Gas molecules are neutral and consist of the groups whose bonds break."""

import pytest
from invariants import assert_no_clash
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from qdsurf.atomistic.molecules import build_molecule, parse_smiles
from qdsurf.elementary_steps.gas_products import (
    desorbed_ligand,
    desorbed_salt,
    element,
    gas_product,
    is_freed_by_a_proton,
    leaving_group,
    ligand_anion,
    metal_fragment,
    two_groups,
)
from qdsurf.records import library
from qdsurf.records.models import Molecule


def formula(molecule: Molecule) -> str:
    return CalcMolFormula(parse_smiles(molecule.smiles))


@pytest.mark.parametrize(
    ("name", "carbons", "expected"),
    [
        ("oleate", None, "C18H34O2"),
        ("oleate", 2, "C2H4O2"),
        ("oleate", 1, "CH2O2"),
        ("acetate", None, "C2H4O2"),
        ("oleylamine", None, "C18H37N"),
        ("oleylamine", 1, "CH5N"),
        ("methylamine", None, "CH5N"),
    ],
)
def test_ligand_desorbs_as_a_neutral_molecule(name, carbons, expected):
    assert formula(desorbed_ligand(library.ligand(name), carbons)) == expected


@pytest.mark.parametrize(("carbons", "expected"), [(None, "C18H33CsO2"), (2, "C2H3CsO2")])
def test_salt_is_the_acid_with_a_cation_instead_of_its_proton(carbons, expected):
    salt = desorbed_salt(library.ligand("oleate"), "Cs", carbons)
    assert formula(salt) == expected and salt.name == "Cs-oleate"
    assert_no_clash(build_molecule(salt))


@pytest.mark.parametrize(
    ("precursor", "metal", "expected", "symmetry"),
    [("TMA", "Cd", "C2H6Cd", 2), ("DEZ", None, "C4H10", 2), ("NaI", "Pb", "I2Pb", 2), ("Na2S", "Cd", "CdNa2S2", 2)],
)
def test_two_leaving_groups_form_one_molecule(precursor, metal, expected, symmetry):
    molecule = two_groups(library.precursor(precursor), metal)
    assert formula(molecule) == expected and molecule.symmetry_number == symmetry
    assert_no_clash(build_molecule(molecule))


@pytest.mark.parametrize(
    ("precursor", "with_ligand", "with_halide", "with_cation"),
    [
        ("TMA", "C4H9AlO2", "C2H6AlBr", "CH3Cs"),
        ("NaI", "C2H3NaO2", "BrNa", "CsI"),
        ("Na2S", "C2H3NaO2", "BrNa", "CsNaS"),
        ("PbI2", "C2H3IO2Pb", "BrIPb", "CsI"),
        ("TDMAT", "C8H21N3O2Ti", "C6H18BrN3Ti", "C2H6CsN"),
    ],
)
def test_parts_of_a_precursor_form_molecules_with_ions_of_the_surface(precursor, with_ligand, with_halide, with_cation):
    metal, group = (part(library.precursor(precursor)) for part in (metal_fragment, leaving_group))
    acetate = ligand_anion(library.ligand("oleate"), 2)
    molecules = [gas_product(metal, acetate), gas_product(metal, element("Br")), gas_product(element("Cs"), group)]
    assert [formula(molecule) for molecule in molecules] == [with_ligand, with_halide, with_cation]
    for molecule in molecules:
        assert_no_clash(build_molecule(molecule))


def test_cation_desorbs_with_two_ligands():
    acetate = ligand_anion(library.ligand("oleate"), 2)
    molecule = gas_product(element("Cd"), acetate, acetate)
    assert formula(molecule) == "C4H6CdO4" and molecule.symmetry_number == 2


@pytest.mark.parametrize("name", library.names("precursors"))
def test_proton_frees_a_leaving_group_if_both_together_are_the_by_product(name):
    precursor = library.precursor(name)
    with_a_proton = formula(gas_product(element("H"), leaving_group(precursor)))
    assert is_freed_by_a_proton(precursor) == (with_a_proton == formula(precursor.by_product))
