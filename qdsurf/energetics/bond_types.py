"""Bond types: which bonds a molecule has, and which bonds a reaction or an elementary step changes.

The error model of `qdsurf.energetics.corrections` counts three kinds of terms. Each term has a name:

* Bonds: `Al-C` is covalent, `Al<-N` dative from N to Al, `Pb-O2C` a bond to a carboxylate. Only bonds to metals and to
  hydrogen are counted, because no other bonds change.
* Pairs of unlike covalent partners of one metal: `C|O`. They account for the difference between the first and the last
  exchange of partners at a metal.
* Bonds to an element of a facet, with any partner: `Se@CdSe_110_CdSe`. They account for errors of a calculator that
  occur on a facet but not in molecules.
"""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

from pymatgen.core import Element
from rdkit import Chem

from qdsurf.errors import InputError
from qdsurf.records.models import Facet, Ligand, Material, Molecule, Precursor
from qdsurf.records.reaction_templates import Reaction
from qdsurf.records.reference_set import ReferenceMolecule

# Both oxygen atoms of a carboxylate count as one partner, so that monodentate and chelating binding are not different.
CARBOXYLATE = "O2C"
_CARBOXYLATE_PATTERN = Chem.MolFromSmarts("[OX1,OX2,OX3;+0,+1:1]~[CX3]~[OX1,OX2,OX3;+0,+1:2]")
_BOND = re.compile(r"(\w+)(<?-)(\w+)")
_BOND_OF_ROLES = re.compile(r"([a-z]+\.[a-z]+)(<?-)([a-z]+\.[a-z]+)")
# Roles of atoms that belong to the crystal. Hydroxyl, oxygen and proton are adsorbed on it, as in molecules.
_CRYSTAL_ROLES = {
    "surface.cation",
    "surface.anion",
    "surface.halide",
    "surface.monovalent",
    "surface.vacant",
    "surface.alkylated",
    "surface.counterion",
}
_HYDROGEN_ROLES = ("surface.proton", "ligand.proton", "ligand.acid", "coreactant.proton")
_OXYGEN_ROLES = ("surface.hydroxyl", "surface.oxygen", "coreactant.oxygen", "coreactant.far", "coreactant.rest")


def bond_name(first: str, second: str, dative: bool = False) -> str:
    """Return the name of a bond type.

    Parameters
    ----------
    first, second : str
        Elements, or `O2C` for a carboxylate. For a dative bond the acceptor is the first one.
    dative : bool, optional
        Whether the bond is dative.

    Returns
    -------
    str
        Name such as `Al<-N` or `Al-C`. A covalent bond is named with the metal first and hydrogen last.
    """
    if dative:
        return f"{first}<-{second}"
    return "-".join(sorted((first, second), key=lambda symbol: (symbol == "H", not is_metal(symbol), symbol)))


def is_metal(symbol: str) -> bool:
    """Whether the end of a bond is a metal or a molecular cation such as formamidinium; a carboxylate is neither."""
    return symbol != CARBOXYLATE and (not Element.is_valid_symbol(symbol) or Element(symbol).is_metal)


def is_pair(name: str) -> bool:
    """Whether a name denotes a pair of partners of one metal, such as `C|O`."""
    return "|" in name


def is_face(name: str) -> bool:
    """Whether a name denotes bonds to an element of a facet, such as `Se@CdSe_110_CdSe`."""
    return "@" in name


def is_bond(name: str) -> bool:
    """Whether a name denotes a bond between two elements, such as `Al-C`."""
    return not (is_pair(name) or is_face(name))


def split_bond(name: str) -> tuple[str, str, bool]:
    """Return the ends of a bond.

    Parameters
    ----------
    name : str
        Name of a bond, see `is_bond`.

    Returns
    -------
    first, second : str
        Elements, or `O2C`.
    dative : bool
        Whether the bond is dative.

    Raises
    ------
    ValueError
        The name does not denote a bond.
    """
    match = _BOND.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a bond; write a covalent bond as Al-C and a dative one as Al<-N")
    first, kind, second = match.groups()
    return first, second, kind == "<-"


def format_counts(change: Mapping[str, int]) -> str:
    """Write numbers of bonds or molecules into one table cell.

    Parameters
    ----------
    change : mapping
        Number by name.

    Returns
    -------
    str
        Text such as `Al-C -1 Al-O +1`, sorted by name; zeros are omitted.
    """
    return " ".join(f"{name} {number:+d}" for name, number in sorted(change.items()) if number)


