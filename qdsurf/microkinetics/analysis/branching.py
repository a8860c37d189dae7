"""Branching, losses and uptake, counted from what every step has done."""

import numpy as np
import pandas as pd

from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import REACTION_CLASSES
from qdsurf.units import NM2_PER_M2

LIGAND_FAMILY = "ligand"
NOISE_FACTOR = 10  # of the tolerance: a difference of two numbers counts from here


def reactive_steps(network: Network, reaction_class: str) -> np.ndarray:
    """Mask of the reactive steps of one class, shape (S,)."""
    return network.reactive & (np.array(network.classes, dtype=object) == reaction_class)


def lasting(flux_per_nm2: np.ndarray, rtol: float) -> np.ndarray:
    """Net events of each step by the end of a recipe, zero where what came went again.

    A step that runs forth in a pulse and back in the purge leaves the difference of two numbers that are right to rtol.

    Parameters
    ----------
    flux_per_nm2 : net events since time zero, nm^-2, shape (..., times, S).
    rtol : relative tolerance of the integration; a difference counts from ten times that.

    Returns
    -------
    numpy.ndarray
        nm^-2, shape (..., S).
    """
    exchanged = np.abs(np.diff(flux_per_nm2, axis=-2, prepend=0.0)).sum(axis=-2)
    return without_noise(flux_per_nm2[..., -1, :], exchanged, rtol)


def without_noise(net_per_nm2: np.ndarray, exchanged_per_nm2: np.ndarray, rtol: float) -> np.ndarray:
    """Set net events to zero where the integration cannot tell them from nothing.

    Parameters
    ----------
    net_per_nm2 : net events of each step, nm^-2, shape (..., S).
    exchanged_per_nm2 : events in both directions, nm^-2, same shape.
    rtol : relative tolerance of the integration; a net number counts from ten times that share of the events.

    Returns
    -------
    numpy.ndarray
        nm^-2, shape (..., S).
    """
    return np.where(np.abs(net_per_nm2) <= NOISE_FACTOR * rtol * exchanged_per_nm2, 0.0, net_per_nm2)


def class_flux(network: Network, flux_per_nm2: np.ndarray) -> np.ndarray:
    """Sum the reactive forward-net flux of each reaction class.

    Parameters
    ----------
    flux_per_nm2 : net events of each step, nm^-2, shape (..., S).

    Returns
    -------
    numpy.ndarray
        nm^-2, shape (..., 3), in the order precursor-surface, precursor-ligand, ligand-surface.
    """
    forward = np.clip(flux_per_nm2, 0, None)
    return np.stack([forward[..., reactive_steps(network, name)].sum(axis=-1) for name in REACTION_CLASSES], axis=-1)


def class_shares(flux: np.ndarray) -> np.ndarray:
    """Shares of the classes, shape (..., 3); NaN where nothing reacts."""
    total = flux.sum(axis=-1, keepdims=True)
    return np.divide(flux, total, out=np.full_like(flux, np.nan), where=total > 0)


def lost_classes(steps: pd.DataFrame, network: Network) -> set[str]:
    """Classes that the system has reactive steps for, of which not one has a number."""
    expected = set(steps.loc[steps["reactive"].astype(bool), "reaction_class"])
    return {name for name in expected if not reactive_steps(network, name).any()}


def loss_per_ligand(network: Network, flux: np.ndarray, removes: np.ndarray) -> float:
    """Net events of the steps that remove something, per site of the ligands; NaN when there is no such step."""
    if not removes.any() or LIGAND_FAMILY not in network.families:
        return float("nan")
    density_per_nm2 = network.densities_per_m2[network.families.index(LIGAND_FAMILY)] / NM2_PER_M2
    return float(flux[removes].sum() / density_per_nm2)


def uptake(network: Network, flux: np.ndarray, gas: str) -> np.ndarray:
    """Net number of molecules taken from the gas, nm^-2, for fluxes of shape (..., S); NaN when no step takes one."""
    if gas not in network.gases:
        return np.full(np.shape(flux)[:-1], np.nan)
    index = network.gases.index(gas)
    return flux @ (network.gas_left[index] - network.gas_right[index])
