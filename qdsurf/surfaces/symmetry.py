"""The symmetry of a layer, whose upper side stays up, and of a particle, whose centre stays where it is."""

from collections.abc import Sequence

import numpy as np
import spglib
from ase import Atoms
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

OPEN_A = 15.0  # empty space along c given to spglib, whatever the file has
SAME_A = 0.3  # images of points nearer than this are one
SLANTED = 0.5  # sine of the least angle between the two atoms by which rotations of a particle are found

Operations = list[tuple[np.ndarray, np.ndarray]]
IDENTITY: Operations = [(np.eye(3, dtype=int), np.zeros(3))]


def surface_operations(atoms: Atoms, tolerance: float) -> Operations:
    """Operations of the layer group that keep the upper side up, or of the point group of a particle.

    Parameters
    ----------
    atoms : slab with c along z, or a particle without cell.
    tolerance : in A.

    Returns
    -------
    Rotations, shape (3, 3), and translations, shape (3,), in fractional coordinates, of a particle in A; x -> R x + t.
    """
    if len(atoms) == 0:
        return IDENTITY
    if not atoms.pbc[:2].all():
        return _point_group(atoms, tolerance)
    cell = atoms.cell.array.copy()
    cell[2] = 0, 0, np.ptp(atoms.positions[:, 2]) + OPEN_A
    found = spglib.get_symmetry((cell, _scaled(atoms, cell), atoms.numbers), symprec=tolerance)
    if found is None:
        return IDENTITY
    up = np.array([0, 0, 1])
    return [
        (rotation, shift)
        for rotation, shift in zip(found["rotations"], found["translations"], strict=True)
        if (rotation[2] == up).all()
        and (rotation[:2, 2] == 0).all()
        and abs(shift[2] - round(shift[2])) * cell[2, 2] < 2 * tolerance
    ]


def _point_group(atoms: Atoms, tolerance: float) -> Operations:
    """Rotations and reflections about the middle of the atoms that take every atom to within a tolerance of its like.

    Two atoms and the middle fix a rotation, so it is enough to try the atoms to which those two can go: as far out, as
    far from one another, and of their elements.
    """
    middle = atoms.positions.mean(axis=0)
    points = atoms.positions - middle
    pair = _rarest_pair(points, atoms.numbers, tolerance)
    if pair is None:
        return IDENTITY
    (i, alike_i), (j, alike_j) = pair
    apart = np.linalg.norm(points[alike_i][:, None] - points[alike_j][None], axis=-1)
    a, b = np.nonzero(np.abs(apart - np.linalg.norm(points[i] - points[j])) < 2 * tolerance)
    normal = np.cross(points[i], points[j]) / np.linalg.norm(np.cross(points[i], points[j]))
    mirror = np.eye(3) - 2 * np.outer(normal, normal)
    # An element is a fourth coordinate in which only like atoms are near.
    tagged = lambda places: np.column_stack([places, 1e3 * atoms.numbers])  # noqa: E731
    tree, outer = cKDTree(tagged(points)), np.argsort(-np.linalg.norm(points, axis=1))[:32]
    found: Operations = []
    for first, second in zip(alike_i[a], alike_j[b], strict=True):
        proper = Rotation.align_vectors(points[[first, second]], points[[i, j]])[0].as_matrix()
        for turn in (proper, proper @ mirror):
            rough = tree.query(np.column_stack([points[outer] @ turn.T, 1e3 * atoms.numbers[outer]]))[0]
            if rough.max() > 3 * tolerance:
                continue
            partner = tree.query(tagged(points @ turn.T))[1]
            handed = np.sign(np.linalg.det(turn))
            fine = handed * Rotation.align_vectors(points[partner], handed * points)[0].as_matrix()
            off = np.linalg.norm(points @ fine.T - points[partner], axis=1)
            if len(set(partner.tolist())) == len(points) and off.max() < tolerance:
                found.append((fine, middle - fine @ middle))
    return found or IDENTITY


