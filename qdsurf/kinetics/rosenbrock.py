"""An L-stable Rosenbrock method of order 4(3) for networks, compiled, with sparse elimination and exact site balance.

RODAS: six stages, stiffly accurate, the coefficients of Hairer and Wanner, Solving Ordinary Differential Equations II,
section VI.4. One step solves six systems with the same matrix M = I/(gamma h) - J. What every step of the network has
done so far, q = integral of r, is advanced by the same stages at no further elimination.

Rates of 1e13 s^-1 and steps of seconds would cost every digit of a pivot if it were found by subtraction. The sites
of a family are conserved, so the column sums of M are known exactly: a pivot is that sum less the entries below it,
which have the other sign (the algorithm of Grassmann, Taksar and Heyman, 10.1287/opre.33.5.1107, with several laws of
conservation).
"""

import numpy as np
from numba import njit

from qdsurf.kinetics.lanes import COMPILED, LANES, add_multiple, add_product, put, put_product, subtract_product
from qdsurf.kinetics.ratelaw import accumulate, along, net_rates, rate_slopes

GAMMA = 0.25
STAGES = np.array(  # a_ij of the arguments; row 5 holds the fifth and, with u_5 added, the sixth argument
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [1.544, 0.0, 0.0, 0.0, 0.0],
        [0.9466785280815826, 0.2557011698983284, 0.0, 0.0, 0.0],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0.0, 0.0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 0.0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0],
    ]
)
COUPLING = np.array(  # c_ij, divided by h
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [-5.6688, 0.0, 0.0, 0.0, 0.0],
        [-2.430093356833875, -0.2063599157091915, 0.0, 0.0, 0.0],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0.0, 0.0],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160, 0.0],
        [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
    ]
)
SMALLEST_FACTOR, LARGEST_FACTOR, SAFETY = 0.2, 8.0, 0.9
SUCCESS, TOO_MANY_STEPS, NOT_FINITE, SITES_LOST, RUNNING = 0, 1, 2, 3, 4
HUGE = 1e30  # stands for an error that is not finite
SITE_TOLERANCE = 1e-8
SHORTEST_STEP = 1e-25  # s
TINY = (
    1e-20  # events per site below which a step has not happened; so low because a rare adduct can carry the whole flux
)
ROUNDING = 1e-14  # a net rate cannot be known better than this share of the two that it is the difference of


@njit(**COMPILED)
def assemble(law, slopes, inverse_step, supply_rate, depletion, matrix, sums):
    """Write M = I/(gamma h) - J into `matrix` and its column sums, weighted with the sites, into `sums`."""
    depends_from, depends, weights = law.depends_from, law.depends, law.weights
    changes_from, changes, change, species = law.changes_from, law.changes, law.change, law.species
    size = weights.shape[1]
    matrix[:] = 0.0
    sums[:] = 0.0
    for i in range(size):
        put(matrix, i * size + i, inverse_step, 0)
        if i >= species:
            add_multiple(matrix, i * size + i, 1.0, supply_rate, 0)
        for f in range(len(weights)):
            add_multiple(sums, f * size + i, weights[f, i], inverse_step, 0)
    factor = np.zeros((1, LANES))
    for s in range(len(depends_from) - 1):
        for a in range(changes_from[s], changes_from[s + 1]):
            i = changes[a]
            for b in range(depends_from[s], depends_from[s + 1]):
                if i < species:
                    add_multiple(matrix, i * size + depends[b], -change[a], slopes, b)
                else:
                    put_product(factor, 0, depletion, 0, slopes, b)
                    add_multiple(matrix, i * size + depends[b], -change[a], factor, 0)


