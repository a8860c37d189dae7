"""Transition states: found with few force calls, then verified; what is not verified is not called a barrier."""

import time
from collections import Counter
from collections.abc import Sequence

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
from qdsurf.saddles.energy_surface import Surface
from qdsurf.saddles.interpolation import assert_path_ends
from qdsurf.saddles.search_context import Search
from qdsurf.saddles.state_comparison import SIDES, bond_words, changed_pairs, same_state, state_defining_bonds
from qdsurf.saddles.verification import (
    BARRIERLESS,
    NO_BARRIER_EV,
    NOT_CONVERGED,
    SAME_STATE,
    VERIFIED,
    WRONG_ENDS,
    Verdict,
    find_between,
)

SAME_A = 0.5  # two ends of a path are the same state only if no atom moves farther
CONFORMERS = "the same bonds"
METHOD = "eigenvector_following"  # as `barrier_source` in steps.csv
# Of a step that has minima on its way, the first one included; and no search begins after so many times `max_calls`.
SEARCHES, BUDGET = 6, 15


def find_saddle(
    initial: Atoms,
    final: Atoms,
    calculator: Calculator,
    fmax: float = 0.05,
    max_calls: int = 100,
    through: Sequence[Atoms] = (),
) -> tuple[list[Atoms], dict]:
    """Find and verify the transition state between two minima.

    A path, geodesic or driven, is climbed from its highest image along its tangent. Verified is a
    saddle whose partial Hessian has one imaginary mode and which relaxes into both ends when pushed either way along
    that mode. Where it relaxes into other minima, the ways from the ends to these are searched too; verified is the
    whole when all its parts are.
    In a step that changes bonds, conformers count as one state (see `state_defining_bonds`): they
    are taken to interchange freely, unsearched, and the reason says so.

    Parameters
    ----------
    initial, final : the same atoms in the same order; FixAtoms are kept. They are relaxed where they are not.
    calculator : any of ASE's.
    fmax : largest force on an atom at the minima and at the saddle, eV/A.
    max_calls : force calls of the climb.
    through : structures on the way, such as those of a driven path; without them, like groups of the final state may
        trade names with each other (`compute.mapping`).

    Returns
    -------
    structures : initial state, transition state where there is one, final state, and the same of all parts where there
        are minima between; each with energy and `info["state"]`.
    result : `status` (one of `STATUSES`), `reason`, `barrier_eV` and `reverse_barrier_eV` (`energetic_span` of the way;
        None unless verified or barrierless), `energies_eV`, `imaginary_modes_cm`, `moved_atoms` of the Hessian,
        `force_calls` by purpose and in total, and what identifies the run.

    Raises
    ------
    InputError : the two are not the same atoms in the same cell.
    """
    assert_path_ends(initial, final)
    began, calls = time.perf_counter(), Counter()
    ends, verdict, way = [], None, None
    for given, side in zip((initial, final), SIDES, strict=True):
        relaxed, result = relax_one(given, calculator, fmax, 2 * max_calls)
        calls["ends"] += result["force_calls"]
        ends.append(relaxed)
        if not result["converged"]:
            verdict = verdict or Verdict(NOT_CONVERGED, f"the {side} state: {result['reason']}")
    surface = Surface(initial, calculator)
    try:
        search = Search(ends, surface, fmax, max_calls, calls, state_defining_bonds(final))
        verdict = verdict or _refuse_ends(search, (initial, final))
        if verdict is None:
            if changed_pairs(search, *ends) and not through:
                ends[1] = match_groups(*ends)
            way, verdict = _connect(search._replace(telling=state_defining_bonds(ends[1])), through)
    except CalculationError as error:
        verdict = Verdict(NOT_CONVERGED, f"failed: {error}")
    calls["climb"] = surface.calls - calls["path"]
    structures = _structures(way or [ends[0], verdict, ends[1]])
    return structures, _result(structures, verdict, calls) | {
        "input_hash": [content_hash(initial), content_hash(final)],
        "wall_s": round(time.perf_counter() - began, 2),
        "qdsurf_version": qdsurf.__version__,
    }


