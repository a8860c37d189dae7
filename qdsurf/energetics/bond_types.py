"""Which bonds a molecule has and a step changes: `Al-C` covalent, `Al<-N` dative, `Pb-O2C` to a carboxylate.

Beside them stand pairs of unlike covalent partners of one metal, `C|O`: its first exchange and its last differ; and
bonds to a crystal, `Se@CdSe_110_CdSe`, of any kind: a face errs in ways that no molecule shows.
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

CARBOXYLATE = "O2C"  # both oxygens of a carboxylate as one partner: whether one or two of them bind is not counted
_CARBOXYLATE = Chem.MolFromSmarts("[OX1,OX2,OX3;+0,+1:1]~[CX3]~[OX1,OX2,OX3;+0,+1:2]")
_BOND = re.compile(r"(\w+)(<?-)(\w+)")
# Roles that atoms of the crystal play; hydroxyl, oxygen and proton sit on it and are as in molecules.
_CRYSTAL = {
    f"surface.{ion}" for ion in ("cation", "anion", "halide", "monovalent", "vacant", "alkylated", "counterion")
}
_ROLES = re.compile(r"([a-z]+\.[a-z]+)(<?-)([a-z]+\.[a-z]+)")


def bond_name(first: str, second: str, dative: bool = False) -> str:
    """Name of a bond; the acceptor of a dative one comes first, of a covalent one the metal, hydrogen last."""
    if dative:
        return f"{first}<-{second}"
    return "-".join(sorted((first, second), key=lambda one: (one == "H", not is_metal(one), one)))


def is_metal(symbol: str) -> bool:
    """Whether the end of a bond is a metal, or a molecular cation in its place; a carboxylate is none."""
    return symbol != CARBOXYLATE and (not Element.is_valid_symbol(symbol) or Element(symbol).is_metal)


def molecule_bonds(molecule: ReferenceMolecule) -> Counter[str]:
    """Bonds of a molecule to metals and to hydrogen, and unlike pairs; other bonds change in no reaction.

    A dative bond is written in SMILES with its formal charges, as in `C[Al-](C)(C)[NH3+]`.

    Raises
    ------
    InputError : the record has neither SMILES nor bonds.
    """
    if molecule.bonds is not None:
        return Counter({bond_name(*split_bond(bond)): number for bond, number in molecule.bonds.items()})
    if molecule.smiles is None:
        raise InputError(
            f"{molecule.name}: bonds: no SMILES tells them; give the numbers of all to metals and hydrogen, such as "
            "{Al-C: 6, C-H: 18}"
        )
    graph = Chem.AddHs(Chem.MolFromSmiles(molecule.smiles))
    group = _carboxylates(graph)
    found: Counter[str] = Counter()
    around: dict[int, Counter[str]] = {}
    for bond in graph.GetBonds():
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        metals = [atom for atom in ends if is_metal(atom.GetSymbol())]
        if not metals and all(atom.GetSymbol() != "H" for atom in ends):
            continue
        if not metals:
            found[bond_name(*(_partner(atom, group) for atom in ends))] += 1
            continue
        (donor,) = (atom for atom in ends if atom.GetIdx() != metals[0].GetIdx())
        dative = metals[0].GetFormalCharge() < 0 < donor.GetFormalCharge()
        if dative and _holds_otherwise(metals[0], donor, group):
            continue  # the second oxygen of a chelate
        found[bond_name(metals[0].GetSymbol(), _partner(donor, group), dative)] += 1
        if not dative:
            around.setdefault(metals[0].GetIdx(), Counter())[_partner(donor, group)] += 1
    return sum(map(_unlike_pairs, around.values()), found)


def _unlike_pairs(partners: Mapping[str, int]) -> Counter[str]:
    """Pairs of unlike partners of one metal."""
    return Counter({f"{a}|{b}": partners[a] * partners[b] for a, b in combinations(sorted(partners), 2)})


def is_pair(name: str) -> bool:
    """Whether a name is that of two partners of a metal, not of a bond."""
    return "|" in name


def is_face(name: str) -> bool:
    """Whether a name is that of bonds to an element of a face, whatever the partner."""
    return "@" in name


def is_bond(name: str) -> bool:
    """Whether a name is that of a bond between two elements."""
    return not (is_pair(name) or is_face(name))


def _carboxylates(graph: Chem.Mol) -> dict[int, int]:
    """Number of the carboxylate to which an oxygen belongs, with or without its proton."""
    group: dict[int, int] = {}
    for number, (first, _, second) in enumerate(graph.GetSubstructMatches(_CARBOXYLATE)):
        group[first] = group[second] = number
    return group


def _partner(atom: Chem.Atom, group: Mapping[int, int]) -> str:
    return CARBOXYLATE if atom.GetIdx() in group else atom.GetSymbol()


def _holds_otherwise(metal: Chem.Atom, donor: Chem.Atom, group: Mapping[int, int]) -> bool:
    """Whether the carboxylate of a donor has its covalent bond to the same metal."""
    own = group.get(donor.GetIdx())
    others = [atom for atom in metal.GetNeighbors() if atom.GetIdx() != donor.GetIdx()]
    return own is not None and any(group.get(atom.GetIdx()) == own for atom in others)


def reaction_bonds(stoichiometry: Mapping[str, int], bonds: Mapping[str, Counter[str]]) -> Counter[str]:
    """Bonds gained (positive) and lost in a reaction between molecules; those that do not change are left out."""
    change: Counter[str] = Counter()
    for name, coefficient in stoichiometry.items():
        for bond, number in bonds[name].items():
            change[bond] += coefficient * number
    return Counter({bond: number for bond, number in change.items() if number})


class Roles(NamedTuple):
    """Who plays the roles of the templates in one system.

    Attributes
    ----------
    partners : element, or `O2C`, of every role.
    usual : what a metal is bound to where a template says nothing, and by how many covalent bonds: (role, number).
    face : name of the face, as in `CdSe_110_CdSe`.
    """

    partners: dict[str, str]
    usual: dict[str, tuple[str, int]]
    face: str


def step_bonds(reaction: Reaction, roles: Roles) -> Counter[str]:
    """Bonds, unlike pairs and bonds to the crystal gained (positive) and lost in a step of a template."""
    change: Counter[str] = Counter()
    around = {metal: {-1: Counter(), +1: Counter()} for metal in roles.usual}
    for sign, names in ((+1, reaction.gained), (-1, reaction.lost)):
        for name in names:
            first, kind, second = _ROLES.fullmatch(name).groups()
            change[bond_name(roles.partners[first], roles.partners[second], kind == "<-")] += sign
            ions = _CRYSTAL & {first, second}
            if len(ions) == 1:  # not a bond within the crystal
                change[f"{roles.partners[ions.pop()]}@{roles.face}"] += sign
            if first in around and kind == "-":
                around[first][sign][roles.partners[second]] += 1
    for metal, (role, valence) in roles.usual.items():
        kept = Counter({roles.partners[role]: max(0, valence - around[metal][-1].total())})
        for sign, own in around[metal].items():
            for pair, number in _unlike_pairs(own + kept).items():
                change[pair] += sign * number
    return Counter({bond: number for bond, number in change.items() if number})


def surface_ions(material: Material, facet: Facet) -> tuple[list[str], dict[str, float]]:
    """Elements of a facet, most anionic first, and their charges; without charges electronegativity decides."""
    there = {site.element for site in material.sites} | ({facet.adlayer.element} if facet.adlayer else set())
    charges = {one: material.formal_charges.get(one, 0) for one in there}
    if not any(charges.values()):
        charges = {one: -Element(one).X for one in there}
    return sorted(there, key=lambda one: (charges[one], one)), charges


def assign_roles(
    material: Material,
    facet: Facet,
    ligand: Ligand | None,
    precursor: Precursor,
    coreactant: Molecule | None = None,
) -> Roles:
    """Say who plays each role in one system; where ions have no charge, electronegativity decides.

    An ion is bound to its neighbours in the crystal by as many bonds as it has charges.
    """
    order, charges = surface_ions(material, facet)
    anion, cation = order[0], order[-1]
    valence = max(0, material.formal_charges.get(cation, 0))
    leaving, number = _leaving(precursor)
    hydrogens = ("surface.proton", "ligand.proton", "ligand.acid", "coreactant.proton")
    oxygens = ("surface.hydroxyl", "surface.oxygen", "coreactant.oxygen", "coreactant.far", "coreactant.rest")
    monovalent = next((one for one in order if charges[one] == 1), cation)
    partners = {
        "surface.anion": anion,
        "surface.halide": anion,
        "surface.monovalent": monovalent,
        "precursor.metal": precursor.metal,
        **dict.fromkeys(("surface.cation", "surface.vacant", "surface.alkylated"), cation),
        **dict.fromkeys(("precursor.leaving", "precursor.transferred"), leaving),
        **dict.fromkeys(hydrogens, "H"),
        **dict.fromkeys(oxygens, "O"),
    }
    usual = {
        "precursor.metal": ("precursor.leaving", number),
        "surface.cation": ("surface.anion", valence),
        "surface.vacant": ("surface.anion", valence),
        "surface.alkylated": ("precursor.transferred", valence),
    }
    if coreactant is not None:
        partners["coreactant.carbonyl"] = CARBOXYLATE
        partners["coreactant.donor"] = _donor(Chem.MolFromSmiles(coreactant.smiles))
    face = f"{material.name}_{facet.name}"
    if ligand is None:
        return Roles(partners, usual, face)
    graph = Chem.AddHs(Chem.MolFromSmiles(ligand.smiles))
    pattern = Chem.MolFromSmarts(ligand.anchor)
    mapped = [i for i, atom in enumerate(pattern.GetAtoms()) if atom.GetAtomMapNum()]
    anchor = graph.GetAtomWithIdx(graph.GetSubstructMatch(pattern)[mapped[-1]])
    group = _carboxylates(graph)
    partners |= dict.fromkeys(("ligand.anchor", "ligand.partner"), _partner(anchor, group))
    partners["ligand.tail"] = next((_partner(a, group) for a in _acidic(graph) if a.GetIdx() != anchor.GetIdx()), "O")
    counter = [element for element, charge in material.formal_charges.items() if charge == -ligand.charge]
    return Roles(partners | ({"surface.counterion": counter[0]} if counter else {}), usual, face)


def _acidic(graph: Chem.Mol) -> list[Chem.Atom]:
    """Atoms that hold an acidic hydrogen."""
    return [a for a in graph.GetAtoms() if a.GetSymbol() not in "CH" and a.GetTotalNumHs(includeNeighbors=True)]


def _donor(graph: Chem.Mol) -> str:
    """Element, or `O2C`, by which a co-reactant binds: what holds its acidic hydrogen, else what is not carbon."""
    found = [*_acidic(graph), *(atom for atom in graph.GetAtoms() if atom.GetSymbol() not in "CH")]
    return _partner(found[0], _carboxylates(graph)) if found else "C"


def _leaving(precursor: Precursor) -> tuple[str, int]:
    """Element by which the leaving groups are bound to the metal, or `O2C`, and how many groups there are."""
    graph = Chem.MolFromSmiles(precursor.smiles)
    group = _carboxylates(graph)
    bound = [
        (_partner(atom, group), group.get(atom.GetIdx(), -1 - atom.GetIdx()))
        for metal in graph.GetAtoms()
        if metal.GetSymbol() == precursor.metal
        for atom in metal.GetNeighbors()
        if atom.GetSymbol() == precursor.leaving
    ]
    return (bound[0][0], len(set(bound))) if bound else (precursor.leaving, 1)  # an ionic precursor, such as K2S


def format_counts(change: Mapping[str, int]) -> str:
    """One line for a table, such as `Al-C -1 Al-O +1`; what does not change is left out."""
    return " ".join(f"{name} {number:+d}" for name, number in sorted(change.items()) if number)


def parse_counts(text: str) -> Counter[str]:
    """Read what `format_counts` wrote."""
    words = text.split()
    return Counter({bond: int(number) for bond, number in zip(words[::2], words[1::2], strict=True)})


def split_bond(name: str) -> tuple[str, str, bool]:
    """Both ends of a bond, and whether it is dative; not of a pair."""
    first, kind, second = _BOND.fullmatch(name).groups()
    return first, second, kind == "<-"
