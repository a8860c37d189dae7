"""Wulff construction: the equilibrium shape of a crystal from its surface energies."""

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
    """Faces of a polyhedron that contains the origin.

    Attributes
    ----------
    normals : ndarray of float
        Outward unit vectors, shape (n, 3).
    distances : ndarray of float
        Distances from the origin in A, shape (n,).
    names : tuple of str
        Miller index of the family to which each face belongs, such as `111`.
    """

    normals: np.ndarray
    distances: np.ndarray
    names: tuple[str, ...]


def wulff_planes(bulk: Atoms, energies: Mapping[str, float], diameter: float) -> Planes:
    """Construct all faces of a crystal, at distances proportional to their surface energies.

    Parameters
    ----------
    bulk : Atoms
        Conventional cell. Its point group generates the equivalent faces; (0001) and (000-1) of wurtzite are not
        equivalent.
    energies : mapping of str to float
        Surface energies, or numbers proportional to them, by Miller index such as `111`.
    diameter : float
        Diameter in A of the sphere with the volume of the crystal.

    Returns
    -------
    Planes
        Faces of the polyhedron.

    Raises
    ------
    BuildError
        The faces do not enclose a volume.

    References
    ----------
    Wulff, Z. Kristallogr. 34, 449 (1901), 10.1524/zkri.1901.34.1.449.
    """
    symmetry = spglib.get_symmetry((bulk.cell.array, bulk.get_scaled_positions(), bulk.numbers), symprec=1e-3)
    if symmetry is None:
        raise BuildError(f"spglib finds no symmetry of {bulk.symbols}; correct lattice or sites of the material")
    reciprocal = np.linalg.inv(bulk.cell.array).T
    normals, distances, families = [], [], []
    for name, energy in energies.items():
        miller_index = np.array(parse_miller_index(name))
        for image in np.unique([miller_index @ rotation for rotation in symmetry["rotations"]], axis=0):
            normal = image @ reciprocal
            normals.append(normal / np.linalg.norm(normal))
            distances.append(energy)
            families.append(name)
    unscaled = Planes(np.array(normals), np.array(distances), tuple(families))
    volume = polyhedron_volume(unscaled)
    if not np.isfinite(volume) or volume > 1e6 * unscaled.distances.max() ** 3:
        raise BuildError(
            f"the faces {', '.join(dict.fromkeys(families))} do not enclose a volume; give more facets, and both "
            "directions of a polar axis"
        )
    scale = diameter / 2 * (4 * np.pi / 3 / volume) ** (1 / 3)
    return Planes(unscaled.normals, unscaled.distances * scale, unscaled.names)


def polyhedron_volume(planes: Planes) -> float:
    """Return the volume enclosed by the faces in A^3, or infinity if they do not enclose one."""
    halfspaces = np.column_stack([planes.normals, -planes.distances])
    try:
        with np.errstate(divide="ignore", invalid="ignore"):  # parallel faces intersect at infinity
            vertices = HalfspaceIntersection(halfspaces, np.zeros(3)).intersections
        return float(ConvexHull(vertices[np.isfinite(vertices).all(axis=1)]).volume)
    except QhullError:
        return np.inf
