"""The reaction network of one system: species on site families, gases, and elementary steps.

The arrays use these sizes: n species, g gases, S elementary steps.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space

from qdsurf.errors import BalanceError
from qdsurf.units import NM2_PER_M2

CYCLE_TOLERANCE_EV = 1e-9


@dataclass(frozen=True)
class Network:
    """Species, gases, site families and the elementary steps with known energies.

    Attributes
    ----------
    system : str
        Name of the system, for messages.
    species : tuple of str
        Names `name@family`. A species on several sites names all of them, `name@family&family`.
    gases : tuple of str
        Names of the gas molecules.
    families : tuple of str
        Names of the site families.
    densities_per_m2 : numpy.ndarray
        Sites per area, m^-2, shape (families,).
    sites : numpy.ndarray of int
        Number of sites of each family that one molecule of a species occupies, shape (n, families).
    family_of : numpy.ndarray of int
        Index of the first family of each species, shape (n,). The coverage of the species refers to it.
    initial : numpy.ndarray
        Coverages at time zero, shape (n,).
    steps : tuple of str
        Names of the steps.
    classes : tuple of str
        Reaction class of each step.
    initial_states, final_states : tuple of tuple of str
        Names of the states on each side of a step. The energy of a side is the sum over its states.
    reactant_family, product_family : numpy.ndarray of int
        Index of the family of the first reactant and of the first product as written, shape (S,).
    left, right : numpy.ndarray of int
        Stoichiometric numbers of the species as reactants and as products, not negative, shape (n, S).
    gas_left, gas_right : numpy.ndarray of int
        The same for gases, shape (g, S).
    solids : tuple of str
        Names of the solids below the surface.
    solid_change : numpy.ndarray of int
        Number of formula units of each solid that each step forms, shape (solids, S).
    reactive, removes_ligand, removes_cation : numpy.ndarray of bool
        Flags of the steps, shape (S,).
    barrierless : numpy.ndarray of bool
        True for steps without a saddle point between their ends, shape (S,).
    interaction_eV_nm2 : numpy.ndarray
        Energy of a molecule of one species per number density of another, eV nm^2, symmetric, shape (n, n).
    missing : tuple of str
        Names of the omitted steps: they have no energies or cannot be reached.
    """

    system: str
    species: tuple[str, ...]
    gases: tuple[str, ...]
    families: tuple[str, ...]
    densities_per_m2: np.ndarray
    sites: np.ndarray
    family_of: np.ndarray
    initial: np.ndarray
    steps: tuple[str, ...]
    classes: tuple[str, ...]
    initial_states: tuple[tuple[str, ...], ...]
    final_states: tuple[tuple[str, ...], ...]
    reactant_family: np.ndarray
    product_family: np.ndarray
    left: np.ndarray
    right: np.ndarray
    gas_left: np.ndarray
    gas_right: np.ndarray
    solids: tuple[str, ...]
    solid_change: np.ndarray
    reactive: np.ndarray
    removes_ligand: np.ndarray
    removes_cation: np.ndarray
    barrierless: np.ndarray
    interaction_eV_nm2: np.ndarray
    missing: tuple[str, ...]

    @property
    def stoichiometry(self) -> np.ndarray:
        """Net stoichiometric numbers of species, gases and solids, positive for products, shape (n + g + solids, S)."""
        return np.vstack([self.right - self.left, self.gas_right - self.gas_left, self.solid_change])

    @property
    def state_names(self) -> list[str]:
        """Names of all states at the ends of the steps, sorted."""
        sides = (*self.initial_states, *self.final_states)
        return sorted({name for side in sides for name in side})

    @property
    def step_density_per_m2(self) -> np.ndarray:
        """Reference site density of each step: that of the family of its first reactant, m^-2, shape (S,)."""
        return self.densities_per_m2[self.reactant_family]

    @property
    def capacity_per_m2(self) -> np.ndarray:
        """Molecules per area at coverage 1 of each species, m^-2, shape (n,).

        For a bidentate on two sites of one family this is half of the site density.
        """
        sites_of_first_family = self.sites[np.arange(len(self.species)), self.family_of]
        return self.densities_per_m2[self.family_of] / sites_of_first_family

    @property
    def site_weights(self) -> np.ndarray:
        """Fraction of each family that a species occupies at coverage 1, shape (families, n).

        The site balance is `site_weights @ coverages = 1`.
        """
        return (self.sites * self.capacity_per_m2[:, None] / self.densities_per_m2).T

    @property
    def change(self) -> np.ndarray:
        """Change by one event per reference site of each step, shape (n + g, S).

        The first n rows are changes of coverages; the last g rows are molecules given to the gas per area, m^-2.
        """
        surface = (self.right - self.left) * (self.step_density_per_m2 / self.capacity_per_m2[:, None])
        gas = (self.gas_right - self.gas_left) * self.step_density_per_m2
        return np.vstack([surface, gas])

    @property
    def step_bias_eV(self) -> np.ndarray:
        """Derivative of the reaction energy of each step by each coverage, from lateral interactions, eV, (S, n)."""
        return (self.right - self.left).T @ self.interaction_eV_nm2 * (self.capacity_per_m2 / NM2_PER_M2)

    @property
    def beta(self) -> np.ndarray:
        """Fraction of the change of the reaction energy that changes the forward barrier, dimensionless, shape (S,).

        It is 0 where a gas molecule adsorbs, because the collision rate does not depend on the coverage. It is 1 where
        a molecule desorbs without a barrier. It is 1/2 for all other steps: the saddle point shifts by the mean of the
        shifts of both ends.
        """
        adsorbs = self.gas_left.sum(axis=0) > 0
        desorbs = self.gas_right.sum(axis=0) > 0
        return np.where(adsorbs, 0.0, np.where(desorbs & self.barrierless, 1.0, 0.5))


def conservation_laws(network: Network) -> np.ndarray:
    """Find all linear combinations of coverages that every step conserves, such as the sites of a family.

    Parameters
    ----------
    network : Network
        Network of the system.

    Returns
    -------
    numpy.ndarray
        Orthonormal rows l with `l @ coverages` constant, shape (laws, n). They span the left null space of the steps.
    """
    if not network.steps:
        return np.eye(len(network.species))
    return null_space(network.change[: len(network.species)].T).T


def find_cycles(network: Network) -> np.ndarray:
    """Find the closed cycles: combinations of steps that change no species, no gas and no solid.

    Parameters
    ----------
    network : Network
        Network of the system.

    Returns
    -------
    numpy.ndarray
        Orthonormal rows c with `stoichiometry @ c = 0`, shape (cycles, S).
    """
    return null_space(network.stoichiometry).T if network.steps else np.zeros((0, 0))


def assert_cycles_close(network: Network, reaction_gibbs_eV: np.ndarray) -> None:
    """Assert that the reaction free energies of every closed cycle add up to zero.

    Parameters
    ----------
    network : Network
        Network of the system.
    reaction_gibbs_eV : numpy.ndarray
        Free energies of the steps, eV, shape (..., S); negative is exergonic.

    Raises
    ------
    BalanceError
        The sum over a cycle exceeds 1e-9 eV, because two states of different energy represent the same species.
    """
    cycles = find_cycles(network)
    if not cycles.size:
        return
    residues = np.abs(np.asarray(reaction_gibbs_eV) @ cycles.T).reshape(-1, len(cycles)).max(axis=0)
    worst = int(np.argmax(residues))
    if residues[worst] > CYCLE_TOLERANCE_EV:
        names = [name for name, weight in zip(network.steps, cycles[worst], strict=True) if abs(weight) > 1e-9]
        raise BalanceError(
            f"{network.system}: the free energies of the cycle {', '.join(names)} add up to {residues[worst]:.3g} eV "
            "instead of 0; the same species must have the same state in all of these steps."
        )
