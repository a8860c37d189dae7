"""The same network, event by event: Gillespie's direct method (10.1021/j100540a008) on a patch of finite size."""

import numpy as np
from numba import njit

from qdsurf.errors import InputError
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import Schedule
from qdsurf.microkinetics.solver.integration import activities
from qdsurf.units import NM2_PER_M2

WHOLE_TOLERANCE = 1e-6


def simulate(
    network: Network, rates: RateConstants, schedule: Schedule, area_nm2: float, repeats: int, seed: int
) -> np.ndarray:
    """Simulate a recipe on patches of the surface; pressures are held, coverages mix ideally.

    Parameters
    ----------
    rates : shape (S,).
    area_nm2 : of a patch; every family must have a whole number of sites, every species a whole number at the start.
    repeats : number of independent patches.

    Returns
    -------
    numpy.ndarray
        Coverages at the end of each patch, shape (repeats, n).

    Raises
    ------
    InputError
        The area does not hold whole numbers of sites, or the network has lateral interactions.
    """
    if np.any(network.interaction_eV_nm2):
        raise InputError(f"{network.system}: Gillespie's method is not built for lateral interactions.")
    full = network.capacity_per_m2 / NM2_PER_M2 * area_nm2
    start = network.initial * full
    sites = network.densities_per_m2 / NM2_PER_M2 * area_nm2
    for name, number in [*zip(network.families, sites, strict=True), *zip(network.species, start, strict=True)]:
        if abs(number - round(number)) > WHOLE_TOLERANCE:
            raise InputError(
                f"{network.system}: {area_nm2} nm^2 hold {number:.4g} of {name}; give an area with whole ones."
            )
    counts = np.hstack([network.left, network.right]).T
    moves = np.hstack([network.right - network.left, network.left - network.right]).T
    gas = np.hstack([network.gas_left, network.gas_right])
    events_per_rate = np.tile(network.step_density_per_m2 / NM2_PER_M2 * area_nm2, 2)
    constants = [
        np.concatenate([rates.forward_per_s, rates.reverse_per_s])
        * np.prod(activities(network, piece[1])[:, None] ** gas, axis=0)
        * events_per_rate
        for piece in schedule
    ]
    durations = np.array([float(piece[0]) for piece in schedule])
    final = np.empty((repeats, len(network.species)))
    _run(counts, moves, np.array(constants), durations, np.rint(start), full, final, np.random.default_rng(seed))
    return final / full


@njit(cache=True)
def _run(counts, moves, constants, durations, start, full, final, rng):
    """Fill `final` with the numbers of molecules at the end of every repeat, shape (repeats, n)."""
    rates = np.zeros(len(counts))
    for repeat in range(len(final)):
        number = start.copy()
        for piece in range(len(durations)):
            time = 0.0
            while True:
                total = 0.0
                for r in range(len(counts)):
                    rate = constants[piece, r]
                    for i in range(len(number)):
                        for k in range(counts[r, i]):  # pairs without repetition: n (n - 1), not n^2
                            rate *= max(0.0, number[i] - k) / full[i]
                    rates[r] = rate
                    total += rate
                if total <= 0.0:
                    break
                time += -np.log(1.0 - rng.random()) / total
                if time > durations[piece]:
                    break
                pick = rng.random() * total
                r = 0
                while pick > rates[r] and r < len(counts) - 1:
                    pick -= rates[r]
                    r += 1
                for i in range(len(number)):
                    number[i] += moves[r, i]
        final[repeat] = number
