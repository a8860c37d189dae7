"""One search between two minima: a climb from the top of a path, its saddle verified, and what lies on both sides."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.relaxation.coordinates import coordinates_of, displacements, longest
from qdsurf.relaxation.vibrations import CALLS_AN_ATOM, mode_energies, partial_hessian
from qdsurf.saddles.eigenvector_following import follow_mode, start_hessian
from qdsurf.saddles.energy_surface import Point, Surface
from qdsurf.saddles.initial_paths import Way, find_ways, highest
from qdsurf.saddles.quench import fall
from qdsurf.saddles.search_context import Search
from qdsurf.saddles.state_comparison import SIDES, changed_pairs, same_state
from qdsurf.units import INVERSE_CM_EV

VERIFIED, BARRIERLESS, SEVERAL, WRONG_ENDS, NOT_CONVERGED, SAME_STATE = STATUSES = (
    "verified", "barrierless", "several_imaginary_modes", "wrong_ends", "not_converged", "same_state",
)  # fmt: skip
# A mode that falls by less than this over 1 A, half of kT at room temperature, is a free turn and no way to react. In
# wavenumbers the limit would hide the hop of a heavy atom, which falls steeply and slowly.
SOFT_EV = 0.01
NO_BARRIER_EV = 0.005  # a saddle that is not this much above the higher end is none: energies are not surer
MOVES_A = 0.1  # atoms that move more than this between the three states are in the Hessian
PROBE_A = 0.05  # along the mode, to see whether it falls
PUSH_A = 0.15  # off the saddle, the farthest atom
SLIDE_A = 0.3  # along the path from an end that may be no minimum
ATTEMPTS = 2  # Hessians, where the first shows a saddle of higher order


class Verdict(NamedTuple):
    """What a search came to: one of `STATUSES`, a sentence, and the saddle with its imaginary modes."""

    status: str
    reason: str
    saddle: Point | None = None
    imaginary_cm: Sequence[float] = ()
    moved_atoms: int = 0
    below: Sequence[Atoms] = ()  # minima beside a saddle that does not join the ends: two, or one that is on both sides


def find_between(search: Search, through: Sequence[Atoms]) -> Verdict:
    """Climb from the tops of several paths, one after the other, until one leads somewhere."""
    found = None
    for way in find_ways(search, through):
        if found:
            print(f"another path is taken, for {found.reason}", flush=True)
        found = _climb(search._replace(ends=way.ends), way)
        joined = found.status in (VERIFIED, BARRIERLESS)
        if way.ends[1] is not search.ends[1]:  # but a minimum on the way
            found = found._replace(below=found.below or (way.ends if joined else way.ends[1:]))
        if joined or found.below:
            break
    return found


def _climb(search: Search, way: Way) -> Verdict:
    """Climb from the top of a path and verify what is found there; a path that is nowhere above its ends has no top."""
    surface, (_, path, points) = search.surface, way
    top, before = highest(search, way), surface.calls
    least = max(end.get_potential_energy() for end in search.ends) + NO_BARRIER_EV
    if top in (0, len(path) - 1) or points[top].energy < least:  # then there may be a hill elsewhere
        points |= {k: surface(surface.flat(path[k].positions)) for k in range(len(path)) if k not in points}
        top = max(range(1, len(path) - 1), key=lambda k: points[k].energy)
    search.calls["path"] += surface.calls - before
    if points[top].energy < least:
        return Verdict(BARRIERLESS, f"none of {len(path)} images of the path lies above the higher end")
    point, mode = points[top], points[top + 1].x - points[top - 1].x
    mode /= np.linalg.norm(mode)
    hessian = start_hessian(surface.guess(path[top]), point, mode, [points[top - 1], points[top + 1]])
    before = surface.calls
    toward = _reaction_direction(search)
    for _ in range(ATTEMPTS):
        left = search.max_calls - (surface.calls - before)
        point, mode, hessian = follow_mode(surface, point, hessian, mode, search.fmax, left, toward)
        if point.max_force > search.fmax:
            words = f"a force of {point.max_force:.2f} eV/A is left after {surface.calls - before} calls of the climb"
            return _slide(search, path, words)
        mode = _falling_mode(surface, point, hessian, mode)
        if mode is None:
            return _valley(search, path, point)
        status, reason, below = _descend(search, point, mode)
        if status != VERIFIED and len(below) < 2:  # no saddle that is to be kept: it needs no Hessian
            return Verdict(status, reason, point, below=below)
        imaginary, directions, moved, hessian = _imaginary_modes(search, point, hessian)
        found = {"saddle": point, "imaginary_cm": imaginary, "moved_atoms": moved}
        if len(imaginary) == 1:
            return Verdict(status, f"{reason}; one imaginary mode", **found, below=below)
        if not imaginary:
            return _slide(search, path, "the climb ended where no mode is imaginary")
        mode = directions[0]
        point = surface(point.x + PUSH_A * directions[1] / longest(directions[1]))
    words = ", ".join(f"{-mode:.0f}i" for mode in imaginary)
    return Verdict(SEVERAL, f"{len(imaginary)} imaginary modes ({words} cm-1) of {moved} atoms", **found)


def _falling_mode(surface: Surface, point: Point, hessian: np.ndarray, followed: np.ndarray) -> np.ndarray | None:
    """The mode that was followed, else the softest of the model Hessian, if the energy falls along it; a call each."""
    shapes = surface.shapes(point.x)
    softest = shapes @ np.linalg.eigh(shapes.T @ hessian @ shapes)[1][:, 0]
    falls = lambda mode: (surface(point.x + PROBE_A * mode).gradient - point.gradient) @ mode < 0  # noqa: E731
    return next(filter(falls, (followed, softest)), None)


def _reaction_direction(search: Search) -> Callable[[np.ndarray], np.ndarray]:
    """The direction in which bonds that the step breaks grow, and those that it forms shrink; 0 if it changes none.

    A methyl group that turns has no part in it, which a climb would else follow into a saddle of no interest.
    """
    initial, final = search.ends
    grow = {
        pair: float(np.sign(final.get_distance(*pair, mic=True) - initial.get_distance(*pair, mic=True)))
        for pair in changed_pairs(search, initial, final)
    }
    return partial(search.surface.stretch, pairs=grow)


def _imaginary_modes(
    search: Search, point: Point, hessian: np.ndarray
) -> tuple[list[float], np.ndarray, int, np.ndarray]:
    """Imaginary modes in cm-1, their directions, the number of atoms in the Hessian, and the one of all free atoms."""
    surface = search.surface
    structure = surface.structure(point.x, search.ends[0])
    moved = [np.linalg.norm(displacements(structure, end), axis=1)[surface.free] > MOVES_A for end in search.ends]
    moved = np.flatnonzero(moved[0] | moved[1])
    structure.set_constraint()
    structure.calc = surface.atoms.calc
    curvature = partial_hessian(structure, surface.free[moved])
    search.calls["hessian"] += CALLS_AN_ATOM * len(moved)
    energies, modes = mode_energies(curvature, structure.get_masses()[surface.free[moved]])
    imaginary = np.einsum("im,ij,jm->m", modes, curvature, modes) / 2 < -SOFT_EV
    rows = coordinates_of(moved)
    directions = np.zeros((imaginary.sum(), len(hessian)))
    directions[:, rows] = modes[:, imaginary].T
    hessian = hessian.copy()
    hessian[np.ix_(rows, rows)] = curvature
    return (energies[imaginary] / INVERSE_CM_EV).tolist(), directions, len(moved), hessian


def _descend(search: Search, saddle: Point, mode: np.ndarray) -> tuple[str, str, list[Atoms]]:
    """Relax from both sides of a saddle and say whether that leads to both ends, else to which two minima."""
    push = PUSH_A * mode / longest(mode)
    fallen = [
        fall(search, search.surface.structure(saddle.x + sign * push, search.ends[0]), saddle.energy)
        for sign in (1, -1)
    ]
    heights = [saddle.energy - end.get_potential_energy() for end in search.ends]
    if {one.side for one in fallen} == {0, 1}:
        if min(heights) < NO_BARRIER_EV:
            words = f"the saddle lies {min(heights):+.3f} eV from the {SIDES[int(np.argmin(heights))]} state"
            return BARRIERLESS, words, []
        return VERIFIED, "relaxes into the initial and the final state", []
    words = f"downhill from the saddle lie {fallen[0].words} and {fallen[1].words}"
    below = [one.atoms for one in fallen]
    if None in below:
        return NOT_CONVERGED, words, []
    if same_state(search, *below):  # a turn; the minimum is of use unless it is an end
        below = below[:1] if fallen[0].side is None and fallen[1].side is None else []
    return WRONG_ENDS, words, below


def _valley(search: Search, path: Sequence[Atoms], point: Point) -> Verdict:
    """The climb ended where nothing falls: a minimum on the way, or one of the ends."""
    fallen = fall(search, search.surface.structure(point.x, search.ends[0]), point.energy)
    words = f"the climb ended in {fallen.words}"
    if fallen.side is None and fallen.atoms is not None:
        return Verdict(NOT_CONVERGED, words, below=[fallen.atoms])
    return _slide(search, path, words)


def _slide(search: Search, path: Sequence[Atoms], reason: str) -> Verdict:
    """No saddle was found: see whether the higher end, pushed along the path, falls into the other or halfway."""
    higher = int(np.argmax([end.get_potential_energy() for end in search.ends]))
    way = [atoms.positions for atoms in (reversed(path) if higher else path)]
    steps = [positions - way[0] for positions in way[1:]]
    step = next((step for step in steps if longest(step) > SLIDE_A), steps[-1])
    start = search.ends[0].copy()
    start.set_positions(way[0] + min(1.0, SLIDE_A / longest(step)) * step, apply_constraint=False)
    fallen = fall(search, start, search.ends[higher].get_potential_energy())
    words = f"the {SIDES[higher]} state, pushed {SLIDE_A} A along the path, falls into {fallen.words}"
    if fallen.side == 1 - higher:
        return Verdict(BARRIERLESS, words)
    below = [fallen.atoms] if fallen.side is None and fallen.atoms is not None else []
    return Verdict(NOT_CONVERGED, f"{reason}; {words}", below=below)
