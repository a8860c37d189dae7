"""The shape of a crystal that its surface energies ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import spglib
from ase import Atoms
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from qdsurf.errors import BuildError
from qdsurf.records.miller import parse_miller_index


@dataclass(frozen=True)
class Planes:
    """Faces of a polyhedron about the origin.

    Attributes
    ----------
    normals : unit vectors out of it, shape (n, 3).
    distances : from the origin in A, shape (n,).
    names : of the family to which each belongs, such as 111.
    """

    normals: np.ndarray
    distances: np.ndarray
    names: tuple[str, ...]


def wulff_planes(bulk: Atoms, energies: Mapping[str, float], diameter: float) -> Planes:
    """Planes of all faces, at distances in proportion to their surface energies.

    Parameters
    ----------
    bulk : conventional cell; its point group makes the equivalent planes, (0001) and (000-1) of wurtzite apart.
    energies : surface energy, or any number in proportion, by Miller index such as `111`.
    diameter : of the sphere of the same volume, in A.

    Raises
    ------
    BuildError : the planes do not close a volume.

    References
    ----------
    Wulff, Z. Kristallogr. 34, 449 (1901), 10.1524/zkri.1901.34.1.449.
    """
    rotations = spglib.get_symmetry((bulk.cell.array, bulk.get_scaled_positions(), bulk.numbers), symprec=1e-3)[
        "rotations"
    ]
    reciprocal = np.linalg.inv(bulk.cell.array).T
    normals, distances, families = [], [], []
    for name, energy in energies.items():
        images = np.unique([np.array(parse_miller_index(name)) @ rotation for rotation in rotations], axis=0)
        for image in images:
            normal = image @ reciprocal
            normals.append(normal / np.linalg.norm(normal))
            distances.append(energy)
            families.append(name)
    normals, distances = np.array(normals), np.array(distances)
    volume = polyhedron_volume(Planes(normals, distances, tuple(families)))
    if not np.isfinite(volume) or volume > 1e6 * distances.max() ** 3:
        raise BuildError(
            f"the planes {', '.join(dict.fromkeys(families))} close no volume; give more facets, for a polar axis both"
        )
    scale = diameter / 2 * (4 * np.pi / 3 / volume) ** (1 / 3)
    return Planes(normals, distances * scale, tuple(families))


def polyhedron_volume(planes: Planes) -> float:
    """Volume in A^3 within the planes; infinite where they do not close."""
    half = np.column_stack([planes.normals, -planes.distances])
    try:
        with np.errstate(divide="ignore", invalid="ignore"):  # of planes that meet at infinity
            corners = HalfspaceIntersection(half, np.zeros(3)).intersections
        return float(ConvexHull(corners[np.isfinite(corners).all(axis=1)]).volume)
    except QhullError:
        return np.inf
