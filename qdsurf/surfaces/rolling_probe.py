"""A ball that rolls over atoms, and where it comes to rest: on three or more, on two, on one.

The alpha shape of Edelsbrunner and Muecke, 10.1145/174462.156635, with one contact distance for all atoms.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from ase import Atoms
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from qdsurf.atomistic.point_sampling import sphere_directions

CONTACT_A = 3.4  # of the ball: wider than any hollow of a flat facet on record (CsPbI3 3.15), too wide for the crystal
MERGE_A = 0.6  # balls nearer than this rest in one hollow
APART_A = 0.72  # a bridge is at least this far from the hollows beside it; in fcc metals 0.83
OVERLAP_A = 0.15  # a ball may dip into an atom by this much: relaxed and shaken surfaces are not exactly flat
HIDDEN_A = 0.6  # an atom at which no ball fits even with this much overlap is not searched

Rest = tuple[list[tuple[int, tuple[int, int]]], np.ndarray]


class Cloud:
    """The atoms of a cell with their images, and what a ball among them meets."""

    def __init__(self, atoms: Atoms):
        self.atoms = atoms
        self.slab = bool(atoms.pbc[:2].all())
        self.vectors = atoms.cell.array[:2] if self.slab else np.zeros((2, 3))
        shifts = [(0, 0)]
        if self.slab:
            area = np.linalg.norm(np.cross(*self.vectors))
            reach = [int(np.ceil(2.5 * CONTACT_A * np.linalg.norm(v) / area)) + 1 for v in self.vectors[::-1]]
            shifts += [
                (a, b)
                for a in range(-reach[0], reach[0] + 1)
                for b in range(-reach[1], reach[1] + 1)
                if (a, b) != (0, 0)
            ]
        self.shifts = np.array(shifts)
        n = len(atoms)
        self.points = (atoms.positions[None] + (self.shifts @ self.vectors)[:, None]).reshape(-1, 3)
        self.index = np.tile(np.arange(n), len(shifts))
        self.shift = np.repeat(self.shifts, n, axis=0)
        self.tree = cKDTree(self.points)
        self.home = n

    def place(self, atom: int, shift: Sequence[int]) -> np.ndarray:
        """Position of an image in A."""
        return self.atoms.positions[atom] + np.asarray(shift) @ self.vectors

    def is_free(self, centres: np.ndarray, overlap: float = OVERLAP_A) -> np.ndarray:
        """Whether balls at these centres touch but do not contain an atom, and on a slab can come from above."""
        if len(centres) == 0:
            return np.zeros(0, dtype=bool)
        free = self.tree.query_ball_point(centres, CONTACT_A - overlap, return_length=True) == 0
        if self.slab and free.any():
            kept = np.flatnonzero(free)
            top = self.points[:, 2].max()
            for k, near in zip(kept, self.tree.query_ball_point(centres[kept], 2 * CONTACT_A), strict=True):
                if centres[k, 2] > top:
                    continue
                around = self.points[near] - centres[k]
                above = around[around[:, 2] > 0]
                free[k] = len(above) == 0 or np.hypot(above[:, 0], above[:, 1]).min() > 0.5 * CONTACT_A
                free[k] &= bool((around[:, 2] < 0).any())
        return free


def exposed(cloud: Cloud) -> np.ndarray:
    """Home atoms at which a ball might fit, with room to spare; the exact answer comes later."""
    directions = sphere_directions()
    if cloud.slab:
        directions = directions[directions[:, 2] > -0.2]
    centres = (cloud.points[: cloud.home, None] + CONTACT_A * directions[None]).reshape(-1, 3)
    empty = cloud.tree.query_ball_point(centres, CONTACT_A - HIDDEN_A, return_length=True) == 0
    return np.flatnonzero(empty.reshape(cloud.home, -1).any(axis=1))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products along the last axis; NumPy's own spends its time on generality."""
    x = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    y = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    return np.stack([x, y, a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]], axis=-1)


def hollows_of(cloud: Cloud) -> list[Rest]:
    """Atoms touched and centre of every ball that rests on three or more."""
    open_atoms = exposed(cloud)
    shown = np.isin(cloud.index, open_atoms)
    outer = np.flatnonzero(shown)
    tree = cKDTree(cloud.points[outer])
    centres, triples = [], []
    for i in open_atoms:
        near = outer[tree.query_ball_point(cloud.points[i], 2 * CONTACT_A - 1e-6)]
        near = near[near != i]
        j, k = np.triu_indices(len(near), 1)
        u, v = cloud.points[near[j]] - cloud.points[i], cloud.points[near[k]] - cloud.points[i]
        normal = _cross(u, v)
        area = (normal**2).sum(axis=1)
        flat = area > 1e-3
        j, k, u, v, normal, area = (x[flat] for x in (j, k, u, v, normal, area))
        middle = (u**2).sum(1)[:, None] * _cross(v, normal) + (v**2).sum(1)[:, None] * _cross(normal, u)
        middle /= 2 * area[:, None]
        rise = CONTACT_A**2 - (middle**2).sum(axis=1)
        reached = rise > 0
        step = (np.sqrt(rise[reached]) / np.sqrt(area[reached]))[:, None] * normal[reached]
        for sign in (1, -1):
            centre = cloud.points[i] + middle[reached] + sign * step
            free = cloud.is_free(centre)
            centres.append(centre[free])
            triple = np.column_stack([np.full(len(free), i), near[j[reached]], near[k[reached]]])
            triples.append(triple[free])
    if not centres or not len(np.concatenate(centres)):
        return []
    return _merge(cloud, np.concatenate(centres), np.concatenate(triples))