def find_step(
    initial: Sequence[Atoms], final: Sequence[Atoms], calculator: Calculator, fmax: float
) -> tuple[list[Atoms], dict]:
    """`find_saddle` between states that were selected, or the reason why not: either list may be empty."""
    for side, states in zip(SIDES, (initial, final), strict=True):
        if not states:
            verdict = Verdict(NOT_CONVERGED, f"there is no {side} state to start from")
            return [], _result([], verdict, Counter())
    path, result = find_saddle(initial[0], final[0], calculator, fmax)
    print(f"{result['status']}: {result['reason']}; {result['force_calls']}", flush=True)
    return path, result


def _refuse_ends(search: Search, given: Sequence[Atoms]) -> Verdict | None:
    """Ends that are not what they were meant to be, or not two."""
    for side, before, after, other in zip(SIDES, given, search.ends, reversed(search.ends), strict=True):
        if changed := changed_pairs(search, before, after):
            back = " into the other" if same_state(search, after, other) else ""
            return Verdict(WRONG_ENDS, f"the {side} state relaxes{back}: {bond_words(after, changed)} changed")
    if same_state(search, *search.ends) and longest(displacements(*search.ends)) < SAME_A:
        return Verdict(SAME_STATE, "both ends have the same bonds and the same energy; give two different minima")
    return None


def _connect(search: Search, through: Sequence[Atoms]) -> tuple[list[Atoms | Verdict] | None, Verdict]:
    """Search until all minima on the way are joined: minima and verdicts in turn, and the verdict on the whole."""
    way: list = [search.ends[0], None, search.ends[1]]
    for number in range(SEARCHES):
        gap = way.index(None)
        found = find_between(search._replace(ends=[way[gap - 1], way[gap + 1]]), () if number else through)
        if found.below:
            way[gap : gap + 1] = _detour(search, way[gap - 1], found, way[gap + 1])
        elif found.status in (VERIFIED, BARRIERLESS):
            way[gap] = found
        else:
            return None, found if len(way) == 3 else found._replace(
                reason=f"beyond a minimum on the way: {found.reason}"
            )
        if None not in way:
            way = _direct(way)
            return way, _whole(way)
        print(f"search {number + 1}: {found.reason}", flush=True)
        if search.surface.calls + search.calls["downhill"] + search.calls["hessian"] > BUDGET * search.max_calls:
            break
    return None, found._replace(reason=f"{found.reason}; given up after {number + 1} searches")


def _detour(search: Search, left: Atoms, found: Verdict, right: Atoms) -> list[Atoms | Verdict | None]:
    """What takes the place of a gap: a saddle and the minima beside it, and what is still to be joined to them.

    A saddle that falls into one minimum on both sides is a turn of that minimum, which alone is kept.
    """
    if len(found.below) == 1:
        return [_between(search, left, found.below[0]), found.below[0], _between(search, found.below[0], right)]
    first, second = found.below
    if _apart(search, (left, first), (second, right)) > _apart(search, (left, second), (first, right)):
        first, second = second, first
    before = [] if same_state(search, left, first) else [_between(search, left, first), first]
    after = [] if same_state(search, second, right) else [second, _between(search, second, right)]
    joined = BARRIERLESS if found.status == BARRIERLESS or found.saddle is None else VERIFIED
    return [*before, found._replace(status=joined, below=()), *after]


def _apart(search: Search, *pairs: tuple[Atoms, Atoms]) -> tuple[int, float]:
    """How many bonds of pairs of structures differ, and where these are the same, how far atoms move, in A."""
    bonds = sum(len(changed_pairs(search, *pair)) for pair in pairs)
    return bonds, sum(longest(displacements(*pair)) for pair in pairs)


def _between(search: Search, one: Atoms, other: Atoms) -> Verdict | None:
    """What joins two minima before any search: nothing, unless they are conformers in a step that changes bonds."""
    conformers = changed_pairs(search, *search.ends) and not changed_pairs(search, one, other)
    return Verdict(BARRIERLESS, CONFORMERS) if conformers else None


def _direct(way: Sequence[Atoms | Verdict]) -> list[Atoms | Verdict]:
    """A way without the minima between two others that they are conformers of: those interchange as freely."""
    direct = [way[0]]
    for part, minimum in zip(way[1::2], way[2::2], strict=True):
        if len(direct) > 1 and part.reason == direct[-2].reason == CONFORMERS:
            direct[-1] = minimum
        else:
            direct += [part, minimum]
    return direct


