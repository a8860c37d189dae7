"""The energy landscape of a network: levels of states, gases and saddles at any temperature, and samples of them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.tables import Tables

TEMPERATURE_TOLERANCE_K = 1e-3
SPLINE_POINTS = 4  # a cubic spline needs as many; fewer temperatures make a polynomial through all of them


@dataclass(frozen=True)
class Landscape:
    """Levels from which every rate is made; `...` is the axis of samples, absent in the central landscape.

    Attributes
    ----------
    initial_gibbs_eV, final_gibbs_eV : free energy of the ends of each step, gases at 1 bar included, shape (..., S).
    initial_energy_eV, final_energy_eV : electronic energy of the same ends, shape (..., S).
    barrier_eV : free energy of the saddle above the initial state, shape (..., S).
    sticking : factor on the rate of arrival of each step, shape (S,).
    masses_amu : masses of the gases, shape (g,).
    temperature_K : the temperature at which the free energies hold.
    """

    initial_gibbs_eV: np.ndarray
    final_gibbs_eV: np.ndarray
    initial_energy_eV: np.ndarray
    final_energy_eV: np.ndarray
    barrier_eV: np.ndarray
    sticking: np.ndarray
    masses_amu: np.ndarray
    temperature_K: float

    @property
    def reaction_gibbs_eV(self) -> np.ndarray:
        """Standard free energy of each step, shape (..., S); negative is exergonic."""
        return self.final_gibbs_eV - self.initial_gibbs_eV

    def shifted(self, shifts: "Shifts") -> "Landscape":
        """The same landscape with states and saddles moved; a leading axis of samples stays in front."""
        return replace(
            self,
            initial_gibbs_eV=self.initial_gibbs_eV + shifts.initial_eV,
            final_gibbs_eV=self.final_gibbs_eV + shifts.final_eV,
            initial_energy_eV=self.initial_energy_eV + shifts.initial_eV,
            final_energy_eV=self.final_energy_eV + shifts.final_eV,
            barrier_eV=self.barrier_eV + shifts.barrier_eV,
        )


@dataclass(frozen=True)
class Shifts:
    """What a sample adds to the ends and to the barrier of each step, eV, shape (..., S)."""

    initial_eV: np.ndarray
    final_eV: np.ndarray
    barrier_eV: np.ndarray


def tabulated_temperatures(system: str, tables: Tables) -> list[float]:
    """Temperatures in K at which the tables have free energies of a system, ascending."""
    found = set(tables.states.loc[tables.states["system"] == system, "temperature_K"].dropna())
    if len(found) != 1:
        raise InputError(f"{system}: states table has temperatures {sorted(found)} K; it must have one.")
    if tables.gibbs is not None:
        found |= set(tables.gibbs.loc[tables.gibbs["system"] == system, "temperature_K"])
    return sorted(float(temperature) for temperature in found)


def read_landscape(network: Network, tables: Tables, temperature_K: float | None = None) -> Landscape:
    """Read the central landscape of a network.

    Between the tabulated temperatures the free energies are interpolated, by a cubic spline where there are four or
    more, else by a polynomial through all of them; nothing is extrapolated.

    Parameters
    ----------
    temperature_K : absent: that of the states table.

    Raises
    ------
    InputError
        A state or gas is unknown, has no number, or the free energies do not reach the temperature.
    """
    rows = _states_of(network, tables.states)
    temperatures = tabulated_temperatures(network.system, tables)
    temperature = float(rows["temperature_K"].dropna().iloc[0]) if temperature_K is None else temperature_K
    outside = temperature < temperatures[0] - TEMPERATURE_TOLERANCE_K
    if outside or temperature > temperatures[-1] + TEMPERATURE_TOLERANCE_K:
        held = f"{temperatures[0]} K" if len(temperatures) == 1 else f"{temperatures[0]} to {temperatures[-1]} K"
        raise InputError(
            f"{network.system}: asked for {temperature} K, but gibbs_eV of the tables holds at {held}; "
            "give a temperature there, or recompute the tables."
        )
    levels = _Levels(network, rows, _gibbs_at(network, tables, rows, temperature))
    gas = levels.of(network.gases)
    gas_left, gas_right = (side.T @ gas for side in (network.gas_left, network.gas_right))
    initial = np.array([levels.of(names).sum(axis=0) for names in network.initial_states]).reshape(-1, 2) + gas_left
    final = np.array([levels.of(names).sum(axis=0) for names in network.final_states]).reshape(-1, 2) + gas_right
    entropy = _step_column(network, tables.steps, "activation_entropy_eV_per_K", default=0.0)
    return Landscape(
        initial_gibbs_eV=initial[:, 0],
        final_gibbs_eV=final[:, 0],
        initial_energy_eV=initial[:, 1],
        final_energy_eV=final[:, 1],
        barrier_eV=_step_column(network, tables.steps, "activation_energy_eV") - temperature * entropy,
        sticking=_step_column(network, tables.steps, "sticking_coefficient", default=1.0),
        masses_amu=_masses(network, rows),
        temperature_K=temperature,
    )


def sample_shifts(network: Network, tables: Tables, samples: int, seed: int) -> Shifts:
    """Sample the uncertainty of the landscape: every state once, every saddle once, never a reaction.

    State i moves by sigma_i z_i + sum_f loading_if z_f, so that states which share the error of a bond move together.
    A saddle moves by the mean of its ends and by its own activation sigma, so that its barrier changes by
    (shift_final - shift_initial)/2 + sigma_TS z_TS; a step without barrier has no saddle of its own and only the
    second part. Since states move and not reactions, every sample closes every cycle. The normals z come from a
    scrambled Sobol sequence.

    Parameters
    ----------
    samples : number of samples, a power of two.
    seed : of the scrambling.

    Returns
    -------
    Shifts
        With a leading axis of length `samples`.
    """
    rows = _states_of(network, tables.states)
    names = sorted({name for side in (network.initial_states, network.final_states) for part in side for name in part})
    own = _sigmas(rows, names)
    activation = _step_column(network, tables.steps, "activation_sigma_eV")
    loadings = _loadings(network, tables.factors, names)
    sigmas = np.concatenate([own, activation, np.ones(loadings.shape[1])])
    normals = np.zeros((samples, len(sigmas)))
    uncertain = np.flatnonzero(sigmas > 0)
    if len(uncertain):
        from scipy.stats import qmc  # half a second, which a mechanism without samples need not wait

        normals[:, uncertain] = qmc.MultivariateNormalQMC(np.zeros(len(uncertain)), rng=seed).random(samples)
    z_own, z_saddle, z_shared = np.split(normals, [len(own), len(own) + len(activation)], axis=1)
    return shift_states(network, tables.steps, names, z_own * own + z_shared @ loadings.T, z_saddle * activation)


def shift_states(
    network: Network, steps: pd.DataFrame, names: list[str], states_eV: np.ndarray, saddles_eV: np.ndarray
) -> Shifts:
    """What moving states by `states_eV`, shape (..., names), and saddles by `saddles_eV`, (..., S), does to steps."""
    initial, final = (
        np.stack([states_eV[..., [names.index(n) for n in part]].sum(axis=-1) for part in side], axis=-1)
        if side
        else saddles_eV
        for side in (network.initial_states, network.final_states)
    )
    central = _step_column(network, steps, "activation_energy_eV")
    has_saddle = (central != 0) | ~network.barrierless
    return Shifts(initial, final, has_saddle * (final - initial) / 2 + saddles_eV)


class _Levels:
    """Free and electronic energies of states by name."""

    def __init__(self, network: Network, rows: pd.DataFrame, gibbs: dict[str, float]):
        self.system, self.rows, self.gibbs = network.system, rows, gibbs

    def of(self, names: tuple[str, ...]) -> np.ndarray:
        """Levels in eV, shape (names, 2)."""
        return np.array([self._level(name) for name in names]).reshape(-1, 2)

    def _level(self, name: str) -> tuple[float, float]:
        if name not in self.rows.index:
            raise unknown("state", name, self.rows.index, f"{self.system}, states table")
        energy, gibbs = self.rows.loc[name, "energy_eV"], self.gibbs[name]
        if np.isnan(energy) or np.isnan(gibbs):
            reason = self.rows.loc[name].get("flags", "")
            raise InputError(
                f"{self.system}: state {name!r} has no energy ({reason}), yet a step with status 'ok' needs it."
            )
        return gibbs, energy


def _gibbs_at(network: Network, tables: Tables, rows: pd.DataFrame, temperature_K: float) -> dict[str, float]:
    """Free energy in eV of every state at one temperature."""
    held = float(rows["temperature_K"].dropna().iloc[0])
    if tables.gibbs is None or abs(held - temperature_K) <= TEMPERATURE_TOLERANCE_K:
        return rows["gibbs_eV"].astype(float).to_dict()
    table = tables.gibbs[tables.gibbs["system"] == network.system]
    wide = table.pivot_table(index="temperature_K", columns="state", values="gibbs_eV", dropna=False)
    wide.loc[held] = rows["gibbs_eV"].reindex(wide.columns)
    wide = wide.sort_index()
    values = wide.to_numpy(float)
    if len(wide) < SPLINE_POINTS:
        grid = wide.index.to_numpy(float)
        weights = [np.prod((temperature_K - np.delete(grid, i)) / (t - np.delete(grid, i))) for i, t in enumerate(grid)]
        at = np.array(weights) @ values
    else:
        from scipy.interpolate import CubicSpline  # as slow

        at = np.full(values.shape[1], np.nan)
        known = np.isfinite(values).all(axis=0)
        at[known] = CubicSpline(wide.index.to_numpy(float), values[:, known])(temperature_K)
    return dict.fromkeys(rows.index, np.nan) | dict(zip(wide.columns, at, strict=True))


def _states_of(network: Network, states: pd.DataFrame) -> pd.DataFrame:
    """Rows of the states table of this system, indexed by state."""
    rows = states[states["system"] == network.system].set_index("state")
    if rows.index.has_duplicates:
        name = rows.index[rows.index.duplicated()][0]
        raise InputError(f"{network.system}: state {name!r} stands twice in the states table; names must be unique.")
    return rows


def _sigmas(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Standard deviations of surface states, eV, shape (names,)."""
    sigmas = rows.loc[names, "sigma_eV"].to_numpy(float)
    for name, sigma in zip(names, sigmas, strict=True):
        if not sigma >= 0:
            raise InputError(f"state {name!r}: sigma_eV is {sigma}; give a standard deviation of 0 or more.")
    return sigmas


