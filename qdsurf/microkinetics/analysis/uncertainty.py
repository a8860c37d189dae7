"""How sure the answer is: the competition repeated for samples of the energies."""

import numpy as np

from qdsurf.errors import InputError
from qdsurf.microkinetics.analysis.branching import class_flux, class_shares, reactive_steps, without_noise
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import REACTION_CLASSES
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.microkinetics.rates.schedule import Schedule
from qdsurf.microkinetics.solver.integration import RELATIVE_TOLERANCE, Ends, integrate_many

SURFACE, LIGAND, _ = REACTION_CLASSES


def run_samples(
    model: Model, schedule: Schedule, temperature_K: float, samples: int, seed: int, cycles: int = 1
) -> Ends:
    """Integrate the recipe for every sample; one that fails is counted and does not lose the others.

    Parameters
    ----------
    samples : a power of two.

    Returns
    -------
    Ends
        At the end of the last cycle only: nothing before it is needed, and it would fill the memory.
    """
    rates = model.rates(temperature_K, sample_shifts(model.network, model.tables, samples, seed))
    return integrate_many(model.network, rates, [schedule], temperature_K, cycles, last_only=True)


def summarise_samples(network: Network, sampled: Ends) -> dict[str, float]:
    """Probability that the ligand route wins, and percentiles of its share, over the successful samples."""
    net = without_noise(sampled.flux_per_nm2[:, -1], sampled.exchanged_per_nm2, RELATIVE_TOLERANCE)
    flux = class_flux(network, net)
    flux = flux[np.isfinite(flux).all(axis=1)]
    share = class_shares(flux)[:, 1]
    share = share[np.isfinite(share)]
    p16, p84 = np.percentile(share, [16, 84]) if len(share) else (np.nan, np.nan)
    return {
        "p_ligand_wins": probability_ligand_wins(network, flux),
        "precursor_ligand_p16": float(p16),
        "precursor_ligand_p84": float(p84),
    }


def probability_ligand_wins(network: Network, flux: np.ndarray) -> float:
    """Share of samples in which the ligand route carries more than the surface route, among those in which one does.

    NaN where one has no step, or nothing that it does lasts in any sample.

    Parameters
    ----------
    flux : of the classes, nm^-2, shape (samples, 3).
    """
    competes = reactive_steps(network, SURFACE).any() and reactive_steps(network, LIGAND).any()
    flux = flux[(flux[:, :2] > 0).any(axis=1)]
    return float(np.mean(flux[:, 1] > flux[:, 0])) if competes and len(flux) else float("nan")


def power_of_two(samples: int) -> int:
    """Smallest power of two that is not below the number of samples asked for."""
    if samples < 1:
        raise InputError(f"samples is {samples}; give 1 or more.")
    return 1 << (int(samples) - 1).bit_length()
