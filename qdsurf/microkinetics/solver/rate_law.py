"""Mass-action rates of a network as index arrays, so that compiled code evaluates them and their Jacobian.

The variables y are the coverages of the N species, followed by the activities p/p0 of the G gases. The rate of step s
(per reference site and second, see `rate_constants`) is

    r_s = k_f exp(-beta_s D_s/kT) prod y (reactants) - k_r exp((1 - beta_s) D_s/kT) prod y (products),

where D_s = sum_j bias_sj y_j is the change of its reaction energy by lateral interactions. The time derivative of the
coverage of species i is sum_s change_is r_s. An activity relaxes to that of the supply and, in a closed cell, changes
with the reactions on the surface:

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
    copy_row,
    difference_and_sum,
    set_product,
)

INDEX = np.uint32  # unsigned, so that compiled code need not handle negative indices


class RateLaw(NamedTuple):
    """Index arrays of one network; variables are counted as species first, then gases.

    "Compressed by step" means that the entries of all steps are concatenated, and that those of step s are
    `from[s]` to `from[s + 1]` of the accompanying array.

    Attributes
    ----------
    factors : numpy.ndarray of INDEX
        Variables multiplied in the one-way rates, forward rates first, then reverse rates, shape (2 S, order). The
        value N + G means a factor of 1.
    slots : numpy.ndarray of INDEX
        Index among `depends` to which the derivative by that factor is added, same shape.
    depends_from, depends : numpy.ndarray
        Variables on which each net rate depends, compressed by step.
    bias_eV : numpy.ndarray
        Change of the reaction energy of the step with that variable, eV, shape of `depends`.
    beta : numpy.ndarray
        Fraction of this change that changes the forward barrier, dimensionless, shape (S,).
    changes_from, changes, change : numpy.ndarray
        Variables that a step changes, and by how much, compressed by step.
    weights : numpy.ndarray
        Fraction of each family that a variable of value 1 occupies, shape (F, N + G); weights @ coverages = 1.
    family : numpy.ndarray of int
        First family of each species, -1 for a gas, shape (N + G,).
    order : numpy.ndarray of INDEX
        Order in which the variables are eliminated, shape (N + G,).
    below_from, below : numpy.ndarray
        Rows below each pivot, compressed by pivot.
    right_from, right : numpy.ndarray
        Columns to the right of each pivot, compressed by pivot.
    species : int
        Number N of species.
    interacting : bool
        Whether any bias is not zero.
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
    """Convert a network into index arrays, with the order of elimination that has the least fill-in.

    Parameters
    ----------
    network : Network
        Network of the system.

    Returns
    -------
    RateLaw
    """
    n, gases, steps = len(network.species), len(network.gases), len(network.steps)
    no_factor = n + gases
    left = np.vstack([network.left, network.gas_left])
    right = np.vstack([network.right, network.gas_right])
    one_way_counts = np.hstack([left, right]).T  # shape (2 S, N + G)
    order = max(1, one_way_counts.sum(axis=1).max(initial=0))
    factors = np.full((2 * steps, order), no_factor, dtype=INDEX)
    for row, count in zip(factors, one_way_counts, strict=True):
        row[: count.sum()] = np.repeat(np.arange(n + gases), count)

    bias = np.hstack([network.step_bias_eV, np.zeros((steps, gases))])
    depends = [np.flatnonzero((left[:, s] > 0) | (right[:, s] > 0) | (bias[s] != 0)) for s in range(steps)]
    depends_from = _offsets(depends)
    slots = np.zeros_like(factors)
    for row in range(2 * steps):
        s = row % steps
        used = factors[row] < no_factor
        slots[row, used] = depends_from[s] + np.searchsorted(depends[s], factors[row, used])

    change = network.change
    changes = [np.flatnonzero(change[:, s]) for s in range(steps)]
    pattern = np.eye(n + gases, dtype=bool)  # entries of the Jacobian that can be nonzero
    for rows, columns in zip(changes, depends, strict=True):
        pattern[np.ix_(rows, columns)] = True
    pivots, below, right_of_pivot = _order_pivots(pattern)
    return RateLaw(
        factors=factors,
        slots=slots,
        depends_from=depends_from,
        depends=_concatenate(depends),
        bias_eV=_concatenate([bias[s, columns] for s, columns in enumerate(depends)], float),
        beta=network.beta,
        changes_from=_offsets(changes),
        changes=_concatenate(changes),
        change=_concatenate([change[rows, s] for s, rows in enumerate(changes)], float),
        weights=np.hstack([network.site_weights, np.zeros((len(network.families), gases))]),
        family=np.concatenate([network.family_of, np.full(gases, -1)]),
        order=pivots,
        below_from=_offsets(below),
        below=_concatenate(below),
        right_from=_offsets(right_of_pivot),
        right=_concatenate(right_of_pivot),
        species=n,
        interacting=bool(np.any(bias)),
    )


