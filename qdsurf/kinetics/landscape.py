"""The energy landscape of a network: levels of states, gases and saddles, and samples of their uncertainty."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import qmc

from qdsurf.errors import InputError, unknown
from qdsurf.kinetics.network import Network


@dataclass(frozen=True)
class Landscape:
    """Levels from which every rate is made; `...` is the axis of samples, absent in the central landscape.

    Attributes
    ----------
    initial_gibbs_eV, final_gibbs_eV : free energy of the ends of each step, gases at 1 bar included, shape (..., S).
    initial_energy_eV, final_energy_eV : electronic energy of the same ends, shape (..., S).
    barrier_eV : height of the saddle above the initial state, shape (..., S).
    masses_amu : masses of the gases, shape (g,).
    temperature_K : the temperature at which the free energies hold.
    """

    initial_gibbs_eV: np.ndarray
    final_gibbs_eV: np.ndarray
    initial_energy_eV: np.ndarray
    final_energy_eV: np.ndarray
    barrier_eV: np.ndarray
    masses_amu: np.ndarray
    temperature_K: float

    @property
    def reaction_gibbs_eV(self) -> np.ndarray:
        """Standard free energy of each step, shape (..., S); negative is exergonic."""
        return self.final_gibbs_eV - self.initial_gibbs_eV


def read_landscape(network: Network, states: pd.DataFrame, steps: pd.DataFrame) -> Landscape:
    """Read the central landscape of a network from the states and steps tables.

    Raises
    ------
    InputError
        A state or gas is unknown, has no number, or the rows of the system disagree about the temperature.
    """
    rows = _states_of(network, states)
    surface = [_levels(network, rows, names) for names in (network.initial_states, network.final_states)]
    gas = _levels(network, rows, network.gases)
    gas_left, gas_right = (gas.T @ side for side in (network.gas_left, network.gas_right))
    (initial_gibbs, initial_energy), (final_gibbs, final_energy) = surface[0].T + gas_left, surface[1].T + gas_right
    return Landscape(
        initial_gibbs_eV=initial_gibbs,
        final_gibbs_eV=final_gibbs,
        initial_energy_eV=initial_energy,
        final_energy_eV=final_energy,
        barrier_eV=_step_column(network, steps, "activation_energy_eV"),
        masses_amu=_masses(network, rows),
        temperature_K=table_temperature(network.system, states),
    )


def sample_landscape(
    network: Network, central: Landscape, states: pd.DataFrame, steps: pd.DataFrame, samples: int, seed: int
) -> Landscape:
    """Sample the uncertain landscape: every state once, every saddle once, never a reaction.

    State i moves by sigma_i z_i. A saddle moves by the mean of its ends and by its own activation sigma, so that
    its barrier changes by (shift_final - shift_initial)/2 + sigma_TS z_TS; a step without barrier has no saddle of
    its own and only the second part. Since states move and not reactions, every sample closes every cycle. The
    normals z come from a scrambled Sobol sequence.

    Parameters
    ----------
    samples : number of samples, a power of two.
    seed : of the scrambling.

    Returns
    -------
    Landscape
        The same levels with a leading axis of length `samples`.
    """
    rows = _states_of(network, states)
    names = sorted(set(network.initial_states) | set(network.final_states))
    sigmas = np.concatenate([_sigmas(rows, names), _step_column(network, steps, "activation_sigma_eV")])
    shifts = np.zeros((samples, len(sigmas)))
    uncertain = np.flatnonzero(sigmas > 0)
    if len(uncertain):
        normals = qmc.MultivariateNormalQMC(np.zeros(len(uncertain)), rng=seed).random(samples)
        shifts[:, uncertain] = normals * sigmas[uncertain]
    initial = shifts[:, [names.index(name) for name in network.initial_states]]
    final = shifts[:, [names.index(name) for name in network.final_states]]
    has_saddle = (central.barrier_eV != 0) | (_step_column(network, steps, "barrier_source", object) != "none")
    return Landscape(
        initial_gibbs_eV=central.initial_gibbs_eV + initial,
        final_gibbs_eV=central.final_gibbs_eV + final,
        initial_energy_eV=central.initial_energy_eV + initial,
        final_energy_eV=central.final_energy_eV + final,
        barrier_eV=central.barrier_eV + has_saddle * (final - initial) / 2 + shifts[:, len(names) :],
        masses_amu=central.masses_amu,
        temperature_K=central.temperature_K,
    )


def table_temperature(system: str, states: pd.DataFrame) -> float:
    """Temperature in K at which the free energies of a system were tabulated."""
    temperatures = states.loc[states["system"] == system, "temperature_K"].dropna().unique()
    if len(temperatures) != 1:
        raise InputError(f"{system}: states table has temperatures {temperatures.tolist()} K; it must have one.")
    return float(temperatures[0])


def _states_of(network: Network, states: pd.DataFrame) -> pd.DataFrame:
    """Rows of the states table of this system, indexed by state."""
    rows = states[states["system"] == network.system].set_index("state")
    if rows.index.has_duplicates:
        name = rows.index[rows.index.duplicated()][0]
        raise InputError(f"{network.system}: state {name!r} stands twice in the states table; names must be unique.")
    return rows


def _levels(network: Network, rows: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Free and electronic energies of named states, eV, shape (names, 2)."""
    for name in names:
        if name not in rows.index:
            raise unknown("state", name, rows.index, f"{network.system}, states table")
        if rows.loc[name, ["gibbs_eV", "energy_eV"]].isna().any():
            reason = rows.loc[name].get("flags", "")
            raise InputError(
                f"{network.system}: state {name!r} has no energy ({reason}), yet a step with status 'ok' needs it."
            )
    return rows.loc[list(names), ["gibbs_eV", "energy_eV"]].to_numpy(float).reshape(len(names), 2)


def _sigmas(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Standard deviations of surface states, eV, shape (names,)."""
    sigmas = rows.loc[names, "sigma_eV"].to_numpy(float)
    for name, sigma in zip(names, sigmas, strict=True):
        if not sigma >= 0:
            raise InputError(f"state {name!r}: sigma_eV is {sigma}; give a standard deviation of 0 or more.")
    return sigmas


def _masses(network: Network, rows: pd.DataFrame) -> np.ndarray:
    """Masses of the gases of the network, amu, shape (g,)."""
    masses = rows.loc[list(network.gases), "mass_amu"].to_numpy(float)
    for gas, mass in zip(network.gases, masses, strict=True):
        if not mass > 0:
            raise InputError(f"{network.system}: mass_amu of gas {gas!r} is {mass}; it must be positive.")
    return masses


def _step_column(network: Network, steps: pd.DataFrame, column: str, dtype: type = float) -> np.ndarray:
    """One column of the steps table in the order of the network, shape (S,)."""
    values = steps[steps["system"] == network.system].set_index("step").loc[list(network.steps), column]
    if dtype is float and values.isna().any():
        name = values.index[values.isna()][0]
        raise InputError(f"{network.system}, step {name!r}: {column} is empty, yet its status is 'ok'; give a number.")
    return values.to_numpy(dtype)
