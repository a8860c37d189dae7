"""An L-stable Rosenbrock method of order 4(3) for reaction networks, with sparse elimination and an exact site balance.

The method is RODAS: six stages, stiffly accurate, with the coefficients of Hairer and Wanner, Solving Ordinary
Differential Equations II, section VI.4. One step solves six linear systems with the same matrix M = I/(gamma h) - J.
The extent of every elementary step, q = integral of r, is advanced by the same stages and needs no further elimination.

With rates of 1e13 s^-1 and steps of seconds, a pivot found by subtraction would lose all digits. The sites of a family
are conserved, so the column sums of M are known exactly. A pivot is this sum minus the entries below it, which have the
opposite sign (the algorithm of Grassmann, Taksar and Heyman, 10.1287/opre.33.5.1107, with several laws of
conservation).

In the shapes below, N is the number of species, G of gases, S of elementary steps, and F of site families.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from qdsurf.microkinetics.solver.lanes import (
    COMPILED,
    LANES,
    add_multiple,
    add_product,
    copy_row,
    set_product,
    subtract_product,
)
from qdsurf.microkinetics.solver.rate_law import (
    RateLaw,
    add_directional_derivative,
    net_rates,
    rate_slopes,
    sum_changes,
)

STAGE_COUNT = 6
GAMMA = 0.25
STAGES = np.array(  # a_ij of the arguments; row 5 gives the fifth argument and, with u_5 added, the sixth
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
SMALLEST_EXTENT = 1e-20  # events per site that are resolved; a rare adduct can carry the whole flux
ROUNDING = 1e-14  # relative to the two rates of which a net rate is the difference; its error cannot be smaller
EXTENT_SLACK = 10.0  # extents may be less accurate than coverages: 1e-5 relative at the default tolerance
HUGE = 1e30  # replaces an error that is not finite


class LaneState(NamedTuple):
    """State of the members in all lanes before and after one step of the solver.

    Attributes
    ----------
    forward, reverse : numpy.ndarray
        Rate constants, s^-1, shape (S, lanes).
    thermal_eV : numpy.ndarray
        kT, eV, shape (lanes,).
    supply : numpy.ndarray
        Activities p/p0 of the supply, shape (G, lanes).
    supply_rate : numpy.ndarray
        1/tau of the gas, s^-1, shape (1, lanes). 0: the pressures are constant, or the cell is closed.
    depletion : numpy.ndarray
        (kT/p0)(A/V) of a closed cell, m^2, shape (1, lanes).
    h : numpy.ndarray
        Length of the step, s, shape (1, lanes).
    y, q : numpy.ndarray
        Variables and extents at the start of the step, shape (N + G, lanes) and (S, lanes).
    y_after, q_after : numpy.ndarray
        The same at the end of the step.
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


class Workspace(NamedTuple):
    """Arrays that one step of the solver overwrites.

    Attributes
    ----------
    y_stages, q_stages : numpy.ndarray
        Stages of the variables and of the extents, one after the other, shape (6 (N + G), lanes) and (6 S, lanes).
    matrix : numpy.ndarray
        M, later its factors, shape ((N + G)^2, lanes).
    column_sums : numpy.ndarray
        Column sums of M weighted with the sites of each family, shape (F (N + G), lanes).
    rates, gross : numpy.ndarray
        Net rates and sums of the rates of both directions, shape (S, lanes).
    slopes : numpy.ndarray
        Derivatives of the net rates, shape (len(law.depends), lanes).
    argument : numpy.ndarray
        Variables at which a stage is evaluated, shape (N + G, lanes).
    y_floor, q_floor : numpy.ndarray
        Absolute tolerances of variables and extents, shape (N + G, lanes) and (S, lanes).
    scratch : numpy.ndarray
        Shape (2, lanes).
    """

    y_stages: np.ndarray
    q_stages: np.ndarray
    matrix: np.ndarray
    column_sums: np.ndarray
    rates: np.ndarray
    gross: np.ndarray
    slopes: np.ndarray
    argument: np.ndarray
    y_floor: np.ndarray
    q_floor: np.ndarray
    scratch: np.ndarray


