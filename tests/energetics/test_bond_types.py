"""Bonds of molecules and of steps have the same names, and no atom changes its valence."""

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
def test_bonds_are_counted_by_type(smiles, bonds):
    assert molecule_bonds(ReferenceMolecule(name="x", smiles=smiles)) == Counter(bonds)


def test_a_molecule_without_smiles_needs_numbers_of_bonds():
    given = ReferenceMolecule(name="dimer", geometry="x.xyz", bonds={"Al-C": 6, "Al<-C": 2})
    assert molecule_bonds(given) == {"Al-C": 6, "Al<-C": 2}
    with pytest.raises(InputError, match="dimer: bonds: absent, and there is no SMILES"):
        molecule_bonds(ReferenceMolecule(name="dimer", geometry="x.xyz"))


def test_names_of_covalent_bonds_do_not_depend_on_the_order():
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


# Bonds by which one atom gains the valence that a charged neighbour loses.
CHARGED = {
    "protonolysis_ammonium": [("surface.anion", "ligand.anchor")],
    "ozone_transfer": [("coreactant.oxygen", "coreactant.far")],
}


@pytest.mark.parametrize("slab", ["CsPbBr3_100_CsBr", "FAPbBr3_100_FABr"])
@pytest.mark.parametrize("name", sorted(library.reactions()))
def test_every_role_of_a_step_has_an_element_in_a_system_with_all_molecules(name, slab):
    """A perovskite, a ligand with an acid group at its end, and water as the co-reactant."""
    material, facet = find_facet(slab)
    bound, water = library.ligand("mercaptopropionate"), library.get("coreactants", "H2O").molecule
    assigned = assign_roles(library.material(material), facet, bound, library.precursor("TMA"), water)
    change = step_bonds(library.reactions()[name], assigned)
    assert change and all(number for number in change.values())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("protonolysis_hydroxyl", {"Al<-O": -1, "Al-C": -1, "O-H": -1, "C-H": 1, "Al-O": 1, "C|O": 2}),
        ("cation_exchange", {"Al-C": -1, "Zn-O": -1, "Al-O": 1, "Zn-C": 1}),
        ("hydrolysis_film", {"Al<-O": -1, "Al-C": -1, "O-H": -1, "C-H": 1, "Al-O": 1, "C|O": 2}),
    ],
)
def test_bonds_of_rare_steps_on_an_oxide(name, change):
    material, facet = find_facet("ZnO_10-10_OH")
    water = library.get("coreactants", "H2O").molecule
    assigned = assign_roles(library.material(material), facet, None, library.precursor("TMA"), water)
    found = step_bonds(library.reactions()[name], assigned)
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
    # Formal charges: the nitrogen of an ammonium loses the bond that the anion gains. The outer O of ozone, O-, gains
    # the bond that the middle O, O+, loses.
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
    assigned = roles("PbS_100_PbS", "oleate", "TMA")
    assert assigned.partners["ligand.anchor"] == "O2C" and assigned.partners["surface.cation"] == "Pb"
    change = step_bonds(library.reactions()["carboxylate_transfer"], assigned)
    # Al has two methyl groups in addition to the carboxylate. Pb has one bond to S, in addition to the carboxylate and
    # then to the methyl group.
    pairs = {"C|O2C": 2, "O2C|S": -1, "C|S": 1}
    assert change == {"Al<-O2C": -1, "Pb-O2C": -1, "Al-C": -1, "Al-O2C": 1, "Pb-C": 1} | pairs
    assert not any(is_face(name) for name in change), "the number of bonds of lead does not change"


def test_unlike_pairs_of_a_step_follow_from_the_default_partners():
    """AlMe3 on a lead sulphide: the surface ends as Pb(SX)Me, the precursor as AlMe2(SX)."""
    assigned = roles("PbS_100_PbS", None, "TMA")
    assert assigned.default_partners["precursor.metal"] == ("precursor.leaving", 3)
    assert (
        assigned.default_partners["surface.cation"]
        == assigned.default_partners["surface.vacant"]
        == ("surface.anion", 2)
    )
    assert assigned.default_partners["surface.alkylated"] == ("precursor.transferred", 2)
    change = step_bonds(library.reactions()["dissociation_surface"], assigned)
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
def test_elements_of_anion_and_cation(slab, anion, cation, valence):
    assigned = roles(slab, None, "TDMAT")
    assert (assigned.partners["surface.anion"], assigned.partners["surface.cation"]) == (anion, cation)
    assert assigned.default_partners["surface.cation"] == ("surface.anion", valence)
    assert (assigned.partners["precursor.metal"], assigned.partners["precursor.leaving"]) == ("Ti", "N")
    assert "ligand.anchor" not in assigned.partners and assigned.default_partners["precursor.metal"] == (
        "precursor.leaving",
        4,
    )


def test_elements_of_counterion_and_amine():
    assert roles("CsPbBr3_100_CsBr", "oleate", "TMA").partners["surface.counterion"] == "Cs"
    assert roles("CdSe_110_CdSe", "methylamine", "TMA").partners["ligand.anchor"] == "N"


@pytest.mark.parametrize(
    ("precursor", "leaving", "number"),
    [("DEZ", "C", 2), ("TTIP", "O", 4), ("ZnOAc2", "O2C", 2), ("K2S", "S", 1)],
)
def test_number_of_leaving_groups(precursor, leaving, number):
    assigned = roles("PbS_100_PbS", None, precursor)
    assert assigned.partners["precursor.leaving"] == leaving
    assert assigned.default_partners["precursor.metal"] == ("precursor.leaving", number)
