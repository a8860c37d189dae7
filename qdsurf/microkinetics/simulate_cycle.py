"""Everything that one asks of a system under a recipe, as tables by name."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.consistency import assert_tables_agree
from qdsurf.microkinetics.analysis.control import CONTROL_COLUMNS, rate_control
from qdsurf.microkinetics.analysis.dose import growth, nucleation_delay, saturation_curve, saturation_dose
from qdsurf.microkinetics.analysis.mass_balance import tabulate_mass_balance
from qdsurf.microkinetics.analysis.pores import penetration
from qdsurf.microkinetics.analysis.process_window import MAP_COLUMNS, process_window, selectivity_map
from qdsurf.microkinetics.analysis.selectivity import precursor_name, run_kinetics
from qdsurf.microkinetics.analysis.uncertainty import power_of_two
from qdsurf.microkinetics.network.model import Model, prepare
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.microkinetics.rates.schedule import Schedule, schedule_recipe
from qdsurf.records.models import Precursor, Recipe
from qdsurf.units import LANGMUIR_PA_S

LOWEST_PA, HIGHEST_PA = 0.133322, 101325.0  # 1 mTorr to 1 atm, the range of ALD on dots
LOWEST_K, HIGHEST_K = 291.15, 673.15  # 18 to 400 C
WINDOW_POINTS = 21
EXPOSURES_PA_S = np.geomspace(1e-2, 1e5, 29)  # from a short pulse to an hour at 0.3 mbar


class Conditions(NamedTuple):
    """One system under one recipe.

    Attributes
    ----------
    precursor : in place of the recipe's own; None keeps that.
    temperature_K, pressure_Pa : in place of the recipe's; None keeps them.
    cycles : how many times the recipe is run.
    samples, seed : energy samples for the probabilities.
    """

    system: str
    tables: Tables
    recipe: Recipe
    precursor: Precursor | None = None
    temperature_K: float | None = None
    pressure_Pa: float | None = None
    cycles: int = 1
    samples: int = 512
    seed: int = 0

    @property
    def temperature(self) -> float:
        """Temperature of the surface, K."""
        return self.recipe.temperature_K if self.temperature_K is None else self.temperature_K

    @property
    def gas(self) -> str:
        """Name of the precursor's molecule."""
        return precursor_name(self.recipe, self.precursor)

    @property
    def schedule(self) -> Schedule:
        """The recipe as partial pressures."""
        return schedule_recipe(self.recipe, self.precursor, self.temperature, self.pressure_Pa)

    @property
    def has_numbers(self) -> bool:
        """Whether any step of the system has a number."""
        steps = self.tables.steps
        return bool((steps.loc[steps["system"] == self.system, "status"] == "ok").any())


def simulate_cycle(conditions: Conditions) -> dict[str, pd.DataFrame]:
    """Coverages, selectivity, control, ledger, growth, saturation and dose of one conditions.

    Returns
    -------
    dict of pandas.DataFrame
        By the name of the file; a system without numbers has empty tables and a selectivity that says why.

    Raises
    ------
    InputError, BalanceError, CalculationError
        As `run_kinetics`; CalculationError also where two of the tables contradict one another.
    """
    done = run_kinetics(
        conditions.system,
        conditions.tables,
        conditions.recipe,
        conditions.precursor,
        conditions.samples,
        conditions.seed,
        conditions.temperature_K,
        conditions.pressure_Pa,
        conditions.cycles,
    )
    tables, model, run = {"coverages": done.coverages, "selectivity": done.selectivity}, done.model, done.trajectory
    if model is None:
        empty = {"control": CONTROL_COLUMNS, "ledger": ["system"], "growth": ["cycle"], "saturation": ["dose_Pa_s"]}
        tables |= {name: pd.DataFrame(columns=columns) for name, columns in empty.items()} | {
            "dose": _no_dose(conditions)
        }
    else:
        grown = growth(model, run, conditions.gas, conditions.cycles)
        tables |= {
            "control": rate_control(model, conditions.schedule, conditions.temperature, conditions.gas),
            "ledger": tabulate_mass_balance(model, run.flux_per_nm2[-1], run.coverages[-1]),
            "growth": grown,
            **_dose(conditions, model, grown),
        }
    assert_tables_agree(tables, conditions.gas, conditions.cycles)
    return tables


