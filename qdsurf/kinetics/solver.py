"""Integration of the coverages, and of what every step has done so far, through the cycles of a recipe."""

from dataclasses import dataclass

import numpy as np

from qdsurf.errors import CalculationError
from qdsurf.kinetics import batch, lsoda
from qdsurf.kinetics.network import Network, conservation_laws
from qdsurf.kinetics.ratelaw import RateLaw, compile_law
from qdsurf.kinetics.rates import RateConstants
from qdsurf.kinetics.recipe import Piece, Schedule
from qdsurf.units import BOLTZMANN_EV_PER_K, EV_J, NM2_PER_M2, STANDARD_PRESSURE_PA

# Relative tolerance of each step of a batch: coverages are then right to 1e-6, see benchmarks/kinetics.py.
RELATIVE_TOLERANCE = 1e-4
FINE_TOLERANCE = 1e-6  # of the one run that is drawn and tabulated
ABSOLUTE_TOLERANCE = 1e-10  # of coverages; what steps have done is right relative to itself
MAXIMUM_STEPS = 20_000  # for one piece of a recipe, which takes some tens
FIRST_STEP_S = 1e-9  # what is faster is over within the first step, which an L-stable method survives
CONSERVATION_TOLERANCE = 1e-8
STEADY_TOLERANCE = 1e-10  # change of every coverage and rate over a tenfold time
LONGEST_TIME_S = 1e30
PROBLEMS = {
    batch.TOO_MANY_STEPS: f"more than {MAXIMUM_STEPS} steps",
    batch.NOT_FINITE: "a rate or coverage is not finite",
    batch.SITES_LOST: "the sites of a family are not conserved",
}


@dataclass(frozen=True)
class Trajectory:
    """What the surface did, time by time.

    Attributes
    ----------
    time_s : times from the start, shape (t,).
    coverages : occupied share of the own family's sites, shape (t, n).
    flux_per_nm2 : net events of each step since time zero, nm^-2, shape (t, S); negative runs backwards.
    pressures_Pa : partial pressures of the gases, shape (t, g).
    """

    time_s: np.ndarray
    coverages: np.ndarray
    flux_per_nm2: np.ndarray
    pressures_Pa: np.ndarray


@dataclass(frozen=True)
class Ends:
    """What many members of a batch have come to at the end of every piece of a recipe.

    Attributes
    ----------
    coverages : shape (members, pieces, n); NaN for a member that failed.
    flux_per_nm2 : net events of each step since time zero, nm^-2, shape (members, pieces, S).
    problems : what went wrong with a member, by its number.
    """

    coverages: np.ndarray
    flux_per_nm2: np.ndarray
    problems: dict[int, str]


def integrate(
    network: Network,
    rates: RateConstants,
    schedule: Schedule,
    temperature_K: float,
    cycles: int = 1,
    rtol: float = FINE_TOLERANCE,
) -> Trajectory:
    """Integrate a recipe, starting anew at each switch of the supply.

    By the Rosenbrock method of `rosenbrock`; where it gives up, LSODA takes over.

    Parameters
    ----------
    rates : rate constants of one sample, shape (S,).
    schedule : pieces with durations in s and partial pressures in Pa; a gas not named is absent.
    rtol : relative tolerance of each step.

    Returns
    -------
    Trajectory
        At time zero and after every step that the solver took; each switch of the supply appears once.

    Raises
    ------
    CalculationError
        The integration failed, or broke a law of conservation.
    """
    law = compile_law(network)
    n, size, steps = len(network.species), len(law.order), len(network.steps)
    alone = RateConstants(rates.forward_per_s[None], rates.reverse_per_s[None])
    path = np.empty((MAXIMUM_STEPS, 1 + size + steps))
    _, _, status, rows = _run(network, law, alone, [schedule], np.array([temperature_K]), cycles, rtol, path)
    start = np.concatenate([[0.0], network.initial, activities(network, schedule[0][1]), np.zeros(steps)])
    table = np.vstack([start, path[:rows]])
    problem = PROBLEMS.get(status[0], "") or _defect(network, table[:, 1 : 1 + n])
    if problem:
        table = lsoda.follow(
            law, rates, BOLTZMANN_EV_PER_K * temperature_K, _supplies(network, schedule), _numbers(schedule), cycles,
            start, 1e-2 * rtol, ABSOLUTE_TOLERANCE,
        )  # fmt: skip
        second = "LSODA failed too" if table is None else _defect(network, table[:, 1 : 1 + n])
        if second:
            raise CalculationError(_failure(network, rates, schedule, temperature_K, f"{problem}; {second}"))
    return Trajectory(
        time_s=table[:, 0],
        coverages=table[:, 1 : 1 + n],
        flux_per_nm2=table[:, 1 + size :] * network.step_density_per_m2 / NM2_PER_M2,
        pressures_Pa=table[:, 1 + n : 1 + size] * STANDARD_PRESSURE_PA,
    )


