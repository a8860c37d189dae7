"""Positions at which a probe sphere that rolls over a surface touches three or more atoms, or two.

The probe sphere touches the nuclei at one contact distance for all atoms, as in the alpha shape of Edelsbrunner and
Muecke, 10.1145/174462.156635. A position on three or more atoms is a hollow; the position halfway between two hollows,
on two atoms, is a bridge. In a slab, atoms have periodic images in the plane, and the probe approaches from above.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from ase import Atoms
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from qdsurf.atomistic.point_sampling import sphere_directions

# Distance between the centre of the probe sphere and an atom that it touches. Larger than the radius of any hollow of a
# flat recorded facet (3.15 A on CsPbI3), so that the probe cannot enter the crystal.
CONTACT_A = 3.4
# Positions of the probe within this distance are in one hollow.
MERGE_A = 0.6
# A bridge is at least this far from the hollows beside it; in fcc metals the distance is 0.83 A.
APART_A = 0.72
# The probe may overlap with an atom by this distance, because relaxed or rattled surfaces are not exactly flat.
OVERLAP_A = 0.15
# An atom is not searched if the probe does not fit anywhere on it even with this overlap.
HIDDEN_A = 0.6
# Above the centre of the probe, no atom may be within this lateral distance, as a fraction of CONTACT_A.
CLEARANCE = 0.5
# On a slab, an atom is accessible only from directions with a z component above this.
LOWEST_DIRECTION = -0.2

Member = tuple[int, tuple[int, int]]


class ProbePosition(NamedTuple):
    """Position of the probe sphere in contact with atoms.

    Attributes
    ----------
    members : list of tuple
        Index and periodic image (two integers) of each atom that the probe touches.
    centre : ndarray of float
        Centre of the probe in A, shape (3,).
    """

    members: list[Member]
    centre: np.ndarray


class ProbedSurface:
    """Atoms of a surface with their periodic images, for contacts with the probe sphere.

    Attributes
    ----------
    atoms : Atoms
        Slab with c along z, or a particle without cell.
    slab : bool
        Whether the atoms are periodic in the plane.
    vectors : ndarray of float
        In-plane cell vectors in A, shape (2, 3); zero for a particle.
    points : ndarray of float
        Positions of the atoms and their images in A, shape (m, 3). The atoms themselves come first.
    index : ndarray of int
        Index of the atom of each point, shape (m,).
    shift : ndarray of int
        Periodic image of each point, shape (m, 2).
    tree : cKDTree
        Search tree of the points.
    """

    def __init__(self, atoms: Atoms):
        self.atoms = atoms
        self.slab = bool(atoms.pbc[:2].all())
        self.vectors = atoms.cell.array[:2] if self.slab else np.zeros((2, 3))
        images = [(0, 0)]
        if self.slab:
            area = np.linalg.norm(np.cross(*self.vectors))
            reach = [int(np.ceil(2.5 * CONTACT_A * np.linalg.norm(v) / area)) + 1 for v in self.vectors[::-1]]
            images += [
                (a, b)
                for a in range(-reach[0], reach[0] + 1)
                for b in range(-reach[1], reach[1] + 1)
                if (a, b) != (0, 0)
            ]
        n, shifts = len(atoms), np.array(images)
        self.points = (atoms.positions[None] + (shifts @ self.vectors)[:, None]).reshape(-1, 3)
        self.index = np.tile(np.arange(n), len(shifts))
        self.shift = np.repeat(shifts, n, axis=0)
        self.tree = cKDTree(self.points)

    def image_position(self, atom: int, shift: Sequence[int]) -> np.ndarray:
        """Return the position in A of a periodic image of an atom."""
        return self.atoms.positions[atom] + np.asarray(shift) @ self.vectors

    def is_free(self, centres: np.ndarray, overlap: float = OVERLAP_A) -> np.ndarray:
        """Test whether the probe sphere fits at positions.

        Parameters
        ----------
        centres : ndarray of float
            Centres of the probe in A, shape (n, 3).
        overlap : float
            Accepted overlap with an atom in A.

        Returns
        -------
        ndarray of bool
            Whether no atom is within the probe and, on a slab, whether the position is accessible from above, shape
            (n,).
        """
        if len(centres) == 0:
            return np.zeros(0, dtype=bool)
        free = self.tree.query_ball_point(centres, CONTACT_A - overlap, return_length=True) == 0
        if self.slab and free.any():
            fitting = np.flatnonzero(free)
            highest = self.points[:, 2].max()
            neighbours = self.tree.query_ball_point(centres[fitting], 2 * CONTACT_A)
            for k, near in zip(fitting, neighbours, strict=True):
                if centres[k, 2] > highest:
                    continue
                vectors = self.points[near] - centres[k]
                above = vectors[vectors[:, 2] > 0]
                lateral = np.hypot(above[:, 0], above[:, 1])
                free[k] = len(above) == 0 or lateral.min() > CLEARANCE * CONTACT_A
                free[k] &= bool((vectors[:, 2] < 0).any())
        return free


def exposed_atoms(surface: ProbedSurface) -> np.ndarray:
    """Find the atoms that the probe sphere may be able to touch.

    The test samples directions and accepts the overlap `HIDDEN_A`, so that it may include atoms that the probe cannot
    touch, but does not miss others.

    Returns
    -------
    ndarray of int
        Indices of atoms.
    """
    directions = sphere_directions()
    if surface.slab:
        directions = directions[directions[:, 2] > LOWEST_DIRECTION]
    n = len(surface.atoms)
    centres = (surface.points[:n, None] + CONTACT_A * directions[None]).reshape(-1, 3)
    empty = surface.tree.query_ball_point(centres, CONTACT_A - HIDDEN_A, return_length=True) == 0
    return np.flatnonzero(empty.reshape(n, -1).any(axis=1))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cross products along the last axis; faster than the more general function of NumPy."""
    x = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    y = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    return np.stack([x, y, a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]], axis=-1)


