"""Quasi-Newton relaxation with a model Hessian of the current geometry, corrected by all previous steps."""

from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.optimize.optimize import Optimizer
from scipy.optimize import brentq

from qdsurf.relaxation.coordinates import coordinates_of, free_atoms, longest
from qdsurf.relaxation.hessian import LEAST_CURVATURE, model_hessian, update_by_history

# Actual divided by predicted change of the energy, as usual for trust regions (10.1137/1.9780898719857, section 6.1):
# below the first limit the trust radius decreases, above the second one it increases.
POOR_AGREEMENT, GOOD_AGREEMENT = 0.25, 0.6
SMALLEST_RADIUS_A = 0.02
# Predicted changes below the noise of an SCF are not compared with the actual ones.
NOISE_EV = 1e-6


class _Step(NamedTuple):
    """The last step: where it started, with gradient (eV/A) and energy (eV), and what the Hessian predicted."""

    start: np.ndarray
    gradient: np.ndarray
    energy: float
    predicted_change: float
    longest_A: float
    damped: bool


class ModelNewton(Optimizer):
    """Relax a structure by Newton steps with `model_hessian`, corrected by all previous steps, in a trust region.

    The model is computed for the current geometry, so that it follows groups that rotate. Of the corrections, the last
    one has the largest weight.

    No atom moves farther than the trust radius. The radius starts at `max_step`. It is set to half of the last step if
    the energy decreases by less than a quarter of the predicted change, and it grows up to twice `max_step` if the
    prediction is good. A step that raises the energy is undone. A step longer than the radius is not scaled but damped:
    the step -(H + lambda)^-1 g still relaxes stiff bonds and limits soft rotations.

    Parameters
    ----------
    atoms : Atoms
        Structure with a calculator. Atoms fixed by FixAtoms are not part of the Hessian.
    max_step : float
        Initial trust radius in A.
    logfile : str or file, optional
        Log of ASE; None writes no log.
    """

    def __init__(self, atoms: Atoms, max_step: float = 0.1, logfile: Any = None):
        self.max_step = max_step
        super().__init__(atoms, logfile=logfile)

    def initialize(self) -> None:
        """Start without any previous steps; called by ASE."""
        self.free = free_atoms(self.atoms)
        self.radius = self.max_step
        self.last: _Step | None = None
        self.steps: list[np.ndarray] = []
        self.changes: list[np.ndarray] = []

    def step(self, gradient: np.ndarray | None = None) -> None:
        """Take one step; called by ASE.

        Parameters
        ----------
        gradient : ndarray, optional
            Not used, because the gradient of ASE includes the fixed atoms.
        """
        gradient = -self.atoms.get_forces()[self.free].ravel()
        energy = self.atoms.get_potential_energy()
        positions = self.atoms.positions[self.free].ravel()
        if self.last is not None:
            positions, gradient, energy = self._assess_last_step(self.last, positions, gradient, energy)
        coordinates = coordinates_of(self.free)
        model = model_hessian(self.atoms)[np.ix_(coordinates, coordinates)]
        hessian = update_by_history(model, self.steps, self.changes)
        step, damped = self._damped_step(hessian, gradient)
        predicted = gradient @ step + 0.5 * step @ hessian @ step
        self.last = _Step(positions, gradient, energy, predicted, longest(step), damped)
        self._move_to(positions + step)

    def _move_to(self, free_positions: np.ndarray) -> None:
        """Set the positions of the free atoms."""
        positions = self.atoms.positions.copy()
        positions[self.free] = free_positions.reshape(-1, 3)
        self.atoms.set_positions(positions)

    def _assess_last_step(
        self, last: _Step, positions: np.ndarray, gradient: np.ndarray, energy: float
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Store the last step for the Hessian and adapt the trust radius to the quality of its prediction.

        Returns the positions, gradient and energy from which to continue: those before the step if it raised the
        energy.
        """
        if longest(positions - last.start) > 1e-7:
            self.steps.append(positions - last.start)
            self.changes.append(gradient - last.gradient)
        change = energy - last.energy
        if change > POOR_AGREEMENT * last.predicted_change and abs(last.predicted_change) > NOISE_EV:
            self.radius = max(last.longest_A / 2, SMALLEST_RADIUS_A)
            if energy > last.energy + NOISE_EV:
                self._move_to(last.start)
                return last.start, last.gradient, last.energy
        elif last.damped and change < GOOD_AGREEMENT * last.predicted_change:
            self.radius = min(max(self.radius, 1.5 * last.longest_A), 2 * self.max_step)
        return positions, gradient, energy

    def _damped_step(self, hessian: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, bool]:
        """Return the step with the smallest damping that keeps it within the radius, and whether it is damped."""
        values, modes = np.linalg.eigh(hessian)
        curvatures = np.maximum(np.abs(values), LEAST_CURVATURE)
        along_modes = modes.T @ gradient

        def step(damping: float) -> np.ndarray:
            return -modes @ (along_modes / (curvatures + damping))

        if longest(step(0.0)) <= self.radius:
            return step(0.0), False
        # No step is longer than |g| / lambda.
        largest_damping = np.linalg.norm(gradient) / self.radius
        damping = brentq(lambda damping: longest(step(damping)) - self.radius, 0.0, largest_damping, rtol=1e-3)
        return step(damping), True