def integrate_many(
    network: Network,
    rates: RateConstants,
    schedules: list[Schedule],
    temperatures_K: np.ndarray,
    cycles: int = 1,
    rtol: float = RELATIVE_TOLERANCE,
    law: RateLaw | None = None,
) -> Ends:
    """Integrate many members of one network, each with its own rate constants, temperature and pressures.

    Parameters
    ----------
    rates : shape (members, S).
    schedules : of the members, or one for all; they differ in their pressures only.
    temperatures_K : shape (members,) or a number for all.
    """
    temperatures = np.broadcast_to(np.asarray(temperatures_K, dtype=float), len(rates.forward_per_s))
    law = law or compile_law(network)
    ends, extents, status, _ = _run(network, law, rates, schedules, temperatures, cycles, rtol, np.empty((0, 0)))
    coverages = ends[:, :, : len(network.species)]
    flux = extents * network.step_density_per_m2 / NM2_PER_M2
    problems = {}
    for member in np.flatnonzero(status):
        own = RateConstants(rates.forward_per_s[member], rates.reverse_per_s[member])
        schedule = schedules[member if len(schedules) > 1 else 0]
        try:
            rescued = integrate(network, own, schedule, temperatures[member], cycles, rtol)
        except CalculationError as error:
            coverages[member], flux[member], problems[int(member)] = np.nan, np.nan, str(error)
        else:
            at = np.searchsorted(rescued.time_s, np.cumsum([p[0] for p in schedule] * cycles) * (1 - 1e-12))
            coverages[member], flux[member] = rescued.coverages[at], rescued.flux_per_nm2[at]
    return Ends(coverages, flux, problems)


def steady_state(
    network: Network, rates: RateConstants, pressures_Pa: dict[str, float], temperature_K: float
) -> np.ndarray:
    """Coverages that no longer change under constant pressures, from the initial surface, shape (n,).

    Time is followed tenfold by tenfold, with steps as long as it is, until nothing changes: the pivots from the site
    balance keep their digits, so that the last steps are Newton's.

    Raises
    ------
    CalculationError
        The integration failed, or something still changes after 1e30 s.
    """
    law, n = compile_law(network), len(network.species)
    alone, temperatures = RateConstants(rates.forward_per_s[None], rates.reverse_per_s[None]), np.array([temperature_K])
    coverages, duration = network.initial, 1e-3
    while duration < LONGEST_TIME_S:
        schedule = [Piece(duration, pressures_Pa)]
        ends, _, status, _ = _run(
            network, law, alone, [schedule], temperatures, 1, RELATIVE_TOLERANCE, np.empty((0, 0)), coverages
        )
        if status[0] != batch.SUCCESS:
            raise CalculationError(_failure(network, rates, schedule, temperature_K, PROBLEMS[status[0]]))
        before, coverages = coverages, ends[0, 0, :n]
        if np.all(np.abs(coverages - before) <= STEADY_TOLERANCE * np.abs(coverages) + ABSOLUTE_TOLERANCE):
            return coverages
        duration *= 10
    raise CalculationError(_failure(network, rates, schedule, temperature_K, "no steady state within 1e30 s"))


