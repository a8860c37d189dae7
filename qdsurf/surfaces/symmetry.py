"""Symmetry of surfaces and particles, and the equivalence of points under it.

For a slab, only the operations of the layer group that keep the upper side up are used. For a particle, the operations
are those of its point group about the mean position of its atoms.
"""

from collections.abc import Sequence

import numpy as np
import spglib
from ase import Atoms
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

# Empty space along c in the cell given to spglib, independent of the vacuum of the structure.
OPEN_A = 15.0
# Symmetry images of a point within this distance of another point are that point.
SAME_A = 0.3
# Sine of the smallest angle between the two atoms from which the rotations of a particle are constructed.
SLANTED = 0.5
# Number of outermost atoms with which a rotation of a particle is tested first.
TEST_ATOMS = 32

Operations = list[tuple[np.ndarray, np.ndarray]]
AtomAndLikes = tuple[int, np.ndarray]
IDENTITY: Operations = [(np.eye(3, dtype=int), np.zeros(3))]


def surface_operations(atoms: Atoms, tolerance: float) -> Operations:
    """Find the symmetry operations of a surface or particle.

    Parameters
    ----------
    atoms : Atoms
        Slab with c along z, or a particle without cell.
    tolerance : float
        Largest deviation of an atom from its symmetry image in A.

    Returns
    -------
    list of tuple of ndarray
        Rotation, shape (3, 3), and translation, shape (3,), of each operation x -> R x + t. Coordinates are fractional
        for a slab, with the origin of z at the lowest atom, and Cartesian in A for a particle.
    """
    if len(atoms) == 0:
        return IDENTITY
    if not atoms.pbc[:2].all():
        return _point_group(atoms, tolerance)
    cell = _open_cell(atoms)
    found = spglib.get_symmetry(
        (cell, _scaled(atoms, cell), atoms.numbers),  # type: ignore[arg-type]  # spglib accepts arrays
        symprec=tolerance,
    )
    if found is None:
        return IDENTITY
    up = np.array([0, 0, 1])
    return [
        (rotation, translation)
        for rotation, translation in zip(found["rotations"], found["translations"], strict=True)
        if (rotation[2] == up).all()
        and (rotation[:2, 2] == 0).all()
        and abs(translation[2] - round(translation[2])) * cell[2, 2] < 2 * tolerance
    ]


def _point_group(atoms: Atoms, tolerance: float) -> Operations:
    """Find the rotations and reflections about the centre that move every atom to within a tolerance of a like atom.

    The images of two atoms determine a rotation. It is therefore sufficient to test the pairs of atoms with the same
    elements, the same distances from the centre, and the same distance from each other.
    """
    centre = atoms.positions.mean(axis=0)
    points = atoms.positions - centre
    pair = _rarest_pair(points, atoms.numbers, tolerance)
    if pair is None:
        return IDENTITY
    (i, like_i), (j, like_j) = pair
    separations = np.linalg.norm(points[like_i][:, None] - points[like_j][None], axis=-1)
    a, b = np.nonzero(np.abs(separations - np.linalg.norm(points[i] - points[j])) < 2 * tolerance)
    normal = np.cross(points[i], points[j]) / np.linalg.norm(np.cross(points[i], points[j]))
    mirror = np.eye(3) - 2 * np.outer(normal, normal)
    # The element is a fourth coordinate, scaled so that atoms of different elements are never neighbours.
    elements = 1e3 * atoms.numbers
    tree = cKDTree(np.column_stack([points, elements]))
    outermost = np.argsort(-np.linalg.norm(points, axis=1))[:TEST_ATOMS]
    found: Operations = []
    for first, second in zip(like_i[a], like_j[b], strict=True):
        proper = Rotation.align_vectors(points[[first, second]], points[[i, j]])[0].as_matrix()
        for trial in (proper, proper @ mirror):
            distances = tree.query(np.column_stack([points[outermost] @ trial.T, elements[outermost]]))[0]
            if distances.max() > 3 * tolerance:
                continue
            partner = tree.query(np.column_stack([points @ trial.T, elements]))[1]
            # Fit the rotation to all atoms. A reflection is fitted as a rotation of the inverted points.
            handedness = np.sign(np.linalg.det(trial))
            fitted = handedness * Rotation.align_vectors(points[partner], handedness * points)[0].as_matrix()
            deviation = np.linalg.norm(points @ fitted.T - points[partner], axis=1)
            if len(set(partner.tolist())) == len(points) and deviation.max() < tolerance:
                found.append((fitted, centre - fitted @ centre))
    return found or IDENTITY


