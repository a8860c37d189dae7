"""Selectivity as a function of temperature and pressure, and the temperature window of a process."""

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import (
    class_flux,
    class_shares,
    classes_without_energies,
    loss_per_ligand,
    net_events,
    uptake,
)
from qdsurf.microkinetics.analysis.selectivity import SHARE_COLUMNS, precursor_name
from qdsurf.microkinetics.analysis.uncertainty import probability_ligand_wins
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import SupplyPeriod, schedule_recipe
from qdsurf.microkinetics.solver.integration import RELATIVE_TOLERANCE, integrate_many
from qdsurf.microkinetics.solver.rate_law import compile_law
from qdsurf.records.models import Precursor, Recipe

COMPLETE = 0.95  # fraction of the saturated uptake from which a pulse counts as long enough
KEPT = 0.05  # largest fraction of the ligands that may desorb during the process
LONG_PULSE = 1e4  # duration of a saturating pulse, in units of the pulse
MAP_COLUMNS = [
    *("system", "temperature_K", "pressure_Pa"),
    *SHARE_COLUMNS,
    *("uptake_per_nm2", "p_ligand_wins", "failed_samples"),
]


def selectivity_map(
    model: Model,
    recipe: Recipe,
    precursor: Precursor | None,
    temperatures_K: np.ndarray,
    pressures_Pa: np.ndarray,
    samples: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate the recipe on a grid of temperatures and of pressures of its first precursor.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    recipe : Recipe
        Recipe of one cycle.
    precursor : Precursor or None
        Precursor that replaces the one of the recipe. None: the precursor of the recipe.
    temperatures_K : numpy.ndarray
        Temperatures of the surface, K.
    pressures_Pa : numpy.ndarray
        Total pressures of the precursor, Pa.
    samples : int
        Number of energy samples at every point, a power of two; all points have the same samples. 0: no probability.
    seed : int
        Seed of the samples.

    Returns
    -------
    pandas.DataFrame
        One row per point, columns MAP_COLUMNS. p_ligand_wins is NaN without samples. Together with the shares, it is
        also NaN if all reactive steps of a class lack energies.
    """
    network, law = model.network, compile_law(model.network)
    gas = precursor_name(recipe, precursor)
    shifts = sample_shifts(network, model.tables, samples, seed) if samples else None
    rows = []
    for temperature in temperatures_K:
        schedules = [schedule_recipe(recipe, precursor, temperature, pressure) for pressure in pressures_Pa]
        points = len(schedules)
        mean_rates = _repeat(model.rates(temperature), points)
        result = integrate_many(network, mean_rates, schedules, temperature, law=law)
        events = net_events(result.flux_per_nm2, RELATIVE_TOLERANCE)
        shares = class_shares(class_flux(network, events))
        taken_up = uptake(network, events, gas)
        p_ligand_wins = np.full(points, np.nan)
        failed = np.full(points, len(result.problems))
        if shifts is not None:
            sampled_rates = model.rates(temperature, shifts)
            for point, schedule in enumerate(schedules):
                sampled = integrate_many(network, sampled_rates, [schedule], temperature, law=law)
                flux = class_flux(network, net_events(sampled.flux_per_nm2, RELATIVE_TOLERANCE))
                p_ligand_wins[point] = probability_ligand_wins(network, flux[np.isfinite(flux).all(axis=1)])
                failed[point] = len(sampled.problems)
        for point, pressure in enumerate(pressures_Pa):
            conditions = (network.system, temperature, pressure)
            rows.append((*conditions, *shares[point], taken_up[point], p_ligand_wins[point], failed[point]))
    table = pd.DataFrame(rows, columns=MAP_COLUMNS)
    steps = model.tables.steps
    if classes_without_energies(steps[steps["system"] == network.system], network):
        table[[*SHARE_COLUMNS, "p_ligand_wins"]] = np.nan
    return table


def _repeat(rates: RateConstants, members: int) -> RateConstants:
    """Return the same rate constants for several members, shape (members, S)."""
    return RateConstants(np.tile(rates.forward_per_s, (members, 1)), np.tile(rates.reverse_per_s, (members, 1)))


def process_window(
    model: Model, recipe: Recipe, precursor: Precursor | None, temperatures_K: np.ndarray, cycles: int = 1
) -> pd.DataFrame:
    """Determine at which temperatures the first pulse is long enough, and at which the ligands remain.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    recipe : Recipe
        Recipe of one cycle.
    precursor : Precursor or None
        Precursor that replaces the one of the recipe. None: the precursor of the recipe.
    temperatures_K : numpy.ndarray
        Temperatures of the surface, K.
    cycles : int
        Number of cycles of the process.

    Returns
    -------
    pandas.DataFrame
        temperature_K; pulse_share, the uptake of the precursor at the end of its pulse divided by that of a pulse 1e4
        times as long; ligand_desorbed, the fraction of the ligands that the steps of the class ligand-surface remove in
        vacuum over the time of all cycles; complete, kept and inside (both) as True or False.
    """
    network = model.network
    gas = precursor_name(recipe, precursor)
    removes = network.removes_ligand & (np.array(network.classes) == "ligand-surface")
    rows = []
    for temperature in temperatures_K:
        schedule = schedule_recipe(recipe, precursor, temperature)
        rates = _repeat(model.rates(temperature), 1)
        pulse = next(period for period in schedule if period.pressures_Pa.get(gas, 0) > 0)
        long_pulse = pulse._replace(duration_s=LONG_PULSE * pulse.duration_s)
        vacuum = SupplyPeriod(cycles * sum(period.duration_s for period in schedule), {})
        after_pulse, after_long_pulse, after_vacuum = (
            integrate_many(network, rates, [[period]], temperature).flux_per_nm2[0, -1]
            for period in (pulse, long_pulse, vacuum)
        )
        pulse_share = float(uptake(network, after_pulse, gas) / uptake(network, after_long_pulse, gas))
        desorbed = loss_per_ligand(network, after_vacuum, removes) if removes.any() else 0.0
        complete, kept = pulse_share >= COMPLETE, desorbed <= KEPT
        rows.append((temperature, pulse_share, desorbed, complete, kept, complete and kept))
    columns = ["temperature_K", "pulse_share", "ligand_desorbed", "complete", "kept", "inside"]
    return pd.DataFrame(rows, columns=columns)