@njit(**COMPILED)
def make_lanes(law: RateLaw) -> LaneState:
    """Return empty lanes: no rates, no gas, a step of one second."""
    size = len(law.order)
    steps = len(law.beta)
    forward = np.zeros((steps, LANES))
    reverse = np.zeros((steps, LANES))
    thermal_eV = np.ones(LANES)
    supply = np.zeros((size - law.species, LANES))
    supply_rate = np.zeros((1, LANES))
    depletion = np.zeros((1, LANES))
    h = np.ones((1, LANES))
    y = np.zeros((size, LANES))
    q = np.zeros((steps, LANES))
    y_after = np.zeros((size, LANES))
    q_after = np.zeros((steps, LANES))
    return LaneState(forward, reverse, thermal_eV, supply, supply_rate, depletion, h, y, q, y_after, q_after)


@njit(**COMPILED)
def make_workspace(law: RateLaw) -> Workspace:
    """Return the work arrays of `try_step`."""
    size = len(law.order)
    steps = len(law.beta)
    y_stages = np.zeros((STAGE_COUNT * size, LANES))
    q_stages = np.zeros((STAGE_COUNT * steps, LANES))
    matrix = np.zeros((size * size, LANES))
    column_sums = np.zeros((len(law.weights) * size, LANES))
    rates = np.zeros((steps, LANES))
    gross = np.zeros((steps, LANES))
    slopes = np.zeros((len(law.depends), LANES))
    argument = np.zeros((size, LANES))
    y_floor = np.zeros((size, LANES))
    q_floor = np.zeros((steps, LANES))
    scratch = np.zeros((2, LANES))
    return Workspace(y_stages, q_stages, matrix, column_sums, rates, gross, slopes, argument, y_floor, q_floor, scratch)


