"""Packing of ligand chains on a surface.

Conformers and rotations of each ligand are tried, one ligand after the other, until no atom is closer to another atom
than its contact limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numba import njit
from scipy.spatial.transform import Rotation

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.atomistic.contacts import contact_limits, head_limits
from qdsurf.atomistic.point_sampling import TIE_BREAK_DIRECTION

# Azimuths that are tried for a head group that can rotate about the surface normal.
AZIMUTHS = 12
# Tilts about the line through the anchors, which keep their positions. An all-trans chain on a carboxylate is tilted by
# 35 degrees.
TILTS_DEG = 0.0, 25.0, -25.0, 45.0, -45.0
# Binding sites within this distance are neighbours.
NEIGHBOUR_A = 9.0
# Number of recently successful poses that are tried first.
RECENT_POSES = 24
# Distance by which a chain can extend beyond the periodic cell.
MARGIN_A = 16.0
# Additional size of the box in which atoms are looked up. A chain of 18 carbon atoms is 24 A long.
BOX_MARGIN_A = 14.0

# A pose of a ligand: index of the conformer and index of the rotation.
Pose = tuple[int, int]


@dataclass(frozen=True, eq=False)
class BindingSite:
    """Place at which the head group of a ligand binds.

    Attributes
    ----------
    origin : ndarray of float
        Midpoint of the bound anchors in A, shape (3,).
    axes : ndarray of float
        Unit vectors as columns, shape (3, 3): x along the line through two anchors, z out of the surface.
    rotations : ndarray of float
        Rotation matrices in these axes that keep the anchors bound, shape (m, 3, 3).
    replaces : int
        Atom of the core that the head group replaces and that may therefore be closer than the contact limit; -1 for
        none.
    heights_A : tuple of float
        Heights above the origin in A at which the head group can be. The first one without a contact is taken.
    """

    origin: np.ndarray
    axes: np.ndarray
    rotations: np.ndarray
    replaces: int = -1
    heights_A: tuple[float, ...] = (0.0,)


@dataclass(frozen=True, eq=False)
class ChainConformers:
    """Conformers of one ligand with the head group at the origin and the chain along +z.

    Attributes
    ----------
    numbers : ndarray of int
        Atomic numbers, shape (n,).
    conformers : ndarray of float
        Positions in A, shape (k, n, 3), the straightest conformer first.
    head : ndarray of bool
        Mask of the head group, which may be closer to the crystal than other atoms, shape (n,).
    """

    numbers: np.ndarray
    conformers: np.ndarray
    head: np.ndarray


def pack(
    core: Atoms, sites: Sequence[BindingSite], chains: Sequence[ChainConformers], seed: int = 0
) -> list[np.ndarray | None]:
    """Find positions for the atoms of every ligand, one ligand after the other.

    Each ligand tries the pose of the previous ligand first. It then tries the poses whose copies on the neighbouring
    sites have the fewest contacts with each other, so that dense chains order, and finally all other poses in an order
    that depends on the seed.

    Parameters
    ----------
    core : Atoms
        Atoms that are already present. It is periodic in the plane, or not at all.
    sites : sequence of BindingSite
        Binding site of each ligand, in the order in which the ligands are placed.
    chains : sequence of ChainConformers
        Conformers of each ligand.
    seed : int
        Seed of the order of the poses.

    Returns
    -------
    list of ndarray of float or None
        Positions in A of each ligand, shape (n, 3); None if every pose has a contact below its limit.
    """
    elements = np.unique(np.concatenate([core.numbers, *(chain.numbers for chain in chains)]))
    squared_limits, squared_head_limits = contact_limits(elements) ** 2, head_limits(elements) ** 2
    kind_of = {int(number): kind for kind, number in enumerate(elements)}

    def kinds_of(numbers: np.ndarray) -> np.ndarray:
        """Indices of the elements in the tables of limits."""
        return np.array([kind_of[int(number)] for number in numbers])

    longest_limit = float(np.sqrt(squared_limits.max()))
    shifts = _image_shifts(core)
    low, high = _bounds(core, sites)
    grid = _AtomGrid(low, high, longest_limit)
    crystal = annotation.parts(core) == SUBSTRATE if annotation.has_parts(core) else np.ones(len(core), dtype=bool)
    grid.add(core.positions, kinds_of(core.numbers), crystal, shifts)
    rng = np.random.default_rng(seed)
    placed: list[np.ndarray | None] = []
    recent: dict[tuple, list[Pose]] = {}
    ranked: dict[tuple, list[Pose]] = {}
    for site, chain in zip(sites, chains, strict=True):
        kinds = kinds_of(chain.numbers)
        group = _group(site, chain)
        if group not in ranked:
            of_group = [s for s, c in zip(sites, chains, strict=True) if _group(s, c) == group]
            ranked[group] = _rank_poses(chain, of_group, shifts, squared_limits, kinds, rng)
        poses = recent.get(group, []) + ranked[group]
        rotations = site.axes @ site.rotations
        if len(site.heights_A) > 1:
            # A pose that touches its own periodic image does so at any height.
            poses = [
                (c, r)
                for c, r in poses
                if not _touches_own_image(chain.conformers[c] @ rotations[r].T, kinds, squared_limits, shifts[1:])
            ]
        found = -1
        for height_A in site.heights_A if poses else ():
            origin = site.origin + height_A * site.axes[:, 2]
            found = _first_without_contact(
                chain.conformers,
                rotations,
                origin,
                np.array(poses),
                kinds,
                chain.head,
                site.replaces,
                squared_limits,
                squared_head_limits,
                grid.points,
                grid.kinds,
                grid.is_core,
                grid.last_in_bin,
                grid.previous_in_bin,
                grid.low,
                grid.width,
                grid.bins,
                shifts[1:],
            )
            if found >= 0:
                break
        if found < 0:
            placed.append(None)
            continue
        pose = poses[found]
        recent[group] = [pose, *(other for other in recent.get(group, []) if other != pose)][:RECENT_POSES]
        conformer, rotation = pose
        positions = chain.conformers[conformer] @ rotations[rotation].T + origin
        grid.add(positions, kinds, np.zeros(len(positions), dtype=bool), shifts)
        placed.append(positions)
    return placed


def head_rotations(azimuths: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the rotations of a head group by all azimuths and tilts, those without tilt first.

    Parameters
    ----------
    azimuths : sequence of float
        Angles about z in radians.

    Returns
    -------
    ndarray of float
        Rotation matrices, shape (m, 3, 3).
    """
    angles = [(tilt, azimuth) for tilt in np.radians(TILTS_DEG) for azimuth in azimuths]
    return Rotation.from_euler("xz", angles).as_matrix()