@njit(**COMPILED)
def factorise(law, matrix, sums):
    """Replace M by its factors, in the order of `law.order`; the pivots of species come from the column sums."""
    order, family, weights = law.order, law.family, law.weights
    below_from, below, right_from, right = law.below_from, law.below, law.right_from, law.right
    size, families = weights.shape[1], len(weights)
    inverse, ratio = np.zeros((1, LANES)), np.zeros((1, LANES))
    for k in range(size):
        p = order[k]
        f = family[p]
        if f < 0:
            put(inverse, 0, matrix, p * size + p)
        else:
            put(inverse, 0, sums, f * size + p)
            for at in range(below_from[k], below_from[k + 1]):
                if weights[f, below[at]] != 0.0:
                    add_multiple(inverse, 0, -weights[f, below[at]], matrix, below[at] * size + p)
        scale = 1.0 if f < 0 else weights[f, p]
        for lane in range(LANES):
            inverse[0, lane] = scale / inverse[0, lane]
        put(matrix, p * size + p, inverse, 0)
        for at in range(below_from[k], below_from[k + 1]):
            row = below[at] * size
            put_product(ratio, 0, matrix, row + p, inverse, 0)
            put(matrix, row + p, ratio, 0)
            for to in range(right_from[k], right_from[k + 1]):
                subtract_product(matrix, row + right[to], ratio, 0, matrix, p * size + right[to])
        for g in range(families):
            put_product(ratio, 0, sums, g * size + p, inverse, 0)
            for to in range(right_from[k], right_from[k + 1]):
                subtract_product(sums, g * size + right[to], ratio, 0, matrix, p * size + right[to])


@njit(**COMPILED)
def substitute(law, matrix, vector, first):
    """Solve with the factors, in place, the rows of `vector` from `first` on; inverse pivots are on the diagonal."""
    order, below_from, below, right_from, right = law.order, law.below_from, law.below, law.right_from, law.right
    size = len(order)
    for k in range(size):
        p = order[k]
        for at in range(below_from[k], below_from[k + 1]):
            subtract_product(vector, first + below[at], matrix, below[at] * size + p, vector, first + p)
    for k in range(size - 1, -1, -1):
        p = order[k]
        for at in range(right_from[k], right_from[k + 1]):
            subtract_product(vector, first + p, matrix, p * size + right[at], vector, first + right[at])
        put_product(vector, first + p, vector, first + p, matrix, p * size + p)


@njit(**COMPILED)
def combine(base, weights, terms, count, inverse, out, first):
    """Write base + sum_j weights_j inverse terms_j into `out` from row `first` on, for the first `count` terms."""
    size = len(base)
    factor = np.zeros((1, LANES))
    for i in range(size):
        put(out, first + i, base, i)
    for j in range(count):
        if weights[j] != 0.0:
            factor[:] = 0.0
            add_multiple(factor, 0, weights[j], inverse, 0)
            for i in range(size):
                add_product(out, first + i, factor, 0, terms, j * size + i)


@njit(**COMPILED)
def measure(before, after, error, first, rtol, floor, worst):
    """Raise `worst` of each lane to its largest error in units of the tolerance; not finite becomes HUGE."""
    for i in range(len(before)):
        for lane in range(LANES):
            scale = floor[i, lane] + rtol * max(abs(before[i, lane]), abs(after[i, lane]))
            share = abs(error[first + i, lane]) / scale
            worst[lane] = max(worst[lane], share) if share < HUGE else HUGE


