"""Rate constants of all steps from one energy landscape, so that detailed balance is exact by construction.

Convention. Step s has the rate (events per area and time)

    r_s = Gamma_s [ k_f prod_g (p_g/p0)^nu_g prod_i theta_i^nu_i  (reactants)
                  - k_r prod_g (p_g/p0)^nu_g prod_i theta_i^nu_i  (products) ],

    d theta_i / dt = sum_s (nu_is / Gamma_f(i)) r_s.

The coverages theta_i are per site of the first family f(i) of species i. Both directions have one reference density
Gamma_s, that of the family of the first reactant, and p0 = 1 bar. The activities are coverages and p/p0, hence
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
    forward_per_s, reverse_per_s : numpy.ndarray
        k_f and k_r, s^-1, shape (..., S).
    """

    forward_per_s: np.ndarray
    reverse_per_s: np.ndarray


def collision_flux(
    pressure_Pa: float | np.ndarray, mass_amu: float | np.ndarray, temperature_K: float
) -> float | np.ndarray:
    """Compute the Hertz-Knudsen flux p / sqrt(2 pi m k T).

    Parameters
    ----------
    pressure_Pa : float or numpy.ndarray
        Partial pressure, Pa.
    mass_amu : float or numpy.ndarray
        Mass of the molecule, amu.
    temperature_K : float
        Temperature of the gas, K.

    Returns
    -------
    float or numpy.ndarray
        Collisions per area and time, m^-2 s^-1.
    """
    return pressure_Pa / np.sqrt(2 * np.pi * mass_amu * AMU_KG * constants.k * temperature_K)


def sticking_coefficients(network: Network) -> np.ndarray:
    """Compute the initial sticking coefficient S0 of each step that takes a gas molecule.

    S0 is the fraction that the step's family has of all sites. Steps in which the same gas adsorbs on the same species
    divide it equally. Therefore no more molecules react than collide: the sum over all steps of one gas is at most 1.
    The sticking coefficient of the step, between 0 and 1, multiplies S0.

    Parameters
    ----------
    network : Network
        Network of the system.

    Returns
    -------
    numpy.ndarray
        S0, dimensionless, 0 for steps that take no gas molecule, shape (S,).
    """
    site_fraction = network.densities_per_m2[network.reactant_family] / network.densities_per_m2.sum()
    adsorbs = network.gas_left.sum(axis=0) > 0
    reactants = [(*network.gas_left[:, s], *network.left[:, s]) for s in range(len(network.steps))]
    equal_steps = np.array([reactants.count(one) for one in reactants], dtype=float)
    return np.where(adsorbs, site_fraction / np.maximum(equal_steps, 1), 0.0)


def rate_constants(network: Network, landscape: Landscape) -> RateConstants:
    """Compute the forward and reverse rate constants of all steps.

    Steps that take a gas molecule (adsorption) follow collision theory. Ea is an electronic energy, because the flux
    already includes the entropy. It is never below zero nor below the reaction energy dE:

        k_f = S0 exp(-max(Ea, 0, dE)/kT) p0 / (Gamma sqrt(2 pi m k T)),   k_r = k_f exp(dG/kT) <= kT/h

    If the bound on k_r applies, k_f decreases with it. A complex that desorbs faster than kT/h is not a state, and the
    flux through it is limited by kT/h times its equilibrium coverage.

    All other steps follow transition state theory. The free energy G of a state includes the gases on its side at p0:

        k_f = (kT/h) exp(-(G_TS - G_i)/kT),    G_TS = max(G_i + Ea, G_i, G_f + C)

    C is 0 if the products stay on the surface. If a gas molecule desorbs, the reverse step is a collision and cannot
    be faster than S0 p0 / (Gamma sqrt(2 pi m k T)). This gives C = kT ln[(kT/h) Gamma sqrt(2 pi m k T) / (S0 p0)], not
    below 0. A desorption without barrier thereby has the same rate as the reverse of its adsorption.

    The reverse of both kinds of steps, which for adsorption is k_des = k_ads(p0) exp(dG/kT):

        k_r = k_f exp(dG/kT),    dG = G_f - G_i

    Parameters
    ----------
    network : Network
        Network of the system.
    landscape : Landscape
        Energies of its states and saddle points.

    Returns
    -------
    RateConstants
        In s^-1, shape (..., S) as the energies of the landscape.

    References
    ----------
    Reuter and Scheffler, 10.1103/PhysRevB.73.045433 (collision theory and detailed balance).
    """
    thermal_eV = BOLTZMANN_EV_PER_K * landscape.temperature_K
    reaction_gibbs = landscape.reaction_gibbs_eV
    reaction_energy = landscape.final_energy_eV - landscape.initial_energy_eV
    log_attempt = np.log(thermal_eV / PLANCK_EV_S)  # kT/h

    adsorbs = network.gas_left.sum(axis=0) > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 times inf where no gas adsorbs; np.where omits it below
        sticking = landscape.sticking * sticking_coefficients(network)
        log_collision = np.log(sticking * _collisions_per_site(network, landscape, network.gas_left))
    log_adsorption = log_collision - np.maximum(np.maximum(landscape.barrier_eV, 0), reaction_energy) / thermal_eV
    log_adsorption = np.minimum(log_adsorption, log_attempt - reaction_gibbs / thermal_eV)

    ceiling = _largest_reverse_constant(network, landscape)
    collision_penalty = np.maximum(0, log_attempt - np.log(ceiling)) * thermal_eV  # C of the docstring
    saddle = np.maximum(np.maximum(landscape.barrier_eV, 0), reaction_gibbs + collision_penalty)
    log_surface = log_attempt - saddle / thermal_eV

    log_forward = np.where(adsorbs, log_adsorption, log_surface)
    return RateConstants(np.exp(log_forward), np.exp(log_forward + reaction_gibbs / thermal_eV))


def _collisions_per_site(network: Network, landscape: Landscape, gas_counts: np.ndarray) -> np.ndarray:
    """Return the collision rate of the heaviest gas of one side of each step with a reference site at p0.

    `gas_counts` is `network.gas_left` or `network.gas_right`. The result is in s^-1, infinite without gas, shape (S,).
    """
    flux = np.asarray(collision_flux(STANDARD_PRESSURE_PA, landscape.masses_amu, landscape.temperature_K))
    slowest = np.where(gas_counts > 0, flux[:, None], np.inf).min(axis=0, initial=np.inf)
    return slowest / network.step_density_per_m2


def _largest_reverse_constant(network: Network, landscape: Landscape) -> np.ndarray:
    """Return the upper bound of the reverse rate constant, from collisions of the desorbed gas, s^-1, shape (S,).

    It is infinite without gas. S0 of the reverse step is the fraction of the family of the first product, as for an
    adsorption written in the forward direction.
    """
    site_fraction = network.densities_per_m2[network.product_family] / network.densities_per_m2.sum()
    return site_fraction * _collisions_per_site(network, landscape, network.gas_right)
