"""SciPy's LSODA on the same rate law: what takes over when the Rosenbrock method gives up, and what checks it."""

import warnings

import numpy as np
from scipy.integrate import ODEintWarning, odeint

from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.solver.lanes import LANES
from qdsurf.microkinetics.solver.rate_law import RateLaw, accumulate, net_rates, rate_slopes

POINTS = 40  # output times of a piece, spaced logarithmically
EARLIEST = 1e-6  # first output time as a share of the piece
MAXIMUM_STEPS = 50_000  # between two output times


def derivatives(law: RateLaw, rates: RateConstants, thermal_eV: float, supply, supply_rate: float, depletion: float):
    """Make the functions dy/dt and d(dy/dt)/dy of the state (coverages, activities, extents) in s^-1.

    Parameters
    ----------
    supply : activities p/p0 of the supply, shape (G,); the others as in `rosenbrock.step`.
    """
    size, steps, species = len(law.order), len(law.beta), law.species
    # the compiled functions know lanes only: all of them hold the same
    up, down = (np.tile(np.asarray(k)[:, None], LANES) for k in (rates.forward_per_s, rates.reverse_per_s))
    kT, leaving = np.full(LANES, thermal_eV), np.full((1, LANES), depletion)
    net, gross, slopes = np.zeros((steps, LANES)), np.zeros((steps, LANES)), np.zeros((len(law.depends), LANES))
    changed, scratch = np.zeros((size, LANES)), np.zeros((2, LANES))

    def derivative(state: np.ndarray, time_s: float = 0.0) -> np.ndarray:
        y = np.repeat(state[:size, None], LANES, axis=1)
        net_rates(law, up, down, kT, y, net, gross)
        accumulate(law, net, leaving, changed)
        out = np.concatenate([changed[:, 0], net[:, 0]])
        out[species:size] += supply_rate * (supply - state[species:size])
        return out

    def jacobian(state: np.ndarray, time_s: float = 0.0) -> np.ndarray:
        rate_slopes(law, up, down, kT, np.repeat(state[:size, None], LANES, axis=1), slopes, scratch)
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


def follow(
    law: RateLaw,
    rates: RateConstants,
    thermal_eV: float,
    supplies: np.ndarray,
    pieces: np.ndarray,
    cycles: int,
    start: np.ndarray,
    rtol: float,
    atol: float,
    whole_cycles: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Integrate the pieces of a recipe; the arguments are those of `batch.run_batch` for one member.

    Returns
    -------
    tuple of numpy.ndarray
        Rows (time, variables, extents) beginning with `start`, and the number of the row in which each piece ends,
        shape (cycles * P,). None where LSODA fails.
    """
    rows, species, size = [start[None]], law.species, len(law.order)
    piece_ends = np.zeros(cycles * len(pieces), dtype=np.int64)
    for place in range(cycles * len(pieces)):
        supply, (duration, supply_rate, depletion) = supplies[place % len(pieces)], pieces[place % len(pieces)]
        state = rows[-1][-1, 1:].copy()
        if not np.isfinite(supply_rate):
            state[species:size], supply_rate = supply, 0.0
        functions = derivatives(law, rates, thermal_eV, supply, supply_rate, thermal_eV * depletion)
        table = _advance(*functions, state, duration, rtol, atol)
        if table is None:
            return None
        table[:, 0] += rows[-1][-1, 0]
        cycle = place // len(pieces)
        whole = cycle < whole_cycles or cycle >= cycles - whole_cycles
        rows.append(table if whole else table[-1:].copy())
        piece_ends[place] = len(rows[-1]) + (piece_ends[place - 1] if place else 0)
    return np.vstack(rows), piece_ends


def _advance(derivative, jacobian, start: np.ndarray, duration: float, rtol: float, atol: float) -> np.ndarray | None:
    """Integrate one piece of a recipe; rows (time, state) without time zero."""
    grid = np.concatenate([[0.0], np.geomspace(EARLIEST * duration, duration, POINTS)])
    fastest = np.abs(jacobian(start)).max(initial=0)
    if not np.isfinite(fastest):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ODEintWarning)
        # left alone, LSODA starts explicitly with a long step, and fails in 1 stiff purge in 10
        states, info = odeint(
            derivative, start, grid, Dfun=jacobian, rtol=rtol, atol=atol, mxstep=MAXIMUM_STEPS, full_output=True,
            h0=min(grid[-1], 0.1 / fastest) if fastest else 0.0,
        )  # fmt: skip
    return np.column_stack([grid, states])[1:] if info["message"] == "Integration successful." else None