@njit(**COMPILED)
def try_step(law: RateLaw, lanes: LaneState, rtol: float, atol: float, work: Workspace) -> np.ndarray:
    """Try one step of length `lanes.h` in every lane.

    Parameters
    ----------
    law : RateLaw
        Index arrays of the network.
    lanes : LaneState
        Input, and output in `y_after` and `q_after`.
    rtol : float
        Relative tolerance of all variables and extents.
    atol : float
        Absolute tolerance of coverages.
    work : Workspace
        Result of `make_workspace`.

    Returns
    -------
    numpy.ndarray
        Error of each lane in units of the tolerance, shape (lanes,).
    """
    # All arrays get local names, because attribute access in compiled loops takes about 10 % of the time of a step.
    forward = lanes.forward
    reverse = lanes.reverse
    thermal_eV = lanes.thermal_eV
    supply = lanes.supply
    supply_rate = lanes.supply_rate
    depletion = lanes.depletion
    h = lanes.h
    y = lanes.y
    q = lanes.q
    y_after = lanes.y_after
    q_after = lanes.q_after
    y_stages = work.y_stages
    q_stages = work.q_stages
    matrix = work.matrix
    column_sums = work.column_sums
    rates = work.rates
    gross = work.gross
    slopes = work.slopes
    argument = work.argument
    y_floor = work.y_floor
    q_floor = work.q_floor
    scratch = work.scratch
    species = law.species
    size = len(y)
    steps = len(q)
    one = np.ones((1, LANES))
    inverse_h = 1 / h
    scaled_h = GAMMA * h

    rate_slopes(law, forward, reverse, thermal_eV, y, slopes, scratch)
    assemble_matrix(law, slopes, inverse_h / GAMMA, supply_rate, depletion, matrix, column_sums, scratch)
    factorise(law, matrix, column_sums, scratch)
    for stage in range(STAGE_COUNT):
        first_y = stage * size
        first_q = stage * steps
        add_stages(y, STAGES[stage], y_stages, stage, one, argument, 0, scratch)
        net_rates(law, forward, reverse, thermal_eV, argument, rates, gross)
        sum_changes(law, rates, depletion, y_after)
        for g in range(species, size):
            add_product(y_after, g, supply_rate, 0, supply, g - species)
            subtract_product(y_after, g, supply_rate, 0, argument, g)
        add_stages(y_after, COUPLING[stage], y_stages, stage, inverse_h, y_stages, first_y, scratch)
        solve_factorised(law, matrix, y_stages, first_y)
        # The extents have the same stages. The block of M that belongs to them is diagonal and needs no elimination.
        add_directional_derivative(law, slopes, y_stages, first_y, rates)
        add_stages(rates, COUPLING[stage], q_stages, stage, inverse_h, q_stages, first_q, scratch)
        for s in range(steps):
            set_product(q_stages, first_q + s, q_stages, first_q + s, scaled_h, 0)
    last_y = (STAGE_COUNT - 1) * size
    last_q = (STAGE_COUNT - 1) * steps
    for i in range(size):
        copy_row(y_after, i, argument, i)
        add_multiple(y_after, i, 1.0, y_stages, last_y + i)
    y_floor[:] = atol
    add_stages(q, STAGES[STAGE_COUNT - 1], q_stages, STAGE_COUNT - 1, one, q_after, 0, scratch)
    for s in range(steps):
        add_multiple(q_after, s, 1.0, q_stages, last_q + s)
        for lane in range(LANES):
            q_floor[s, lane] = SMALLEST_EXTENT + ROUNDING * h[0, lane] * abs(gross[s, lane])
    # The last stage is the difference between the results of order 4 and 3.
    largest_error = np.zeros(LANES)
    update_largest_error(y, y_after, y_stages, last_y, rtol, y_floor, largest_error)
    update_largest_error(q, q_after, q_stages, last_q, EXTENT_SLACK * rtol, q_floor, largest_error)
    return largest_error


