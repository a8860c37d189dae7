"""Transition states: found with few force calls, then verified; what is not verified is not called a barrier."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

import qdsurf
from qdsurf.compute.ascent import Point, Surface, follow_mode, start_hessian
from qdsurf.compute.path import assert_path_ends, coordinates_of, displacements, geodesic_path, longest
from qdsurf.compute.relax import relax_one
from qdsurf.compute.string import relax_string
from qdsurf.compute.vibrations import CALLS_AN_ATOM, mode_energies, partial_hessian
from qdsurf.connectivity import differing_bonds
from qdsurf.errors import CalculationError
from qdsurf.structure_io import content_hash
from qdsurf.units import INVERSE_CM_EV

VERIFIED, BARRIERLESS, SEVERAL, WRONG_ENDS, NOT_CONVERGED, SAME_STATE = STATUSES = (
    "verified", "barrierless", "several_imaginary_modes", "wrong_ends", "not_converged", "same_state",
)  # fmt: skip
CONFORMERS = "the same bonds"
METHOD = "eigenvector_following"  # as `barrier_source` in steps.csv
SIDES = ("initial", "final")
# Two structures with the same bonds are the same state when their energies are this close: what then tells them apart
# is how a methyl group or a leaving molecule lies, or where a relaxation to 0.05 eV/A stopped.
SAME_EV = 0.05
SAME_A = 0.5  # and two ends of a path are the same state only if no atom moves farther
# A mode that falls by less than this over 1 A, half of kT at room temperature, is a free turn and no way to react. In
# wavenumbers the limit would hide the hop of a heavy atom, which falls steeply and slowly.
SOFT_EV = 0.01
NO_BARRIER_EV = 0.005  # a saddle that is not this much above the higher end is none: energies are not surer
MOVES_A = 0.1  # atoms that move more than this between the three states are in the Hessian
PUSH_A = 0.15  # off the saddle, the farthest atom
SLIDE_A = 0.3  # along the path from an end that may be no minimum
ATTEMPTS = 2  # Hessians, where the first shows a saddle of higher order
SEARCHES = 6  # of a step that has minima on its way; the first one included


class Verdict(NamedTuple):
    """What a search came to: one of `STATUSES`, a sentence, and the saddle with its imaginary modes."""

    status: str
    reason: str
    saddle: Point | None = None
    imaginary_cm: Sequence[float] = ()
    moved_atoms: int = 0
    below: Sequence[Atoms] = ()  # minima beside a saddle that does not join the ends: two, or one that is on both sides


class Search(NamedTuple):
    """What all parts of a search share; `calls` counts force calls by purpose."""

    ends: Sequence[Atoms]
    surface: Surface
    fmax: float
    max_calls: int
    calls: Counter


def find_saddle(
    initial: Atoms,
    final: Atoms,
    calculator: Calculator,
    fmax: float = 0.05,
    max_calls: int = 100,
    through: Sequence[Atoms] = (),
) -> tuple[list[Atoms], dict]:
    """Find and verify the transition state between two minima.

    The geodesic path is climbed from its highest image along its tangent. Verified is a saddle whose partial Hessian
    has one imaginary mode and which relaxes into both ends when pushed either way along that mode. Where it relaxes
    into other minima, the ways from the ends to these are searched too; verified is the whole when all its parts are.
    In a step that changes bonds, conformers count as one state: they are taken to interchange freely, unsearched, and
    the reason says so.

    Parameters
    ----------
    initial, final : the same atoms in the same order; FixAtoms are kept. They are relaxed where they are not.
    calculator : any of ASE's.
    fmax : largest force on an atom at the minima and at the saddle, eV/A.
    max_calls : force calls of the climb.
    through : structures on the way, such as those of a driven path.

    Returns
    -------
    structures : initial state, transition state where there is one, final state, and the same of all parts where there
        are minima between; each with energy and `info["state"]`.
    result : `status` (one of `STATUSES`), `reason`, `barrier_eV` and `reverse_barrier_eV` (None unless verified or
        barrierless), `energies_eV`, `imaginary_modes_cm`, `moved_atoms` of the Hessian, `force_calls` by purpose and
        in total, and what identifies the run.

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
        verdict = verdict or _refuse_ends((initial, final), ends)
        if verdict is None:
            way, verdict = _connect(Search(ends, surface, fmax, max_calls, calls), through)
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


