"""Quasi-Newton relaxation: the Hessian is a guess for where the atoms are now, corrected by every step so far."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from ase.optimize.optimize import Optimizer
from scipy.optimize import brentq

from qdsurf.compute.path import coordinates_of, free_atoms, longest
from qdsurf.connectivity import bond_matrix, bond_ratios

# Force constants in eV/A^2. A single bond has 20 to 40 (30 at the sum of covalent radii, falling by e for each
# fifth of it), a bond angle seen as a spring between next neighbours about 4; 0.5 for everything else keeps first
# steps short. Only the number of steps depends on them, not the minimum.
BOND_STIFFNESS, BOND_DECAY, ANGLE_STIFFNESS, FLOOR = 30.0, 5.0, 4.0, 0.5
# Shares of the promised fall in energy, as usual for trust regions (10.1137/1.9780898719857, section 6.1).
BROKEN_PROMISE, KEPT_PROMISE, SHORTEST_A = 0.25, 0.6, 0.02
SOFTEST = 0.2  # eV/A^2; a softer mode is not trusted with a longer step
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


def correct(hessian: np.ndarray, steps: Sequence[np.ndarray], changes: Sequence[np.ndarray]) -> np.ndarray:
    """Correct a Hessian by steps and the changes of the gradient along them, one after the other.

    The update is TS-BFGS (10.1021/acs.jctc.9b00869, section 2), since BFGS breaks down on a ridge, where the curvature
    along a step is negative; with the Hessian in place of its absolute value, which many steps make expensive.

    Parameters
    ----------
    hessian : shape (n, n), eV/A^2.
    steps, changes : in A and eV/A, shape (n,) each, oldest first; the last one is met exactly.
    """
    missing, weights = np.zeros((2, len(steps), len(hessian)))  # each update is m w + w m - (m s) w w
    overlaps = np.zeros(len(steps))
    for k, (step, change) in enumerate(zip(steps, changes, strict=True)):
        m, w = missing[:k], weights[:k]
        known = hessian @ step + m.T @ (w @ step) + w.T @ (m @ step - overlaps[:k] * (w @ step))
        weight = (step @ change) * change + (step @ known) * known
        if (scale := weight @ step) > 1e-12:
            missing[k], weights[k] = change - known, weight / scale
            overlaps[k] = missing[k] @ step
    mixed = missing.T @ weights
    return hessian + mixed + mixed.T - (weights.T * overlaps) @ weights


class ModelNewton(Optimizer):
    """Relaxes with `model_hessian` of the current geometry, corrected by all steps of the walk, in restricted steps.

    Groups that turn take the guess with them, and what was learnt of them before weighs less than what was learnt last.
    No atom moves farther than a radius that begins at `max_step`, halves where the energy falls by less than a quarter
    of what the Hessian promised, and grows to twice `max_step` where it keeps its promises; a step that ends higher
    is taken back. A step that would be longer is not scaled but damped: (H + lambda)^-1 g goes on relaxing
    stiff bonds while it holds soft turns back.

    Parameters
    ----------
    atoms : with a calculator; what FixAtoms holds is in no Hessian.
    max_step : A.
    """

    def __init__(self, atoms: Atoms, max_step: float = 0.1, logfile=None):
        self.max_step = max_step
        super().__init__(atoms, logfile=logfile)

    def initialize(self):
        """Forget what was learnt; called by ASE."""
        self.free = free_atoms(self.atoms)
        self.radius, self.last = self.max_step, None
        self.steps, self.changes = [], []

    def step(self, gradient=None):
        """Take one step; called by ASE, whose gradient holds the fixed atoms too and is not used."""
        gradient, energy = -self.atoms.get_forces()[self.free].ravel(), self.atoms.get_potential_energy()
        at = self.atoms.positions[self.free].ravel()
        if self.last is not None:
            at, gradient, energy = self._judge(at, gradient, energy)
        rows = coordinates_of(self.free)
        hessian = correct(model_hessian(self.atoms)[np.ix_(rows, rows)], self.steps, self.changes)
        step, damped = self._damped_step(hessian, gradient)
        promised = gradient @ step + 0.5 * step @ hessian @ step
        self.last = at, gradient, energy, promised, longest(step), damped
        self._go_to(at + step)

    def _go_to(self, at: np.ndarray) -> None:
        """Move the free atoms."""
        positions = self.atoms.positions.copy()
        positions[self.free] = at.reshape(-1, 3)
        self.atoms.set_positions(positions)

    def _judge(self, at: np.ndarray, gradient: np.ndarray, energy: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Keep what the last step taught, adapt the radius to how well it was foreseen; the point to go on from.

        That is where the step began, if the energy has risen against the promise.
        """
        before, old_gradient, old_energy, promised, length, damped = self.last
        if longest(at - before) > 1e-7:
            self.steps.append(at - before)
            self.changes.append(gradient - old_gradient)
        if energy - old_energy > BROKEN_PROMISE * promised and abs(promised) > NOISE_EV:
            self.radius = max(length / 2, SHORTEST_A)
            if energy > old_energy + NOISE_EV:
                self._go_to(before)
                return before, old_gradient, old_energy
        elif damped and energy - old_energy < KEPT_PROMISE * promised:
            self.radius = min(max(self.radius, 1.5 * length), 2 * self.max_step)
        return at, gradient, energy

    def _damped_step(self, hessian: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, bool]:
        """Step with the least lambda that keeps it within the radius, and whether there is one."""
        values, modes = np.linalg.eigh(hessian)
        values, along = np.maximum(np.abs(values), SOFTEST), modes.T @ gradient
        step = lambda shift: -modes @ (along / (values + shift))  # noqa: E731
        if longest(step(0.0)) <= self.radius:
            return step(0.0), False
        most = np.linalg.norm(gradient) / self.radius  # no step is longer than |g| / lambda
        return step(brentq(lambda shift: longest(step(shift)) - self.radius, 0.0, most, rtol=1e-3)), True
