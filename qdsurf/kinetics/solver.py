"""Integration of the coverages, and of what every step has done so far, through a cycle of a recipe."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import ODEintWarning, odeint, solve_ivp

from qdsurf.errors import CalculationError
from qdsurf.kinetics.network import Network
from qdsurf.kinetics.rates import RateConstants
from qdsurf.units import NM2_PER_M2, STANDARD_PRESSURE_PA

Schedule = Sequence[tuple[float, dict[str, float]]]

RELATIVE_TOLERANCE = 1e-6
# A coverage below this counts as absent. It is so low because a rare adduct can carry the whole flux.
ABSOLUTE_TOLERANCE = 1e-20
CONSERVATION_TOLERANCE = 1e-8
MAXIMUM_STEPS = 20_000  # of LSODA between two output times; a cycle takes a few hundred
MAXIMUM_EVALUATIONS = 50_000  # of the rescue; the hardest of 512 stiff samples took 3000


@dataclass(frozen=True)
class Trajectory:
    """What the surface did, time by time.

    Attributes
    ----------
    time_s : times from the start of the cycle, shape (t,).
    coverages : occupied share of the own family's sites, shape (t, n).
    flux_per_nm2 : net events of each step since time zero, nm^-2, shape (t, S); negative runs backwards.
    """

    time_s: np.ndarray
    coverages: np.ndarray
    flux_per_nm2: np.ndarray


class RateLaw:
    """Mass-action rates of a network with analytic Jacobian, for one set of partial pressures.

    The state vector is y = (coverages, cumulative net fluxes in nm^-2), length n + S. The 2S one-way rates are
    products of a rate constant and at most m coverages, y[slots[0]] * ... * y[slots[m-1]], where an empty slot
    points to a constant 1 behind the coverages; dy/dt is linear in the one-way rates.
    """

    def __init__(self, network: Network):
        n, steps = len(network.species), len(network.steps)
        self.network = network
        self.size, self.coverages = n + steps, n
        counts = np.hstack([network.left, network.right])
        order = max(2, counts.sum(axis=0).max(initial=0))
        self.slots = np.full((order, 2 * steps), n)
        for column, count in enumerate(counts.T):
            self.slots[: count.sum(), column] = np.repeat(np.arange(n), count)
        self.rows = np.arange(2 * steps)
        density_per_nm2 = network.step_density_per_m2 / NM2_PER_M2
        own_density = network.densities_per_m2[network.family_of] / NM2_PER_M2
        change = (network.right - network.left) * (density_per_nm2 / own_density[:, None])
        self.matrix = np.vstack([change, np.diag(density_per_nm2)])
        self.steps = steps
        self.constants = np.zeros(2 * steps)
        self._factors = np.ones(n + 1)
        self._slopes = np.zeros((2 * steps, n + 1))

    def set_conditions(self, rates: RateConstants, pressures_Pa: dict[str, float]) -> None:
        """Fix the rate constants (shape (S,)) and partial pressures; a gas not named has pressure zero."""
        activities = np.array([pressures_Pa.get(gas, 0.0) for gas in self.network.gases]) / STANDARD_PRESSURE_PA
        gas = np.hstack([self.network.gas_left, self.network.gas_right])
        self.constants = np.concatenate([rates.forward_per_s, rates.reverse_per_s]) * np.prod(
            activities[:, None] ** gas, axis=0
        )

    def derivative(self, y: np.ndarray, time_s: float = 0.0) -> np.ndarray:
        """Compute dy/dt, s^-1, shape (n + S,)."""
        self._factors[:-1] = y[: self.coverages]
        rates = self.constants
        for values in self._factors.take(self.slots):
            rates = rates * values
        # Subtracting first keeps the sites: rounding of a fast step and its reverse is the same for all its species.
        return self.matrix.dot(rates[: self.steps] - rates[self.steps :])

    def jacobian(self, y: np.ndarray, time_s: float = 0.0) -> np.ndarray:
        """Compute d(dy/dt)/dy, s^-1, shape (n + S, n + S); the columns of the fluxes are zero."""
        self._factors[:-1] = y[: self.coverages]
        values = self._factors.take(self.slots)
        self._slopes[:] = 0
        for j, slot in enumerate(self.slots):
            others = self.constants
            for k in range(len(self.slots)):
                if k != j:
                    others = others * values[k]
            self._slopes[self.rows, slot] += others
        jacobian = np.zeros((self.size, self.size))
        net = self._slopes[: self.steps, :-1] - self._slopes[self.steps :, :-1]
        jacobian[:, : self.coverages] = self.matrix @ net
        return jacobian


def integrate(
    network: Network, rates: RateConstants, schedule: Schedule, temperature_K: float, points: int = 50
) -> Trajectory:
    """Integrate one cycle, starting anew at each switch of the pressures.

    LSODA through `odeint` with the analytic Jacobian, chosen by measurement: 7 ms for a cycle of 8 steps and 4
    pressures at rtol 1e-6, where `solve_ivp` takes 11 (LSODA), 63 (BDF) and 94 ms (Radau). The first step is short
    against the fastest process: left alone, LSODA starts explicitly with a long one and fails in 1 stiff purge in
    10. The rare interval in which it still gives up (1 cycle in 50 when rates reach 1e17 s^-1) is repeated with BDF.

    Parameters
    ----------
    rates : rate constants of one sample, shape (S,).
    schedule : pairs of duration in s and partial pressures in Pa; a gas not named is absent.
    temperature_K : for the message of a failure only; the rates already hold it.
    points : output times per entry of the schedule, spaced logarithmically up to its end.

    Returns
    -------
    Trajectory
        Starts at time zero; each switch of the pressures appears once.

    Raises
    ------
    CalculationError
        The integration failed, or lost or gained sites.
    """
    law = RateLaw(network)
    times, rows = [np.zeros(1)], [np.concatenate([network.initial, np.zeros(len(network.steps))])[None]]
    for duration_s, pressures_Pa in schedule:
        law.set_conditions(rates, pressures_Pa)
        grid = np.concatenate([[0.0], np.geomspace(duration_s, 1e-6 * duration_s, points)[::-1]])
        solution, problem = _advance(law, rows[-1][-1], grid)
        problem = problem or _site_defect(network, solution)
        if problem:
            gases = ", ".join(f"{gas} {pressure:.4g} Pa" for gas, pressure in pressures_Pa.items()) or "no gas"
            raise CalculationError(
                f"{network.system}: could not integrate at {temperature_K} K, {gases} ({problem}); "
                f"fastest rate constant {law.constants.max(initial=0):.3g} s^-1."
            )
        times.append(times[-1][-1] + grid[1:])
        rows.append(solution[1:])
    solution = np.vstack(rows)
    return Trajectory(np.concatenate(times), solution[:, : law.coverages], solution[:, law.coverages :])


def _advance(law: RateLaw, start: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, str]:
    """Integrate over one time grid; returns the states, shape (times, n + S), and what went wrong, if anything."""
    fastest = np.abs(law.jacobian(start)).max(initial=0)
    if not np.isfinite(fastest):
        return start[None], "a rate constant is not finite"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ODEintWarning)
        solution, info = odeint(
            law.derivative,
            start,
            grid,
            Dfun=law.jacobian,
            rtol=RELATIVE_TOLERANCE,
            atol=ABSOLUTE_TOLERANCE,
            h0=min(grid[-1], 0.1 / fastest) if fastest else 0.0,
            mxstep=MAXIMUM_STEPS,
            full_output=True,
        )
    if info["message"] == "Integration successful." and not _site_defect(law.network, solution):
        return solution, ""
    return _rescue(law, start, grid)


def _rescue(law: RateLaw, start: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, str]:
    """Repeat one time grid with SciPy's BDF, giving up after a number of evaluations."""
    evaluations = 0

    def derivative(time_s: float, y: np.ndarray) -> np.ndarray:
        nonlocal evaluations
        evaluations += 1
        if evaluations > MAXIMUM_EVALUATIONS:
            raise CalculationError(f"more than {MAXIMUM_EVALUATIONS} evaluations")
        return law.derivative(y)

    try:
        result = solve_ivp(
            derivative,
            (0.0, grid[-1]),
            start,
            method="BDF",
            t_eval=grid,
            jac=lambda time_s, y: law.jacobian(y),
            rtol=RELATIVE_TOLERANCE,
            atol=ABSOLUTE_TOLERANCE,
        )
    except (CalculationError, ValueError, np.linalg.LinAlgError) as error:
        return start[None], str(error)
    return result.y.T, "" if result.success else result.message


def _site_defect(network: Network, solution: np.ndarray) -> str:
    """Say which family lost or gained sites, or has a negative coverage; empty when all is well."""
    coverages = solution[:, : len(network.species)]
    for index, family in enumerate(network.families):
        members = coverages[:, network.family_of == index]
        defect = max(np.abs(members.sum(axis=1) - 1).max(), -members.min())
        if not defect <= CONSERVATION_TOLERANCE:
            return f"sites of family {family!r} are off by {defect:.2g}"
    return ""