def parse_counts(text: str) -> Counter[str]:
    """Read a table cell that `format_counts` has written.

    Parameters
    ----------
    text : str
        Content of the cell.

    Returns
    -------
    Counter
        Number by name.
    """
    words = text.split()
    return Counter({name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)})


def molecule_bonds(molecule: ReferenceMolecule) -> Counter[str]:
    """Count the bonds of a molecule to metals and to hydrogen, and the unlike pairs at its metals.

    Parameters
    ----------
    molecule : ReferenceMolecule
        Record with SMILES or with numbers of bonds. In SMILES the ends of a dative bond have formal charges, as in
        `C[Al-](C)(C)[NH3+]`.

    Returns
    -------
    Counter
        Number of each bond type and of each pair.

    Raises
    ------
    InputError
        The record has neither SMILES nor bonds.
    """
    if molecule.bonds is not None:
        return Counter({bond_name(*split_bond(bond)): number for bond, number in molecule.bonds.items()})
    if molecule.smiles is None:
        raise InputError(
            f"{molecule.name}: bonds: absent, and there is no SMILES from which to count them; give the numbers of all "
            "bonds to metals and hydrogen, such as {Al-C: 6, C-H: 18}"
        )
    graph = Chem.AddHs(Chem.MolFromSmiles(molecule.smiles))
    carboxylates = _carboxylates(graph)
    counts: Counter[str] = Counter()
    covalent_partners: dict[int, Counter[str]] = {}  # of each metal atom
    for bond in graph.GetBonds():
        first, second = bond.GetBeginAtom(), bond.GetEndAtom()
        if is_metal(first.GetSymbol()):
            metal, donor = first, second
        elif is_metal(second.GetSymbol()):
            metal, donor = second, first
        else:
            if "H" in (first.GetSymbol(), second.GetSymbol()):
                counts[bond_name(_partner(first, carboxylates), _partner(second, carboxylates))] += 1
            continue
        partner = _partner(donor, carboxylates)
        dative = metal.GetFormalCharge() < 0 < donor.GetFormalCharge()
        if dative and _is_chelated(metal, donor, carboxylates):
            continue
        counts[bond_name(metal.GetSymbol(), partner, dative)] += 1
        if not dative:
            covalent_partners.setdefault(metal.GetIdx(), Counter())[partner] += 1
    for partners in covalent_partners.values():
        counts += _unlike_pairs(partners)
    return counts


def _unlike_pairs(partners: Mapping[str, int]) -> Counter[str]:
    """Count the pairs of unlike partners of one metal."""
    return Counter({f"{a}|{b}": partners[a] * partners[b] for a, b in combinations(sorted(partners), 2)})


def _carboxylates(graph: Chem.Mol) -> dict[int, int]:
    """Number of the carboxylate or carboxylic acid to which an oxygen atom belongs, by the index of the atom."""
    group: dict[int, int] = {}
    for number, (first, _, second) in enumerate(graph.GetSubstructMatches(_CARBOXYLATE_PATTERN)):
        group[first] = group[second] = number
    return group


def _partner(atom: Chem.Atom, carboxylates: Mapping[int, int]) -> str:
    """Element of an atom, or `O2C` for an oxygen atom of a carboxylate."""
    return CARBOXYLATE if atom.GetIdx() in carboxylates else atom.GetSymbol()


def _is_chelated(metal: Chem.Atom, donor: Chem.Atom, carboxylates: Mapping[int, int]) -> bool:
    """Whether a donor is the second oxygen atom of a chelating carboxylate, whose first one is bound covalently."""
    carboxylate = carboxylates.get(donor.GetIdx())
    if carboxylate is None:
        return False
    others = [atom for atom in metal.GetNeighbors() if atom.GetIdx() != donor.GetIdx()]
    return any(carboxylates.get(atom.GetIdx()) == carboxylate for atom in others)


def reaction_bonds(stoichiometry: Mapping[str, int], bonds: Mapping[str, Counter[str]]) -> Counter[str]:
    """Count the bonds that a reaction between molecules forms and breaks.

    Parameters
    ----------
    stoichiometry : mapping
        Coefficient of each molecule, negative for reactants.
    bonds : mapping
        Result of `molecule_bonds` for each molecule.

    Returns
    -------
    Counter
        Number of bonds and pairs of each type, positive if they are formed; unchanged ones are omitted.
    """
    change: Counter[str] = Counter()
    for name, coefficient in stoichiometry.items():
        for bond, number in bonds[name].items():
            change[bond] += coefficient * number
    return _without_zeros(change)