def _offsets(lists: list[np.ndarray]) -> np.ndarray:
    """Return the index at which each list starts in the concatenation of all, and its total length."""
    return np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)


def _concatenate(lists: list[np.ndarray], dtype: type = INDEX) -> np.ndarray:
    """Concatenate arrays, also none, into one of the given type."""
    return np.concatenate([*lists, []]).astype(dtype)


def _order_pivots(pattern: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Order the pivots by least fill-in (Markowitz), and list the rows and columns that each elimination changes.

    Returns the pivots, and for each of them the nonzero rows below and the nonzero columns to the right.
    """
    filled = pattern.copy()
    remaining = list(range(len(pattern)))
    pivots: list[int] = []
    below: list[np.ndarray] = []
    right: list[np.ndarray] = []
    while remaining:
        active = filled[np.ix_(remaining, remaining)]
        fill = (active.sum(axis=0) - 1) * (active.sum(axis=1) - 1)
        pivot = remaining.pop(int(np.argmin(fill)))
        rows = np.array([i for i in remaining if filled[i, pivot]], dtype=np.int64)
        columns = np.array([j for j in remaining if filled[pivot, j]], dtype=np.int64)
        filled[np.ix_(rows, columns)] = True
        pivots.append(pivot)
        below.append(rows)
        right.append(columns)
    return np.array(pivots, dtype=INDEX), below, right


# In the compiled functions below, the last axis of every array is that of the lanes.


@njit(**COMPILED)
def net_rates(
    law: RateLaw,
    forward: np.ndarray,
    reverse: np.ndarray,
    thermal_eV: np.ndarray,
    y: np.ndarray,
    rates: np.ndarray,
    gross: np.ndarray,
) -> None:
    """Compute the rates of all steps.

    Parameters
    ----------
    law : RateLaw
        Index arrays of the network.
    forward, reverse : numpy.ndarray
        Rate constants, s^-1, shape (S, lanes).
    thermal_eV : numpy.ndarray
        kT, eV, shape (lanes,).
    y : numpy.ndarray
        Variables, shape (N + G, lanes).
    rates : numpy.ndarray
        Output: net rate of each step, s^-1, shape (S, lanes).
    gross : numpy.ndarray
        Output: sum of the rates of both directions, s^-1, shape (S, lanes).
    """
    factors = law.factors
    steps = len(rates)
    order = factors.shape[1]
    no_factor = law.weights.shape[1]
    for s in range(steps):
        copy_row(rates, s, forward, s)
        copy_row(gross, s, reverse, s)
        for a in range(order):
            if factors[s, a] == no_factor:
                break
            set_product(rates, s, rates, s, y, factors[s, a])
        for a in range(order):
            if factors[s + steps, a] == no_factor:
                break
            set_product(gross, s, gross, s, y, factors[s + steps, a])
    if law.interacting:
        for s in range(steps):
            for lane in range(LANES):
                shift = _energy_change(law.depends_from, law.depends, law.bias_eV, s, y, lane) / thermal_eV[lane]
                rates[s, lane] *= np.exp(-law.beta[s] * shift)
                gross[s, lane] *= np.exp((1 - law.beta[s]) * shift)
    for s in range(steps):
        difference_and_sum(rates, gross, s)


@njit(**COMPILED)
def _energy_change(
    depends_from: np.ndarray, depends: np.ndarray, bias_eV: np.ndarray, s: int, y: np.ndarray, lane: int
) -> float:
    """Return the change of the reaction energy of one step by lateral interactions, eV."""
    change = 0.0
    for at in range(depends_from[s], depends_from[s + 1]):
        change += bias_eV[at] * y[depends[at], lane]
    return change


@njit(**COMPILED)
def rate_slopes(
    law: RateLaw,
    forward: np.ndarray,
    reverse: np.ndarray,
    thermal_eV: np.ndarray,
    y: np.ndarray,
    slopes: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Compute the derivatives of the net rates by the variables on which they depend.

    Parameters
    ----------
    law, forward, reverse, thermal_eV, y
        As in `net_rates`.
    slopes : numpy.ndarray
        Output: derivative by each variable of `law.depends`, s^-1, shape (len(law.depends), lanes).
    scratch : numpy.ndarray
        Work space, shape (2, lanes).
    """
    factors = law.factors
    slots = law.slots
    steps = len(forward)
    order = factors.shape[1]
    no_factor = law.weights.shape[1]
    slopes[:] = 0.0
    for row in range(2 * steps):
        s = row if row < steps else row - steps
        sign = 1.0 if row < steps else -1.0
        copy_row(scratch, 0, forward if row < steps else reverse, s)
        if law.interacting:
            weight = -law.beta[s] if row < steps else 1 - law.beta[s]
            for lane in range(LANES):
                shift = _energy_change(law.depends_from, law.depends, law.bias_eV, s, y, lane) / thermal_eV[lane]
                scratch[0, lane] *= np.exp(weight * shift)
                rate = sign * scratch[0, lane]
                for a in range(order):
                    if factors[row, a] != no_factor:
                        rate *= y[factors[row, a], lane]
                for at in range(law.depends_from[s], law.depends_from[s + 1]):
                    slopes[at, lane] += weight * rate * law.bias_eV[at] / thermal_eV[lane]
        for a in range(order):
            if factors[row, a] == no_factor:
                break
            copy_row(scratch, 1, scratch, 0)
            for b in range(order):
                if b != a and factors[row, b] != no_factor:
                    set_product(scratch, 1, scratch, 1, y, factors[row, b])
            add_multiple(slopes, slots[row, a], sign, scratch, 1)


@njit(**COMPILED)
def sum_changes(law: RateLaw, rates: np.ndarray, depletion: np.ndarray, out: np.ndarray) -> None:
    """Compute sum_s change_is rates_s for all variables i.

    Parameters
    ----------
    law : RateLaw
        Index arrays of the network.
    rates : numpy.ndarray
        Net rates, s^-1, shape (S, lanes).
    depletion : numpy.ndarray
        Factor on the rows of the gases, (kT/p0)(A/V) of a closed cell, m^2, shape (1, lanes).
    out : numpy.ndarray
        Output: time derivatives of the variables by the reactions, s^-1, shape (N + G, lanes).
    """
    changes_from = law.changes_from
    changes = law.changes
    change = law.change
    species = law.species
    out[:] = 0.0
    for s in range(len(rates)):
        for at in range(changes_from[s], changes_from[s + 1]):
            add_multiple(out, changes[at], change[at], rates, s)
    for g in range(species, len(out)):
        set_product(out, g, out, g, depletion, 0)


@njit(**COMPILED)
def add_directional_derivative(
    law: RateLaw, slopes: np.ndarray, vector: np.ndarray, first: int, out: np.ndarray
) -> None:
    """Add the derivatives of the net rates along a direction to `out`, shape (S, lanes).

    The direction consists of N + G rows of `vector`, beginning with the row `first`.
    """
    depends_from = law.depends_from
    depends = law.depends
    for s in range(len(out)):
        for at in range(depends_from[s], depends_from[s + 1]):
            add_product(out, s, slopes, at, vector, first + depends[at])
