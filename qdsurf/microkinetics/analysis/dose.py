"""Dose and growth: saturation of one pulse, sticking, growth per cycle and the delay of nucleation."""

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import uptake
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.rates.rate_constants import collision_flux
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.solver.integration import Trajectory, integrate
from qdsurf.units import LANGMUIR_PA_S, NM2_PER_M2

LONGEST_PULSE_S = 1e4
SATURATION = 0.95  # fraction of the final uptake that counts as saturation
LIMIT_TOLERANCE = 1e-6  # largest change of a coverage from one cycle to the next in the limit cycle


def saturation_curve(model: Model, pressures_Pa: dict[str, float], temperature_K: float, gas: str) -> pd.DataFrame:
    """Compute the uptake of a gas as a function of its dose, on the initial surface under constant pressures.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    pressures_Pa : dict of str to float
        Constant partial pressures, Pa.
    temperature_K : float
        Temperature of the surface, K.
    gas : str
        Name of the molecule whose uptake is computed; it must be in the network.

    Returns
    -------
    pandas.DataFrame
        time_s, dose_Pa_s, dose_langmuir, uptake_per_nm2, sticking (molecules taken up divided by molecules that have
        collided with the surface).

    Raises
    ------
    CalculationError
        The integration failed.
    """
    pulse = [SupplyPeriod(LONGEST_PULSE_S, pressures_Pa)]
    trajectory = integrate(model.network, model.rates(temperature_K), pulse, temperature_K)
    taken_up = uptake(model.network, trajectory.flux_per_nm2, gas)[1:]
    time = trajectory.time_s[1:]
    pressure = pressures_Pa.get(gas, 0.0)
    mass = model.landscape(temperature_K).masses_amu[model.network.gases.index(gas)]
    collided = collision_flux(pressure, mass, temperature_K) / NM2_PER_M2 * time
    return pd.DataFrame(
        {
            "time_s": time,
            "dose_Pa_s": pressure * time,
            "dose_langmuir": pressure * time / LANGMUIR_PA_S,
            "uptake_per_nm2": taken_up,
            "sticking": np.divide(taken_up, collided, out=np.full_like(taken_up, np.nan), where=collided > 0),
        }
    )


def saturation_dose(curve: pd.DataFrame, fraction: float = SATURATION) -> float:
    """Find the dose at which the uptake first reaches a fraction of its final value.

    Parameters
    ----------
    curve : pandas.DataFrame
        Result of `saturation_curve`.
    fraction : float
        Fraction of the last uptake.

    Returns
    -------
    float
        Dose, Pa s, by linear interpolation; NaN if nothing is taken up.
    """
    last = curve["uptake_per_nm2"].iloc[-1]
    if not last > 0:
        return float("nan")
    after = int(np.argmax(curve["uptake_per_nm2"].to_numpy() >= fraction * last))
    if after == 0:
        return float(curve["dose_Pa_s"].iloc[0])
    low, high = curve.iloc[after - 1], curve.iloc[after]
    weight = (fraction * last - low["uptake_per_nm2"]) / (high["uptake_per_nm2"] - low["uptake_per_nm2"])
    return float(low["dose_Pa_s"] + weight * (high["dose_Pa_s"] - low["dose_Pa_s"]))


def tabulate_growth(model: Model, trajectory: Trajectory, gas: str, cycles: int) -> pd.DataFrame:
    """Tabulate the uptake of every cycle, the coverages at its end, and whether the limit cycle is reached.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    trajectory : Trajectory
        Trajectory of `cycles` cycles, from which the coverages and the mass balance are taken too.
    gas : str
        Name of the precursor molecule.
    cycles : int
        Number of cycles.

    Returns
    -------
    pandas.DataFrame
        cycle, growth_per_cycle_per_nm2, total_per_nm2, limit_cycle, one column for each species (coverage at the end).
    """
    network = model.network
    last_rows = trajectory.period_ends.reshape(cycles, -1)[:, -1]
    coverages = trajectory.coverages[last_rows]
    total = uptake(network, trajectory.flux_per_nm2[last_rows], gas)
    before = np.vstack([network.initial, coverages[:-1]])
    table = pd.DataFrame(
        {
            "cycle": np.arange(1, cycles + 1),
            "growth_per_cycle_per_nm2": np.diff(total, prepend=0.0),
            "total_per_nm2": total,
            "limit_cycle": np.abs(coverages - before).max(axis=1) < LIMIT_TOLERANCE,
        }
    )
    return pd.concat([table, pd.DataFrame(coverages, columns=list(network.species))], axis=1)


def nucleation_delay(table: pd.DataFrame) -> float:
    """Compute by how many cycles the uptake lags behind steady growth at the rate of the last cycle.

    Parameters
    ----------
    table : pandas.DataFrame
        Result of `tabulate_growth`.

    Returns
    -------
    float
        n - total / growth per cycle, in cycles; NaN without growth in the last cycle.
    """
    last = table.iloc[-1]
    if not last["growth_per_cycle_per_nm2"] > 0:
        return float("nan")
    return float(last["cycle"] - last["total_per_nm2"] / last["growth_per_cycle_per_nm2"])
