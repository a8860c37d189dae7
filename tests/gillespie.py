"""Stochastic simulation of a network: Gillespie's direct method (10.1021/j100540a008) on a patch of finite size."""

import numpy as np
from numba import njit

from qdsurf.errors import InputError
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import Schedule
from qdsurf.microkinetics.solver.integration import activities
from qdsurf.units import NM2_PER_M2

INTEGER_TOLERANCE = 1e-6


def simulate(
    network: Network, rates: RateConstants, schedule: Schedule, area_nm2: float, repeats: int, seed: int
) -> np.ndarray:
    """Simulate a recipe on patches of the surface, at constant pressures and with ideal mixing of the adsorbates.

    Parameters
    ----------
    network : Network
        Network of the system, without lateral interactions.
    rates : RateConstants
        Rate constants, s^-1, shape (S,).
    schedule : list of SupplyPeriod
        Supply periods of one cycle.
    area_nm2 : float
        Area of a patch, nm^2. The number of sites of every family and the initial number of molecules of every species
        must be integers.
    repeats : int
        Number of independent patches.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    numpy.ndarray
        Coverages at the end of each patch, shape (repeats, n).

    Raises
    ------
    InputError
        The area does not give integer numbers, or the network has lateral interactions.
    """
    if np.any(network.interaction_eV_nm2):
        raise InputError(f"{network.system}: Gillespie's method is not implemented for lateral interactions.")
    full = network.capacity_per_m2 / NM2_PER_M2 * area_nm2  # molecules of each species at coverage 1
    start = network.initial * full
    sites = network.densities_per_m2 / NM2_PER_M2 * area_nm2
    for name, number in [*zip(network.families, sites, strict=True), *zip(network.species, start, strict=True)]:
        if abs(number - round(number)) > INTEGER_TOLERANCE:
            raise InputError(
                f"{network.system}: {area_nm2} nm^2 contain {number:.4g} of {name}; give an area with integer numbers."
            )
    # Each step is two reactions: first all forward reactions, then all reverse ones.
    reactants = np.hstack([network.left, network.right]).T
    changes = np.hstack([network.right - network.left, network.left - network.right]).T
    gas = np.hstack([network.gas_left, network.gas_right])
    events_per_rate = np.tile(network.step_density_per_m2 / NM2_PER_M2 * area_nm2, 2)
    constants = [
        np.concatenate([rates.forward_per_s, rates.reverse_per_s])
        * np.prod(activities(network, period.pressures_Pa)[:, None] ** gas, axis=0)
        * events_per_rate
        for period in schedule
    ]
    durations = np.array([float(period.duration_s) for period in schedule])
    final = np.empty((repeats, len(network.species)))
    generator = np.random.default_rng(seed)
    _run(reactants, changes, np.array(constants), durations, np.rint(start), full, final, generator)
    return final / full


@njit(cache=True)
def _run(reactants, changes, constants, durations, start, full, final, generator):
    """Fill `final` with the numbers of molecules at the end of every repeat, shape (repeats, n)."""
    rates = np.zeros(len(reactants))
    for repeat in range(len(final)):
        number = start.copy()
        for period in range(len(durations)):
            time = 0.0
            while True:
                total = 0.0
                for r in range(len(reactants)):
                    rate = constants[period, r]
                    for i in range(len(number)):
                        for k in range(reactants[r, i]):  # pairs of different molecules: n (n - 1), not n^2
                            rate *= max(0.0, number[i] - k) / full[i]
                    rates[r] = rate
                    total += rate
                if total <= 0.0:
                    break
                time += -np.log(1.0 - generator.random()) / total
                if time > durations[period]:
                    break
                remainder = generator.random() * total
                r = 0
                while remainder > rates[r] and r < len(reactants) - 1:
                    remainder -= rates[r]
                    r += 1
                for i in range(len(number)):
                    number[i] += changes[r, i]
        final[repeat] = number
