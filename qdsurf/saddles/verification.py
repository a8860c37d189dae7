"""Search for one saddle point between two minima, and verification of its modes and of the minima on both sides."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.relaxation.coordinates import coordinates_of, displacements, longest
from qdsurf.relaxation.vibrations import CALLS_PER_ATOM, mode_energies, partial_hessian
from qdsurf.saddles.eigenvector_following import follow_mode, start_hessian
from qdsurf.saddles.energy_surface import EnergySurface, Point
from qdsurf.saddles.initial_paths import InitialPath, find_highest_image, find_initial_paths
from qdsurf.saddles.quench import quench
from qdsurf.saddles.search_context import SearchContext
from qdsurf.saddles.state_comparison import SIDES, changed_pairs, same_state
from qdsurf.units import INVERSE_CM_EV

LOGGER = logging.getLogger(__name__)
VERIFIED, BARRIERLESS, SEVERAL, WRONG_ENDS, NOT_CONVERGED, SAME_STATE = STATUSES = (
    "verified", "barrierless", "several_imaginary_modes", "wrong_ends", "not_converged", "same_state",
)  # fmt: skip
# A mode along which the energy decreases by less than this over 1 A, half of kT at room temperature, is a free rotation
# and not a reaction coordinate. A limit in wavenumbers would exclude the hop of a heavy atom, which has a large
# curvature but a low frequency.
SOFT_EV = 0.01
# A saddle point that is less than this above the higher end does not count as a barrier, because energies are not more
# accurate.
NO_BARRIER_EV = 0.005
# Atoms that move farther than this between the saddle point and the two ends are in the Hessian.
MOVED_A = 0.1
# Displacement along a mode that measures whether its curvature is negative.
PROBE_A = 0.05
# Displacement from a saddle point before a relaxation, of the atom that moves farthest.
PUSH_A = 0.15
# Displacement of the higher end along the path before a relaxation, because the end may not be a minimum.
END_PUSH_A = 0.3
# Number of Hessians, if the first one shows a saddle point of higher order.
ATTEMPTS = 2


@dataclass(frozen=True)
class SearchOutcome:
    """Outcome of a search between two minima.

    Attributes
    ----------
    status : str
        One of `STATUSES`.
    reason : str
        The same as a sentence.
    saddle : Point or None
        The saddle point, if one was found.
    imaginary_cm : sequence of float
        Imaginary modes as negative wavenumbers, cm-1.
    moved_atoms : int
        Number of atoms in the Hessian.
    minima : tuple of Atoms
        Other minima, if the search found a saddle point or a path that does not join the ends: two minima beside the
        saddle point, or one minimum on the path.
    """

    status: str
    reason: str
    saddle: Point | None = None
    imaginary_cm: Sequence[float] = ()
    moved_atoms: int = 0
    minima: tuple[Atoms, ...] = ()


class SaddleModes(NamedTuple):
    """Imaginary modes at a saddle point.

    Attributes
    ----------
    wavenumbers_cm : list of float
        Negative wavenumbers in cm-1, ascending.
    directions : ndarray of float
        Displacements of the modes in the free coordinates, shape (k, m).
    moved_atoms : int
        Number of atoms in the Hessian.
    hessian : ndarray of float
        Hessian of all free coordinates in eV/A^2, shape (m, m): calculated for the atoms that move, estimated for the
        others.
    """

    wavenumbers_cm: list[float]
    directions: np.ndarray
    moved_atoms: int
    hessian: np.ndarray


def find_between(context: SearchContext, through: Sequence[Atoms]) -> SearchOutcome:
    """Search from the highest points of several paths, one after the other, until one search succeeds.

    Parameters
    ----------
    context : SearchContext
        The search joins its two ends.
    through : sequence of Atoms
        Structures through which the first guess of the path leads; may be empty.

    Returns
    -------
    SearchOutcome
        Of the first search that is verified or barrierless or finds other minima; otherwise of the last search.
    """
    outcome = SearchOutcome(NOT_CONVERGED, "no path was searched")
    for number, path in enumerate(find_initial_paths(context, through)):
        if number:
            LOGGER.info("saddle: next path, because %s", outcome.reason)
        outcome = _search_from_top(replace(context, ends=path.ends), path)
        joined = outcome.status in (VERIFIED, BARRIERLESS)
        if path.ends[1] is not context.ends[1] and not outcome.minima:  # a driven path to a minimum between the ends
            outcome = replace(outcome, minima=path.ends if joined else path.ends[1:])
        if joined or outcome.minima:
            break
    return outcome


def _search_from_top(context: SearchContext, path: InitialPath) -> SearchOutcome:
    """Follow a mode from the highest image of a path and verify the saddle point."""
    surface, images, points = context.surface, path.images, path.points
    top = find_highest_image(context, path)
    before = surface.calls
    lowest_barrier = max(end.get_potential_energy() for end in context.ends) + NO_BARRIER_EV
    if top in (0, len(images) - 1) or points[top].energy < lowest_barrier:
        # There may be a barrier elsewhere on the path.
        for number, image in enumerate(images):
            if number not in points:
                points[number] = surface(surface.free_coordinates(image.positions))
        top = max(range(1, len(images) - 1), key=lambda k: points[k].energy)
    context.calls["path"] += surface.calls - before
    if points[top].energy < lowest_barrier:
        return SearchOutcome(BARRIERLESS, f"none of {len(images)} images of the path lies above the higher end")
    point, mode = points[top], points[top + 1].x - points[top - 1].x
    mode /= np.linalg.norm(mode)
    hessian = start_hessian(surface.hessian_guess(images[top]), point, mode, [points[top - 1], points[top + 1]])
    before = surface.calls
    guide = _reaction_direction(context)
    for _ in range(ATTEMPTS):
        remaining = context.max_calls - (surface.calls - before)
        point, mode, hessian = follow_mode(surface, point, hessian, mode, context.fmax, remaining, guide)
        if point.max_force > context.fmax:
            calls = surface.calls - before
            reason = f"the largest force is {point.max_force:.2f} eV/A after {calls} calls of eigenvector following"
            return _outcome_without_saddle(context, images, reason)
        downhill = _downhill_mode(surface, point, hessian, mode)
        if downhill is None:
            return _outcome_in_minimum(context, images, point)
        status, reason, minima = _relax_to_both_sides(context, point, downhill)
        if status != VERIFIED and len(minima) < 2:  # the saddle point is not used, and needs no Hessian
            return SearchOutcome(status, reason, point, minima=minima)
        modes = _imaginary_modes(context, point, hessian)
        wavenumbers, hessian = modes.wavenumbers_cm, modes.hessian
        if len(wavenumbers) == 1:
            reason = f"{reason}; one imaginary mode"
            return SearchOutcome(status, reason, point, wavenumbers, modes.moved_atoms, minima)
        if not wavenumbers:
            return _outcome_without_saddle(context, images, "eigenvector following ended where no mode is imaginary")
        written = ", ".join(f"{-wavenumber:.0f}i" for wavenumber in wavenumbers)
        reason = f"{len(wavenumbers)} imaginary modes ({written} cm-1) of {modes.moved_atoms} atoms"
        outcome = SearchOutcome(SEVERAL, reason, point, wavenumbers, modes.moved_atoms)
        # The next attempt follows the first mode from a point that is displaced along the second one.
        mode = modes.directions[0]
        point = surface(point.x + PUSH_A * modes.directions[1] / longest(modes.directions[1]))
    return outcome


def _downhill_mode(
    surface: EnergySurface, point: Point, hessian: np.ndarray, followed: np.ndarray
) -> np.ndarray | None:
    """Return a mode with negative curvature: the followed mode, or the softest of the model Hessian, or None.

    Each of the two modes costs one force call.
    """
    basis = surface.internal_directions(point.x)
    softest = basis @ np.linalg.eigh(basis.T @ hessian @ basis)[1][:, 0]
    for mode in (followed, softest):
        change = surface(point.x + PROBE_A * mode).gradient - point.gradient
        if change @ mode < 0:
            return mode
    return None


def _reaction_direction(context: SearchContext) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that computes the direction in which the broken bonds lengthen and the formed bonds shorten.

    Rotations of a methyl group have no component along it; otherwise a search could follow one to an irrelevant saddle
    point. The direction is 0 if the step changes no bond.
    """
    initial, final = context.ends
    weights = {
        pair: float(np.sign(final.get_distance(*pair, mic=True) - initial.get_distance(*pair, mic=True)))
        for pair in changed_pairs(context, initial, final)
    }
    return partial(context.surface.stretch_direction, weights=weights)


