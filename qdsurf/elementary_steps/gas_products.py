"""Gas molecules that steps release: ligands, and pairs of what a bond of the surface, ligand or precursor held."""

from functools import cache
from typing import NamedTuple

from ase import Atoms
from rdkit import Chem

from qdsurf.atomistic.molecules import embed, ligand_molecule, parse_smiles
from qdsurf.records.models import Ligand, Molecule, Precursor


class Piece(NamedTuple):
    """Part of a molecule, and its atom that lacks a bond."""

    molecule: Chem.Mol
    open_atom: int


def desorbed_ligand(ligand: Ligand, truncate_to_carbons: int | None) -> Molecule:
    """The neutral molecule as which the ligand leaves for the gas, such as acetic acid."""
    smiles = Chem.MolToSmiles(Chem.RemoveHs(ligand_molecule(ligand, truncate_to_carbons)[0]))
    name = f"H-{ligand.name}" if ligand.leaving_protons else ligand.name
    return Molecule(name=name, smiles=smiles, symmetry_number=ligand.symmetry_number, source=ligand.source)


def desorbed_salt(ligand: Ligand, cation: str, truncate_to_carbons: int | None) -> Molecule:
    """The ion pair as which an anionic ligand leaves together with a cation of charge one, such as caesium acetate."""
    smiles = _join(element(cation), ligand_anion(ligand, truncate_to_carbons))
    return Molecule(
        name=f"{cation}-{ligand.name}", smiles=smiles, symmetry_number=ligand.symmetry_number, source=ligand.source
    )


def two_groups(precursor: Precursor, metal: str | None) -> Molecule:
    """Two leaving groups of a precursor on another metal, such as CdMe2, or bound to one another, such as C2H6."""
    group = leaving_group(precursor)
    return gas_product(group, group) if metal is None else gas_product(element(metal), group, group)


def gas_product(centre: Piece, *others: Piece) -> Molecule:
    """The molecule in which pieces are bound to the first one; its symmetry is that of the embedded molecule."""
    smiles = _join(centre, *others)
    made = embed(parse_smiles(smiles))
    groups = others if centre.molecule.GetNumAtoms() == 1 else (centre, *others)
    equal = len(groups) if all(group is groups[0] for group in groups) else 1
    return Molecule(
        name=made.get_chemical_formula(mode="metal"),
        smiles=smiles,
        symmetry_number=max(equal, _symmetry_number(made)),
        source="symmetry of the embedded molecule, at least that of equal groups",
    )


def element(symbol: str) -> Piece:
    """One atom."""
    molecule = Chem.RWMol()
    return Piece(molecule, molecule.AddAtom(Chem.Atom(symbol)))


def ligand_anion(ligand: Ligand, truncate_to_carbons: int | None) -> Piece:
    """A ligand without the proton that it loses on binding."""
    molecule, anchors, protons = ligand_molecule(ligand, truncate_to_carbons)
    editable = Chem.RWMol(molecule)
    open_atom = editable.GetAtomWithIdx(protons[0]).GetNeighbors()[0].GetIdx() if protons else anchors[0]
    editable.GetAtomWithIdx(open_atom).SetFormalCharge(0)
    if protons:
        editable.RemoveAtom(protons[0])
        open_atom -= protons[0] < open_atom
    return Piece(editable, open_atom)


def leaving_group(precursor: Precursor) -> Piece:
    """A leaving group of a precursor, such as CH3."""
    return _halves(precursor)[1]


@cache
def is_freed_by_a_proton(precursor: Precursor) -> bool:
    """Whether a leaving group with one proton is the by-product; the sulfur of Na2S still holds the other sodium."""
    return precursor.metal not in {atom.GetSymbol() for atom in leaving_group(precursor).molecule.GetAtoms()}


def precursor_gases(precursor: Precursor) -> dict[str, Molecule]:
    """The precursor, and its by-product where one proton frees it."""
    freed = {"by_product": precursor.by_product} if is_freed_by_a_proton(precursor) else {}
    return {"precursor": precursor.molecule} | freed


def metal_fragment(precursor: Precursor) -> Piece:
    """A precursor without one leaving group, such as Al(CH3)2."""
    return _halves(precursor)[0]


def _halves(precursor: Precursor) -> tuple[Piece, Piece]:
    """The sides of the first bond between the metal and a leaving group."""
    molecule = Chem.RWMol(Chem.MolFromSmiles(precursor.smiles))
    metal = next(atom for atom in molecule.GetAtoms() if atom.GetSymbol() == precursor.metal)
    group = next(atom for atom in metal.GetNeighbors() if atom.GetSymbol() == precursor.leaving)
    pair = metal.GetIdx(), group.GetIdx()
    molecule.RemoveBond(*pair)
    members = Chem.GetMolFrags(molecule)
    parts = Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=False)
    own = [next(k for k, atoms in enumerate(members) if atom in atoms) for atom in pair]
    return tuple(Piece(parts[k], members[k].index(atom)) for k, atom in zip(own, pair, strict=True))


def _join(centre: Piece, *others: Piece) -> str:
    """SMILES of pieces bound to the open atom of the first."""
    whole = Chem.RWMol(centre.molecule)
    for other in others:
        offset = whole.GetNumAtoms()
        whole.InsertMol(other.molecule)
        whole.AddBond(centre.open_atom, offset + other.open_atom, Chem.BondType.SINGLE)
    molecule = whole.GetMol()
    molecule.UpdatePropertyCache(strict=False)
    return Chem.MolToSmiles(Chem.RemoveHs(molecule))


def _symmetry_number(atoms: Atoms) -> int:
    """Number of rotations that leave a molecule as it is."""
    from pymatgen.core import Molecule as PymatgenMolecule  # slow to import, and hardly ever needed
    from pymatgen.symmetry.analyzer import PointGroupAnalyzer

    return PointGroupAnalyzer(PymatgenMolecule(atoms.symbols, atoms.positions)).get_rotational_symmetry_number()
