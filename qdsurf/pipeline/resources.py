"""Memory and time that a job needs, for the queue of a cluster."""

from math import ceil
from typing import NamedTuple

from qdsurf.records.models import CalculatorSpec


class Resources(NamedTuple):
    """Memory and time of a force call on n atoms with one thread.

    Memory is memory_MiB + linear_MiB n + quadratic_MiB n^2, time is seconds (n/100)^power.
    """

    memory_MiB: float
    linear_MiB: float
    quadratic_MiB: float
    seconds: float
    power: float


# Measured by benchmarks/resources.py on slabs of 18 to 256 atoms. The time of tblite is that with OpenBLAS on an idle
# machine; the times of the others were taken beside other work and are upper bounds.
RESOURCES = {
    "sevennet": Resources(245, 0.28, 0.0, 0.1, 1.0),  # memory of a bulk crystal, in which an atom has most neighbours
    "emt": Resources(150, 0.0, 0.0, 0.02, 1.0),
    "tblite": Resources(160, 0.0, 0.0065, 4.6, 2.2),
    "mopac": Resources(160, 0.0, 0.013, 7.2, 1.8),
    "sevennet-torch": Resources(650, 0.0, 0.0075, 0.45, 1.0),  # 7net-0 on the processor
}
UNKNOWN = Resources(4000, 0.0, 0.1, 600.0, 2.0)  # assumed; `--set-resources RULE:mem_mb=N` replaces it
SNAKEMAKE_MIB = 500  # two Snakemake processes and the script; a queue counts shared memory for each of them
MARGIN = 2.0  # slower machines, recovered SCFs, larger basis sets
# A relaxation that takes ten times as long as its force calls on an idle machine hangs. The first jobs may wait for
# numba to compile, and for other jobs.
TIMEOUT_FACTOR, SHORTEST_TIMEOUT_S = 10.0, 300
SHORTEST_MIN = 10  # a queue does not start shorter jobs earlier


def memory_MiB(spec: CalculatorSpec, atoms: int) -> int:
    """Memory of a process that computes so many atoms, in MiB."""
    needed = RESOURCES.get(spec.name, UNKNOWN)
    own = needed.memory_MiB + needed.linear_MiB * atoms + needed.quadratic_MiB * atoms**2
    return ceil(SNAKEMAKE_MIB + MARGIN * own)


def timeout_s(spec: CalculatorSpec, atoms: int, calls: int) -> int:
    """Time in s after which so many force calls on so many atoms count as a hang."""
    return ceil(SHORTEST_TIMEOUT_S + TIMEOUT_FACTOR * _seconds(spec, atoms, calls))


def minutes(spec: CalculatorSpec, atoms: int, calls: int) -> int:
    """Time of so many force calls on so many atoms with one thread, in min."""
    return ceil(SHORTEST_MIN + MARGIN * _seconds(spec, atoms, calls) / 60)


def _seconds(spec: CalculatorSpec, atoms: int, calls: int) -> float:
    needed = RESOURCES.get(spec.name, UNKNOWN)
    return calls * needed.seconds * (atoms / 100) ** needed.power