@njit(**COMPILED)
def step(law, forward, reverse, thermal_eV, supply, supply_rate, depletion, h, y, q, settings, work, y_after, q_after):
    """Try one step of length h in every lane.

    Parameters
    ----------
    forward, reverse : rate constants, s^-1, shape (S, lanes); thermal_eV : kT, shape (lanes,).
    supply : activities p/p0 of the supply, shape (G, lanes); supply_rate : 1/tau of the gas, s^-1, 0 where it is held
        or closed in; depletion : (kT/p0)(A/V) of a closed cell, m^2; both of shape (1, lanes).
    h, y, q : length in s, variables and extents at the start, shape (1, lanes), (N + G, lanes), (S, lanes).
    work : scratch arrays of `workspace`.
    y_after, q_after : the end of the step is written here.

    Returns
    -------
    error of each lane in units of the tolerance, shape (lanes,).
    """
    u, extents, matrix, sums, rates, gross, slopes, argument, floor_y, floor_q = work
    n, size, steps = law.species, len(y), len(q)
    one, inverse_h, scaled = np.ones((1, LANES)), 1 / h, GAMMA * h
    rate_slopes(law, forward, reverse, thermal_eV, y, slopes)
    assemble(law, slopes, inverse_h / GAMMA, supply_rate, depletion, matrix, sums)
    factorise(law, matrix, sums)
    for stage in range(6):
        here, there = stage * size, stage * steps
        combine(y, STAGES[stage], u, stage, one, argument, 0)
        net_rates(law, forward, reverse, thermal_eV, argument, rates, gross)
        accumulate(law, rates, depletion, y_after)
        for g in range(n, size):
            add_product(y_after, g, supply_rate, 0, supply, g - n)
            subtract_product(y_after, g, supply_rate, 0, argument, g)
        combine(y_after, COUPLING[stage], u, stage, inverse_h, u, here)
        substitute(law, matrix, u, here)
        along(law, slopes, u, here, rates)  # the extents have the same stages, with the identity for their matrix
        combine(rates, COUPLING[stage], extents, stage, inverse_h, extents, there)
        for s in range(steps):
            put_product(extents, there + s, extents, there + s, scaled, 0)
    for i in range(size):
        put(y_after, i, argument, i)
        add_multiple(y_after, i, 1.0, u, 5 * size + i)
    floor_y[:] = settings[1]
    combine(q, STAGES[5], extents, 5, one, q_after, 0)
    for s in range(steps):
        add_multiple(q_after, s, 1.0, extents, 5 * steps + s)
        for lane in range(LANES):
            floor_q[s, lane] = TINY + ROUNDING * h[0, lane] * abs(gross[s, lane])
    worst = np.zeros(LANES)
    measure(y, y_after, u, 5 * size, settings[0], floor_y, worst)
    measure(q, q_after, extents, 5 * steps, settings[0], floor_q, worst)
    return worst


