"""Memory of a kinetic run, estimated before anything is integrated."""

from qdsurf.errors import InputError
from qdsurf.microkinetics.network.reaction_network import Network

# Most of a workstation with 8 GiB; a run of this size also takes hours and writes tables of some gigabytes.
LARGEST_MEMORY_BYTES = 4 * 2**30
WHOLE_CYCLES = 10  # every solver step of this many first and last cycles is stored
STEPS_PER_PIECE = 250  # solver steps of one piece at the fine tolerance; alumina takes 90
BYTES_PER_NUMBER = 8
COPIES = 6  # of the stored path: two while its storage grows, the trajectory, its table, and the text of the table
GIB = 2**30


def assert_run_fits(network: Network, pieces: int, cycles: int, samples: int = 0) -> None:
    """Assert that the arrays of a run stay below `LARGEST_MEMORY_BYTES`.

    Parameters
    ----------
    network : network of the system.
    pieces : number of pieces of the recipe.
    cycles : number of times that the recipe is run at the mean energies; 0 if only samples are integrated.
    samples : number of sampled sets of rate constants.

    Raises
    ------
    InputError
        The arrays would need more memory. The message gives the largest number of cycles or samples that is accepted.
    """
    fixed, per_cycle, per_sample = _bytes(network, pieces, cycles)
    needed = fixed + cycles * per_cycle + samples * per_sample
    if needed <= LARGEST_MEMORY_BYTES:
        return
    for_cycles = cycles * per_cycle >= samples * per_sample
    name, number, size = ("cycles", cycles, per_cycle) if for_cycles else ("samples", samples, per_sample)
    room = LARGEST_MEMORY_BYTES - fixed - (samples * per_sample if for_cycles else cycles * per_cycle)
    accepted = max(0, room // size)
    if not for_cycles:
        accepted = (1 << accepted.bit_length()) >> 1  # the number of samples is rounded up to a power of two
    advice = f"use `--{name} {accepted}` or less" if accepted else "use fewer `--cycles` and `--samples`"
    raise InputError(
        f"{network.system}: {number} {name} of a recipe with {pieces} pieces need about {needed / GIB:.3g} GiB of "
        f"memory; at most {LARGEST_MEMORY_BYTES / GIB:.3g} GiB are accepted; {advice} "
        f"(`kinetics: {{{name}: ...}}` in a configuration)."
    )


def _bytes(network: Network, pieces: int, cycles: int) -> tuple[int, int, int]:
    """Bytes of the whole cycles, of each further cycle and of each sample."""
    species, gases, steps = len(network.species), len(network.gases), len(network.steps)
    row = (1 + species + gases + steps) * BYTES_PER_NUMBER * COPIES
    whole = min(cycles, 2 * WHOLE_CYCLES) * pieces * STEPS_PER_PIECE * row
    # a sample has coverages, gases, extents twice, rate constants, supplies and the random numbers behind them
    sample = (2 * (species + gases) + 12 * steps + pieces * gases) * BYTES_PER_NUMBER
    return whole, pieces * row, sample
