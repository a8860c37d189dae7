"""Pack chains on a surface: try conformers and turns of each ligand until it touches nothing."""

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

TURNS = 12  # azimuths tried for a head that may turn about its normal
# Tilts about the line through the anchors, which stay where they are; a trans chain on a carboxylate leans by 35.
TILTS_DEG = 0.0, 25.0, -25.0, 45.0, -45.0
NEIGHBOUR_A = 9.0  # seats within this of one another are neighbours
RECENT = 24  # poses that worked before and are tried first
MARGIN_A = 16.0  # how far a chain may lean out of the periodic cell


@dataclass(frozen=True)
class Seat:
    """Where a ligand's head sits.

    Attributes
    ----------
    origin : midpoint of the bound anchors in A, shape (3,).
    axes : columns x (along two anchors), y, z (outwards), shape (3, 3).
    turns : rotations in these axes that keep the anchors bound, shape (m, 3, 3).
    replaces : atom of the core that the head takes the place of, so that it is not in its way; -1 for none.
    lifts : heights in A above the origin at which the head may stand, the first that has room is taken.
    """

    origin: np.ndarray
    axes: np.ndarray
    turns: np.ndarray
    replaces: int = -1
    lifts: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class Chains:
    """Conformers of one ligand, head at the origin, outwards along z.

    Attributes
    ----------
    numbers : atomic numbers, shape (n,).
    conformers : positions in A, shape (k, n, 3), the straightest first.
    head : mask of the atoms at the bond to the surface, which may come nearer to the crystal, shape (n,).
    """

    numbers: np.ndarray
    conformers: np.ndarray
    head: np.ndarray


def pack(core: Atoms, seats: Sequence[Seat], chains: Sequence[Chains], seed: int = 0) -> list[np.ndarray | None]:
    """Find a place for every ligand, one after the other.

    Each tries the pose of the ligand before it first, then those whose copies on the neighbouring seats would clear one
    another, so that chains order where they are dense, and last all others in a seeded order of its own.

    Parameters
    ----------
    core : what is there already, periodic in the plane or not at all.
    seats, chains : of each ligand, in the order in which they are placed.

    Returns
    -------
    Positions in A of each ligand, shape (n, 3), or None for one that found no place.
    """
    elements = np.unique(np.concatenate([core.numbers, *(c.numbers for c in chains)]))
    limits, heads = contact_limits(elements) ** 2, head_limits(elements) ** 2
    kind = {int(z): k for k, z in enumerate(elements)}
    reach = float(np.sqrt(limits.max()))
    shifts = _image_shifts(core)
    low, high = _bounds(core, seats, shifts)
    crowd = _Crowd(low, high, reach)
    kinds = lambda numbers: np.array([kind[int(z)] for z in numbers])  # noqa: E731
    crystal = annotation.parts(core) == SUBSTRATE if annotation.has_parts(core) else np.ones(len(core), dtype=bool)
    crowd.add(core.positions, kinds(core.numbers), crystal, shifts)
    rng = np.random.default_rng(seed)
    placed: list[np.ndarray | None] = []
    recent: dict[tuple, list[tuple[int, int]]] = {}
    ranked: dict[tuple, list[tuple[int, int]]] = {}
    for seat, own in zip(seats, chains, strict=True):
        group = _group(seat, own)
        if group not in ranked:
            alike = [s for s, c in zip(seats, chains, strict=True) if _group(s, c) == group]
            ranked[group] = _rank_poses(own, alike, shifts, limits, kinds(own.numbers), rng)
        tried = recent.get(group, []) + ranked[group]
        rotations = seat.axes @ seat.turns
        if len(seat.lifts) > 1:  # a pose that meets its own image does so at any height
            upright = [own.conformers[c] @ rotations[t].T for c, t in tried]
            hits = [_touches_itself(pose, kinds(own.numbers), limits, shifts[1:]) for pose in upright]
            tried = [pose for pose, hit in zip(tried, hits, strict=True) if not hit]
        found = -1
        for lift in seat.lifts if tried else ():
            origin = seat.origin + lift * seat.axes[:, 2]
            found = _first_free(
                own.conformers, rotations, origin, np.array(tried), kinds(own.numbers), own.head, seat.replaces,
                limits, heads, crowd.points, crowd.kinds, crowd.is_core, crowd.heads, crowd.following, crowd.low,
                reach, crowd.bins, shifts[1:],
            )  # fmt: skip
            if found >= 0:
                break
        if found < 0:
            placed.append(None)
            continue
        conformer, turn = tried[found]
        recent[group] = [(conformer, turn), *(p for p in recent.get(group, []) if p != (conformer, turn))][:RECENT]
        positions = own.conformers[conformer] @ rotations[turn].T + origin
        crowd.add(positions, kinds(own.numbers), np.zeros(len(positions), dtype=bool), shifts)
        placed.append(positions)
    return placed