def _refuse_ends(given: Sequence[Atoms], ends: Sequence[Atoms]) -> Verdict | None:
    """Ends that are not what they were meant to be, or not two."""
    for side, before, after, other in zip(SIDES, given, ends, reversed(ends), strict=True):
        if changed := differing_bonds(before, after):
            back = " into the other" if _same(after, other) else ""
            return Verdict(WRONG_ENDS, f"the {side} state relaxes{back}: {_words(after, changed)} changed")
    if _same(*ends) and longest(displacements(*ends)) < SAME_A:
        return Verdict(SAME_STATE, "both ends have the same bonds and the same energy; give two different minima")
    return None


def _connect(search: Search, through: Sequence[Atoms]) -> tuple[list[Atoms | Verdict] | None, Verdict]:
    """Search until all minima on the way are joined: minima and verdicts in turn, and the verdict on the whole."""
    way: list = [search.ends[0], None, search.ends[1]]
    for number in range(SEARCHES):
        gap = way.index(None)
        found = _search(search._replace(ends=[way[gap - 1], way[gap + 1]]), () if number else through)
        if found.below:
            way[gap : gap + 1] = _detour(search, way[gap - 1], found, way[gap + 1])
        elif found.status in (VERIFIED, BARRIERLESS):
            way[gap] = found
        else:
            return None, found if len(way) == 3 else found._replace(
                reason=f"beyond a minimum on the way: {found.reason}"
            )
        if None not in way:
            return way, _whole(way)
        print(f"search {number + 1}: {found.reason}", flush=True)
    return None, found._replace(reason=f"{found.reason}; given up after {SEARCHES} searches")


def _detour(search: Search, left: Atoms, found: Verdict, right: Atoms) -> list[Atoms | Verdict | None]:
    """What takes the place of a gap: a saddle and the minima beside it, and what is still to be joined to them.

    A saddle that falls into one minimum on both sides is a turn of that minimum, which alone is kept.
    """
    if len(found.below) == 1:
        return [_between(search, left, found.below[0]), found.below[0], _between(search, found.below[0], right)]
    first, second = found.below
    apart = [longest(displacements(*pair)) for pair in ((left, first), (second, right), (left, second), (first, right))]
    if apart[0] + apart[1] > apart[2] + apart[3]:
        first, second = second, first
    before = [] if _same(left, first) else [_between(search, left, first), first]
    after = [] if _same(second, right) else [second, _between(search, second, right)]
    return [*before, found._replace(status=VERIFIED, below=()), *after]


def _between(search: Search, one: Atoms, other: Atoms) -> Verdict | None:
    """What joins two minima before any search: nothing, unless they are conformers in a step that changes bonds."""
    conformers = differing_bonds(*search.ends) and not differing_bonds(one, other)
    return Verdict(BARRIERLESS, CONFORMERS) if conformers else None


def _whole(way: Sequence[Atoms | Verdict]) -> Verdict:
    """The verdict on a way whose parts are all known: that of its highest saddle."""
    parts = way[1::2]
    if len(parts) == 1:
        return parts[0]
    start = way[0].get_potential_energy()
    words = ", ".join(f"{minimum.get_potential_energy() - start:+.2f}" for minimum in way[2:-1:2])
    words = f"minima at {words} eV on the way"
    if any(part.reason == CONFORMERS for part in parts):
        words += ", of which those with the bonds of a neighbour are taken to interchange freely with it"
    if all(part.status == BARRIERLESS for part in parts):
        return Verdict(BARRIERLESS, f"downhill by {words}")
    saddles = [part for part in parts if part.saddle is not None]
    count = "one saddle" if len(saddles) == 1 else f"{len(saddles)} saddles, each"
    highest = max(saddles, key=lambda part: part.saddle.energy)
    return highest._replace(status=VERIFIED, reason=f"{count} with one imaginary mode, {words}")


def _search(search: Search, through: Sequence[Atoms]) -> Verdict:
    """Climb from the top of the geodesic; where that leads nowhere, relax the path and climb again."""
    path = geodesic_path(*search.ends, through=through)
    found = _climb(search, path)
    if found.status in (VERIFIED, BARRIERLESS) or found.below:
        return found
    print(f"the path is relaxed, for {found.reason}", flush=True)
    before = search.surface.calls
    path = relax_string(search.surface, path)
    search.calls["path"] += search.surface.calls - before
    return _climb(search, path)


