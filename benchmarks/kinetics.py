"""Time of the stiff solver: qdsurf beside SUNDIALS CVODE, Cantera, and LSODA and BDF of SciPy, at the same error.

    python benchmarks/kinetics.py [--json]

The recipe is a pulse of 0.5 s and a purge of 10 s. The networks have 18 species and 24 steps, or 50 species and 150
steps, on one family of sites, because Cantera's `advance_coverages` knows one. Each network is integrated at one
temperature and pressure (a single cycle), and on a map of temperatures and pressures.

The reference is Radau of SciPy with a relative tolerance of 1e-12. For each solver, the loosest tolerance counts with
which every coverage at the end of the pulse and of the purge has an error of at most 1e-6. Times are CPU times of one
thread, the shortest of several runs, after compilation and after Cantera has loaded its mechanisms.

CVODE, LSODA and BDF get the rates and the analytical Jacobian of the coverages as compiled functions. qdsurf also
integrates the extents of all steps; the other solvers do not. `callback_share` is the fraction of the CPU time that
these compiled functions take, including their call from Python.

Further figures of qdsurf alone: 1000 samples at one point, a map of 50 x 50 points, and the time of one solver step as
a function of the number of species.
"""

import argparse
import itertools
import json
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from measuring import is_installed, shortest_cpu_s
from numba import njit
from scipy.integrate import odeint, solve_ivp

from qdsurf.microkinetics.analysis.process_window import selectivity_map
from qdsurf.microkinetics.cantera_export import cantera_mechanism
from qdsurf.microkinetics.network.mechanism import Mechanism, tabulate_mechanism
from qdsurf.microkinetics.network.model import Model, prepare
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.solver.batch import run_batch
from qdsurf.microkinetics.solver.integration import activities, integrate_many
from qdsurf.microkinetics.solver.lanes import LANES
from qdsurf.microkinetics.solver.rate_law import compile_law
from qdsurf.records.models import Recipe
from qdsurf.units import BOLTZMANN_EV_PER_K

ERROR = 1e-6
ATOL = 1e-10  # the absolute tolerance of qdsurf
REFERENCE_ATOL, REFERENCE_RTOL = 1e-16, 1e-12
SINGLE = (433.15, 10.0)  # temperature in K and pressure in Pa
NETWORKS = {
    "18 species, 24 steps": (18, 24, 0, np.linspace(293.15, 553.15, 8), np.geomspace(0.1, 100.0, 8)),
    "50 species, 150 steps": (50, 150, 1, np.linspace(293.15, 553.15, 4), np.geomspace(0.1, 100.0, 4)),
}  # species, steps, seed, temperatures in K and pressures in Pa of the map
TOLERANCES = [10.0**-e for e in np.arange(2, 11, 0.25)]
REPEATS = 7
CALLBACK_REPEATS = 1000
MAXIMUM_STEPS = 50_000