def _group(site: BindingSite, chain: ChainConformers) -> tuple:
    """Return a key that is equal for sites that differ only by a translation."""
    return id(chain), len(site.rotations), *np.round(site.axes, 2).ravel().tolist()


def _rank_poses(
    chain: ChainConformers,
    sites: Sequence[BindingSite],
    shifts: np.ndarray,
    squared_limits: np.ndarray,
    kinds: np.ndarray,
    rng: np.random.Generator,
) -> list[Pose]:
    """Return all poses of a group, those with the fewest contacts with their own copies on the other sites first."""
    rotations = sites[0].rotations
    poses = [(c, r) for c in range(len(chain.conformers)) for r in range(len(rotations))]
    shuffled = rng.permutation(len(poses))
    origins = np.array([site.origin for site in sites])
    vectors = (origins[None, :, None] + shifts[None, None] - origins[:, None, None]).reshape(-1, 3) @ sites[0].axes
    lengths = np.linalg.norm(vectors, axis=1)
    vectors = vectors[(lengths > 0.1) & (lengths < NEIGHBOUR_A)].round(1)
    # Opposite vectors give the same contacts.
    vectors = vectors[vectors @ TIE_BREAK_DIRECTION > 0]
    vectors, weights = np.unique(vectors, axis=0, return_counts=True)
    if len(vectors) == 0:
        return [poses[k] for k in shuffled]
    contacts = _contacts_with_copies(chain.conformers, rotations, vectors, weights, kinds, squared_limits)
    return [poses[k] for k in shuffled[np.argsort(contacts.ravel()[shuffled], kind="stable")]]


