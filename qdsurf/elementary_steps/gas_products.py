"""Gas molecules that elementary steps release: desorbed ligands, and combinations of groups whose bonds break."""

from functools import cache
from typing import NamedTuple

from ase import Atoms
from rdkit import Chem

from qdsurf.atomistic.molecules import embed, ligand_molecule, parse_smiles
from qdsurf.records.models import Ligand, Molecule, Precursor


class Piece(NamedTuple):
    """Part of a molecule with an open valence.

    Attributes
    ----------
    molecule : Chem.Mol
        The atoms of the part.
    open_atom : int
        Index of the atom with the open valence.
    """

    molecule: Chem.Mol
    open_atom: int


def desorbed_ligand(ligand: Ligand, truncate_to_carbons: int | None) -> Molecule:
    """Return the neutral molecule as which a ligand desorbs, such as acetic acid.

    Parameters
    ----------
    ligand : Ligand
        Record of the ligand.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.

    Returns
    -------
    Molecule
        Named `H-` and the name of the ligand if the ligand loses a proton on binding.
    """
    smiles = Chem.MolToSmiles(Chem.RemoveHs(ligand_molecule(ligand, truncate_to_carbons)[0]))
    name = f"H-{ligand.name}" if ligand.leaving_protons else ligand.name
    return Molecule(name=name, smiles=smiles, symmetry_number=ligand.symmetry_number, source=ligand.source)


def desorbed_salt(ligand: Ligand, cation: str, truncate_to_carbons: int | None) -> Molecule:
    """Return the ion pair as which an anionic ligand desorbs with a cation, such as caesium acetate.

    Parameters
    ----------
    ligand : Ligand
        Record of the ligand.
    cation : str
        Element of a cation of charge +1.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.

    Returns
    -------
    Molecule
        Named by cation and ligand, such as `Cs-acetate`.
    """
    smiles = _join(element(cation), ligand_anion(ligand, truncate_to_carbons))
    return Molecule(
        name=f"{cation}-{ligand.name}", smiles=smiles, symmetry_number=ligand.symmetry_number, source=ligand.source
    )


def two_groups(precursor: Precursor, metal: str | None) -> Molecule:
    """Return the molecule of two leaving groups of a precursor.

    Parameters
    ----------
    precursor : Precursor
        Record of the precursor.
    metal : str, optional
        Element to which both groups are bonded, as in CdMe2; None bonds them to each other, as in C2H6.

    Returns
    -------
    Molecule
        As from `gas_product`.
    """
    group = leaving_group(precursor)
    return gas_product(group, group) if metal is None else gas_product(element(metal), group, group)


def gas_product(centre: Piece, *others: Piece) -> Molecule:
    """Return the molecule in which pieces are bonded to a central piece.

    Parameters
    ----------
    centre : Piece
        Central piece.
    *others : Piece
        Pieces that are bonded to the open atom of the central one.

    Returns
    -------
    Molecule
        Named by its formula. The symmetry number is that of the embedded geometry, but at least the number of equal
        groups.
    """
    smiles = _join(centre, *others)
    embedded = embed(parse_smiles(smiles))
    groups = others if centre.molecule.GetNumAtoms() == 1 else (centre, *others)
    equal = len(groups) if all(group is groups[0] for group in groups) else 1
    return Molecule(
        name=embedded.get_chemical_formula(mode="metal"),
        smiles=smiles,
        symmetry_number=max(equal, _symmetry_number(embedded)),
        source="symmetry of the embedded molecule, at least that of equal groups",
    )


def element(symbol: str) -> Piece:
    """Return a piece that consists of one atom."""
    molecule = Chem.RWMol()
    return Piece(molecule, molecule.AddAtom(Chem.Atom(symbol)))


def ligand_anion(ligand: Ligand, truncate_to_carbons: int | None) -> Piece:
    """Return a ligand without the proton that it loses on binding.

    Parameters
    ----------
    ligand : Ligand
        Record of the ligand.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.

    Returns
    -------
    Piece
        The open valence is at the atom that carried the proton, or at the first anchor.
    """
    molecule, anchors, protons = ligand_molecule(ligand, truncate_to_carbons)
    editable = Chem.RWMol(molecule)
    open_atom = editable.GetAtomWithIdx(protons[0]).GetNeighbors()[0].GetIdx() if protons else anchors[0]
    editable.GetAtomWithIdx(open_atom).SetFormalCharge(0)
    if protons:
        editable.RemoveAtom(protons[0])
        # Removing an atom shifts the indices of the atoms behind it.
        if protons[0] < open_atom:
            open_atom -= 1
    return Piece(editable, open_atom)


def leaving_group(precursor: Precursor) -> Piece:
    """Return a leaving group of a precursor, such as CH3."""
    return _split(precursor)[1]


@cache
def is_freed_by_a_proton(precursor: Precursor) -> bool:
    """Return whether a leaving group and one proton are the by-product.

    This is not so if the leaving group contains another atom of the metal, as NaS of Na2S does.
    """
    return precursor.metal not in {atom.GetSymbol() for atom in leaving_group(precursor).molecule.GetAtoms()}


def precursor_gases(precursor: Precursor) -> dict[str, Molecule]:
    """Return the molecule of a precursor, and its by-product if one proton frees it.

    Returns
    -------
    dict of str to Molecule
        Molecules under the keys `precursor` and `by_product`.
    """
    gases = {"precursor": precursor.molecule}
    if is_freed_by_a_proton(precursor):
        gases["by_product"] = precursor.by_product
    return gases


def metal_fragment(precursor: Precursor) -> Piece:
    """Return a precursor without one leaving group, such as Al(CH3)2."""
    return _split(precursor)[0]


def _split(precursor: Precursor) -> tuple[Piece, Piece]:
    """Split a precursor at the first bond between the metal and a leaving group; the side of the metal comes first."""
    molecule = Chem.RWMol(Chem.MolFromSmiles(precursor.smiles))
    metal = next(atom for atom in molecule.GetAtoms() if atom.GetSymbol() == precursor.metal)
    group = next(atom for atom in metal.GetNeighbors() if atom.GetSymbol() == precursor.leaving)
    metal_index, group_index = metal.GetIdx(), group.GetIdx()
    molecule.RemoveBond(metal_index, group_index)
    members = Chem.GetMolFrags(molecule)
    parts = Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=False)

    def piece_with(atom: int) -> Piece:
        number = next(k for k, indices in enumerate(members) if atom in indices)
        return Piece(parts[number], members[number].index(atom))

    return piece_with(metal_index), piece_with(group_index)


def _join(centre: Piece, *others: Piece) -> str:
    """Return the SMILES string of pieces that are bonded to the open atom of the central one."""
    joined = Chem.RWMol(centre.molecule)
    for other in others:
        offset = joined.GetNumAtoms()
        joined.InsertMol(other.molecule)
        joined.AddBond(centre.open_atom, offset + other.open_atom, Chem.BondType.SINGLE)
    molecule = joined.GetMol()
    molecule.UpdatePropertyCache(strict=False)
    return Chem.MolToSmiles(Chem.RemoveHs(molecule))


def _symmetry_number(atoms: Atoms) -> int:
    """Return the rotational symmetry number of a molecule."""
    from pymatgen.core import Molecule as PymatgenMolecule  # slow to import, and rarely needed
    from pymatgen.symmetry.analyzer import PointGroupAnalyzer

    return PointGroupAnalyzer(PymatgenMolecule(atoms.symbols, atoms.positions)).get_rotational_symmetry_number()
