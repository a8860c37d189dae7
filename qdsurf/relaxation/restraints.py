"""Restraints on the bonds of a reaction product: formed bonds may not lengthen, broken bonds may not shorten."""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import find_mic

from qdsurf.atomistic.bonding import recorded_pairs
from qdsurf.atomistic.bonding_criteria import RESTRAINT_BROKEN, RESTRAINT_FORMED

# A force of 3 eV/A, which is typical of a strained group, moves a restrained bond by 0.3 A.
STIFFNESS_EV_PER_A2 = 10.0


class BondRestraints:
    """One-sided harmonic springs on interatomic distances, as a constraint of ASE.

    The energy is k/2 sum (d - d0)^2 over the distances that are beyond their limits.

    Parameters
    ----------
    pairs : ndarray of int
        Indices of the two atoms of each distance, shape (p, 2).
    limits : ndarray of float
        Limits d0 in A, shape (p,).
    signs : ndarray of int
        +1 for an upper limit, -1 for a lower limit, shape (p,).
    """

    def __init__(self, pairs: np.ndarray, limits: np.ndarray, signs: np.ndarray):
        self.pairs, self.limits, self.signs = pairs, limits, signs

    def _excess(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        """Return how far each distance is beyond its limit in A, and the unit vectors of the pairs."""
        i, j = self.pairs.T
        vectors, lengths = find_mic(atoms.positions[j] - atoms.positions[i], atoms.cell, atoms.pbc)
        return np.maximum((lengths - self.limits) * self.signs, 0.0), vectors / lengths[:, None]

    def adjust_potential_energy(self, atoms: Atoms) -> float:
        """Return the energy of the springs in eV; called by ASE."""
        return float(0.5 * STIFFNESS_EV_PER_A2 * np.sum(self._excess(atoms)[0] ** 2))

    def adjust_forces(self, atoms: Atoms, forces: np.ndarray) -> None:
        """Add the forces of the springs in eV/A in place; called by ASE."""
        excess, direction = self._excess(atoms)
        pull = (STIFFNESS_EV_PER_A2 * excess * self.signs)[:, None] * direction
        np.add.at(forces, self.pairs[:, 0], pull)
        np.add.at(forces, self.pairs[:, 1], -pull)

    def adjust_positions(self, atoms: Atoms, positions: np.ndarray) -> None:
        """Change nothing, because springs do not constrain positions; called by ASE."""

    def get_removed_dof(self, atoms: Atoms) -> int:
        """Return 0, because springs remove no degree of freedom; called by ASE."""
        return 0


def bond_restraints(atoms: Atoms) -> list[BondRestraints]:
    """Build the restraints for the bonds that a structure records as formed or broken.

    Parameters
    ----------
    atoms : Atoms
        Structure; `info["formed"]` and `info["broken"]` are lists of pairs of indices.

    Returns
    -------
    list of BondRestraints
        One constraint for all bonds; empty if no bond is recorded.
    """
    formed, broken = recorded_pairs(atoms, "formed"), recorded_pairs(atoms, "broken")
    if not formed + broken:
        return []
    pairs = np.array(formed + broken)
    radii = covalent_radii[atoms.numbers[pairs]].sum(axis=1)
    is_formed = np.arange(len(pairs)) < len(formed)
    limits = np.where(is_formed, RESTRAINT_FORMED, RESTRAINT_BROKEN) * radii
    return [BondRestraints(pairs, limits, np.where(is_formed, 1, -1))]
