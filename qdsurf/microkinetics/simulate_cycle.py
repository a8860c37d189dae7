"""All tables of the kinetics of one system under a recipe: coverages, selectivity, rate control, growth and dose."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.errors import InputError
from qdsurf.microkinetics.analysis.consistency import assert_tables_agree
from qdsurf.microkinetics.analysis.control import CONTROL_COLUMNS, rate_control
from qdsurf.microkinetics.analysis.dose import nucleation_delay, saturation_curve, saturation_dose, tabulate_growth
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

LOWEST_PA, HIGHEST_PA = 0.133322, 101325.0  # 1 mTorr to 1 atm, the range of ALD on quantum dots
LOWEST_K, HIGHEST_K = 291.15, 673.15  # 18 to 400 C
WINDOW_POINTS = 21  # temperatures of the process window
EXPOSURES_PA_S = np.geomspace(1e-2, 1e5, 29)  # from a short pulse to an hour at 0.3 mbar


class Conditions(NamedTuple):
    """What is simulated: one system under one recipe.

    Attributes
    ----------
    system : str
        Name of the system, as in the column `system` of the tables.
    tables : Tables
        Energies, steps and sites, from the energetics or from a mechanism; rows of other systems are ignored.
    recipe : Recipe
        Pulses and purges of one cycle.
    precursor : Precursor or None
        Precursor that replaces the first one of the recipe. None: the precursor of the recipe.
    temperature_K : float or None
        Temperature of the surface, K. None: that of the recipe.
    pressure_Pa : float or None
        Pressure of the precursor in all its forms, Pa. None: that of the recipe.
    cycles : int
        Number of times that the recipe is run, one after the other.
    samples : int
        Number of energy samples for the probabilities, rounded up to a power of two.
    seed : int
        Seed of the samples.
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
        """Name of the precursor molecule."""
        return precursor_name(self.recipe, self.precursor)

    @property
    def schedule(self) -> Schedule:
        """Supply periods of one cycle."""
        return schedule_recipe(self.recipe, self.precursor, self.temperature, self.pressure_Pa)

    @property
    def has_energies(self) -> bool:
        """Whether any step of the system has energies."""
        steps = self.tables.steps
        return bool((steps.loc[steps["system"] == self.system, "status"] == "ok").any())


