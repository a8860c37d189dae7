"""Eigenvector following: a search uphill along one mode of a model Hessian that every force call corrects."""

from collections.abc import Callable, Sequence

import numpy as np

from qdsurf.relaxation.coordinates import longest
from qdsurf.relaxation.hessian import LEAST_CURVATURE, update_hessian
from qdsurf.saddles.energy_surface import EnergySurface, Point

# With 0.1 A, all four molecular reactions of benchmarks/saddle.py are found from geodesics in 21 to 29 calls. With
# longer steps, or with lengths adapted to the quality of the prediction, some searches leave the ridge.
MAX_STEP_A = 0.1
# Factor on fmax for eigenvector following, and for quenches that end hardly below their start. Along soft modes, forces
# below fmax occur far from the saddle, and relaxations stop on both sides of it. With 1.0 the path of N2 on Cu(111) is
# not found, with 0.3 it is.
TIGHT_FACTOR = 0.3
# Curvature in eV/A^2 along the path at its highest point, until force calls correct it.
INITIAL_CURVATURE = -2.0
# Weights in the choice of the mode: negative curvatures are preferred by a factor of 10, and the weight of positive
# curvatures decreases by a factor of e for each 5 eV/A^2.
NEGATIVE_CURVATURE_FACTOR, CURVATURE_DECAY = 10.0, 5.0


def start_hessian(guess: np.ndarray, top: Point, tangent: np.ndarray, neighbours: Sequence[Point]) -> np.ndarray:
    """Build the model Hessian at the highest point of a path.

    Parameters
    ----------
    guess : ndarray of float
        Model Hessian of the structure in eV/A^2, shape (m, m).
    top : Point
        Highest point of the path.
    tangent : ndarray of float
        Unit vector along the path, shape (m,). The curvature along it is set to `INITIAL_CURVATURE`.
    neighbours : sequence of Point
        Points on the path whose gradients correct the Hessian.

    Returns
    -------
    ndarray of float
        In eV/A^2, shape (m, m).
    """
    across = np.eye(len(tangent)) - np.outer(tangent, tangent)
    hessian = across @ guess @ across + INITIAL_CURVATURE * np.outer(tangent, tangent)
    for point in neighbours:
        hessian = update_hessian(hessian, point.x - top.x, point.gradient - top.gradient)
    return hessian


def follow_mode(
    surface: EnergySurface,
    start: Point,
    hessian: np.ndarray,
    mode: np.ndarray,
    fmax: float,
    max_calls: int,
    guide: Callable[[np.ndarray], np.ndarray],
) -> tuple[Point, np.ndarray, np.ndarray]:
    """Search for a saddle point uphill along one mode and downhill along all others.

    At every step the mode with the largest overlap with the last mode and with the guide is followed. Negative
    curvatures are preferred.

    Parameters
    ----------
    surface : EnergySurface
        Counts the force calls.
    start : Point
        First point.
    hessian : ndarray of float
        Model Hessian in eV/A^2, shape (m, m).
    mode : ndarray of float
        Unit vector along which the search begins uphill, shape (m,).
    fmax : float
        Largest force on an atom at convergence in eV/A. The search continues down to `TIGHT_FACTOR` of it, unless the
        mode that is followed has a positive curvature there: then the search would end in a minimum.
    max_calls : int
        Largest number of force calls.
    guide : callable
        Returns the preferred direction at free coordinates, of length 1 or 0, shape (m,).

    Returns
    -------
    point : Point
        Last point; its forces may be larger than `fmax`.
    mode : ndarray of float
        The mode that was followed last, shape (m,).
    hessian : ndarray of float
        Corrected Hessian in eV/A^2, shape (m, m).

    References
    ----------
    10.1063/1.442352; the choice of the mode as in 10.1002/jcc.540070402.
    """
    point = start
    for _ in range(max_calls):
        if point.max_force < TIGHT_FACTOR * fmax:
            break
        basis = surface.internal_directions(point.x)
        values, vectors = np.linalg.eigh(basis.T @ hessian @ basis)
        modes = basis @ vectors
        overlap = np.abs(mode @ modes) + np.abs(guide(point.x) @ modes)
        decay = np.exp(-np.maximum(values, 0) / CURVATURE_DECAY)
        followed = int(np.argmax(overlap * np.where(values < 0, NEGATIVE_CURVATURE_FACTOR, decay)))
        if point.max_force < fmax and values[followed] > 0:
            break
        lengths = -(point.gradient @ modes) / np.maximum(np.abs(values), LEAST_CURVATURE)
        lengths[followed] *= -1
        step = modes @ lengths
        step *= min(1.0, MAX_STEP_A / longest(step))
        mode = modes[:, followed]
        previous = point
        point = surface(previous.x + step)
        hessian = update_hessian(hessian, step, point.gradient - previous.gradient)
    return point, mode, hessian
