"""Who wins: branching between the reaction classes over one cycle, its losses, its uptake, and how sure it is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from qdsurf.errors import CalculationError, InputError
from qdsurf.kinetics.landscape import Landscape, read_landscape, sample_landscape, table_temperature
from qdsurf.kinetics.lattice import REACTION_CLASSES
from qdsurf.kinetics.network import Network, assert_cycles_close, build_network
from qdsurf.kinetics.rates import RateConstants, rate_constants
from qdsurf.kinetics.recipe import precursor_pressure, schedule_recipe
from qdsurf.kinetics.solver import Schedule, Trajectory, integrate
from qdsurf.records import Precursor, Recipe
from qdsurf.units import NM2_PER_M2

SURFACE, LIGAND, DESORPTION = REACTION_CLASSES
TEMPERATURE_TOLERANCE_K = 1e-3
LIGAND_FAMILY = "ligand"
SHARE_COLUMNS = ("precursor_surface", "precursor_ligand", "ligand_surface")
SAMPLE_COLUMNS = ("p_ligand_wins", "precursor_ligand_p16", "precursor_ligand_p84")


@dataclass(frozen=True)
class Samples:
    """Outcome of all samples.

    Attributes
    ----------
    class_flux_per_nm2 : reactive flux of the three classes over one cycle, shape (successful, 3).
    failed : number of samples that could not be integrated.
    """

    class_flux_per_nm2: np.ndarray
    failed: int


def run_kinetics(
    system: str,
    states: pd.DataFrame,
    steps: pd.DataFrame,
    sites: pd.DataFrame,
    recipe: Recipe,
    precursor: Precursor,
    samples: int,
    seed: int,
    temperature_K: float | None = None,
    pressure_Pa: float | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run one cycle of a recipe on one system, at the mean energies and for samples of them.

    Shares count the net flux of the reactive steps over the cycle, a step that ran backwards as zero. A number that
    no step supplies is NaN, never zero, and `missing_steps` says what is absent. Where a whole class of reactions
    has no number all shares are NaN: the share of one route cannot be known while its rival is not.

    Parameters
    ----------
    states, steps, sites : tables of the energetics; rows of other systems are ignored.
    samples : number of samples, rounded up to a power of two as a Sobol sequence wants it.
    temperature_K, pressure_Pa : instead of the recipe's; the pressure is that of the precursor in all its forms.

    Returns
    -------
    coverages : pandas.DataFrame
        system, time_s and one column per species `name@family`, the occupied share of the family's sites.
    selectivity : pandas.DataFrame
        One row; ligand_loss and cation_loss are per ligand at the start, uptake_per_nm2 is the net number of
        precursor molecules taken up, pressure_Pa is that of the precursor, time_s the length of the cycle.

    Raises
    ------
    InputError, BalanceError
        A table is incomplete, does not balance, or holds at another temperature than the one asked for.
    CalculationError
        The integration failed at the mean energies.
    """
    temperature = recipe.temperature_K if temperature_K is None else temperature_K
    count = _power_of_two(samples)
    own = steps[steps["system"] == system]
    if len(own) and not (own["status"] == "ok").any():
        return _without_numbers(own, temperature, count, recipe, pressure_Pa)
    network = build_network(system, steps, sites)
    _check_temperature(system, states, temperature)
    central = read_landscape(network, states, steps)
    assert_cycles_close(network, central.reaction_gibbs_eV)
    schedule = schedule_recipe(recipe, precursor, temperature, pressure_Pa)
    trajectory = integrate(network, rate_constants(network, central), schedule, temperature)
    sampled = _run_samples(network, sample_landscape(network, central, states, steps, count, seed), schedule)
    pressure = precursor_pressure(recipe) if pressure_Pa is None else pressure_Pa
    row = {
        "system": system,
        "temperature_K": temperature,
        "pressure_Pa": pressure,
        **_central_results(network, trajectory, precursor.name),
        **_sample_results(network, sampled),
        "samples": count,
        "failed_samples": sampled.failed,
        "missing_steps": ";".join((*network.missing, *_missing_classes(network))),
        "sample_model": _sample_model(states, system),
    }
    if _lost_classes(own, network):  # a share of what could be computed would pass for a share of what happens
        row |= dict.fromkeys((*SHARE_COLUMNS, *SAMPLE_COLUMNS), np.nan)
    return _tabulate_coverages(network, trajectory), pd.DataFrame([row])


