"""Bonds of molecules and steps in one language, and no atom that changes its valence."""

from collections import Counter

import pytest

from qdsurf.energetics.bond_types import (
    Roles,
    assign_roles,
    bond_name,
    is_bond,
    is_face,
    molecule_bonds,
    reaction_bonds,
    split_bond,
    step_bonds,
)
from qdsurf.errors import InputError
from qdsurf.records import library
from qdsurf.records.reference_set import ReferenceMolecule, read_reference
from qdsurf.records.systems import find_facet

REFERENCE = read_reference()


@pytest.mark.parametrize(
    ("smiles", "bonds"),
    [
        ("C[Al](C)C", {"Al-C": 3, "C-H": 9}),
        ("C[Al-](C)(C)[NH3+]", {"Al-C": 3, "Al<-N": 1, "C-H": 9, "N-H": 3}),
        ("C[Al-]1(C)OC(C)=[O+]1", {"Al-C": 2, "Al-O2C": 1, "C-H": 9, "C|O2C": 2}),
        ("[Cd-2]12(OC=[O+]1)OC=[O+]2", {"Cd-O2C": 2, "C-H": 2}),
        ("CC(=O)O", {"O2C-H": 1, "C-H": 3}),
        ("C[Al-](C)(C)[O+]=C(C)O", {"Al-C": 3, "Al<-O2C": 1, "O2C-H": 1, "C-H": 12}),
        ("CO", {"O-H": 1, "C-H": 3}),
        ("[Cs]Br", {"Cs-Br": 1}),
        ("CN(C)[Ti](N)(N)N", {"Ti-N": 4, "C-H": 6, "N-H": 6}),
        ("C[Al](O)Br", {"Al-C": 1, "Al-O": 1, "Al-Br": 1, "C|O": 1, "Br|O": 1, "Br|C": 1, "C-H": 3, "O-H": 1}),
    ],
)
def test_bonds_are_counted_by_what_they_join(smiles, bonds):
    assert molecule_bonds(ReferenceMolecule(name="x", smiles=smiles)) == Counter(bonds)


def test_a_molecule_without_smiles_says_its_bonds_or_is_refused():
    given = ReferenceMolecule(name="dimer", geometry="x.xyz", bonds={"Al-C": 6, "Al<-C": 2})
    assert molecule_bonds(given) == {"Al-C": 6, "Al<-C": 2}
    with pytest.raises(InputError, match="dimer: bonds: no SMILES tells them"):
        molecule_bonds(ReferenceMolecule(name="dimer", geometry="x.xyz"))


def test_names_do_not_depend_on_the_order():
    assert bond_name("O", "Al") == bond_name("Al", "O") == "Al-O"
    assert bond_name("H", "C") == "C-H" and bond_name("H", "Pb") == "Pb-H" and bond_name("O2C", "H") == "O2C-H"
    assert split_bond(bond_name("Al", "S", dative=True)) == ("Al", "S", True)


@pytest.mark.parametrize("reaction", REFERENCE.reactions, ids=lambda r: r.name)
def test_no_atom_changes_its_valence_in_a_reference_reaction(reaction):
    bonds = {name: molecule_bonds(REFERENCE.molecules[name]) for name in reaction.stoichiometry}
    ends: Counter[str] = Counter()
    for bond, number in reaction_bonds(reaction.stoichiometry, bonds).items():
        if not is_bond(bond):
            continue
        first, second, dative = split_bond(bond)
        if not dative:
            ends[first] += number
            ends[second] += number
    assert not any(ends.values()), f"{reaction.name}: {ends}"


CHARGED = {
    "protonolysis_ammonium": [("surface.anion", "ligand.anchor")],
    "ozone_transfer": [("coreactant.oxygen", "coreactant.far")],
}


@pytest.mark.parametrize("slab", ["CsPbBr3_100_CsBr", "FAPbBr3_100_FABr"])
@pytest.mark.parametrize("name", sorted(library.reactions()))
def test_every_role_of_a_step_is_known_in_a_system_that_has_it(name, slab):
    """The partners of every bond that a template names, in a perovskite with an acid group at the end of its ligand."""
    material, facet = find_facet(slab)
    bound, water = library.ligand("mercaptopropionate"), library.get("coreactants", "H2O").molecule
    own = assign_roles(library.material(material), facet, bound, library.precursor("TMA"), water)
    change = step_bonds(library.reactions()[name], own)
    assert change and all(number for number in change.values())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("protonolysis_hydroxyl", {"Al<-O": -1, "Al-C": -1, "O-H": -1, "C-H": 1, "Al-O": 1, "C|O": 2}),
        ("cation_exchange", {"Al-C": -1, "Zn-O": -1, "Al-O": 1, "Zn-C": 1}),
        ("hydrolysis_film", {"Al<-O": -1, "Al-C": -1, "O-H": -1, "C-H": 1, "Al-O": 1, "C|O": 2}),
    ],
)
def test_rarer_steps_on_an_oxide_in_bonds(name, change):
    material, facet = find_facet("ZnO_10-10_OH")
    water = library.get("coreactants", "H2O").molecule
    own = assign_roles(library.material(material), facet, None, library.precursor("TMA"), water)
    found = step_bonds(library.reactions()[name], own)
    assert {bond: found[bond] for bond in change} == change
    assert not any(is_bond(bond) for bond in set(found) - set(change))


