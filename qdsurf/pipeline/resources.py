"""Memory and time that a calculation will want, for the queue of a cluster."""

from math import ceil
from typing import NamedTuple

from qdsurf.records.models import CalculatorSpec


class Resources(NamedTuple):
    """What a force call on n atoms takes on one thread.

    Memory is memory_MiB + linear_MiB n + quadratic_MiB n^2, time is seconds (n/100)^power.
    """

    memory_MiB: float
    linear_MiB: float
    quadratic_MiB: float
    seconds: float
    power: float


# benchmarks/demand.py on slabs of 18 to 256 atoms. The time of tblite is that with OpenBLAS on an idle machine; those
# of the others were taken beside other work and are too long rather than too short.
DEMANDS = {
    "sevennet": Resources(245, 0.28, 0.0, 0.1, 1.0),  # memory of a bulk crystal, in which an atom has most neighbours
    "emt": Resources(150, 0.0, 0.0, 0.02, 1.0),
    "tblite": Resources(160, 0.0, 0.0065, 4.6, 2.2),
    "mopac": Resources(160, 0.0, 0.013, 7.2, 1.8),
    "sevennet-torch": Resources(650, 0.0, 0.0075, 0.45, 1.0),  # 7net-0 on the processor
}
UNKNOWN = Resources(4000, 0.0, 0.1, 600.0, 2.0)  # assumed; `--set-resources RULE:mem_mb=N` says better
BESIDE_MIB = 500  # Snakemake twice and the script that waits for its worker; a queue counts what they share for each
MARGIN = 2.0  # slower machines, SCF rescues, larger basis sets
# A relaxation that takes ten times as long as its force calls do on an idle machine hangs. The first of them may wait
# for numba to compile, and for other jobs.
PATIENCE, SHORTEST_PATIENCE_S = 10.0, 300
SHORTEST_MIN = 10  # a queue does not start shorter jobs sooner


def memory_MiB(spec: CalculatorSpec, atoms: int) -> int:
    """Memory of a process that computes so many atoms, in MiB."""
    demand = DEMANDS.get(spec.name, UNKNOWN)
    own = demand.memory_MiB + demand.linear_MiB * atoms + demand.quadratic_MiB * atoms**2
    return ceil(BESIDE_MIB + MARGIN * own)


def timeout_s(spec: CalculatorSpec, atoms: int, calls: int) -> int:
    """Time in s after which so many force calls on so many atoms are taken for a hang."""
    demand = DEMANDS.get(spec.name, UNKNOWN)
    return ceil(SHORTEST_PATIENCE_S + PATIENCE * calls * demand.seconds * (atoms / 100) ** demand.power)


def minutes(spec: CalculatorSpec, atoms: int, calls: int) -> int:
    """Time of so many force calls on so many atoms, on one thread."""
    demand = DEMANDS.get(spec.name, UNKNOWN)
    return ceil(SHORTEST_MIN + MARGIN * calls * demand.seconds * (atoms / 100) ** demand.power / 60)
