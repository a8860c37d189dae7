"""Climb to a saddle along one mode, with a model Hessian that learns from every force call."""

from collections.abc import Callable

import numpy as np

from qdsurf.relaxation.coordinates import longest
from qdsurf.relaxation.hessian import SOFTEST, update_hessian
from qdsurf.saddles.energy_surface import Point

# Measured on the four molecular reactions of benchmarks/saddle.py, from geodesics: with 0.1 A all are found in 21 to 29
# calls; with longer steps, or with lengths that adapt to how well the energy is foreseen, some fall off the ridge.
MAX_STEP_A = 0.1
# Of fmax, for climbs, and for falls that are hardly deep. Beside soft modes fmax is left far from the saddle, and
# structures on both sides give way to it: with 1.0 the way of N2 over Cu(111) is not found, with 0.3 it is.
TIGHT = 0.3
DOWN = -2.0  # eV/A^2 along the path at its highest point, until force calls say more


def start_hessian(guess: np.ndarray, top: Point, tangent: np.ndarray, neighbours: list[Point]) -> np.ndarray:
    """Model Hessian at the highest point of a path: falling along it, and corrected by the points beside it."""
    across = np.eye(len(tangent)) - np.outer(tangent, tangent)
    hessian = across @ guess @ across + DOWN * np.outer(tangent, tangent)
    for point in neighbours:
        hessian = update_hessian(hessian, point.x - top.x, point.gradient - top.gradient)
    return hessian


def follow_mode(
    surface: Callable[[np.ndarray], Point],
    start: Point,
    hessian: np.ndarray,
    mode: np.ndarray,
    fmax: float,
    max_calls: int,
    guide: Callable[[np.ndarray], np.ndarray],
) -> tuple[Point, np.ndarray, np.ndarray]:
    """Go uphill along one mode and downhill in all others until no force is left.

    10.1063/1.442352; the choice of the mode as in 10.1002/jcc.540070402.

    Parameters
    ----------
    hessian : guess in eV/A^2, over the free coordinates.
    mode : the direction to climb along; after every step it is the mode that resembles the last one and the guide most,
        negative curvatures first.
    fmax : largest force on an atom at the end, eV/A; the climb goes on to `TIGHT` of it where it can.
    guide : direction at a point that the mode should lean to, length 1 or 0.

    Returns
    -------
    The last point, whether or not its forces are below `fmax`, the mode there, and the Hessian updated on the way.
    """
    point = start
    for _ in range(max_calls):
        if point.max_force < TIGHT * fmax:
            break
        basis = surface.shapes(point.x)
        values, vectors = np.linalg.eigh(basis.T @ hessian @ basis)
        modes = basis @ vectors
        resemblance = np.abs(mode @ modes) + np.abs(guide(point.x) @ modes)
        likeness = resemblance * np.where(values < 0, 10.0, np.exp(-np.maximum(values, 0) / 5))
        up = int(np.argmax(likeness))
        if point.max_force < fmax and values[up] > 0:  # on its way into a minimum
            break
        lengths = -(point.gradient @ modes) / np.maximum(np.abs(values), SOFTEST)
        lengths[up] *= -1
        step = modes @ lengths
        step *= min(1.0, MAX_STEP_A / longest(step))
        mode, before = modes[:, up], point
        point = surface(before.x + step)
        hessian = update_hessian(hessian, step, point.gradient - before.gradient)
    return point, mode, hessian
