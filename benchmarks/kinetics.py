"""Time the kinetics against Cantera, LSODA and BDF, at the same error, in one run on one core.

    python benchmarks/kinetics.py [--json]

A network of 18 surface species and 24 steps on one family of sites (Cantera's `advance_coverages` knows one), a pulse
of 0.5 s and a purge of 10 s at 24 points of temperature and pressure. The reference is Radau at rtol 1e-12. Of each
solver the loosest tolerance counts with which every coverage at the end of the pulse and of the purge is right to
1e-6. Then: 1000 samples at one point, a map of 50 x 50 points, and growth with the number of species.
"""

import argparse
import itertools
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cantera
import numpy as np
from scipy.integrate import odeint, solve_ivp

from qdsurf.microkinetics.analysis.process_window import selectivity_map
from qdsurf.microkinetics.cantera_export import cantera_mechanism
from qdsurf.microkinetics.network.mechanism import Mechanism, tabulate_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import Piece
from qdsurf.microkinetics.solver import lsoda
from qdsurf.microkinetics.solver.batch import run_batch
from qdsurf.microkinetics.solver.integration import activities, integrate_many
from qdsurf.microkinetics.solver.lanes import LANES
from qdsurf.microkinetics.solver.rate_law import compile_law
from qdsurf.records.models import Recipe
from qdsurf.units import BOLTZMANN_EV_PER_K

ERROR = 1e-6
TEMPERATURES_K = (293.15, 333.15, 373.15, 433.15, 493.15, 553.15)
PRESSURES_PA = (0.1, 1.0, 10.0, 100.0)
TOLERANCES = [10.0**-e for e in np.arange(2, 11, 0.25)]
REPEATS = 5


def make_mechanism(species: int, steps: int, seed: int) -> Mechanism:
    """A plausible network: three gases adsorb, adducts react along a random graph, pairs react, products leave."""
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


def model_of(mechanism: Mechanism):
    return prepare(mechanism.system, tabulate_mechanism(mechanism))


def schedule_at(pressure: float) -> list[Piece]:
    return [Piece(0.5, {"A": pressure, "B": 0.1 * pressure}), Piece(10.0, {})]


class Point:
    """One temperature and pressure: everything that the solvers need, made before the clock starts."""

    def __init__(self, model, law, temperature: float, pressure: float):
        self.model, self.law, self.temperature = model, law, temperature
        self.rates, self.schedule = model.rates(temperature), schedule_at(pressure)
        self.supplies = [activities(model.network, piece.pressures_Pa) for piece in self.schedule]
        thermal = BOLTZMANN_EV_PER_K * temperature
        self.functions = [lsoda.derivatives(law, self.rates, thermal, supply, 0.0, 0.0) for supply in self.supplies]

    def start(self) -> np.ndarray:
        """Coverages, activities and extents at time zero."""
        n = len(self.model.network.species)
        return np.concatenate([self.model.network.initial, np.zeros(len(self.law.order) - n + len(self.law.beta))])


def run_qdsurf(points: list[Point], rtol: float) -> list[np.ndarray]:
    """All points in one batch, as the package runs them."""
    rates = RateConstants(
        *(np.array([getattr(p.rates, k) for p in points]) for k in ("forward_per_s", "reverse_per_s"))
    )
    temperatures = np.array([point.temperature for point in points])
    first = points[0]
    ends = integrate_many(
        first.model.network, rates, [p.schedule for p in points], temperatures, rtol=rtol, law=first.law
    )
    return list(ends.coverages)


def one_by_one(run):
    """Make a runner of all points out of one for a point; a point at which it gives up is None."""

    def run_all(points: list[Point], rtol: float) -> list[np.ndarray | None]:
        found = []
        for point in points:
            try:
                found.append(run(point, rtol))
            except (cantera.CanteraError, ValueError):
                found.append(None)
        return found

    return run_all


def run_scipy(method: str):
    def run(point: Point, rtol: float) -> np.ndarray:
        n, size = len(point.model.network.species), len(point.law.order)
        state, ends = point.start(), []
        for piece, supply, (derivative, jacobian) in zip(point.schedule, point.supplies, point.functions, strict=True):
            state[n:size] = supply
            if method == "LSODA":
                h0 = 0.1 / np.abs(jacobian(state)).max()
                grid = [0.0, piece.duration_s]
                state = odeint(derivative, state, grid, Dfun=jacobian, rtol=rtol, atol=1e-14, h0=h0, mxstep=50000)[-1]
            else:
                result = solve_ivp(
                    lambda t, y, f=derivative: f(y), (0, piece.duration_s), state, method=method,
                    jac=lambda t, y, f=jacobian: f(y), rtol=rtol, atol=1e-14 if method == "BDF" else 1e-16,
                )  # fmt: skip
                state = result.y[:, -1].copy()
            ends.append(state[:n].copy())
        return np.array(ends)

    return run


