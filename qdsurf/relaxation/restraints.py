"""Hold the bonds that a product is to have, and hold apart those it is to lose, while the rest settles."""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import find_mic

from qdsurf.atomistic.bonding import recorded_pairs
from qdsurf.atomistic.bonding_criteria import RESTRAINT_BROKEN, RESTRAINT_FORMED

STIFFNESS_EV_PER_A2 = 10.0  # a force of 3 eV/A, what a strained group exerts, moves a bond by 0.3 A


class HeldBonds:
    """One-sided springs as an ASE constraint: E = k/2 sum (d - d0)^2 on the wrong side of d0.

    Parameters
    ----------
    pairs : indices, shape (n, 2).
    limits : d0 in A, shape (n,).
    pulls : +1 where a distance may not exceed d0, -1 where it may not fall below it, shape (n,).
    """

    def __init__(self, pairs: np.ndarray, limits: np.ndarray, pulls: np.ndarray):
        self.pairs, self.limits, self.pulls = pairs, limits, pulls

    def _stretch(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        i, j = self.pairs.T
        vectors, lengths = find_mic(atoms.positions[j] - atoms.positions[i], atoms.cell, atoms.pbc)
        return np.maximum((lengths - self.limits) * self.pulls, 0.0), vectors / lengths[:, None]

    def adjust_potential_energy(self, atoms: Atoms) -> float:
        """Energy of the springs in eV."""
        return float(0.5 * STIFFNESS_EV_PER_A2 * np.sum(self._stretch(atoms)[0] ** 2))

    def adjust_forces(self, atoms: Atoms, forces: np.ndarray) -> None:
        """Add the springs to the forces, in place."""
        stretch, along = self._stretch(atoms)
        pull = (STIFFNESS_EV_PER_A2 * stretch * self.pulls)[:, None] * along
        np.add.at(forces, self.pairs[:, 0], pull)
        np.add.at(forces, self.pairs[:, 1], -pull)

    def adjust_positions(self, atoms: Atoms, positions: np.ndarray) -> None:
        """Leave positions alone."""

    def get_removed_dof(self, atoms: Atoms) -> int:
        """Springs remove no degree of freedom."""
        return 0


def held_bonds(atoms: Atoms) -> list[HeldBonds]:
    """The restraint for `info["formed"]` and `info["broken"]`, or an empty list where neither names a bond."""
    formed, broken = recorded_pairs(atoms, "formed"), recorded_pairs(atoms, "broken")
    if not formed + broken:
        return []
    pairs = np.array(formed + broken)
    sums = covalent_radii[atoms.numbers[pairs]].sum(axis=1)
    is_formed = np.arange(len(pairs)) < len(formed)
    return [
        HeldBonds(pairs, np.where(is_formed, RESTRAINT_FORMED, RESTRAINT_BROKEN) * sums, np.where(is_formed, 1, -1))
    ]