def _climb(search: Search, path: Sequence[Atoms]) -> Verdict:
    """Climb from the top of a path and verify what is found there."""
    surface, before = search.surface, search.surface.calls
    top, points = _top(search, path)
    search.calls["path"] += surface.calls - before
    if top in (0, len(path) - 1):
        return _slide(search, path, "the path has no point above its ends")
    point, mode = points[top], points[top + 1].x - points[top - 1].x
    mode /= np.linalg.norm(mode)
    hessian = start_hessian(surface.guess(path[top]), point, mode, [points[top - 1], points[top + 1]])
    before = surface.calls
    for _ in range(ATTEMPTS):
        left = search.max_calls - (surface.calls - before)
        point, hessian = follow_mode(surface, point, hessian, mode, search.fmax, left)
        if point.max_force > search.fmax:
            words = f"a force of {point.max_force:.2f} eV/A is left after {surface.calls - before} calls of the climb"
            return _slide(search, path, words)
        imaginary, directions, moved, hessian = _imaginary_modes(search, point, hessian)
        found = {"saddle": point, "imaginary_cm": imaginary, "moved_atoms": moved}
        if len(imaginary) < 2:
            break
        mode = directions[0]
        point = surface(point.x + PUSH_A * directions[1] / longest(directions[1]))
    if len(imaginary) == 0:
        return _slide(search, path, "the climb ended where no mode is imaginary")
    if len(imaginary) > 1:
        words = ", ".join(f"{-mode:.0f}i" for mode in imaginary)
        return Verdict(SEVERAL, f"{len(imaginary)} imaginary modes ({words} cm-1) of {moved} atoms", **found)
    status, reason, below = _descend(search, point, directions[0])
    return Verdict(status, reason, **found, below=below)


def _top(search: Search, path: Sequence[Atoms]) -> tuple[int, dict[int, Point]]:
    """Highest image next to the middle of a path, and all images that were looked at; the neighbours are among them."""
    flat = search.surface.flat
    points = {
        k: Point(flat(path[k].positions), end.get_potential_energy(), -flat(end.get_forces()))
        for k, end in zip((0, len(path) - 1), search.ends, strict=True)
    }
    top = len(path) // 2
    while True:
        near = [k for k in (top, top - 1, top + 1) if 0 <= k < len(path)]
        for k in near:
            if k not in points:
                points[k] = search.surface(flat(path[k].positions))
        best = max(near, key=lambda k: points[k].energy)
        if best == top:
            return top, points
        top = best


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
    partial = partial_hessian(structure, surface.free[moved])
    search.calls["hessian"] += CALLS_AN_ATOM * len(moved)
    energies, modes = mode_energies(partial, structure.get_masses()[surface.free[moved]])
    imaginary = np.einsum("im,ij,jm->m", modes, partial, modes) / 2 < -SOFT_EV
    rows = coordinates_of(moved)
    directions = np.zeros((imaginary.sum(), len(hessian)))
    directions[:, rows] = modes[:, imaginary].T
    hessian = hessian.copy()
    hessian[np.ix_(rows, rows)] = partial
    return (energies[imaginary] / INVERSE_CM_EV).tolist(), directions, len(moved), hessian


def _descend(search: Search, saddle: Point, mode: np.ndarray) -> tuple[str, str, list[Atoms]]:
    """Relax from both sides of a saddle and say whether that leads to both ends, else to which two minima."""
    fallen = [
        _fall(search, search.surface.structure(saddle.x + sign * PUSH_A * mode / longest(mode), search.ends[0]))
        for sign in (1, -1)
    ]
    heights = [saddle.energy - end.get_potential_energy() for end in search.ends]
    if {one.side for one in fallen} == {0, 1}:
        if min(heights) < NO_BARRIER_EV:
            words = f"the saddle lies {min(heights):+.3f} eV from the {SIDES[int(np.argmin(heights))]} state"
            return BARRIERLESS, words, []
        return VERIFIED, "one imaginary mode; relaxes into the initial and the final state", []
    words = f"downhill from the saddle lie {fallen[0].words} and {fallen[1].words}"
    below = [one.atoms for one in fallen]
    if None in below:
        return NOT_CONVERGED, words, []
    if _same(*below):  # a turn; the minimum is of use unless it is an end
        below = below[:1] if fallen[0].side is None and fallen[1].side is None else []
    return WRONG_ENDS, words, below


