"""Adsorption sites: where a ball rests on the atoms of a surface.

A ball of one contact distance is rolled over the atoms (the alpha shape, Edelsbrunner 1994, 10.1145/174462.156635).
Where it touches three or more it lies in a hollow, half way between two hollows it lies on a bridge, and over a single
atom on top. Nothing in this needs a flat layer: steps, vacancies and whole nanocrystals have sites in the same way.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from ase import Atoms
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from qdsurf.build.roles import find_role
from qdsurf.build.symmetry import orbits, primitive_surface, surface_operations
from qdsurf.connectivity import bond_matrix
from qdsurf.errors import BuildError
from qdsurf.structure_io import LIGAND, SUBSTRATE

CONTACT_A = 3.3  # of the ball: wider than any hollow of a flat facet on record (CsPbI3 3.15), too wide for the crystal
MERGE_A = 0.6  # balls nearer than this rest in one hollow; those of fcc metals are 0.8 from their bridges
OVERLAP_A = 0.15  # a ball may dip into an atom by this much: relaxed and shaken surfaces are not exactly flat
HIDDEN_A = 0.6  # an atom at which no ball fits even with this much overlap is not searched
VACUUM_A = 5.0  # least empty space of a slab
REPEATS = 24  # surface cells along each vector of a slab, at most
OCCUPIED_A = 2.2  # a site whose ball has a molecule's atom this near its centre is taken
DONORS = ("N", "O", "P", "S", "Se", "Te", "F", "Cl", "Br", "I")


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


def find_sites(atoms: Atoms, tolerance: float = 0.1) -> list[dict]:
    """Find the sites of a surface, one of each symmetry-equivalent set.

    Sites of the crystal are `top:S`, `bridge:Pb-S`, `hollow:4`; an oxygen that carries hydrogen is `hydroxyl:O`; a
    vacancy on record is `vacancy:Br`; ligands offer their donor atoms as `anchor:O`. Molecules do not change the
    sites of the crystal, they occupy them.

    Parameters
    ----------
    atoms : a slab with its surface along z, whatever its supercell, or a particle without cell.
    tolerance : in A, within which a symmetry of the layer counts as one.

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
    crystal = slab[slab.arrays["role"] == SUBSTRATE] if "role" in slab.arrays else slab
    cell = primitive_surface(crystal, tolerance)
    repeats = round(surface_area(slab) / surface_area(cell)) if slab.pbc.any() else 1
    found = _merge_equivalent(_sites_of(cell), cell, tolerance, repeats)
    molecules = slab[slab.arrays["role"] != SUBSTRATE] if "role" in slab.arrays else slab[:0]
    shifts = _cells_within(cell, slab) if len(molecules) else None
    for site in found:
        site["atoms"] = _atoms_at(slab, site.pop("places"))
        site["free"] = site["multiplicity"]
        if shifts is not None:
            centres = (site["centres"][:, None] + shifts[None]).reshape(-1, 3)
            site["free"] = int((_distances(centres, molecules).min(axis=1) >= OCCUPIED_A).sum())
    found += _merge_equivalent(_donors(molecules) + _vacancies(slab), slab, tolerance, 1)
    for site in found:
        site.pop("centres", None)
        del site["centre"]
    order = {"top": 0, "hydroxyl": 1, "bridge": 2, "hollow": 3, "vacancy": 4, "anchor": 5}
    return sorted(found, key=lambda s: (order[s["name"].split(":")[0]], s["name"], s["multiplicity"], s["position"]))


def upright(atoms: Atoms) -> Atoms:
    """A copy of a slab in one piece, with c along z and open along it.

    Raises
    ------
    BuildError : the in-plane vectors leave the xy plane, or there is no vacuum.
    """
    cell = atoms.cell.array
    words = f"sites need a slab: in-plane vectors in the xy plane and at least {VACUUM_A:g} A of vacuum along z"
    if atoms.cell.rank < 3 or np.abs(cell[:2, 2]).max() > 1e-6:
        raise BuildError(f"{words}; this cell has the vectors {np.round(cell, 3).tolist()}")
    height = abs(cell[2, 2])
    level = atoms.positions[:, 2] / cell[2, 2] % 1.0
    order = np.argsort(level)
    gaps = np.diff(level[order], append=level[order[0]] + 1)
    widest = int(np.argmax(gaps))
    if gaps[widest] * height < VACUUM_A:
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
    cloud = _Cloud(heavy)
    hollows = _hollows(cloud)
    bridges = _bridges(cloud, hollows)
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


class _Cloud:
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