def _rarest_pair(points: np.ndarray, numbers: np.ndarray, tolerance: float) -> tuple | None:
    """Two atoms not in line with the middle, each with all of its element that are as far out: the fewest there are."""
    radius = np.linalg.norm(points, axis=1)
    alike = lambda k: np.flatnonzero((numbers == numbers[k]) & (np.abs(radius - radius[k]) < tolerance))  # noqa: E731
    outer = np.flatnonzero(radius > radius.max() / 2)  # a small lever would turn a small shift into a large rotation
    if radius.max() < 2 * tolerance:
        return None
    sets = sorted(((len(group := alike(k)), k, group) for k in outer), key=lambda one: one[:2])
    _, first, group = sets[0]
    for _, second, other in sets:
        if np.linalg.norm(np.cross(points[first], points[second])) > SLANTED * radius[first] * radius[second]:
            return (first, group), (second, other)
    return None


def primitive_surface(atoms: Atoms, tolerance: float) -> Atoms:
    """The part of a slab that fills its smallest surface cell; its columns stay.

    Parameters
    ----------
    atoms : slab with c along z; a particle is returned as it is.
    """
    if not atoms.pbc[:2].all():
        return atoms
    operations = surface_operations(atoms, tolerance)
    steps = [t for rotation, t in operations if (rotation == np.eye(3)).all()]
    if len(steps) < 2:
        return atoms
    cell = atoms.cell.array
    steps = np.array([[t[0] + i, t[1] + j, 0] for t in steps for i in (-1, 0, 1) for j in (-1, 0, 1)]) @ cell
    lengths = np.linalg.norm(steps, axis=1)
    steps = steps[lengths > 1e-3][np.argsort(lengths[lengths > 1e-3].round(3), kind="stable")]
    area = np.linalg.norm(np.cross(cell[0], cell[1])) / sum((r == np.eye(3)).all() for r, _ in operations)
    crosses = np.cross(steps[0], steps)[:, 2]
    second = int(np.argmin(np.abs(np.abs(crosses) - area) > 0.05 * area))
    a, b = steps[0], steps[second] * np.sign(crosses[second])
    small = atoms.copy()
    small.set_cell([a, b, cell[2]])
    scaled = small.cell.scaled_positions(small.positions)
    scaled[:, :2] -= np.floor(scaled[:, :2] + 1e-3)
    small.positions = scaled @ small.cell.array
    delta = scaled[:, None] - scaled[None]
    delta[..., :2] -= np.round(delta[..., :2])
    same = (((delta @ small.cell.array) ** 2).sum(axis=-1) < max(3 * tolerance, 0.3) ** 2) & (
        small.numbers[:, None] == small.numbers[None]
    )
    return small[np.flatnonzero(np.argmax(same, axis=1) == np.arange(len(small)))]


def orbits(points: np.ndarray, names: Sequence[str], atoms: Atoms, operations: Operations) -> list[int]:
    """Number of the set of equivalent points to which each point belongs.

    Parameters
    ----------
    points : in A, shape (n, 3); only points of one name can be equivalent.
    """
    labels = -np.ones(len(points), dtype=int)
    if len(operations) == 1:
        return list(range(len(points)))
    slab = atoms.pbc[:2].all()
    cell = np.eye(3)
    if slab:
        cell = atoms.cell.array.copy()
        cell[2] = 0, 0, np.ptp(atoms.positions[:, 2]) + OPEN_A
    floor = atoms.positions[:, 2].min() if slab else 0.0
    scaled = (points - [0, 0, floor]) @ np.linalg.inv(cell)
    names = np.asarray(names)
    rotations, shifts = (np.array(part) for part in zip(*operations, strict=True))
    for i in range(len(points)):
        if labels[i] >= 0:
            continue
        images = rotations @ scaled[i] + shifts
        if slab:
            images[:, 2] = scaled[i, 2]
        alike = np.flatnonzero((names == names[i]) & (labels < 0))
        delta = images[:, None] - scaled[None, alike]
        if slab:
            delta[..., :2] -= np.round(delta[..., :2])
        near = np.linalg.norm(delta @ cell, axis=-1).min(axis=0) < SAME_A
        labels[alike[near]] = labels.max() + 1
    return labels.tolist()


def _scaled(atoms: Atoms, cell: np.ndarray) -> np.ndarray:
    return (atoms.positions - [0, 0, atoms.positions[:, 2].min()]) @ np.linalg.inv(cell)