def make_mechanism(species: int, steps: int, seed: int) -> Mechanism:
    """Make a random network: three gases adsorb, adducts and pairs of adducts react, and a product desorbs."""
    rng = np.random.default_rng(seed)
    names = ["free@s", *(f"x{i}@s" for i in range(1, species))]
    depth = np.concatenate([[0.0], rng.uniform(0.8, 1.0, 3), np.sort(rng.uniform(0.9, 1.6, species - 4))])
    levels = [
        {
            "name": name,
            "formula": "" if i == 0 else "H",
            "energy_eV": -float(depth[i]),
            "sigma_eV": 0.0 if i == 0 else 0.1,
        }
        | {"initial_coverage": 1.0 if i == 0 else 0.0}
        for i, name in enumerate(names)
    ]
    gases = [{"name": g, "formula": "H", "energy_eV": 0.0, "entropy_eV_per_K": 0.002} for g in ("A", "B", "C")]
    lines = [(f"{'ABC'[i % 3]}(g) + free@s -> {names[i]}", None) for i in range(1, 4)]
    tried = set()
    for i in range(4, species):  # every species is reached from an earlier one
        j = int(rng.integers(1, i))
        tried.add((j, i))
        lines.append((f"{names[j]} -> {names[i]}", float(rng.uniform(0.6, 1.1))))
    while len(lines) < steps - 2:
        i, j = sorted(int(k) for k in rng.choice(np.arange(1, species), 2, replace=False))
        if (i, j) in tried:
            continue
        tried.add((i, j))
        if rng.random() < 0.4:
            k = int(rng.integers(1, species))
            if k in (i, j):
                continue
            lines.append((f"{names[i]} + {names[k]} -> {names[j]} + {names[k]}", float(rng.uniform(0.6, 1.1))))
        else:
            lines.append((f"{names[i]} -> {names[j]}", float(rng.uniform(0.6, 1.1))))
    lines += [(f"{names[-1]} -> free@s + C(g)", 1.2), (f"2 {names[2]} -> {names[5]} + {names[6]}", 0.7)]
    sticking = {line: 1e-4 for line, barrier in lines if barrier is None}  # a pulse fills part of the sites
    classes = itertools.cycle(["precursor-surface", "precursor-ligand"])
    return Mechanism(
        system=f"benchmark_{species}",
        temperature_range_K=(280.0, 700.0),
        sites={"s": {"density_per_nm2": 5.0}},
        species=levels,
        gases=gases,
        steps=[
            {"name": f"step{i}", "reaction_class": next(classes), "equation": line, "activation_energy_eV": barrier}
            | {"sticking_coefficient": sticking.get(line, 1.0)}
            for i, (line, barrier) in enumerate(lines)
        ],
        source="assumed: a benchmark",
    )


def model_of(mechanism: Mechanism) -> Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some random barriers lie below an end
        return prepare(mechanism.system, tabulate_mechanism(mechanism))


def schedule_at(pressure: float) -> list[SupplyPeriod]:
    return [SupplyPeriod(0.5, {"A": pressure, "B": 0.1 * pressure}), SupplyPeriod(10.0, {})]


@njit(cache=True)
def coverage_rates(y, constants, factors, changed, change, out):
    """Compute the time derivative of the coverages.

    `constants` contains the rate constants of the forward and the reverse directions, multiplied by the activities of
    the gases. `factors` contains the species that are multiplied, and `changed` those that a step changes by `change`;
    -1 is no species.
    """
    steps = len(changed)
    out[:] = 0.0
    for s in range(steps):
        net = 0.0
        for direction in range(2):
            row = s + direction * steps
            rate = constants[row]
            for a in range(factors.shape[1]):
                if factors[row, a] >= 0:
                    rate *= y[factors[row, a]]
            net += rate if direction == 0 else -rate
        for a in range(changed.shape[1]):
            if changed[s, a] >= 0:
                out[changed[s, a]] += change[s, a] * net


@njit(cache=True)
def coverage_jacobian(y, constants, factors, changed, change, out):
    """Compute the derivative of `coverage_rates` by the coverages."""
    steps = len(changed)
    out[:] = 0.0
    for row in range(2 * steps):
        s = row % steps
        for a in range(factors.shape[1]):
            if factors[row, a] < 0:
                continue
            slope = constants[row] if row < steps else -constants[row]
            for b in range(factors.shape[1]):
                if b != a and factors[row, b] >= 0:
                    slope *= y[factors[row, b]]
            for c in range(changed.shape[1]):
                if changed[s, c] >= 0:
                    out[changed[s, c], factors[row, a]] += slope * change[s, c]


def padded(rows: list[np.ndarray], fill: float) -> np.ndarray:
    """Stack rows of different lengths."""
    out = np.full((len(rows), max(1, *(len(row) for row in rows))), fill)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out


