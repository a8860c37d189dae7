"""Rate constants of all steps from one landscape, so that detailed balance holds by construction.

Convention. Step s runs at (events per area and time)

    r_s = Gamma_s [ k_f prod_g (p_g/p0)^nu_g prod_i theta_i^nu_i  (reactants)
                  - k_r prod_g (p_g/p0)^nu_g prod_i theta_i^nu_i  (products) ],

    d theta_i / dt = sum_s (nu_is / Gamma_f(i)) r_s,

with coverages theta_i per site of the own family f(i), one reference density Gamma_s for both directions (that
of the family of the first reactant) and p0 = 1 bar. The activities are coverages and p/p0, hence
k_f / k_r = K = exp(-dG/kT), also between families of different density.
"""

from dataclasses import dataclass

import numpy as np
from scipy import constants

from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.rates.landscape import Landscape
from qdsurf.units import AMU_KG, BOLTZMANN_EV_PER_K, PLANCK_EV_S, STANDARD_PRESSURE_PA


@dataclass(frozen=True)
class RateConstants:
    """Rate constants at the standard pressure of every gas.

    Attributes
    ----------
    forward_per_s, reverse_per_s : k_f and k_r, s^-1, shape (..., S).
    """

    forward_per_s: np.ndarray
    reverse_per_s: np.ndarray


def collision_flux(pressure_Pa, mass_amu, temperature_K):
    """Hertz-Knudsen flux p / sqrt(2 pi m k T), in m^-2 s^-1; arguments may be arrays."""
    return pressure_Pa / np.sqrt(2 * np.pi * mass_amu * AMU_KG * constants.k * temperature_K)


def sticking_coefficients(network: Network) -> np.ndarray:
    """Initial sticking S0 of each step that takes a gas molecule, 0 for the others, shape (S,).

    S0 is the share of the step's family in all sites. Steps in which the same gas lands on the same species share
    it equally. Thus no more molecules react than arrive: the sum over all steps of one gas is never above 1. A step's
    own sticking coefficient, between 0 and 1, multiplies it.
    """
    share = network.densities_per_m2[network.reactant_family] / network.densities_per_m2.sum()
    arrives = network.gas_left.sum(axis=0) > 0
    keys = [(*network.gas_left[:, s], *network.left[:, s]) for s in range(len(network.steps))]
    rivals = np.array([keys.count(key) for key in keys], dtype=float)
    return np.where(arrives, share / np.maximum(rivals, 1), 0.0)


def rate_constants(network: Network, landscape: Landscape) -> RateConstants:
    """Compute the forward and reverse rate constants of all steps.

    Steps that take a gas molecule (adsorption), by collision theory; Ea is an electronic energy because the flux
    already holds the entropy, and is never below zero nor below the reaction energy dE:

        k_f = S0 exp(-max(Ea, 0, dE)/kT) p0 / (Gamma sqrt(2 pi m k T)),   k_r = k_f exp(dG/kT) <= kT/h

    Where the bound on k_r cuts, k_f falls with it: a complex that leaves faster than kT/h is no state, and what
    passes through it is limited by kT/h times its equilibrium coverage.

    All other steps, by transition state theory; a state's free energy G includes the gases on its side at p0:

        k_f = (kT/h) exp(-(G_TS - G_i)/kT),    G_TS = max(G_i + Ea, G_i, G_f + C)

    C is 0 when the products stay on the surface. When a gas molecule leaves, the reverse is a collision and cannot
    be faster than S0 p0 / (Gamma sqrt(2 pi m k T)); C = kT ln[(kT/h) Gamma sqrt(2 pi m k T) / (S0 p0)], not below
    0, says so. A desorption without barrier thereby has the same rate as the reverse of its adsorption.

    Reverse of both, which for adsorption is k_des = k_ads(p0) exp(dG/kT):

        k_r = k_f exp(dG/kT),    dG = G_f - G_i

    Returns
    -------
    RateConstants
        In s^-1, shape (..., S) as the levels of the landscape.

    References
    ----------
    Reuter and Scheffler, 10.1103/PhysRevB.73.045433 (collision theory and detailed balance).
    """
    thermal_eV = BOLTZMANN_EV_PER_K * landscape.temperature_K
    reaction_gibbs = landscape.reaction_gibbs_eV
    reaction_energy = landscape.final_energy_eV - landscape.initial_energy_eV
    log_attempt = np.log(thermal_eV / PLANCK_EV_S)

    arrives = network.gas_left.sum(axis=0) > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 times inf where no gas arrives; not used below
        sticking = landscape.sticking * sticking_coefficients(network)
        log_collision = np.log(sticking * _collisions_per_site(network, landscape, "left"))
    log_adsorption = log_collision - np.maximum(np.maximum(landscape.barrier_eV, 0), reaction_energy) / thermal_eV
    log_adsorption = np.minimum(log_adsorption, log_attempt - reaction_gibbs / thermal_eV)

    ceiling = _reverse_ceiling(network, landscape)
    collision_penalty = np.maximum(0, log_attempt - np.log(ceiling)) * thermal_eV
    saddle = np.maximum(np.maximum(landscape.barrier_eV, 0), reaction_gibbs + collision_penalty)
    log_surface = log_attempt - saddle / thermal_eV

    log_forward = np.where(arrives, log_adsorption, log_surface)
    return RateConstants(np.exp(log_forward), np.exp(log_forward + reaction_gibbs / thermal_eV))


def _collisions_per_site(network: Network, landscape: Landscape, side: str) -> np.ndarray:
    """Collisions of the slowest gas of one side with a reference site at p0, s^-1, shape (S,); inf without gas."""
    flux = collision_flux(STANDARD_PRESSURE_PA, landscape.masses_amu, landscape.temperature_K)
    present = (network.gas_left if side == "left" else network.gas_right) > 0
    slowest = np.where(present, flux[:, None], np.inf).min(axis=0, initial=np.inf)
    return slowest / network.step_density_per_m2


def _reverse_ceiling(network: Network, landscape: Landscape) -> np.ndarray:
    """Highest reverse rate constant, s^-1: that of the collisions of the released gas; inf without gas, shape (S,).

    S0 of the reverse is the share of the family of the first product, as for an adsorption written forward.
    """
    share = network.densities_per_m2[network.product_family] / network.densities_per_m2.sum()
    return share * _collisions_per_site(network, landscape, "right")