def _without_numbers(
    steps: pd.DataFrame, temperature: float, count: int, recipe: Recipe, pressure_Pa: float | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The row of a system of which no step has a number: it is in the table, and says so."""
    columns = [*SHARE_COLUMNS, "ligand_loss", "cation_loss", "uptake_per_nm2", *SAMPLE_COLUMNS]
    row = {
        "system": steps["system"].iloc[0],
        "temperature_K": temperature,
        "pressure_Pa": precursor_pressure(recipe) if pressure_Pa is None else pressure_Pa,
        "time_s": sum(step.duration_s for step in recipe.steps),
        **dict.fromkeys(columns, np.nan),
        "samples": count,
        "failed_samples": 0,
        "missing_steps": ";".join([*steps["step"], *(f"class {name}" for name in REACTION_CLASSES)]),
        "sample_model": steps["sample_model"].iloc[0] if "sample_model" in steps else "",
    }
    return pd.DataFrame(columns=["system", "time_s"]), pd.DataFrame([row])


def _tabulate_coverages(network: Network, trajectory: Trajectory) -> pd.DataFrame:
    """Coverages in time, one column per species."""
    coverages = pd.DataFrame(trajectory.coverages, columns=list(network.species))
    coverages.insert(0, "system", network.system)
    coverages.insert(1, "time_s", trajectory.time_s)
    return coverages


def class_flux(network: Network, flux_per_nm2: np.ndarray) -> np.ndarray:
    """Sum the reactive forward-net flux of each reaction class.

    Parameters
    ----------
    flux_per_nm2 : net events of each step, nm^-2, shape (S,).

    Returns
    -------
    numpy.ndarray
        nm^-2, shape (3,), in the order precursor-surface, precursor-ligand, ligand-surface.
    """
    forward = np.clip(flux_per_nm2, 0, None)
    return np.array([forward[_reactive_steps(network, name)].sum() for name in REACTION_CLASSES])


def _reactive_steps(network: Network, reaction_class: str) -> np.ndarray:
    """Mask of the reactive steps of one class, shape (S,)."""
    return network.reactive & (np.array(network.classes, dtype=object) == reaction_class)


def _missing_classes(network: Network) -> list[str]:
    """Name the reaction classes in which no reactive step has a number."""
    return [f"class {name}" for name in REACTION_CLASSES if not _reactive_steps(network, name).any()]


def _lost_classes(steps: pd.DataFrame, network: Network) -> set[str]:
    """Classes that the system has reactive steps for, of which not one has a number."""
    expected = set(steps.loc[steps["reactive"].astype(bool), "reaction_class"])
    return {name for name in expected if not _reactive_steps(network, name).any()}


def _shares(flux: np.ndarray) -> np.ndarray:
    """Shares of the classes, shape (..., 3); NaN where nothing reacts."""
    total = flux.sum(axis=-1, keepdims=True)
    return np.divide(flux, total, out=np.full_like(flux, np.nan), where=total > 0)


def _run_samples(network: Network, landscape: Landscape, schedule: Schedule) -> Samples:
    """Integrate every sample; one that fails is counted and does not lose the others."""
    assert_cycles_close(network, landscape.reaction_gibbs_eV)
    rates = rate_constants(network, landscape)
    fluxes, failed = [], 0
    for forward, reverse in zip(rates.forward_per_s, rates.reverse_per_s, strict=True):
        try:
            end = integrate(network, RateConstants(forward, reverse), schedule, landscape.temperature_K, points=1)
            fluxes.append(class_flux(network, end.flux_per_nm2[-1]))
        except CalculationError:
            failed += 1
    return Samples(np.array(fluxes).reshape(-1, 3), failed)


def _central_results(network: Network, trajectory: Trajectory, precursor: str) -> dict[str, float]:
    """Length of the cycle, shares, losses and uptake at the mean energies."""
    flux = trajectory.flux_per_nm2[-1]
    shares = dict(zip(REACTION_CLASSES, _shares(class_flux(network, flux)), strict=True))
    return {
        "time_s": trajectory.time_s[-1],
        "precursor_surface": shares[SURFACE],
        "precursor_ligand": shares[LIGAND],
        "ligand_surface": shares[DESORPTION],
        "ligand_loss": _loss_per_ligand(network, flux, network.removes_ligand),
        "cation_loss": _loss_per_ligand(network, flux, network.removes_cation),
        "uptake_per_nm2": _uptake(network, flux, precursor),
    }


def _loss_per_ligand(network: Network, flux: np.ndarray, removes: np.ndarray) -> float:
    """Net events of the steps that remove something, per initial ligand; NaN when there is no such step."""
    if not removes.any() or LIGAND_FAMILY not in network.families:
        return float("nan")
    density_per_nm2 = network.densities_per_m2[network.families.index(LIGAND_FAMILY)] / NM2_PER_M2
    return float(flux[removes].sum() / density_per_nm2)


def _uptake(network: Network, flux: np.ndarray, precursor: str) -> float:
    """Net number of precursor molecules taken from the gas, nm^-2; NaN when no step takes one."""
    if precursor not in network.gases:
        return float("nan")
    gas = network.gases.index(precursor)
    return float((network.gas_left[gas] - network.gas_right[gas]) @ flux)


def _sample_results(network: Network, sampled: Samples) -> dict[str, float]:
    """Probability that the ligand route wins, and percentiles of its share, over the successful samples."""
    flux = sampled.class_flux_per_nm2
    share = _shares(flux)[:, 1]
    share = share[np.isfinite(share)]
    competes = _reactive_steps(network, SURFACE).any() and _reactive_steps(network, LIGAND).any()
    wins = np.mean(flux[:, 1] > flux[:, 0]) if competes and len(flux) else np.nan
    p16, p84 = np.percentile(share, [16, 84]) if len(share) else (np.nan, np.nan)
    return {"p_ligand_wins": float(wins), "precursor_ligand_p16": float(p16), "precursor_ligand_p84": float(p84)}


def _power_of_two(samples: int) -> int:
    """Smallest power of two that is not below the number of samples asked for."""
    if samples < 1:
        raise InputError(f"samples is {samples}; give 1 or more.")
    return 1 << (int(samples) - 1).bit_length()


def _check_temperature(system: str, states: pd.DataFrame, temperature_K: float) -> None:
    """Refuse a temperature at which the table's free energies do not hold."""
    tabulated = table_temperature(system, states)
    if abs(tabulated - temperature_K) > TEMPERATURE_TOLERANCE_K:
        raise InputError(
            f"{system}: asked for {temperature_K} K, but gibbs_eV of the states table holds at {tabulated} K; "
            f"give temperature_K={tabulated}, or recompute the states table at {temperature_K} K."
        )


def _sample_model(states: pd.DataFrame, system: str) -> str:
    """Models behind the states of one system, each named once."""
    if "sample_model" not in states:
        return ""
    models = states.loc[states["system"] == system, "sample_model"].dropna().astype(str)
    return "; ".join(name for name in dict.fromkeys(models) if name)