class MassAction:
    """Compiled rates and Jacobian of the coverages of one network at constant pressures."""

    def __init__(self, network, rates: RateConstants, supply: np.ndarray):
        species = np.arange(len(network.species))
        one_way = np.hstack([network.left, network.right]).T.astype(int)
        gases = np.hstack([network.gas_left, network.gas_right]).T
        change = network.change[: len(species)].T
        constants = np.concatenate([rates.forward_per_s, rates.reverse_per_s]) * np.prod(supply**gases, axis=1)
        self.arrays = (
            constants,
            padded([np.repeat(species, counts) for counts in one_way], -1),
            padded([np.flatnonzero(row) for row in change], -1),
            padded([row[row != 0] for row in change], 0.0),
        )

    def rates_into(self, t: float, y: np.ndarray, out: np.ndarray) -> None:
        """Write the rates into an array, as CVODE requires."""
        coverage_rates(y, *self.arrays, out)

    def jacobian_into(self, t: float, y: np.ndarray, derivative: np.ndarray, out: np.ndarray) -> None:
        """Write the Jacobian into an array, as CVODE requires."""
        coverage_jacobian(y, *self.arrays, out)

    def rates(self, t: float, y: np.ndarray) -> np.ndarray:
        """Return the rates, as SciPy requires."""
        out = np.empty(len(y))
        coverage_rates(y, *self.arrays, out)
        return out

    def jacobian(self, t: float, y: np.ndarray) -> np.ndarray:
        """Return the Jacobian, as SciPy requires."""
        out = np.empty((len(y), len(y)))
        coverage_jacobian(y, *self.arrays, out)
        return out


class CountedMassAction(MassAction):
    """The same functions with their calls counted."""

    rate_calls = 0
    jacobian_calls = 0

    def rates_into(self, t: float, y: np.ndarray, out: np.ndarray) -> None:
        """Count and compute."""
        CountedMassAction.rate_calls += 1
        super().rates_into(t, y, out)

    def jacobian_into(self, t: float, y: np.ndarray, derivative: np.ndarray, out: np.ndarray) -> None:
        """Count and compute."""
        CountedMassAction.jacobian_calls += 1
        super().jacobian_into(t, y, derivative, out)

    def rates(self, t: float, y: np.ndarray) -> np.ndarray:
        """Count and compute."""
        CountedMassAction.rate_calls += 1
        return super().rates(t, y)

    def jacobian(self, t: float, y: np.ndarray) -> np.ndarray:
        """Count and compute."""
        CountedMassAction.jacobian_calls += 1
        return super().jacobian(t, y)


class Point:
    """One temperature and pressure, with everything that the solvers need."""

    def __init__(self, model: Model, law, temperature: float, pressure: float):
        self.model, self.law, self.temperature = model, law, temperature
        self.rates, self.schedule = model.rates(temperature), schedule_at(pressure)
        network = model.network
        self.equations = [
            MassAction(network, self.rates, activities(network, period.pressures_Pa)) for period in self.schedule
        ]


class Solver:
    """One solver: `run` returns the coverages at the end of each period of each point, or None where it fails."""

    def run(self, points: list[Point], rtol: float) -> list[np.ndarray | None]:
        """Integrate all points."""
        return [self.try_point(point, rtol) for point in points]

    def try_point(self, point: Point, rtol: float) -> np.ndarray | None:
        """Integrate one point; None if the solver fails."""
        try:
            return self.run_point(point, rtol)
        except Exception:  # any exception of a library is a result
            return None

    def run_point(self, point: Point, rtol: float) -> np.ndarray:
        """Integrate one point through all periods."""
        coverages = np.array(point.model.network.initial, dtype=float)
        ends = []
        for period, equations in zip(point.schedule, point.equations, strict=True):
            coverages = self.run_period(equations, coverages, period.duration_s, rtol)
            ends.append(coverages)
        return np.array(ends)

    def run_period(self, equations: MassAction, start: np.ndarray, duration_s: float, rtol: float) -> np.ndarray:
        """Integrate one period; each solver has its own implementation."""
        raise NotImplementedError


