"""Relaxation of a path by the simplified string method (10.1063/1.2720838) with a model Hessian for each image."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from ase import Atoms

from qdsurf.relaxation.coordinates import longest
from qdsurf.relaxation.hessian import LEAST_CURVATURE, update_by_history
from qdsurf.saddles.energy_surface import EnergySurface, Point

# Eigenvector following needs the region near the highest point, not the whole path.
MOVING_IMAGES = 5
MAX_ITERATIONS = 16
MAX_STEP_A = 0.1
# Eigenvector following converges from paths with such forces perpendicular to the path.
CONVERGED_EV_PER_A = 0.3


def relax_string(surface: EnergySurface, path: Sequence[Atoms]) -> list[Atoms]:
    """Relax a path perpendicular to its tangents, with images at equal distances.

    Each iteration costs one force call per image. The relaxation ends after `MAX_ITERATIONS`, or when no perpendicular
    force exceeds `CONVERGED_EV_PER_A`.

    Parameters
    ----------
    surface : EnergySurface
        Counts the force calls.
    path : sequence of Atoms
        Images; the first and the last one stay.

    Returns
    -------
    list of Atoms
        `MOVING_IMAGES` images between copies of the two ends.
    """
    given = np.array([surface.free_coordinates(atoms.positions) for atoms in path])
    places = np.linspace(0, len(path) - 1, MOVING_IMAGES + 2)
    points = np.array([np.interp(places, np.arange(len(path)), column) for column in given.T]).T
    histories: list[list[Point]] = [[] for _ in range(MOVING_IMAGES)]
    for _ in range(MAX_ITERATIONS):
        tangents = points[2:] - points[:-2]
        tangents /= np.linalg.norm(tangents, axis=1)[:, None]
        forces = []
        for k, (tangent, history) in enumerate(zip(tangents, histories, strict=True), start=1):
            history.append(surface(points[k].copy()))
            guess = surface.hessian_guess(surface.structure(points[k], path[0]))
            step, force = _perpendicular_step(tangent, history, guess)
            points[k] += step
            forces.append(force)
        points = _space_evenly(points)
        if max(forces) < CONVERGED_EV_PER_A:
            break
    return [surface.structure(x, path[0]) for x in points]


def _perpendicular_step(tangent: np.ndarray, history: Sequence[Point], guess: np.ndarray) -> tuple[np.ndarray, float]:
    """Return Newton's step of an image perpendicular to the path, and the largest perpendicular force on an atom.

    The previous points of the image correct the model Hessian. Without the correction images oscillate across forming
    bonds, which the model Hessian describes as not bonded.
    """
    across = np.eye(len(tangent)) - np.outer(tangent, tangent)
    gradient = across @ history[-1].gradient
    steps = [later.x - earlier.x for earlier, later in pairwise(history)]
    changes = [later.gradient - earlier.gradient for earlier, later in pairwise(history)]
    values, modes = np.linalg.eigh(across @ update_by_history(guess, steps, changes) @ across)
    step = -across @ modes @ ((modes.T @ gradient) / np.maximum(np.abs(values), LEAST_CURVATURE))
    return step * min(1.0, MAX_STEP_A / max(longest(step), 1e-9)), longest(gradient)


def _space_evenly(points: np.ndarray) -> np.ndarray:
    """Return points at equal distances on the straight lines through given points, shape (k, m); the ends stay."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places = np.linspace(0.0, lengths[-1], len(points))
    return np.array([np.interp(places, lengths, column) for column in points.T]).T
