"""Molecules from SMILES or files, with ligands shortened to a model where asked."""

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

RDLogger.DisableLog("rdApp.*")
EMBEDDING_SEED = 7  # RDKit's embedding is stochastic; any fixed number makes it reproducible


def parse_smiles(smiles: str, where: str = "") -> Chem.Mol:
    """Parse a SMILES string and add hydrogens.

    Raises
    ------
    InputError : RDKit cannot parse it.
    """
    parsed = Chem.MolFromSmiles(smiles)
    if parsed is None:
        raise InputError(f"{where + ': ' if where else ''}smiles: {smiles!r} does not parse; give a valid SMILES")
    return Chem.AddHs(parsed)


def embed(molecule: Chem.Mol) -> Atoms:
    """A three-dimensional conformer, cleaned up with UFF where UFF knows the elements."""
    molecule = Chem.Mol(molecule)
    attempts = ({}, {"useRandomCoords": True})
    if all(AllChem.EmbedMolecule(molecule, randomSeed=EMBEDDING_SEED, **how) != 0 for how in attempts):
        raise BuildError(f"no three-dimensional structure found for {Chem.MolToSmiles(molecule)}")
    if AllChem.UFFHasAllMoleculeParams(molecule):
        AllChem.UFFOptimizeMolecule(molecule, maxIters=2000)
    positions = molecule.GetConformer().GetPositions()
    return Atoms([atom.GetSymbol() for atom in molecule.GetAtoms()], positions)


def build_molecule(molecule: Molecule) -> Atoms:
    """Starting geometry of a gas molecule, without cell, with the columns of `atomistic.annotation.annotate`."""
    if molecule.geometry:
        atoms = read_structure(_beside_records(molecule.geometry))
        atoms = Atoms(atoms.symbols, atoms.positions)
    else:
        atoms = embed(parse_smiles(molecule.smiles, molecule.name))
    annotation.drop_notes(atoms)
    annotation.note(atoms, name=molecule.name)
    return annotate(atoms, ADSORBATE)


def build_reference(reference: Reference, supported: Iterable[str] | None) -> list[Atoms]:
    """Structures of the reference set at their own geometries, those without an element beyond the supported ones.

    Molecules are free to relax; what holds a face is fixed, so that its relaxation is a single point.

    Parameters
    ----------
    supported : elements; None: all are.
    """
    built = []
    for name, stored in reference.geometries.items():
        free = name in reference.molecules
        atoms = annotate(stored.copy(), ADSORBATE if free else SUBSTRATE)
        annotation.drop_notes(atoms)
        annotation.note(atoms, name=name)
        atoms.set_constraint(None if free else FixAtoms(range(len(atoms))))
        built.append(atoms)
    return [atoms for atoms in built if supported is None or set(atoms.symbols) <= set(supported)]


def _beside_records(name: str) -> Path:
    """Resolve a geometry file named in a record; all records keep theirs in `structures/reference`."""
    return STRUCTURES / "reference" / Path(name).name


def chain_length(ligand: Ligand) -> int:
    """Carbon atoms of the full ligand."""
    return sum(atom.GetSymbol() == "C" for atom in Chem.MolFromSmiles(ligand.smiles).GetAtoms())


@cache
def ligand_molecule(
    ligand: Ligand, truncate_to_carbons: int | None
) -> tuple[Chem.Mol, tuple[int, ...], tuple[int, ...]]:
    """The ligand with its anchor atoms and acid protons found, its chains shortened to a number of carbon atoms.

    Truncation keeps the first carbons of every chain, counted from the anchor, and caps the cut with hydrogen.

    Returns
    -------
    molecule : with hydrogens, before binding.
    anchors : indices of the atoms that bind.
    protons : indices of the H that are lost on binding; none where the ligand binds as it is.

    Raises
    ------
    InputError : the SMILES or the anchor SMARTS does not parse, or the anchor is not found.
    """
    where = f"ligands/{ligand.name}.yaml"
    molecule = Chem.RemoveHs(parse_smiles(ligand.smiles, where))
    pattern = Chem.MolFromSmarts(ligand.anchor)
    if pattern is None:
        raise InputError(f"{where}: anchor: {ligand.anchor!r} is no valid SMARTS")
    if truncate_to_carbons is not None:
        molecule = _truncate(molecule, pattern, truncate_to_carbons, where)
    match = molecule.GetSubstructMatch(pattern)
    if not match:
        raise InputError(f"{where}: anchor: {ligand.anchor!r} is not found in {ligand.smiles!r}")
    anchors = tuple(i for i, atom in zip(match, pattern.GetAtoms(), strict=True) if atom.GetAtomMapNum())
    molecule = Chem.AddHs(molecule)
    hydrogens = [
        n.GetIdx() for a in anchors for n in molecule.GetAtomWithIdx(a).GetNeighbors() if n.GetAtomicNum() == 1
    ]
    if len(hydrogens) < ligand.leaving_protons:
        raise InputError(
            f"{where}: leaving_protons: {ligand.leaving_protons} asked for, {len(hydrogens)} hydrogen on the anchor "
            f"of {ligand.smiles!r}"
        )
    return molecule, anchors, tuple(hydrogens[: ligand.leaving_protons])


def _truncate(molecule: Chem.Mol, pattern: Chem.Mol, carbons: int, where: str) -> Chem.Mol:
    """Keep the anchor and the first `carbons` carbon atoms of every chain on it."""
    match = molecule.GetSubstructMatch(pattern)
    if not match or carbons < 1:
        return molecule
    is_carbon = np.array([atom.GetSymbol() == "C" for atom in molecule.GetAtoms()])
    anchor = next(i for i, atom in zip(match, pattern.GetAtoms(), strict=True) if atom.GetAtomMapNum())
    number = [
        is_carbon[list(Chem.GetShortestPath(molecule, anchor, i))].sum() if i != anchor else 0
        for i in range(molecule.GetNumAtoms())
    ]
    dropped = [i for i in np.flatnonzero(is_carbon).tolist() if number[i] > carbons]
    editable = Chem.RWMol(molecule)
    Chem.Kekulize(editable, clearAromaticFlags=True)
    for i in sorted(dropped, reverse=True):
        editable.RemoveAtom(i)
    shortened = editable.GetMol()
    Chem.SanitizeMol(shortened)
    fragments = Chem.GetMolFrags(shortened, asMols=True)
    whole = [fragment for fragment in fragments if fragment.HasSubstructMatch(pattern)]
    if not whole:
        raise InputError(f"{where}: nothing that can bind is left with {carbons} carbon atoms a chain; give more")
    return whole[0]


def describe_model(ligand: Ligand, truncate_to_carbons: int | None) -> str:
    """Words for tables: what was computed in place of what."""
    full = chain_length(ligand)
    if truncate_to_carbons is None or truncate_to_carbons >= full:
        return f"{ligand.name} (full length, {full} C)"
    smiles = Chem.MolToSmiles(Chem.RemoveHs(ligand_molecule(ligand, truncate_to_carbons)[0]))
    return f"{ligand.name} truncated from {full} to {truncate_to_carbons} C: {smiles}"


def centre(atoms: Atoms) -> Atoms:
    """Move the geometric centre to the origin; in place, and returned."""
    atoms.positions -= np.mean(atoms.positions, axis=0)
    return atoms
