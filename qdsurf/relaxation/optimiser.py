"""Quasi-Newton relaxation: the Hessian is a guess for where the atoms are now, corrected by every step so far."""

import numpy as np
from ase import Atoms
from ase.optimize.optimize import Optimizer
from scipy.optimize import brentq

from qdsurf.relaxation.coordinates import coordinates_of, free_atoms, longest
from qdsurf.relaxation.hessian import SOFTEST, model_hessian, update_by_history

# Shares of the promised fall in energy, as usual for trust regions (10.1137/1.9780898719857, section 6.1).
BROKEN_PROMISE, KEPT_PROMISE, SHORTEST_A = 0.25, 0.6, 0.02
NOISE_EV = 1e-6  # promises below the noise of an SCF are not judged


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
        hessian = update_by_history(model_hessian(self.atoms)[np.ix_(rows, rows)], self.steps, self.changes)
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