def simulate_cycle(conditions: Conditions) -> dict[str, pd.DataFrame]:
    """Simulate a recipe on one system.

    Parameters
    ----------
    conditions : Conditions
        System, tables, recipe and number of cycles.

    Returns
    -------
    dict of str to pandas.DataFrame
        Tables by name of their file: coverages, selectivity, control, ledger, growth, saturation and dose;
        docs/reference/tables.md describes their columns. A system without energies has empty tables, and its row of
        the selectivity lists the missing steps.

    Raises
    ------
    InputError, BalanceError
        A table is incomplete, does not balance, or has no free energies at the temperature; or the simulation would
        need more memory than is accepted.
    CalculationError
        The integration failed, or two of the tables contradict one another.
    """
    analysis = run_kinetics(
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
    model, trajectory = analysis.model, analysis.trajectory
    tables = {"coverages": analysis.coverages, "selectivity": analysis.selectivity}
    if model is None or trajectory is None:
        tables |= {
            "control": pd.DataFrame(columns=CONTROL_COLUMNS),
            "ledger": pd.DataFrame(columns=["system"]),
            "growth": pd.DataFrame(columns=["cycle"]),
            "saturation": pd.DataFrame(columns=["dose_Pa_s"]),
            "dose": _dose_without_uptake(conditions),
        }
    else:
        growth = tabulate_growth(model, trajectory, conditions.gas, conditions.cycles)
        tables |= {
            "control": rate_control(model, conditions.schedule, conditions.temperature, conditions.gas),
            "ledger": tabulate_mass_balance(model, trajectory.flux_per_nm2[-1], trajectory.coverages[-1]),
            "growth": growth,
            **_saturation_and_dose(conditions, model, growth),
        }
    assert_tables_agree(tables, conditions.gas, conditions.cycles)
    return tables


def _dose_without_uptake(conditions: Conditions) -> pd.DataFrame:
    """Return the dose table of a system that takes up no precursor: only the system and the temperature."""
    return pd.DataFrame([{"system": conditions.system, "temperature_K": conditions.temperature}])


def _saturation_and_dose(conditions: Conditions, model: Model, growth: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the saturation curve, and one row with dose, sticking and growth."""
    gas = conditions.gas
    pulse = next((period for period in conditions.schedule if period.pressures_Pa.get(gas, 0) > 0), None)
    if gas not in model.network.gases or pulse is None:
        return {"saturation": pd.DataFrame(columns=["dose_Pa_s"]), "dose": _dose_without_uptake(conditions)}
    curve = saturation_curve(model, pulse.pressures_Pa, conditions.temperature, gas)
    dose = saturation_dose(curve)
    row = {
        "system": conditions.system,
        "temperature_K": conditions.temperature,
        "pulse_Pa_s": pulse.pressures_Pa[gas] * pulse.duration_s,
        "dose_95_Pa_s": dose,
        "dose_95_langmuir": dose / LANGMUIR_PA_S,
        "saturated_uptake_per_nm2": curve["uptake_per_nm2"].iloc[-1],
        "initial_sticking": curve["sticking"].iloc[0],
        "pulse_sticking": np.interp(pulse.duration_s, curve["time_s"], curve["sticking"]),
        "growth_per_cycle_per_nm2": growth["growth_per_cycle_per_nm2"].iloc[-1],
        "nucleation_delay_cycles": nucleation_delay(growth),
    }
    return {"saturation": curve, "dose": pd.DataFrame([row])}


def simulate_pore(conditions: Conditions, dose: pd.DataFrame, diameter_nm: float) -> pd.DataFrame:
    """Compute how deep the precursor penetrates the pores between the quantum dots, as a function of exposure.

    Parameters
    ----------
    conditions : Conditions
        System, tables and recipe.
    dose : pandas.DataFrame
        Table `dose` of `simulate_cycle`, with the saturated uptake and the initial sticking.
    diameter_nm : float
        Diameter of the pores, nm, at most 30.

    Returns
    -------
    pandas.DataFrame
        system and the columns of `penetration`.

    Raises
    ------
    InputError
        The diameter is not between 0 and 30 nm, or nothing is taken up.
    """
    if "initial_sticking" not in dose:
        raise InputError(
            f"{conditions.system}: no uptake of {conditions.gas}, so it has no penetration depth; "
            "omit the pore, or choose a recipe with a gas that adsorbs."
        )
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
    """Compute the selectivity over temperature and pressure, and the process window.

    The temperatures cover the range of the tabulated free energies within 18 to 400 C. The pressures range from 1 mTorr
    to 1 atm.

    Parameters
    ----------
    conditions : Conditions
        System, tables and recipe; temperature and pressure are used only if the tables have one temperature.
    points : tuple of int
        Number of temperatures and of pressures of the map.
    samples : int
        Number of energy samples at every point, rounded up to a power of two. 0: no probability.

    Returns
    -------
    dict of str to pandas.DataFrame
        `map`, see `selectivity_map`, and `window`, see `process_window`. Empty for a system without energies.

    Raises
    ------
    InputError, BalanceError
        A table is incomplete or does not balance.
    """
    if not conditions.has_energies:
        return {"map": pd.DataFrame(columns=MAP_COLUMNS), "window": pd.DataFrame(columns=["temperature_K"])}
    model = prepare(conditions.system, conditions.tables)
    low, high = model.temperature_range_K
    low, high = max(low, LOWEST_K), min(high, HIGHEST_K)
    if low < high:
        map_temperatures = np.linspace(low, high, points[0])
        window_temperatures = np.linspace(low, high, WINDOW_POINTS)
    else:
        map_temperatures = window_temperatures = np.array([conditions.temperature])
    pressures = np.geomspace(LOWEST_PA, HIGHEST_PA, points[1])
    count = power_of_two(samples) if samples else 0
    return {
        "map": selectivity_map(
            model, conditions.recipe, conditions.precursor, map_temperatures, pressures, count, conditions.seed
        ),
        "window": process_window(
            model, conditions.recipe, conditions.precursor, window_temperatures, conditions.cycles
        ),
    }