def _image_shifts(core: Atoms) -> np.ndarray:
    """Return the shifts in A to all periodic images that a chain can reach, shape (m, 3); the zero shift is first."""
    if not core.pbc[:2].any():
        return np.zeros((1, 3))
    a, b = core.cell.array[:2]
    area = np.linalg.norm(np.cross(a, b))
    m, n = (int(np.ceil(2 * MARGIN_A * np.linalg.norm(v) / area)) for v in (b, a))
    shifts = [(0, 0)] + [(i, j) for i in range(-m, m + 1) for j in range(-n, n + 1) if (i, j) != (0, 0)]
    return np.array(shifts) @ np.array([a, b])


def _bounds(core: Atoms, sites: Sequence[BindingSite]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper corner in A of the box that contains all chains."""
    points = np.vstack([core.positions, *(site.origin for site in sites)])
    margin_A = MARGIN_A + BOX_MARGIN_A
    return points.min(axis=0) - margin_A, points.max(axis=0) + margin_A


class _AtomGrid:
    """All atoms and their periodic images in a grid of bins that are as wide as the longest contact limit.

    The atoms of a bin form a linked list: `last_in_bin` is the atom that was added last to each bin, and
    `previous_in_bin` the atom of the same bin that was added before each atom; -1 marks the end.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, width: float):
        self.low, self.width = low, width
        self.high = high
        self.bins = np.maximum(np.ceil((high - low) / width).astype(np.int64), 1)
        self.last_in_bin = np.full(int(np.prod(self.bins)), -1)
        self.previous_in_bin = np.empty(0, dtype=np.int64)
        self.points = np.empty((0, 3))
        self.kinds = np.empty(0, dtype=np.int64)
        self.is_core = np.empty(0, dtype=bool)

    def add(self, positions: np.ndarray, kinds: np.ndarray, is_core: np.ndarray, shifts: np.ndarray) -> None:
        """Add atoms, and those of their images that are in the box."""
        points = (positions[None] + shifts[:, None]).reshape(-1, 3)
        inside = ((points > self.low) & (points < self.high)).all(axis=1)
        start = len(self.points)
        self.points = np.concatenate([self.points, points[inside]])
        self.kinds = np.concatenate([self.kinds, np.tile(kinds, len(shifts))[inside]])
        self.is_core = np.concatenate([self.is_core, np.tile(is_core, len(shifts))[inside]])
        self.previous_in_bin = np.concatenate([self.previous_in_bin, np.full(int(inside.sum()), -1)])
        _add_to_bins(self.points, start, self.low, self.width, self.bins, self.last_in_bin, self.previous_in_bin)


@njit(cache=True)
def _contacts_with_copies(conformers, rotations, vectors, weights, kinds, squared_limits):
    """Count the shifted copies that each pose touches, shape (conformers, rotations)."""
    contacts = np.zeros((len(conformers), len(rotations)))
    for c in range(len(conformers)):
        for r in range(len(rotations)):
            pose = conformers[c] @ rotations[r].T
            for v in range(len(vectors)):
                contacts[c, r] += weights[v] * _touches_copy(pose, vectors[v], kinds, squared_limits)
    return contacts


@njit(cache=True)
def _touches_copy(pose, vector, kinds, squared_limits):
    """Return 1 if a pose touches its copy at a vector, otherwise 0."""
    # The ends of the chains, which come last, are the most likely to touch.
    for a in range(len(kinds) - 1, -1, -1):
        for b in range(len(kinds) - 1, -1, -1):
            dx = pose[a, 0] - pose[b, 0] - vector[0]
            dy = pose[a, 1] - pose[b, 1] - vector[1]
            dz = pose[a, 2] - pose[b, 2] - vector[2]
            if dx * dx + dy * dy + dz * dz < squared_limits[kinds[a], kinds[b]]:
                return 1.0
    return 0.0