def _run(
    network: Network,
    law: RateLaw,
    rates: RateConstants,
    schedules: list[Schedule],
    temperatures_K: np.ndarray,
    cycles: int,
    rtol: float,
    path: np.ndarray,
    coverages: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Call the compiled batch; returns ends, extents, status and the number of rows of the path."""
    members, pieces = len(rates.forward_per_s), _numbers(schedules[0])
    supplies = np.array([_supplies(network, schedule) for schedule in schedules])
    # a copy of its own: the compiled functions meet one type of array, and are compiled once
    supplies = np.broadcast_to(supplies, (members, *supplies.shape[1:])).copy()
    ends = np.full((members, cycles * len(pieces), len(law.order)), np.nan)
    extents = np.full((members, cycles * len(pieces), len(network.steps)), np.nan)
    status = np.zeros(members, dtype=np.int64)
    start = np.concatenate([network.initial if coverages is None else coverages, supplies[0, 0]])
    _, rows = batch.run_batch(
        law, np.ascontiguousarray(rates.forward_per_s), np.ascontiguousarray(rates.reverse_per_s),
        BOLTZMANN_EV_PER_K * temperatures_K, supplies, pieces, cycles, start,
        np.array([rtol, ABSOLUTE_TOLERANCE, MAXIMUM_STEPS, FIRST_STEP_S]), ends, extents, status, path,
    )  # fmt: skip
    return ends, extents, status, rows


def net_turnover(
    network: Network, rates: RateConstants, coverages: np.ndarray, pressures_Pa: dict[str, float], temperature_K: float
) -> np.ndarray:
    """Net rate of every step per reference site at given coverages and pressures, s^-1, shape (S,)."""
    gas = activities(network, pressures_Pa)
    thermal = BOLTZMANN_EV_PER_K * temperature_K
    derivative, _ = lsoda.derivatives(compile_law(network), rates, thermal, gas, 0.0, 0.0)
    state = np.concatenate([coverages, gas, np.zeros(len(network.steps))])
    return derivative(state)[len(coverages) + len(gas) :]


def activities(network: Network, pressures_Pa: dict[str, float]) -> np.ndarray:
    """Activities p/p0 of the gases of a network; one that is not named is absent, shape (g,)."""
    return np.array([pressures_Pa.get(gas, 0.0) for gas in network.gases]) / STANDARD_PRESSURE_PA


def _supplies(network: Network, schedule: Schedule) -> np.ndarray:
    """Activities p/p0 of the gases in every piece of a recipe, shape (P, g)."""
    return np.array([activities(network, piece[1]) for piece in schedule])


def _numbers(schedule: Schedule) -> np.ndarray:
    """Duration in s, 1/tau in s^-1 and (1 eV/p0)(A/V) in m^2 of every piece, shape (P, 3)."""
    pieces = [Piece(*piece) for piece in schedule]
    rates = [1 / piece.time_constant_s if piece.time_constant_s else np.inf for piece in pieces]
    depletion = [EV_J / STANDARD_PRESSURE_PA * piece.area_per_volume_per_m for piece in pieces]
    return np.array([[piece.duration_s for piece in pieces], rates, depletion], dtype=float).T.copy()


def _defect(network: Network, coverages: np.ndarray) -> str:
    """Say which law of conservation is broken, or which coverage is negative; empty when all is well."""
    if not len(coverages):
        return ""
    if not np.isfinite(coverages).all():
        return "a coverage is not finite"
    lowest = np.unravel_index(np.argmin(coverages), coverages.shape)
    if coverages[lowest] < -CONSERVATION_TOLERANCE:
        return f"the coverage of {network.species[lowest[1]]} falls to {coverages[lowest]:.2g}"
    for law in conservation_laws(network):
        defect = np.abs((coverages - network.initial) @ law).max()
        if not defect <= CONSERVATION_TOLERANCE:
            names = [name for name, part in zip(network.species, law, strict=True) if abs(part) > 1e-9]
            return f"the conserved sum of {', '.join(names)} is off by {defect:.2g}"
    return ""


def _failure(network: Network, rates: RateConstants, schedule: Schedule, temperature_K: float, problem: str) -> str:
    exposed = next((piece[1] for piece in schedule if piece[1]), {})
    gases = ", ".join(f"{gas} {pressure:.4g} Pa" for gas, pressure in exposed.items()) or "no gas"
    fastest = max(rates.forward_per_s.max(initial=0), rates.reverse_per_s.max(initial=0))
    return (
        f"{network.system}: could not integrate at {temperature_K} K, {gases} ({problem}); "
        f"fastest rate constant {fastest:.3g} s^-1."
    )