def _group(seat: Seat, own: Chains) -> tuple:
    """Seats of one group are copies of one another, shifted."""
    return id(own), len(seat.turns), *np.round(seat.axes, 2).ravel().tolist()


def _rank_poses(
    own: Chains, seats: Sequence[Seat], shifts: np.ndarray, limits: np.ndarray, kinds: np.ndarray, rng
) -> list[tuple[int, int]]:
    """All poses of a group, those first that meet the fewest of their own copies on the other seats."""
    conformers, count = len(own.conformers), len(seats[0].turns)
    poses = [(int(c), int(t)) for c in range(conformers) for t in range(count)]
    shuffled = rng.permutation(len(poses))
    origins = np.array([seat.origin for seat in seats])
    steps = (origins[None, :, None] + shifts[None, None] - origins[:, None, None]).reshape(-1, 3) @ seats[0].axes
    lengths = np.linalg.norm(steps, axis=1)
    steps = steps[(lengths > 0.1) & (lengths < NEIGHBOUR_A)].round(1)
    steps = steps[steps @ TIE_BREAK_DIRECTION > 0]  # a copy to the left is met where one to the right is
    steps, weights = np.unique(steps, axis=0, return_counts=True)
    if len(steps) == 0:
        return [poses[k] for k in shuffled]
    met = _meetings(own.conformers, seats[0].turns, steps, weights, kinds, limits)
    return [poses[k] for k in shuffled[np.argsort(met.ravel()[shuffled], kind="stable")]]


def turns(azimuths: Sequence[float]) -> np.ndarray:
    """Rotations by every azimuth in radians and every tilt, upright ones first, shape (m, 3, 3)."""
    angles = [(tilt, azimuth) for tilt in np.radians(TILTS_DEG) for azimuth in azimuths]
    return Rotation.from_euler("xz", angles).as_matrix()


def _image_shifts(core: Atoms) -> np.ndarray:
    """Shifts in A to all images of a chain that can reach the home cell, the home cell first, shape (m, 3)."""
    if not core.pbc[:2].any():
        return np.zeros((1, 3))
    a, b = core.cell.array[:2]
    area = np.linalg.norm(np.cross(a, b))
    m, n = (int(np.ceil(2 * MARGIN_A * np.linalg.norm(v) / area)) for v in (b, a))
    shifts = [(0, 0)] + [(i, j) for i in range(-m, m + 1) for j in range(-n, n + 1) if (i, j) != (0, 0)]
    return np.array(shifts) @ np.array([a, b])