@njit(**COMPILED)
def assemble_matrix(
    law: RateLaw,
    slopes: np.ndarray,
    inverse_step: np.ndarray,
    supply_rate: np.ndarray,
    depletion: np.ndarray,
    matrix: np.ndarray,
    column_sums: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Write M = I/(gamma h) - J into `matrix`, and its column sums weighted with the sites into `column_sums`.

    `inverse_step` is 1/(gamma h), s^-1, shape (1, lanes); the other arrays are those of `LaneState` and `Workspace`.
    """
    depends_from = law.depends_from
    depends = law.depends
    changes_from = law.changes_from
    changes = law.changes
    change = law.change
    weights = law.weights
    species = law.species
    size = weights.shape[1]
    matrix[:] = 0.0
    column_sums[:] = 0.0
    for i in range(size):
        copy_row(matrix, i * size + i, inverse_step, 0)
        if i >= species:
            add_multiple(matrix, i * size + i, 1.0, supply_rate, 0)
        for f in range(len(weights)):
            add_multiple(column_sums, f * size + i, weights[f, i], inverse_step, 0)
    for s in range(len(depends_from) - 1):
        for a in range(changes_from[s], changes_from[s + 1]):
            i = changes[a]
            for b in range(depends_from[s], depends_from[s + 1]):
                if i < species:
                    add_multiple(matrix, i * size + depends[b], -change[a], slopes, b)
                else:
                    set_product(scratch, 0, depletion, 0, slopes, b)
                    add_multiple(matrix, i * size + depends[b], -change[a], scratch, 0)


@njit(**COMPILED)
def factorise(law: RateLaw, matrix: np.ndarray, column_sums: np.ndarray, scratch: np.ndarray) -> None:
    """Replace M by its factors, in the order of `law.order`, with inverse pivots on the diagonal.

    The pivots of species follow from the column sums, those of gases from elimination.
    """
    order = law.order
    family = law.family
    weights = law.weights
    below_from = law.below_from
    below = law.below
    right_from = law.right_from
    right = law.right
    size = weights.shape[1]
    families = len(weights)
    inverse = scratch[:1]
    ratio = scratch[1:]
    for k in range(size):
        p = order[k]
        f = family[p]
        if f < 0:
            copy_row(inverse, 0, matrix, p * size + p)
        else:
            copy_row(inverse, 0, column_sums, f * size + p)
            for at in range(below_from[k], below_from[k + 1]):
                if weights[f, below[at]] != 0.0:
                    add_multiple(inverse, 0, -weights[f, below[at]], matrix, below[at] * size + p)
        scale = 1.0 if f < 0 else weights[f, p]
        for lane in range(LANES):
            inverse[0, lane] = scale / inverse[0, lane]
        copy_row(matrix, p * size + p, inverse, 0)
        for at in range(below_from[k], below_from[k + 1]):
            row = below[at] * size
            set_product(ratio, 0, matrix, row + p, inverse, 0)
            copy_row(matrix, row + p, ratio, 0)
            for to in range(right_from[k], right_from[k + 1]):
                subtract_product(matrix, row + right[to], ratio, 0, matrix, p * size + right[to])
        for g in range(families):
            set_product(ratio, 0, column_sums, g * size + p, inverse, 0)
            for to in range(right_from[k], right_from[k + 1]):
                subtract_product(column_sums, g * size + right[to], ratio, 0, matrix, p * size + right[to])


@njit(**COMPILED)
def solve_factorised(law: RateLaw, matrix: np.ndarray, vector: np.ndarray, first: int) -> None:
    """Solve M x = b in place with the factors of M; b is the rows of `vector` from `first` on."""
    order = law.order
    below_from = law.below_from
    below = law.below
    right_from = law.right_from
    right = law.right
    size = len(order)
    for k in range(size):
        p = order[k]
        for at in range(below_from[k], below_from[k + 1]):
            subtract_product(vector, first + below[at], matrix, below[at] * size + p, vector, first + p)
    for k in range(size - 1, -1, -1):
        p = order[k]
        for at in range(right_from[k], right_from[k + 1]):
            subtract_product(vector, first + p, matrix, p * size + right[at], vector, first + right[at])
        set_product(vector, first + p, vector, first + p, matrix, p * size + p)


@njit(**COMPILED)
def add_stages(
    base: np.ndarray,
    weights: np.ndarray,
    stages: np.ndarray,
    count: int,
    factor: np.ndarray,
    out: np.ndarray,
    first: int,
    scratch: np.ndarray,
) -> None:
    """Write base + factor sum_j weights_j stages_j into the rows of `out` from `first` on.

    The sum is over the first `count` stages; `factor` has the shape (1, lanes).
    """
    size = len(base)
    for i in range(size):
        copy_row(out, first + i, base, i)
    for j in range(count):
        if weights[j] != 0.0:
            for lane in range(LANES):
                scratch[0, lane] = weights[j] * factor[0, lane]
            for i in range(size):
                add_product(out, first + i, scratch, 0, stages, j * size + i)


@njit(**COMPILED)
def update_largest_error(
    before: np.ndarray,
    after: np.ndarray,
    error: np.ndarray,
    first: int,
    rtol: float,
    floor: np.ndarray,
    largest: np.ndarray,
) -> None:
    """Raise `largest` of each lane to the largest error in units of the tolerance; one that is not finite becomes HUGE.

    The errors are the rows of `error` from `first` on; `floor` has the absolute tolerances.
    """
    for i in range(len(before)):
        for lane in range(LANES):
            scale = floor[i, lane] + rtol * max(abs(before[i, lane]), abs(after[i, lane]))
            relative = abs(error[first + i, lane]) / scale
            largest[lane] = max(largest[lane], relative) if relative < HUGE else HUGE
