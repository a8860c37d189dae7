"""Shapes of a ligand's chain, from stretched to bent, with its head where the surface wants it."""

from functools import cache

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
from qdsurf.ligands.packing import Chains
from qdsurf.records.models import Ligand

# Torsions in degrees: an alkyl chain is trans, seldom gauche (65); beside a double bond it is skew (120). Skews of one
# sign on both sides of a cis double bond bend the chain by 57 degrees, of two signs by 91.
TRANS, GAUCHE, SKEW = 180.0, 65.0, 120.0
OTHER_SKEW_SHARE = 0.25
BRANCHED_SHARE = 2 / 3  # gauche to one branch of a quaternary atom is trans to another: all three are alike
GAUCHE_SHARE = 0.12  # of the torsions of a bent conformer; most bent chains of full length then stay upright
KEPT = 48  # conformers of one ligand
SURROUNDED_A = 0.05  # an anchor this near the middle of its neighbours, as in NR4+ (in RNH3+ it is 0.12), has no side
LOOKS = 400  # directions tried for the way up of such an anchor, 7 degrees apart
ROTATABLE = Chem.MolFromSmarts("[!$([D1]);!$(*#*)]-!@[!$([D1]);!$(*#*)]")


@cache
def bound_form(ligand: Ligand, truncate_to_carbons: int | None) -> tuple[Atoms, tuple[int, ...]]:
    """The ligand as it sits on a surface: without the protons that it loses, its charge on its anchors.

    Returns
    -------
    atoms : annotated, in the embedded shape; all callers share it, so copy it.
    anchors : indices of the atoms that bind.
    """
    molecule, anchors, protons = ligand_molecule(ligand, truncate_to_carbons)
    atoms = annotate(embed(molecule), LIGAND)
    annotation.formal_charges(atoms)[list(anchors)] = ligand.charge / len(anchors)
    annotation.anchors(atoms)[list(anchors)] = True
    del atoms[list(protons)]  # hydrogens come after the heavy atoms, so the anchors keep their numbers
    return atoms, anchors


def stand_up(positions: np.ndarray, anchors: tuple[int, ...], above: np.ndarray) -> np.ndarray:
    """Turn a molecule: anchors about the origin, two anchors along x, the atoms `above` on the +z side.

    Parameters
    ----------
    positions : in A, shape (n, 3).
    above : indices of the atoms whose centre decides what is up.
    """
    positions = positions - positions[list(anchors)].mean(axis=0)
    up = positions[above].mean(axis=0) if len(above) else np.array([0, 0, 1.0])
    if np.linalg.norm(up) < SURROUNDED_A:  # then its lowest atom and its middle are to be as high as they go
        looks = sphere_directions(LOOKS)
        heights = positions @ looks.T
        up = looks[np.argmax((heights.min(axis=0) + heights.mean(axis=0)).round(3))]
    aims, weights = [[0, 0, 1.0]], [1.0]
    vectors = [up / max(np.linalg.norm(up), 1e-9)]
    if len(anchors) > 1:
        across = positions[anchors[1]] - positions[anchors[0]]
        vectors.append(across / np.linalg.norm(across))
        aims.append([1.0, 0, 0])
        weights.append(0.5)
    return Rotation.align_vectors(aims, vectors, weights=weights)[0].apply(positions)


@cache
def chain_conformers(ligand: Ligand, truncate_to_carbons: int | None, bound: int, seed: int = 0) -> Chains:
    """Conformers of a bound ligand in which no atom meets another, the straightest first.

    Parameters
    ----------
    bound : how many of its anchors touch the surface: 2 stands on both, 1 on the first.
    seed : of the bent conformers.
    """
    molecule, anchors, protons = ligand_molecule(ligand, truncate_to_carbons)
    embedded = embed(molecule).positions
    kept = np.setdiff1d(np.arange(molecule.GetNumAtoms()), list(protons))
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])[kept]
    steps = Chem.GetDistanceMatrix(molecule)
    standing = anchors[:bound]
    below = np.delete(np.arange(len(kept)), list(standing)) if len(kept) > len(standing) else np.array([], dtype=int)
    beside = below[steps[np.ix_(kept[below], list(standing))].min(axis=1) == 1] if len(below) else below
    far = steps[np.ix_(kept, kept)] > 3
    limits = ALLYLIC_CONTACT * contact_limits(numbers)
    rng = np.random.default_rng(seed)
    torsions = _torsions(molecule, anchors)
    shapes = []
    draws = 8 * KEPT if torsions else 1
    for draw in range(draws):
        positions = _twisted(molecule, embedded, torsions, rng, straight=draw == 0)[kept]
        apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        if (far & (apart < limits)).any() and draw:
            continue
        shape = stand_up(positions, standing, beside)
        if not any(np.abs(shape - other).max() < 0.1 for other in shapes):
            shapes.append(shape)
    height = np.array([shape[:, 2].mean() - 0.5 * np.hypot(*shape[:, :2].mean(axis=0)) for shape in shapes])
    best = np.argsort(-height.round(3), kind="stable")[:KEPT]
    head = np.zeros(len(kept), dtype=bool)
    head[steps[np.ix_(kept, list(anchors))].min(axis=1) <= 1] = True
    return Chains(numbers, np.array(shapes)[best], head)


def _torsions(molecule: Chem.Mol, anchors: tuple[int, ...]) -> list[tuple[int, int, int, int, bool, float]]:
    """Rotatable bonds as four atoms, anchor side first, whether an end is unsaturated, and how often it is bent."""
    steps = Chem.GetDistanceMatrix(molecule)
    torsions = []
    heavy = Chem.RemoveHs(molecule)
    for pair in heavy.GetSubstructMatches(ROTATABLE):
        b, c = sorted(pair, key=lambda i: steps[i, anchors[0]])
        before = [n.GetIdx() for n in molecule.GetAtomWithIdx(b).GetNeighbors() if n.GetIdx() != c]
        after = [n.GetIdx() for n in molecule.GetAtomWithIdx(c).GetNeighbors() if n.GetIdx() != b]
        weight = lambda i: (molecule.GetAtomWithIdx(i).GetAtomicNum() == 1, i)  # noqa: E731
        unsaturated = any(molecule.GetAtomWithIdx(i).GetHybridization() == Chem.HybridizationType.SP2 for i in (b, c))
        branched = [weight(i)[0] for i in before] == [False] * 3
        share = OTHER_SKEW_SHARE if unsaturated else BRANCHED_SHARE if branched else GAUCHE_SHARE
        torsions.append((min(before, key=weight), b, c, min(after, key=weight), unsaturated, share))
    return torsions


def _twisted(molecule: Chem.Mol, positions: np.ndarray, torsions: list, rng, straight: bool) -> np.ndarray:
    """Positions in A with new torsions: all trans, or some gauche."""
    shape = Chem.Mol(molecule)
    shape.RemoveAllConformers()
    conformer = Chem.Conformer(molecule.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(positions))
    shape.AddConformer(conformer)
    own = shape.GetConformer()
    side = 1.0 if straight else rng.choice([-1.0, 1.0])
    for *atoms, unsaturated, share in torsions:
        other = not straight and rng.random() < share
        bent = GAUCHE * rng.choice([-1, 1]) if other else TRANS
        angle = SKEW * side * (-1 if other else 1) if unsaturated else bent
        rdMolTransforms.SetDihedralDeg(own, *atoms, float(angle))
    return own.GetPositions()
