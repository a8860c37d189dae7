"""Uncertainty of the selectivity, from integrations with samples of the energies."""

import numpy as np

from qdsurf.errors import InputError
from qdsurf.microkinetics.analysis.branching import class_flux, class_shares, reactive_steps, remove_noise
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import REACTION_CLASSES
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.microkinetics.rates.schedule import Schedule
from qdsurf.microkinetics.solver.integration import RELATIVE_TOLERANCE, BatchResult, integrate_many

SURFACE, LIGAND, _ = REACTION_CLASSES


def run_samples(
    model: Model, schedule: Schedule, temperature_K: float, samples: int, seed: int, cycles: int = 1
) -> BatchResult:
    """Integrate the recipe for every sample of the energies; a failed sample does not affect the others.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    schedule : list of SupplyPeriod
        Supply periods of one cycle.
    temperature_K : float
        Temperature of the surface, K.
    samples : int
        Number of samples, a power of two.
    seed : int
        Seed of the samples.
    cycles : int
        Number of cycles.

    Returns
    -------
    BatchResult
        At the end of the last cycle only, because the ends of all periods would fill the memory.
    """
    rates = model.rates(temperature_K, sample_shifts(model.network, model.tables, samples, seed))
    return integrate_many(model.network, rates, [schedule], temperature_K, cycles, last_only=True)


def summarise_samples(network: Network, sampled: BatchResult) -> dict[str, float]:
    """Compute the probability that the ligand route wins, and percentiles of its share, over the successful samples.

    Parameters
    ----------
    network : Network
        Network of the system.
    sampled : BatchResult
        Result of `run_samples`.

    Returns
    -------
    dict of str to float
        p_ligand_wins, precursor_ligand_p16 and precursor_ligand_p84, between 0 and 1; NaN if no sample reacts.
    """
    events = remove_noise(sampled.flux_per_nm2[:, -1], sampled.exchanged_per_nm2, RELATIVE_TOLERANCE)
    flux = class_flux(network, events)
    flux = flux[np.isfinite(flux).all(axis=1)]
    ligand_share = class_shares(flux)[:, 1]
    ligand_share = ligand_share[np.isfinite(ligand_share)]
    p16, p84 = np.percentile(ligand_share, [16, 84]) if len(ligand_share) else (np.nan, np.nan)
    return {
        "p_ligand_wins": probability_ligand_wins(network, flux),
        "precursor_ligand_p16": float(p16),
        "precursor_ligand_p84": float(p84),
    }


def probability_ligand_wins(network: Network, flux: np.ndarray) -> float:
    """Compute the fraction of samples in which the ligand route carries more flux than the surface route.

    Samples in which neither route has a positive flux are not counted.

    Parameters
    ----------
    network : Network
        Network of the system.
    flux : numpy.ndarray
        Flux of the reaction classes, nm^-2, shape (samples, 3).

    Returns
    -------
    float
        Between 0 and 1; NaN if one route has no reactive step, or no sample is counted.
    """
    both_exist = reactive_steps(network, SURFACE).any() and reactive_steps(network, LIGAND).any()
    flux = flux[(flux[:, :2] > 0).any(axis=1)]
    return float(np.mean(flux[:, 1] > flux[:, 0])) if both_exist and len(flux) else float("nan")


def power_of_two(samples: int) -> int:
    """Return the smallest power of two that is not below the requested number of samples."""
    if samples < 1:
        raise InputError(f"samples is {samples}; give 1 or more.")
    return 1 << (int(samples) - 1).bit_length()
