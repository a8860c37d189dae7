"""Choose places on a surface: spread out, at random, or in clusters."""

from typing import Literal, get_args

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from qdsurf.errors import BuildError, unknown

# Along no direction of a crystal: of several equal choices the one that points most along it is taken, everywhere the
# same, so that ligands on equal sites stand alike and can pack.
TIE_BREAK_DIRECTION = np.array([0.86, 0.43, 0.27])
Pattern = Literal["uniform", "random", "clustered"]


def choose_places(
    places: np.ndarray, count: int, atoms: Atoms, pattern: Pattern = "uniform", seed: int | None = None
) -> np.ndarray:
    """Choose some of the places of a surface.

    `uniform` takes places as far from one another as they come, `clustered` as near, `random` any.

    Parameters
    ----------
    places : positions in A, shape (n, 3).
    count : how many.
    atoms : its cell and periodicity count for distances; a cluster starts in the middle of it.
    seed : of a random choice, and of the place where the others begin; None begins in the middle of the cell.

    Returns
    -------
    Indices of the chosen places in the order of the choice, shape (count,).

    Raises
    ------
    BuildError : more are asked for than there are.
    """
    if not 0 <= count <= len(places):
        raise BuildError(f"{count} for {len(places)} places; at most {len(places)} fit")
    if pattern not in get_args(Pattern):
        raise unknown("pattern", pattern, get_args(Pattern))
    if count == 0:
        return np.array([], dtype=int)
    rng = np.random.default_rng(seed)
    if pattern == "random":
        return rng.permutation(len(places))[:count]
    if seed is None:
        middle = atoms.cell.array.sum(axis=0)[:2] / 2 if atoms.pbc.any() else places.mean(axis=0)[:2]
        first = int(np.argmin(np.linalg.norm(places[:, :2] - middle, axis=1).round(3)))
    else:
        first = int(rng.integers(len(places)))
    apart = get_distances(places, cell=atoms.cell, pbc=atoms.pbc)[1].round(3)
    chosen = [first]
    nearest = apart[first].copy()
    while len(chosen) < count:
        if pattern == "uniform":
            # Ties go to the place that is farther from all the others too.
            nearest[chosen] = -1.0
            best = np.flatnonzero(nearest == nearest.max())
            chosen.append(int(best[np.argmax(apart[np.ix_(best, chosen)].mean(axis=1).round(3))]))
            nearest = np.minimum(nearest, apart[chosen[-1]])
        else:
            distance = apart[chosen].sum(axis=0)
            distance[chosen] = np.inf
            chosen.append(int(np.argmin(distance)))
    return np.array(_relaxed(chosen, apart) if pattern == "uniform" and count > 1 else chosen, dtype=int)


def _relaxed(chosen: list[int], apart: np.ndarray) -> list[int]:
    """Move one choice after another to a free place while that takes them farther from one another.

    What falls is the sum of inverse twelfth powers of the distances, in which the nearest count most.
    """
    push = np.where(apart > 0, (apart[apart > 0].min() / np.maximum(apart, 1e-3)) ** 12, 0.0)
    chosen = list(chosen)
    for _ in range(len(chosen)):
        field = push[:, chosen].sum(axis=1)
        gain = field[chosen][:, None] - (field[None, :] - push[chosen])
        gain[:, chosen] = 0.0
        out, into = np.unravel_index(np.argmax(gain.round(9)), gain.shape)
        if gain[out, into] < 1e-6:
            break
        chosen[out] = int(into)
    return chosen


def sphere_directions(count: int = 150) -> np.ndarray:
    """Unit vectors spread over a sphere (Fibonacci lattice), shape (count, 3)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    phi = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(phi), np.sqrt(1 - z**2) * np.sin(phi), z])
