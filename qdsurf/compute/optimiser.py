"""BFGS that starts from a chemist's Hessian: stiff along bonds, soft elsewhere."""

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from ase.optimize import BFGS

from qdsurf.connectivity import bond_matrix, bond_ratios

# Force constants in eV/A^2. A single bond has 20 to 40 (30 at the sum of covalent radii, falling by e for each
# fifth of it), a bond angle seen as a spring between next neighbours about 4; 0.5 for everything else keeps first
# steps short. Only the number of steps depends on them, not the minimum.
BOND_STIFFNESS, BOND_DECAY, ANGLE_STIFFNESS, FLOOR = 30.0, 5.0, 4.0, 0.5


def model_hessian(atoms: Atoms) -> np.ndarray:
    """Positive definite guess of the Hessian in eV/A^2, shape (3 n, 3 n).

    A sum of springs between all pairs that decays with the distance in units of covalent radii, in the spirit of
    10.1016/0009-2614(95)00646-L.
    """
    vectors, distances = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    n = len(atoms)
    stiffness = BOND_STIFFNESS * np.exp(-BOND_DECAY * (np.maximum(bond_ratios(atoms), 0.9) - 1))
    bonded = bond_matrix(atoms)
    stiffness[(bonded.astype(int) @ bonded.astype(int) > 0) & ~bonded] += ANGLE_STIFFNESS
    np.fill_diagonal(stiffness, 0.0)
    np.fill_diagonal(distances, 1.0)
    unit = vectors / distances[..., None]
    blocks = -stiffness[..., None, None] * unit[..., :, None] * unit[..., None, :]
    blocks[np.arange(n), np.arange(n)] = -blocks.sum(axis=1)
    return blocks.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n) + FLOOR * np.eye(3 * n)


class ModelBFGS(BFGS):
    """ASE's BFGS, begun and begun again with `model_hessian`."""

    def initialize(self):
        """Set the starting Hessian; called by ASE."""
        super().initialize()
        self.H0 = model_hessian(self.atoms)
