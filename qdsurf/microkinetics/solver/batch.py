"""Integration of many members of one network through a recipe, several members at a time.

Members differ in their rate constants, temperatures and pressures. Each lane of the vector registers integrates one
member with its own step lengths. When a member is finished, its lane is assigned to the next one.

In the shapes below, B is the number of members, P of supply periods of the recipe, N of species, G of gases, and S of
elementary steps.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from qdsurf.microkinetics.solver.lanes import LANES
from qdsurf.microkinetics.solver.rate_law import RateLaw
from qdsurf.microkinetics.solver.rosenbrock import LaneState, make_lanes, make_workspace, try_step

# Limits and safety factor of the ratio of successive step lengths.
SMALLEST_FACTOR = 0.2
LARGEST_FACTOR = 8.0
SAFETY = 0.9
SMALLEST_ERROR = 1e-10  # of the present step, in units of the tolerance; avoids division by zero
SMALLEST_OLD_ERROR = 1e-2  # of the step before, in units of the tolerance
SHORTEST_STEP = 1e-25  # s
END_SLACK = 1.0000001  # a step that ends this close to the end of a period is extended to it
SITE_TOLERANCE = 1e-8
SUCCESS, TOO_MANY_STEPS, NOT_FINITE, SITES_LOST, RUNNING = 0, 1, 2, 3, 4  # status of a member
SPARE_ROWS = 1024  # storage for solver steps in addition to the ends of the periods; it grows by half when it is full
COMPILED: dict[str, Any] = {"cache": True, "nogil": True}


class LaneProgress(NamedTuple):
    """Progress of the member in each lane; all arrays have the shape (lanes,).

    Attributes
    ----------
    member : numpy.ndarray of int
        Number of the member, -1 for an empty lane.
    period : numpy.ndarray of int
        Number of finished supply periods, over all cycles.
    attempts : numpy.ndarray of int
        Number of solver steps tried in the present period.
    time : numpy.ndarray
        Time since the start of the present period, s.
    end : numpy.ndarray
        Duration of the present period, s.
    old_h : numpy.ndarray
        Length of the last accepted step, s; 0 before the first one of a period.
    old_error : numpy.ndarray
        Error of the last accepted step in units of the tolerance.
    """

    member: np.ndarray
    period: np.ndarray
    attempts: np.ndarray
    time: np.ndarray
    end: np.ndarray
    old_h: np.ndarray
    old_error: np.ndarray


@njit(**COMPILED)
def run_batch(
    law: RateLaw,
    forward: np.ndarray,
    reverse: np.ndarray,
    thermal_eV: np.ndarray,
    supplies: np.ndarray,
    periods: np.ndarray,
    cycles: int,
    start: np.ndarray,
    settings: np.ndarray,
    whole_cycles: int,
    ends: np.ndarray,
    extents: np.ndarray,
    exchanged: np.ndarray,
    status: np.ndarray,
) -> tuple[int, np.ndarray, np.ndarray]:
    """Integrate all members through the supply periods of a recipe, `cycles` times.

    Parameters
    ----------
    law : RateLaw
        Index arrays of the network.
    forward, reverse : numpy.ndarray
        Rate constants, s^-1, shape (B, S).
    thermal_eV : numpy.ndarray
        kT, eV, shape (B,).
    supplies : numpy.ndarray
        Activities of the gases in each period, shape (B, P, G).
    periods : numpy.ndarray
        Duration in s, 1/tau in s^-1 (infinite: the gas has the pressures of the supply at once), and depletion divided
        by kT in m^2/eV, shape (P, 3).
    cycles : int
        Number of cycles.
    start : numpy.ndarray
        Coverages and activities at time zero, shape (N + G,).
    settings : numpy.ndarray
        Relative tolerance, absolute tolerance of coverages, largest number of steps of a period, first step in s.
    whole_cycles : int
        Every accepted step of the first member is stored in this many cycles at the beginning and at the end of the
        run. Of the cycles in between, only the ends of the periods are stored. Negative: no step is stored.
    ends, extents : numpy.ndarray
        Output: variables and extents at the end of each period, shape (B, K, N + G) and (B, K, S). K is `cycles * P`,
        or 1 to keep the end of the last period only.
    exchanged : numpy.ndarray
        Output: sum over the periods of the absolute change of each extent, shape (B, S). Zeros on input.
    status : numpy.ndarray of int
        Output: SUCCESS, TOO_MANY_STEPS, NOT_FINITE or SITES_LOST of each member, shape (B,).

    Returns
    -------
    attempts : int
        Number of solver steps tried by all members.
    path : numpy.ndarray
        Stored steps of the first member, rows (time, y, q) without time zero.
    period_ends : numpy.ndarray of int
        Number of the row of `path` in which each period ends, counted from 1, shape (cycles * P,).
    """
    rtol = settings[0]
    atol = settings[1]
    maximum_steps = settings[2]
    first_step = settings[3]
    lanes = make_lanes(law)
    work = make_workspace(law)
    progress = make_progress()
    stores_path = whole_cycles >= 0
    stored_periods = cycles * len(periods) if stores_path else 0
    period_ends = np.zeros(stored_periods, dtype=np.int64)
    path = np.empty((stored_periods + (SPARE_ROWS if stores_path else 0), 1 + len(start) + len(law.beta)))
    rows = 0  # used rows of `path`
    elapsed = 0.0  # time of the first member at the start of its present period, s
    next_member = 0
    running = 0
    attempts = 0
    for lane in range(LANES):
        lanes.y[:, lane] = start
    while True:
        for lane in range(LANES):
            if progress.member[lane] < 0 and next_member < len(forward):
                start_member(lanes, progress, lane, next_member, forward, reverse, thermal_eV, start)
                start_period(law, lanes, progress, lane, supplies[next_member, 0], periods[0], first_step)
                next_member += 1
                running += 1
        if running == 0:
            return attempts, path[:rows], period_ends
        error = try_step(law, lanes, rtol, atol, work)
        for lane in range(LANES):
            b = progress.member[lane]
            if b < 0:
                continue
            attempts += 1
            outcome = accept_or_reject_step(lanes, progress, lane, error[lane], maximum_steps)
            period = progress.period[lane]
            period_is_over = progress.time[lane] >= progress.end[lane]
            if error[lane] <= 1.0 and b == 0 and stores_path:
                cycle = period // len(periods)
                if period_is_over or cycle < whole_cycles or cycle >= cycles - whole_cycles:
                    if rows == len(path):
                        path = enlarge(path)
                    write_row(path[rows], elapsed + progress.time[lane], lanes, lane)
                    rows += 1
            if period_is_over:
                write_period_end(lanes, lane, period, ends[b], extents[b], exchanged[b])
                if b == 0:
                    elapsed += progress.end[lane]
                    if stores_path:
                        period_ends[period] = rows
                if site_defect(law, lanes.y, lane) > SITE_TOLERANCE:
                    outcome = SITES_LOST
                elif period + 1 == cycles * len(periods):
                    outcome = SUCCESS
                else:
                    progress.period[lane] = period + 1
                    following = (period + 1) % len(periods)
                    start_period(law, lanes, progress, lane, supplies[b, following], periods[following], first_step)
            if outcome != RUNNING:
                status[b] = outcome
                running -= 1
                clear_lane(lanes, progress, lane, start)


@njit(**COMPILED)
def make_progress() -> LaneProgress:
    """Return the progress of empty lanes."""
    member = np.full(LANES, -1)
    period = np.zeros(LANES, dtype=np.int64)
    attempts = np.zeros(LANES, dtype=np.int64)
    time = np.zeros(LANES)
    end = np.zeros(LANES)
    old_h = np.zeros(LANES)
    old_error = np.zeros(LANES)
    return LaneProgress(member, period, attempts, time, end, old_h, old_error)


@njit(**COMPILED)
def enlarge(path: np.ndarray) -> np.ndarray:
    """Return a copy of the path with half as many rows again."""
    larger = np.empty((len(path) + len(path) // 2, path.shape[1]))
    larger[: len(path)] = path
    return larger


@njit(**COMPILED)
def write_row(row: np.ndarray, time: float, lanes: LaneState, lane: int) -> None:
    """Write (time, y, q) of a lane into a row of the path."""
    size = len(lanes.y)
    row[0] = time
    row[1 : 1 + size] = lanes.y[:, lane]
    row[1 + size :] = lanes.q[:, lane]


@njit(**COMPILED)
def write_period_end(
    lanes: LaneState, lane: int, period: int, ends: np.ndarray, extents: np.ndarray, exchanged: np.ndarray
) -> None:
    """Store the variables and extents of one member at the end of a period, and add the change of its extents.

    Parameters
    ----------
    lanes : LaneState
        State of all lanes.
    lane : int
        Lane of the member.
    period : int
        Number of the period over all cycles. If `ends` has fewer rows, the last row is overwritten.
    ends, extents, exchanged : numpy.ndarray
        Output of the member, shape (K, N + G), (K, S) and (S,).
    """
    row = min(period, len(ends) - 1)
    previous_row = min(period - 1, len(ends) - 1)
    for s in range(len(exchanged)):
        previous = extents[previous_row, s] if period > 0 else 0.0
        exchanged[s] += abs(lanes.q[s, lane] - previous)
    ends[row] = lanes.y[:, lane]
    extents[row] = lanes.q[:, lane]


@njit(**COMPILED)
def start_member(
    lanes: LaneState,
    progress: LaneProgress,
    lane: int,
    b: int,
    forward: np.ndarray,
    reverse: np.ndarray,
    thermal_eV: np.ndarray,
    start: np.ndarray,
) -> None:
    """Assign member b to a lane, at time zero."""
    progress.member[lane] = b
    progress.period[lane] = 0
    lanes.forward[:, lane] = forward[b]
    lanes.reverse[:, lane] = reverse[b]
    lanes.thermal_eV[lane] = thermal_eV[b]
    lanes.y[:, lane] = start
    lanes.q[:, lane] = 0.0


@njit(**COMPILED)
def clear_lane(lanes: LaneState, progress: LaneProgress, lane: int, start: np.ndarray) -> None:
    """Empty a lane. The solver continues to evaluate it, so all its numbers must remain finite."""
    progress.member[lane] = -1
    lanes.forward[:, lane] = 0.0
    lanes.reverse[:, lane] = 0.0
    lanes.y[:, lane] = start
    lanes.q[:, lane] = 0.0
    lanes.h[0, lane] = 1.0
    lanes.supply_rate[0, lane] = 0.0
    lanes.depletion[0, lane] = 0.0


@njit(**COMPILED)
def start_period(
    law: RateLaw,
    lanes: LaneState,
    progress: LaneProgress,
    lane: int,
    supply: np.ndarray,
    period: np.ndarray,
    first_step: float,
) -> None:
    """Switch the supply of a lane to that of a period; `supply` and `period` are rows as in `run_batch`."""
    duration = period[0]
    supply_rate = period[1]
    lanes.supply[:, lane] = supply
    lanes.supply_rate[0, lane] = supply_rate
    lanes.depletion[0, lane] = lanes.thermal_eV[lane] * period[2]
    if not np.isfinite(supply_rate):
        lanes.y[law.species :, lane] = supply
        lanes.supply_rate[0, lane] = 0.0
    progress.attempts[lane] = 0
    progress.time[lane] = 0.0
    progress.end[lane] = duration
    progress.old_h[lane] = 0.0
    lanes.h[0, lane] = min(duration, first_step)


@njit(**COMPILED)
def accept_or_reject_step(
    lanes: LaneState, progress: LaneProgress, lane: int, error: float, maximum_steps: float
) -> int:
    """Accept the tried step if its error is within the tolerance, and choose the length of the next step.

    Returns RUNNING, or the reason for which the member cannot continue.
    """
    h = lanes.h[0, lane]
    factor = min(LARGEST_FACTOR, max(SMALLEST_FACTOR, SAFETY * max(error, SMALLEST_ERROR) ** -0.25))
    progress.attempts[lane] += 1
    if error <= 1.0:
        if progress.old_h[lane] > 0.0:  # the predictive controller of Gustafsson, 10.1145/198429.198437
            trend = (max(progress.old_error[lane], SMALLEST_OLD_ERROR) / max(error, SMALLEST_ERROR) ** 2) ** 0.25
            factor = max(SMALLEST_FACTOR, min(factor, SAFETY * h / progress.old_h[lane] * trend))
        progress.old_h[lane] = h
        progress.old_error[lane] = error
        if h == progress.end[lane] - progress.time[lane]:
            progress.time[lane] = progress.end[lane]  # exactly, without the rounding error of a sum
        else:
            progress.time[lane] += h
        lanes.y[:, lane] = lanes.y_after[:, lane]
        lanes.q[:, lane] = lanes.q_after[:, lane]
    next_h = h * factor
    if progress.time[lane] + END_SLACK * next_h >= progress.end[lane]:
        next_h = progress.end[lane] - progress.time[lane]
    lanes.h[0, lane] = next_h
    if error > 1.0 and next_h < SHORTEST_STEP:
        return NOT_FINITE
    if progress.attempts[lane] >= maximum_steps and progress.time[lane] < progress.end[lane]:
        return TOO_MANY_STEPS
    return RUNNING


@njit(**COMPILED)
def site_defect(law: RateLaw, y: np.ndarray, lane: int) -> float:
    """Return the largest deviation from the site balance of a family, or of a coverage below zero."""
    worst = 0.0
    for f in range(law.weights.shape[0]):
        total = -1.0
        for i in range(law.species):
            total += law.weights[f, i] * y[i, lane]
        worst = max(worst, abs(total))
    for i in range(law.species):
        worst = max(worst, -y[i, lane])
    return worst
