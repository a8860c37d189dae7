"""Conformers of a bound ligand, from straight to bent, with the head group towards the surface."""

from functools import cache
from typing import NamedTuple

import numpy as np
from ase import Atoms
from rdkit import Chem
from rdkit.Chem import rdMolTransforms
from scipy.spatial.transform import Rotation

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, annotate
from qdsurf.atomistic.bonding_criteria import ALLYLIC_CONTACT
from qdsurf.atomistic.contacts import contact_limits
from qdsurf.atomistic.molecules import embed, ligand_molecule
from qdsurf.atomistic.point_sampling import sphere_directions
from qdsurf.ligands.packing import ChainConformers
from qdsurf.records.models import Ligand

# Torsions in degrees. An alkyl chain is trans, rarely gauche (65). A bond next to a double bond is skew (120). Skew
# torsions of equal sign on both sides of a cis double bond bend the chain by 57 degrees, those of opposite sign by 91.
TRANS_DEG, GAUCHE_DEG, SKEW_DEG = 180.0, 65.0, 120.0
# Fraction of the skew torsions that have the opposite sign.
OPPOSITE_SKEW_FRACTION = 0.25
# At a quaternary atom, gauche to one branch is trans to another, so that all three torsions are equivalent.
BRANCHED_FRACTION = 2 / 3
# Fraction of gauche torsions in a bent conformer. Most bent chains of full length remain upright with this value.
GAUCHE_FRACTION = 0.12
# Largest number of conformers of one ligand, and random conformers from which they are selected.
CONFORMERS = 48
DRAWS = 8 * CONFORMERS
# Conformers whose atoms differ by less than this in every coordinate are the same.
SAME_CONFORMER_A = 0.1
# An anchor that is this close to the centre of its neighbours, as in NR4+, has no preferred direction. In RNH3+ the
# distance is 0.12 A.
SURROUNDED_A = 0.05
# Directions that are tried as the upward direction of such an anchor; they are 7 degrees apart.
UPWARD_DIRECTIONS = 400
ROTATABLE_BOND = Chem.MolFromSmarts("[!$([D1]);!$(*#*)]-!@[!$([D1]);!$(*#*)]")


class Torsion(NamedTuple):
    """Torsion about a rotatable bond.

    Attributes
    ----------
    atoms : tuple of int
        The four atoms, on the side of the anchor first.
    unsaturated : bool
        Whether an atom of the rotatable bond belongs to a double bond.
    bent_fraction : float
        Fraction of the conformers in which the torsion is bent.
    """

    atoms: tuple[int, int, int, int]
    unsaturated: bool
    bent_fraction: float


@cache
def bound_form(ligand: Ligand, truncate_to_carbons: int | None) -> tuple[Atoms, tuple[int, ...]]:
    """Return a ligand without the protons that it loses on binding, with its charge on its anchors.

    Parameters
    ----------
    ligand : Ligand
        Record of the ligand.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.

    Returns
    -------
    atoms : Atoms
        Annotated ligand in its embedded conformation. All callers share this object; copy it before changing it.
    anchors : tuple of int
        Indices of the atoms that bind.
    """
    molecule, anchors, protons = ligand_molecule(ligand, truncate_to_carbons)
    atoms = annotate(embed(molecule), LIGAND)
    annotation.formal_charges(atoms)[list(anchors)] = ligand.charge / len(anchors)
    annotation.anchors(atoms)[list(anchors)] = True
    # Hydrogen atoms come after the heavy atoms, so that the anchors keep their indices.
    del atoms[list(protons)]
    return atoms, anchors


def orient_upright(positions: np.ndarray, anchors: tuple[int, ...], above: np.ndarray) -> np.ndarray:
    """Rotate a molecule so that its anchors are at the origin and the rest of it is above them.

    Parameters
    ----------
    positions : ndarray of float
        Positions in A, shape (n, 3).
    anchors : tuple of int
        Atoms whose centre becomes the origin. The first two of them are aligned along x.
    above : ndarray of int
        Atoms whose centre defines the direction of +z.

    Returns
    -------
    ndarray of float
        Rotated positions in A, shape (n, 3).
    """
    positions = positions - positions[list(anchors)].mean(axis=0)
    up = positions[above].mean(axis=0) if len(above) else np.array([0, 0, 1.0])
    if np.linalg.norm(up) < SURROUNDED_A:
        # The lowest atom and the centre of the molecule are made as high as possible.
        directions = sphere_directions(UPWARD_DIRECTIONS)
        heights = positions @ directions.T
        up = directions[np.argmax((heights.min(axis=0) + heights.mean(axis=0)).round(3))]
    targets, weights = [[0, 0, 1.0]], [1.0]
    vectors = [up / max(np.linalg.norm(up), 1e-9)]
    if len(anchors) > 1:
        across = positions[anchors[1]] - positions[anchors[0]]
        vectors.append(across / np.linalg.norm(across))
        targets.append([1.0, 0, 0])
        weights.append(0.5)
    return Rotation.align_vectors(targets, vectors, weights=weights)[0].apply(positions)