@pytest.mark.parametrize("name", sorted(library.reactions()))
def test_no_role_changes_its_valence_in_a_template(name):
    template = library.reactions()[name]
    assert template.lost or template.gained
    ends: Counter[str] = Counter()
    for sign, bonds in ((1, template.gained), (-1, template.lost)):
        for bond in bonds:
            if "<-" not in bond:
                for role in bond.split("-"):
                    ends[role] += sign
    # Formal charges: the nitrogen of an ammonium loses the bond that the anion gains; the outer O of ozone, O-, gains
    # the one that the middle O, O+, loses.
    for gains, loses in CHARGED.get(name, []):
        ends[gains] += ends.pop(loses)
    if template.reduces:  # two electrons for two bonds
        assert ends.pop(template.reduces) == -2
    assert not any(ends.values()), ends


def roles(slab: str, ligand: str | None, precursor: str) -> Roles:
    material, facet = find_facet(slab)
    bound = library.ligand(ligand) if ligand else None
    return assign_roles(library.material(material), facet, bound, library.precursor(precursor))


def test_a_transfer_of_oleate_from_lead_to_aluminium():
    own = roles("PbS_100_PbS", "oleate", "TMA")
    assert own.partners["ligand.anchor"] == "O2C" and own.partners["surface.cation"] == "Pb"
    change = step_bonds(library.reactions()["carboxylate_transfer"], own)
    # Al keeps two methyls beside the carboxylate; Pb one bond to S, first beside the carboxylate, then the methyl
    pairs = {"C|O2C": 2, "O2C|S": -1, "C|S": 1}
    assert change == {"Al<-O2C": -1, "Pb-O2C": -1, "Al-C": -1, "Al-O2C": 1, "Pb-C": 1} | pairs
    assert not any(is_face(name) for name in change), "lead exchanges one bond for another"


def test_unlike_pairs_of_a_step_are_those_of_the_molecules_that_stand_for_it():
    """AlMe3 on a lead sulphide: the surface ends as Pb(SX)Me, the precursor as AlMe2(SX)."""
    own = roles("PbS_100_PbS", None, "TMA")
    assert own.usual["precursor.metal"] == ("precursor.leaving", 3)
    assert own.usual["surface.cation"] == own.usual["surface.vacant"] == ("surface.anion", 2)
    assert own.usual["surface.alkylated"] == ("precursor.transferred", 2)
    change = step_bonds(library.reactions()["dissociation_surface"], own)
    assert change == {"Al<-S": -1, "Al-C": -1, "Pb-S": -1, "Al-S": 1, "Pb-C": 1, "C|S": 3} | {"Pb@PbS_100_PbS": 1}


@pytest.mark.parametrize(
    ("slab", "anion", "cation", "valence"),
    [
        ("CsPbBr3_100_CsBr", "Br", "Pb", 2),
        ("Ag_111_Ag", "Ag", "Ag", 0),
        ("Ag_111_O", "O", "Ag", 0),
        ("CdSe_110_CdSe", "Se", "Cd", 2),
    ],
)
def test_what_plays_anion_and_cation(slab, anion, cation, valence):
    own = roles(slab, None, "TDMAT")
    assert (own.partners["surface.anion"], own.partners["surface.cation"]) == (anion, cation)
    assert own.usual["surface.cation"] == ("surface.anion", valence)
    assert (own.partners["precursor.metal"], own.partners["precursor.leaving"]) == ("Ti", "N")
    assert "ligand.anchor" not in own.partners and own.usual["precursor.metal"] == ("precursor.leaving", 4)


def test_counterions_and_amines():
    assert roles("CsPbBr3_100_CsBr", "oleate", "TMA").partners["surface.counterion"] == "Cs"
    assert roles("CdSe_110_CdSe", "methylamine", "TMA").partners["ligand.anchor"] == "N"


@pytest.mark.parametrize(
    ("precursor", "leaving", "number"),
    [("DEZ", "C", 2), ("TTIP", "O", 4), ("ZnOAc2", "O2C", 2), ("K2S", "S", 1)],
)
def test_how_many_groups_leave(precursor, leaving, number):
    own = roles("PbS_100_PbS", None, precursor)
    assert own.partners["precursor.leaving"] == leaving
    assert own.usual["precursor.metal"] == ("precursor.leaving", number)
