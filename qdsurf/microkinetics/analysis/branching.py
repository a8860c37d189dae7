"""Branching between reaction classes, losses and uptake, from the net events of every step.

In the shapes below, `...` are axes of members or times, which may be absent, and S is the number of steps.
"""

import numpy as np
import pandas as pd

from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import REACTION_CLASSES
from qdsurf.units import NM2_PER_M2

LIGAND_FAMILY = "ligand"
NOISE_FACTOR = 10  # times the relative tolerance: smaller differences of two numbers are noise of the integration


def reactive_steps(network: Network, reaction_class: str) -> np.ndarray:
    """Return a mask of the reactive steps of one class.

    Parameters
    ----------
    network : Network
        Network of the system.
    reaction_class : str
        One of `REACTION_CLASSES`.

    Returns
    -------
    numpy.ndarray of bool
        Shape (S,).
    """
    return network.reactive & (np.array(network.classes, dtype=object) == reaction_class)


def net_events(flux_per_nm2: np.ndarray, rtol: float) -> np.ndarray:
    """Return the net events of each step at the end of a recipe, with integration noise set to zero.

    A step that runs forwards in a pulse and backwards in the purge has a net number that is the difference of two
    numbers with a relative error of `rtol`.

    Parameters
    ----------
    flux_per_nm2 : numpy.ndarray
        Net events since time zero, nm^-2, shape (..., times, S).
    rtol : float
        Relative tolerance of the integration. A net number smaller than ten times this fraction of the exchanged events
        is noise.

    Returns
    -------
    numpy.ndarray
        Net events, nm^-2, shape (..., S); negative for a step that ran backwards.
    """
    exchanged = np.abs(np.diff(flux_per_nm2, axis=-2, prepend=0.0)).sum(axis=-2)
    return remove_noise(flux_per_nm2[..., -1, :], exchanged, rtol)


def remove_noise(net_per_nm2: np.ndarray, exchanged_per_nm2: np.ndarray, rtol: float) -> np.ndarray:
    """Set net events to zero where they are smaller than the error of the integration.

    Parameters
    ----------
    net_per_nm2 : numpy.ndarray
        Net events of each step, nm^-2, shape (..., S).
    exchanged_per_nm2 : numpy.ndarray
        Events in both directions, nm^-2, same shape.
    rtol : float
        Relative tolerance of the integration. A net number smaller than ten times this fraction of the exchanged events
        is noise.

    Returns
    -------
    numpy.ndarray
        Net events, nm^-2, shape (..., S).
    """
    return np.where(np.abs(net_per_nm2) <= NOISE_FACTOR * rtol * exchanged_per_nm2, 0.0, net_per_nm2)


def class_flux(network: Network, flux_per_nm2: np.ndarray) -> np.ndarray:
    """Sum the net events of the reactive steps of each reaction class; steps that ran backwards count as zero.

    Parameters
    ----------
    network : Network
        Network of the system.
    flux_per_nm2 : numpy.ndarray
        Net events of each step, nm^-2, shape (..., S).

    Returns
    -------
    numpy.ndarray
        nm^-2, shape (..., 3), in the order precursor-surface, precursor-ligand, ligand-surface.
    """
    forward = np.clip(flux_per_nm2, 0, None)
    return np.stack([forward[..., reactive_steps(network, name)].sum(axis=-1) for name in REACTION_CLASSES], axis=-1)


def class_shares(flux: np.ndarray) -> np.ndarray:
    """Divide the flux of each reaction class by the sum over the classes.

    Parameters
    ----------
    flux : numpy.ndarray
        Result of `class_flux`, shape (..., 3).

    Returns
    -------
    numpy.ndarray
        Fractions with sum 1, shape (..., 3); NaN where nothing reacts.
    """
    total = flux.sum(axis=-1, keepdims=True)
    return np.divide(flux, total, out=np.full_like(flux, np.nan), where=total > 0)


def classes_without_energies(steps: pd.DataFrame, network: Network) -> set[str]:
    """Return the reaction classes whose reactive steps all lack energies.

    Parameters
    ----------
    steps : pandas.DataFrame
        Rows of the steps table of the system.
    network : Network
        Network of the system, which has only the steps with energies.

    Returns
    -------
    set of str
    """
    expected = set(steps.loc[steps["reactive"].astype(bool), "reaction_class"])
    return {name for name in expected if not reactive_steps(network, name).any()}


def loss_per_ligand(network: Network, flux: np.ndarray, removes: np.ndarray) -> float:
    """Return the net events of the steps that remove a ligand or a cation, per ligand site.

    Parameters
    ----------
    network : Network
        Network of the system.
    flux : numpy.ndarray
        Net events of each step, nm^-2, shape (S,).
    removes : numpy.ndarray of bool
        Mask of the steps that are counted, shape (S,).

    Returns
    -------
    float
        Dimensionless; NaN if there is no such step or no ligand site.
    """
    if not removes.any() or LIGAND_FAMILY not in network.families:
        return float("nan")
    density_per_nm2 = network.densities_per_m2[network.families.index(LIGAND_FAMILY)] / NM2_PER_M2
    return float(flux[removes].sum() / density_per_nm2)


def uptake(network: Network, flux: np.ndarray, gas: str) -> np.ndarray:
    """Return the net number of molecules that the surface takes from the gas.

    Parameters
    ----------
    network : Network
        Network of the system.
    flux : numpy.ndarray
        Net events of each step, nm^-2, shape (..., S).
    gas : str
        Name of the molecule.

    Returns
    -------
    numpy.ndarray
        Molecules, nm^-2, shape (...); NaN if no step takes this gas.
    """
    if gas not in network.gases:
        return np.full(np.shape(flux)[:-1], np.nan)
    index = network.gases.index(gas)
    return flux @ (network.gas_left[index] - network.gas_right[index])
