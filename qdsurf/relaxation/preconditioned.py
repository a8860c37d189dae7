"""Relaxation of thousands of atoms by L-BFGS with the springs of the model Hessian as a sparse preconditioner.

`optimiser.ModelNewton` needs fewer force calls, but it diagonalises a dense Hessian at every step. Above a few hundred
atoms the diagonalisation takes longer than the forces.
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

# In units of the sum of the covalent radii; at this distance a spring has 2 % of the stiffness of a bond.
SPRING_CUTOFF = 1.8
# Largest displacement of an atom after which the springs are computed again.
REBUILD_DISPLACEMENT_A = 0.3
CG_TOLERANCE = 1e-3


def spring_hessian(atoms: Atoms) -> sparse.csr_array:
    """Compute the sparse form of `hessian.model_hessian`, without springs beyond `SPRING_CUTOFF`.

    Parameters
    ----------
    atoms : Atoms
        Structure of n atoms.

    Returns
    -------
    scipy.sparse.csr_array
        Positive definite matrix in eV/A^2, shape (3 n, 3 n).
    """
    radii, n = covalent_radii[atoms.numbers], len(atoms)
    i, j, distance = near_pairs(atoms, SPRING_CUTOFF * 2 * radii.max())
    ratio = distance / (radii[i] + radii[j])
    bonded = sparse.csr_array(bond_matrix(atoms).astype(np.int32))
    second_neighbours = _are_nonzero(bonded @ bonded, i, j) & ~_are_nonzero(bonded, i, j)
    stiffness = BOND_STIFFNESS * np.exp(-BOND_DECAY * (np.maximum(ratio, 0.9) - 1))
    stiffness = stiffness + ANGLE_STIFFNESS * second_neighbours
    kept = (ratio < SPRING_CUTOFF) | second_neighbours
    i, j, stiffness = i[kept], j[kept], stiffness[kept]
    unit, length = find_mic(atoms.positions[j] - atoms.positions[i], atoms.cell, atoms.pbc)
    unit = unit / length[:, None]
    blocks = stiffness[:, None, None] * unit[:, :, None] * unit[:, None, :]
    diagonal = np.zeros((n, 3, 3))
    np.add.at(diagonal, i, blocks)
    np.add.at(diagonal, j, blocks)
    diagonal += FLOOR * np.eye(3)
    block_rows = np.concatenate([i, j, np.arange(n)])
    block_columns = np.concatenate([j, i, np.arange(n)])
    values = np.concatenate([-blocks, -blocks, diagonal])
    axis = np.arange(3)
    rows = np.broadcast_to(3 * block_rows[:, None, None] + axis[:, None], values.shape)
    columns = np.broadcast_to(3 * block_columns[:, None, None] + axis, values.shape)
    return sparse.csr_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=(3 * n, 3 * n))


def _are_nonzero(matrix: sparse.csr_array, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the mask of the entries (i, j) of a sparse matrix that are positive, shape (p,)."""
    return np.asarray(matrix[i, j]).ravel() > 0 if len(i) else np.zeros(0, dtype=bool)


class SpringPreconditioner(Precon):
    """Preconditioner of ASE with `spring_hessian` of the free atoms."""

    def __init__(self) -> None:
        self.reference_positions: np.ndarray | None = None

    def make_precon(self, atoms: Atoms, reinitialize: bool | None = None) -> None:
        """Compute the springs, or compute them again if an atom has moved far; called by ASE."""
        if self.reference_positions is not None:
            moved = np.linalg.norm(atoms.positions - self.reference_positions, axis=1)
            if moved.max() < REBUILD_DISPLACEMENT_A:
                return
        self.reference_positions = atoms.positions.copy()
        self.coordinates, self.size = coordinates_of(free_atoms(atoms)), 3 * len(atoms)
        self.matrix = spring_hessian(atoms)[self.coordinates][:, self.coordinates]
        self.inverse_diagonal = sparse.diags_array(1 / self.matrix.diagonal())

    def Pdot(self, x: np.ndarray) -> np.ndarray:
        """Return the product of the Hessian with a vector of shape (3 n,); 0 for fixed atoms."""
        product = np.zeros(self.size)
        product[self.coordinates] = self.matrix @ x[self.coordinates]
        return product

    def solve(self, x: np.ndarray) -> np.ndarray:
        """Solve H y = x by conjugate gradients for a vector of shape (3 n,); y is 0 for fixed atoms."""
        solution = np.zeros(self.size)
        right_side = x[self.coordinates]
        solution[self.coordinates] = cg(self.matrix, right_side, rtol=CG_TOLERANCE, M=self.inverse_diagonal)[0]
        return solution

    def copy(self) -> "SpringPreconditioner":
        """Return a new preconditioner without springs."""
        return SpringPreconditioner()

    def asarray(self) -> np.ndarray:
        """Return the dense Hessian of the m free atoms in eV/A^2, shape (3 m, 3 m)."""
        return self.matrix.toarray()


class SpringLBFGS(PreconLBFGS):
    """Preconditioned L-BFGS (10.1063/1.4947024) with springs; a failed line search raises an error.

    Parameters
    ----------
    atoms : Atoms
        Structure with a calculator.
    max_step : float
        Longest displacement of an atom in one step in A.

    Attributes
    ----------
    evaluations : int
        Number of energies that the line searches have computed.
    """

    def __init__(self, atoms: Atoms, max_step: float):
        self.evaluations = 0
        self.failure: Exception | None = None
        super().__init__(atoms, logfile=None, maxstep=max_step, precon=SpringPreconditioner(), use_armijo=True)

    def func(self, x: np.ndarray) -> float:
        """Return the energy at a trial point in eV; called by ASE, which treats any error as a failed line search."""
        self.evaluations += 1
        try:
            return super().func(x)
        except Exception as error:
            self.failure = error
            raise

    def step(self, f: np.ndarray | None = None) -> None:
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
