"""Bonds of molecules and steps in one language, and no atom that changes its valence."""

from collections import Counter

import pytest

from qdsurf import library
from qdsurf.config import find_facet
from qdsurf.energetics.bonds import bond_name, molecule_bonds, reaction_bonds, role_partners, split_bond, step_bonds
from qdsurf.errors import InputError
from qdsurf.records import ReferenceMolecule
from qdsurf.reference import read_reference

REFERENCE = read_reference()


@pytest.mark.parametrize(
    ("smiles", "bonds"),
    [
        ("C[Al](C)C", {"Al-C": 3, "C-H": 9}),
        ("C[Al-](C)(C)[NH3+]", {"Al-C": 3, "Al<-N": 1, "C-H": 9, "N-H": 3}),
        ("C[Al-]1(C)OC(C)=[O+]1", {"Al-C": 2, "Al-O2C": 1, "C-H": 9}),
        ("[Cd-2]12(OC=[O+]1)OC=[O+]2", {"Cd-O2C": 2, "C-H": 2}),
        ("CC(=O)O", {"O2C-H": 1, "C-H": 3}),
        ("C[Al-](C)(C)[O+]=C(C)O", {"Al-C": 3, "Al<-O2C": 1, "O2C-H": 1, "C-H": 12}),
        ("CO", {"O-H": 1, "C-H": 3}),
        ("[Cs]Br", {"Cs-Br": 1}),
        ("CN(C)[Ti](N)(N)N", {"Ti-N": 4, "C-H": 6, "N-H": 6}),
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
        first, second, dative = split_bond(bond)
        if not dative:
            ends[first] += number
            ends[second] += number
    assert not any(ends.values()), f"{reaction.name}: {ends}"


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
    if name == "protonolysis_ammonium":  # the charge of the ammonium: its nitrogen loses the bond that the anion gains
        ends["surface.anion"] += ends.pop("ligand.anchor")
    assert not any(ends.values()), ends


def partners(slab: str, ligand: str | None, precursor: str) -> dict[str, str]:
    material, facet = find_facet(slab)
    bound = library.ligand(ligand) if ligand else None
    return role_partners(library.material(material), facet, bound, library.precursor(precursor))


def test_a_transfer_of_oleate_from_lead_to_aluminium():
    roles = partners("PbS_100_PbS", "oleate", "TMA")
    assert roles["ligand.anchor"] == "O2C" and roles["surface.cation"] == "Pb"
    change = step_bonds(library.reactions()["carboxylate_transfer"], roles)
    assert change == {"Al<-O2C": -1, "Pb-O2C": -1, "Al-C": -1, "Al-O2C": 1, "Pb-C": 1}


@pytest.mark.parametrize(
    ("slab", "anion", "cation"),
    [
        ("CsPbBr3_100_CsBr", "Br", "Pb"),
        ("Ag_111_Ag", "Ag", "Ag"),
        ("Ag_111_O", "O", "Ag"),
        ("CdSe_110_CdSe", "Se", "Cd"),
    ],
)
def test_what_plays_anion_and_cation(slab, anion, cation):
    roles = partners(slab, None, "TDMAT")
    assert (roles["surface.anion"], roles["surface.cation"]) == (anion, cation)
    assert (roles["precursor.metal"], roles["precursor.leaving"]) == ("Ti", "N") and "ligand.anchor" not in roles


def test_counterions_and_amines():
    assert partners("CsPbBr3_100_CsBr", "oleate", "TMA")["surface.counterion"] == "Cs"
    assert partners("CdSe_110_CdSe", "methylamine", "TMA")["ligand.anchor"] == "N"