class Cantera:
    """The exported mechanism, loaded once for each temperature."""

    def __init__(self, model):
        self.model, self.loaded = model, {}

    def __call__(self, point: Point, rtol: float) -> np.ndarray:
        """Coverages at the ends of pulse and purge."""
        if point.temperature not in self.loaded:
            text = cantera_mechanism(self.model, point.temperature)
            gas = cantera.Solution(yaml=text, name="gas")
            self.loaded[point.temperature] = gas, cantera.Interface(yaml=text, name="surface_s", adjacent=[gas])
        gas, surface = self.loaded[point.temperature]
        surface.TP = point.temperature, 1e5
        surface.coverages = self.model.network.initial
        ends = []
        for piece in point.schedule:
            total = sum(piece.pressures_Pa.values())
            fractions = {f"{name}_g": p for name, p in piece.pressures_Pa.items()} if total else {"A_g": 1.0}
            gas.TPX = point.temperature, total or 1e-200, fractions
            surface.advance_coverages(piece.duration_s, rtol=rtol, atol=1e-14)
            ends.append(surface.coverages.copy())
        return np.array(ends)


def same_error(run, points: list[Point], references: list[np.ndarray]) -> dict:
    """Loosest tolerance with which most points are right to 1e-6, and the best time of one integration with it.

    A point at which the solver gives up or is wrong counts as failed and is not timed; of the tolerances with the
    fewest failed points the loosest is taken.
    """
    found = {"failed": len(points), "rtol": None, "error": None, "ms": None}
    for rtol in TOLERANCES:
        ends = run(points, rtol)
        errors = np.array([_error(end, reference) for end, reference in zip(ends, references, strict=True)])
        right = [point for point, error in zip(points, errors, strict=True) if error <= ERROR]
        failed = len(points) - len(right)
        if failed < found["failed"]:
            best = min(_clock(run, right, rtol) for _ in range(REPEATS))
            worst = errors[errors <= ERROR].max()
            found = {"failed": failed, "rtol": rtol, "error": float(worst), "ms": 1e3 * best / len(right)}
        if failed == 0:
            break
    return found


def _error(end: np.ndarray | None, reference: np.ndarray) -> float:
    """Largest error of a coverage; infinite where the solver gave up."""
    return np.inf if end is None else float(np.nan_to_num(np.abs(end - reference).max(), nan=np.inf))


def _clock(run, points: list[Point], rtol: float) -> float:
    start = time.perf_counter()
    run(points, rtol)
    return time.perf_counter() - start


def measure_samples(model) -> float:
    """Seconds for 1024 samples at one point, per 1000."""
    rates = model.rates(353.15, sample_shifts(model.network, model.tables, 1024, 0))
    integrate_many(model.network, rates, [schedule_at(10.0)], 353.15)
    start = time.perf_counter()
    ends = integrate_many(model.network, rates, [schedule_at(10.0)], 353.15)
    assert not ends.problems
    return (time.perf_counter() - start) / 1.024


def measure_map(model) -> tuple[float, int]:
    """Seconds for a map of 50 x 50 points from 18 to 400 C and 1 mTorr to 1 atm, and the number of failed points."""
    recipe = Recipe(
        name="benchmark",
        temperature_K=353.15,
        steps=[
            {"role": "precursor", "species": "A", "pressure_Pa": 10.0, "duration_s": 0.5},
            {"role": "purge", "species": "inert", "pressure_Pa": 0.0, "duration_s": 10.0},
        ],
        source="assumed: a benchmark",
    )
    start = time.perf_counter()
    table = selectivity_map(model, recipe, None, np.linspace(291.15, 673.15, 50), np.geomspace(0.1333, 101325, 50))
    return time.perf_counter() - start, int(table["failed_samples"].sum())


def measure_growth() -> dict[str, float]:
    """Microseconds of one step of the solver against the number of species, with three steps a species."""
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
            clock = time.perf_counter()
            tried, _, _ = run_batch(
                law, *constants, np.full(LANES, BOLTZMANN_EV_PER_K * 433.15), supplies, pieces, 1, start,
                np.array([1e-4, 1e-10, 20000, 1e-9]), -1, ends, extents, np.zeros((LANES, len(network.steps))),
                np.zeros(LANES, dtype=np.int64),
            )  # fmt: skip
            best = min(best, (time.perf_counter() - clock) / tried)
        found[str(species)] = 1e6 * best
    found["exponent"] = float(np.log(found["100"] / found["25"]) / np.log(4))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    model = model_of(make_mechanism(18, 24, 0))
    law = compile_law(model.network)
    points = [Point(model, law, t, p) for t, p in itertools.product(TEMPERATURES_K, PRESSURES_PA)]
    references = [run_scipy("Radau")(point, 1e-12) for point in points]
    others = {"cantera": Cantera(model), "lsoda": run_scipy("LSODA"), "bdf": run_scipy("BDF")}
    solvers = {"qdsurf": run_qdsurf} | {name: one_by_one(run) for name, run in others.items()}
    results = {}
    for name, run in solvers.items():
        results[name] = same_error(run, points, references)
        print(
            f"{name:<8}", ", ".join(f"{key} {value:.3g}" for key, value in results[name].items() if value is not None)
        )
    ratios = {name: results[name]["ms"] / results["qdsurf"]["ms"] for name in solvers if results[name]["ms"]}
    samples, (seconds, failed), growth = measure_samples(model), measure_map(model), measure_growth()
    print("ratios to qdsurf:", ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items()))
    print(f"1000 samples: {samples:.2f} s; map 50 x 50: {seconds:.2f} s, {failed} failed points")
    print(f"microseconds a solver step by species: {growth}")
    if arguments.json:
        summary = {"solvers": results, "ratios": ratios, "samples_1000_s": samples, "map_s": seconds}
        print(json.dumps(summary | {"failed_points": failed, "growth": growth}))


if __name__ == "__main__":
    main()
