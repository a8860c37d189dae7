"""Rigid poses of any molecule over a site: seeded orientations, lowered until the first contact."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from scipy.spatial.transform import Rotation

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import content_hash
from qdsurf.atomistic.bonding_criteria import DATIVE_BOND, POSE_TOO_HIGH
from qdsurf.atomistic.contacts import contact_limits
from qdsurf.errors import BuildError

ALIKE_A = 0.1  # poses whose distances to the surface agree to this are one
NEAR_A = 6.0  # of the surface is looked at around the molecule


def rigid_poses(
    surface: Atoms,
    molecule: Atoms,
    position: Sequence[float],
    normal: Sequence[float],
    anchor: int,
    count: int = 16,
    seed: int = 0,
) -> tuple[list[Atoms], list[str]]:
    """Turn a molecule in many ways and lower each along the normal until it touches.

    Its anchor may come to bond length from the atoms of the surface, everything else to its contact limit.

    Parameters
    ----------
    surface : with the columns of `atomistic.annotation.annotate`.
    molecule : with the same columns, in its own coordinates.
    position, normal : of a site, see `find_sites`; A and unit vector.
    anchor : atom of the molecule that stands over the site.
    count : orientations, from a scrambled Sobol set.

    Returns
    -------
    poses : lowest anchor first, each with `info["pose"]`, the hash of its content, and `info["height_A"]`, the
        distance of the anchor from the site.
    rejected : one reason for each orientation that gave no pose.

    Raises
    ------
    BuildError : none of the orientations gives a pose.
    """
    if not 0 <= anchor < len(molecule):
        raise BuildError(f"anchor {anchor}: the molecule has atoms 0 to {len(molecule) - 1}")
    position, normal = np.asarray(position, float), np.asarray(normal, float)
    shapes = _orientations(molecule.positions - molecule.positions[anchor], count, seed)
    near, indices = _surroundings(surface, position, np.linalg.norm(shapes[0], axis=1).max() + NEAR_A)
    offset = shapes[:, :, None, :] + position - near
    bond = DATIVE_BOND * (covalent_radii[molecule.numbers[anchor]] + covalent_radii[surface.numbers[indices]])
    elements, kind = np.unique(np.concatenate([molecule.numbers, surface.numbers[indices]]), return_inverse=True)
    reach = contact_limits(elements)[np.ix_(kind[: len(molecule)], kind[len(molecule) :])]
    reach[anchor] = np.minimum(reach[anchor], bond)
    heights, first = _first_contacts(offset, normal, reach)
    poses, rejected, seen = [], [], []
    for k in np.argsort(heights.round(6), kind="stable"):
        atom, other = first[k]
        if atom != anchor and heights[k] > POSE_TOO_HIGH * bond.min():
            rejected.append(
                f"orientation {k}: {molecule.symbols[atom]}{atom} meets {surface.symbols[indices[other]]}"
                f"{indices[other]} while {molecule.symbols[anchor]}{anchor} is {heights[k]:.2f} A away"
            )
            continue
        mark = _mark(offset[k] + heights[k] * normal, molecule.numbers)
        if any(np.abs(mark - other_mark).max() < ALIKE_A for other_mark in seen):
            rejected.append(f"orientation {k}: the same as one before it")
            continue
        seen.append(mark)
        poses.append(_join(surface, molecule, shapes[k] + position + heights[k] * normal, float(heights[k])))
    if not poses:
        raise BuildError(f"no pose among {count} orientations: {'; '.join(rejected[:5])}")
    return poses, rejected


def _first_contacts(offset: np.ndarray, normal: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far to lift each orientation along the normal until it only just touches, and which pair does.

    Parameters
    ----------
    offset : from every atom of the surface to every one of the molecule in A, shape (orientations, n, m, 3).
    reach : distance in A at which they touch, shape (n, m).

    Returns
    -------
    heights : in A, shape (orientations,).
    first : atom of the molecule and atom of the surface, shape (orientations, 2).
    """
    # A pair touches where |r + t n| equals its reach; the highest such t is the first contact on the way down.
    along = offset @ normal
    aside = (offset**2).sum(axis=-1) - along**2
    touches = np.where(aside < reach**2, np.sqrt(np.maximum(reach**2 - aside, 0)) - along, -np.inf)
    pairs = touches.reshape(len(offset), -1).argmax(axis=1)
    return touches.max(axis=(1, 2)), np.column_stack(np.divmod(pairs, reach.shape[1]))


def _mark(offset: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """What is the same for the same pose: the shortest distances in A of each atom, in an order of its own."""
    mark = np.sort(np.linalg.norm(offset, axis=-1), axis=1)[:, :8]
    return mark[np.lexsort((mark[:, 0].round(2), numbers))]


def _orientations(positions: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The molecule in `count` orientations spread over all rotations (Shoemake 1992), shape (count, n, 3)."""
    from scipy.stats import qmc  # half a second to import

    points = qmc.Sobol(3, rng=seed).random(1 << max(0, (count - 1).bit_length()))[:count]
    u, a, b = points[:, 0], 2 * np.pi * points[:, 1], 2 * np.pi * points[:, 2]
    s, c = np.sqrt(1 - u), np.sqrt(u)
    quaternions = np.column_stack([s * np.sin(a), s * np.cos(a), c * np.sin(b), c * np.cos(b)])
    return np.einsum("kij,nj->kni", Rotation.from_quat(quaternions).as_matrix(), positions)


def _surroundings(surface: Atoms, position: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions, images included, and indices of the atoms within a reach in A."""
    shifts = np.zeros((1, 3))
    if surface.pbc[:2].any():
        a, b = surface.cell.array[:2]
        area = np.linalg.norm(np.cross(a, b))
        m, n = (int(np.ceil(reach * np.linalg.norm(v) / area)) for v in (b, a))
        shifts = np.array([i * a + j * b for i in range(-m, m + 1) for j in range(-n, n + 1)])
    points = (surface.positions[None] + shifts[:, None]).reshape(-1, 3)
    indices = np.tile(np.arange(len(surface)), len(shifts))
    near = ((points - position) ** 2).sum(axis=1) < reach**2
    return points[near], indices[near]


def _join(surface: Atoms, molecule: Atoms, positions: np.ndarray, height: float) -> Atoms:
    adsorbate = molecule.copy()
    adsorbate.positions = positions
    annotation.fragments(adsorbate)[:] = annotation.fragments(surface).max() + 1
    pose = surface + adsorbate
    annotation.copy_notes(surface, pose)
    annotation.note(pose, height_A=height)
    annotation.note(pose, pose=content_hash(pose))
    return pose