def _loadings(network: Network, factors: pd.DataFrame | None, names: list[str]) -> np.ndarray:
    """How much of each shared error every state carries, eV, shape (names, factors)."""
    if factors is None:
        return np.zeros((len(names), 0))
    table = factors[(factors["system"] == network.system) & factors["state"].isin(names)]
    wrong = table[table["loading_eV"].isna() | table.duplicated(["state", "factor"])]
    if len(wrong):
        row = wrong.iloc[0]
        raise InputError(
            f"{network.system}: factors: {row['factor']!r} of state {row['state']!r} has no number or stands twice."
        )
    return table.pivot(index="state", columns="factor", values="loading_eV").reindex(names).fillna(0.0).to_numpy()


def _masses(network: Network, rows: pd.DataFrame) -> np.ndarray:
    """Masses of the gases of the network, amu, shape (g,)."""
    masses = rows.loc[list(network.gases), "mass_amu"].to_numpy(float)
    for gas, mass in zip(network.gases, masses, strict=True):
        if not mass > 0:
            raise InputError(f"{network.system}: mass_amu of gas {gas!r} is {mass}; it must be positive.")
    return masses


def _step_column(network: Network, steps: pd.DataFrame, column: str, default: float | None = None) -> np.ndarray:
    """One column of the steps table in the order of the network, shape (S,); empty cells become the default."""
    if default is not None and column not in steps:
        return np.full(len(network.steps), default)
    values = steps[steps["system"] == network.system].set_index("step").loc[list(network.steps), column]
    if default is not None:
        values = values.fillna(default)
    if values.isna().any():
        name = values.index[values.isna()][0]
        raise InputError(f"{network.system}, step {name!r}: {column} is empty, yet its status is 'ok'; give a number.")
    return values.to_numpy(float)
