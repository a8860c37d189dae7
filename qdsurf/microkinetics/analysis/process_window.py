"""Temperature and pressure: the map of who wins, and the window in which a process works."""

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import (
    class_flux,
    class_shares,
    lasting,
    loss_per_ligand,
    lost_classes,
    uptake,
)
from qdsurf.microkinetics.analysis.selectivity import precursor_name
from qdsurf.microkinetics.analysis.uncertainty import probability_ligand_wins
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.rates.schedule import Piece, schedule_recipe
from qdsurf.microkinetics.solver.integration import RELATIVE_TOLERANCE, integrate_many
from qdsurf.microkinetics.solver.rate_law import compile_law
from qdsurf.records.models import Precursor, Recipe

COMPLETE = 0.95  # share of the saturated uptake at which a pulse counts as long enough
KEPT = 0.05  # share of the ligands that may leave during the process
LONG_PULSE = 1e4  # in units of the pulse: stands for saturation
MAP_COLUMNS = [
    "system", "temperature_K", "pressure_Pa", "precursor_surface", "precursor_ligand", "ligand_surface",
    "uptake_per_nm2", "p_ligand_wins", "failed_samples",
]  # fmt: skip


def selectivity_map(
    model: Model,
    recipe: Recipe,
    precursor: Precursor | None,
    temperatures_K: np.ndarray,
    pressures_Pa: np.ndarray,
    samples: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Run the recipe on a grid of temperatures and of pressures of its first precursor.

    Parameters
    ----------
    samples : energy samples at every point, a power of two; the same ones everywhere. 0: no probability.

    Returns
    -------
    pandas.DataFrame
        One row a point, columns MAP_COLUMNS; p_ligand_wins is NaN without samples, and with the shares where a whole
        class of reactions has no number.
    """
    network, law = model.network, compile_law(model.network)
    gas = precursor_name(recipe, precursor)
    shifts = sample_shifts(network, model.tables, samples, seed) if samples else None
    rows = []
    for temperature in temperatures_K:
        schedules = [schedule_recipe(recipe, precursor, temperature, pressure) for pressure in pressures_Pa]
        points = len(schedules)
        ends = integrate_many(network, _repeat(model.rates(temperature), points), schedules, temperature, law=law)
        flux = lasting(ends.flux_per_nm2, RELATIVE_TOLERANCE)
        shares, taken = class_shares(class_flux(network, flux)), uptake(network, flux, gas)
        wins, failed = np.full(points, np.nan), np.full(points, len(ends.problems))
        if shifts is not None:
            rates = model.rates(temperature, shifts)
            for point, schedule in enumerate(schedules):
                sampled = integrate_many(network, rates, [schedule], temperature, law=law)
                per_class = class_flux(network, lasting(sampled.flux_per_nm2, RELATIVE_TOLERANCE))
                wins[point] = probability_ligand_wins(network, per_class[np.isfinite(per_class).all(axis=1)])
                failed[point] = len(sampled.problems)
        for point, pressure in enumerate(pressures_Pa):
            rows.append(
                (network.system, temperature, pressure, *shares[point], taken[point], wins[point], failed[point])
            )
    table = pd.DataFrame(rows, columns=MAP_COLUMNS)
    steps = model.tables.steps
    if lost_classes(steps[steps["system"] == network.system], network):
        table[["precursor_surface", "precursor_ligand", "ligand_surface", "p_ligand_wins"]] = np.nan
    return table


def _repeat(rates: RateConstants, members: int) -> RateConstants:
    return RateConstants(*(np.tile(k, (members, 1)) for k in (rates.forward_per_s, rates.reverse_per_s)))


def process_window(
    model: Model, recipe: Recipe, precursor: Precursor | None, temperatures_K: np.ndarray, cycles: int = 1
) -> pd.DataFrame:
    """Tell at which temperatures the first pulse is long enough, and at which the ligands stay.

    Returns
    -------
    pandas.DataFrame
        temperature_K; pulse_share, the uptake of the precursor at the end of its pulse divided by that of a pulse 1e4
        times as long; ligand_desorbed, the share of the ligands that the steps of the class ligand-surface remove in
        vacuum over the time of all cycles; complete, kept and inside (both) as True or False.
    """
    network = model.network
    gas = precursor_name(recipe, precursor)
    removed = network.removes_ligand & (np.array(network.classes) == "ligand-surface")
    rows = []
    for temperature in temperatures_K:
        schedule = schedule_recipe(recipe, precursor, temperature)
        pulse = next(piece for piece in schedule if piece.pressures_Pa.get(gas, 0) > 0)
        vacuum = Piece(cycles * sum(piece.duration_s for piece in schedule), {})
        one = _repeat(model.rates(temperature), 1)
        short, long, still = (
            integrate_many(network, one, [[piece]], temperature).flux_per_nm2[0, -1]
            for piece in (pulse, pulse._replace(duration_s=LONG_PULSE * pulse.duration_s), vacuum)
        )
        share = float(uptake(network, short, gas) / uptake(network, long, gas))
        lost = loss_per_ligand(network, still, removed) if removed.any() else 0.0
        rows.append((temperature, share, lost, share >= COMPLETE, lost <= KEPT, share >= COMPLETE and lost <= KEPT))
    columns = ["temperature_K", "pulse_share", "ligand_desorbed", "complete", "kept", "inside"]
    return pd.DataFrame(rows, columns=columns)