def _without_zeros(change: Mapping[str, int]) -> Counter[str]:
    """Omit unchanged bonds."""
    return Counter({bond: number for bond, number in change.items() if number})


class DefaultPartners(NamedTuple):
    """Covalent partners of a metal that a template does not mention.

    Attributes
    ----------
    role : str
        Role of these partners.
    number : int
        Number of covalent bonds of the metal before the step.
    """

    role: str
    number: int


class Roles(NamedTuple):
    """Elements of the template roles in one system.

    Attributes
    ----------
    partners : dict
        Element, or `O2C`, of every role.
    default_partners : dict
        Covalent partners that the metals have where a template does not mention them, by the role of the metal.
    face : str
        Name of the facet, such as `CdSe_110_CdSe`.
    """

    partners: dict[str, str]
    default_partners: dict[str, DefaultPartners]
    face: str


def step_bonds(reaction: Reaction, roles: Roles) -> Counter[str]:
    """Count the bonds that a step forms and breaks.

    Parameters
    ----------
    reaction : Reaction
        Template of the step.
    roles : Roles
        Elements of the roles; see `assign_roles`.

    Returns
    -------
    Counter
        Number of bonds, unlike pairs and bonds to the facet of each type, positive if they are formed; unchanged ones
        are omitted.
    """
    change: Counter[str] = Counter()
    lost_partners: dict[str, Counter[str]] = {metal: Counter() for metal in roles.default_partners}
    gained_partners: dict[str, Counter[str]] = {metal: Counter() for metal in roles.default_partners}
    for sign, names, partners in ((+1, reaction.gained, gained_partners), (-1, reaction.lost, lost_partners)):
        for name in names:
            first, kind, second = _split_bond_of_roles(name)
            change[bond_name(roles.partners[first], roles.partners[second], kind == "<-")] += sign
            ions = _CRYSTAL_ROLES & {first, second}
            if len(ions) == 1:  # otherwise the bond is within the crystal or does not involve it
                change[f"{roles.partners[ions.pop()]}@{roles.face}"] += sign
            if first in partners and kind == "-":
                partners[first][roles.partners[second]] += 1
    for metal, (role, valence) in roles.default_partners.items():
        unchanged = Counter({roles.partners[role]: max(0, valence - lost_partners[metal].total())})
        for sign, partners in ((-1, lost_partners), (+1, gained_partners)):
            for pair, number in _unlike_pairs(partners[metal] + unchanged).items():
                change[pair] += sign * number
    return _without_zeros(change)


def _split_bond_of_roles(name: str) -> tuple[str, str, str]:
    """Split `a-b` or `a<-b` into role, kind of bond and role."""
    match = _BOND_OF_ROLES.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a bond between two roles")
    first, kind, second = match.groups()
    return first, kind, second


def surface_ions(material: Material, facet: Facet) -> tuple[list[str], dict[str, float]]:
    """Sort the elements of a facet by their charges.

    Parameters
    ----------
    material : Material
        The crystal.
    facet : Facet
        The facet; its adlayer is included.

    Returns
    -------
    elements : list of str
        Elements, the most anionic one first.
    charges : dict
        Formal charges in e. If all are zero, negative electronegativities.
    """
    elements = {site.element for site in material.sites}
    if facet.adlayer:
        elements.add(facet.adlayer.element)
    charges: dict[str, float] = {element: material.formal_charges.get(element, 0) for element in elements}
    if not any(charges.values()):
        charges = {element: -Element(element).X for element in elements}
    return sorted(elements, key=lambda element: (charges[element], element)), charges


