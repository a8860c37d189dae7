"""Integration of the coverages and of the extents of all steps through the cycles of a recipe."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qdsurf.errors import CalculationError
from qdsurf.microkinetics.network.reaction_network import Network, conservation_laws
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import Schedule, SupplyPeriod
from qdsurf.microkinetics.solver import batch, lsoda
from qdsurf.microkinetics.solver.memory import WHOLE_CYCLES, assert_run_fits
from qdsurf.microkinetics.solver.rate_law import RateLaw, compile_law
from qdsurf.units import BOLTZMANN_EV_PER_K, EV_J, NM2_PER_M2, STANDARD_PRESSURE_PA

# Relative tolerance of each step of a batch. Coverages are then accurate to 1e-6; see benchmarks/kinetics.py.
RELATIVE_TOLERANCE = 1e-4
FINE_TOLERANCE = 1e-6  # for the one trajectory that is plotted and tabulated
ABSOLUTE_TOLERANCE = 1e-10  # for coverages; extents have a relative tolerance only
MAXIMUM_STEPS = 20_000  # for one supply period, which takes some tens
FIRST_STEP_S = 1e-9  # faster processes are over within the first step; an L-stable method remains accurate
CONSERVATION_TOLERANCE = 1e-8
STEADY_TOLERANCE = 1e-10  # relative change of every coverage when the time increases tenfold
SHORTEST_TIME_S = 1e-3  # first time at which a steady state is tested
LONGEST_TIME_S = 1e30
NO_PATH = -1  # value of `whole_cycles` with which no solver step is stored
TIME_TOLERANCE = 1e-9  # relative, for the end of a trajectory; the sum of a million periods is accurate to 1e-10
PROBLEMS = {
    batch.TOO_MANY_STEPS: f"more than {MAXIMUM_STEPS} steps",
    batch.NOT_FINITE: "a rate or coverage is not finite",
    batch.SITES_LOST: "the sites of a family are not conserved",
}


@dataclass(frozen=True)
class Trajectory:
    """Coverages, extents and pressures as a function of time.

    Every solver step of the first and the last `memory.WHOLE_CYCLES` cycles is a row. Of the cycles in between, only
    the end of each supply period is a row.

    Attributes
    ----------
    time_s : numpy.ndarray
        Times since the start, s, shape (t,).
    coverages : numpy.ndarray
        Occupied fraction of the sites of the first family of each species, shape (t, n).
    flux_per_nm2 : numpy.ndarray
        Net events of each step since time zero, nm^-2, shape (t, S); negative for a step that ran backwards.
    pressures_Pa : numpy.ndarray
        Partial pressures of the gases, Pa, shape (t, g).
    period_ends : numpy.ndarray of int
        Number of the row in which each supply period of each cycle ends, shape (cycles * periods,).
    """

    time_s: np.ndarray
    coverages: np.ndarray
    flux_per_nm2: np.ndarray
    pressures_Pa: np.ndarray
    period_ends: np.ndarray


@dataclass(frozen=True)
class BatchResult:
    """Coverages and extents of many members of a batch at the end of every supply period.

    Attributes
    ----------
    coverages : numpy.ndarray
        Shape (members, periods, n), or (members, 1, n) at the end of the run; NaN for a member that failed.
    flux_per_nm2 : numpy.ndarray
        Net events of each step since time zero, nm^-2, shape (members, periods, S) or (members, 1, S).
    exchanged_per_nm2 : numpy.ndarray
        Sum over all periods of the absolute change of the net events, nm^-2, shape (members, S).
    problems : dict of int to str
        Error message of each member that failed, by its number.
    """

    coverages: np.ndarray
    flux_per_nm2: np.ndarray
    exchanged_per_nm2: np.ndarray
    problems: dict[int, str]


def integrate(
    network: Network,
    rates: RateConstants,
    schedule: Schedule,
    temperature_K: float,
    cycles: int = 1,
    rtol: float = FINE_TOLERANCE,
) -> Trajectory:
    """Integrate a recipe, with a restart of the solver at each switch of the supply.

    The method is the Rosenbrock method of `rosenbrock`. If it fails, LSODA integrates the recipe instead.

    Parameters
    ----------
    network : Network
        Network of the system.
    rates : RateConstants
        Rate constants of one sample, s^-1, shape (S,).
    schedule : list of SupplyPeriod
        Durations in s and partial pressures in Pa of one cycle; a gas that is not named is absent.
    temperature_K : float
        Temperature of the surface, K.
    cycles : int
        Number of cycles.
    rtol : float
        Relative tolerance of each solver step.

    Returns
    -------
    Trajectory
        At time zero and after the solver steps; each switch of the supply appears once. Beyond
        2 `memory.WHOLE_CYCLES` cycles, the cycles in the middle have one row for each supply period.

    Raises
    ------
    InputError
        The trajectory would need more memory than is accepted.
    CalculationError
        The integration failed, broke a conservation law, or did not reach the end of the last cycle.
    """
    assert_run_fits(network, len(schedule), cycles)
    law = compile_law(network)
    n, variables, steps = len(network.species), len(law.order), len(network.steps)
    start = np.concatenate([[0.0], network.initial, activities(network, schedule[0].pressures_Pa), np.zeros(steps)])
    run = _run_batch(
        network, law, _batch_of_one(rates), [schedule], np.array([temperature_K]), cycles, rtol,
        whole_cycles=WHOLE_CYCLES,
    )  # fmt: skip
    table, period_ends = np.vstack([start, run.path]), run.period_ends
    problem = PROBLEMS.get(run.status[0], "") or _conservation_defect(network, table[:, 1 : 1 + n])
    if problem:
        rescued = lsoda.integrate_periods(
            law, rates, BOLTZMANN_EV_PER_K * temperature_K, _supplies(network, schedule), _period_numbers(schedule),
            cycles, start, 1e-2 * rtol, ABSOLUTE_TOLERANCE, WHOLE_CYCLES,
        )  # fmt: skip
        if rescued is None:
            raise _integration_error(network, rates, schedule, temperature_K, f"{problem}; LSODA failed too")
        table, period_ends = rescued
        second_problem = _conservation_defect(network, table[:, 1 : 1 + n])
        if second_problem:
            raise _integration_error(network, rates, schedule, temperature_K, f"{problem}; {second_problem}")
    _assert_complete(network.system, table[:, 0], period_ends, schedule, cycles)
    return Trajectory(
        time_s=table[:, 0],
        coverages=table[:, 1 : 1 + n],
        flux_per_nm2=table[:, 1 + variables :] * network.step_density_per_m2 / NM2_PER_M2,
        pressures_Pa=table[:, 1 + n : 1 + variables] * STANDARD_PRESSURE_PA,
        period_ends=period_ends,
    )


def _assert_complete(system: str, time_s: np.ndarray, period_ends: np.ndarray, schedule: Schedule, cycles: int) -> None:
    """Assert that a trajectory contains the end of every supply period and reaches the end of the last cycle."""
    expected_time = cycles * sum(period.duration_s for period in schedule)
    expected_ends = cycles * len(schedule)
    found_ends = len(np.unique(period_ends[period_ends > 0]))
    reaches_end = abs(time_s[-1] - expected_time) <= TIME_TOLERANCE * expected_time
    if found_ends != expected_ends:
        problem = f"contains the ends of {found_ends} recipe steps instead of {expected_ends}"
    elif period_ends[-1] != len(time_s) - 1 or not reaches_end:
        problem = f"ends at {time_s[-1]:.10g} s instead of {expected_time:.10g} s"
    else:
        return
    raise CalculationError(
        f"{system}: the trajectory {problem}; a trajectory must contain all {cycles} cycles. "
        "Try fewer cycles with `--cycles`, and report this error with the mechanism and the recipe."
    )


def integrate_many(
    network: Network,
    rates: RateConstants,
    schedules: list[Schedule],
    temperatures_K: float | np.ndarray,
    cycles: int = 1,
    rtol: float = RELATIVE_TOLERANCE,
    law: RateLaw | None = None,
    last_only: bool = False,
) -> BatchResult:
    """Integrate many members of one network, each with its own rate constants, temperature and pressures.

    A member on which the Rosenbrock method fails is integrated again by `integrate`.

    Parameters
    ----------
    network : Network
        Network of the system.
    rates : RateConstants
        Rate constants, s^-1, shape (members, S).
    schedules : list of list of SupplyPeriod
        Schedule of each member, or one for all. They may differ in their pressures only.
    temperatures_K : float or numpy.ndarray
        Temperature of each member, K, shape (members,), or one for all.
    cycles : int
        Number of cycles.
    rtol : float
        Relative tolerance of each solver step.
    law : RateLaw or None
        Result of `compile_law`, to avoid its repetition. None: it is computed.
    last_only : bool
        Keep the end of the last period only, which needs less memory for many cycles.

    Returns
    -------
    BatchResult
        A member that failed has NaN and an entry in `problems`.
    """
    temperatures = np.broadcast_to(np.asarray(temperatures_K, dtype=float), len(rates.forward_per_s))
    law = law or compile_law(network)
    run = _run_batch(network, law, rates, schedules, temperatures, cycles, rtol, last_only=last_only)
    coverages = run.ends[:, :, : len(network.species)]
    flux = run.extents * network.step_density_per_m2 / NM2_PER_M2
    exchanged = run.exchanged * network.step_density_per_m2 / NM2_PER_M2
    problems = {}
    for member in np.flatnonzero(run.status):
        rates_of_member = RateConstants(rates.forward_per_s[member], rates.reverse_per_s[member])
        schedule = schedules[member if len(schedules) > 1 else 0]
        try:
            rescued = integrate(network, rates_of_member, schedule, temperatures[member], cycles, rtol)
        except CalculationError as error:
            coverages[member] = np.nan
            flux[member] = np.nan
            exchanged[member] = np.nan
            problems[int(member)] = str(error)
        else:
            ends = rescued.period_ends
            kept = ends[-1:] if last_only else ends
            coverages[member] = rescued.coverages[kept]
            flux[member] = rescued.flux_per_nm2[kept]
            exchanged[member] = np.abs(np.diff(rescued.flux_per_nm2[ends], axis=0, prepend=0.0)).sum(axis=0)
    return BatchResult(coverages, flux, exchanged, problems)


def steady_state(
    network: Network, rates: RateConstants, pressures_Pa: dict[str, float], temperature_K: float
) -> np.ndarray:
    """Compute the coverages that no longer change under constant pressures, starting from the initial surface.

    The time increases tenfold until nothing changes, and the solver steps become as long as the time. The pivots from
    the site balance keep their accuracy, so that the last solver steps are Newton steps.

    Parameters
    ----------
    network : Network
        Network of the system.
    rates : RateConstants
        Rate constants, s^-1, shape (S,).
    pressures_Pa : dict of str to float
        Constant partial pressures, Pa; a gas that is not named is absent.
    temperature_K : float
        Temperature of the surface, K.

    Returns
    -------
    numpy.ndarray
        Coverages, shape (n,).

    Raises
    ------
    CalculationError
        The integration failed, or a coverage still changes after 1e30 s.
    """
    law, n = compile_law(network), len(network.species)
    temperatures = np.array([temperature_K])
    coverages = network.initial
    duration = SHORTEST_TIME_S
    while duration < LONGEST_TIME_S:
        schedule = [SupplyPeriod(duration, pressures_Pa)]
        run = _run_batch(
            network, law, _batch_of_one(rates), [schedule], temperatures, 1, RELATIVE_TOLERANCE, coverages=coverages
        )
        if run.status[0] != batch.SUCCESS:
            raise _integration_error(network, rates, schedule, temperature_K, PROBLEMS[run.status[0]])
        before = coverages
        coverages = run.ends[0, 0, :n]
        if np.all(np.abs(coverages - before) <= STEADY_TOLERANCE * np.abs(coverages) + ABSOLUTE_TOLERANCE):
            return coverages
        duration *= 10
    raise _integration_error(network, rates, schedule, temperature_K, f"no steady state within {LONGEST_TIME_S:g} s")


class _BatchArrays(NamedTuple):
    """Arrays that `batch.run_batch` has written or returned."""

    ends: np.ndarray
    extents: np.ndarray
    exchanged: np.ndarray
    status: np.ndarray
    path: np.ndarray
    period_ends: np.ndarray


def _batch_of_one(rates: RateConstants) -> RateConstants:
    """Return rate constants with an axis of members of length one."""
    return RateConstants(rates.forward_per_s[None], rates.reverse_per_s[None])


def _run_batch(
    network: Network,
    law: RateLaw,
    rates: RateConstants,
    schedules: list[Schedule],
    temperatures_K: np.ndarray,
    cycles: int,
    rtol: float,
    whole_cycles: int = NO_PATH,
    last_only: bool = False,
    coverages: np.ndarray | None = None,
) -> _BatchArrays:
    """Call the compiled batch; if the solver steps are stored, only the end of the last period is kept in addition."""
    members = len(rates.forward_per_s)
    periods = _period_numbers(schedules[0])
    supplies = np.array([_supplies(network, schedule) for schedule in schedules])
    # The copy gives the compiled function the same type of array in all cases, so that it is compiled once.
    supplies = np.broadcast_to(supplies, (members, *supplies.shape[1:])).copy()
    kept = 1 if last_only or whole_cycles != NO_PATH else cycles * len(periods)
    ends = np.full((members, kept, len(law.order)), np.nan)
    extents = np.full((members, kept, len(network.steps)), np.nan)
    exchanged = np.zeros((members, len(network.steps)))
    status = np.zeros(members, dtype=np.int64)
    start = np.concatenate([network.initial if coverages is None else coverages, supplies[0, 0]])
    settings = np.array([rtol, ABSOLUTE_TOLERANCE, MAXIMUM_STEPS, FIRST_STEP_S])
    _, path, period_ends = batch.run_batch(
        law, np.ascontiguousarray(rates.forward_per_s), np.ascontiguousarray(rates.reverse_per_s),
        BOLTZMANN_EV_PER_K * temperatures_K, supplies, periods, cycles, start, settings, whole_cycles,
        ends, extents, exchanged, status,
    )  # fmt: skip
    return _BatchArrays(ends, extents, exchanged, status, path, period_ends)


def activities(network: Network, pressures_Pa: dict[str, float]) -> np.ndarray:
    """Convert partial pressures into activities p/p0.

    Parameters
    ----------
    network : Network
        Network of the system.
    pressures_Pa : dict of str to float
        Partial pressures, Pa; a gas that is not named is absent.

    Returns
    -------
    numpy.ndarray
        Activities of the gases of the network, dimensionless, shape (g,).
    """
    return np.array([pressures_Pa.get(gas, 0.0) for gas in network.gases]) / STANDARD_PRESSURE_PA


def _supplies(network: Network, schedule: Schedule) -> np.ndarray:
    """Return the activities p/p0 of the gases in every supply period, shape (P, g)."""
    return np.array([activities(network, period.pressures_Pa) for period in schedule])


def _period_numbers(schedule: Schedule) -> np.ndarray:
    """Return duration in s, 1/tau in s^-1 and (1 eV/p0)(A/V) in m^2 of every supply period, shape (P, 3)."""
    rows = []
    for period in schedule:
        supply_rate = 1 / period.time_constant_s if period.time_constant_s else np.inf
        depletion = EV_J / STANDARD_PRESSURE_PA * period.area_per_volume_per_m
        rows.append((period.duration_s, supply_rate, depletion))
    return np.array(rows, dtype=float)


def _conservation_defect(network: Network, coverages: np.ndarray) -> str:
    """Describe the broken conservation law or the negative coverage; return an empty string if there is none."""
    if not len(coverages):
        return ""
    if not np.isfinite(coverages).all():
        return "a coverage is not finite"
    lowest = np.unravel_index(np.argmin(coverages), coverages.shape)
    if coverages[lowest] < -CONSERVATION_TOLERANCE:
        return f"the coverage of {network.species[lowest[1]]} decreases to {coverages[lowest]:.2g}"
    for law in conservation_laws(network):
        defect = np.abs((coverages - network.initial) @ law).max()
        if not defect <= CONSERVATION_TOLERANCE:
            names = [name for name, weight in zip(network.species, law, strict=True) if abs(weight) > 1e-9]
            return f"the conserved sum of {', '.join(names)} changes by {defect:.2g}"
    return ""


def _integration_error(
    network: Network, rates: RateConstants, schedule: Schedule, temperature_K: float, problem: str
) -> CalculationError:
    """Make the error for an integration that failed, with temperature, pressures and the fastest rate constant."""
    pressures_Pa = next((period.pressures_Pa for period in schedule if period.pressures_Pa), {})
    gases = ", ".join(f"{gas} {pressure:.4g} Pa" for gas, pressure in pressures_Pa.items()) or "no gas"
    fastest = max(rates.forward_per_s.max(initial=0), rates.reverse_per_s.max(initial=0))
    return CalculationError(
        f"{network.system}: could not integrate at {temperature_K} K, {gases} ({problem}); "
        f"fastest rate constant {fastest:.3g} s^-1."
    )
