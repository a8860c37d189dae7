"""A first path between two structures without force calls: the geodesic in coordinates made of all distances."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import covalent_radii
from ase.mep import NEB
from ase.neighborlist import neighbor_list
from scipy.optimize import minimize
from scipy.sparse import csr_array

from qdsurf.errors import InputError
from qdsurf.relaxation.coordinates import displacements, free_atoms

# Morse-like coordinates of 10.1063/1.5090303, eq. 5: they change strongly if two atoms are too close, and hardly at
# distances of 3 A.
DECAY, TAIL = 1.7, 0.01
# Pairs that are never closer than this are neglected.
PAIR_CUTOFF_A = 8.0
# Weight of squared Cartesian distances in A^2, for displacements that change no pair coordinate.
CARTESIAN_WEIGHT = 1e-3
IMAGES = 13
MAX_ITERATIONS = 500
# Largest distance in A between the positions of a fixed atom in the two states.
FIXED_ATOM_SHIFT_A = 1e-3


class Pairs(NamedTuple):
    """Pairs of atoms i < j.

    Each periodic image of j is a separate pair, so that no coordinate is discontinuous at half a cell.

    Attributes
    ----------
    i, j : ndarray of int
        Indices of the atoms, shape (p,).
    shift_A : ndarray of float
        Lattice vector of the image of j in A, shape (p, 3).
    radii_A : ndarray of float
        Sums of the covalent radii in A, shape (p,).
    """

    i: np.ndarray
    j: np.ndarray
    shift_A: np.ndarray
    radii_A: np.ndarray


def assert_path_ends(initial: Atoms, final: Atoms) -> None:
    """Check that a path can join two structures.

    Raises
    ------
    InputError
        The atoms, their order, the cells, or the fixed atoms differ; there is only one atom; or a constraint is not
        FixAtoms.
    """
    if len(initial) != len(final):
        raise InputError(
            f"path: the initial state has {len(initial)} atoms, the final {len(final)}; give the same atoms in both"
        )
    if len(initial) < 2:
        raise InputError(f"path: {len(initial)} atoms; a path needs distances between atoms, so give two atoms or more")
    for number, (one, other) in enumerate(zip(initial.symbols, final.symbols, strict=True)):
        if one != other:
            raise InputError(
                f"path: atom {number} is {one} in the initial and {other} in the final state; give the atoms of both "
                "states in the same order"
            )
    if (initial.pbc != final.pbc).any() or (initial.pbc.any() and not np.allclose(initial.cell, final.cell, atol=1e-6)):
        raise InputError("path: the cells of the initial and final state differ; relax both in the same cell")
    for atoms in (initial, final):
        for constraint in atoms.constraints:
            if not isinstance(constraint, FixAtoms):
                kind = type(constraint).__name__
                raise InputError(f"path: constraint {kind} is not supported; fix atoms with FixAtoms only")
    free = free_atoms(initial)
    if not np.array_equal(free, free_atoms(final)):
        raise InputError("path: the fixed atoms of the initial and final state differ; fix the same atoms in both")
    fixed = np.setdiff1d(np.arange(len(initial)), free)
    shift = np.abs(displacements(initial, final)[fixed]).max(initial=0.0)
    if shift > FIXED_ATOM_SHIFT_A:
        raise InputError(
            f"path: a fixed atom moves by {shift:.3f} A between the two states; give it the same position in both"
        )


def geodesic_path(initial: Atoms, final: Atoms, images: int = IMAGES, through: Sequence[Atoms] = ()) -> list[Atoms]:
    """Compute the shortest path in coordinates made of all distances, on which bonds rotate rather than stretch.

    Parameters
    ----------
    initial, final : Atoms
        The same atoms in the same order; see `assert_path_ends`.
    images : int
        Number of images with the two ends.
    through : sequence of Atoms
        Structures between the two, such as those of a driven path, through which the first guess leads. Without them
        the first guess is the IDPP path of ASE.

    Returns
    -------
    list of Atoms
        Copies of the initial state with the positions of the images. If the structure is a free molecule, the final
        state is superimposed on the initial state.

    References
    ----------
    10.1063/1.5090303.
    """
    path = _interpolate_linearly([initial, *through, final], images) if through else _idpp(initial, final, images)
    free = free_atoms(initial)
    pairs = _find_pairs(path, free)
    positions = np.array([atoms.positions for atoms in path])

    def length(flat: np.ndarray) -> tuple[float, np.ndarray]:
        positions[1:-1, free] = flat.reshape(images - 2, len(free), 3)
        value, gradient = _squared_length(positions, pairs)
        return value, gradient[1:-1, free].ravel()

    start = positions[1:-1, free].ravel()
    minimize(length, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS})
    for atoms, image_positions in zip(path, positions, strict=True):
        atoms.positions = image_positions
    return path


def _idpp(initial: Atoms, final: Atoms, images: int) -> list[Atoms]:
    """Return the path of the image-dependent pair potential (10.1063/1.4878664) of ASE."""
    path = _interpolate_linearly([initial, final], images)
    NEB(path, method="improvedtangent").interpolate("idpp")
    return path


def _interpolate_linearly(structures: Sequence[Atoms], images: int) -> list[Atoms]:
    """Return images at equal Cartesian distances along the straight lines through some structures."""
    knots = [structures[0].positions]
    for atoms in structures[1:]:
        previous = structures[0].copy()
        previous.positions = knots[-1]
        knots.append(knots[-1] + displacements(previous, atoms))
    points = np.array(knots)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=(1, 2))
    lengths = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-9))])
    path = []
    for place in np.linspace(0.0, lengths[-1], images):
        k = min(int(np.searchsorted(lengths, place, side="right")) - 1, len(points) - 2)
        fraction = (place - lengths[k]) / (lengths[k + 1] - lengths[k])
        path.append(structures[0].copy())
        path[-1].set_positions(points[k] + fraction * (points[k + 1] - points[k]), apply_constraint=False)
    return path


def _find_pairs(path: Sequence[Atoms], free: np.ndarray) -> Pairs:
    """Return all pairs with a free atom that are within the cutoff at the ends or in the middle of a path."""
    found = []
    for atoms in (path[0], path[len(path) // 2], path[-1]):
        i, j, cells = neighbor_list("ijS", atoms, PAIR_CUTOFF_A)
        found.append(np.column_stack([i, j, cells]))
    table = np.unique(np.concatenate(found), axis=0)
    i, j = table[:, 0], table[:, 1]
    table = table[(i < j) & (np.isin(i, free) | np.isin(j, free))]
    i, j = table[:, 0], table[:, 1]
    radii = covalent_radii[path[0].numbers]
    return Pairs(i, j, table[:, 2:] @ path[0].cell.array, radii[i] + radii[j])


def _pair_coordinates(positions: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of all pairs, shape (m, p), and their gradients at atom j in 1/A, shape (m, p, 3)."""
    vectors = positions[:, pairs.j] - positions[:, pairs.i] + pairs.shift_A
    lengths = np.linalg.norm(vectors, axis=2)
    near = np.exp(-DECAY * (lengths / pairs.radii_A - 1))
    slopes = -DECAY / pairs.radii_A * near - TAIL * pairs.radii_A / lengths**2
    return near + TAIL * pairs.radii_A / lengths, (slopes / lengths)[..., None] * vectors


