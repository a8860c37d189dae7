"""The energy landscape of a network: energies of states, gases and saddle points at any temperature, and their samples.

In the shapes below, `...` is the axis of samples. It is absent for the mean energies. S is the number of steps.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.tables import Tables

TEMPERATURE_TOLERANCE_K = 1e-3
SPLINE_POINTS = 4  # minimum for a cubic spline; with fewer temperatures a polynomial through all of them is used


@dataclass(frozen=True)
class Landscape:
    """Energies that determine all rate constants.

    Attributes
    ----------
    initial_gibbs_eV, final_gibbs_eV : numpy.ndarray
        Free energy of the ends of each step, including gases at 1 bar, eV, shape (..., S).
    initial_energy_eV, final_energy_eV : numpy.ndarray
        Electronic energy of the same ends, eV, shape (..., S).
    barrier_eV : numpy.ndarray
        Free energy of the saddle point relative to the initial state, eV, shape (..., S).
    sticking : numpy.ndarray
        Factor on the adsorption rate of each step, dimensionless, shape (S,).
    masses_amu : numpy.ndarray
        Masses of the gases, amu, shape (g,).
    temperature_K : float
        Temperature of the free energies, K.
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
        """Standard reaction free energy of each step, eV, shape (..., S); negative is exergonic."""
        return self.final_gibbs_eV - self.initial_gibbs_eV

    def shifted(self, shifts: "EnergyShifts") -> "Landscape":
        """Return the landscape with shifted energies; the result has the axis of samples of the shifts."""
        return replace(
            self,
            initial_gibbs_eV=self.initial_gibbs_eV + shifts.initial_eV,
            final_gibbs_eV=self.final_gibbs_eV + shifts.final_eV,
            initial_energy_eV=self.initial_energy_eV + shifts.initial_eV,
            final_energy_eV=self.final_energy_eV + shifts.final_eV,
            barrier_eV=self.barrier_eV + shifts.barrier_eV,
        )


@dataclass(frozen=True)
class EnergyShifts:
    """Shifts of the energies of a landscape.

    Attributes
    ----------
    initial_eV, final_eV : numpy.ndarray
        Shift of the ends of each step, eV, shape (..., S).
    barrier_eV : numpy.ndarray
        Shift of the barrier of each step, eV, shape (..., S).
    """

    initial_eV: np.ndarray
    final_eV: np.ndarray
    barrier_eV: np.ndarray


def tabulated_temperatures(system: str, tables: Tables) -> list[float]:
    """Return the temperatures at which the tables have free energies of a system.

    Parameters
    ----------
    system : str
        Name of the system.
    tables : Tables
        Its tables; `gibbs` is optional.

    Returns
    -------
    list of float
        Temperatures, K, ascending.

    Raises
    ------
    InputError
        The states table does not have exactly one temperature.
    """
    found = set(tables.states.loc[tables.states["system"] == system, "temperature_K"].dropna())
    if len(found) != 1:
        raise InputError(f"{system}: states table has temperatures {sorted(found)} K; it must have one.")
    if tables.gibbs is not None:
        found |= set(tables.gibbs.loc[tables.gibbs["system"] == system, "temperature_K"])
    return sorted(float(temperature) for temperature in found)


def read_landscape(network: Network, tables: Tables, temperature_K: float | None = None) -> Landscape:
    """Read the energy landscape of a network at the mean energies.

    Free energies between the tabulated temperatures are interpolated: by a cubic spline for four or more temperatures,
    and by a polynomial through all of them otherwise. Nothing is extrapolated.

    Parameters
    ----------
    network : Network
        Network of the system.
    tables : Tables
        Tables from which the network was built.
    temperature_K : float or None
        Temperature, K. None: that of the states table.

    Returns
    -------
    Landscape

    Raises
    ------
    InputError
        A state or gas is unknown or has no energy, or the temperature lies outside the tabulated range.
    """
    rows = _states_of_system(network, tables.states)
    temperatures = tabulated_temperatures(network.system, tables)
    temperature = _states_temperature(rows) if temperature_K is None else temperature_K
    below = temperature < temperatures[0] - TEMPERATURE_TOLERANCE_K
    above = temperature > temperatures[-1] + TEMPERATURE_TOLERANCE_K
    if below or above:
        if len(temperatures) == 1:
            known = f"only at {temperatures[0]} K; give this temperature"
        else:
            known = f"from {temperatures[0]} to {temperatures[-1]} K; give a temperature in this range"
        raise InputError(
            f"{network.system}: no free energies at {temperature} K. Column gibbs_eV of the tables is known {known}, "
            "or compute the tables again with further temperatures."
        )
    gibbs = _gibbs_at(network, tables, rows, temperature)
    gas = _state_energies(network.system, rows, gibbs, network.gases)
    initial = _energies_of_sides(network.system, rows, gibbs, network.initial_states) + network.gas_left.T @ gas
    final = _energies_of_sides(network.system, rows, gibbs, network.final_states) + network.gas_right.T @ gas
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


