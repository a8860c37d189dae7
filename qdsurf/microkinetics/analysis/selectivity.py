"""Who wins: branching between the reaction classes over the cycles of a recipe, its losses, its uptake."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.microkinetics.analysis.branching import (
    class_flux,
    class_shares,
    lasting,
    loss_per_ligand,
    lost_classes,
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

SURFACE, LIGAND, DESORPTION = REACTION_CLASSES
SHARE_COLUMNS = ("precursor_surface", "precursor_ligand", "ligand_surface")
SAMPLE_COLUMNS = ("p_ligand_wins", "precursor_ligand_p16", "precursor_ligand_p84")


class Analysis(NamedTuple):
    """Results of a recipe on one system, with the run at the mean energies that they were computed from.

    Attributes
    ----------
    coverages : pandas.DataFrame
        system, time_s and one column per species `name@family`, the occupied share of the family's sites. Beyond
        20 cycles, only the first and the last ten have a row for every solver step; the others have one per piece of
        the recipe.
    selectivity : pandas.DataFrame
        One row; ligand_loss and cation_loss are per ligand at the start, uptake_per_nm2 is the net number of
        precursor molecules taken up, pressure_Pa is that of the precursor, time_s the length of all cycles.
    model, trajectory : network and run at the mean energies; None for a system without numbers.
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
    """Run the cycles of a recipe on one system, at the mean energies and for samples of them.

    Shares count the net flux of the reactive steps over all cycles, a step that ran backwards as zero. A number that
    no step supplies is NaN, never zero, and `missing_steps` says what is absent. Where a whole class of reactions
    has no number all shares are NaN: the share of one route cannot be known while its rival is not.

    Parameters
    ----------
    tables : tables of the energetics; rows of other systems are ignored.
    precursor : in place of the recipe's own; None keeps that.
    samples : number of samples, rounded up to a power of two as a Sobol sequence wants it.
    temperature_K, pressure_Pa : instead of the recipe's; the pressure is that of the precursor in all its forms.

    Raises
    ------
    InputError, BalanceError
        A table is incomplete, does not balance, or does not hold at the temperature asked for; or the run would need
        more memory than is accepted.
    CalculationError
        The integration failed at the mean energies.
    """
    temperature = recipe.temperature_K if temperature_K is None else temperature_K
    count = power_of_two(samples)
    schedule = schedule_recipe(recipe, precursor, temperature, pressure_Pa)
    head = {
        "system": system,
        "temperature_K": temperature,
        "pressure_Pa": precursor_pressure(recipe, precursor) if pressure_Pa is None else pressure_Pa,
        "time_s": cycles * sum(piece.duration_s for piece in schedule),
    }
    own = tables.steps[tables.steps["system"] == system]
    if len(own) and not (own["status"] == "ok").any():
        empty = pd.DataFrame(columns=["system", "time_s"])
        return Analysis(empty, pd.DataFrame([_without_numbers(head, own, count)]))
    model = prepare(system, tables)
    network = model.network
    assert_run_fits(network, len(schedule), cycles, count)
    trajectory = integrate(network, model.rates(temperature), schedule, temperature, cycles)
    sampled = run_samples(model, schedule, temperature, count, seed, cycles)
    row = {
        **head,
        **central_results(network, trajectory, precursor_name(recipe, precursor)),
        **summarise_samples(network, sampled),
        "samples": count,
        "failed_samples": len(sampled.problems),
        "missing_steps": ";".join((*network.missing, *_missing_classes(network))),
        "sample_model": _sample_model(tables.states, system),
    }
    if lost_classes(own, network):  # a share of what could be computed would pass for a share of what happens
        row |= dict.fromkeys((*SHARE_COLUMNS, *SAMPLE_COLUMNS), np.nan)
    return Analysis(tabulate_coverages(network, trajectory), pd.DataFrame([row]), model, trajectory)


def precursor_name(recipe: Recipe, precursor: Precursor | None) -> str:
    """Name of the molecule that the first precursor step of a recipe brings."""
    if precursor is not None:
        return precursor.name
    return next(step.species for step in recipe.steps if step.role == "precursor")


def _without_numbers(head: dict, steps: pd.DataFrame, count: int) -> dict:
    """The row of a system of which no step has a number: it is in the table, and says so."""
    columns = [*SHARE_COLUMNS, "ligand_loss", "cation_loss", "uptake_per_nm2", *SAMPLE_COLUMNS]
    return {
        **head,
        **dict.fromkeys(columns, np.nan),
        "samples": count,
        "failed_samples": 0,
        "missing_steps": ";".join([*steps["step"], *(f"class {name}" for name in REACTION_CLASSES)]),
        "sample_model": steps["sample_model"].iloc[0] if "sample_model" in steps else "",
    }


def tabulate_coverages(network: Network, trajectory: Trajectory) -> pd.DataFrame:
    """Coverages in time, one column per species."""
    coverages = pd.DataFrame(trajectory.coverages, columns=list(network.species))
    coverages.insert(0, "system", network.system)
    coverages.insert(1, "time_s", trajectory.time_s)
    return coverages


def _missing_classes(network: Network) -> list[str]:
    """Name the reaction classes in which no reactive step has a number."""
    return [f"class {name}" for name in REACTION_CLASSES if not reactive_steps(network, name).any()]


def central_results(network: Network, trajectory: Trajectory, precursor: str) -> dict[str, float]:
    """Shares, losses and uptake at the mean energies."""
    flux = lasting(trajectory.flux_per_nm2, FINE_TOLERANCE)
    shares = dict(zip(REACTION_CLASSES, class_shares(class_flux(network, flux)), strict=True))
    return {
        "precursor_surface": shares[SURFACE],
        "precursor_ligand": shares[LIGAND],
        "ligand_surface": shares[DESORPTION],
        "ligand_loss": loss_per_ligand(network, flux, network.removes_ligand),
        "cation_loss": loss_per_ligand(network, flux, network.removes_cation),
        "uptake_per_nm2": float(uptake(network, flux, precursor)),
    }


def _sample_model(states: pd.DataFrame, system: str) -> str:
    """Models behind the states of one system, each named once."""
    if "sample_model" not in states:
        return ""
    models = states.loc[states["system"] == system, "sample_model"].dropna().astype(str)
    return "; ".join(name for name in dict.fromkeys(models) if name)
