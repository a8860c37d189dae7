"""Many members of one network through a recipe: each lane of the CPU follows one of them at its own pace."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from qdsurf.microkinetics.solver.lanes import LANES
from qdsurf.microkinetics.solver.rosenbrock import make_lanes, make_workspace, step

SMALLEST_FACTOR, LARGEST_FACTOR, SAFETY = 0.2, 8.0, 0.9
SMALLEST_ERROR, SMALLEST_OLD_ERROR = 1e-10, 1e-2
SHORTEST_STEP = 1e-25  # s
SITE_TOLERANCE = 1e-8
SUCCESS, TOO_MANY_STEPS, NOT_FINITE, SITES_LOST, RUNNING = 0, 1, 2, 3, 4
SPARE_ROWS = 1024  # room for steps beyond the ends of the pieces; the storage grows by half whenever it is full
COMPILED: dict[str, Any] = {"cache": True, "nogil": True}


class Clocks(NamedTuple):
    """Where the member of each lane is; all of shape (lanes,).

    Attributes
    ----------
    member : its number, -1 for an empty lane.
    place : pieces that lie behind it; tried : steps tried in the present one.
    time, end : since the start of the present piece, and when that ends, s.
    old_h, old_error : of the last accepted step; 0 s before the first.
    """

    member: np.ndarray
    place: np.ndarray
    tried: np.ndarray
    time: np.ndarray
    end: np.ndarray
    old_h: np.ndarray
    old_error: np.ndarray


@njit(**COMPILED)
def run_batch(
    law, forward, reverse, thermal_eV, supplies, pieces, cycles, start, settings, whole_cycles, ends, extents,
    exchanged, status,
):  # fmt: skip
    """Run the pieces of a recipe `cycles` times; a lane whose member has arrived takes the next one.

    Parameters
    ----------
    forward, reverse : rate constants, s^-1, shape (B, S); thermal_eV : kT in eV, shape (B,).
    supplies : activities of the gases in each piece, shape (B, P, G).
    pieces : duration in s, 1/tau in s^-1 (infinite: the gas is at its supply at once), depletion by kT in m^2/eV,
        shape (P, 3).
    start : coverages and activities at time zero, shape (N + G,).
    settings : relative tolerance, absolute tolerance of coverages, largest number of steps of a piece, first step in s.
    whole_cycles : every accepted step of the first member is stored in this many cycles at the beginning and at the
        end of the run; of the cycles in between only the ends of the pieces. Negative: no step is stored.
    ends, extents : written here: variables and extents at the end of each piece, shape (B, K, N + G) and (B, K, S).
        K is `cycles * P`, or 1 to keep the end of the last piece only.
    exchanged : written here: sum over the pieces of the absolute change of each extent, shape (B, S); zeros on entry.
    status : written here: what became of the member, shape (B,).

    Returns
    -------
    total : number of steps tried by all members.
    path : stored steps of the first member, rows (time, y, q) without time zero.
    piece_ends : number of the row of `path` in which each piece ends, counted from 1, shape (cycles * P,).
    """
    lanes, work = make_lanes(law), make_workspace(law)
    clocks = Clocks(
        np.full(LANES, -1), np.zeros(LANES, dtype=np.int64), np.zeros(LANES, dtype=np.int64), np.zeros(LANES),
        np.zeros(LANES), np.zeros(LANES), np.zeros(LANES),
    )  # fmt: skip
    waiting, running, rows, total, elapsed = 0, 0, 0, 0, 0.0
    stored_pieces = cycles * len(pieces) if whole_cycles >= 0 else 0
    piece_ends = np.zeros(stored_pieces, dtype=np.int64)
    path = np.empty((stored_pieces + (SPARE_ROWS if whole_cycles >= 0 else 0), 1 + len(start) + len(law.beta)))
    for lane in range(LANES):
        lanes.y[:, lane] = start
    while True:
        for lane in range(LANES):
            if clocks.member[lane] < 0 and waiting < len(forward):
                board(lanes, clocks, lane, waiting, forward, reverse, thermal_eV, start)
                begin(law, lanes, clocks, lane, supplies[waiting, 0], pieces[0], settings[3])
                waiting, running = waiting + 1, running + 1
        if running == 0:
            return total, path[:rows], piece_ends
        error = step(law, lanes, settings[0], settings[1], work)
        for lane in range(LANES):
            b = clocks.member[lane]
            if b < 0:
                continue
            total += 1
            outcome = proceed(lanes, clocks, lane, error[lane], settings[2])
            place, arrived = clocks.place[lane], clocks.time[lane] >= clocks.end[lane]
            if error[lane] <= 1.0 and b == 0 and whole_cycles >= 0:
                cycle = place // len(pieces)
                if arrived or cycle < whole_cycles or cycle >= cycles - whole_cycles:
                    if rows == len(path):
                        path = enlarge(path)
                    write_row(path[rows], elapsed + clocks.time[lane], lanes, lane)
                    rows += 1
            if arrived:  # a piece is done
                write_end(lanes, lane, place, ends[b], extents[b], exchanged[b])
                if b == 0:
                    elapsed += clocks.end[lane]
                    if whole_cycles >= 0:
                        piece_ends[place] = rows
                if site_defect(law, lanes.y, lane) > SITE_TOLERANCE:
                    outcome = SITES_LOST
                elif place + 1 == cycles * len(pieces):
                    outcome = SUCCESS
                else:
                    clocks.place[lane] = place + 1
                    piece = (place + 1) % len(pieces)
                    begin(law, lanes, clocks, lane, supplies[b, piece], pieces[piece], settings[3])
            if outcome != RUNNING:
                status[b], running = outcome, running - 1
                leave(lanes, clocks, lane, start)


@njit(**COMPILED)
def enlarge(path):
    """Return a copy of the path with room for half as many rows again."""
    larger = np.empty((len(path) + len(path) // 2, path.shape[1]))
    larger[: len(path)] = path
    return larger


@njit(**COMPILED)
def write_end(lanes, lane, place, ends, extents, exchanged):
    """Write the end of a piece of one member, and add what its steps have done in the piece.

    Parameters
    ----------
    place : number of the piece; if `ends` has fewer rows, the last row is overwritten.
    ends, extents, exchanged : of the member, shape (K, N + G), (K, S) and (S,).
    """
    row = min(place, len(ends) - 1)
    before = min(place - 1, len(ends) - 1)
    for s in range(len(exchanged)):
        exchanged[s] += abs(lanes.q[s, lane] - (extents[before, s] if place > 0 else 0.0))
    ends[row], extents[row] = lanes.y[:, lane], lanes.q[:, lane]


@njit(**COMPILED)
def board(lanes, clocks, lane, b, forward, reverse, thermal_eV, start):
    """Put member b into a lane."""
    clocks.member[lane], clocks.place[lane] = b, 0
    lanes.forward[:, lane], lanes.reverse[:, lane], lanes.thermal_eV[lane] = forward[b], reverse[b], thermal_eV[b]
    lanes.y[:, lane], lanes.q[:, lane] = start, 0.0


@njit(**COMPILED)
def leave(lanes, clocks, lane, start):
    """Empty a lane: what stays in it must remain finite."""
    clocks.member[lane] = -1
    lanes.forward[:, lane], lanes.reverse[:, lane], lanes.y[:, lane], lanes.q[:, lane] = 0.0, 0.0, start, 0.0
    lanes.h[0, lane], lanes.supply_rate[0, lane], lanes.depletion[0, lane] = 1.0, 0.0, 0.0


@njit(**COMPILED)
def begin(law, lanes, clocks, lane, supply, piece, first_step):
    """Start a piece of the recipe."""
    lanes.supply[:, lane], lanes.supply_rate[0, lane] = supply, piece[1]
    lanes.depletion[0, lane] = lanes.thermal_eV[lane] * piece[2]
    if not np.isfinite(piece[1]):
        lanes.y[law.species :, lane], lanes.supply_rate[0, lane] = supply, 0.0
    clocks.tried[lane], clocks.time[lane], clocks.end[lane], clocks.old_h[lane] = 0, 0.0, piece[0], 0.0
    lanes.h[0, lane] = min(piece[0], first_step)


@njit(**COMPILED)
def proceed(lanes, clocks, lane, error, most):
    """Take or refuse the step that was tried, and choose the next; RUNNING, or why the member cannot go on."""
    h = lanes.h[0, lane]
    factor = min(LARGEST_FACTOR, max(SMALLEST_FACTOR, SAFETY * max(error, SMALLEST_ERROR) ** -0.25))
    clocks.tried[lane] += 1
    if error <= 1.0:
        if clocks.old_h[lane] > 0.0:  # the predictive controller of Gustafsson, 10.1145/198429.198437
            trend = (max(clocks.old_error[lane], SMALLEST_OLD_ERROR) / max(error, SMALLEST_ERROR) ** 2) ** 0.25
            factor = max(SMALLEST_FACTOR, min(factor, SAFETY * h / clocks.old_h[lane] * trend))
        clocks.old_h[lane], clocks.old_error[lane] = h, error
        clocks.time[lane] = clocks.end[lane] if h == clocks.end[lane] - clocks.time[lane] else clocks.time[lane] + h
        lanes.y[:, lane], lanes.q[:, lane] = lanes.y_after[:, lane], lanes.q_after[:, lane]
    next_h = h * factor
    if clocks.time[lane] + 1.0000001 * next_h >= clocks.end[lane]:
        next_h = clocks.end[lane] - clocks.time[lane]
    lanes.h[0, lane] = next_h
    if error > 1.0 and next_h < SHORTEST_STEP:
        return NOT_FINITE
    return TOO_MANY_STEPS if clocks.tried[lane] >= most and clocks.time[lane] < clocks.end[lane] else RUNNING


@njit(**COMPILED)
def write_row(row, time, lanes, lane):
    """Write (time, y, q) of a lane into a row of the path."""
    size = len(lanes.y)
    row[0] = time
    row[1 : 1 + size], row[1 + size :] = lanes.y[:, lane], lanes.q[:, lane]


@njit(**COMPILED)
def site_defect(law, y, lane):
    """Largest deviation from a law of conservation of sites, or depth of a negative coverage."""
    worst = 0.0
    for f in range(law.weights.shape[0]):
        total = -1.0
        for i in range(law.species):
            total += law.weights[f, i] * y[i, lane]
        worst = max(worst, abs(total))
    for i in range(law.species):
        worst = max(worst, -y[i, lane])
    return worst
