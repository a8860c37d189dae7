"""Three-dimensional structures of molecules and ligands from SMILES strings or structure files."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, SUBSTRATE, annotate
from qdsurf.errors import BuildError, InputError
from qdsurf.records.library import STRUCTURES
from qdsurf.records.models import Ligand, Molecule
from qdsurf.records.reference_set import Reference
from qdsurf.storage.structures import read_structure

RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]  # missing in the type stubs of RDKit
# The embedding of RDKit is stochastic; a fixed seed makes it reproducible.
EMBEDDING_SEED = 7


def parse_smiles(smiles: str, where: str = "") -> Chem.Mol:
    """Parse a SMILES string and add hydrogen atoms.

    Parameters
    ----------
    smiles : str
        SMILES string.
    where : str
        Origin of the string, for the error message.

    Returns
    -------
    Chem.Mol
        Molecule with explicit hydrogen atoms.

    Raises
    ------
    InputError
        RDKit cannot parse the string.
    """
    parsed = Chem.MolFromSmiles(smiles)
    if parsed is None:
        prefix = f"{where}: " if where else ""
        raise InputError(f"{prefix}smiles: {smiles!r} does not parse; give a valid SMILES string, such as CC(=O)O")
    return Chem.AddHs(parsed)


def embed(molecule: Chem.Mol) -> Atoms:
    """Generate a three-dimensional conformer, optimised with UFF if it has parameters for all atoms.

    Parameters
    ----------
    molecule : Chem.Mol
        Molecule with explicit hydrogen atoms.

    Returns
    -------
    Atoms
        Structure without cell; positions in A.

    Raises
    ------
    BuildError
        RDKit finds no conformer.
    """
    molecule = Chem.Mol(molecule)
    for random_start in (False, True):
        status = AllChem.EmbedMolecule(  # type: ignore[attr-defined]  # missing in the type stubs of RDKit
            molecule, randomSeed=EMBEDDING_SEED, useRandomCoords=random_start
        )
        if status == 0:
            break
    else:
        raise BuildError(
            f"RDKit finds no three-dimensional structure of {Chem.MolToSmiles(molecule)}; give a structure file with "
            "the key `geometry` of the record instead"
        )
    if AllChem.UFFHasAllMoleculeParams(molecule):  # type: ignore[attr-defined]  # missing in the type stubs of RDKit
        AllChem.UFFOptimizeMolecule(molecule, maxIters=2000)  # type: ignore[attr-defined]  # as above
    positions = molecule.GetConformer().GetPositions()
    return Atoms([atom.GetSymbol() for atom in molecule.GetAtoms()], positions)


def build_molecule(molecule: Molecule) -> Atoms:
    """Build the starting geometry of a gas molecule from its record.

    Parameters
    ----------
    molecule : Molecule
        Record with a SMILES string or a structure file.

    Returns
    -------
    Atoms
        Structure without cell, annotated as an adsorbate; `info["name"]` is the name of the record.

    Raises
    ------
    InputError
        The SMILES string does not parse, or the file is not readable.
    BuildError
        RDKit finds no conformer.
    """
    if molecule.geometry:
        stored = read_structure(_geometry_path(molecule.geometry))
        atoms = Atoms(stored.symbols, stored.positions)
    else:
        atoms = embed(parse_smiles(molecule.smiles or "", molecule.name))
    annotation.drop_notes(atoms)
    annotation.note(atoms, name=molecule.name)
    return annotate(atoms, ADSORBATE)


def build_reference(reference: Reference, supported: Iterable[str] | None) -> list[Atoms]:
    """Collect the structures of the reference set at their reference geometries.

    Molecules can relax. All atoms of surface models are fixed, so that their relaxation is a single-point calculation.

    Parameters
    ----------
    reference : Reference
        Reference set.
    supported : iterable of str, optional
        Elements that the calculator supports; structures with other elements are omitted. None accepts all elements.

    Returns
    -------
    list of Atoms
        Annotated structures; `info["name"]` is the name in the reference set.
    """
    built = []
    for name, stored in reference.geometries.items():
        is_molecule = name in reference.molecules
        atoms = annotate(stored.copy(), ADSORBATE if is_molecule else SUBSTRATE)
        annotation.drop_notes(atoms)
        annotation.note(atoms, name=name)
        atoms.set_constraint(None if is_molecule else FixAtoms(range(len(atoms))))
        built.append(atoms)
    return [atoms for atoms in built if supported is None or set(atoms.symbols) <= set(supported)]


def _geometry_path(name: str) -> Path:
    """Return the path of a geometry file named in a record; all of these files are in `structures/reference`."""
    return STRUCTURES / "reference" / Path(name).name


def chain_length(ligand: Ligand) -> int:
    """Return the number of carbon atoms of the full ligand."""
    return sum(atom.GetSymbol() == "C" for atom in Chem.MolFromSmiles(ligand.smiles).GetAtoms())


@cache
def ligand_molecule(
    ligand: Ligand, truncate_to_carbons: int | None
) -> tuple[Chem.Mol, tuple[int, ...], tuple[int, ...]]:
    """Build the molecule of a ligand, optionally with truncated chains, and identify its anchor atoms and acid protons.

    Truncation keeps the first carbon atoms of every chain, counted from the anchor, and saturates the cut bond with
    hydrogen.

    Parameters
    ----------
    ligand : Ligand
        Record of the ligand.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.

    Returns
    -------
    molecule : Chem.Mol
        Molecule before binding, with explicit hydrogen atoms.
    anchors : tuple of int
        Indices of the atoms that bind to the surface.
    protons : tuple of int
        Indices of the hydrogen atoms that the ligand loses on binding; empty if it binds without losing a proton.

    Raises
    ------
    InputError
        The SMILES string or the SMARTS pattern of the anchor does not parse, or the anchor is not found.
    """
    where = f"ligands/{ligand.name}.yaml"
    molecule = Chem.RemoveHs(parse_smiles(ligand.smiles, where))
    pattern = Chem.MolFromSmarts(ligand.anchor)
    if pattern is None:
        raise InputError(
            f"{where}: anchor: {ligand.anchor!r} is not a valid SMARTS pattern; give one with numbered binding atoms, "
            "such as [CX3](=[O:1])[OX2H1:2]"
        )
    if truncate_to_carbons is not None:
        molecule = _truncate(molecule, pattern, truncate_to_carbons, where)
    match = molecule.GetSubstructMatch(pattern)
    if not match:
        raise InputError(
            f"{where}: anchor: {ligand.anchor!r} is not found in {ligand.smiles!r}; give a pattern of atoms that occur "
            "in the molecule"
        )
    anchors = tuple(i for i, atom in zip(match, pattern.GetAtoms(), strict=True) if atom.GetAtomMapNum())
    molecule = Chem.AddHs(molecule)
    hydrogens = [
        neighbour.GetIdx()
        for anchor in anchors
        for neighbour in molecule.GetAtomWithIdx(anchor).GetNeighbors()
        if neighbour.GetAtomicNum() == 1
    ]
    if len(hydrogens) < ligand.leaving_protons:
        raise InputError(
            f"{where}: leaving_protons: {ligand.leaving_protons} requested, but the anchor of {ligand.smiles!r} has "
            f"{len(hydrogens)} hydrogen atoms; give at most this number"
        )
    return molecule, anchors, tuple(hydrogens[: ligand.leaving_protons])


def _truncate(molecule: Chem.Mol, pattern: Chem.Mol, carbons: int, where: str) -> Chem.Mol:
    """Keep the anchor and the first `carbons` carbon atoms of every chain attached to it."""
    match = molecule.GetSubstructMatch(pattern)
    if not match or carbons < 1:
        return molecule
    is_carbon = np.array([atom.GetSymbol() == "C" for atom in molecule.GetAtoms()])
    anchor = next(i for i, atom in zip(match, pattern.GetAtoms(), strict=True) if atom.GetAtomMapNum())
    carbons_from_anchor = [
        is_carbon[list(Chem.GetShortestPath(molecule, anchor, i))].sum() if i != anchor else 0
        for i in range(molecule.GetNumAtoms())
    ]
    dropped = [i for i in np.flatnonzero(is_carbon).tolist() if carbons_from_anchor[i] > carbons]
    editable = Chem.RWMol(molecule)
    Chem.Kekulize(editable, clearAromaticFlags=True)
    # Removing the last atom first keeps the indices of the others valid.
    for i in sorted(dropped, reverse=True):
        editable.RemoveAtom(i)
    shortened = editable.GetMol()
    Chem.SanitizeMol(shortened)
    fragments = Chem.GetMolFrags(shortened, asMols=True)
    with_anchor = [fragment for fragment in fragments if fragment.HasSubstructMatch(pattern)]
    if not with_anchor:
        raise InputError(
            f"{where}: chains of {carbons} carbon atoms do not contain the complete anchor group; give more with "
            "truncate_to_carbons (Python) or --truncate-to-carbons (command line)"
        )
    return with_anchor[0]


def describe_model(ligand: Ligand, truncate_to_carbons: int | None) -> str:
    """Describe for tables which model of the ligand is computed.

    Returns
    -------
    str
        For example `oleate truncated from 18 to 2 C: CC(=O)O`.
    """
    full = chain_length(ligand)
    if truncate_to_carbons is None or truncate_to_carbons >= full:
        return f"{ligand.name} (full length, {full} C)"
    smiles = Chem.MolToSmiles(Chem.RemoveHs(ligand_molecule(ligand, truncate_to_carbons)[0]))
    return f"{ligand.name} truncated from {full} to {truncate_to_carbons} C: {smiles}"


def centre(atoms: Atoms) -> Atoms:
    """Move the geometric centre to the origin, in place, and return the same object."""
    atoms.positions -= np.mean(atoms.positions, axis=0)
    return atoms
