"""Hessians without second derivatives: a model from interatomic distances, and updates from gradients."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from qdsurf.atomistic.bonding import bond_matrix, bond_ratios

# Force constants in eV/A^2. A single bond has 20 to 40 (here 30 at the sum of the covalent radii, decreasing by a
# factor of e for each fifth of it). A bond angle, described by a spring between second neighbours, has about 4. The
# diagonal is increased by 0.5 so that the first steps are short. The values affect only the number of steps, not the
# minimum.
BOND_STIFFNESS, BOND_DECAY, ANGLE_STIFFNESS, FLOOR = 30.0, 5.0, 4.0, 0.5

# Steps along a mode are computed with at least this curvature in eV/A^2, because softer modes would get long steps.
LEAST_CURVATURE = 0.2
# An update is skipped if its denominator is not above this limit, because the step is too short.
LEAST_UPDATE_EV2 = 1e-12


def model_hessian(atoms: Atoms) -> np.ndarray:
    """Estimate the Hessian as a sum of springs between all pairs of atoms.

    The stiffness of a spring decreases exponentially with the distance in units of the covalent radii.

    Parameters
    ----------
    atoms : Atoms
        Structure of n atoms.

    Returns
    -------
    ndarray of float
        Positive definite matrix in eV/A^2, shape (3 n, 3 n).

    References
    ----------
    In the spirit of Lindh et al., Chem. Phys. Lett. 241, 423 (1995), 10.1016/0009-2614(95)00646-L.
    """
    vectors, distances = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    n = len(atoms)
    stiffness = BOND_STIFFNESS * np.exp(-BOND_DECAY * (np.maximum(bond_ratios(atoms), 0.9) - 1))
    bonded = bond_matrix(atoms)
    second_neighbours = (bonded.astype(int) @ bonded.astype(int) > 0) & ~bonded
    stiffness[second_neighbours] += ANGLE_STIFFNESS
    np.fill_diagonal(stiffness, 0.0)
    np.fill_diagonal(distances, 1.0)
    unit = vectors / distances[..., None]
    blocks = -stiffness[..., None, None] * unit[..., :, None] * unit[..., None, :]
    blocks[np.arange(n), np.arange(n)] = -blocks.sum(axis=1)
    return blocks.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n) + FLOOR * np.eye(3 * n)


def update_hessian(hessian: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Update a Hessian by one step with the TS-BFGS formula, which keeps negative curvatures.

    Parameters
    ----------
    hessian : ndarray
        In eV/A^2, shape (n, n).
    step : ndarray
        Displacement in A, shape (n,).
    change : ndarray
        Change of the gradient along the step in eV/A, shape (n,).

    Returns
    -------
    ndarray of float
        Updated Hessian in eV/A^2, shape (n, n). Its product with the step is the change of the gradient. A step that
        is too short leaves the Hessian unchanged.

    References
    ----------
    10.1021/acs.jctc.9b00869, section 2.
    """
    values, vectors = np.linalg.eigh(hessian)
    weight = _update_weight(step, change, (vectors * np.abs(values)) @ (vectors.T @ step))
    if weight is None:
        return hessian
    missing = change - hessian @ step
    update = np.outer(missing, weight)
    return hessian + update + update.T - (missing @ step) * np.outer(weight, weight)


def update_by_history(hessian: np.ndarray, steps: Sequence[np.ndarray], changes: Sequence[np.ndarray]) -> np.ndarray:
    """Apply the TS-BFGS updates of many steps at once, for relaxations that correct a new model Hessian at every step.

    The weights contain the Hessian instead of its absolute value, because diagonalising it after every update would
    take most of the time. TS-BFGS is used because BFGS fails where the curvature along a step is negative.

    Parameters
    ----------
    hessian : ndarray
        In eV/A^2, shape (n, n).
    steps : sequence of ndarray
        Displacements in A, shape (n,) each, oldest first.
    changes : sequence of ndarray
        Changes of the gradient along the steps in eV/A, shape (n,) each.

    Returns
    -------
    ndarray of float
        Updated Hessian in eV/A^2, shape (n, n). Its product with the last step is the last change of the gradient.

    References
    ----------
    10.1021/acs.jctc.9b00869, section 2.
    """
    # Update k adds m w^T + w m^T - (m s) w w^T, where m is the missing change, w the weight and s the step.
    missing, weights = np.zeros((2, len(steps), len(hessian)))
    overlaps = np.zeros(len(steps))
    for k, (step, change) in enumerate(zip(steps, changes, strict=True)):
        m, w = missing[:k], weights[:k]
        predicted = hessian @ step + m.T @ (w @ step) + w.T @ (m @ step - overlaps[:k] * (w @ step))
        weight = _update_weight(step, change, predicted)
        if weight is not None:
            missing[k], weights[k] = change - predicted, weight
            overlaps[k] = missing[k] @ step
    mixed = missing.T @ weights
    return hessian + mixed + mixed.T - (weights.T * overlaps) @ weights


def _update_weight(step: np.ndarray, change: np.ndarray, predicted: np.ndarray) -> np.ndarray | None:
    """Return the weight vector of a TS-BFGS update in 1/A, or None if the step is too short."""
    weight = (step @ change) * change + (step @ predicted) * predicted
    scale = weight @ step
    return weight / scale if scale > LEAST_UPDATE_EV2 else None