@cache
def chain_conformers(ligand: Ligand, truncate_to_carbons: int | None, bound: int, seed: int = 0) -> ChainConformers:
    """Generate conformers of a bound ligand without contacts between its own atoms, the straightest first.

    Parameters
    ----------
    ligand : Ligand
        Record of the ligand.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.
    bound : int
        Number of anchors that bind to the surface: 1 binds with the first anchor, 2 with both.
    seed : int
        Seed of the bent conformers.

    Returns
    -------
    ChainConformers
        At most `CONFORMERS` conformers.
    """
    molecule, anchors, protons = ligand_molecule(ligand, truncate_to_carbons)
    embedded = embed(molecule).positions
    kept = np.setdiff1d(np.arange(molecule.GetNumAtoms()), list(protons))
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])[kept]
    bonds_between = Chem.GetDistanceMatrix(molecule)
    binding = anchors[:bound]
    others = np.delete(np.arange(len(kept)), list(binding))
    neighbours = others
    if len(others):
        neighbours = others[bonds_between[np.ix_(kept[others], np.array(binding))].min(axis=1) == 1]
    can_clash = bonds_between[np.ix_(kept, kept)] > 3
    limits = ALLYLIC_CONTACT * contact_limits(numbers)
    rng = np.random.default_rng(seed)
    torsions = _torsions(molecule, anchors)
    shapes: list[np.ndarray] = []
    for draw in range(DRAWS if torsions else 1):
        positions = _with_torsions(molecule, embedded, torsions, rng, straight=draw == 0)[kept]
        distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        # The straight conformer is kept in any case.
        if draw and (can_clash & (distances < limits)).any():
            continue
        shape = orient_upright(positions, binding, neighbours)
        if not any(np.abs(shape - other).max() < SAME_CONFORMER_A for other in shapes):
            shapes.append(shape)
    # A straight chain is high and has its centre above the anchors.
    straightness = np.array([shape[:, 2].mean() - 0.5 * np.hypot(*shape[:, :2].mean(axis=0)) for shape in shapes])
    best = np.argsort(-straightness.round(3), kind="stable")[:CONFORMERS]
    head = np.zeros(len(kept), dtype=bool)
    head[bonds_between[np.ix_(kept, np.array(anchors))].min(axis=1) <= 1] = True
    return ChainConformers(numbers, np.array(shapes)[best], head)


def _torsions(molecule: Chem.Mol, anchors: tuple[int, ...]) -> list[Torsion]:
    """Return the torsions of all rotatable bonds."""
    bonds_between = Chem.GetDistanceMatrix(molecule)

    def is_hydrogen(index: int) -> bool:
        return molecule.GetAtomWithIdx(index).GetAtomicNum() == 1

    def heavy_first(index: int) -> tuple[bool, int]:
        return is_hydrogen(index), index

    torsions = []
    for pair in Chem.RemoveHs(molecule).GetSubstructMatches(ROTATABLE_BOND):
        b, c = sorted(pair, key=lambda i: bonds_between[i, anchors[0]])
        before = [n.GetIdx() for n in molecule.GetAtomWithIdx(b).GetNeighbors() if n.GetIdx() != c]
        after = [n.GetIdx() for n in molecule.GetAtomWithIdx(c).GetNeighbors() if n.GetIdx() != b]
        unsaturated = any(molecule.GetAtomWithIdx(i).GetHybridization() == Chem.HybridizationType.SP2 for i in (b, c))
        branched = len(before) == 3 and not any(is_hydrogen(i) for i in before)
        if unsaturated:
            bent_fraction = OPPOSITE_SKEW_FRACTION
        elif branched:
            bent_fraction = BRANCHED_FRACTION
        else:
            bent_fraction = GAUCHE_FRACTION
        atoms = min(before, key=heavy_first), b, c, min(after, key=heavy_first)
        torsions.append(Torsion(atoms, unsaturated, bent_fraction))
    return torsions


def _with_torsions(
    molecule: Chem.Mol, positions: np.ndarray, torsions: list[Torsion], rng: np.random.Generator, straight: bool
) -> np.ndarray:
    """Return positions in A with new torsions: all of them trans if `straight`, otherwise some of them gauche."""
    twisted = Chem.Mol(molecule)
    twisted.RemoveAllConformers()
    conformer = Chem.Conformer(molecule.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(positions))
    twisted.AddConformer(conformer)
    # RDKit copies the conformer when it is added.
    conformer = twisted.GetConformer()
    sign = 1.0 if straight else rng.choice([-1.0, 1.0])
    for torsion in torsions:
        bent = not straight and rng.random() < torsion.bent_fraction
        angle_deg = GAUCHE_DEG * rng.choice([-1, 1]) if bent else TRANS_DEG
        if torsion.unsaturated:
            angle_deg = SKEW_DEG * sign * (-1 if bent else 1)
        first, second, third, fourth = torsion.atoms
        rdMolTransforms.SetDihedralDeg(conformer, first, second, third, fourth, float(angle_deg))
    return conformer.GetPositions()