def _no_dose(conditions: Conditions) -> pd.DataFrame:
    return pd.DataFrame([{"system": conditions.system, "temperature_K": conditions.temperature}])


def _dose(conditions: Conditions, model: Model, grown: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The saturation curve, and one row with what follows from it."""
    row = {"system": conditions.system, "temperature_K": conditions.temperature}
    pulse = next((piece for piece in conditions.schedule if piece.pressures_Pa.get(conditions.gas, 0) > 0), None)
    if conditions.gas not in model.network.gases or pulse is None:
        return {"saturation": pd.DataFrame(columns=["dose_Pa_s"]), "dose": _no_dose(conditions)}
    curve = saturation_curve(model, pulse.pressures_Pa, conditions.temperature, conditions.gas)
    dose = saturation_dose(curve)
    during = np.interp(pulse.duration_s, curve["time_s"], curve["sticking"])
    row |= {
        "pulse_Pa_s": pulse.pressures_Pa[conditions.gas] * pulse.duration_s,
        "dose_95_Pa_s": dose,
        "dose_95_langmuir": dose / LANGMUIR_PA_S,
        "saturated_uptake_per_nm2": curve["uptake_per_nm2"].iloc[-1],
        "initial_sticking": curve["sticking"].iloc[0],
        "pulse_sticking": during,
        "growth_per_cycle_per_nm2": grown["growth_per_cycle_per_nm2"].iloc[-1],
        "nucleation_delay_cycles": nucleation_delay(grown),
    }
    return {"saturation": curve, "dose": pd.DataFrame([row])}


def simulate_pore(conditions: Conditions, dose: pd.DataFrame, diameter_nm: float) -> pd.DataFrame:
    """How deep the precursor reaches into pores between the dots, against exposure; see `penetration`.

    Parameters
    ----------
    dose : table of `simulate_cycle`; its saturated uptake and its initial sticking go in.

    Raises
    ------
    InputError : the pore is not between 0 and 30 nm, or nothing is taken up.
    """
    row = dose.iloc[0]
    model = prepare(conditions.system, conditions.tables)
    mass = model.landscape(conditions.temperature).masses_amu[model.network.gases.index(conditions.gas)]
    sticking = min(1.0, row["initial_sticking"])
    table = penetration(
        EXPOSURES_PA_S, diameter_nm, row["saturated_uptake_per_nm2"], sticking, mass, conditions.temperature
    )
    table.insert(0, "system", conditions.system)
    return table


def scan_conditions(conditions: Conditions, points: tuple[int, int], samples: int) -> dict[str, pd.DataFrame]:
    """The map over temperature and pressure, and the process window, as far as the free energies reach.

    Parameters
    ----------
    points : temperatures and pressures of the map.
    samples : of the energies at every point; 0: no probability.
    """
    if not conditions.has_numbers:
        return {"map": pd.DataFrame(columns=MAP_COLUMNS), "window": pd.DataFrame(columns=["temperature_K"])}
    model = prepare(conditions.system, conditions.tables)
    low, high = model.temperature_range_K
    low, high = max(low, LOWEST_K), min(high, HIGHEST_K)
    ends = (low, high) if low < high else (conditions.temperature, conditions.temperature)
    temperatures = np.linspace(*ends, points[0] if low < high else 1)
    pressures = np.geomspace(LOWEST_PA, HIGHEST_PA, points[1])
    count = power_of_two(samples) if samples else 0
    window = np.linspace(*ends, WINDOW_POINTS if low < high else 1)
    return {
        "map": selectivity_map(
            model, conditions.recipe, conditions.precursor, temperatures, pressures, count, conditions.seed
        ),
        "window": process_window(model, conditions.recipe, conditions.precursor, window, conditions.cycles),
    }
