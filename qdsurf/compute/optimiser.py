"""BFGS that starts from a chemist's Hessian, stiff along bonds and soft elsewhere, and trusts it while it is right."""

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from ase.optimize import BFGS
from scipy.optimize import brentq

from qdsurf.connectivity import bond_matrix, bond_ratios

# Force constants in eV/A^2. A single bond has 20 to 40 (30 at the sum of covalent radii, falling by e for each
# fifth of it), a bond angle seen as a spring between next neighbours about 4; 0.5 for everything else keeps first
# steps short. Only the number of steps depends on them, not the minimum.
BOND_STIFFNESS, BOND_DECAY, ANGLE_STIFFNESS, FLOOR = 30.0, 5.0, 4.0, 0.5
# Shares of the promised fall in energy, as usual for trust regions (10.1137/1.9780898719857, section 6.1).
BROKEN_PROMISE, KEPT_PROMISE, SHORTEST_A = 0.25, 0.6, 0.02
NOISE_EV = 1e-6  # promises below the noise of an SCF are not judged


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
    """ASE's BFGS, begun and begun again with `model_hessian`, with steps of restricted length.

    No atom moves farther than a radius that begins at `maxstep`, halves where the energy falls by less than a quarter
    of what the Hessian promised, and grows to twice `maxstep` where it keeps its promises. A step that would be longer
    is not scaled but damped: (H + lambda)^-1 g goes on relaxing stiff bonds while it holds soft turns back.
    """

    def initialize(self):
        """Set the starting Hessian; called by ASE."""
        super().initialize()
        self.H0 = model_hessian(self.atoms)
        self.radius, self.last = self.maxstep, None

    def prepare_step(self, pos, gradient):
        """The damped step and how far it moves each atom; called by ASE."""
        gradient, energy = gradient.ravel(), self.atoms.get_potential_energy()
        self.update(pos.ravel(), -gradient, self.pos0, self.forces0)
        self.pos0, self.forces0 = pos.ravel(), -gradient.copy()
        self._adapt(energy)
        step, damped = self._damped_step(gradient)
        lengths = np.linalg.norm(step.reshape(-1, 3), axis=1)
        self.last = energy, gradient @ step + 0.5 * step @ self.state.hessian @ step, lengths.max(), damped
        return step, lengths

    def determine_step(self, dpos, steplengths):
        """Take the step as it is: its length is right."""
        return dpos

    def _adapt(self, energy: float) -> None:
        """Change the radius by how well the last energy was foreseen."""
        if self.last is None:
            return
        before, promised, length, damped = self.last
        if energy - before > BROKEN_PROMISE * promised and abs(promised) > NOISE_EV:
            self.radius = max(length / 2, SHORTEST_A)
        elif damped and energy - before < KEPT_PROMISE * promised:
            self.radius = min(max(self.radius, 1.5 * length), 2 * self.maxstep)

    def _damped_step(self, gradient: np.ndarray) -> tuple[np.ndarray, bool]:
        """Step with the least lambda that keeps it within the radius, and whether there is one."""
        values, modes = np.linalg.eigh(self.state.hessian)
        values, along = np.maximum(np.abs(values), 1e-3), modes.T @ gradient
        step = lambda shift: -modes @ (along / (values + shift))  # noqa: E731
        excess = lambda shift: np.linalg.norm(step(shift).reshape(-1, 3), axis=1).max() - self.radius  # noqa: E731
        if excess(0.0) <= 0:
            return step(0.0), False
        most = np.linalg.norm(gradient) / self.radius  # no step is longer than |g| / lambda
        return step(brentq(excess, 0.0, most, rtol=1e-3)), True
