"""Selectivity of a precursor: branching between the reaction classes over the cycles of a recipe, losses and uptake."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import (
    class_flux,
    class_shares,
    classes_without_energies,
    loss_per_ligand,
    net_events,
    reactive_steps,
    uptake,
)
from qdsurf.microkinetics.analysis.uncertainty import power_of_two, run_samples, summarise_samples
from qdsurf.microkinetics.network.model import Model, prepare
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import REACTION_CLASSES
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.microkinetics.rates.schedule import precursor_pressure, schedule_recipe
from qdsurf.microkinetics.solver.integration import FINE_TOLERANCE, Trajectory, integrate
from qdsurf.microkinetics.solver.memory import assert_run_fits
from qdsurf.records.models import Precursor, Recipe

SHARE_COLUMNS = ("precursor_surface", "precursor_ligand", "ligand_surface")  # in the order of REACTION_CLASSES
SAMPLE_COLUMNS = ("p_ligand_wins", "precursor_ligand_p16", "precursor_ligand_p84")


class Analysis(NamedTuple):
    """Selectivity of one system under a recipe, with the trajectory at the mean energies.

    Attributes
    ----------
    coverages : pandas.DataFrame
        system, time_s and one column per species `name@family`: the occupied fraction of the family's sites. Beyond 20
        cycles, only the first and the last ten have a row for every solver step; the others have one per step of the
        recipe.
    selectivity : pandas.DataFrame
        One row. ligand_loss and cation_loss are per ligand at the start, uptake_per_nm2 is the net number of precursor
        molecules taken up, pressure_Pa is that of the precursor, and time_s is the duration of all cycles.
    model : Model or None
        Network and energies; None for a system without energies.
    trajectory : Trajectory or None
        Trajectory at the mean energies; None for a system without energies.
    """

    coverages: pd.DataFrame
    selectivity: pd.DataFrame
    model: Model | None = None
    trajectory: Trajectory | None = None


def run_kinetics(
    system: str,
    tables: Tables,
    recipe: Recipe,
    precursor: Precursor | None,
    samples: int,
    seed: int,
    temperature_K: float | None = None,
    pressure_Pa: float | None = None,
    cycles: int = 1,
) -> Analysis:
    """Simulate the cycles of a recipe on one system, at the mean energies and for samples of them.

    The shares are those of the net flux of the reactive steps over all cycles. A step that ran backwards counts as
    zero. A number without a contributing step is NaN, never zero, and `missing_steps` lists what is absent. If all
    steps of a reaction class lack energies, all shares are NaN, because the share of one route depends on the others.

    Parameters
    ----------
    system : str
        Name of the system.
    tables : Tables
        Tables of the energetics; rows of other systems are ignored.
    recipe : Recipe
        Recipe of one cycle.
    precursor : Precursor or None
        Precursor that replaces the one of the recipe. None: the precursor of the recipe.
    samples : int
        Number of energy samples, rounded up to a power of two as a Sobol sequence requires.
    seed : int
        Seed of the samples.
    temperature_K : float or None
        Temperature of the surface, K. None: that of the recipe.
    pressure_Pa : float or None
        Pressure of the precursor in all its forms, Pa. None: that of the recipe.
    cycles : int
        Number of cycles.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError, BalanceError
        A table is incomplete, does not balance, or has no free energies at the temperature; or the simulation would
        need more memory than is accepted.
    CalculationError
        The integration failed at the mean energies.
    """
    temperature = recipe.temperature_K if temperature_K is None else temperature_K
    count = power_of_two(samples)
    schedule = schedule_recipe(recipe, precursor, temperature, pressure_Pa)
    conditions = {
        "system": system,
        "temperature_K": temperature,
        "pressure_Pa": precursor_pressure(recipe, precursor) if pressure_Pa is None else pressure_Pa,
        "time_s": cycles * sum(period.duration_s for period in schedule),
    }
    steps = tables.steps[tables.steps["system"] == system]
    if len(steps) and not (steps["status"] == "ok").any():
        empty = pd.DataFrame(columns=["system", "time_s"])
        return Analysis(empty, pd.DataFrame([_row_without_energies(conditions, steps, count)]))
    model = prepare(system, tables)
    network = model.network
    assert_run_fits(network, len(schedule), cycles, count)
    trajectory = integrate(network, model.rates(temperature), schedule, temperature, cycles)
    sampled = run_samples(model, schedule, temperature, count, seed, cycles)
    row: dict[str, Any] = {
        **conditions,
        **central_results(network, trajectory, precursor_name(recipe, precursor)),
        **summarise_samples(network, sampled),
        "samples": count,
        "failed_samples": len(sampled.problems),
        "missing_steps": ";".join((*network.missing, *_missing_classes(network))),
        "sample_model": _sample_model(tables.states, system),
    }
    if classes_without_energies(steps, network):
        row |= dict.fromkeys((*SHARE_COLUMNS, *SAMPLE_COLUMNS), np.nan)
    return Analysis(tabulate_coverages(network, trajectory), pd.DataFrame([row]), model, trajectory)


def precursor_name(recipe: Recipe, precursor: Precursor | None) -> str:
    """Return the name of the molecule that the first precursor step of a recipe supplies.

    Parameters
    ----------
    recipe : Recipe
        Recipe of one cycle.
    precursor : Precursor or None
        Precursor that replaces the one of the recipe. None: the precursor of the recipe.
    """
    if precursor is not None:
        return precursor.name
    return next(step.species for step in recipe.steps if step.role == "precursor")


def _row_without_energies(conditions: dict[str, Any], steps: pd.DataFrame, count: int) -> dict[str, Any]:
    """Return the row of a system whose steps all lack energies: NaN, and the names of all steps and classes."""
    columns = [*SHARE_COLUMNS, "ligand_loss", "cation_loss", "uptake_per_nm2", *SAMPLE_COLUMNS]
    return {
        **conditions,
        **dict.fromkeys(columns, np.nan),
        "samples": count,
        "failed_samples": 0,
        "missing_steps": ";".join([*steps["step"], *(f"class {name}" for name in REACTION_CLASSES)]),
        "sample_model": steps["sample_model"].iloc[0] if "sample_model" in steps else "",
    }


def tabulate_coverages(network: Network, trajectory: Trajectory) -> pd.DataFrame:
    """Tabulate the coverages of a trajectory: system, time_s and one column per species."""
    coverages = pd.DataFrame(trajectory.coverages, columns=list(network.species))
    coverages.insert(0, "system", network.system)
    coverages.insert(1, "time_s", trajectory.time_s)
    return coverages


def _missing_classes(network: Network) -> list[str]:
    """Return the reaction classes in which no reactive step has energies, each as `class NAME`."""
    return [f"class {name}" for name in REACTION_CLASSES if not reactive_steps(network, name).any()]


def central_results(network: Network, trajectory: Trajectory, precursor: str) -> dict[str, float]:
    """Compute shares, losses and uptake at the mean energies.

    Parameters
    ----------
    network : Network
        Network of the system.
    trajectory : Trajectory
        Trajectory at the mean energies.
    precursor : str
        Name of the precursor molecule.

    Returns
    -------
    dict of str to float
        Columns of the selectivity table: the shares (sum 1), ligand_loss and cation_loss per ligand site, and
        uptake_per_nm2 in nm^-2.
    """
    events = net_events(trajectory.flux_per_nm2, FINE_TOLERANCE)
    shares = class_shares(class_flux(network, events))
    return {
        **dict(zip(SHARE_COLUMNS, shares, strict=True)),
        "ligand_loss": loss_per_ligand(network, events, network.removes_ligand),
        "cation_loss": loss_per_ligand(network, events, network.removes_cation),
        "uptake_per_nm2": float(uptake(network, events, precursor)),
    }


def _sample_model(states: pd.DataFrame, system: str) -> str:
    """Return the model structures of the states of one system, each named once."""
    if "sample_model" not in states:
        return ""
    models = states.loc[states["system"] == system, "sample_model"].dropna().astype(str)
    return "; ".join(name for name in dict.fromkeys(models) if name)
