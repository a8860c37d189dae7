"""Rigid poses of a molecule over an adsorption site.

Every orientation of the molecule is lowered along the normal of the site until it touches the surface.
"""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from scipy.spatial.transform import Rotation

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import content_hash
from qdsurf.atomistic.bonding_criteria import DATIVE_BOND, POSE_TOO_HIGH
from qdsurf.atomistic.contacts import contact_limits
from qdsurf.elementary_steps.orientations import quaternions
from qdsurf.errors import BuildError

# Two poses with distances from the surface that agree to this value are the same pose.
SAME_POSE_A = 0.1
# Shortest distances from the surface that are compared for each atom of two poses.
COMPARED_DISTANCES = 8
# Atoms of the surface within this distance of the molecule are included.
NEAR_A = 6.0


def rigid_poses(
    surface: Atoms,
    molecule: Atoms,
    position: np.ndarray,
    normal: np.ndarray,
    anchor: int,
    count: int = 16,
    seed: int = 0,
) -> tuple[list[Atoms], list[str]]:
    """Place a rigid molecule in several orientations in contact with the surface at a site.

    The anchor can approach atoms of the surface to bond length, all other atoms of the molecule to their contact limit.

    Parameters
    ----------
    surface : Atoms
        Annotated slab or particle.
    molecule : Atoms
        Annotated molecule in its own coordinates.
    position : ndarray of float
        Position of the site in A, shape (3,), see `find_sites`.
    normal : ndarray of float
        Unit vector out of the surface at the site, shape (3,).
    anchor : int
        Index of the atom of the molecule that is placed over the site.
    count : int
        Number of orientations, from a scrambled Sobol sequence.
    seed : int
        Seed of the orientations.

    Returns
    -------
    poses : list of Atoms
        Different poses, lowest anchor first. `info["pose"]` is a hash of the geometry, and `info["height_A"]` the
        distance of the anchor from the site in A.
    rejected : list of str
        One reason for each orientation that yields no pose.

    Raises
    ------
    BuildError
        The anchor is not an atom of the molecule, or no orientation yields a pose.
    """
    if not 0 <= anchor < len(molecule):
        raise BuildError(f"anchor {anchor} is not an atom of the molecule; give an index from 0 to {len(molecule) - 1}")
    position, normal = np.asarray(position, float), np.asarray(normal, float)
    rotated = _orientations(molecule.positions - molecule.positions[anchor], count, seed)
    near, indices = _surroundings(surface, position, np.linalg.norm(rotated[0], axis=1).max() + NEAR_A)
    offset = rotated[:, :, None, :] + position - near
    bond = DATIVE_BOND * (covalent_radii[molecule.numbers[anchor]] + covalent_radii[surface.numbers[indices]])
    elements, kind = np.unique(np.concatenate([molecule.numbers, surface.numbers[indices]]), return_inverse=True)
    limits = contact_limits(elements)[np.ix_(kind[: len(molecule)], kind[len(molecule) :])]
    limits[anchor] = np.minimum(limits[anchor], bond)
    heights, first_contact = _first_contacts(offset, normal, limits)
    poses: list[Atoms] = []
    rejected: list[str] = []
    accepted_distances: list[np.ndarray] = []
    for k in np.argsort(heights.round(6), kind="stable"):
        atom, other = first_contact[k]
        if atom != anchor and heights[k] > POSE_TOO_HIGH * bond.min():
            rejected.append(
                f"orientation {k}: {molecule.symbols[atom]}{atom} touches {surface.symbols[indices[other]]}"
                f"{indices[other]} while {molecule.symbols[anchor]}{anchor} is {heights[k]:.2f} A from the site"
            )
            continue
        distances = _sorted_distances(offset[k] + heights[k] * normal, molecule.numbers)
        if any(np.abs(distances - accepted).max() < SAME_POSE_A for accepted in accepted_distances):
            rejected.append(f"orientation {k} gives the same pose as an earlier one")
            continue
        accepted_distances.append(distances)
        poses.append(_join(surface, molecule, rotated[k] + position + heights[k] * normal, float(heights[k])))
    if not poses:
        raise BuildError(
            f"none of {count} orientations fits: {'; '.join(rejected[:5])}. Choose another site, or more orientations"
        )
    return poses, rejected


def _first_contacts(offset: np.ndarray, normal: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the height at which each orientation touches the surface.

    Parameters
    ----------
    offset : ndarray of float
        Vectors from the m atoms of the surface to the n atoms of the molecule in A, shape (orientations, n, m, 3).
    normal : ndarray of float
        Unit vector out of the surface, shape (3,).
    limits : ndarray of float
        Distances in A at which two atoms touch, shape (n, m).

    Returns
    -------
    heights : ndarray of float
        Displacement along the normal in A, shape (orientations,).
    first_contact : ndarray of int
        Atom of the molecule and atom of the surface that touch, shape (orientations, 2).
    """
    # Two atoms touch if |r + t n| equals their limit. The largest such t is the first contact on the way down.
    along = offset @ normal
    lateral_squared = (offset**2).sum(axis=-1) - along**2
    root = np.sqrt(np.maximum(limits**2 - lateral_squared, 0))
    touches = np.where(lateral_squared < limits**2, root - along, -np.inf)
    pairs = touches.reshape(len(offset), -1).argmax(axis=1)
    return touches.max(axis=(1, 2)), np.column_stack(np.divmod(pairs, limits.shape[1]))


def _sorted_distances(offset: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the shortest distances in A of each atom from the surface; equal for equal poses of equivalent atoms."""
    distances = np.sort(np.linalg.norm(offset, axis=-1), axis=1)[:, :COMPARED_DISTANCES]
    return distances[np.lexsort((distances[:, 0].round(2), numbers))]


def _orientations(positions: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the positions in `count` uniformly distributed orientations, shape (count, n, 3)."""
    from scipy.stats import qmc  # takes half a second to import

    next_power_of_two = 1 << max(0, (count - 1).bit_length())
    points = qmc.Sobol(3, rng=seed).random(next_power_of_two)[:count]
    return np.einsum("kij,nj->kni", Rotation.from_quat(quaternions(points)).as_matrix(), positions)


def _surroundings(surface: Atoms, position: np.ndarray, radius_A: float) -> tuple[np.ndarray, np.ndarray]:
    """Return positions, periodic images included, and indices of the atoms within a radius around a position."""
    shifts = np.zeros((1, 3))
    if surface.pbc[:2].any():
        a, b = surface.cell.array[:2]
        area = np.linalg.norm(np.cross(a, b))
        m, n = (int(np.ceil(radius_A * np.linalg.norm(v) / area)) for v in (b, a))
        shifts = np.array([i * a + j * b for i in range(-m, m + 1) for j in range(-n, n + 1)])
    points = (surface.positions[None] + shifts[:, None]).reshape(-1, 3)
    indices = np.tile(np.arange(len(surface)), len(shifts))
    near = ((points - position) ** 2).sum(axis=1) < radius_A**2
    return points[near], indices[near]


def _join(surface: Atoms, molecule: Atoms, positions: np.ndarray, height_A: float) -> Atoms:
    """Return the surface with the molecule at the given positions."""
    adsorbate = molecule.copy()
    adsorbate.positions = positions
    annotation.fragments(adsorbate)[:] = annotation.fragments(surface).max() + 1
    pose = surface + adsorbate
    annotation.copy_notes(surface, pose)
    annotation.note(pose, height_A=height_A)
    annotation.note(pose, pose=content_hash(pose))
    return pose