def _imaginary_modes(context: SearchContext, point: Point, hessian: np.ndarray) -> SaddleModes:
    """Compute the Hessian of the atoms that move in the step, and its imaginary modes."""
    surface = context.surface
    structure = surface.structure(point.x, context.ends[0])
    far = [np.linalg.norm(displacements(structure, end), axis=1)[surface.free] > MOVED_A for end in context.ends]
    moved = np.flatnonzero(far[0] | far[1])
    structure.set_constraint()
    structure.calc = surface.atoms.calc
    curvature = partial_hessian(structure, surface.free[moved])
    context.calls["hessian"] += CALLS_PER_ATOM * len(moved)
    energies, modes = mode_energies(curvature, structure.get_masses()[surface.free[moved]])
    imaginary = np.einsum("im,ij,jm->m", modes, curvature, modes) / 2 < -SOFT_EV
    coordinates = coordinates_of(moved)
    directions = np.zeros((imaginary.sum(), len(hessian)))
    directions[:, coordinates] = modes[:, imaginary].T
    hessian = hessian.copy()
    hessian[np.ix_(coordinates, coordinates)] = curvature
    return SaddleModes((energies[imaginary] / INVERSE_CM_EV).tolist(), directions, len(moved), hessian)


def _relax_to_both_sides(context: SearchContext, saddle: Point, mode: np.ndarray) -> tuple[str, str, tuple[Atoms, ...]]:
    """Relax from both sides of a saddle point; return the status, the reason, and the minima if they are not the ends.

    A saddle point that leads to the same minimum on both sides is a rotation. That minimum is returned once, or not at
    all if it is an end.
    """
    push = PUSH_A * mode / longest(mode)
    starts = [context.surface.structure(saddle.x + sign * push, context.ends[0]) for sign in (1, -1)]
    first, second = [quench(context, start, saddle.energy) for start in starts]
    heights = [saddle.energy - end.get_potential_energy() for end in context.ends]
    if {first.side, second.side} == {0, 1}:
        if min(heights) < NO_BARRIER_EV:
            side = SIDES[int(np.argmin(heights))]
            return BARRIERLESS, f"the saddle lies {min(heights):+.3f} eV from the {side} state", ()
        return VERIFIED, "relaxes into the initial and the final state", ()
    reason = f"the saddle relaxes into {first.description} and {second.description}"
    if first.atoms is None or second.atoms is None:
        return NOT_CONVERGED, reason, ()
    if not same_state(context, first.atoms, second.atoms):
        return WRONG_ENDS, reason, (first.atoms, second.atoms)
    is_end = first.side is not None or second.side is not None
    return WRONG_ENDS, reason, () if is_end else (first.atoms,)


