"""What the answer hangs on: degrees of rate control and of selectivity control, and sensitivities.

All are central differences over one batch of integrations: each step's two rate constants times exp(+-epsilon), so
that no equilibrium constant moves (10.1021/acscatal.7b00115), and each state's free energy up and down while
all saddles stay.
"""

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import class_flux, lasting, uptake
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.rates.landscape import Shifts
from qdsurf.microkinetics.rates.rate_constants import RateConstants, rate_constants
from qdsurf.microkinetics.rates.schedule import Schedule
from qdsurf.microkinetics.solver.integration import integrate_many, net_turnover, steady_state
from qdsurf.units import BOLTZMANN_EV_PER_K, NM2_PER_M2

EPSILON = 0.01  # change of ln k: the error of a central difference is its square
RELATIVE_TOLERANCE = 1e-8  # far below epsilon, so that the difference of two runs is no noise
CONTROL_COLUMNS = ["system", "kind", "name", "uptake_control", "selectivity_control"]


def rate_control(model: Model, schedule: Schedule, temperature_K: float, precursor: str) -> pd.DataFrame:
    """Degrees of control over the cycle of a recipe.

    Returns
    -------
    pandas.DataFrame
        One row for each step (kind step: d ln x / d ln k) and each state (kind state: -kT d ln x / dG), dimensionless.
        uptake_control: x is the number of precursor molecules taken up; selectivity_control: x is the flux of the
        precursor-ligand class divided by that of the precursor-surface class. NaN where x is not positive.
    """
    rates, names = _perturbed(model, temperature_K)
    ends = integrate_many(model.network, rates, [schedule], temperature_K, rtol=RELATIVE_TOLERANCE)
    flux = lasting(ends.flux_per_nm2, RELATIVE_TOLERANCE)
    return _control_table(model, names, uptake(model.network, flux, precursor), class_flux(model.network, flux))


def steady_rate_control(
    model: Model, pressures_Pa: dict[str, float], temperature_K: float, precursor: str
) -> pd.DataFrame:
    """Degrees of control over the rates in the steady state under constant pressures; columns as `rate_control`."""
    network = model.network
    rates, names = _perturbed(model, temperature_K)
    turnover = np.empty((len(rates.forward_per_s), len(network.steps)))
    for row, forward, reverse in zip(turnover, rates.forward_per_s, rates.reverse_per_s, strict=True):
        own = RateConstants(forward, reverse)
        coverages = steady_state(network, own, pressures_Pa, temperature_K)
        row[:] = net_turnover(network, own, coverages, pressures_Pa, temperature_K)
    turnover *= network.step_density_per_m2 / NM2_PER_M2
    return _control_table(model, names, uptake(network, turnover, precursor), class_flux(network, turnover))


def sensitivities(model: Model, schedule: Schedule, temperature_K: float) -> np.ndarray:
    """Derivatives of the coverages at the end of each piece by the logarithm of both rate constants of each step.

    Returns
    -------
    numpy.ndarray
        d theta / d ln k, dimensionless, shape (pieces, n, S).
    """
    rates = _scaled(model.rates(temperature_K))
    ends = integrate_many(model.network, rates, [schedule], temperature_K, rtol=RELATIVE_TOLERANCE)
    up, down = np.split(ends.coverages, 2)
    return np.moveaxis((up - down) / (2 * EPSILON), 0, -1)


def _scaled(rates: RateConstants) -> RateConstants:
    """Every step's constants times exp(epsilon), then times exp(-epsilon), shape (2 S, S)."""
    steps = len(rates.forward_per_s)
    factors = np.exp(EPSILON * np.vstack([np.eye(steps), -np.eye(steps)]))
    return RateConstants(rates.forward_per_s * factors, rates.reverse_per_s * factors)


def _perturbed(model: Model, temperature_K: float) -> tuple[RateConstants, list[tuple[str, str]]]:
    """All perturbed rate constants, first those up, then those down, and what each one moves."""
    network, landscape = model.network, model.landscape(temperature_K)
    states = sorted({name for side in (network.initial_states, network.final_states) for p in side for name in p})
    starts, finishes = (
        np.array([[part.count(name) for part in side] for name in states], dtype=float).reshape(len(states), -1)
        for side in (network.initial_states, network.final_states)
    )
    delta = -EPSILON * BOLTZMANN_EV_PER_K * temperature_K  # a state that falls counts as positive
    halves = []
    for sign in (1, -1):
        moved = sign * delta
        shifts = Shifts(moved * starts, moved * finishes, -moved * starts * ~network.barrierless)
        halves.append(rate_constants(network, landscape.shifted(shifts)))
    steps = _scaled(rate_constants(network, landscape))
    split = [np.split(side, 2) for side in (steps.forward_per_s, steps.reverse_per_s)]
    stacked = [
        np.vstack([half for i in (0, 1) for half in (side[i], getattr(halves[i], name))])
        for side, name in zip(split, ("forward_per_s", "reverse_per_s"), strict=True)
    ]
    return RateConstants(*stacked), [("step", name) for name in network.steps] + [("state", name) for name in states]


def _control_table(model: Model, names: list[tuple[str, str]], taken: np.ndarray, flux: np.ndarray) -> pd.DataFrame:
    def control(x: np.ndarray) -> np.ndarray:
        up, down = np.split(np.log(np.where(x > 0, x, np.nan)), 2)
        return (up - down) / (2 * EPSILON)

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = flux[:, 1] / flux[:, 0]
    columns = [
        [model.network.system] * len(names),
        *zip(*names, strict=True),
        control(taken),
        control(np.where(np.isfinite(ratio), ratio, np.nan)),
    ]
    return pd.DataFrame(dict(zip(CONTROL_COLUMNS, columns, strict=True)))
