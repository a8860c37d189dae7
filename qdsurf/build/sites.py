"""Adsorption sites of a slab: named, symmetry-unique, and counted per area."""

import numpy as np
from ase import Atoms
from scipy.spatial import Delaunay

from qdsurf.build.roles import find_role
from qdsurf.errors import BuildError
from qdsurf.structure_io import LIGAND

FINGERPRINT_RADIUS_A = 6.0
FINGERPRINT_TOLERANCE_A = 0.05


def surface_area(atoms: Atoms) -> float:
    """Area of the surface cell in nm^2."""
    return float(np.linalg.norm(np.cross(*atoms.cell.array[:2]))) / 100


def count_sites(atoms: Atoms) -> dict[str, float]:
    """Density in nm^-2 of the site families of the kinetic lattice.

    `surface`: outermost anions that hold neither an acid proton nor a ligand; `ligand`: bound ligands.
    """
    anions = find_role(atoms, "surface.anion")
    held = np.flatnonzero(atoms.arrays["role"] == LIGAND)
    free = [i for i in anions if len(held) == 0 or atoms.get_distances(int(i), held, mic=True).min() > 1.8]
    ligands = len(set(atoms.arrays["fragment"][held]))
    area = surface_area(atoms)
    return {"surface": len(free) / area} | ({"ligand": ligands / area} if ligands else {})


def find_sites(atoms: Atoms) -> list[dict]:
    """Top, bridge and hollow sites of the outermost layer, one of each symmetry-equivalent set.

    Two sites are equivalent when the elements and distances (to 0.05 A) around them within 6 A agree.

    Returns
    -------
    One dictionary a site: name (`top:S`, `bridge:Pb-S`, `hollow:4`), position (A), normal, multiplicity,
    elements.

    Raises
    ------
    BuildError : the structure is not a slab with its surface along z.
    """
    z = atoms.positions[:, 2]
    flat = abs(atoms.cell.array[:2, 2]).max() < 1e-6 and atoms.cell.rank == 3
    if not flat or np.ptp(z) > atoms.cell.lengths()[2] - 5:
        raise BuildError("sites need a slab: in-plane vectors in the xy plane and at least 5 A of vacuum along z")
    atoms = atoms.copy()
    atoms.pbc = True, True, False
    atoms.wrap()
    outermost = np.flatnonzero(z > z.max() - 0.6)
    corners = _tile(atoms, outermost)
    points = [(corner[:3], [int(corner[3])]) for corner in corners]
    for simplex in _merged_polygons(corners[:, :3]):
        members = corners[list(simplex)]
        centre = members[:, :3].mean(axis=0)
        points.append((centre, members[:, 3].astype(int)))
        for a, b in zip(members, np.roll(members, 1, axis=0), strict=True):
            points.append(((a[:3] + b[:3]) / 2, [int(a[3]), int(b[3])]))
    found: dict[tuple, dict] = {}
    seen: list[np.ndarray] = []
    for position, members in points:
        scaled = np.linalg.solve(atoms.cell.array.T, position)
        if (scaled[:2] < -1e-3).any() or (scaled[:2] > 1 - 1e-3).any():
            continue
        if seen and min(_separation(atoms, position, other) for other in seen) < 0.1:
            continue
        seen.append(position)
        elements = sorted(atoms.symbols[members])
        kind = {1: "top", 2: "bridge"}.get(len(members))
        name = f"{kind}:{'-'.join(elements)}" if kind else f"hollow:{len(members)}"
        key = (name, _fingerprint(atoms, position))
        site = found.setdefault(
            key,
            {
                "name": name,
                "position": position.tolist(),
                "normal": [0.0, 0.0, 1.0],
                "multiplicity": 0,
                "elements": elements,
            },
        )
        site["multiplicity"] += 1
    return sorted(found.values(), key=lambda site: (len(site["elements"]), site["name"], site["multiplicity"]))


def _tile(atoms: Atoms, indices: np.ndarray) -> np.ndarray:
    """Positions and numbers of the outermost atoms in 3 x 3 cells, shape (n, 4)."""
    shifts = [i * atoms.cell.array[0] + j * atoms.cell.array[1] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return np.concatenate([np.column_stack([atoms.positions[indices] + s, indices]) for s in shifts])


def _merged_polygons(corners: np.ndarray) -> list[tuple[int, ...]]:
    """Delaunay triangles of the layer; two that share a circle become one square, corners in order."""
    triangulation = Delaunay(corners[:, :2])
    polygons, used = [], set()
    centres = [_circumcentre(corners[s, :2]) for s in triangulation.simplices]
    for t, simplex in enumerate(triangulation.simplices):
        if t in used or centres[t] is None:
            continue
        partner = next(
            (
                n
                for n in triangulation.neighbors[t]
                if n > t and n not in used and centres[n] is not None and np.allclose(centres[n], centres[t], atol=0.1)
            ),
            None,
        )
        members = set(simplex) | set(triangulation.simplices[partner] if partner is not None else ())
        used |= {t, partner}
        middle = corners[list(members), :2].mean(axis=0)
        polygons.append(tuple(sorted(members, key=lambda i: np.arctan2(*(corners[i, :2] - middle)))))
    return polygons


def _circumcentre(triangle: np.ndarray) -> np.ndarray | None:
    """Centre of the circle through three points; None for the degenerate triangles at the rim of the tiling."""
    a, b, c = triangle
    matrix = 2 * np.array([b - a, c - a])
    if abs(np.linalg.det(matrix)) < 1e-3:
        return None
    return np.linalg.solve(matrix, [b @ b - a @ a, c @ c - a @ a])


def _separation(atoms: Atoms, a: np.ndarray, b: np.ndarray) -> float:
    delta = np.linalg.solve(atoms.cell.array.T, a - b)
    delta[:2] -= np.round(delta[:2])
    return float(np.linalg.norm(delta @ atoms.cell.array))


def _fingerprint(atoms: Atoms, position: np.ndarray) -> tuple:
    """Elements and distances around a point, rounded to the tolerance."""
    shifts = [i * atoms.cell.array[0] + j * atoms.cell.array[1] for i in range(-3, 4) for j in range(-3, 4)]
    vectors = np.concatenate([atoms.positions + s - position for s in shifts])
    numbers = np.tile(atoms.numbers, len(shifts))
    distance = np.linalg.norm(vectors, axis=1)
    near = distance < FINGERPRINT_RADIUS_A
    rounded = np.round(distance[near] / FINGERPRINT_TOLERANCE_A).astype(int)
    return tuple(sorted(zip(numbers[near].tolist(), rounded.tolist(), strict=True)))
