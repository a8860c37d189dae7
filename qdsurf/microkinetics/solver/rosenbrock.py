"""An L-stable Rosenbrock method of order 4(3) for networks, compiled, with sparse elimination and exact site balance.

RODAS: six stages, stiffly accurate, the coefficients of Hairer and Wanner, Solving Ordinary Differential Equations II,
section VI.4. One step solves six systems with the same matrix M = I/(gamma h) - J. What every step of the network has
done so far, q = integral of r, is advanced by the same stages at no further elimination.

Rates of 1e13 s^-1 and steps of seconds would cost every digit of a pivot if it were found by subtraction. The sites
of a family are conserved, so the column sums of M are known exactly: a pivot is that sum less the entries below it,
which have the other sign (the algorithm of Grassmann, Taksar and Heyman, 10.1287/opre.33.5.1107, with several laws of
conservation).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from qdsurf.microkinetics.solver.lanes import (
    COMPILED,
    LANES,
    add_multiple,
    add_product,
    put,
    put_product,
    subtract_product,
)
from qdsurf.microkinetics.solver.rate_law import accumulate, along, net_rates, rate_slopes

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
TINY = 1e-20  # events per site below which a step has not happened; a rare adduct can carry the whole flux
ROUNDING = 1e-14  # a net rate cannot be known better than this share of the two that it is the difference of
EXTENT_SLACK = 10.0  # what steps have done need not be as right as coverages: 1e-5 of itself at the default
HUGE = 1e30  # stands for an error that is not finite


@njit(**COMPILED)
def assemble(law, slopes, inverse_step, supply_rate, depletion, matrix, sums, scratch):
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
    for s in range(len(depends_from) - 1):
        for a in range(changes_from[s], changes_from[s + 1]):
            i = changes[a]
            for b in range(depends_from[s], depends_from[s + 1]):
                if i < species:
                    add_multiple(matrix, i * size + depends[b], -change[a], slopes, b)
                else:
                    put_product(scratch, 0, depletion, 0, slopes, b)
                    add_multiple(matrix, i * size + depends[b], -change[a], scratch, 0)


@njit(**COMPILED)
def factorise(law, matrix, sums, scratch):
    """Replace M by its factors, in the order of `law.order`; the pivots of species come from the column sums."""
    order, family, weights = law.order, law.family, law.weights
    below_from, below, right_from, right = law.below_from, law.below, law.right_from, law.right
    size, families = weights.shape[1], len(weights)
    inverse, ratio = scratch[:1], scratch[1:]
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
def combine(base, weights, terms, count, inverse, out, first, scratch):
    """Write base + sum_j weights_j inverse terms_j into `out` from row `first` on, for the first `count` terms."""
    size = len(base)
    for i in range(size):
        put(out, first + i, base, i)
    for j in range(count):
        if weights[j] != 0.0:
            for lane in range(LANES):
                scratch[0, lane] = weights[j] * inverse[0, lane]
            for i in range(size):
                add_product(out, first + i, scratch, 0, terms, j * size + i)


@njit(**COMPILED)
def measure(before, after, error, first, rtol, floor, worst):
    """Raise `worst` of each lane to its largest error in units of the tolerance; not finite becomes HUGE."""
    for i in range(len(before)):
        for lane in range(LANES):
            scale = floor[i, lane] + rtol * max(abs(before[i, lane]), abs(after[i, lane]))
            share = abs(error[first + i, lane]) / scale
            worst[lane] = max(worst[lane], share) if share < HUGE else HUGE


class Lanes(NamedTuple):
    """What the members in the lanes need for a step, and where it takes them.

    Attributes
    ----------
    forward, reverse : rate constants, s^-1, shape (S, lanes).
    thermal_eV : kT, shape (lanes,).
    supply : activities p/p0 of the supply, shape (G, lanes).
    supply_rate : 1/tau of the gas, s^-1, 0 where it is held or closed in, shape (1, lanes).
    depletion : (kT/p0)(A/V) of a closed cell, m^2, shape (1, lanes).
    h : length of the step, s, shape (1, lanes).
    y, q : variables and extents at its start, shape (N + G, lanes) and (S, lanes).
    y_after, q_after : the same at its end.
    """

    forward: np.ndarray
    reverse: np.ndarray
    thermal_eV: np.ndarray
    supply: np.ndarray
    supply_rate: np.ndarray
    depletion: np.ndarray
    h: np.ndarray
    y: np.ndarray
    q: np.ndarray
    y_after: np.ndarray
    q_after: np.ndarray


@njit(**COMPILED)
def make_lanes(law):
    """Empty lanes: no rates, no gas, a step of one second."""
    size, steps = len(law.order), len(law.beta)
    return Lanes(
        np.zeros((steps, LANES)), np.zeros((steps, LANES)), np.ones(LANES), np.zeros((size - law.species, LANES)),
        np.zeros((1, LANES)), np.zeros((1, LANES)), np.ones((1, LANES)), np.zeros((size, LANES)),
        np.zeros((steps, LANES)), np.zeros((size, LANES)), np.zeros((steps, LANES)),
    )  # fmt: skip


@njit(**COMPILED)
def make_workspace(law):
    """Scratch arrays of `step`, in its order."""
    size, steps, families = len(law.order), len(law.beta), len(law.weights)
    return (
        np.zeros((6 * size, LANES)), np.zeros((6 * steps, LANES)), np.zeros((size * size, LANES)),
        np.zeros((families * size, LANES)), np.zeros((steps, LANES)), np.zeros((steps, LANES)),
        np.zeros((len(law.depends), LANES)), np.zeros((size, LANES)), np.zeros((size, LANES)), np.zeros((steps, LANES)),
        np.zeros((2, LANES)),
    )  # fmt: skip


@njit(**COMPILED)
def step(law, lanes, rtol, atol, work):
    """Try one step in every lane; its end is in `lanes.y_after` and `lanes.q_after`.

    Parameters
    ----------
    rtol, atol : relative tolerance of everything, absolute tolerance of coverages.
    work : of `make_workspace`.

    Returns
    -------
    error of each lane in units of the tolerance, shape (lanes,).
    """
    forward, reverse, thermal_eV, supply, supply_rate, depletion, h, y, q, y_after, q_after = lanes
    u, extents, matrix, sums, rates, gross, slopes, argument, floor_y, floor_q, scratch = work
    n, size, steps = law.species, len(y), len(q)
    one, inverse_h, scaled = np.ones((1, LANES)), 1 / h, GAMMA * h
    rate_slopes(law, forward, reverse, thermal_eV, y, slopes, scratch)
    assemble(law, slopes, inverse_h / GAMMA, supply_rate, depletion, matrix, sums, scratch)
    factorise(law, matrix, sums, scratch)
    for stage in range(6):
        here, there = stage * size, stage * steps
        combine(y, STAGES[stage], u, stage, one, argument, 0, scratch)
        net_rates(law, forward, reverse, thermal_eV, argument, rates, gross)
        accumulate(law, rates, depletion, y_after)
        for g in range(n, size):
            add_product(y_after, g, supply_rate, 0, supply, g - n)
            subtract_product(y_after, g, supply_rate, 0, argument, g)
        combine(y_after, COUPLING[stage], u, stage, inverse_h, u, here, scratch)
        substitute(law, matrix, u, here)
        along(law, slopes, u, here, rates)  # the extents have the same stages, with the identity for their matrix
        combine(rates, COUPLING[stage], extents, stage, inverse_h, extents, there, scratch)
        for s in range(steps):
            put_product(extents, there + s, extents, there + s, scaled, 0)
    for i in range(size):
        put(y_after, i, argument, i)
        add_multiple(y_after, i, 1.0, u, 5 * size + i)
    floor_y[:] = atol
    combine(q, STAGES[5], extents, 5, one, q_after, 0, scratch)
    for s in range(steps):
        add_multiple(q_after, s, 1.0, extents, 5 * steps + s)
        for lane in range(LANES):
            floor_q[s, lane] = TINY + ROUNDING * h[0, lane] * abs(gross[s, lane])
    worst = np.zeros(LANES)
    measure(y, y_after, u, 5 * size, rtol, floor_y, worst)
    measure(q, q_after, extents, 5 * steps, EXTENT_SLACK * rtol, floor_q, worst)
    return worst