def _outcome_in_minimum(context: SearchContext, images: Sequence[Atoms], point: Point) -> SearchOutcome:
    """Return the outcome if no mode has negative curvature: the search has ended in a minimum or in one of the ends."""
    basin = quench(context, context.surface.structure(point.x, context.ends[0]), point.energy)
    reason = f"eigenvector following ended in {basin.description}"
    if basin.side is None and basin.atoms is not None:
        return SearchOutcome(NOT_CONVERGED, reason, minima=(basin.atoms,))
    return _outcome_without_saddle(context, images, reason)


def _outcome_without_saddle(context: SearchContext, images: Sequence[Atoms], reason: str) -> SearchOutcome:
    """Return the outcome if no saddle point was found.

    The higher end is pushed along the path and relaxed. If it relaxes into the lower end, the step has no barrier; it
    may also relax into a minimum between the ends.
    """
    higher = int(np.argmax([end.get_potential_energy() for end in context.ends]))
    positions = [atoms.positions for atoms in (reversed(images) if higher else images)]
    steps = [image_positions - positions[0] for image_positions in positions[1:]]
    step = next((step for step in steps if longest(step) > END_PUSH_A), steps[-1])
    start = context.ends[0].copy()
    start.set_positions(positions[0] + min(1.0, END_PUSH_A / longest(step)) * step, apply_constraint=False)
    basin = quench(context, start, context.ends[higher].get_potential_energy())
    relaxed = f"the {SIDES[higher]} state, pushed {END_PUSH_A} A along the path, relaxes into {basin.description}"
    if basin.side == 1 - higher:
        return SearchOutcome(BARRIERLESS, relaxed)
    minima = (basin.atoms,) if basin.side is None and basin.atoms is not None else ()
    return SearchOutcome(NOT_CONVERGED, f"{reason}; {relaxed}", minima=minima)
