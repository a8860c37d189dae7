"""Degrees of rate control and of selectivity control over a cycle.

The derivatives are central differences over one batch of integrations. For a step, both rate constants are multiplied
by exp(+-epsilon), so that no equilibrium constant changes (10.1021/acscatal.7b00115). For a state, its free energy is
shifted up and down while all saddle points keep their energies.
"""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import class_flux, net_events, uptake
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.rates.landscape import EnergyShifts
from qdsurf.microkinetics.rates.rate_constants import RateConstants, rate_constants
from qdsurf.microkinetics.rates.schedule import Schedule
from qdsurf.microkinetics.solver.integration import integrate_many
from qdsurf.units import BOLTZMANN_EV_PER_K

EPSILON = 0.01  # change of ln k; the error of a central difference is proportional to its square
RELATIVE_TOLERANCE = 1e-8  # far below epsilon, so that the difference of two integrations is not noise
CONTROL_COLUMNS = ["system", "kind", "name", "uptake_control", "selectivity_control"]


class _Parameter(NamedTuple):
    """A quantity that is varied: the rate constants of a step, or the free energy of a state."""

    kind: Literal["step", "state"]
    name: str


def rate_control(model: Model, schedule: Schedule, temperature_K: float, precursor: str) -> pd.DataFrame:
    """Compute the degrees of control over one cycle of a recipe.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    schedule : list of SupplyPeriod
        Supply periods of one cycle.
    temperature_K : float
        Temperature of the surface, K.
    precursor : str
        Name of the precursor molecule.

    Returns
    -------
    pandas.DataFrame
        One row for each step (kind step: d ln x / d ln k) and each state (kind state: -kT d ln x / dG), dimensionless.
        uptake_control: x is the number of precursor molecules taken up. selectivity_control: x is the flux of the
        precursor-ligand class divided by that of the precursor-surface class. NaN where x is not positive.

    Raises
    ------
    InputError
        The tables have no free energies at the temperature.
    """
    rates, parameters = _vary_parameters(model, temperature_K)
    result = integrate_many(model.network, rates, [schedule], temperature_K, rtol=RELATIVE_TOLERANCE)
    events = net_events(result.flux_per_nm2, RELATIVE_TOLERANCE)
    flux = class_flux(model.network, events)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = flux[:, 1] / flux[:, 0]
    return pd.DataFrame(
        {
            "system": model.network.system,
            "kind": [parameter.kind for parameter in parameters],
            "name": [parameter.name for parameter in parameters],
            "uptake_control": _log_derivatives(uptake(model.network, events, precursor)),
            "selectivity_control": _log_derivatives(np.where(np.isfinite(ratio), ratio, np.nan)),
        },
        columns=CONTROL_COLUMNS,
    )


def _log_derivatives(x: np.ndarray) -> np.ndarray:
    """Return d ln x by each parameter, from x at the increased parameters followed by x at the decreased ones."""
    increased, decreased = np.split(np.log(np.where(x > 0, x, np.nan)), 2)
    return (increased - decreased) / (2 * EPSILON)


def _vary_parameters(model: Model, temperature_K: float) -> tuple[RateConstants, list[_Parameter]]:
    """Return the rate constants for each increased parameter, then for each decreased one, and the parameters."""
    network, landscape = model.network, model.landscape(temperature_K)
    central = rate_constants(network, landscape)
    states = network.state_names
    blocks = []
    for sign in (1, -1):
        factors = np.exp(sign * EPSILON * np.eye(len(network.steps)))
        blocks.append(RateConstants(central.forward_per_s * factors, central.reverse_per_s * factors))
        # Stabilising a state, that is a negative shift, counts as an increase.
        shift_eV = -sign * EPSILON * BOLTZMANN_EV_PER_K * temperature_K
        blocks.append(rate_constants(network, landscape.shifted(_shift_each_state(model, states, shift_eV))))
    rates = RateConstants(
        np.vstack([block.forward_per_s for block in blocks]), np.vstack([block.reverse_per_s for block in blocks])
    )
    parameters = [_Parameter("step", name) for name in network.steps]
    parameters += [_Parameter("state", name) for name in states]
    return rates, parameters


def _shift_each_state(model: Model, states: list[str], shift_eV: float) -> EnergyShifts:
    """Return the shifts of the steps for a shift of one state at a time, shape (states, S); saddle points stay."""
    network = model.network
    shape = (len(states), len(network.steps))
    initial = shift_eV * np.array([[side.count(name) for side in network.initial_states] for name in states])
    final = shift_eV * np.array([[side.count(name) for side in network.final_states] for name in states])
    initial, final = initial.reshape(shape), final.reshape(shape)
    return EnergyShifts(initial, final, -initial * ~network.barrierless)