def assign_roles(
    material: Material,
    facet: Facet,
    ligand: Ligand | None,
    precursor: Precursor,
    coreactant: Molecule | None = None,
) -> Roles:
    """Assign elements to the template roles in one system.

    Anions and cations follow from the formal charges, or from electronegativities if no ion has a charge. An ion has as
    many bonds to its neighbours in the crystal as its charge in e.

    Parameters
    ----------
    material : Material
        The crystal.
    facet : Facet
        Facet of the slab.
    ligand : Ligand or None
        Ligand on the slab; None for a bare slab.
    precursor : Precursor
        The precursor.
    coreactant : Molecule, optional
        The co-reactant.

    Returns
    -------
    Roles
        Elements and default partners of the roles. Roles of absent molecules have no element.
    """
    ions, charges = surface_ions(material, facet)
    anion, cation = ions[0], ions[-1]
    valence = max(0, material.formal_charges.get(cation, 0))
    monovalent = next((element for element in ions if charges[element] == 1), cation)
    leaving, leaving_number = _leaving_groups(precursor)
    partners = {
        "surface.anion": anion,
        "surface.halide": anion,
        "surface.monovalent": monovalent,
        "precursor.metal": precursor.metal,
        "surface.cation": cation,
        "surface.vacant": cation,
        "surface.alkylated": cation,
        "precursor.leaving": leaving,
        "precursor.transferred": leaving,
        **dict.fromkeys(_HYDROGEN_ROLES, "H"),
        **dict.fromkeys(_OXYGEN_ROLES, "O"),
    }
    if coreactant is not None:
        partners["coreactant.carbonyl"] = CARBOXYLATE
        partners["coreactant.donor"] = _donor(Chem.MolFromSmiles(coreactant.smiles))
    if ligand is not None:
        partners |= _ligand_partners(ligand, material)
    default_partners = {
        "precursor.metal": DefaultPartners("precursor.leaving", leaving_number),
        "surface.cation": DefaultPartners("surface.anion", valence),
        "surface.vacant": DefaultPartners("surface.anion", valence),
        "surface.alkylated": DefaultPartners("precursor.transferred", valence),
    }
    return Roles(partners, default_partners, f"{material.name}_{facet.name}")


def _ligand_partners(ligand: Ligand, material: Material) -> dict[str, str]:
    """Elements of the roles of a ligand, and of the counterion that leaves the crystal with it."""
    graph = Chem.AddHs(Chem.MolFromSmiles(ligand.smiles))
    pattern = Chem.MolFromSmarts(ligand.anchor)
    mapped = [i for i, atom in enumerate(pattern.GetAtoms()) if atom.GetAtomMapNum()]
    anchor = graph.GetAtomWithIdx(graph.GetSubstructMatch(pattern)[mapped[-1]])
    carboxylates = _carboxylates(graph)
    tails = [atom for atom in _acidic_atoms(graph) if atom.GetIdx() != anchor.GetIdx()]
    partners = dict.fromkeys(("ligand.anchor", "ligand.partner"), _partner(anchor, carboxylates))
    partners["ligand.tail"] = _partner(tails[0], carboxylates) if tails else "O"
    counterions = [element for element, charge in material.formal_charges.items() if charge == -ligand.charge]
    if counterions:
        partners["surface.counterion"] = counterions[0]
    return partners


def _acidic_atoms(graph: Chem.Mol) -> list[Chem.Atom]:
    """Atoms that are bound to an acidic hydrogen."""
    return [a for a in graph.GetAtoms() if a.GetSymbol() not in "CH" and a.GetTotalNumHs(includeNeighbors=True)]


def _donor(graph: Chem.Mol) -> str:
    """Element, or `O2C`, with which a co-reactant binds: an atom with an acidic hydrogen, or else any heteroatom."""
    heteroatoms = [atom for atom in graph.GetAtoms() if atom.GetSymbol() not in "CH"]
    donors = [*_acidic_atoms(graph), *heteroatoms]
    carboxylates = _carboxylates(graph)
    return next((_partner(atom, carboxylates) for atom in donors), "C")


def _leaving_groups(precursor: Precursor) -> tuple[str, int]:
    """Element, or `O2C`, with which the leaving groups are bound to the metal, and the number of groups."""
    graph = Chem.MolFromSmiles(precursor.smiles)
    carboxylates = _carboxylates(graph)
    bound_atoms = [
        atom
        for metal in graph.GetAtoms()
        if metal.GetSymbol() == precursor.metal
        for atom in metal.GetNeighbors()
        if atom.GetSymbol() == precursor.leaving
    ]
    if not bound_atoms:
        return precursor.leaving, 1  # an ionic precursor such as K2S
    # Both oxygen atoms of a carboxylate belong to one group; every other atom is a group, with a negative number.
    groups = {carboxylates.get(atom.GetIdx(), -1 - atom.GetIdx()) for atom in bound_atoms}
    return _partner(bound_atoms[0], carboxylates), len(groups)