def find_hollows(surface: ProbedSurface) -> list[ProbePosition]:
    """Find all positions in which the probe sphere touches three or more atoms."""
    exposed = exposed_atoms(surface)
    outer = np.flatnonzero(np.isin(surface.index, exposed))
    tree = cKDTree(surface.points[outer])
    centres, triples = [], []
    for i in exposed:
        origin = surface.points[i]
        near = outer[tree.query_ball_point(origin, 2 * CONTACT_A - 1e-6)]
        near = near[near != i]
        j, k = np.triu_indices(len(near), 1)
        u, v = surface.points[near[j]] - origin, surface.points[near[k]] - origin
        normal = _cross(u, v)
        area_squared = (normal**2).sum(axis=1)
        # Three collinear atoms have no circumcentre.
        not_collinear = area_squared > 1e-3
        j, k, u, v, normal, area_squared = (x[not_collinear] for x in (j, k, u, v, normal, area_squared))
        circumcentre = (u**2).sum(1)[:, None] * _cross(v, normal) + (v**2).sum(1)[:, None] * _cross(normal, u)
        circumcentre /= 2 * area_squared[:, None]
        height_squared = CONTACT_A**2 - (circumcentre**2).sum(axis=1)
        touches = height_squared > 0
        step = (np.sqrt(height_squared[touches]) / np.sqrt(area_squared[touches]))[:, None] * normal[touches]
        for sign in (1, -1):
            centre = origin + circumcentre[touches] + sign * step
            free = surface.is_free(centre)
            centres.append(centre[free])
            triple = np.column_stack([np.full(len(free), i), near[j[touches]], near[k[touches]]])
            triples.append(triple[free])
    if not centres or not len(np.concatenate(centres)):
        return []
    return _merge(surface, np.concatenate(centres), np.concatenate(triples))


def _merge(surface: ProbedSurface, centres: np.ndarray, triples: np.ndarray) -> list[ProbePosition]:
    """Combine positions in the same hollow into one position that touches all their atoms."""
    cells = cell_offsets(surface, centres)
    in_cell = centres - cells @ surface.vectors
    labels = connected_components(_same_hollow(surface, in_cell), directed=False)[1]
    hollows = []
    for label in range(labels.max() + 1):
        group = np.flatnonzero(labels == label)
        offset, wrap = _nearest_images(surface, in_cell[group] - in_cell[group[0]])
        members = {
            (int(surface.index[m]), tuple((surface.shift[m] - cells[g] - own).tolist()))
            for g, own in zip(group, wrap, strict=True)
            for m in triples[g]
        }
        hollows.append(ProbePosition(sorted(members), in_cell[group[0]] + offset.mean(axis=0)))
    return hollows


