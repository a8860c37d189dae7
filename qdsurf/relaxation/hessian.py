"""Hessians without second derivatives: a model from distances, and updates from the steps of a relaxation."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from qdsurf.atomistic.bonding import bond_matrix, bond_ratios

# Force constants in eV/A^2. A single bond has 20 to 40 (30 at the sum of covalent radii, falling by e for each
# fifth of it), a bond angle seen as a spring between next neighbours about 4; 0.5 for everything else keeps first
# steps short. Only the number of steps depends on them, not the minimum.
BOND_STIFFNESS, BOND_DECAY, ANGLE_STIFFNESS, FLOOR = 30.0, 5.0, 4.0, 0.5


SOFTEST = 0.2  # eV/A^2; a softer mode is not trusted with a longer step


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


def update_hessian(hessian: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Update a Hessian by one step and the change of the gradient along it (TS-BFGS); negative curvatures may stay.

    Parameters
    ----------
    hessian : shape (n, n), eV/A^2.
    step, change : in A and eV/A, shape (n,) each; the updated Hessian reproduces the change exactly.

    Returns
    -------
    Updated Hessian, shape (n, n).

    References
    ----------
    10.1021/acs.jctc.9b00869, section 2.
    """
    values, vectors = np.linalg.eigh(hessian)
    weight = _weight(step, change, (vectors * np.abs(values)) @ (vectors.T @ step))
    if weight is None:
        return hessian
    missing = change - hessian @ step
    update = np.outer(missing, weight)
    return hessian + update + update.T - (missing @ step) * np.outer(weight, weight)


def update_by_history(hessian: np.ndarray, steps: Sequence[np.ndarray], changes: Sequence[np.ndarray]) -> np.ndarray:
    """Apply the TS-BFGS update of many steps at once, for relaxations, which correct a new model Hessian at every step.

    The Hessian takes the place of its absolute value in the weights, because the eigenvalues after every update would
    take most of the time. TS-BFGS is used because BFGS fails where the curvature along a step is negative.

    Parameters
    ----------
    hessian : shape (n, n), eV/A^2.
    steps, changes : in A and eV/A, shape (n,) each, oldest first; the last change is reproduced exactly.

    Returns
    -------
    Updated Hessian, shape (n, n).
    """
    missing, weights = np.zeros((2, len(steps), len(hessian)))  # each update is m w + w m - (m s) w w
    overlaps = np.zeros(len(steps))
    for k, (step, change) in enumerate(zip(steps, changes, strict=True)):
        m, w = missing[:k], weights[:k]
        known = hessian @ step + m.T @ (w @ step) + w.T @ (m @ step - overlaps[:k] * (w @ step))
        weight = _weight(step, change, known)
        if weight is not None:
            missing[k], weights[k] = change - known, weight
            overlaps[k] = missing[k] @ step
    mixed = missing.T @ weights
    return hessian + mixed + mixed.T - (weights.T * overlaps) @ weights


def _weight(step: np.ndarray, change: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """Weight vector of a TS-BFGS update; None if the step is too short to update by."""
    weight = (step @ change) * change + (step @ expected) * expected
    scale = weight @ step
    return weight / scale if scale > 1e-12 else None
