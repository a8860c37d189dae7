"""Integration of the coverages, and of what every step has done so far, through the cycles of a recipe."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qdsurf.errors import CalculationError
from qdsurf.microkinetics.network.reaction_network import Network, conservation_laws
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import Piece, Schedule
from qdsurf.microkinetics.solver import batch, lsoda
from qdsurf.microkinetics.solver.memory import WHOLE_CYCLES, assert_run_fits
from qdsurf.microkinetics.solver.rate_law import RateLaw, compile_law
from qdsurf.units import BOLTZMANN_EV_PER_K, EV_J, NM2_PER_M2, STANDARD_PRESSURE_PA

# Relative tolerance of each step of a batch: coverages are then right to 1e-6, see benchmarks/kinetics.py.
RELATIVE_TOLERANCE = 1e-4
FINE_TOLERANCE = 1e-6  # of the one run that is drawn and tabulated
ABSOLUTE_TOLERANCE = 1e-10  # of coverages; what steps have done is right relative to itself
MAXIMUM_STEPS = 20_000  # for one piece of a recipe, which takes some tens
FIRST_STEP_S = 1e-9  # what is faster is over within the first step, which an L-stable method survives
CONSERVATION_TOLERANCE = 1e-8
STEADY_TOLERANCE = 1e-10  # change of every coverage and rate over a tenfold time
LONGEST_TIME_S = 1e30
NO_PATH = -1  # no step is stored
TIME_TOLERANCE = 1e-9  # relative, of the end of a trajectory; the sum of a million pieces is right to 1e-10
PROBLEMS = {
    batch.TOO_MANY_STEPS: f"more than {MAXIMUM_STEPS} steps",
    batch.NOT_FINITE: "a rate or coverage is not finite",
    batch.SITES_LOST: "the sites of a family are not conserved",
}


@dataclass(frozen=True)
class Trajectory:
    """What the surface did, time by time.

    Every solver step of the first and the last `memory.WHOLE_CYCLES` cycles is a row. Of the cycles in between only
    the end of each piece is a row.

    Attributes
    ----------
    time_s : times from the start, shape (t,).
    coverages : occupied share of the own family's sites, shape (t, n).
    flux_per_nm2 : net events of each step since time zero, nm^-2, shape (t, S); negative runs backwards.
    pressures_Pa : partial pressures of the gases, shape (t, g).
    piece_ends : number of the row in which each piece of each cycle ends, shape (cycles * pieces,).
    """

    time_s: np.ndarray
    coverages: np.ndarray
    flux_per_nm2: np.ndarray
    pressures_Pa: np.ndarray
    piece_ends: np.ndarray


@dataclass(frozen=True)
class Ends:
    """What many members of a batch have come to at the end of every piece of a recipe.

    Attributes
    ----------
    coverages : shape (members, pieces, n), or (members, 1, n) at the end of the run; NaN for a member that failed.
    flux_per_nm2 : net events of each step since time zero, nm^-2, shape (members, pieces, S) or (members, 1, S).
    exchanged_per_nm2 : sum over all pieces of the absolute change of the net events, nm^-2, shape (members, S).
    problems : what went wrong with a member, by its number.
    """

    coverages: np.ndarray
    flux_per_nm2: np.ndarray
    exchanged_per_nm2: np.ndarray
    problems: dict[int, str]


def integrate(
    network: Network,
    rates: RateConstants,
    schedule: Schedule,
    temperature_K: float,
    cycles: int = 1,
    rtol: float = FINE_TOLERANCE,
) -> Trajectory:
    """Integrate a recipe, starting anew at each switch of the supply.

    By the Rosenbrock method of `rosenbrock`; where it gives up, LSODA takes over.

    Parameters
    ----------
    rates : rate constants of one sample, shape (S,).
    schedule : pieces with durations in s and partial pressures in Pa; a gas not named is absent.
    rtol : relative tolerance of each step.

    Returns
    -------
    Trajectory
        At time zero and after the steps that the solver took; each switch of the supply appears once. Beyond
        2 `memory.WHOLE_CYCLES` cycles the cycles in the middle have one row for each piece.

    Raises
    ------
    InputError
        The trajectory would need more memory than is accepted.
    CalculationError
        The integration failed, broke a law of conservation, or did not reach the end of the last cycle.
    """
    assert_run_fits(network, len(schedule), cycles)
    law = compile_law(network)
    n, size, steps = len(network.species), len(law.order), len(network.steps)
    alone = RateConstants(rates.forward_per_s[None], rates.reverse_per_s[None])
    run = _run(network, law, alone, [schedule], np.array([temperature_K]), cycles, rtol, whole_cycles=WHOLE_CYCLES)
    start = np.concatenate([[0.0], network.initial, activities(network, schedule[0][1]), np.zeros(steps)])
    table, piece_ends = np.vstack([start, run.path]), run.piece_ends
    problem = PROBLEMS.get(run.status[0], "") or _defect(network, table[:, 1 : 1 + n])
    if problem:
        followed = lsoda.follow(
            law, rates, BOLTZMANN_EV_PER_K * temperature_K, _supplies(network, schedule), _numbers(schedule), cycles,
            start, 1e-2 * rtol, ABSOLUTE_TOLERANCE, WHOLE_CYCLES,
        )  # fmt: skip
        second = "LSODA failed too" if followed is None else _defect(network, followed[0][:, 1 : 1 + n])
        if second:
            raise CalculationError(_failure(network, rates, schedule, temperature_K, f"{problem}; {second}"))
        table, piece_ends = followed
    _assert_complete(network.system, table[:, 0], piece_ends, schedule, cycles)
    return Trajectory(
        time_s=table[:, 0],
        coverages=table[:, 1 : 1 + n],
        flux_per_nm2=table[:, 1 + size :] * network.step_density_per_m2 / NM2_PER_M2,
        pressures_Pa=table[:, 1 + n : 1 + size] * STANDARD_PRESSURE_PA,
        piece_ends=piece_ends,
    )


def _assert_complete(system: str, time_s: np.ndarray, piece_ends: np.ndarray, schedule: Schedule, cycles: int) -> None:
    """Assert that a trajectory holds the end of every piece and reaches the end of the last cycle."""
    expected = cycles * sum(piece[0] for piece in schedule)
    count = len(np.unique(piece_ends[piece_ends > 0]))
    if count != cycles * len(schedule):
        found = f"holds the ends of {count} pieces instead of {cycles * len(schedule)}"
    elif piece_ends[-1] != len(time_s) - 1 or not abs(time_s[-1] - expected) <= TIME_TOLERANCE * expected:
        found = f"ends at {time_s[-1]:.10g} s instead of {expected:.10g} s"
    else:
        return
    raise CalculationError(
        f"{system}: the trajectory {found}; a trajectory must hold all {cycles} cycles. "
        "Try fewer cycles with `--cycles`, and report this error with the mechanism and the recipe."
    )


def integrate_many(
    network: Network,
    rates: RateConstants,
    schedules: list[Schedule],
    temperatures_K: np.ndarray,
    cycles: int = 1,
    rtol: float = RELATIVE_TOLERANCE,
    law: RateLaw | None = None,
    last_only: bool = False,
) -> Ends:
    """Integrate many members of one network, each with its own rate constants, temperature and pressures.

    Parameters
    ----------
    rates : shape (members, S).
    schedules : of the members, or one for all; they differ in their pressures only.
    temperatures_K : shape (members,) or a number for all.
    last_only : keep the end of the last piece only, which needs less memory when there are many cycles.
    """
    temperatures = np.broadcast_to(np.asarray(temperatures_K, dtype=float), len(rates.forward_per_s))
    law = law or compile_law(network)
    run = _run(network, law, rates, schedules, temperatures, cycles, rtol, last_only=last_only)
    coverages = run.ends[:, :, : len(network.species)]
    flux, exchanged = (events * network.step_density_per_m2 / NM2_PER_M2 for events in (run.extents, run.exchanged))
    problems = {}
    for member in np.flatnonzero(run.status):
        own = RateConstants(rates.forward_per_s[member], rates.reverse_per_s[member])
        schedule = schedules[member if len(schedules) > 1 else 0]
        try:
            rescued = integrate(network, own, schedule, temperatures[member], cycles, rtol)
        except CalculationError as error:
            coverages[member], flux[member], problems[int(member)] = np.nan, np.nan, str(error)
            exchanged[member] = np.nan
        else:
            at = rescued.piece_ends
            exchanged[member] = np.abs(np.diff(rescued.flux_per_nm2[at], axis=0, prepend=0.0)).sum(axis=0)
            kept = at[-1:] if last_only else at
            coverages[member], flux[member] = rescued.coverages[kept], rescued.flux_per_nm2[kept]
    return Ends(coverages, flux, exchanged, problems)


def steady_state(
    network: Network, rates: RateConstants, pressures_Pa: dict[str, float], temperature_K: float
) -> np.ndarray:
    """Coverages that no longer change under constant pressures, from the initial surface, shape (n,).

    Time is followed tenfold by tenfold, with steps as long as it is, until nothing changes: the pivots from the site
    balance keep their digits, so that the last steps are Newton's.

    Raises
    ------
    CalculationError
        The integration failed, or something still changes after 1e30 s.
    """
    law, n = compile_law(network), len(network.species)
    alone, temperatures = RateConstants(rates.forward_per_s[None], rates.reverse_per_s[None]), np.array([temperature_K])
    coverages, duration = network.initial, 1e-3
    while duration < LONGEST_TIME_S:
        schedule = [Piece(duration, pressures_Pa)]
        run = _run(network, law, alone, [schedule], temperatures, 1, RELATIVE_TOLERANCE, coverages=coverages)
        if run.status[0] != batch.SUCCESS:
            raise CalculationError(_failure(network, rates, schedule, temperature_K, PROBLEMS[run.status[0]]))
        before, coverages = coverages, run.ends[0, 0, :n]
        if np.all(np.abs(coverages - before) <= STEADY_TOLERANCE * np.abs(coverages) + ABSOLUTE_TOLERANCE):
            return coverages
        duration *= 10
    raise CalculationError(_failure(network, rates, schedule, temperature_K, "no steady state within 1e30 s"))


class _Run(NamedTuple):
    """Arrays that `batch.run_batch` has written or returned."""

    ends: np.ndarray
    extents: np.ndarray
    exchanged: np.ndarray
    status: np.ndarray
    path: np.ndarray
    piece_ends: np.ndarray


def _run(
    network: Network,
    law: RateLaw,
    rates: RateConstants,
    schedules: list[Schedule],
    temperatures_K: np.ndarray,
    cycles: int,
    rtol: float,
    whole_cycles: int = NO_PATH,
    last_only: bool = False,
    coverages: np.ndarray | None = None,
) -> _Run:
    """Call the compiled batch; with a path, only the end of the last piece is kept beside it."""
    members, pieces = len(rates.forward_per_s), _numbers(schedules[0])
    supplies = np.array([_supplies(network, schedule) for schedule in schedules])
    # a copy of its own: the compiled functions meet one type of array, and are compiled once
    supplies = np.broadcast_to(supplies, (members, *supplies.shape[1:])).copy()
    kept = 1 if last_only or whole_cycles != NO_PATH else cycles * len(pieces)
    ends = np.full((members, kept, len(law.order)), np.nan)
    extents = np.full((members, kept, len(network.steps)), np.nan)
    exchanged = np.zeros((members, len(network.steps)))
    status = np.zeros(members, dtype=np.int64)
    start = np.concatenate([network.initial if coverages is None else coverages, supplies[0, 0]])
    _, path, piece_ends = batch.run_batch(
        law, np.ascontiguousarray(rates.forward_per_s), np.ascontiguousarray(rates.reverse_per_s),
        BOLTZMANN_EV_PER_K * temperatures_K, supplies, pieces, cycles, start,
        np.array([rtol, ABSOLUTE_TOLERANCE, MAXIMUM_STEPS, FIRST_STEP_S]), whole_cycles, ends, extents, exchanged,
        status,
    )  # fmt: skip
    return _Run(ends, extents, exchanged, status, path, piece_ends)


def net_turnover(
    network: Network, rates: RateConstants, coverages: np.ndarray, pressures_Pa: dict[str, float], temperature_K: float
) -> np.ndarray:
    """Net rate of every step per reference site at given coverages and pressures, s^-1, shape (S,)."""
    gas = activities(network, pressures_Pa)
    thermal = BOLTZMANN_EV_PER_K * temperature_K
    derivative, _ = lsoda.derivatives(compile_law(network), rates, thermal, gas, 0.0, 0.0)
    state = np.concatenate([coverages, gas, np.zeros(len(network.steps))])
    return derivative(state)[len(coverages) + len(gas) :]


def activities(network: Network, pressures_Pa: dict[str, float]) -> np.ndarray:
    """Activities p/p0 of the gases of a network; one that is not named is absent, shape (g,)."""
    return np.array([pressures_Pa.get(gas, 0.0) for gas in network.gases]) / STANDARD_PRESSURE_PA


def _supplies(network: Network, schedule: Schedule) -> np.ndarray:
    """Activities p/p0 of the gases in every piece of a recipe, shape (P, g)."""
    return np.array([activities(network, piece[1]) for piece in schedule])


def _numbers(schedule: Schedule) -> np.ndarray:
    """Duration in s, 1/tau in s^-1 and (1 eV/p0)(A/V) in m^2 of every piece, shape (P, 3)."""
    pieces = [Piece(*piece) for piece in schedule]
    rates = [1 / piece.time_constant_s if piece.time_constant_s else np.inf for piece in pieces]
    depletion = [EV_J / STANDARD_PRESSURE_PA * piece.area_per_volume_per_m for piece in pieces]
    return np.array([[piece.duration_s for piece in pieces], rates, depletion], dtype=float).T.copy()


def _defect(network: Network, coverages: np.ndarray) -> str:
    """Say which law of conservation is broken, or which coverage is negative; empty when all is well."""
    if not len(coverages):
        return ""
    if not np.isfinite(coverages).all():
        return "a coverage is not finite"
    lowest = np.unravel_index(np.argmin(coverages), coverages.shape)
    if coverages[lowest] < -CONSERVATION_TOLERANCE:
        return f"the coverage of {network.species[lowest[1]]} falls to {coverages[lowest]:.2g}"
    for law in conservation_laws(network):
        defect = np.abs((coverages - network.initial) @ law).max()
        if not defect <= CONSERVATION_TOLERANCE:
            names = [name for name, part in zip(network.species, law, strict=True) if abs(part) > 1e-9]
            return f"the conserved sum of {', '.join(names)} is off by {defect:.2g}"
    return ""


def _failure(network: Network, rates: RateConstants, schedule: Schedule, temperature_K: float, problem: str) -> str:
    exposed = next((piece[1] for piece in schedule if piece[1]), {})
    gases = ", ".join(f"{gas} {pressure:.4g} Pa" for gas, pressure in exposed.items()) or "no gas"
    fastest = max(rates.forward_per_s.max(initial=0), rates.reverse_per_s.max(initial=0))
    return (
        f"{network.system}: could not integrate at {temperature_K} K, {gases} ({problem}); "
        f"fastest rate constant {fastest:.3g} s^-1."
    )
