"""Dose and growth: saturation of one pulse, sticking, growth per cycle and the delay before growth sets in."""

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import uptake
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.rates.rate_constants import collision_flux
from qdsurf.microkinetics.rates.schedule import Piece
from qdsurf.microkinetics.solver.integration import Trajectory, integrate
from qdsurf.units import LANGMUIR_PA_S, NM2_PER_M2

LONGEST_PULSE_S = 1e4
SATURATION = 0.95
LIMIT_TOLERANCE = 1e-6  # of the coverages from one cycle to the next


def saturation_curve(model: Model, pressures_Pa: dict[str, float], temperature_K: float, gas: str) -> pd.DataFrame:
    """Uptake of a gas against its dose, on the initial surface under constant pressures.

    Returns
    -------
    pandas.DataFrame
        time_s, dose_Pa_s, dose_langmuir, uptake_per_nm2, sticking (molecules kept for each one that arrived so far).
    """
    pulse = [Piece(LONGEST_PULSE_S, pressures_Pa)]
    run = integrate(model.network, model.rates(temperature_K), pulse, temperature_K)
    taken = uptake(model.network, run.flux_per_nm2, gas)[1:]
    time, pressure = run.time_s[1:], pressures_Pa.get(gas, 0.0)
    mass = model.landscape(temperature_K).masses_amu[model.network.gases.index(gas)]
    arrived = collision_flux(pressure, mass, temperature_K) / NM2_PER_M2 * time
    return pd.DataFrame(
        {
            "time_s": time,
            "dose_Pa_s": pressure * time,
            "dose_langmuir": pressure * time / LANGMUIR_PA_S,
            "uptake_per_nm2": taken,
            "sticking": np.divide(taken, arrived, out=np.full_like(taken, np.nan), where=arrived > 0),
        }
    )


def saturation_dose(curve: pd.DataFrame, share: float = SATURATION) -> float:
    """Dose in Pa s at which the uptake first reaches a share of its last value; NaN where nothing is taken up."""
    last = curve["uptake_per_nm2"].iloc[-1]
    if not last > 0:
        return float("nan")
    after = int(np.argmax(curve["uptake_per_nm2"].to_numpy() >= share * last))
    if after == 0:
        return float(curve["dose_Pa_s"].iloc[0])
    low, high = (curve.iloc[after - 1], curve.iloc[after])
    part = (share * last - low["uptake_per_nm2"]) / (high["uptake_per_nm2"] - low["uptake_per_nm2"])
    return float(low["dose_Pa_s"] + part * (high["dose_Pa_s"] - low["dose_Pa_s"]))


def growth(model: Model, run: Trajectory, gas: str, cycles: int) -> pd.DataFrame:
    """Uptake of every cycle, what is left of every species, and whether the limit cycle is reached.

    Parameters
    ----------
    run : trajectory of `cycles` cycles, from which the coverages and the ledger are taken too.
    gas : name of the precursor's molecule.

    Returns
    -------
    pandas.DataFrame
        cycle, growth_per_cycle_per_nm2, total_per_nm2, limit_cycle, one column for each species (coverage at the end).
    """
    network = model.network
    last = run.piece_ends.reshape(cycles, -1)[:, -1]
    coverages, total = run.coverages[last], uptake(network, run.flux_per_nm2[last], gas)
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
    """Cycles by which growth lags behind that of its last cycle: n - total / growth per cycle; NaN without growth."""
    last = table.iloc[-1]
    if not last["growth_per_cycle_per_nm2"] > 0:
        return float("nan")
    return float(last["cycle"] - last["total_per_nm2"] / last["growth_per_cycle_per_nm2"])
