"""Memory of a kinetic simulation, estimated before the integration starts."""

from typing import NamedTuple

from qdsurf.errors import InputError
from qdsurf.microkinetics.network.reaction_network import Network

# Most of a workstation with 8 GiB. A run of this size also takes hours and writes tables of some gigabytes.
LARGEST_MEMORY_BYTES = 4 * 2**30
WHOLE_CYCLES = 10  # every solver step of this many first and last cycles is stored
SOLVER_STEPS_PER_PERIOD = 250  # at the fine tolerance; alumina takes 90
BYTES_PER_NUMBER = 8
COPIES = 6  # of the stored solver steps: two while the storage grows, the trajectory, its table, and the table as text
GIB = 2**30


class MemoryEstimate(NamedTuple):
    """Memory of the parts of a simulation.

    Attributes
    ----------
    whole_cycles : int
        Bytes for the first and last cycles, of which every solver step is stored.
    per_cycle : int
        Bytes for each cycle, of which the ends of the supply periods are stored.
    per_sample : int
        Bytes for each sampled set of rate constants.
    """

    whole_cycles: int
    per_cycle: int
    per_sample: int


def assert_run_fits(network: Network, periods: int, cycles: int, samples: int = 0) -> None:
    """Assert that the arrays of a simulation need at most `LARGEST_MEMORY_BYTES`.

    Parameters
    ----------
    network : Network
        Network of the system.
    periods : int
        Number of steps of the recipe.
    cycles : int
        Number of times that the recipe is run at the mean energies; 0 if only samples are integrated.
    samples : int
        Number of sampled sets of rate constants.

    Raises
    ------
    InputError
        The arrays would need more memory. The message gives the largest number of cycles or samples that is accepted.
    """
    estimate = estimate_memory(network, periods, cycles)
    bytes_cycles = cycles * estimate.per_cycle
    bytes_samples = samples * estimate.per_sample
    needed = estimate.whole_cycles + bytes_cycles + bytes_samples
    if needed <= LARGEST_MEMORY_BYTES:
        return
    if bytes_cycles >= bytes_samples:
        name, number = "cycles", cycles
        accepted = max(0, (LARGEST_MEMORY_BYTES - estimate.whole_cycles - bytes_samples) // estimate.per_cycle)
    else:
        name, number = "samples", samples
        accepted = max(0, (LARGEST_MEMORY_BYTES - estimate.whole_cycles - bytes_cycles) // estimate.per_sample)
        accepted = (1 << accepted.bit_length()) >> 1  # the number of samples is rounded up to a power of two
    advice = f"use `--{name} {accepted}` or less" if accepted else "use fewer `--cycles` and `--samples`"
    raise InputError(
        f"{network.system}: {number} {name} of a recipe with {periods} steps need about {needed / GIB:.3g} GiB of "
        f"memory; at most {LARGEST_MEMORY_BYTES / GIB:.3g} GiB are accepted; {advice} "
        f"(`kinetics: {{{name}: ...}}` in a configuration)."
    )


def estimate_memory(network: Network, periods: int, cycles: int) -> MemoryEstimate:
    """Estimate the memory of a simulation; the parameters are those of `assert_run_fits`.

    Returns
    -------
    MemoryEstimate
        In bytes.
    """
    species, gases, steps = len(network.species), len(network.gases), len(network.steps)
    row = (1 + species + gases + steps) * BYTES_PER_NUMBER * COPIES
    # A sample has coverages, gases and extents twice, rate constants, supplies, and the random numbers of its energies.
    sample = (2 * (species + gases) + 12 * steps + periods * gases) * BYTES_PER_NUMBER
    return MemoryEstimate(
        whole_cycles=min(cycles, 2 * WHOLE_CYCLES) * periods * SOLVER_STEPS_PER_PERIOD * row,
        per_cycle=periods * row,
        per_sample=sample,
    )