def sample_shifts(network: Network, tables: Tables, samples: int, seed: int) -> EnergyShifts:
    """Sample the uncertainty of the landscape: one error for each state and each saddle point, none for reactions.

    State i is shifted by sigma_i z_i + sum_f loading_if z_f, so that states which share the error of a bond shift
    together. A saddle point is shifted by the mean shift of its ends and by its activation sigma. Its barrier
    changes by (shift_final - shift_initial)/2 + sigma_TS z_TS. A step without barrier has no saddle point between its
    ends, and only the second term. Since states are shifted and not reactions, every sample closes every cycle. The
    normal deviates z come from a scrambled Sobol sequence.

    Parameters
    ----------
    network : Network
        Network of the system.
    tables : Tables
        Tables from which the network was built.
    samples : int
        Number of samples, a power of two.
    seed : int
        Seed of the scrambling.

    Returns
    -------
    EnergyShifts
        In eV, shape (samples, S).

    Raises
    ------
    InputError
        A standard deviation or a loading is missing or negative.
    """
    rows = _states_of_system(network, tables.states)
    names = network.state_names
    state_sigmas = _state_sigmas(rows, names)
    activation_sigmas = _step_column(network, tables.steps, "activation_sigma_eV")
    loadings = _loadings(network, tables.factors, names)
    sigmas = np.concatenate([state_sigmas, activation_sigmas, np.ones(loadings.shape[1])])
    normals = np.zeros((samples, len(sigmas)))
    uncertain = np.flatnonzero(sigmas > 0)
    if len(uncertain):
        from scipy.stats import qmc  # imported here because it takes half a second, also without samples

        normals[:, uncertain] = qmc.MultivariateNormalQMC(np.zeros(len(uncertain)), rng=seed).random(samples)
    ends_of_groups = [len(state_sigmas), len(state_sigmas) + len(activation_sigmas)]
    z_state, z_saddle, z_shared = np.split(normals, ends_of_groups, axis=1)
    states_eV = z_state * state_sigmas + z_shared @ loadings.T
    return _shift_steps(network, tables.steps, names, states_eV, z_saddle * activation_sigmas)


def _shift_steps(
    network: Network, steps: pd.DataFrame, names: list[str], states_eV: np.ndarray, saddles_eV: np.ndarray
) -> EnergyShifts:
    """Convert shifts of states, shape (samples, names), and of saddle points, (samples, S), into shifts of steps."""
    if not network.steps:
        return EnergyShifts(saddles_eV, saddles_eV, saddles_eV)
    initial = _sum_over_sides(names, states_eV, network.initial_states)
    final = _sum_over_sides(names, states_eV, network.final_states)
    mean_barrier = _step_column(network, steps, "activation_energy_eV")
    has_saddle = (mean_barrier != 0) | ~network.barrierless
    return EnergyShifts(initial, final, has_saddle * (final - initial) / 2 + saddles_eV)


