"""Mass-action rates of a network as index arrays, so that compiled code evaluates them and their Jacobian.

Variables y: coverages of the N species, then activities p/p0 of the G gases. The rate of step s (per reference site
and second, see `rates`) is

    r_s = k_f exp(-beta_s D_s/kT) prod y (reactants) - k_r exp((1 - beta_s) D_s/kT) prod y (products),

with D_s = sum_j bias_sj y_j the change of its reaction energy by lateral interactions. The coverages change with
sum_s change_is r_s; an activity relaxes to that of the supply and, in a closed cell, feels what the surface does:

    da_g/dt = (supply_g - a_g) / tau + (kT/p0) (A/V) sum_s change_gs r_s.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.solver.lanes import (
    COMPILED,
    LANES,
    add_multiple,
    add_product,
    difference_and_sum,
    put,
    put_product,
)

INDEX = np.uint32  # unsigned, so that compiled code need not look for negative ones


class RateLaw(NamedTuple):
    """Index arrays of one network; variables are counted as species first, then gases.

    Attributes
    ----------
    factors : variables multiplied in the one-way rates, forward then reverse, shape (2 S, order); N + G: a factor 1.
    slots : where the derivative by that factor is added among `depends`, same shape.
    depends_from, depends : variables on which each net rate depends, compressed by step.
    bias_eV : change of the step's reaction energy with that variable, shape of `depends`.
    beta : share of that change that the forward barrier feels, shape (S,).
    changes_from, changes, change : variables that a step changes, and by how much, compressed by step.
    weights : sites of each family that a full variable stands for, shape (F, N + G); weights @ coverages = 1.
    family : first family of each species, -1 for a gas, shape (N + G,).
    order : order in which variables are eliminated, shape (N + G,).
    below_from, below, right_from, right : rows below and columns right of each pivot, compressed by pivot.
    species : N.
    interacting : whether any bias is not zero.
    """

    factors: np.ndarray
    slots: np.ndarray
    depends_from: np.ndarray
    depends: np.ndarray
    bias_eV: np.ndarray
    beta: np.ndarray
    changes_from: np.ndarray
    changes: np.ndarray
    change: np.ndarray
    weights: np.ndarray
    family: np.ndarray
    order: np.ndarray
    below_from: np.ndarray
    below: np.ndarray
    right_from: np.ndarray
    right: np.ndarray
    species: int
    interacting: bool


def compile_law(network: Network) -> RateLaw:
    """Turn a network into index arrays, with the order of elimination that fills in least."""
    n, gases, steps = len(network.species), len(network.gases), len(network.steps)
    left = np.vstack([network.left, network.gas_left])
    right = np.vstack([network.right, network.gas_right])
    counts = np.hstack([left, right]).T  # one-way rates by variables
    order = max(1, counts.sum(axis=1).max(initial=0))
    factors = np.full((2 * steps, order), n + gases, dtype=INDEX)
    for row, count in zip(factors, counts, strict=True):
        row[: count.sum()] = np.repeat(np.arange(n + gases), count)
    bias = np.hstack([network.step_bias_eV, np.zeros((steps, gases))])
    depends = [np.flatnonzero((left[:, s] > 0) | (right[:, s] > 0) | (bias[s] != 0)) for s in range(steps)]
    change = network.change
    changes = [np.flatnonzero(change[:, s]) for s in range(steps)]
    pattern = np.eye(n + gases, dtype=bool)
    for rows, columns in zip(changes, depends, strict=True):
        pattern[np.ix_(rows, columns)] = True
    depends_from, changes_from = _starts(depends), _starts(changes)
    slots = np.zeros_like(factors)
    for row in range(2 * steps):
        columns = depends[row % steps]
        used = factors[row] < n + gases
        slots[row, used] = depends_from[row % steps] + np.searchsorted(columns, factors[row, used])
    elimination, below, beyond = _eliminate(pattern)
    return RateLaw(
        factors=factors,
        slots=slots,
        depends_from=depends_from,
        depends=_join(depends),
        bias_eV=_join([bias[s, columns] for s, columns in enumerate(depends)], float),
        beta=network.beta,
        changes_from=changes_from,
        changes=_join(changes),
        change=_join([change[rows, s] for s, rows in enumerate(changes)], float),
        weights=np.hstack([network.site_weights, np.zeros((len(network.families), gases))]),
        family=np.concatenate([network.family_of, np.full(gases, -1)]),
        order=elimination,
        below_from=_starts(below),
        below=_join(below),
        right_from=_starts(beyond),
        right=_join(beyond),
        species=n,
        interacting=bool(np.any(bias)),
    )


def _starts(lists: list[np.ndarray]) -> np.ndarray:
    """Where each list starts in their concatenation, with the end."""
    return np.concatenate([[0], np.cumsum([len(part) for part in lists])]).astype(np.int64)


def _join(lists: list[np.ndarray], dtype: type = INDEX) -> np.ndarray:
    return np.concatenate([*lists, []]).astype(dtype)


def _eliminate(pattern: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Order the pivots by least fill-in (Markowitz), and list the entries that each one touches."""
    filled = pattern.copy()
    left = list(range(len(pattern)))
    order, below, right = [], [], []
    while left:
        active = filled[np.ix_(left, left)]
        fill = (active.sum(axis=0) - 1) * (active.sum(axis=1) - 1)
        pivot = left.pop(int(np.argmin(fill)))
        rows = np.array([i for i in left if filled[i, pivot]], dtype=np.int64)
        columns = np.array([j for j in left if filled[pivot, j]], dtype=np.int64)
        filled[np.ix_(rows, columns)] = True
        order.append(pivot)
        below.append(rows)
        right.append(columns)
    return np.array(order, dtype=INDEX), below, right


