"""The symmetry of a layer: translations in its plane, and the operations that keep its upper side up."""

from collections.abc import Sequence

import numpy as np
import spglib
from ase import Atoms

OPEN_A = 15.0  # empty space along c given to spglib, whatever the file has

Operations = list[tuple[np.ndarray, np.ndarray]]


def surface_operations(atoms: Atoms, tolerance: float) -> Operations:
    """Operations of the layer group that keep the upper side up.

    Parameters
    ----------
    atoms : slab with c along z, or a particle without cell, which gets the identity only.
    tolerance : in A.

    Returns
    -------
    Rotations, shape (3, 3), and translations, shape (3,), in fractional coordinates; x -> R x + t.
    """
    identity = [(np.eye(3, dtype=int), np.zeros(3))]
    if not atoms.pbc[:2].all() or len(atoms) == 0:
        return identity
    cell = atoms.cell.array.copy()
    cell[2] = 0, 0, np.ptp(atoms.positions[:, 2]) + OPEN_A
    found = spglib.get_symmetry((cell, _scaled(atoms, cell), atoms.numbers), symprec=tolerance)
    if found is None:
        return identity
    up = np.array([0, 0, 1])
    return [
        (rotation, shift)
        for rotation, shift in zip(found["rotations"], found["translations"], strict=True)
        if (rotation[2] == up).all()
        and (rotation[:2, 2] == 0).all()
        and abs(shift[2] - round(shift[2])) * cell[2, 2] < 2 * tolerance
    ]


def primitive_surface(atoms: Atoms, tolerance: float) -> Atoms:
    """The part of a slab that fills its smallest surface cell; its columns stay.

    Parameters
    ----------
    atoms : slab with c along z; a particle is returned as it is.
    """
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
    cell = atoms.cell.array.copy()
    cell[2] = 0, 0, np.ptp(atoms.positions[:, 2]) + OPEN_A
    floor = atoms.positions[:, 2].min()
    scaled = (points - [0, 0, floor]) @ np.linalg.inv(cell)
    names = np.asarray(names)
    rotations, shifts = (np.array(part) for part in zip(*operations, strict=True))
    for i in range(len(points)):
        if labels[i] >= 0:
            continue
        images = rotations @ scaled[i] + shifts
        images[:, 2] = scaled[i, 2]
        alike = np.flatnonzero((names == names[i]) & (labels < 0))
        delta = images[:, None] - scaled[None, alike]
        delta[..., :2] -= np.round(delta[..., :2])
        near = np.linalg.norm(delta @ cell, axis=-1).min(axis=0) < 0.3
        labels[alike[near]] = labels.max() + 1
    return labels.tolist()


def _scaled(atoms: Atoms, cell: np.ndarray) -> np.ndarray:
    return (atoms.positions - [0, 0, atoms.positions[:, 2].min()]) @ np.linalg.inv(cell)
