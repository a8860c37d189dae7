"""Relaxation of thousands of atoms: L-BFGS with the springs of `optimiser` as a sparse preconditioner.

`optimiser.ModelNewton` needs fewer force calls, but diagonalises a dense Hessian at every step. Beyond some hundred
atoms that takes longer than the forces.
"""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import find_mic
from ase.optimize.precon import PreconLBFGS
from ase.optimize.precon.precon import Precon
from scipy import sparse
from scipy.sparse.linalg import cg

from qdsurf.atomistic.bonding import bond_matrix, near_pairs
from qdsurf.errors import CalculationError
from qdsurf.relaxation.coordinates import coordinates_of, free_atoms
from qdsurf.relaxation.hessian import ANGLE_STIFFNESS, BOND_DECAY, BOND_STIFFNESS, FLOOR

SPRING_CUTOFF = 1.8  # in sums of covalent radii; there the stiffness is 2 % of that of a bond
REBUILD_DISPLACEMENT_A = 0.3  # largest displacement of an atom after which the springs are placed again
CG_TOLERANCE = 1e-3


def spring_hessian(atoms: Atoms) -> sparse.csr_array:
    """Sparse form of `optimiser.model_hessian`, eV/A^2, shape (3 n, 3 n)."""
    radii, n = covalent_radii[atoms.numbers], len(atoms)
    i, j, distance = near_pairs(atoms, SPRING_CUTOFF * 2 * radii.max())
    ratio = distance / (radii[i] + radii[j])
    bonded = sparse.csr_array(bond_matrix(atoms).astype(np.int32))
    angles = _entries(bonded @ bonded, i, j) & ~_entries(bonded, i, j)
    stiffness = BOND_STIFFNESS * np.exp(-BOND_DECAY * (np.maximum(ratio, 0.9) - 1)) + ANGLE_STIFFNESS * angles
    kept = (ratio < SPRING_CUTOFF) | angles
    i, j, stiffness = i[kept], j[kept], stiffness[kept]
    unit, length = find_mic(atoms.positions[j] - atoms.positions[i], atoms.cell, atoms.pbc)
    unit = unit / length[:, None]
    blocks = stiffness[:, None, None] * unit[:, :, None] * unit[:, None, :]
    diagonal = np.zeros((n, 3, 3))
    np.add.at(diagonal, i, blocks)
    np.add.at(diagonal, j, blocks)
    diagonal += FLOOR * np.eye(3)
    rows, columns = np.concatenate([i, j, np.arange(n)]), np.concatenate([j, i, np.arange(n)])
    values = np.concatenate([-blocks, -blocks, diagonal])
    axis = np.arange(3)
    row = np.broadcast_to(3 * rows[:, None, None] + axis[:, None], values.shape)
    column = np.broadcast_to(3 * columns[:, None, None] + axis, values.shape)
    return sparse.csr_array((values.ravel(), (row.ravel(), column.ravel())), shape=(3 * n, 3 * n))


def _entries(matrix: sparse.csr_array, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Which of some entries of a sparse matrix are not zero."""
    return np.asarray(matrix[i, j]).ravel() > 0 if len(i) else np.zeros(0, dtype=bool)


class SpringPreconditioner(Precon):
    """`spring_hessian` of the free atoms as a preconditioner of ASE."""

    def __init__(self):
        self.reference_positions = None

    def make_precon(self, atoms, reinitialize=None):
        """Place the springs, or place them again where atoms have moved far."""
        if self.reference_positions is not None:
            moved = np.linalg.norm(atoms.positions - self.reference_positions, axis=1)
            if moved.max() < REBUILD_DISPLACEMENT_A:
                return
        self.reference_positions = atoms.positions.copy()
        self.rows, self.size = coordinates_of(free_atoms(atoms)), 3 * len(atoms)
        self.matrix = spring_hessian(atoms)[self.rows][:, self.rows]
        self.inverse_diagonal = sparse.diags_array(1 / self.matrix.diagonal())

    def Pdot(self, x):
        """Product with the Hessian."""
        out = np.zeros(self.size)
        out[self.rows] = self.matrix @ x[self.rows]
        return out

    def solve(self, x):
        """Solve H y = x by conjugate gradients."""
        out = np.zeros(self.size)
        out[self.rows] = cg(self.matrix, x[self.rows], rtol=CG_TOLERANCE, M=self.inverse_diagonal)[0]
        return out

    def copy(self):
        """Return a new, empty preconditioner."""
        return SpringPreconditioner()

    def asarray(self):
        """The dense matrix of the free atoms."""
        return self.matrix.toarray()


class SpringLBFGS(PreconLBFGS):
    """L-BFGS (10.1063/1.4947024) with springs as preconditioner; a failed line search is a failed calculation.

    Parameters
    ----------
    atoms : with a calculator.
    max_step : longest displacement of an atom in one step, A.

    Attributes
    ----------
    evaluations : number of energies that line searches have asked for.
    """

    def __init__(self, atoms: Atoms, max_step: float):
        self.evaluations, self.failure = 0, None
        super().__init__(atoms, logfile=None, maxstep=max_step, precon=SpringPreconditioner(), use_armijo=True)

    def func(self, x):
        """Energy at a trial point; called by ASE, which takes an error for a failed search."""
        self.evaluations += 1
        try:
            return super().func(x)
        except Exception as error:
            self.failure = error
            raise

    def step(self, f=None):
        """Take one step; called by ASE.

        Raises
        ------
        CalculationError
            The calculator failed, or no step lowers the energy.
        """
        self.failure = None
        try:
            super().step(f)
        except (RuntimeError, ValueError) as error:
            raise CalculationError(f"the line search failed: {self.failure or error}") from error