def _same_hollow(surface: ProbedSurface, points: np.ndarray) -> np.ndarray | coo_array:
    """Return the graph of the positions that are in one hollow, including periodic images."""
    if surface.slab:  # a surface cell has few positions, so that a dense matrix is sufficient
        return np.linalg.norm(_nearest_images(surface, points[None, :] - points[:, None])[0], axis=-1) < MERGE_A
    pairs = cKDTree(points).query_pairs(MERGE_A, output_type="ndarray")
    return coo_array((np.ones(len(pairs)), pairs.T), shape=(len(points),) * 2)


def cell_offsets(surface: ProbedSurface, points: np.ndarray) -> np.ndarray:
    """Return the surface cell in which each point lies, as integer multiples of the cell vectors, shape (n, 2)."""
    if not surface.slab:
        return np.zeros((len(points), 2), dtype=int)
    return np.floor(points[:, :2] @ np.linalg.inv(surface.vectors[:, :2]) + 1e-6).astype(int)


def _nearest_images(surface: ProbedSurface, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors between nearest images, shape (..., 3), and the subtracted cells, shape (..., 2)."""
    if not surface.slab:
        return vectors, np.zeros((*vectors.shape[:-1], 2), dtype=int)
    wrap = np.round(vectors[..., :2] @ np.linalg.inv(surface.vectors[:, :2])).astype(int)
    return vectors - wrap @ surface.vectors, wrap


def find_bridges(surface: ProbedSurface, hollows: Sequence[ProbePosition]) -> list[ProbePosition]:
    """Find the positions on two atoms, halfway along the arc on which the probe sphere rolls between two hollows.

    Parameters
    ----------
    surface : ProbedSurface
        Atoms of the surface.
    hollows : sequence of ProbePosition
        All hollows of the surface.

    Returns
    -------
    list of ProbePosition
        Positions at least `APART_A` away from all hollows.
    """
    centres_of_pair: dict[tuple[int, int, tuple[int, int]], list[np.ndarray]] = {}
    for members, centre in hollows:
        for (a, shift_a), (b, shift_b) in combinations(members, 2):
            step = (shift_b[0] - shift_a[0], shift_b[1] - shift_a[1])
            reverse = (-step[0], -step[1])
            origin = shift_a
            # Each pair of atoms is stored in one of its two directions.
            if (b, reverse) < (a, step):
                a, b, step, origin = b, a, reverse, shift_b
            centres_of_pair.setdefault((a, b, step), []).append(centre - np.array(origin) @ surface.vectors)
    members_of_bridges: list[list[Member]] = []
    centres_of_bridges: list[np.ndarray] = []
    for (a, b, step), centres in centres_of_pair.items():
        start, end = surface.image_position(a, (0, 0)), surface.image_position(b, step)
        middle, axis = (start + end) / 2, (end - start) / np.linalg.norm(end - start)
        radius = np.sqrt(max(CONTACT_A**2 - ((end - start) ** 2).sum() / 4, 0.0))
        spokes = np.array(centres) - middle
        spokes -= np.outer(spokes @ axis, axis)
        x = spokes[0] / np.linalg.norm(spokes[0])
        y = _cross(axis, x)
        angles = np.sort(np.arctan2(spokes @ y, spokes @ x))
        for angle, gap in zip(angles, np.diff(angles, append=angles[0] + 2 * np.pi), strict=True):
            halfway = angle + gap / 2
            members_of_bridges.append([(a, (0, 0)), (b, step)])
            centres_of_bridges.append(middle + radius * (np.cos(halfway) * x + np.sin(halfway) * y))
    candidates = np.array(centres_of_bridges).reshape(-1, 3)
    hollow_centres = np.array([hollow.centre for hollow in hollows]).reshape(-1, 3)
    bridges = []
    for k in np.flatnonzero(surface.is_free(candidates)):
        to_hollows = _nearest_images(surface, (hollow_centres - candidates[k])[None])[0][0]
        if len(to_hollows) == 0 or np.linalg.norm(to_hollows, axis=1).min() > APART_A:
            bridges.append(ProbePosition(members_of_bridges[k], candidates[k]))
    return bridges
