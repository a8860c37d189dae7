"""Adsorption sites of a surface from the positions of a rolling probe sphere.

The probe sphere touches three or more atoms in a hollow site, two on a bridge site and one on a top site. The method
does not need flat layers: it finds the sites of steps, vacancies and nanocrystals as well.
"""

from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, SUBSTRATE
from qdsurf.atomistic.bonding import DONORS, bond_matrix
from qdsurf.atomistic.bonding_criteria import SITE_OCCUPIED_A
from qdsurf.errors import BuildError
from qdsurf.surfaces.rolling_probe import (
    CONTACT_A,
    ProbedSurface,
    ProbePosition,
    cell_offsets,
    find_bridges,
    find_hollows,
)
from qdsurf.surfaces.site_density import surface_area
from qdsurf.surfaces.slab import LEAST_VACUUM_A
from qdsurf.surfaces.symmetry import IDENTITY, Operations, orbits, primitive_surface, surface_operations

# Largest number of surface cells along each vector of a slab.
REPEATS = 24
# Order of the kinds of sites in the result.
KINDS = ("top", "hydroxyl", "bridge", "hollow", "vacancy", "anchor")


@dataclass(frozen=True, eq=False)
class Site:
    """Adsorption site of a surface, with the number of sites that are equivalent by symmetry.

    Attributes
    ----------
    name : str
        Kind and atoms, such as `top:S`, `bridge:Pb-S`, `hollow:4`, `hydroxyl:O`, `vacancy:Br` or `anchor:O`.
    position : ndarray of float
        Centroid of the atoms that the probe sphere touches in A, shape (3,).
    normal : ndarray of float
        Unit vector from the position to the centre of the probe, out of the surface, shape (3,).
    multiplicity : int
        Number of equivalent sites in the structure.
    elements : tuple of str
        Elements of the touched atoms.
    atoms : tuple of int
        Indices of the touched atoms in the structure; empty for a vacancy.
    free : int
        Number of equivalent sites that no molecule occupies.
    """

    name: str
    position: np.ndarray
    normal: np.ndarray
    multiplicity: int
    elements: tuple[str, ...]
    atoms: tuple[int, ...]
    free: int


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Site before symmetry-equivalent sites are merged and atoms are assigned.

    Attributes
    ----------
    name : str
        Kind and atoms.
    position : ndarray of float
        Centroid of the touched atoms in A, shape (3,).
    normal : ndarray of float
        Unit vector out of the surface, shape (3,).
    elements : tuple of str
        Elements of the touched atoms.
    touched : ndarray of float
        Positions of the touched atoms in A, shape (k, 3).
    centre : ndarray of float
        Centre of the probe in A, shape (3,).
    """

    name: str
    position: np.ndarray
    normal: np.ndarray
    elements: tuple[str, ...]
    touched: np.ndarray
    centre: np.ndarray


def find_sites(atoms: Atoms, tolerance: float = 0.1, unique: bool = True) -> list[Site]:
    """Find the adsorption sites of a surface, one of each symmetry-equivalent set.

    Sites of the crystal are named `top:S`, `bridge:Pb-S` or `hollow:4`. An oxygen atom with hydrogen is `hydroxyl:O`, a
    recorded vacancy is `vacancy:Br`, and a donor atom of a ligand is `anchor:O`. Molecules do not change the sites of
    the crystal; they occupy them.

    Parameters
    ----------
    atoms : Atoms
        Slab with its surface along z, in any supercell, or a particle without cell.
    tolerance : float
        Largest deviation in A of an atom from its symmetry image in the layer, or in the particle about its centre.
    unique : bool
        Merge equivalent sites. False lists every site of a particle separately.

    Returns
    -------
    list of Site
        Sites sorted by kind, name, multiplicity and position.

    Raises
    ------
    BuildError
        The structure is neither a slab with its surface along z nor a particle.
    """
    slab = upright(atoms) if atoms.pbc[:2].any() or atoms.cell.rank else atoms.copy()
    slab.set_array("index", np.arange(len(atoms)))
    if annotation.has_parts(slab):
        in_crystal = annotation.parts(slab) == SUBSTRATE
        crystal, molecules = slab[in_crystal], slab[~in_crystal]
    else:
        crystal, molecules = slab, slab[:0]
    cell = primitive_surface(crystal, tolerance)
    cells = round(surface_area(slab) / surface_area(cell)) if slab.pbc.any() else 1
    operations = surface_operations(cell, tolerance) if unique else IDENTITY
    shifts = _cells_within(cell, slab) if len(molecules) else np.zeros((0, 3))
    sites = []
    for equivalent in _equivalent_sets(_sites_of_crystal(cell), cell, operations):
        centres = np.array([candidate.centre for candidate in equivalent])
        free = len(equivalent) * cells
        if len(molecules):
            all_centres = (centres[:, None] + shifts[None]).reshape(-1, 3)
            free = int((_distances(all_centres, molecules).min(axis=1) >= SITE_OCCUPIED_A).sum())
        sites.append(_merged(equivalent, slab, len(equivalent) * cells, free))
    if others := _donor_sites(molecules) + _vacancy_sites(slab):
        operations = surface_operations(slab, tolerance) if unique else IDENTITY
        sites += [
            _merged(equivalent, slab, len(equivalent), 1) for equivalent in _equivalent_sets(others, slab, operations)
        ]
    return sorted(sites, key=_site_rank)


def _site_rank(site: Site) -> tuple[int, str, int, list[float]]:
    """Return the sort key of a site: kind, name, multiplicity and position."""
    return KINDS.index(site.name.split(":")[0]), site.name, site.multiplicity, site.position.tolist()


def upright(atoms: Atoms) -> Atoms:
    """Return a copy of a slab in one piece, with c along z and not periodic along c.

    Parameters
    ----------
    atoms : Atoms
        Slab, possibly cut by the end of the cell, with c in any direction out of the plane.

    Returns
    -------
    Atoms
        Slab with all atoms wrapped into the cell in the plane.

    Raises
    ------
    BuildError
        The in-plane vectors are not in the xy plane, or there is no vacuum.
    """
    cell = atoms.cell.array
    words = f"sites need a slab: in-plane vectors in the xy plane and at least {LEAST_VACUUM_A:g} A of vacuum along z"
    if atoms.cell.rank < 3 or np.abs(cell[:2, 2]).max() > 1e-6:
        raise BuildError(f"{words}; this cell has the vectors {np.round(cell, 3).tolist()}")
    height = abs(cell[2, 2])
    scaled_heights = atoms.positions[:, 2] / cell[2, 2]
    levels = scaled_heights % 1.0
    order = np.argsort(levels)
    gaps = np.diff(levels[order], append=levels[order[0]] + 1)
    widest = int(np.argmax(gaps))
    if gaps[widest] * height < LEAST_VACUUM_A:
        raise BuildError(f"{words}; the widest gap of this structure is {gaps[widest] * height:.2f} A")
    slab = atoms.copy()
    lowest = levels[order[(widest + 1) % len(levels)]]
    periods = np.round((levels - lowest) % 1.0 + lowest - scaled_heights)
    slab.positions += periods[:, None] * cell[2]
    slab.set_cell([cell[0], cell[1], [0, 0, height]])
    slab.pbc = True, True, False
    slab.wrap(eps=1e-6)
    return slab


def _sites_of_crystal(crystal: Atoms) -> list[_Candidate]:
    """Find all sites of one cell of a crystal surface; hydrogen atoms are not probed."""
    heavy = crystal[crystal.numbers != 1] if (crystal.numbers > 1).any() else crystal
    hydroxyl = _hydroxyl_mask(crystal, heavy)
    surface = ProbedSurface(heavy)
    hollows = find_hollows(surface)
    bridges = find_bridges(surface, hollows)
    sites = [_candidate(surface, position) for position in hollows + bridges]
    directions: dict[int, list[np.ndarray]] = {}
    for members, centre in hollows + bridges:
        for atom, shift in members:
            directions.setdefault(atom, []).append(centre - surface.image_position(atom, shift))
    # A top site lies in the mean direction of the hollows and bridges of the atom.
    for atom, vectors in directions.items():
        outwards = np.mean(vectors, axis=0)
        centre = heavy.positions[atom] + CONTACT_A * outwards / np.linalg.norm(outwards)
        if surface.is_free(centre[None])[0]:
            site = _candidate(surface, ProbePosition([(atom, (0, 0))], centre))
            sites.append(replace(site, name=f"hydroxyl:{heavy.symbols[atom]}") if hydroxyl[atom] else site)
    return sites


def _hydroxyl_mask(crystal: Atoms, heavy: Atoms) -> np.ndarray:
    """Return the mask of the heavy atoms that are oxygen with hydrogen bonded to it, shape (n,)."""
    if len(heavy) == len(crystal):
        return np.zeros(len(heavy), dtype=bool)
    to_hydrogen = bond_matrix(crystal)[np.ix_(crystal.numbers != 1, crystal.numbers == 1)]
    return to_hydrogen.any(axis=1) & (heavy.numbers == 8)


def _candidate(surface: ProbedSurface, probe: ProbePosition) -> _Candidate:
    """Return the site at a position of the probe sphere, moved into the surface cell."""
    touched = np.array([surface.image_position(*member) for member in probe.members])
    position = touched.mean(axis=0)
    elements = sorted(surface.atoms.symbols[[atom for atom, _ in probe.members]])
    kind = {1: "top", 2: "bridge"}.get(len(probe.members), "hollow")
    offset = cell_offsets(surface, probe.centre[None])[0] @ surface.vectors
    return _Candidate(
        name=f"{kind}:{len(probe.members) if kind == 'hollow' else '-'.join(elements)}",
        position=position - offset,
        normal=(probe.centre - position) / np.linalg.norm(probe.centre - position),
        elements=tuple(elements),
        touched=touched - offset,
        centre=probe.centre - offset,
    )


def _equivalent_sets(sites: list[_Candidate], atoms: Atoms, operations: Operations) -> list[list[_Candidate]]:
    """Group the sites that are equivalent by symmetry."""
    if not sites:
        return []
    labels = orbits(np.array([site.centre for site in sites]), [site.name for site in sites], atoms, operations)
    return [[site for site, own in zip(sites, labels, strict=True) if own == label] for label in range(max(labels) + 1)]


def _merged(equivalent: list[_Candidate], slab: Atoms, multiplicity: int, free: int) -> Site:
    """Return one site for a set of equivalent ones: the site with the smallest coordinates, moved into the cell."""
    chosen = min(equivalent, key=lambda site: tuple(np.round(site.position, 3) + 0.0))
    nearest = _distances(chosen.touched, slab).argmin(axis=1)
    return Site(
        name=chosen.name,
        position=_into_cell(chosen.position, slab),
        normal=chosen.normal,
        multiplicity=multiplicity,
        elements=chosen.elements,
        atoms=tuple(sorted({int(slab.arrays["index"][k]) for k in nearest})),
        free=free,
    )


def _into_cell(position: np.ndarray, slab: Atoms) -> np.ndarray:
    """Return the periodic image of a position in A that lies in the cell."""
    if not slab.pbc.any():
        return position
    cell = slab.cell.array[:2]
    cells = np.floor(position[:2] @ np.linalg.inv(cell[:, :2]) + 1e-6)
    return position - cells @ cell


def _distances(points: np.ndarray, slab: Atoms) -> np.ndarray:
    """Return the distances in A from points to the atoms, nearest images in the plane, shape (n, m)."""
    vectors = slab.positions[None] - points[:, None]
    if slab.pbc.any():
        cell = slab.cell.array[:2]
        vectors -= np.round(vectors[..., :2] @ np.linalg.inv(cell[:, :2])) @ cell
    return np.sqrt((vectors**2).sum(axis=-1))


def _cells_within(cell: Atoms, slab: Atoms) -> np.ndarray:
    """Return the shifts in A from one surface cell to all surface cells of the slab, shape (n, 3)."""
    if not slab.pbc.any():
        return np.zeros((1, 3))
    span = np.arange(-REPEATS, REPEATS + 1)
    shifts = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2) @ cell.cell.array[:2]
    scaled = shifts[:, :2] @ np.linalg.inv(slab.cell.array[:2, :2])
    return shifts[((scaled > -1e-3) & (scaled < 1 - 1e-3)).all(axis=1)]


def _donor_sites(molecules: Atoms) -> list[_Candidate]:
    """Return the donor atoms of ligands as sites."""
    if not annotation.has_parts(molecules):
        return []
    sites = []
    for i in np.flatnonzero(annotation.parts(molecules) == LIGAND):
        symbol = molecules.symbols[i]
        if symbol in DONORS:
            kind = "anchor" if annotation.anchors(molecules)[i] or symbol != "O" else "hydroxyl"
            position = molecules.positions[i]
            sites.append(_point_site(f"{kind}:{symbol}", symbol, position, position[None]))
    return sites


def _vacancy_sites(slab: Atoms) -> list[_Candidate]:
    """Return the recorded vacancies as sites."""
    elements = np.atleast_1d(annotation.noted(slab, "vacancy_elements", [])).tolist()
    positions = np.asarray(annotation.noted(slab, "vacancy_positions", [])).reshape(-1, 3)
    return [
        _point_site(f"vacancy:{element}", element, position, np.zeros((0, 3)))
        for element, position in zip(elements, positions, strict=True)
    ]


def _point_site(name: str, element: str, position: np.ndarray, touched: np.ndarray) -> _Candidate:
    """Return a site at a given position, with its normal along z."""
    return _Candidate(name, position, np.array([0.0, 0.0, 1.0]), (element,), touched, position)