def _merge(cloud: Cloud, centres: np.ndarray, triples: np.ndarray) -> list[Rest]:
    """Balls that rest in the same hollow become one, which touches all their atoms."""
    turns = whole_cells(cloud, centres)
    home = centres - turns @ cloud.vectors
    labels = connected_components(_near(cloud, home), directed=False)[1]
    hollows = []
    for label in range(labels.max() + 1):
        group = np.flatnonzero(labels == label)
        offset, wrap = _offsets(cloud, home[group] - home[group[0]])
        members = {
            (int(cloud.index[m]), tuple((cloud.shift[m] - turns[g] - own).tolist()))
            for g, own in zip(group, wrap, strict=True)
            for m in triples[g]
        }
        hollows.append((sorted(members), home[group[0]] + offset.mean(axis=0)))
    return hollows


def _near(cloud: Cloud, points: np.ndarray) -> np.ndarray | coo_array:
    """Graph of the points of the home cell that rest in one hollow with one another, images included."""
    if cloud.slab:  # one surface cell has few
        return np.linalg.norm(_offsets(cloud, points[None, :] - points[:, None])[0], axis=-1) < MERGE_A
    tree = cKDTree(points)
    pairs = tree.query_pairs(MERGE_A, output_type="ndarray")
    return coo_array((np.ones(len(pairs)), pairs.T), shape=(len(points),) * 2)


def whole_cells(cloud: Cloud, points: np.ndarray) -> np.ndarray:
    """Whole cells between points and the home cell, shape (n, 2)."""
    if not cloud.slab:
        return np.zeros((len(points), 2), dtype=int)
    return np.floor(points[:, :2] @ np.linalg.inv(cloud.vectors[:, :2]) + 1e-6).astype(int)


def _offsets(cloud: Cloud, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors to the nearest images, and the whole cells that were taken off; shapes (..., 3) and (..., 2)."""
    if not cloud.slab:
        return vectors, np.zeros((*vectors.shape[:-1], 2), dtype=int)
    wrap = np.round(vectors[..., :2] @ np.linalg.inv(cloud.vectors[:, :2])).astype(int)
    return vectors - wrap @ cloud.vectors, wrap


def bridges_of(cloud: Cloud, hollows: list) -> list[Rest]:
    """Half way along the arc on which a ball rolls from one hollow to the next, touching two atoms."""
    pairs: dict[tuple, list[np.ndarray]] = {}
    for members, centre in hollows:
        for (a, s), (b, t) in combinations(members, 2):
            step = (t[0] - s[0], t[1] - s[1])
            if (b, (-step[0], -step[1])) < (a, step):
                a, b, s, step = b, a, t, (-step[0], -step[1])
            pairs.setdefault((a, b, step), []).append(centre - np.array(s) @ cloud.vectors)
    keys, middles = [], []
    for (a, b, step), centres in pairs.items():
        start, end = cloud.place(a, (0, 0)), cloud.place(b, step)
        middle, axis = (start + end) / 2, (end - start) / np.linalg.norm(end - start)
        radius = np.sqrt(max(CONTACT_A**2 - ((end - start) ** 2).sum() / 4, 0.0))
        spokes = np.array(centres) - middle
        spokes -= np.outer(spokes @ axis, axis)
        x = spokes[0] / np.linalg.norm(spokes[0])
        y = _cross(axis, x)
        angles = np.sort(np.arctan2(spokes @ y, spokes @ x))
        for angle, gap in zip(angles, np.diff(angles, append=angles[0] + 2 * np.pi), strict=True):
            half = angle + gap / 2
            keys.append([(a, (0, 0)), (b, step)])
            middles.append(middle + radius * (np.cos(half) * x + np.sin(half) * y))
    middles = np.array(middles).reshape(-1, 3)
    free = cloud.is_free(middles)
    resting = np.array([centre for _, centre in hollows]).reshape(-1, 3)
    bridges = []
    for k in np.flatnonzero(free):
        offset = _offsets(cloud, (resting - middles[k])[None])[0][0]
        if len(offset) == 0 or np.linalg.norm(offset, axis=1).min() > APART_A:
            bridges.append((keys[k], middles[k]))
    return bridges
