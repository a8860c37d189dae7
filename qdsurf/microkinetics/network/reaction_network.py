"""The reaction network of one system: species on site families, gases, and elementary steps."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space

from qdsurf.errors import BalanceError
from qdsurf.units import NM2_PER_M2

CYCLE_TOLERANCE_EV = 1e-9


@dataclass(frozen=True)
class Network:
    """Species, gases, site families and the S elementary steps that have a number.

    Attributes
    ----------
    system : name of the system, for messages.
    species : n names `name@family`; a species on several sites names them all, `name@family&family`.
    gases : g names of gas molecules.
    families : names of the site families.
    densities_per_m2 : sites per area, shape (families,).
    sites : sites of each family that one molecule of a species occupies, shape (n, families).
    family_of : index of the first family of each species, shape (n,).
    initial : coverages at time zero, shape (n,).
    steps : names of the steps; `classes` go with them.
    initial_states, final_states : names of the states on both sides of a step; their levels add up.
    reactant_family, product_family : index of the family of the first reactant and product as written, shape (S,).
    left, right : stoichiometry of the species, shape (n, S), non-negative integers.
    gas_left, gas_right : the same for gases, shape (g, S).
    solids : names of solids below the surface; solid_change : how many each step makes, shape (solids, S).
    reactive, removes_ligand, removes_cation : flags, shape (S,).
    barrierless : steps without a saddle of their own, shape (S,).
    interaction_eV_nm2 : energy of a molecule of one species by the molecules per area of another, symmetric, (n, n).
    missing : names of the steps that are left out, because they have no number or cannot be reached.
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
    def step_density_per_m2(self) -> np.ndarray:
        """Reference density of each step: that of the family of its first reactant, shape (S,)."""
        return self.densities_per_m2[self.reactant_family]

    @property
    def capacity_per_m2(self) -> np.ndarray:
        """Molecules per area at coverage 1 of each species, shape (n,): half the sites for a bidentate."""
        own_sites = self.sites[np.arange(len(self.species)), self.family_of]
        return self.densities_per_m2[self.family_of] / own_sites

    @property
    def site_weights(self) -> np.ndarray:
        """Share of each family that a species at coverage 1 occupies, shape (families, n); weights @ coverages = 1."""
        return (self.sites * self.capacity_per_m2[:, None] / self.densities_per_m2).T

    @property
    def change(self) -> np.ndarray:
        """What one event per reference site of each step changes, shape (n + g, S): coverages, then gas in m^-2."""
        surface = (self.right - self.left) * (self.step_density_per_m2 / self.capacity_per_m2[:, None])
        return np.vstack([surface, (self.gas_right - self.gas_left) * self.step_density_per_m2])

    @property
    def step_bias_eV(self) -> np.ndarray:
        """Change of the reaction energy of each step with each coverage, by lateral interactions, eV, shape (S, n)."""
        return (self.right - self.left).T @ self.interaction_eV_nm2 * (self.capacity_per_m2 / NM2_PER_M2)

    @property
    def beta(self) -> np.ndarray:
        """Share of that change that the forward barrier feels, shape (S,).

        Nothing where a gas arrives (collisions do not know the coverage), all of it where one leaves without a
        barrier, else a half: the saddle moves with the mean of its ends.
        """
        arrives, leaves = self.gas_left.sum(axis=0) > 0, self.gas_right.sum(axis=0) > 0
        return np.where(arrives, 0.0, np.where(leaves & self.barrierless, 1.0, 0.5))


def conservation_laws(network: Network) -> np.ndarray:
    """Find every combination of coverages that no step changes: sites, ligands that never leave, and so on.

    Returns
    -------
    numpy.ndarray
        Orthonormal rows l with `l @ coverages` constant, from the left null space of the steps, shape (laws, n).
    """
    if not network.steps:
        return np.eye(len(network.species))
    return null_space(network.change[: len(network.species)].T).T


def find_cycles(network: Network) -> np.ndarray:
    """Find the closed cycles: combinations of steps that change no species, no gas and no solid.

    Returns
    -------
    numpy.ndarray
        Orthonormal rows c with `stoichiometry @ c = 0`, shape (cycles, S).
    """
    gas = network.gas_right - network.gas_left
    stoichiometry = np.vstack([network.right - network.left, gas, network.solid_change])
    return null_space(stoichiometry).T if network.steps else np.zeros((0, 0))


def assert_cycles_close(network: Network, reaction_gibbs_eV: np.ndarray) -> None:
    """Assert that the reaction free energies of every closed cycle add up to zero.

    Parameters
    ----------
    reaction_gibbs_eV : free energies of the steps, eV, shape (..., S); negative is exergonic.

    Raises
    ------
    BalanceError
        A cycle does not close to 1e-9 eV: two states of different energy stand for the same species.
    """
    cycles = find_cycles(network)
    if not cycles.size:
        return
    residues = np.abs(np.asarray(reaction_gibbs_eV) @ cycles.T).reshape(-1, len(cycles)).max(axis=0)
    worst = int(np.argmax(residues))
    if residues[worst] > CYCLE_TOLERANCE_EV:
        names = [name for name, part in zip(network.steps, cycles[worst], strict=True) if abs(part) > 1e-9]
        raise BalanceError(
            f"{network.system}: the free energies of the cycle {', '.join(names)} add up to {residues[worst]:.3g} eV "
            "instead of 0; the same species must have the same state in all of these steps."
        )
