"""SciPy's LSODA on the same rate law, for members on which the Rosenbrock method fails, and for comparison."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy.integrate import ODEintWarning, odeint

from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.solver.lanes import LANES
from qdsurf.microkinetics.solver.rate_law import RateLaw, net_rates, rate_slopes, sum_changes

POINTS = 40  # output times of a supply period, spaced logarithmically
EARLIEST = 1e-6  # first output time as a fraction of the period
MAXIMUM_STEPS = 50_000  # between two output times

StateFunction = Callable[..., np.ndarray]  # of (state, time_s); the time is optional and has no effect


def derivatives(
    law: RateLaw,
    rates: RateConstants,
    thermal_eV: float,
    supply: np.ndarray,
    supply_rate: float,
    depletion: float,
) -> tuple[StateFunction, StateFunction]:
    """Make the functions dy/dt and d(dy/dt)/dy of the state (coverages, activities, extents).

    Parameters
    ----------
    law : RateLaw
        Index arrays of the network.
    rates : RateConstants
        Rate constants, s^-1, shape (S,).
    thermal_eV : float
        kT, eV.
    supply : numpy.ndarray
        Activities p/p0 of the supply, shape (G,).
    supply_rate : float
        1/tau of the gas, s^-1. 0: the pressures are constant, or the cell is closed.
    depletion : float
        (kT/p0)(A/V) of a closed cell, m^2.

    Returns
    -------
    derivative : callable
        Time derivative of the state, s^-1, shape (N + G + S,).
    jacobian : callable
        Its Jacobian, s^-1, shape (N + G + S, N + G + S).
    """
    size, steps, species = len(law.order), len(law.beta), law.species
    # The compiled functions evaluate LANES members at once. Here all lanes have the same numbers.
    forward = np.tile(rates.forward_per_s[:, None], LANES)
    reverse = np.tile(rates.reverse_per_s[:, None], LANES)
    thermal_of_lanes = np.full(LANES, thermal_eV)
    depletion_of_lanes = np.full((1, LANES), depletion)
    net = np.zeros((steps, LANES))
    gross = np.zeros((steps, LANES))
    slopes = np.zeros((len(law.depends), LANES))
    changes_per_s = np.zeros((size, LANES))
    scratch = np.zeros((2, LANES))

    def derivative(state: np.ndarray, time_s: float = 0.0) -> np.ndarray:
        y = np.repeat(state[:size, None], LANES, axis=1)
        net_rates(law, forward, reverse, thermal_of_lanes, y, net, gross)
        sum_changes(law, net, depletion_of_lanes, changes_per_s)
        out = np.concatenate([changes_per_s[:, 0], net[:, 0]])
        out[species:size] += supply_rate * (supply - state[species:size])
        return out

    def jacobian(state: np.ndarray, time_s: float = 0.0) -> np.ndarray:
        y = np.repeat(state[:size, None], LANES, axis=1)
        rate_slopes(law, forward, reverse, thermal_of_lanes, y, slopes, scratch)
        out = np.zeros((size + steps, size + steps))
        for s in range(steps):
            changes = slice(law.changes_from[s], law.changes_from[s + 1])
            depends = slice(law.depends_from[s], law.depends_from[s + 1])
            rows, columns, values = law.changes[changes], law.depends[depends], slopes[depends, 0]
            weights = law.change[changes] * np.where(rows < species, 1.0, depletion)
            out[np.ix_(rows, columns)] += np.outer(weights, values)
            out[size + s, columns] += values
        out[range(species, size), range(species, size)] -= supply_rate
        return out

    return derivative, jacobian


def integrate_periods(
    law: RateLaw,
    rates: RateConstants,
    thermal_eV: float,
    supplies: np.ndarray,
    periods: np.ndarray,
    cycles: int,
    start: np.ndarray,
    rtol: float,
    atol: float,
    whole_cycles: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Integrate one member through the supply periods of a recipe.

    Parameters
    ----------
    law, thermal_eV, supplies, periods, cycles, whole_cycles
        As in `batch.run_batch`, for one member.
    rates : RateConstants
        Rate constants, s^-1, shape (S,).
    start : numpy.ndarray
        Row (time, variables, extents) at time zero, shape (1 + N + G + S,).
    rtol, atol : float
        Relative and absolute tolerance of all variables and extents.

    Returns
    -------
    table : numpy.ndarray
        Rows (time, variables, extents), beginning with `start`.
    period_ends : numpy.ndarray of int
        Number of the row in which each period ends, shape (cycles * P,).

    None is returned instead of both if LSODA fails.
    """
    parts = [start[None]]
    species, size = law.species, len(law.order)
    period_ends = np.zeros(cycles * len(periods), dtype=np.int64)
    last_row = 0
    for period in range(cycles * len(periods)):
        supply = supplies[period % len(periods)]
        duration, supply_rate, depletion = periods[period % len(periods)]
        state = parts[-1][-1, 1:].copy()
        if not np.isfinite(supply_rate):
            state[species:size] = supply
            supply_rate = 0.0
        derivative, jacobian = derivatives(law, rates, thermal_eV, supply, supply_rate, thermal_eV * depletion)
        table = _integrate_period(derivative, jacobian, state, duration, rtol, atol)
        if table is None:
            return None
        table[:, 0] += parts[-1][-1, 0]
        cycle = period // len(periods)
        keeps_all_rows = cycle < whole_cycles or cycle >= cycles - whole_cycles
        parts.append(table if keeps_all_rows else table[-1:].copy())
        last_row += len(parts[-1])
        period_ends[period] = last_row
    return np.vstack(parts), period_ends


def _integrate_period(
    derivative: StateFunction, jacobian: StateFunction, start: np.ndarray, duration: float, rtol: float, atol: float
) -> np.ndarray | None:
    """Integrate one supply period; return rows (time, state) without time zero, or None if LSODA fails."""
    grid = np.concatenate([[0.0], np.geomspace(EARLIEST * duration, duration, POINTS)])
    fastest = np.abs(jacobian(start)).max(initial=0)
    if not np.isfinite(fastest):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ODEintWarning)
        # Without a first step, LSODA starts explicitly with a long one, and fails in 1 of 10 stiff purges.
        states, info = odeint(
            derivative,
            start,
            grid,
            Dfun=jacobian,
            rtol=rtol,
            atol=atol,
            mxstep=MAXIMUM_STEPS,
            full_output=True,
            h0=min(grid[-1], 0.1 / fastest) if fastest else 0.0,
        )
    return np.column_stack([grid, states])[1:] if info["message"] == "Integration successful." else None
