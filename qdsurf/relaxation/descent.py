"""One relaxation under supervision: it notices a failed SCF, a changed SCF solution, and a structure that is lost."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms

from qdsurf.errors import CalculationError
from qdsurf.relaxation.coordinates import free_atoms
from qdsurf.relaxation.optimiser import ModelNewton
from qdsurf.relaxation.preconditioned import SpringLBFGS

StateCheck = Callable[[Atoms, Atoms], str]
"""Compares the starting with the present structure; says why the state is lost, or returns an empty string."""
Report = Callable[[int, float], None]
"""Receives the number of force calls and the largest force in eV/A."""

# A step whose energy change differs from the work of the forces by more than this has changed the SCF solution.
JUMP_EV = 0.5
MAX_JUMPS = 2
MAX_STEP_A = 0.1  # longer steps cross ridges and cost as many calls
# Attempts to recover a failed SCF where a smaller step, or another candidate, costs less than the remaining attempts.
QUICK_RUNGS = 4
# Abort when the largest force exceeds this limit at ten consecutive calls after call 50. Relaxations of small
# structures that did so in the benchmark set never converged.
HOPELESS_EV_PER_A, HOPELESS_CALLS, HOPELESS_ROW = 1.0, 50, 10
MAX_ATOMS_DENSE_HESSIAN = 300  # free atoms, above which diagonalising their Hessian takes longer than their forces
CHECK_EVERY = 5  # calls between two checks that the structure is still in its state


class Descent:
    """Relax one structure and keep the last point whose energy and forces agree.

    Parameters
    ----------
    atoms : Atoms
        Structure with a calculator; its positions change.
    forget : callable
        Lets the calculator drop its last density.
    report : callable, optional
        Receives the number of calls and the largest force after every call.

    Attributes
    ----------
    positions : ndarray
        Of the last point, A, shape (n, 3).
    energy, max_force : float or None
        Of that point, in eV and eV/A; None before the first call.
    forces : ndarray or None
        Of that point, eV/A, shape (n, 3).
    calls, jumps : int
        Force calls, and how often the calculator failed or its energy jumped.
    """

    def __init__(self, atoms: Atoms, forget: Callable[[], Any] = lambda: None, report: Report | None = None):
        self.atoms, self.forget, self.report = atoms, forget, report
        self.start = atoms.copy()
        self.positions = atoms.positions.copy()
        self.energy: float | None = None
        self.max_force: float | None = None
        self.forces: np.ndarray | None = None
        self.calls = self.first_call = self.jumps = self.strained_calls = 0

    def restart(self) -> None:
        """Drop the energy, for instance because restraints were removed; the positions stay."""
        self.energy = self.forces = self.max_force = None
        self.atoms.positions = self.positions
        self.jumps = 0

    def run(self, max_steps: int, fmax: float, check: StateCheck | None = None) -> str:
        """Relax until no force exceeds `fmax`.

        Parameters
        ----------
        max_steps : int
            Steps of the optimiser; 0 is a single point.
        fmax : float
            Largest force on a free atom at convergence, eV/A.
        check : callable, optional
            Ends the relaxation if the structure has left its state.

        Returns
        -------
        str
            `converged`, or why the relaxation ended.

        Raises
        ------
        CalculationError
            The calculator failed at the first call.
        """
        max_step, self.first_call = MAX_STEP_A, self.calls
        while self.jumps <= MAX_JUMPS:
            try:
                if reason := self._follow_optimiser(max_step, max_steps, fmax, check):
                    return reason
            except CalculationError:
                if self.energy is None:
                    raise
                self.calls += 1
            self.jumps += 1
            self.atoms.positions = self.positions  # back to the last consistent point, then in smaller steps
            self.forget()
            max_step /= 2
        return f"stopped: the calculator failed or its energy jumped {self.jumps} times"

    def _follow_optimiser(self, max_step: float, max_steps: int, fmax: float, check: StateCheck | None) -> str:
        """Run the optimiser to its end; an empty string means that the SCF solution has changed."""
        small = len(free_atoms(self.atoms)) <= MAX_ATOMS_DENSE_HESSIAN
        optimiser = (ModelNewton if small else SpringLBFGS)(self.atoms, max_step)
        evaluations = 0
        for _ in optimiser.irun(fmax=fmax, steps=max(0, max_steps - self.calls + self.first_call)):
            if isinstance(optimiser, SpringLBFGS):  # its line search also evaluates points that it does not accept
                self.calls += max(0, optimiser.evaluations - evaluations - 1)
                evaluations = optimiser.evaluations
            max_force = self._accept_point()
            if max_force is None:
                return ""
            if max_force < fmax:
                return "converged"
            calls = self.calls - self.first_call
            if small and calls > HOPELESS_CALLS and self.strained_calls >= HOPELESS_ROW:
                return f"stopped: a force of {max_force:.2f} eV/A is left after {calls} calls"
            if check and self.calls % CHECK_EVERY == 0 and (departure := check(self.start, self.atoms)):
                return f"stopped: {departure}"
        return f"not converged in {max_steps} steps"

    def _accept_point(self) -> float | None:
        """Keep the present point if its energy agrees with the forces; its largest force, or None if it does not."""
        energy = float(self.atoms.get_potential_energy())
        forces = self.atoms.get_forces()
        self.calls += 1
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise CalculationError("energy or forces are not finite")
        if self.energy is not None:
            step = self.atoms.positions - self.positions
            expected = -0.5 * np.sum((forces + self.forces) * step)
            if abs(energy - self.energy - expected) > JUMP_EV + 0.5 * abs(expected):
                return None
        max_force = float(np.sqrt((forces**2).sum(axis=1).max()))
        self.positions, self.energy, self.forces = self.atoms.positions.copy(), energy, forces
        self.max_force = max_force
        self.strained_calls = self.strained_calls + 1 if max_force > HOPELESS_EV_PER_A else 0
        if self.report:
            self.report(self.calls, max_force)
        # From here on a step back costs less than the last attempts to recover the SCF.
        self.atoms.calc.rungs = QUICK_RUNGS
        return max_force
