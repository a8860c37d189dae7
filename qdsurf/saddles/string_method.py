"""A path relaxed sideways: the simplified string method, 10.1063/1.2720838, with a chemist's Hessian."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from ase import Atoms

from qdsurf.relaxation.coordinates import longest
from qdsurf.relaxation.hessian import SOFTEST, update_by_history
from qdsurf.saddles.energy_surface import Point, Surface

MOVING = 5  # images; a climb needs the neighbourhood of the top, not the whole way
ROUNDS = 16
MAX_STEP_A = 0.1
STRAIGHT_EV_PER_A = 0.3  # largest force across the path that a climb copes with


def relax_string(surface: Surface, path: Sequence[Atoms]) -> list[Atoms]:
    """Move some images of a path downhill across it, keeping them at equal distances.

    Each round costs one force call an image; after `ROUNDS`, or when no force across the path is left, it ends.

    Parameters
    ----------
    surface : counts the force calls.
    path : the first and the last image stay.

    Returns
    -------
    `MOVING` images between copies of the two ends.
    """
    given = np.array([surface.flat(atoms.positions) for atoms in path])
    places = np.linspace(0, len(path) - 1, MOVING + 2)
    at = np.array([np.interp(places, np.arange(len(path)), column) for column in given.T]).T
    walks: list[list[Point]] = [[] for _ in range(MOVING)]
    for _ in range(ROUNDS):
        tangents = at[2:] - at[:-2]
        tangents /= np.linalg.norm(tangents, axis=1)[:, None]
        rest = []
        for k, (tangent, walk) in enumerate(zip(tangents, walks, strict=True), start=1):
            walk.append(surface(at[k].copy()))
            step, force = _step_across(tangent, walk, surface.guess(surface.structure(at[k], path[0])))
            at[k] += step
            rest.append(force)
        at = _spread_evenly(at)
        if max(rest) < STRAIGHT_EV_PER_A:
            break
    return [surface.structure(x, path[0]) for x in at]


def _step_across(tangent: np.ndarray, walk: Sequence[Point], guess: np.ndarray) -> tuple[np.ndarray, float]:
    """Newton's step of an image downhill across the path, and the largest force there; its walk corrects the Hessian.

    Without the correction images jump from side to side of bonds that form, which the model Hessian takes for none.
    """
    across = np.eye(len(tangent)) - np.outer(tangent, tangent)
    gradient = across @ walk[-1].gradient
    steps = [later.x - earlier.x for earlier, later in pairwise(walk)]
    changes = [later.gradient - earlier.gradient for earlier, later in pairwise(walk)]
    values, modes = np.linalg.eigh(across @ update_by_history(guess, steps, changes) @ across)
    step = -across @ modes @ ((modes.T @ gradient) / np.maximum(np.abs(values), SOFTEST))
    return step * min(1.0, MAX_STEP_A / max(longest(step), 1e-9)), longest(gradient)


def _spread_evenly(at: np.ndarray) -> np.ndarray:
    """Points at equal distances along the straight lines through others, shape (m, n); the ends stay."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(at, axis=0), axis=1))])
    places = np.linspace(0.0, lengths[-1], len(at))
    return np.array([np.interp(places, lengths, column) for column in at.T]).T