def _whole(way: Sequence[Atoms | Verdict]) -> Verdict:
    """The verdict on a way whose parts are all known: that of the saddle that ends its largest rise.

    A way through conformers may rise most to a minimum: then no saddle decides, and its modes are nobody's.
    """
    parts = way[1::2]
    if len(parts) == 1:
        return parts[0]
    start = way[0].get_potential_energy()
    words = ", ".join(f"{minimum.get_potential_energy() - start:+.2f}" for minimum in way[2:-1:2])
    words = f"minima at {words} eV on the way"
    if any(part.reason == CONFORMERS for part in parts):
        words += ", of which those with the bonds of a neighbour are taken to interchange freely with it"
    places = [k for k, part in enumerate(way) if isinstance(part, Atoms) or part.saddle is not None]
    heights = [way[k].get_potential_energy() if k % 2 == 0 else way[k].saddle.energy for k in places]
    span, deciding = energetic_span(heights)
    if span < max(0.0, heights[-1] - heights[0]) + NO_BARRIER_EV:
        return Verdict(BARRIERLESS, f"no rise before a saddle; {words}")
    saddles = sum(part.status == VERIFIED for part in parts)
    if not saddles:
        return Verdict(
            NOT_CONVERGED, f"the largest rise leads through conformers, and no saddle is on the way; {words}"
        )
    count = "one saddle with" if saddles == 1 else f"{saddles} saddles, each with"
    top = way[places[deciding]]
    if isinstance(top, Atoms):
        where = "the final state" if top is way[-1] else "one of these"
        top, words = Verdict(VERIFIED, ""), f"{words}; the largest rise ends in {where}"
    return top._replace(status=VERIFIED, reason=f"{count} one imaginary mode, {words}")


def energetic_span(energies: Sequence[float]) -> tuple[float, int]:
    """The largest rise from a minimum to what comes after it (10.1021/ar1000956), and the number of its end.

    A minimum on the way that lies below the initial state holds the step up: the way on begins there.
    """
    lowest = np.minimum.accumulate(energies)
    deciding = int(np.argmax(energies - lowest))
    return float(energies[deciding] - lowest[deciding]), deciding


def _structures(way: Sequence[Atoms | Verdict]) -> list[Atoms]:
    """The states on a way with their energies and names; parts without a saddle leave no structure."""
    structures = []
    for part in way:
        if isinstance(part, Atoms):
            structures.append(part)
            annotation.note(part, state="minimum")
        elif part.saddle is not None:
            top = Surface(way[0], None).structure(part.saddle.x, way[0])
            top.calc = SinglePointCalculator(top, energy=part.saddle.energy)
            annotation.note(top, state="saddle")
            structures.append(top)
    for atoms, side in zip((structures[0], structures[-1]), SIDES, strict=True):
        annotation.note(atoms, state=side)
    for kind in ("saddle", "minimum"):
        several = [atoms for atoms in structures if annotation.noted(atoms, "state") == kind]
        for number, atoms in enumerate(several[: len(several) if len(several) > 1 else 0]):
            annotation.note(atoms, state=f"{kind} {number + 1}")
    return structures


def _result(structures: Sequence[Atoms], verdict: Verdict, calls: Counter) -> dict:
    """Plain data of a search; numbers only where they were verified."""
    energies = {
        annotation.noted(atoms, "state"): float(atoms.get_potential_energy()) for atoms in structures if atoms.calc
    }
    barriers = None, None
    if verdict.status in (VERIFIED, BARRIERLESS):
        heights = list(energies.values())
        barriers = energetic_span(heights)[0], energetic_span(heights[::-1])[0]
    return {
        "method": METHOD,
        "status": verdict.status,
        "reason": verdict.reason,
        "barrier_eV": barriers[0],
        "reverse_barrier_eV": barriers[1],
        "energies_eV": energies,
        "max_force_eV_per_A": None if verdict.saddle is None else verdict.saddle.max_force,
        "imaginary_modes_cm": list(verdict.imaginary_cm),
        "moved_atoms": verdict.moved_atoms,
        "force_calls": dict(calls) | {"total": sum(calls.values())},
    }