class Qdsurf(Solver):
    """All points in one batch, as the package integrates them."""

    def run(self, points: list[Point], rtol: float) -> list[np.ndarray | None]:
        """Integrate all points in one call."""
        rates = RateConstants(
            *(np.array([getattr(p.rates, k) for p in points]) for k in ("forward_per_s", "reverse_per_s"))
        )
        temperatures = np.array([point.temperature for point in points])
        schedules = [point.schedule for point in points]
        first = points[0]
        ends = integrate_many(first.model.network, rates, schedules, temperatures, rtol=rtol, law=first.law)
        return list(ends.coverages)


class Cvode(Solver):
    """CVODE of SUNDIALS through scikit-sundae."""

    def run_period(self, equations: MassAction, start: np.ndarray, duration_s: float, rtol: float) -> np.ndarray:
        """Integrate one period."""
        from sksundae.cvode import CVODE

        solver = CVODE(
            equations.rates_into, jacfn=equations.jacobian_into, rtol=rtol, atol=ATOL, max_num_steps=MAXIMUM_STEPS
        )
        result = solver.solve(np.array([0.0, duration_s]), start)
        if not result.success:
            raise ValueError(result.message)
        return result.y[-1].copy()


class Lsoda(Solver):
    """LSODA through `scipy.integrate.odeint`; without a first step it fails in some purges."""

    def run_period(self, equations: MassAction, start: np.ndarray, duration_s: float, rtol: float) -> np.ndarray:
        """Integrate one period."""
        first_step = 0.1 / np.abs(equations.jacobian(0.0, start)).max()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return odeint(
                equations.rates, start, [0.0, duration_s], Dfun=equations.jacobian, tfirst=True, rtol=rtol, atol=ATOL,
                h0=first_step, mxstep=MAXIMUM_STEPS,
            )[-1]  # fmt: skip


class SolveIvp(Solver):
    """A method of `scipy.integrate.solve_ivp`."""

    def __init__(self, method: str, atol: float = ATOL):
        self.method, self.atol = method, atol

    def run_period(self, equations: MassAction, start: np.ndarray, duration_s: float, rtol: float) -> np.ndarray:
        """Integrate one period."""
        result = solve_ivp(
            equations.rates, (0, duration_s), start, method=self.method, jac=equations.jacobian, rtol=rtol,
            atol=self.atol,
        )  # fmt: skip
        if not result.success:
            raise ValueError(result.message)
        return result.y[:, -1].copy()


class Cantera(Solver):
    """The exported mechanism in Cantera, loaded once for each temperature; CVODES of SUNDIALS integrates it."""

    def __init__(self):
        self.loaded: dict[tuple[str, float], tuple] = {}

    def run_point(self, point: Point, rtol: float) -> np.ndarray:
        """Integrate one point with `advance_coverages`."""
        import cantera

        key = point.model.network.system, point.temperature
        if key not in self.loaded:
            text = cantera_mechanism(point.model, point.temperature)
            gas = cantera.Solution(yaml=text, name="gas")
            self.loaded[key] = gas, cantera.Interface(yaml=text, name="surface_s", adjacent=[gas])
        gas, surface = self.loaded[key]
        surface.TP = point.temperature, 1e5
        surface.coverages = point.model.network.initial
        ends = []
        for period in point.schedule:
            total = sum(period.pressures_Pa.values())
            fractions = {f"{name}_g": p for name, p in period.pressures_Pa.items()} if total else {"A_g": 1.0}
            gas.TPX = point.temperature, total or 1e-200, fractions
            surface.advance_coverages(period.duration_s, rtol=rtol, atol=ATOL)
            ends.append(surface.coverages.copy())
        return np.array(ends)


def solvers() -> dict[str, Solver]:
    """Return the solvers that are installed."""
    found: dict[str, Solver] = {"qdsurf": Qdsurf()}
    if is_installed("sksundae"):
        found["cvode"] = Cvode()
    if is_installed("cantera"):
        found["cantera"] = Cantera()
    return found | {"lsoda": Lsoda(), "bdf": SolveIvp("BDF")}


