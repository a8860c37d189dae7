"""Adsorption sites: where a ball rests on the atoms of a surface.

Where it touches three or more it lies in a hollow, half way between two hollows it lies on a bridge, and over a single
atom on top. Nothing in this needs a flat layer: steps, vacancies and whole nanocrystals have sites in the same way.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, SUBSTRATE
from qdsurf.atomistic.bonding import DONORS, bond_matrix
from qdsurf.atomistic.bonding_criteria import SITE_OCCUPIED_A
from qdsurf.errors import BuildError
from qdsurf.surfaces.rolling_probe import CONTACT_A, Cloud, bridges_of, hollows_of, whole_cells
from qdsurf.surfaces.site_density import surface_area
from qdsurf.surfaces.slab import LEAST_VACUUM_A
from qdsurf.surfaces.symmetry import IDENTITY, Operations, orbits, primitive_surface, surface_operations

REPEATS = 24  # surface cells along each vector of a slab, at most


def find_sites(atoms: Atoms, tolerance: float = 0.1, unique: bool = True) -> list[dict]:
    """Find the sites of a surface, one of each symmetry-equivalent set.

    Sites of the crystal are `top:S`, `bridge:Pb-S`, `hollow:4`; an oxygen that carries hydrogen is `hydroxyl:O`; a
    vacancy on record is `vacancy:Br`; ligands offer their donor atoms as `anchor:O`. Molecules do not change the
    sites of the crystal, they occupy them.

    Parameters
    ----------
    atoms : a slab with its surface along z, whatever its supercell, or a particle without cell.
    tolerance : in A, within which a symmetry of the layer, or of the particle about its middle, counts as one.
    unique : False lists every site of a particle by itself.

    Returns
    -------
    One dictionary a site: name, position (A, the centroid of the atoms touched), normal (unit vector), multiplicity
    (equivalent sites in the given cell), elements, atoms (their indices), free (how many of these no molecule holds).

    Raises
    ------
    BuildError : the structure is neither a slab with its surface along z nor a particle.
    """
    slab = upright(atoms) if atoms.pbc[:2].any() or atoms.cell.rank else atoms.copy()
    slab.set_array("index", np.arange(len(atoms)))
    crystal = slab[annotation.parts(slab) == SUBSTRATE] if annotation.has_parts(slab) else slab
    cell = primitive_surface(crystal, tolerance)
    repeats = round(surface_area(slab) / surface_area(cell)) if slab.pbc.any() else 1
    symmetry = lambda part: surface_operations(part, tolerance) if unique else IDENTITY  # noqa: E731
    found = _merge_equivalent(_sites_of(cell), cell, symmetry(cell), repeats)
    molecules = slab[annotation.parts(slab) != SUBSTRATE] if annotation.has_parts(slab) else slab[:0]
    shifts = _cells_within(cell, slab) if len(molecules) else None
    for site in found:
        site["atoms"] = _atoms_at(slab, site.pop("places"))
        site["free"] = site["multiplicity"]
        if shifts is not None:
            centres = (site["centres"][:, None] + shifts[None]).reshape(-1, 3)
            site["free"] = int((_distances(centres, molecules).min(axis=1) >= SITE_OCCUPIED_A).sum())
    if others := _donors(molecules) + _vacancies(slab):
        found += _merge_equivalent(others, slab, symmetry(slab), 1)
    for site in found:
        del site["centres"], site["centre"]
        site["position"] = _into_cell(site["position"], slab)
    order = {"top": 0, "hydroxyl": 1, "bridge": 2, "hollow": 3, "vacancy": 4, "anchor": 5}
    return sorted(found, key=lambda s: (order[s["name"].split(":")[0]], s["name"], s["multiplicity"], s["position"]))


def _into_cell(position: Sequence[float], slab: Atoms) -> list[float]:
    """The image of a position in A that lies in the cell."""
    if not slab.pbc.any():
        return list(map(float, position))
    cell = slab.cell.array[:2]
    turns = np.floor(np.asarray(position)[:2] @ np.linalg.inv(cell[:, :2]) + 1e-6)
    return (position - turns @ cell).tolist()


def upright(atoms: Atoms) -> Atoms:
    """A copy of a slab in one piece, with c along z and open along it.

    Raises
    ------
    BuildError : the in-plane vectors leave the xy plane, or there is no vacuum.
    """
    cell = atoms.cell.array
    words = f"sites need a slab: in-plane vectors in the xy plane and at least {LEAST_VACUUM_A:g} A of vacuum along z"
    if atoms.cell.rank < 3 or np.abs(cell[:2, 2]).max() > 1e-6:
        raise BuildError(f"{words}; this cell has the vectors {np.round(cell, 3).tolist()}")
    height = abs(cell[2, 2])
    level = atoms.positions[:, 2] / cell[2, 2] % 1.0
    order = np.argsort(level)
    gaps = np.diff(level[order], append=level[order[0]] + 1)
    widest = int(np.argmax(gaps))
    if gaps[widest] * height < LEAST_VACUUM_A:
        raise BuildError(f"{words}; here the widest gap is {gaps[widest] * height:.2f} A")
    slab = atoms.copy()
    start = level[order[(widest + 1) % len(level)]]
    turns = np.round((level - start) % 1.0 + start - atoms.positions[:, 2] / cell[2, 2])
    slab.positions += turns[:, None] * cell[2]
    slab.set_cell([cell[0], cell[1], [0, 0, height]])
    slab.pbc = True, True, False
    slab.wrap(eps=1e-6)
    return slab


def _sites_of(crystal: Atoms) -> list[dict]:
    """All sites of one cell of a crystal surface."""
    heavy = crystal[crystal.numbers != 1] if (crystal.numbers > 1).any() else crystal
    hydroxyl = _hydroxyls(crystal, heavy)
    cloud = Cloud(heavy)
    hollows = hollows_of(cloud)
    bridges = bridges_of(cloud, hollows)
    sites = [_site(cloud, members, centre) for members, centre in hollows + bridges]
    touched: dict[int, list] = {}
    for members, centre in hollows + bridges:
        for atom, shift in members:
            touched.setdefault(atom, []).append(centre - cloud.place(atom, shift))
    for atom, directions in touched.items():
        outwards = np.mean(directions, axis=0)
        centre = heavy.positions[atom] + CONTACT_A * outwards / np.linalg.norm(outwards)
        if cloud.is_free(centre[None])[0]:
            sites.append(_site(cloud, [(atom, (0, 0))], centre))
            if hydroxyl[atom]:
                sites[-1]["name"] = f"hydroxyl:{heavy.symbols[atom]}"
    return sites


def _hydroxyls(crystal: Atoms, heavy: Atoms) -> np.ndarray:
    """Mask of the heavy atoms that are oxygen with hydrogen on it."""
    if len(heavy) == len(crystal):
        return np.zeros(len(heavy), dtype=bool)
    carries = bond_matrix(crystal)[:, crystal.numbers == 1].any(axis=1)[crystal.numbers != 1]
    return carries & (heavy.numbers == 8)


def _site(cloud: Cloud, members: list, centre: np.ndarray) -> dict:
    """The record of one site from the atoms that the ball touches."""
    places = np.array([cloud.place(*member) for member in members])
    position = places.mean(axis=0)
    elements = sorted(cloud.atoms.symbols[[atom for atom, _ in members]])
    kind = {1: "top", 2: "bridge"}.get(len(members), "hollow")
    turns = whole_cells(cloud, centre[None])[0] @ cloud.vectors
    return {
        "name": f"{kind}:{len(members) if kind == 'hollow' else '-'.join(elements)}",
        "position": (position - turns).tolist(),
        "normal": ((centre - position) / np.linalg.norm(centre - position)).tolist(),
        "multiplicity": 1,
        "elements": elements,
        "places": places - turns,
        "centre": (centre - turns).tolist(),
    }


def _merge_equivalent(sites: list[dict], atoms: Atoms, operations: Operations, repeats: int) -> list[dict]:
    """One site of each set that the symmetry of the surface makes equal, with the size of the set."""
    if not sites:
        return []
    labels = orbits(np.array([site["centre"] for site in sites]), [s["name"] for s in sites], atoms, operations)
    merged = []
    for label in range(max(labels) + 1):
        alike = [site for site, own in zip(sites, labels, strict=True) if own == label]
        chosen = min(alike, key=lambda s: tuple(np.round(s["position"], 3) + 0.0))
        centres = np.array([site["centre"] for site in alike])
        merged.append(chosen | {"multiplicity": len(alike) * repeats, "centres": centres})
    return merged


def _distances(points: np.ndarray, slab: Atoms) -> np.ndarray:
    """Distances in A from points to the atoms, nearest image in the plane, shape (n, m)."""
    vectors = slab.positions[None] - points[:, None]
    if slab.pbc.any():
        cell = slab.cell.array[:2]
        vectors -= np.round(vectors[..., :2] @ np.linalg.inv(cell[:, :2])) @ cell
    return np.sqrt((vectors**2).sum(axis=-1))


def _atoms_at(slab: Atoms, places: np.ndarray) -> list[int]:
    """Indices of the atoms of the given cell that stand at these places."""
    return sorted({int(slab.arrays["index"][k]) for k in _distances(places, slab).argmin(axis=1)})


def _cells_within(cell: Atoms, slab: Atoms) -> np.ndarray:
    """Shifts in A from one surface cell to all others of the slab, shape (n, 3)."""
    if not slab.pbc.any():
        return np.zeros((1, 3))
    span = np.arange(-REPEATS, REPEATS + 1)
    shifts = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2) @ cell.cell.array[:2]
    within = shifts[:, :2] @ np.linalg.inv(slab.cell.array[:2, :2])
    return shifts[((within > -1e-3) & (within < 1 - 1e-3)).all(axis=1)]


def _donors(molecules: Atoms) -> list[dict]:
    """Donor atoms of bound ligands."""
    sites = []
    for i in np.flatnonzero(annotation.parts(molecules) == LIGAND) if annotation.has_parts(molecules) else ():
        symbol = molecules.symbols[i]
        if symbol not in DONORS:
            continue
        kind = "anchor" if annotation.anchors(molecules)[i] or symbol != "O" else "hydroxyl"
        sites.append(_point(f"{kind}:{symbol}", molecules.positions[i], symbol, int(molecules.arrays["index"][i])))
    return sites


def _vacancies(slab: Atoms) -> list[dict]:
    """Vacancies that a builder wrote into `info`: names and positions."""
    names = np.atleast_1d(annotation.noted(slab, "vacancy_elements", [])).tolist()
    places = np.asarray(annotation.noted(slab, "vacancy_positions", [])).reshape(-1, 3)
    return [_point(f"vacancy:{name}", place, name, None) for name, place in zip(names, places, strict=True)]


def _point(name: str, position: np.ndarray, element: str, index: int | None) -> dict:
    return {
        "name": name,
        "position": position.tolist(),
        "normal": [0.0, 0.0, 1.0],
        "multiplicity": 1,
        "elements": [element],
        "atoms": [] if index is None else [index],
        "centre": position.tolist(),
        "free": 1,
    }
