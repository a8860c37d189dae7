"""Selection of positions on a surface: evenly spread, at random, or in clusters."""

from typing import Literal, get_args

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from qdsurf.errors import BuildError, unknown

# Direction that is parallel to no lattice direction. Among equivalent choices, the one with the largest component along
# it is taken everywhere, so that ligands on equivalent sites have the same orientation and can pack.
TIE_BREAK_DIRECTION = np.array([0.86, 0.43, 0.27])
Pattern = Literal["uniform", "random", "clustered"]


def choose_places(
    places: np.ndarray, count: int, atoms: Atoms, pattern: Pattern = "uniform", seed: int | None = None
) -> np.ndarray:
    """Choose some positions on a surface.

    `uniform` makes the distances between the chosen positions as large as possible, `clustered` makes them as small as
    possible, and `random` ignores the distances.

    Parameters
    ----------
    places : ndarray of float
        Available positions in A, shape (n, 3).
    count : int
        Number of positions to choose.
    atoms : Atoms
        Structure whose cell and periodicity define the distances.
    pattern : {"uniform", "random", "clustered"}
        Distribution of the chosen positions.
    seed : int, optional
        Seed of a random choice and of the first position of the other patterns. None starts these patterns with the
        position nearest to the centre of the cell.

    Returns
    -------
    ndarray of int
        Indices of the chosen positions in the order of the choice, shape (count,).

    Raises
    ------
    BuildError
        More positions are requested than available.
    InputError
        The pattern is unknown.
    """
    if not 0 <= count <= len(places):
        raise BuildError(
            f"{count} positions requested, but {len(places)} are available; request 0 to {len(places)}, or build a "
            "larger supercell"
        )
    if pattern not in get_args(Pattern):
        raise unknown("pattern", pattern, get_args(Pattern))
    if count == 0:
        return np.array([], dtype=int)
    rng = np.random.default_rng(seed)
    if pattern == "random":
        return rng.permutation(len(places))[:count]
    # Distances are rounded here and below, so that rounding errors do not decide between equivalent positions.
    if seed is None:
        middle = atoms.cell.array.sum(axis=0)[:2] / 2 if atoms.pbc.any() else places.mean(axis=0)[:2]
        first = int(np.argmin(np.linalg.norm(places[:, :2] - middle, axis=1).round(3)))
    else:
        first = int(rng.integers(len(places)))
    distances = get_distances(places, cell=atoms.cell, pbc=atoms.pbc)[1].round(3)
    if pattern == "clustered":
        return np.array(_clustered(first, count, distances), dtype=int)
    chosen = _farthest_first(first, count, distances)
    return np.array(_spread(chosen, distances) if count > 1 else chosen, dtype=int)


def _clustered(first: int, count: int, distances: np.ndarray) -> list[int]:
    """Add the position with the smallest sum of distances to the chosen ones until `count` are chosen."""
    chosen = [first]
    while len(chosen) < count:
        total = distances[chosen].sum(axis=0)
        total[chosen] = np.inf
        chosen.append(int(np.argmin(total)))
    return chosen


def _farthest_first(first: int, count: int, distances: np.ndarray) -> list[int]:
    """Add the position that is farthest from its nearest chosen position until `count` are chosen."""
    chosen = [first]
    nearest = distances[first].copy()
    while len(chosen) < count:
        nearest[chosen] = -1.0
        best = np.flatnonzero(nearest == nearest.max())
        # Among equally good positions, the one with the largest mean distance from all chosen ones is taken.
        mean_distance = distances[best[:, None], chosen].mean(axis=1).round(3)
        chosen.append(int(best[np.argmax(mean_distance)]))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return chosen


def _spread(chosen: list[int], distances: np.ndarray) -> list[int]:
    """Move chosen positions, one at a time, to free positions while this increases the distances between them.

    Each move reduces the sum of the inverse twelfth powers of the distances, to which the shortest distances contribute
    most.
    """
    repulsion = np.where(distances > 0, (distances[distances > 0].min() / np.maximum(distances, 1e-3)) ** 12, 0.0)
    chosen = list(chosen)
    for _ in range(len(chosen)):
        potential = repulsion[:, chosen].sum(axis=1)
        gain = potential[chosen][:, None] - (potential[None, :] - repulsion[chosen])
        gain[:, chosen] = 0.0
        moved, target = np.unravel_index(np.argmax(gain.round(9)), gain.shape)
        if gain[moved, target] < 1e-6:
            break
        chosen[int(moved)] = int(target)
    return chosen


def sphere_directions(count: int = 150) -> np.ndarray:
    """Return unit vectors that are evenly distributed over a sphere (Fibonacci lattice), shape (count, 3)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    phi = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(phi), np.sqrt(1 - z**2) * np.sin(phi), z])