def measure_solver(solver: Solver, points: list[Point], references: list[np.ndarray]) -> dict[str, Any]:
    """Find the loosest tolerance with which most points have an error of at most `ERROR`, and time it.

    A point at which the solver fails or has a larger error counts as failed and is not timed. Of the tolerances with
    the fewest failed points, the loosest counts. `gave_up` is the number of failures of the solver itself, at all
    tolerances that were tried, and `attempts` the number of integrations.
    """
    found: dict[str, Any] = {"failed": len(points) + 1, "rtol": None, "error": None, "ms": None}
    gave_up, attempts = 0, 0
    for rtol in TOLERANCES:
        ends = solver.run(points, rtol)
        errors = np.array([largest_error(end, reference) for end, reference in zip(ends, references, strict=True)])
        gave_up += int(np.isinf(errors).sum())
        attempts += len(points)
        right = [point for point, error in zip(points, errors, strict=True) if error <= ERROR]
        failed = len(points) - len(right)
        if right and failed < found["failed"]:
            found = {"failed": failed, "rtol": rtol, "error": float(errors[errors <= ERROR].max()), "right": right}
        if failed == 0:
            break
    right = found.pop("right", [])
    if right:
        found["ms"] = 1e3 * shortest_cpu_s(partial(solver.run, right, found["rtol"]), REPEATS)[0] / len(right)
        found["callback_share"] = callback_share(solver, right, found["rtol"], found["ms"])
    return found | {"gave_up": gave_up, "attempts": attempts}


def largest_error(end: np.ndarray | None, reference: np.ndarray) -> float:
    """Return the largest error of a coverage; infinite if the solver failed."""
    return np.inf if end is None else float(np.nan_to_num(np.abs(end - reference).max(), nan=np.inf))


def callback_share(solver: Solver, points: list[Point], rtol: float, ms: float) -> float | None:
    """Return the fraction of the CPU time in the functions of `MassAction`; None if a solver does not use them."""
    if isinstance(solver, (Qdsurf, Cantera)):
        return None
    CountedMassAction.rate_calls = CountedMassAction.jacobian_calls = 0
    every = [equations for point in points for equations in point.equations]
    for equations in every:
        equations.__class__ = CountedMassAction
    solver.run(points, rtol)
    for equations in every:
        equations.__class__ = MassAction
    y = np.array(points[0].model.network.initial, dtype=float)
    calls = {every[0].rates: CountedMassAction.rate_calls, every[0].jacobian: CountedMassAction.jacobian_calls}
    seconds = 0.0
    for function, number in calls.items():
        many = partial(repeat, partial(function, 0.0, y))
        seconds += number * shortest_cpu_s(many, REPEATS)[0] / CALLBACK_REPEATS
    return seconds / (1e-3 * ms * len(points))


def repeat(function: Callable[[], Any]) -> None:
    """Call a function many times, to measure its time."""
    for _ in range(CALLBACK_REPEATS):
        function()


def measure_network(name: str) -> dict[str, Any]:
    """Return the results of all solvers for a single cycle and for a map of one network."""
    species, steps, seed, temperatures, pressures = NETWORKS[name]
    model = model_of(make_mechanism(species, steps, seed))
    law = compile_law(model.network)
    cases = {"single": [SINGLE], "map": list(itertools.product(temperatures.tolist(), pressures.tolist()))}
    results = {}
    for case, conditions in cases.items():
        points = [Point(model, law, *condition) for condition in conditions]
        references = SolveIvp("Radau", REFERENCE_ATOL).run(points, REFERENCE_RTOL)
        rows = {}
        for program, solver in solvers().items():
            solver.run(points[:1], 1e-4)  # compilation, and the loading of mechanisms
            rows[program] = measure_solver(solver, points, references)
        for row in rows.values():
            row["time_over_qdsurf"] = row["ms"] / rows["qdsurf"]["ms"] if row["ms"] else None
        results[case] = {"members": len(points), "solvers": rows}
        print_case(name, case, results[case])
    return results


