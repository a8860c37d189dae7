"""Search for the transition state of a step; a barrier is reported only after verification."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

import qdsurf
from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import content_hash
from qdsurf.errors import CalculationError
from qdsurf.relaxation.coordinates import displacements, longest
from qdsurf.relaxation.relax import relax_one
from qdsurf.saddles.atom_mapping import match_groups
from qdsurf.saddles.energy_surface import EnergySurface
from qdsurf.saddles.interpolation import assert_path_ends
from qdsurf.saddles.result import SaddleResult
from qdsurf.saddles.search_context import SearchContext
from qdsurf.saddles.state_comparison import SIDES, changed_pairs, format_bonds, same_state, state_defining_bonds
from qdsurf.saddles.verification import (
    BARRIERLESS,
    NO_BARRIER_EV,
    NOT_CONVERGED,
    SAME_STATE,
    VERIFIED,
    WRONG_ENDS,
    SearchOutcome,
    find_between,
)

LOGGER = logging.getLogger(__name__)
# Two ends of a path are the same state only if no atom moves farther than this between them.
SAME_STATE_A = 0.5
# Reason of a segment that joins two conformers without a search.
CONFORMERS = "the same bonds"
# A step that has minima between its ends is searched segment by segment: at most this number of searches, the first one
# included, and no new search after this multiple of `max_calls` force calls.
MAX_SEARCHES, MAX_BUDGET = 6, 15


@dataclass(frozen=True)
class ReactionPath:
    """Minima from the initial to the final state, and the search between each two neighbours.

    Attributes
    ----------
    minima : tuple of Atoms
        Relaxed structures with energies, at least two.
    segments : tuple of SearchOutcome or None
        Segment k joins the minima k and k + 1; None if it has not been searched.
    """

    minima: tuple[Atoms, ...]
    segments: tuple[SearchOutcome | None, ...]

    @property
    def outcomes(self) -> tuple[SearchOutcome, ...]:
        """Outcomes of the segments that have been searched."""
        return tuple(segment for segment in self.segments if segment is not None)

    @property
    def is_complete(self) -> bool:
        """Whether all segments have been searched."""
        return None not in self.segments

    def with_segment(self, number: int, part: "ReactionPath") -> "ReactionPath":
        """Return a path on which another path between the same two minima replaces one segment."""
        return ReactionPath(
            self.minima[:number] + part.minima + self.minima[number + 2 :],
            self.segments[:number] + part.segments + self.segments[number + 1 :],
        )


def find_saddle(
    initial: Atoms,
    final: Atoms,
    calculator: Calculator,
    fmax: float = 0.05,
    max_calls: int = 100,
    through: Sequence[Atoms] = (),
) -> SaddleResult:
    """Find and verify the transition state between two minima.

    The search starts from the highest image of a geodesic or driven path and follows the mode along the path. A saddle
    point is verified if its partial Hessian has one imaginary mode, and if it relaxes into both ends when it is
    displaced along that mode in either direction. If it relaxes into other minima, the segments between these and the
    ends are searched, too. The step is verified if all segments are verified.

    In a step that changes bonds, conformers count as one state (see `state_defining_bonds`). They are assumed to
    interchange freely and are not searched; the reason of the result mentions them.

    Parameters
    ----------
    initial, final : Atoms
        The same atoms in the same order; FixAtoms constraints are kept. They are relaxed first if necessary.
    calculator : Calculator
        Any ASE calculator.
    fmax : float
        Largest force on an atom at the minima and at the saddle point in eV/A.
    max_calls : int
        Largest number of force calls of one eigenvector following.
    through : sequence of Atoms
        Structures between the two states, such as those of a driven path. Without them, equivalent groups of the final
        state may be permuted (`qdsurf.saddles.atom_mapping`).

    Returns
    -------
    SaddleResult
        Has barriers if the saddle point was verified or if the step has no barrier, and always a reason.

    Raises
    ------
    InputError
        The two structures are not the same atoms in the same cell.
    """
    assert_path_ends(initial, final)
    began = time.perf_counter()
    calls: Counter[str] = Counter()
    outcome: SearchOutcome | None = None
    ends = []
    for given, side in zip((initial, final), SIDES, strict=True):
        relaxed = relax_one(given, calculator, fmax, 2 * max_calls)
        calls["ends"] += relaxed.force_calls
        ends.append(relaxed.atoms)
        if not relaxed.converged and outcome is None:
            outcome = SearchOutcome(NOT_CONVERGED, f"the {side} state: {relaxed.reason}")
    start, end = ends
    surface = EnergySurface(initial, calculator)
    path: ReactionPath | None = None
    try:
        context = SearchContext((start, end), surface, fmax, max_calls, calls, state_defining_bonds(final))
        if outcome is None:
            outcome = _assess_ends(context, (initial, final))
        if outcome is None:
            if changed_pairs(context, start, end) and not through:
                end = match_groups(start, end)
            context = replace(context, ends=(start, end), state_defining=state_defining_bonds(end))
            path, outcome = _search_segments(context, through)
    except CalculationError as error:
        outcome = SearchOutcome(NOT_CONVERGED, f"failed: {error}")
    calls["climb"] = surface.calls - calls["path"]
    structures = _label_structures(path or ReactionPath((start, end), (outcome,)))
    return replace(
        _result(structures, outcome, calls),
        input_hash=(content_hash(initial), content_hash(final)),
        wall_s=round(time.perf_counter() - began, 2),
        qdsurf_version=qdsurf.__version__,
    )


def find_step(initial: Sequence[Atoms], final: Sequence[Atoms], calculator: Calculator, fmax: float) -> SaddleResult:
    """Find the saddle point between two selected states.

    Parameters
    ----------
    initial, final : sequence of Atoms
        The first structure of each is used. Either may be empty if no structure of the state was found.
    calculator : Calculator
        Any ASE calculator.
    fmax : float
        Largest force on an atom at the minima and at the saddle point in eV/A.

    Returns
    -------
    SaddleResult
        The status is `not_converged` if a state is missing.

    Raises
    ------
    InputError
        The two structures are not the same atoms in the same cell.
    """
    for side, states in zip(SIDES, (initial, final), strict=True):
        if not states:
            return SaddleResult(NOT_CONVERGED, f"there is no {side} state to start from", force_calls={"total": 0})
    result = find_saddle(initial[0], final[0], calculator, fmax)
    calls = ", ".join(f"{purpose} {number}" for purpose, number in result.force_calls.items())
    LOGGER.info("saddle: %s: %s; force calls: %s", result.status, result.reason, calls)
    return result


def _assess_ends(context: SearchContext, given: tuple[Atoms, Atoms]) -> SearchOutcome | None:
    """Return the outcome if the relaxation has changed an end or if both ends are the same state, otherwise None."""
    for side, before, after, other in zip(SIDES, given, context.ends, reversed(context.ends), strict=True):
        if changed := changed_pairs(context, before, after):
            into = " into the other" if same_state(context, after, other) else ""
            return SearchOutcome(WRONG_ENDS, f"the {side} state relaxes{into}: {format_bonds(after, changed)} changed")
    if same_state(context, *context.ends) and longest(displacements(*context.ends)) < SAME_STATE_A:
        return SearchOutcome(SAME_STATE, "both ends have the same bonds and the same energy; give two different minima")
    return None


def _search_segments(context: SearchContext, through: Sequence[Atoms]) -> tuple[ReactionPath | None, SearchOutcome]:
    """Search until all minima between the ends are joined; return the path, if it is complete, and its outcome."""
    path = ReactionPath(context.ends, (None,))
    for number in range(1, MAX_SEARCHES + 1):
        gap = path.segments.index(None)
        left, right = path.minima[gap : gap + 2]
        outcome = find_between(replace(context, ends=(left, right)), through if number == 1 else ())
        if outcome.minima:
            path = path.with_segment(gap, _split_segment(context, left, outcome, right))
        elif outcome.status in (VERIFIED, BARRIERLESS):
            path = path.with_segment(gap, ReactionPath((left, right), (outcome,)))
        elif len(path.segments) == 1:
            return None, outcome
        else:
            return None, replace(outcome, reason=f"beyond a minimum on the path: {outcome.reason}")
        if path.is_complete:
            path = _merge_conformers(path)
            return path, _summarise(path)
        LOGGER.info("saddle: search %d: %s", number, outcome.reason)
        calls = context.surface.calls + context.calls["downhill"] + context.calls["hessian"]
        if calls > MAX_BUDGET * context.max_calls:
            break
    return None, replace(outcome, reason=f"{outcome.reason}; given up after {number} searches")


def _split_segment(context: SearchContext, left: Atoms, outcome: SearchOutcome, right: Atoms) -> ReactionPath:
    """Return the path between two minima on which a search has found other minima.

    If there is one, it is a minimum on the path or the only minimum beside a saddle point; such a saddle point is a
    rotation and is not kept. If there are two, they lie on the two sides of a saddle point.
    """
    if len(outcome.minima) == 1:
        (middle,) = outcome.minima
        return ReactionPath(
            (left, middle, right), (_join_conformers(context, left, middle), _join_conformers(context, middle, right))
        )
    first, second = outcome.minima
    straight = _total_difference(context, (left, first), (second, right))
    if straight > _total_difference(context, (left, second), (first, right)):
        first, second = second, first
    joined = BARRIERLESS if outcome.status == BARRIERLESS or outcome.saddle is None else VERIFIED
    minima: list[Atoms] = [left]
    segments: list[SearchOutcome | None] = []
    if not same_state(context, left, first):
        minima.append(first)
        segments.append(_join_conformers(context, left, first))
    segments.append(replace(outcome, status=joined, minima=()))
    if not same_state(context, second, right):
        minima.append(second)
        segments.append(_join_conformers(context, second, right))
    return ReactionPath((*minima, right), tuple(segments))


def _total_difference(context: SearchContext, *pairs: tuple[Atoms, Atoms]) -> tuple[int, float]:
    """Return in how many bonds pairs of structures differ, and how far atoms move between them in A."""
    bonds = sum(len(changed_pairs(context, *pair)) for pair in pairs)
    return bonds, sum(longest(displacements(*pair)) for pair in pairs)


def _join_conformers(context: SearchContext, one: Atoms, other: Atoms) -> SearchOutcome | None:
    """Return the segment between two conformers in a step that changes bonds; None for minima that need a search."""
    conformers = changed_pairs(context, *context.ends) and not changed_pairs(context, one, other)
    return SearchOutcome(BARRIERLESS, CONFORMERS) if conformers else None


def _merge_conformers(path: ReactionPath) -> ReactionPath:
    """Return a complete path without minima between two of their conformers, because these interchange as freely."""
    minima = [path.minima[0]]
    segments: list[SearchOutcome] = []
    for segment, minimum in zip(path.outcomes, path.minima[1:], strict=True):
        if segments and segment.reason == segments[-1].reason == CONFORMERS:
            minima[-1] = minimum
        else:
            segments.append(segment)
            minima.append(minimum)
    return ReactionPath(tuple(minima), tuple(segments))


def _summarise(path: ReactionPath) -> SearchOutcome:
    """Return the outcome of a complete path: that of the saddle point at the end of its largest rise in energy.

    If the largest rise ends in a minimum, because conformers interchange freely, there is no rate-limiting saddle point
    and no imaginary mode is reported.
    """
    outcomes = path.outcomes
    if len(outcomes) == 1:
        return outcomes[0]
    start = path.minima[0].get_potential_energy()
    energies = ", ".join(f"{minimum.get_potential_energy() - start:+.2f}" for minimum in path.minima[1:-1])
    description = f"minima at {energies} eV on the path"
    if any(outcome.reason == CONFORMERS for outcome in outcomes):
        description += ", of which those with the bonds of a neighbour are assumed to interchange freely with it"
    # Minima and saddle points in order: the energy of each, and the outcome of the search for a saddle point.
    heights: list[float] = [start]
    searches: list[SearchOutcome | None] = [None]
    for outcome, minimum in zip(outcomes, path.minima[1:], strict=True):
        if outcome.saddle is not None:
            heights.append(outcome.saddle.energy)
            searches.append(outcome)
        heights.append(minimum.get_potential_energy())
        searches.append(None)
    span, deciding = energetic_span(heights)
    if span < max(0.0, heights[-1] - heights[0]) + NO_BARRIER_EV:
        return SearchOutcome(BARRIERLESS, f"no rise before a saddle; {description}")
    verified = sum(outcome.status == VERIFIED for outcome in outcomes)
    if not verified:
        reason = f"the largest rise leads through conformers, and the path has no saddle; {description}"
        return SearchOutcome(NOT_CONVERGED, reason)
    count = "one saddle with" if verified == 1 else f"{verified} saddles, each with"
    reason = f"{count} one imaginary mode, {description}"
    decisive = searches[deciding]
    if decisive is not None:
        return replace(decisive, status=VERIFIED, reason=reason)
    where = "the final state" if deciding == len(heights) - 1 else "one of these"
    return SearchOutcome(VERIFIED, f"{reason}; the largest rise ends in {where}")


def energetic_span(energies: Sequence[float]) -> tuple[float, int]:
    """Find the largest rise in energy from a minimum to a later point of a path.

    A minimum that lies below the initial state traps the step: the rise begins there.

    Parameters
    ----------
    energies : sequence of float
        Energies of minima and saddle points in order, in eV.

    Returns
    -------
    span : float
        The rise in eV, at least 0.
    end : int
        Number of the point at which the rise ends.

    References
    ----------
    10.1021/ar1000956.
    """
    lowest = np.minimum.accumulate(energies)
    end = int(np.argmax(energies - lowest))
    return float(energies[end] - lowest[end]), end


def _label_structures(path: ReactionPath) -> list[Atoms]:
    """Return the minima and saddle points of a path in order with their energies and the note `state`."""
    structures = []
    for number, minimum in enumerate(path.minima):
        annotation.note(minimum, state="minimum")
        structures.append(minimum)
        segment = path.segments[number] if number < len(path.segments) else None
        if segment is not None and segment.saddle is not None:
            saddle = EnergySurface(path.minima[0], None).structure(segment.saddle.x, path.minima[0])
            saddle.calc = SinglePointCalculator(saddle, energy=segment.saddle.energy)
            annotation.note(saddle, state="saddle")
            structures.append(saddle)
    for atoms, side in zip((structures[0], structures[-1]), SIDES, strict=True):
        annotation.note(atoms, state=side)
    for kind in ("saddle", "minimum"):
        similar = [atoms for atoms in structures if annotation.noted(atoms, "state") == kind]
        if len(similar) > 1:
            for number, atoms in enumerate(similar, start=1):
                annotation.note(atoms, state=f"{kind} {number}")
    return structures


def _result(structures: Sequence[Atoms], outcome: SearchOutcome, calls: Counter[str]) -> SaddleResult:
    """Return the result of a search, with barriers only if it is verified or barrierless."""
    energies = {
        annotation.noted(atoms, "state"): float(atoms.get_potential_energy()) for atoms in structures if atoms.calc
    }
    barrier, reverse_barrier = None, None
    if outcome.status in (VERIFIED, BARRIERLESS):
        heights = list(energies.values())
        barrier, reverse_barrier = energetic_span(heights)[0], energetic_span(heights[::-1])[0]
    return SaddleResult(
        status=outcome.status,
        reason=outcome.reason,
        barrier_eV=barrier,
        reverse_barrier_eV=reverse_barrier,
        structures=tuple(structures),
        energies_eV=energies,
        max_force_eV_per_A=None if outcome.saddle is None else outcome.saddle.max_force,
        imaginary_modes_cm=tuple(outcome.imaginary_cm),
        moved_atoms=outcome.moved_atoms,
        force_calls=dict(calls) | {"total": sum(calls.values())},
    )