class _Fallen(NamedTuple):
    """Where a structure came to rest: which end, None if neither; the minimum, None if none; words for it."""

    side: int | None
    atoms: Atoms | None
    words: str


def _fall(search: Search, start: Atoms) -> _Fallen:
    """Relax a structure and say where it came to rest."""
    found, result = relax_one(start, search.surface.atoms.calc, search.fmax, 2 * search.max_calls)
    search.calls["downhill"] += result["force_calls"]
    if not result["converged"]:
        return _Fallen(None, None, f"no minimum ({result['reason']})")
    same = [side for side, end in enumerate(search.ends) if _same(found, end)]
    if same:
        side = min(same, key=lambda side: longest(displacements(found, search.ends[side])))
        return _Fallen(side, search.ends[side], f"the {SIDES[side]} state")
    above = [result["energy_eV"] - end.get_potential_energy() for end in search.ends]
    side = int(np.argmin([len(differing_bonds(found, end)) for end in search.ends]))
    changed = _words(found, differing_bonds(found, search.ends[side])) or "the same bonds"
    words = f"another minimum, {above[side]:+.2f} eV from the {SIDES[side]} state ({changed})"
    return _Fallen(None, found, words)


def _slide(search: Search, path: Sequence[Atoms], reason: str) -> Verdict:
    """No saddle was found: see whether the higher end, pushed along the path, falls into the other one."""
    higher = int(np.argmax([end.get_potential_energy() for end in search.ends]))
    way = [atoms.positions for atoms in (reversed(path) if higher else path)]
    steps = [positions - way[0] for positions in way[1:]]
    step = next((step for step in steps if longest(step) > SLIDE_A), steps[-1])
    start = search.ends[0].copy()
    start.set_positions(way[0] + min(1.0, SLIDE_A / longest(step)) * step, apply_constraint=False)
    fallen = _fall(search, start)
    words = f"the {SIDES[higher]} state, pushed {SLIDE_A} A along the path, falls into {fallen.words}"
    return Verdict(BARRIERLESS, words) if fallen.side == 1 - higher else Verdict(NOT_CONVERGED, f"{reason}; {words}")


def _same(one: Atoms, other: Atoms) -> bool:
    """Whether two relaxed structures are the same state."""
    close = abs(one.get_potential_energy() - other.get_potential_energy()) < SAME_EV
    return close and not differing_bonds(one, other)


def _words(atoms: Atoms, pairs: set[tuple[int, int]]) -> str:
    return ", ".join(f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j}" for i, j in sorted(pairs))


def _structures(way: Sequence[Atoms | Verdict]) -> list[Atoms]:
    """The states on a way with their energies and names; parts without a saddle leave no structure."""
    structures = []
    for part in way:
        if isinstance(part, Atoms):
            structures.append(part)
            part.info["state"] = "minimum"
        elif part.saddle is not None:
            top = Surface(way[0], None).structure(part.saddle.x, way[0])
            top.calc = SinglePointCalculator(top, energy=part.saddle.energy)
            top.info["state"] = "saddle"
            structures.append(top)
    for atoms, side in zip((structures[0], structures[-1]), SIDES, strict=True):
        atoms.info["state"] = side
    for kind in ("saddle", "minimum"):
        several = [atoms for atoms in structures if atoms.info["state"] == kind]
        for number, atoms in enumerate(several[: len(several) if len(several) > 1 else 0]):
            atoms.info["state"] = f"{kind} {number + 1}"
    return structures


def _result(structures: Sequence[Atoms], verdict: Verdict, calls: Counter) -> dict:
    """Plain data of a search; numbers only where they were verified."""
    energies = {atoms.info["state"]: float(atoms.get_potential_energy()) for atoms in structures if atoms.calc}
    barriers = None, None
    if verdict.status in (VERIFIED, BARRIERLESS):
        barriers = tuple(max(energies.values()) - energies[side] for side in SIDES)
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