@njit(cache=True)
def _add_to_bins(points, start, low, width, bins, last_in_bin, previous_in_bin):
    """Add the points from index `start` on to the linked lists of their bins."""
    for p in range(start, len(points)):
        i = int((points[p, 0] - low[0]) / width)
        j = int((points[p, 1] - low[1]) / width)
        k = int((points[p, 2] - low[2]) / width)
        cell = (i * bins[1] + j) * bins[2] + k
        previous_in_bin[p] = last_in_bin[cell]
        last_in_bin[cell] = p


@njit(cache=True)
def _first_without_contact(
    conformers,
    rotations,
    origin,
    poses,
    own_kinds,
    head,
    replaces,
    squared_limits,
    squared_head_limits,
    points,
    kinds,
    is_core,
    last_in_bin,
    previous_in_bin,
    low,
    width,
    bins,
    shifts,
):
    """Return the index of the first pose without a contact below its limit, or -1."""
    n = len(own_kinds)
    pose = np.empty((n, 3))
    for t in range(len(poses)):
        conformer, rotation = conformers[poses[t, 0]], rotations[poses[t, 1]]
        for a in range(n):
            for x in range(3):
                pose[a, x] = origin[x]
                for y in range(3):
                    pose[a, x] += rotation[x, y] * conformer[a, y]
        if _touches_grid(
            pose,
            own_kinds,
            head,
            replaces,
            squared_limits,
            squared_head_limits,
            points,
            kinds,
            is_core,
            last_in_bin,
            previous_in_bin,
            low,
            width,
            bins,
        ):
            continue
        if len(shifts) and _touches_own_image(pose, own_kinds, squared_limits, shifts):
            continue
        return t
    return -1


@njit(cache=True)
def _touches_grid(
    pose,
    own_kinds,
    head,
    replaces,
    squared_limits,
    squared_head_limits,
    points,
    kinds,
    is_core,
    last_in_bin,
    previous_in_bin,
    low,
    width,
    bins,
):
    """Return whether a pose touches an atom of the grid or leaves the grid."""
    # The ends of the chains, which come last, are the most likely to touch.
    for a in range(len(own_kinds) - 1, -1, -1):
        i = int((pose[a, 0] - low[0]) / width)
        j = int((pose[a, 1] - low[1]) / width)
        k = int((pose[a, 2] - low[2]) / width)
        if not (0 <= i < bins[0] and 0 <= j < bins[1] and 0 <= k < bins[2]):
            return True
        for p in range(max(i - 1, 0), min(i + 2, bins[0])):
            for q in range(max(j - 1, 0), min(j + 2, bins[1])):
                for r in range(max(k - 1, 0), min(k + 2, bins[2])):
                    m = last_in_bin[(p * bins[1] + q) * bins[2] + r]
                    while m >= 0:
                        if m != replaces:
                            table = squared_head_limits if head[a] and is_core[m] else squared_limits
                            dx = pose[a, 0] - points[m, 0]
                            dy = pose[a, 1] - points[m, 1]
                            dz = pose[a, 2] - points[m, 2]
                            if dx * dx + dy * dy + dz * dz < table[own_kinds[a], kinds[m]]:
                                return True
                        m = previous_in_bin[m]
    return False


@njit(cache=True)
def _touches_own_image(pose, kinds, squared_limits, shifts):
    """Return whether a pose touches one of its own periodic images."""
    for s in range(len(shifts)):
        for a in range(len(kinds)):
            for b in range(len(kinds)):
                dx = pose[a, 0] - pose[b, 0] - shifts[s, 0]
                dy = pose[a, 1] - pose[b, 1] - shifts[s, 1]
                dz = pose[a, 2] - pose[b, 2] - shifts[s, 2]
                if dx * dx + dy * dy + dz * dz < squared_limits[kinds[a], kinds[b]]:
                    return True
    return False