def _bounds(core: Atoms, seats: Sequence[Seat], shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the box in which chains can be."""
    points = np.vstack([core.positions, *(seat.origin for seat in seats)])
    low, high = points.min(axis=0) - MARGIN_A, points.max(axis=0) + MARGIN_A
    return low - 14.0, high + 14.0  # a chain of 18 carbons is 24 A long


class _Crowd:
    """All atoms so far, with images, in a grid of bins as wide as the longest contact."""

    def __init__(self, low: np.ndarray, high: np.ndarray, width: float):
        self.low, self.high, self.width = low, high, width
        self.bins = np.maximum(np.ceil((high - low) / width).astype(np.int64), 1)
        self.heads = np.full(int(np.prod(self.bins)), -1)
        self.points = np.empty((0, 3))
        self.kinds = np.empty(0, dtype=np.int64)
        self.is_core = np.empty(0, dtype=bool)
        self.following = np.empty(0, dtype=np.int64)

    def add(self, positions: np.ndarray, kinds: np.ndarray, is_core: np.ndarray, shifts: np.ndarray) -> None:
        """Put atoms and those of their images that lie in the box into the grid."""
        points = (positions[None] + shifts[:, None]).reshape(-1, 3)
        inside = ((points > self.low) & (points < self.high)).all(axis=1)
        start = len(self.points)
        self.points = np.concatenate([self.points, points[inside]])
        self.kinds = np.concatenate([self.kinds, np.tile(kinds, len(shifts))[inside]])
        self.is_core = np.concatenate([self.is_core, np.tile(is_core, len(shifts))[inside]])
        self.following = np.concatenate([self.following, np.full(int(inside.sum()), -1)])
        _link(self.points, start, self.low, self.width, self.bins, self.heads, self.following)


@njit(cache=True)
def _meetings(conformers, turns, steps, weights, kinds, limits):
    """How many of its copies, shifted by the steps, each pose would touch; shape (conformers, turns)."""
    n = conformers.shape[1]
    met = np.zeros((len(conformers), len(turns)))
    for c in range(len(conformers)):
        for t in range(len(turns)):
            pose = conformers[c] @ turns[t].T
            for s in range(len(steps)):
                met[c, t] += weights[s] * _meets(pose, steps[s], kinds, limits, n)
    return met


@njit(cache=True)
def _meets(pose, step, kinds, limits, n):
    for a in range(n - 1, -1, -1):
        for b in range(n - 1, -1, -1):
            dx = pose[a, 0] - pose[b, 0] - step[0]
            dy = pose[a, 1] - pose[b, 1] - step[1]
            dz = pose[a, 2] - pose[b, 2] - step[2]
            if dx * dx + dy * dy + dz * dz < limits[kinds[a], kinds[b]]:
                return 1.0
    return 0.0


@njit(cache=True)
def _link(points, start, low, width, bins, heads, following):
    """Chain new points into the lists of their bins."""
    for p in range(start, len(points)):
        i = int((points[p, 0] - low[0]) / width)
        j = int((points[p, 1] - low[1]) / width)
        k = int((points[p, 2] - low[2]) / width)
        cell = (i * bins[1] + j) * bins[2] + k
        following[p] = heads[cell]
        heads[cell] = p


@njit(cache=True)
def _first_free(
    conformers, rotations, origin, tried, own, head, replaces, limits, head_limits, points, kinds, is_core, heads,
    following, low, width, bins, shifts,
):  # fmt: skip
    """Number of the first pose without a contact below its limit, or -1."""
    n = len(own)
    pose = np.empty((n, 3))
    for t in range(len(tried)):
        shape, rotation = conformers[tried[t, 0]], rotations[tried[t, 1]]
        for a in range(n):
            for x in range(3):
                pose[a, x] = origin[x]
                for y in range(3):
                    pose[a, x] += rotation[x, y] * shape[a, y]
        if _touches(
            pose, own, head, replaces, limits, head_limits, points, kinds, is_core, heads, following, low, width, bins
        ):
            continue
        if len(shifts) and _touches_itself(pose, own, limits, shifts):
            continue
        return t
    return -1


@njit(cache=True)
def _touches(
    pose, own, head, replaces, limits, head_limits, points, kinds, is_core, heads, following, low, width, bins
):
    # The ends of chains meet first.
    for a in range(len(own) - 1, -1, -1):
        i = int((pose[a, 0] - low[0]) / width)
        j = int((pose[a, 1] - low[1]) / width)
        k = int((pose[a, 2] - low[2]) / width)
        if not (0 <= i < bins[0] and 0 <= j < bins[1] and 0 <= k < bins[2]):
            return True
        for p in range(max(i - 1, 0), min(i + 2, bins[0])):
            for q in range(max(j - 1, 0), min(j + 2, bins[1])):
                for r in range(max(k - 1, 0), min(k + 2, bins[2])):
                    m = heads[(p * bins[1] + q) * bins[2] + r]
                    while m >= 0:
                        if m != replaces:
                            limit = (head_limits if head[a] and is_core[m] else limits)[own[a], kinds[m]]
                            dx = pose[a, 0] - points[m, 0]
                            dy = pose[a, 1] - points[m, 1]
                            dz = pose[a, 2] - points[m, 2]
                            if dx * dx + dy * dy + dz * dz < limit:
                                return True
                        m = following[m]
    return False


@njit(cache=True)
def _touches_itself(pose, own, limits, shifts):
    """Whether a pose meets one of its own periodic images."""
    for s in range(len(shifts)):
        for a in range(len(own)):
            for b in range(len(own)):
                dx = pose[a, 0] - pose[b, 0] - shifts[s, 0]
                dy = pose[a, 1] - pose[b, 1] - shifts[s, 1]
                dz = pose[a, 2] - pose[b, 2] - shifts[s, 2]
                if dx * dx + dy * dy + dz * dz < limits[own[a], own[b]]:
                    return True
    return False
