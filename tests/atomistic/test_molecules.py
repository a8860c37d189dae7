"""Molecules: built structures agree with their records, and truncated ligands are described as such."""

from collections import Counter

import numpy as np
import pytest
from invariants import assert_no_clash
from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from qdsurf.atomistic.bonding import bond_ratios
from qdsurf.atomistic.molecules import (
    build_molecule,
    build_reference,
    chain_length,
    describe_model,
    ligand_molecule,
    parse_smiles,
)
from qdsurf.errors import InputError
from qdsurf.records import library
from qdsurf.records.models import Molecule
from qdsurf.records.reference_set import read_reference

ACID = Chem.MolFromSmarts("C(=O)[OX2H1]")
AMINE = Chem.MolFromSmarts("[NX3;H2]")
AMMONIUM = Chem.MolFromSmarts("[NX4;H3;+]")
GROUPS = {"oleate": ACID, "oleylamine": AMINE, "oleylammonium": AMMONIUM}

GASES = [library.precursor(name).molecule for name in library.names("precursors")]
GASES += [library.precursor(name).by_product for name in library.names("precursors")]
GASES += [library.get("coreactants", name).molecule for name in library.names("coreactants")]
GASES += [library.precursor("TMA").oligomer.molecule]


def formula(molecule: Molecule) -> str:
    return CalcMolFormula(parse_smiles(molecule.smiles))


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("carbons", range(1, 18))
def test_a_truncated_ligand_has_the_requested_carbons_and_one_head_group(name, carbons):
    molecule, anchors, protons = ligand_molecule(library.ligand(name), carbons)
    heavy = Chem.RemoveHs(molecule)
    assert sum(atom.GetSymbol() == "C" for atom in heavy.GetAtoms()) == carbons
    assert len(heavy.GetSubstructMatches(GROUPS[name])) == 1
    assert len(Chem.GetMolFrags(molecule)) == 1
    assert all(atom.GetNumRadicalElectrons() == 0 for atom in molecule.GetAtoms())
    assert Chem.GetFormalCharge(molecule) == (1 if name == "oleylammonium" else 0)
    assert {molecule.GetAtomWithIdx(a).GetSymbol() for a in anchors} == ({"O"} if name == "oleate" else {"N"})
    assert (len(protons) == 1) == (name == "oleate")


@pytest.mark.parametrize("carbons", [None, 18, 30])
def test_the_full_ligand_agrees_with_its_record(carbons):
    molecule, anchors, protons = ligand_molecule(library.ligand("oleate"), carbons)
    assert CalcMolFormula(molecule) == "C18H34O2"
    assert len(anchors) == 2 and [molecule.GetAtomWithIdx(p).GetSymbol() for p in protons] == ["H"]
    assert molecule.GetAtomWithIdx(protons[0]).GetNeighbors()[0].GetIdx() in anchors


def test_the_description_of_a_model_states_its_truncation():
    assert describe_model(library.ligand("oleate"), None) == "oleate (full length, 18 C)"
    assert describe_model(library.ligand("oleate"), 2) == "oleate truncated from 18 to 2 C: CC(=O)O"
    assert chain_length(library.ligand("oleate")) == 18


@pytest.mark.parametrize("molecule", GASES, ids=lambda molecule: molecule.name)
def test_gas_molecules_are_connected_and_have_the_formula_of_their_record(molecule):
    atoms = build_molecule(molecule)
    assert_no_clash(atoms)
    if molecule.smiles:
        drawn = parse_smiles(molecule.smiles)
        assert Counter(atoms.symbols) == Counter(atom.GetSymbol() for atom in drawn.GetAtoms())
    else:
        assert Counter(atoms.symbols) == {"Al": 2, "C": 6, "H": 18}
    assert len(atoms) == 1 or bond_ratios(atoms).min(axis=1).max() < 1.4, "an isolated atom"
    again = build_molecule(molecule)
    np.testing.assert_array_equal(atoms.positions, again.positions)


@pytest.mark.parametrize("smiles", ["C[Al](C", "Cx", "c1ccc", "C(C)(C)(C)(C)C"])
def test_the_error_names_a_smiles_string_that_does_not_parse(smiles):
    with pytest.raises(InputError, match="precursors/x.yaml: smiles: .* does not parse"):
        parse_smiles(smiles, "precursors/x.yaml")


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"smiles": "CC(=O"}, r"ligands/acetate\.yaml: smiles: 'CC\(=O' does not parse"),
        ({"anchor": "[C"}, r"ligands/acetate\.yaml: anchor: '\[C' is not a valid SMARTS pattern"),
        ({"anchor": "[N:1]"}, r"ligands/acetate\.yaml: anchor: '\[N:1\]' is not found in 'CC\(=O\)O'"),
        ({"anchor": "[CX3:1](=O)"}, r"acetate\.yaml: leaving_protons: 1 requested, but .* of 'CC\(=O\)O' has 0"),
    ],
)
def test_the_error_of_a_wrong_ligand_record_names_file_and_key(update, message):
    with pytest.raises(InputError, match=message):
        ligand_molecule(library.ligand("acetate").model_copy(update=update), None)


def test_reference_molecules_are_free_and_reference_surfaces_are_fixed():
    reference = read_reference()
    built = {atoms.info["name"]: atoms for atoms in build_reference(reference, None)}
    assert set(built) == set(reference.geometries)
    assert not built["H2O"].constraints and not built["H2O"].pbc.any()
    surface = built["adsorbed/CdSe_110_CdSe~none~TMA/adduct_surface"]
    assert len(surface.constraints[0].index) == len(surface) and surface.pbc[:2].all()
    assert "role" not in reference.geometries["H2O"].arrays, "the reference set itself was changed"
    emt = build_reference(reference, ["H", "C", "N", "O", "Al"])
    assert {s for atoms in emt for s in atoms.symbols} == {"H", "C", "N", "O", "Al"}