def print_case(name: str, case: str, result: dict[str, Any]) -> None:
    """Print a line per solver."""
    for program, row in result["solvers"].items():
        cells = (f"{key} {value:.3g}" for key, value in row.items() if value is not None)
        print(f"{name}, {case} ({result['members']}), {program}:", ", ".join(cells), flush=True)


def measure_samples(model: Model) -> float:
    """Return the time in s per 1000 samples at one point."""
    rates = model.rates(353.15, sample_shifts(model.network, model.tables, 1024, 0))
    integrate_many(model.network, rates, [schedule_at(10.0)], 353.15)
    start = time.process_time()
    ends = integrate_many(model.network, rates, [schedule_at(10.0)], 353.15)
    assert not ends.problems
    return (time.process_time() - start) / 1.024


def measure_map(model: Model) -> tuple[float, int]:
    """Return the time in s of a map of 50 x 50 points, 18 to 400 C and 1 mTorr to 1 atm, and the failed points."""
    recipe = Recipe(
        name="benchmark",
        temperature_K=353.15,
        steps=[
            {"role": "precursor", "species": "A", "pressure_Pa": 10.0, "duration_s": 0.5},
            {"role": "purge", "species": "inert", "pressure_Pa": 0.0, "duration_s": 10.0},
        ],
        source="assumed: a benchmark",
    )
    start = time.process_time()
    table = selectivity_map(model, recipe, None, np.linspace(291.15, 673.15, 50), np.geomspace(0.1333, 101325, 50))
    return time.process_time() - start, int(table["failed_samples"].sum())


def measure_growth() -> dict[str, float]:
    """Return the time in microseconds of one solver step for 25, 50 and 100 species with three steps per species."""
    found = {}
    for species in (25, 50, 100):
        model = model_of(make_mechanism(species, 3 * species, 1))
        law, network, rates = compile_law(model.network), model.network, model.rates(433.15)
        constants = [np.tile(k, (LANES, 1)) for k in (rates.forward_per_s, rates.reverse_per_s)]
        pieces, start = np.array([[0.5, np.inf, 0.0]]), np.zeros(len(law.order))
        start[: len(network.species)] = network.initial
        supplies = np.tile(activities(network, {"A": 10.0}), (LANES, 1, 1))
        best = np.inf
        for _ in range(REPEATS):
            ends, extents = np.empty((LANES, 1, len(law.order))), np.empty((LANES, 1, len(network.steps)))
            clock = time.process_time()
            tried, _, _ = run_batch(
                law, *constants, np.full(LANES, BOLTZMANN_EV_PER_K * 433.15), supplies, pieces, 1, start,
                np.array([1e-4, 1e-10, 20000, 1e-9]), -1, ends, extents, np.zeros((LANES, len(network.steps))),
                np.zeros(LANES, dtype=np.int64),
            )  # fmt: skip
            best = min(best, (time.process_time() - clock) / tried)
        found[str(species)] = 1e6 * best
    found["exponent"] = float(np.log(found["100"] / found["25"]) / np.log(4))
    return found


def measure() -> dict[str, Any]:
    """Return the comparison of the solvers."""
    return {"error": ERROR, "lanes": LANES, "networks": {name: measure_network(name) for name in NETWORKS}}


def main() -> None:
    """Measure, print a line per solver, and one JSON object last if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    results = measure()
    model = model_of(make_mechanism(18, 24, 0))
    samples, (seconds, failed), growth = measure_samples(model), measure_map(model), measure_growth()
    print(f"1000 samples: {samples:.2f} s; map 50 x 50: {seconds:.2f} s, {failed} failed points")
    print(f"microseconds per solver step by number of species: {growth}")
    if arguments.json:
        alone = {"samples_1000_s": samples, "map_s": seconds, "failed_points": failed, "growth": growth}
        print(json.dumps(results | alone))


if __name__ == "__main__":
    main()