@njit(**COMPILED)
def workspace(law):
    """Scratch arrays of `step`, in its order."""
    size, steps, families = len(law.order), len(law.beta), len(law.weights)
    return (
        np.zeros((6 * size, LANES)), np.zeros((6 * steps, LANES)), np.zeros((size * size, LANES)),
        np.zeros((families * size, LANES)), np.zeros((steps, LANES)), np.zeros((steps, LANES)),
        np.zeros((len(law.depends), LANES)), np.zeros((size, LANES)), np.zeros((size, LANES)), np.zeros((steps, LANES)),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def run_batch(
    law, forward, reverse, thermal_eV, supplies, pieces, cycles, start, settings, ends, extents, status, path
):
    """Run the pieces of a recipe `cycles` times, for many members that go in step in the lanes of the CPU.

    Every member has its own time, step and piece; a lane whose member has arrived takes the next one.

    Parameters
    ----------
    forward, reverse : rate constants, s^-1, shape (B, S); thermal_eV : kT in eV, shape (B,).
    supplies : activities of the gases in each piece, shape (B, P, G).
    pieces : duration in s, 1/tau in s^-1 (infinite: the gas is at its supply at once), depletion by kT in m^2/eV,
        shape (P, 3).
    start : coverages and activities at time zero, shape (N + G,).
    settings : relative tolerance, absolute tolerance of coverages, largest number of steps of a piece, first step in s.
    ends, extents, status : written here: variables and extents at the end of each piece, shape (B, cycles P, N + G) and
        (B, cycles P, S), and what became of the member, shape (B,).
    path : rows (time, y, q) of the accepted steps of the first member are written here, as many as there is room for.

    Returns
    -------
    number of steps tried by all members, number of rows written.
    """
    members, steps, size, count = len(forward), forward.shape[1], len(law.order), len(pieces)
    n, gases = law.species, len(law.order) - law.species
    work = workspace(law)
    k_up, k_down, kT = np.zeros((steps, LANES)), np.zeros((steps, LANES)), np.ones(LANES)
    supply, supply_rate, depletion = np.zeros((gases, LANES)), np.zeros((1, LANES)), np.zeros((1, LANES))
    y, q, y_after, q_after = (np.zeros((size, LANES)), np.zeros((steps, LANES)), np.zeros((size, LANES)),
                              np.zeros((steps, LANES)))  # fmt: skip
    member, place = np.full(LANES, -1), np.zeros(LANES, dtype=np.int64)
    time, h, longest, tried = np.zeros(LANES), np.ones((1, LANES)), np.ones(LANES), np.zeros(LANES, dtype=np.int64)
    old_h, old_error, elapsed = np.zeros(LANES), np.ones(LANES), 0.0
    waiting, running, rows, total = 0, 0, 0, 0
    for lane in range(LANES):
        y[:, lane] = start
    while True:
        for lane in range(LANES):
            if member[lane] < 0 and waiting < members:
                b = member[lane] = waiting
                waiting, running, place[lane], time[lane], longest[lane] = waiting + 1, running + 1, -1, 1.0, 0.0
                k_up[:, lane], k_down[:, lane], kT[lane] = forward[b], reverse[b], thermal_eV[b]
                y[:, lane], q[:, lane] = start, 0.0
            if member[lane] >= 0 and time[lane] >= longest[lane]:  # on to the next piece
                place[lane] += 1
                piece, b = place[lane] % count, member[lane]
                longest[lane], supply_rate[0, lane] = pieces[piece, 0], pieces[piece, 1]
                depletion[0, lane] = kT[lane] * pieces[piece, 2]
                supply[:, lane] = supplies[b, piece]
                if not np.isfinite(supply_rate[0, lane]):
                    y[n:, lane], supply_rate[0, lane] = supplies[b, piece], 0.0
                time[lane], old_h[lane], tried[lane] = 0.0, 0.0, 0
                h[0, lane] = min(longest[lane], settings[3])
        if running == 0:
            return total, rows
        for lane in range(LANES):
            if member[lane] >= 0 and time[lane] + 1.0000001 * h[0, lane] >= longest[lane]:
                h[0, lane] = longest[lane] - time[lane]
        error = step(law, k_up, k_down, kT, supply, supply_rate, depletion, h, y, q, settings, work, y_after, q_after)
        for lane in range(LANES):
            b = member[lane]
            if b < 0:
                continue
            total, tried[lane] = total + 1, tried[lane] + 1
            factor = min(LARGEST_FACTOR, max(SMALLEST_FACTOR, SAFETY * max(error[lane], 1e-10) ** -0.25))
            outcome = SUCCESS
            if error[lane] > 1.0:
                h[0, lane] *= factor
                outcome = NOT_FINITE if h[0, lane] < SHORTEST_STEP else RUNNING
            else:
                if old_h[lane] > 0.0:  # the predictive controller of Gustafsson, 10.1145/198429.198437
                    trend = (max(old_error[lane], 1e-2) / max(error[lane], 1e-10) ** 2) ** 0.25
                    factor = max(SMALLEST_FACTOR, min(factor, SAFETY * h[0, lane] / old_h[lane] * trend))
                old_h[lane], old_error[lane] = h[0, lane], error[lane]
                time[lane] = longest[lane] if h[0, lane] == longest[lane] - time[lane] else time[lane] + h[0, lane]
                h[0, lane] *= factor
                y[:, lane], q[:, lane] = y_after[:, lane], q_after[:, lane]
                if b == 0 and rows < len(path):
                    path[rows, 0] = elapsed + time[lane]
                    path[rows, 1 : 1 + size], path[rows, 1 + size :] = y[:, lane], q[:, lane]
                    rows += 1
                outcome = RUNNING
                if time[lane] >= longest[lane]:
                    ends[b, place[lane]], extents[b, place[lane]] = y[:, lane], q[:, lane]
                    elapsed += longest[lane] if b == 0 else 0.0
                    if site_defect(law, y, lane) > SITE_TOLERANCE:
                        outcome = SITES_LOST
                    elif place[lane] == cycles * count - 1:
                        outcome = SUCCESS
            if outcome == RUNNING and tried[lane] >= settings[2]:
                outcome = TOO_MANY_STEPS
            if outcome != RUNNING:
                status[b], member[lane], running = outcome, -1, running - 1
                y[:, lane], q[:, lane], k_up[:, lane], k_down[:, lane] = start, 0.0, 0.0, 0.0
                h[0, lane], supply_rate[0, lane], depletion[0, lane] = 1.0, 0.0, 0.0


@njit(cache=True, nogil=True)
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
