"""A first guess of the way from one structure to another: the geodesic, which calls no calculator."""

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

# Morse-like coordinates of 10.1063/1.5090303, eq. 5: they feel a clash strongly, and a distance of 3 A hardly.
DECAY, TAIL = 1.7, 0.01
REACH_A = 8.0  # pairs that are never nearer than this are left out
FRICTION = 1e-3  # weight of Cartesian distances in A^2, for the motions that no pair feels
IMAGES = 13
STEPS = 500


class Pairs(NamedTuple):
    """Neighbours i < j, each image of j a pair of its own so that nothing jumps at half a cell; radii in A."""

    i: np.ndarray
    j: np.ndarray
    shift_A: np.ndarray
    radii_A: np.ndarray


def assert_path_ends(initial: Atoms, final: Atoms) -> None:
    """Refuse ends that no path can join.

    Raises
    ------
    InputError : the atoms, their order, the cells, or the fixed atoms differ; or a constraint is no FixAtoms.
    """
    if len(initial) != len(final):
        raise InputError(
            f"path: the initial state has {len(initial)} atoms, the final {len(final)}; they need the same"
        )
    if len(initial) < 2:
        raise InputError(f"path: {len(initial)} atoms; a path is made of distances, so give two atoms or more")
    for number, (one, other) in enumerate(zip(initial.symbols, final.symbols, strict=True)):
        if one != other:
            raise InputError(f"path: atom {number} is {one} in the initial and {other} in the final state; give the "
                             "atoms of both in the same order")  # fmt: skip
    if (initial.pbc != final.pbc).any() or (initial.pbc.any() and not np.allclose(initial.cell, final.cell, atol=1e-6)):
        raise InputError("path: the cells of the initial and final state differ; relax both in the same cell")
    for atoms in (initial, final):
        for constraint in atoms.constraints:
            if not isinstance(constraint, FixAtoms):
                raise InputError(f"path: constraint {type(constraint).__name__}; only FixAtoms is understood")
    free = free_atoms(initial)
    if not np.array_equal(free, free_atoms(final)):
        raise InputError("path: other atoms are fixed in the initial than in the final state; fix the same")
    fixed = np.setdiff1d(np.arange(len(initial)), free)
    apart = np.abs(displacements(initial, final)[fixed]).max(initial=0.0)
    if apart > 1e-3:
        raise InputError(f"path: a fixed atom stands {apart:.3f} A apart in the two states; it may not move")


def geodesic_path(initial: Atoms, final: Atoms, images: int = IMAGES, through: Sequence[Atoms] = ()) -> list[Atoms]:
    """The shortest path in coordinates that count every bond, 10.1063/1.5090303: bonds turn rather than stretch.

    Parameters
    ----------
    initial, final : the same atoms in the same order; `assert_path_ends` says more.
    images : with the two ends.
    through : structures on the way, such as those of a driven path; absent: ASE's IDPP begins.

    Returns
    -------
    Copies of the initial state; the last one is the final state, turned onto it if it is a free molecule.
    """
    path = _spread([initial, *through, final], images) if through else _idpp(initial, final, images)
    free = free_atoms(initial)
    pairs = _pairs(path, free)
    positions = np.array([atoms.positions for atoms in path])

    def length(flat: np.ndarray) -> tuple[float, np.ndarray]:
        positions[1:-1, free] = flat.reshape(images - 2, len(free), 3)
        value, gradient = _squared_length(positions, pairs)
        return value, gradient[1:-1, free].ravel()

    start = positions[1:-1, free].ravel()
    minimize(length, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    for atoms, own in zip(path, positions, strict=True):
        atoms.positions = own
    return path


def _idpp(initial: Atoms, final: Atoms, images: int) -> list[Atoms]:
    """Image-dependent pair potential, 10.1063/1.4878664, as ASE makes it."""
    path = _spread([initial, final], images)
    NEB(path, method="improvedtangent").interpolate("idpp")
    return path


def _spread(structures: Sequence[Atoms], images: int) -> list[Atoms]:
    """Images at equal Cartesian distances along the straight lines through some structures."""
    points = [structures[0].positions]
    for atoms in structures[1:]:
        before = structures[0].copy()
        before.positions = points[-1]
        points.append(points[-1] + displacements(before, atoms))
    points = np.array(points)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=(1, 2))
    at = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-9))])
    path = []
    for place in np.linspace(0.0, at[-1], images):
        k = min(int(np.searchsorted(at, place, side="right")) - 1, len(points) - 2)
        share = (place - at[k]) / (at[k + 1] - at[k])
        path.append(structures[0].copy())
        path[-1].set_positions(points[k] + share * (points[k + 1] - points[k]), apply_constraint=False)
    return path


def _pairs(path: Sequence[Atoms], free: np.ndarray) -> Pairs:
    """All pairs that come within reach on a path and that a free atom takes part in."""
    found = []
    for atoms in (path[0], path[len(path) // 2], path[-1]):
        i, j, cells = neighbor_list("ijS", atoms, REACH_A)
        found.append(np.column_stack([i, j, cells]))
    table = np.unique(np.concatenate(found), axis=0)
    i, j = table[:, 0], table[:, 1]
    table = table[(i < j) & (np.isin(i, free) | np.isin(j, free))]
    i, j = table[:, 0], table[:, 1]
    radii = covalent_radii[path[0].numbers]
    return Pairs(i, j, table[:, 2:] @ path[0].cell.array, radii[i] + radii[j])


def _coordinates(positions: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of all pairs, shape (m, p), and their gradients with respect to atom j, shape (m, p, 3)."""
    vectors = positions[:, pairs.j] - positions[:, pairs.i] + pairs.shift_A
    lengths = np.linalg.norm(vectors, axis=2)
    near = np.exp(-DECAY * (lengths / pairs.radii_A - 1))
    slopes = -DECAY / pairs.radii_A * near - TAIL * pairs.radii_A / lengths**2
    return near + TAIL * pairs.radii_A / lengths, (slopes / lengths)[..., None] * vectors


def _squared_length(positions: np.ndarray, pairs: Pairs) -> tuple[float, np.ndarray]:
    """Sum of the squared segments, each taken through its Cartesian middle, and its gradient, shape (m, n, 3)."""
    points = np.empty((2 * len(positions) - 1, *positions.shape[1:]))
    points[::2], points[1::2] = positions, (positions[1:] + positions[:-1]) / 2
    values, slopes = _coordinates(points, pairs)
    steps = np.diff(values, axis=0)
    pull = np.zeros_like(values)
    pull[1:] += 2 * steps
    pull[:-1] -= 2 * steps
    atoms, p = positions.shape[1], len(pairs.i)
    scatter = csr_array(
        (np.repeat([1.0, -1.0], p), (np.concatenate([pairs.j, pairs.i]), np.tile(np.arange(p), 2))), shape=(atoms, p)
    )
    each = np.array([scatter @ forces for forces in pull[..., None] * slopes])
    gradient = each[::2].copy()
    gradient[1:] += each[1::2] / 2
    gradient[:-1] += each[1::2] / 2
    drift = np.diff(positions, axis=0)
    gradient[1:] += 2 * FRICTION * drift
    gradient[:-1] -= 2 * FRICTION * drift
    return float((steps**2).sum() + FRICTION * (drift**2).sum()), gradient