def _rarest_pair(points: np.ndarray, numbers: np.ndarray, tolerance: float) -> tuple[AtomAndLikes, AtomAndLikes] | None:
    """Find two atoms not collinear with the centre that have the fewest like atoms at the same distance from it.

    Returns
    -------
    Each atom with the indices of its like atoms, itself included; None if there is no such pair.
    """
    radius = np.linalg.norm(points, axis=1)
    if radius.max() < 2 * tolerance:
        return None
    # Atoms near the centre are excluded, because a small displacement of them is a large rotation.
    outer = np.flatnonzero(radius > radius.max() / 2)
    candidates = []
    for k in outer.tolist():
        likes = np.flatnonzero((numbers == numbers[k]) & (np.abs(radius - radius[k]) < tolerance))
        candidates.append((k, likes))
    candidates.sort(key=lambda candidate: (len(candidate[1]), candidate[0]))
    first = candidates[0]
    for second in candidates[1:]:
        sine = np.linalg.norm(np.cross(points[first[0]], points[second[0]]))
        if sine > SLANTED * radius[first[0]] * radius[second[0]]:
            return first, second
    return None


def primitive_surface(atoms: Atoms, tolerance: float) -> Atoms:
    """Reduce a slab to its smallest surface cell.

    Parameters
    ----------
    atoms : Atoms
        Slab with c along z.
    tolerance : float
        Largest deviation of an atom from its symmetry image in A.

    Returns
    -------
    Atoms
        Atoms of the smallest surface cell with all their columns. A particle, or a slab that is primitive, is returned
        unchanged.
    """
    if not atoms.pbc[:2].all():
        return atoms
    operations = surface_operations(atoms, tolerance)
    translations = [translation for rotation, translation in operations if (rotation == np.eye(3)).all()]
    if len(translations) < 2:
        return atoms
    cell = atoms.cell.array
    shifts = [[t[0] + i, t[1] + j, 0] for t in translations for i in (-1, 0, 1) for j in (-1, 0, 1)]
    vectors = np.array(shifts) @ cell
    lengths = np.linalg.norm(vectors, axis=1)
    nonzero = lengths > 1e-3
    vectors = vectors[nonzero][np.argsort(lengths[nonzero].round(3), kind="stable")]
    area = np.linalg.norm(np.cross(cell[0], cell[1])) / len(translations)
    crosses = np.cross(vectors[0], vectors)[:, 2]
    second = int(np.argmin(np.abs(np.abs(crosses) - area) > 0.05 * area))
    small = atoms.copy()
    small.set_cell([vectors[0], vectors[second] * np.sign(crosses[second]), cell[2]])
    scaled = small.cell.scaled_positions(small.positions)
    scaled[:, :2] -= np.floor(scaled[:, :2] + 1e-3)
    small.positions = scaled @ small.cell.array
    # Of the atoms that are now at the same position, the first one is kept.
    delta = scaled[:, None] - scaled[None]
    delta[..., :2] -= np.round(delta[..., :2])
    distance_squared = ((delta @ small.cell.array) ** 2).sum(axis=-1)
    like = small.numbers[:, None] == small.numbers[None]
    same = (distance_squared < max(3 * tolerance, SAME_A) ** 2) & like
    return small[np.flatnonzero(np.argmax(same, axis=1) == np.arange(len(small)))]


def orbits(points: np.ndarray, names: Sequence[str], atoms: Atoms, operations: Operations) -> list[int]:
    """Group points that are equivalent by symmetry.

    Parameters
    ----------
    points : ndarray of float
        Positions in A, shape (n, 3).
    names : sequence of str
        Name of each point; points with different names are never equivalent.
    atoms : Atoms
        Structure from which the operations were found.
    operations : list of tuple of ndarray
        Operations from `surface_operations`.

    Returns
    -------
    list of int
        Number of the group of each point.
    """
    labels = -np.ones(len(points), dtype=int)
    if len(operations) == 1:
        return list(range(len(points)))
    slab = atoms.pbc[:2].all()
    cell = _open_cell(atoms) if slab else np.eye(3)
    lowest = atoms.positions[:, 2].min() if slab else 0.0
    scaled = (points - [0, 0, lowest]) @ np.linalg.inv(cell)
    point_names = np.asarray(names)
    rotations = np.array([rotation for rotation, _ in operations])
    translations = np.array([translation for _, translation in operations])
    for i in range(len(points)):
        if labels[i] >= 0:
            continue
        images = rotations @ scaled[i] + translations
        if slab:
            images[:, 2] = scaled[i, 2]
        candidates = np.flatnonzero((point_names == point_names[i]) & (labels < 0))
        delta = images[:, None] - scaled[None, candidates]
        if slab:
            delta[..., :2] -= np.round(delta[..., :2])
        equivalent = np.linalg.norm(delta @ cell, axis=-1).min(axis=0) < SAME_A
        labels[candidates[equivalent]] = labels.max() + 1
    return labels.tolist()


def _open_cell(atoms: Atoms) -> np.ndarray:
    """Return the cell of a slab with `OPEN_A` of empty space along z, as rows in A."""
    cell = atoms.cell.array.copy()
    cell[2] = 0, 0, np.ptp(atoms.positions[:, 2]) + OPEN_A
    return cell


def _scaled(atoms: Atoms, cell: np.ndarray) -> np.ndarray:
    """Return the fractional coordinates of the atoms; the lowest atom has z = 0."""
    return (atoms.positions - [0, 0, atoms.positions[:, 2].min()]) @ np.linalg.inv(cell)
