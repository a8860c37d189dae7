"""Counted calculators and CPU times, shared by the benchmarks that compare own code with libraries."""

import importlib.util
import time
from collections.abc import Callable
from typing import Any

from ase.calculators.calculator import Calculator, all_changes

from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec


class CountedCalculator(Calculator):
    """A calculator that counts its calls and their CPU time.

    A result is stored for each geometry, and it is returned if the same geometry is requested again. A repeated run
    therefore follows the same path, and only the code outside the calculator takes time.

    Parameters
    ----------
    spec : CalculatorSpec
        The calculator that computes the results.

    Attributes
    ----------
    calls : int
        Number of calls since `restart`.
    cpu_s : float
        CPU time of these calls, s.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, spec: CalculatorSpec):
        super().__init__()
        self.inner = make_calculator(spec)
        self.known: dict[bytes, dict] = {}
        self.restart()

    def restart(self) -> None:
        """Set the counters to zero; stored results are kept."""
        self.reset()
        self.calls = 0
        self.cpu_s = 0.0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Compute energy and forces, or return the stored ones."""
        start = time.process_time()
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        key = self.atoms.positions.tobytes()
        if key not in self.known:
            self.inner.calculate(self.atoms, ["energy", "forces"], system_changes)
            self.known[key] = {name: self.inner.results[name] for name in ("energy", "forces")}
        self.results = dict(self.known[key])
        self.cpu_s += time.process_time() - start


def shortest_cpu_s(run: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the shortest CPU time of several runs in s, and the result of the last run."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        times.append(time.process_time() - start)
    return min(times), result


def is_installed(module: str) -> bool:
    """Whether a module can be imported."""
    return importlib.util.find_spec(module) is not None