def _directions(count: int = 150) -> np.ndarray:
    """Unit vectors spread over a sphere (Fibonacci lattice), shape (count, 3)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    phi = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(phi), np.sqrt(1 - z**2) * np.sin(phi), z])


def _exposed(cloud: _Cloud) -> np.ndarray:
    """Home atoms at which a ball might fit, with room to spare; the exact answer comes later."""
    directions = _directions()
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


def _hollows(cloud: _Cloud) -> list[tuple[list, np.ndarray]]:
    """Atoms touched and centre of every ball that rests on three or more."""
    exposed = _exposed(cloud)
    shown = np.isin(cloud.index, exposed)
    outer = np.flatnonzero(shown)
    tree = cKDTree(cloud.points[outer])
    centres, triples = [], []
    for i in exposed:
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


def _merge(cloud: _Cloud, centres: np.ndarray, triples: np.ndarray) -> list[tuple[list, np.ndarray]]:
    """Balls that rest in the same hollow become one, which touches all their atoms."""
    turns = _turns(cloud, centres)
    home = centres - turns @ cloud.vectors
    offset, wrap = _offsets(cloud, home[None, :] - home[:, None])
    labels = connected_components(np.linalg.norm(offset, axis=-1) < MERGE_A)[1]
    hollows = []
    for label in range(labels.max() + 1):
        group = np.flatnonzero(labels == label)
        first = group[0]
        members = {
            (int(cloud.index[m]), tuple((cloud.shift[m] - turns[g] - wrap[first, g]).tolist()))
            for g in group
            for m in triples[g]
        }
        hollows.append((sorted(members), home[first] + offset[first, group].mean(axis=0)))
    return hollows


def _turns(cloud: _Cloud, points: np.ndarray) -> np.ndarray:
    """Whole cells between points and the home cell, shape (n, 2)."""
    if not cloud.slab:
        return np.zeros((len(points), 2), dtype=int)
    return np.floor(points[:, :2] @ np.linalg.inv(cloud.vectors[:, :2]) + 1e-6).astype(int)


def _offsets(cloud: _Cloud, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors to the nearest images, and the whole cells that were taken off; shapes (n, n, 3) and (n, n, 2)."""
    if not cloud.slab:
        return vectors, np.zeros((*vectors.shape[:2], 2), dtype=int)
    wrap = np.round(vectors[..., :2] @ np.linalg.inv(cloud.vectors[:, :2])).astype(int)
    return vectors - wrap @ cloud.vectors, wrap


def _bridges(cloud: _Cloud, hollows: list) -> list[tuple[list, np.ndarray]]:
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
        if len(offset) == 0 or np.linalg.norm(offset, axis=1).min() > MERGE_A:
            bridges.append((keys[k], middles[k]))
    return bridges


def _site(cloud: _Cloud, members: list, centre: np.ndarray) -> dict:
    """The record of one site from the atoms that the ball touches."""
    places = np.array([cloud.place(*member) for member in members])
    position = places.mean(axis=0)
    elements = sorted(cloud.atoms.symbols[[atom for atom, _ in members]])
    kind = {1: "top", 2: "bridge"}.get(len(members), "hollow")
    turns = _turns(cloud, centre[None])[0] @ cloud.vectors
    return {
        "name": f"{kind}:{len(members) if kind == 'hollow' else '-'.join(elements)}",
        "position": (position - turns).tolist(),
        "normal": ((centre - position) / np.linalg.norm(centre - position)).tolist(),
        "multiplicity": 1,
        "elements": elements,
        "places": places - turns,
        "centre": (centre - turns).tolist(),
    }


def _merge_equivalent(sites: list[dict], atoms: Atoms, tolerance: float, repeats: int) -> list[dict]:
    """One site of each set that the symmetry of the surface makes equal, with the size of the set."""
    if not sites:
        return []
    operations = surface_operations(atoms, tolerance)
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
    for i in np.flatnonzero(molecules.arrays["role"] == LIGAND) if "role" in molecules.arrays else ():
        symbol = molecules.symbols[i]
        if symbol not in DONORS:
            continue
        kind = "anchor" if molecules.arrays["anchor"][i] or symbol != "O" else "hydroxyl"
        sites.append(_point(f"{kind}:{symbol}", molecules.positions[i], symbol, int(molecules.arrays["index"][i])))
    return sites


def _vacancies(slab: Atoms) -> list[dict]:
    """Vacancies that a builder wrote into `info`: names and positions."""
    names = np.atleast_1d(slab.info.get("vacancy_elements", [])).tolist()
    places = np.asarray(slab.info.get("vacancy_positions", [])).reshape(-1, 3)
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