def _squared_length(positions: np.ndarray, pairs: Pairs) -> tuple[float, np.ndarray]:
    """Return the sum of the squared segments of a path and its gradient, shape (m, n, 3).

    Each segment is measured through its Cartesian midpoint.
    """
    points = np.empty((2 * len(positions) - 1, *positions.shape[1:]))
    points[::2], points[1::2] = positions, (positions[1:] + positions[:-1]) / 2
    values, slopes = _pair_coordinates(points, pairs)
    steps = np.diff(values, axis=0)
    derivatives = np.zeros_like(values)
    derivatives[1:] += 2 * steps
    derivatives[:-1] -= 2 * steps
    # The gradients of the pairs are summed over atoms, with opposite signs at the two atoms of a pair.
    n, p = positions.shape[1], len(pairs.i)
    signs = np.repeat([1.0, -1.0], p)
    sum_over_pairs = csr_array((signs, (np.concatenate([pairs.j, pairs.i]), np.tile(np.arange(p), 2))), shape=(n, p))
    gradients = np.array([sum_over_pairs @ forces for forces in derivatives[..., None] * slopes])
    gradient = gradients[::2].copy()
    gradient[1:] += gradients[1::2] / 2
    gradient[:-1] += gradients[1::2] / 2
    moves = np.diff(positions, axis=0)
    gradient[1:] += 2 * CARTESIAN_WEIGHT * moves
    gradient[:-1] -= 2 * CARTESIAN_WEIGHT * moves
    return float((steps**2).sum() + CARTESIAN_WEIGHT * (moves**2).sum()), gradient