# From here on the last axis of every array is that of the lanes.


@njit(**COMPILED)
def net_rates(law, forward, reverse, thermal_eV, y, rates, gross):
    """Write the net rate of every step into `rates`, and the sum of both directions into `gross`, s^-1, (S, lanes)."""
    factors, steps, order, empty = law.factors, len(rates), law.factors.shape[1], law.weights.shape[1]
    for s in range(steps):
        put(rates, s, forward, s)
        put(gross, s, reverse, s)
        for a in range(order):
            if factors[s, a] == empty:
                break
            put_product(rates, s, rates, s, y, factors[s, a])
        for a in range(order):
            if factors[s + steps, a] == empty:
                break
            put_product(gross, s, gross, s, y, factors[s + steps, a])
    if law.interacting:
        for s in range(steps):
            for lane in range(LANES):
                shift = _shift(law.depends_from, law.depends, law.bias_eV, s, y, lane) / thermal_eV[lane]
                rates[s, lane] *= np.exp(-law.beta[s] * shift)
                gross[s, lane] *= np.exp((1 - law.beta[s]) * shift)
    for s in range(steps):
        difference_and_sum(rates, gross, s)


@njit(**COMPILED)
def _shift(depends_from, depends, bias_eV, s, y, lane):
    """Change of the reaction energy of one step by lateral interactions, eV."""
    shift = 0.0
    for at in range(depends_from[s], depends_from[s + 1]):
        shift += bias_eV[at] * y[depends[at], lane]
    return shift


@njit(**COMPILED)
def rate_slopes(law, forward, reverse, thermal_eV, y, slopes, work):
    """Write the derivatives of the net rates by the variables of `law.depends` into `slopes`, s^-1.

    `work` is scratch, shape (2, lanes).
    """
    factors, slots, steps = law.factors, law.slots, len(forward)
    order, empty = factors.shape[1], law.weights.shape[1]
    slopes[:] = 0.0
    for row in range(2 * steps):
        s = row if row < steps else row - steps
        sign = 1.0 if row < steps else -1.0
        put(work, 0, forward if row < steps else reverse, s)
        if law.interacting:
            felt = -law.beta[s] if row < steps else 1 - law.beta[s]
            for lane in range(LANES):
                shift = _shift(law.depends_from, law.depends, law.bias_eV, s, y, lane) / thermal_eV[lane]
                work[0, lane] *= np.exp(felt * shift)
                rate = sign * work[0, lane]
                for a in range(order):
                    if factors[row, a] != empty:
                        rate *= y[factors[row, a], lane]
                for at in range(law.depends_from[s], law.depends_from[s + 1]):
                    slopes[at, lane] += felt * rate * law.bias_eV[at] / thermal_eV[lane]
        for a in range(order):
            if factors[row, a] == empty:
                break
            put(work, 1, work, 0)
            for b in range(order):
                if b != a and factors[row, b] != empty:
                    put_product(work, 1, work, 1, y, factors[row, b])
            add_multiple(slopes, slots[row, a], sign, work, 1)


@njit(**COMPILED)
def accumulate(law, rates, depletion, out):
    """Write sum_s change_is rates_s into `out`; the rows of the gases are multiplied by `depletion`, (1, lanes)."""
    changes_from, changes, change, species = law.changes_from, law.changes, law.change, law.species
    out[:] = 0.0
    for s in range(len(rates)):
        for at in range(changes_from[s], changes_from[s + 1]):
            add_multiple(out, changes[at], change[at], rates, s)
    for g in range(species, len(out)):
        put_product(out, g, out, g, depletion, 0)


@njit(**COMPILED)
def along(law, slopes, vector, first, out):
    """Add the derivatives of the net rates along a direction to `out`; the direction starts at row `first`."""
    depends_from, depends = law.depends_from, law.depends
    for s in range(len(out)):
        for at in range(depends_from[s], depends_from[s + 1]):
            add_product(out, s, slopes, at, vector, first + depends[at])