def _sum_over_sides(names: list[str], states_eV: np.ndarray, sides: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """Return the sum of the shifts of the states on one side of each step, eV, shape (samples, S)."""
    return np.stack([states_eV[:, [names.index(name) for name in side]].sum(axis=-1) for side in sides], axis=-1)


def _state_energies(system: str, rows: pd.DataFrame, gibbs: dict[str, float], names: tuple[str, ...]) -> np.ndarray:
    """Return free and electronic energies of states or gases by name, eV, shape (names, 2)."""
    energies = []
    for name in names:
        if name not in rows.index:
            raise unknown("state", name, rows.index, f"{system}, states table")
        energy = rows.loc[name, "energy_eV"]
        if np.isnan(energy) or np.isnan(gibbs[name]):
            reason = rows.loc[name].get("flags", "")
            raise InputError(
                f"{system}: state {name!r} has no energy ({reason}), but a step with status 'ok' needs it."
            )
        energies.append((gibbs[name], energy))
    return np.array(energies).reshape(-1, 2)


def _energies_of_sides(
    system: str, rows: pd.DataFrame, gibbs: dict[str, float], sides: tuple[tuple[str, ...], ...]
) -> np.ndarray:
    """Return free and electronic energies of the states on one side of each step, without gases, eV, shape (S, 2)."""
    return np.array([_state_energies(system, rows, gibbs, names).sum(axis=0) for names in sides]).reshape(-1, 2)


def _states_temperature(rows: pd.DataFrame) -> float:
    """Return the temperature of the states table, K."""
    return float(rows["temperature_K"].dropna().iloc[0])


def _gibbs_at(network: Network, tables: Tables, rows: pd.DataFrame, temperature_K: float) -> dict[str, float]:
    """Return the free energy of every state at one temperature, eV."""
    states_temperature = _states_temperature(rows)
    if tables.gibbs is None or abs(states_temperature - temperature_K) <= TEMPERATURE_TOLERANCE_K:
        return rows["gibbs_eV"].astype(float).to_dict()
    table = tables.gibbs[tables.gibbs["system"] == network.system]
    wide = table.pivot_table(index="temperature_K", columns="state", values="gibbs_eV", dropna=False)
    wide.loc[states_temperature] = rows["gibbs_eV"].reindex(wide.columns)
    wide = wide.sort_index()
    grid = wide.index.to_numpy(float)
    values = wide.to_numpy(float)
    if len(grid) < SPLINE_POINTS:  # Lagrange's polynomial
        weights = [np.prod((temperature_K - np.delete(grid, i)) / (t - np.delete(grid, i))) for i, t in enumerate(grid)]
        interpolated = np.array(weights) @ values
    else:
        from scipy.interpolate import CubicSpline  # imported here because it takes half a second

        interpolated = np.full(values.shape[1], np.nan)
        complete = np.isfinite(values).all(axis=0)
        interpolated[complete] = CubicSpline(grid, values[:, complete])(temperature_K)
    return dict.fromkeys(rows.index, np.nan) | dict(zip(wide.columns, interpolated, strict=True))


def _states_of_system(network: Network, states: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the states table of this system, indexed by state."""
    rows = states[states["system"] == network.system].set_index("state")
    if rows.index.has_duplicates:
        name = rows.index[rows.index.duplicated()][0]
        raise InputError(f"{network.system}: state {name!r} is given twice in the states table; names must be unique.")
    return rows


def _state_sigmas(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Return the standard deviations of states, eV, shape (names,)."""
    sigmas = rows.loc[names, "sigma_eV"].to_numpy(float)
    for name, sigma in zip(names, sigmas, strict=True):
        if not sigma >= 0:
            raise InputError(f"state {name!r}: sigma_eV is {sigma}; give a standard deviation of 0 or more.")
    return sigmas


def _loadings(network: Network, factors: pd.DataFrame | None, names: list[str]) -> np.ndarray:
    """Return the shift of every state by one sigma of each shared error, eV, shape (names, factors)."""
    if factors is None:
        return np.zeros((len(names), 0))
    table = factors[(factors["system"] == network.system) & factors["state"].isin(names)]
    wrong = table[table["loading_eV"].isna() | table.duplicated(["state", "factor"])]
    if len(wrong):
        row = wrong.iloc[0]
        raise InputError(
            f"{network.system}: factors table: {row['factor']!r} of state {row['state']!r} has no loading_eV or is "
            "given twice; give one number."
        )
    return table.pivot(index="state", columns="factor", values="loading_eV").reindex(names).fillna(0.0).to_numpy()


def _masses(network: Network, rows: pd.DataFrame) -> np.ndarray:
    """Return the masses of the gases of the network, amu, shape (g,)."""
    masses = rows.loc[list(network.gases), "mass_amu"].to_numpy(float)
    for gas, mass in zip(network.gases, masses, strict=True):
        if not mass > 0:
            raise InputError(f"{network.system}: mass_amu of gas {gas!r} is {mass}; it must be positive.")
    return masses


def _step_column(network: Network, steps: pd.DataFrame, column: str, default: float | None = None) -> np.ndarray:
    """Return one column of the steps table in the order of the network, shape (S,); the default fills empty cells."""
    if default is not None and column not in steps:
        return np.full(len(network.steps), default)
    values = steps[steps["system"] == network.system].set_index("step").loc[list(network.steps), column]
    if default is not None:
        values = values.fillna(default)
    if values.isna().any():
        name = values.index[values.isna()][0]
        raise InputError(f"{network.system}, step {name!r}: {column} is empty, but its status is 'ok'; give a number.")
    return values.to_numpy(float)
