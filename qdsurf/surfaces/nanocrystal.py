"""Nanocrystals in Wulff shape: cut from the crystal along complete layers, with a list of their broken bonds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from scipy.spatial import ConvexHull, HalfspaceIntersection, cKDTree

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.errors import BuildError, InputError, unknown
from qdsurf.records.miller import parse_miller_index
from qdsurf.records.models import Material
from qdsurf.surfaces.alloys import substitute
from qdsurf.surfaces.core_shell import STRAIN_ANISOTROPY, WIDEST_STRAIN
from qdsurf.surfaces.crystal import LAYER_GAP_A, LAYER_GAP_SHARE, Bonds, bulk_cell, crystal_bonds, ion_charge
from qdsurf.surfaces.passivation import DanglingBonds
from qdsurf.surfaces.slab import layer_name, list_terminations
from qdsurf.surfaces.wulff import Planes, polyhedron_volume, wulff_planes

# An atom within this distance of a face lies on it.
ON_FACE_A = 0.6
# Faces pass through atoms, so that atoms up to this distance outside a plane count as inside.
PLANE_TOLERANCE_A = 0.01
# Positions within this distance are the same lattice site.
SAME_SITE_A = 0.1
# An atom is removed if it keeps less than half of its bonds; an atom with this number of bonds is always kept.
ENOUGH_BONDS = 3
EDGE, VERTEX, INSIDE = "edge", "vertex", "inside"
# As the name of a face: all faces that are not named.
EVERYWHERE = "*"


@dataclass(frozen=True)
class _Region:
    """Core or shell of a particle.

    Attributes
    ----------
    bulk : Atoms
        Conventional cell, with the lattice of the core.
    charges : ndarray of float
        Formal charges of the ions of the cell in e, shape (n,).
    bonds : Bonds
        Bonds of the crystal.
    depth_A : float
        Depth below the faces at which the region begins: the thickness of all shells around it.
    """

    bulk: Atoms
    charges: np.ndarray
    bonds: Bonds
    depth_A: float


@dataclass(frozen=True)
class _Centre:
    """Point of the conventional cell at which a particle is centred.

    Attributes
    ----------
    position : ndarray of float
        Position in A, shape (3,).
    lowers_symmetry : bool
        Whether the particle loses symmetry operations of its shape. The middle of a bond lowers the symmetry; an atom
        does not.
    """

    position: np.ndarray
    lowers_symmetry: bool


def build_nanocrystal(
    material: Material,
    diameter_nm: float,
    facets: Mapping[str, float] | None = None,
    centre: str | None = None,
    seed: int = 0,
    shells: Sequence[tuple[Material, float]] = (),
) -> tuple[Atoms, DanglingBonds]:
    """Cut a nanocrystal in the shape given by its surface energies, without ligands.

    Each face is moved to the nearest layer of its termination. This is the termination on record, or the one with the
    fewest broken bonds if none is recorded. Atoms that keep fewer than half of their bonds, and fewer than three, are
    removed.

    Parameters
    ----------
    material : Material
        Record of the material, or of the core.
    diameter_nm : float
        Diameter in nm of the sphere with the volume of the particle.
    facets : mapping of str to float, optional
        Surface energies, or numbers proportional to them, by Miller index such as `111`. None uses those of the record.
    centre : str, optional
        Element of the atom at the centre. None tries an atom of each element and the middle of a bond, and takes the
        particle that is closest to the requested shape.
    seed : int
        Seed of substituted ions.
    shells : sequence of tuple of Material and float
        Other crystals and their thicknesses in nm, from the inside to the outside, included in the diameter. They have
        the lattice of the core and share its anions; `info["shells"]` states the strain.

    Returns
    -------
    particle : Atoms
        Particle without cell. Its column `facet` is the name of a face, `edge`, `vertex` or `inside`. Its column
        `layer` is 1 for atoms with broken bonds and 2 for all others. The particle is charged if its ions do not
        balance, and molecular ions are still placeholders; `cap_nanocrystal` completes both.
    dangling : DanglingBonds
        Broken bonds of the particle.

    Raises
    ------
    InputError
        The diameter is not positive, no facet has a surface energy, or the element is not in the crystal.
    BuildError
        The faces do not enclose a volume, the particle would have no atoms, or a shell does not grow epitaxially.
    """
    if not 0 < diameter_nm < np.inf:
        raise InputError(f"the diameter {diameter_nm:g} nm is not possible; give a number above 0")
    outer = shells[-1][0] if shells else material
    regions = _regions(material, shells)
    requested = wulff_planes(regions[-1].bulk, _surface_energies(outer, facets), 10 * diameter_nm)
    centres = _centres(regions[0], centre, material.name)
    planes, particle, dangling = _closest_particle(outer, regions, requested, centres)
    if len(particle) == 0:
        raise BuildError(
            f"a {material.name} particle of {diameter_nm:g} nm has no atom with enough bonds; give a larger diameter"
        )
    charges = np.concatenate([region.charges for region in regions])
    annotate(particle, SUBSTRATE, formal_charges=charges[annotation.ions(particle)])
    annotation.layers(particle)[:] = 2
    annotation.layers(particle)[dangling.atom] = 1
    annotation.set_column(particle, "facet", _face_names(particle, planes))
    particle = substitute(particle, material, seed)
    annotation.note(particle, material=outer.name, diameter_nm=diameter_nm)
    if shells:
        annotation.note(particle, shells=_describe_shells(material, shells))
    return particle, dangling


def particle_area(particle: Atoms) -> float:
    """Return the surface area in nm^2 of the convex hull of the crystal atoms."""
    return float(ConvexHull(particle.positions[annotation.parts(particle) == SUBSTRATE]).area) / 100


def _regions(material: Material, shells: Sequence[tuple[Material, float]]) -> list[_Region]:
    """Return the core and the shells of a particle, from the inside to the outside."""
    core = bulk_cell(material)
    regions = []
    for k, region_material in enumerate([material, *(shell for shell, _ in shells)]):
        bulk = _with_lattice_of(core, region_material)
        charges = np.array([ion_charge(region_material, symbol) for symbol in bulk.symbols], dtype=float)
        depth_A = 10 * sum(thickness_nm for _, thickness_nm in shells[k:])
        regions.append(_Region(bulk, charges, crystal_bonds(bulk, charges), depth_A))
    return regions


def _with_lattice_of(core: Atoms, material: Material) -> Atoms:
    """Return the conventional cell of a shell, strained to the lattice of the core.

    Raises
    ------
    BuildError
        The cells differ in shape, or the strain is too large.
    """
    bulk = bulk_cell(material)
    ratio = core.cell.cellpar() / bulk.cell.cellpar()
    same_angles = np.abs(ratio[3:] - 1).max() <= 1e-3
    isotropic = np.ptp(ratio[:3]) <= STRAIN_ANISOTROPY
    if not (same_angles and isotropic and abs(ratio[:3].mean() - 1) <= WIDEST_STRAIN):
        raise BuildError(
            f"{material.name} does not grow epitaxially on {core.get_chemical_formula(empirical=True)}: its cell would "
            f"be strained by {', '.join(f'{100 * (r - 1):+.1f} %' for r in ratio[:3])}; a shell needs the same angles "
            f"and at most {100 * WIDEST_STRAIN:.0f} % of isotropic strain"
        )
    bulk.set_cell(core.cell, scale_atoms=True)
    return bulk


def _describe_shells(core: Material, shells: Sequence[tuple[Material, float]]) -> str:
    """Describe the thickness and strain of every shell."""
    length = bulk_cell(core).cell[0, 0]
    words = [
        f"{shell.name} {thickness_nm:g} nm strained {100 * (length / bulk_cell(shell).cell[0, 0] - 1):+.1f} %"
        for shell, thickness_nm in shells
    ]
    return f"on {core.name}: {'; '.join(words)}"


def _surface_energies(material: Material, facets: Mapping[str, float] | None) -> dict[str, float]:
    """Return the surface energies by Miller index after checking them."""
    if facets is None:
        facets = {facet.name.split("_")[0]: facet.surface_energy for facet in material.facets if facet.surface_energy}
    elif not facets:
        raise InputError("no facet is given; name at least one with its surface energy, such as 100=1.0")
    if not facets:
        raise InputError(
            f"{material.name} has no surface energies on record; give facets with ratios, such as 100=1.0 111=1.1"
        )
    for name, energy in facets.items():
        if not energy > 0:
            raise InputError(f"facet {name}: {energy:g} is not a surface energy; give a number above 0")
        parse_miller_index(name)
    return dict(facets)


def _centres(core: _Region, element: str | None, name: str) -> list[_Centre]:
    """Return the points at which the particle may be centred."""
    symbols = list(core.bulk.symbols)
    if element is not None and element not in symbols:
        raise unknown("element", element, set(symbols), f"centre of {name}")
    elements = [element] if element else list(dict.fromkeys(symbols))
    centres = [_Centre(core.bulk.positions[symbols.index(one)], False) for one in elements]
    if element is None:
        middle_of_bond = core.bulk.positions[core.bonds.first[0]] + core.bonds.vectors[0] / 2
        centres.append(_Centre(middle_of_bond, True))
    return centres


def _closest_particle(
    outer: Material, regions: Sequence[_Region], requested: Planes, centres: Sequence[_Centre]
) -> tuple[Planes, Atoms, DanglingBonds]:
    """Cut a particle about each centre; return the one closest to the requested shape, with its faces.

    Ligands of quantum dots are anions. Particles with an excess of anions, which would need cations, are therefore
    taken only if there are no others.
    """
    bonds = _bonds_of_all(regions)
    charges = np.concatenate([region.charges for region in regions])
    candidates = []
    for centre in centres:
        origins = _origins(regions, centre.position)
        planes = _on_complete_layers(outer, regions[-1].bulk, origins[-1], requested)
        particle, dangling = _remove_loose_atoms(_fill(regions, origins, planes), bonds, planes)
        deviation = abs(polyhedron_volume(planes) / polyhedron_volume(requested) - 1)
        needs_cations = charges[annotation.ions(particle)].sum() < -0.5
        rank = (len(particle) == 0, needs_cations, centre.lowers_symmetry, round(deviation, 2))
        candidates.append((rank, planes, particle, dangling))
    _, planes, particle, dangling = min(candidates, key=lambda candidate: candidate[0])
    return planes, particle, dangling


def _origins(regions: Sequence[_Region], origin: np.ndarray) -> list[np.ndarray]:
    """Return the position of the centre in the cell of each region for which the anions of all regions coincide."""
    anions = [region.bulk.positions[np.argmin(region.charges)] for region in regions]
    return [origin - anions[0] + anion for anion in anions]


def _bonds_of_all(regions: Sequence[_Region]) -> Bonds:
    """Return the bonds of all regions; ions are numbered through all cells, from the inside to the outside."""
    offsets = np.cumsum([0, *(len(region.bulk) for region in regions[:-1])])
    return Bonds(
        np.concatenate([region.bonds.first + offset for region, offset in zip(regions, offsets, strict=True)]),
        np.concatenate([region.bonds.second + offset for region, offset in zip(regions, offsets, strict=True)]),
        np.concatenate([region.bonds.vectors for region in regions]),
        np.concatenate([region.bonds.strength for region in regions]),
    )


def _on_complete_layers(material: Material, bulk: Atoms, origin: np.ndarray, planes: Planes) -> Planes:
    """Move every face to the nearest layer of its termination."""
    recorded = {facet.name.split("_")[0]: facet.cut or facet.termination for facet in reversed(material.facets)}
    termination = {}
    for name in dict.fromkeys(planes.names):
        fewest_broken = list_terminations(material, parse_miller_index(name))[0].name
        termination[name] = recorded.get(name, fewest_broken).split("-")[0]
    distances = planes.distances.copy()
    for k, (normal, name) in enumerate(zip(planes.normals, planes.names, strict=True)):
        steps = bulk.cell.array @ normal
        spacing = np.abs(steps[np.abs(steps) > 1e-6]).min()
        heights = (bulk.positions - origin) @ normal % spacing
        order = np.argsort(heights)
        gaps = np.diff(heights[order], append=heights[order[0]] + spacing)
        # The list of heights starts above the widest gap, so that no layer is split.
        order = np.roll(order, -(int(np.argmax(np.round(gaps, 3))) + 1))
        heights = (heights[order] - heights[order[0]] + 1e-9) % spacing + heights[order[0]]
        limit = min(LAYER_GAP_A, LAYER_GAP_SHARE * gaps.max())
        layers = np.split(np.arange(len(order)), np.flatnonzero(np.diff(heights) > limit) + 1)
        tops = [
            heights[layer].max()
            for layer in layers
            if layer_name(bulk.symbols[order[layer]], material) == termination[name]
        ]
        if tops:
            levels = np.array([top + spacing * np.round((distances[k] - top) / spacing) for top in tops])
            distances[k] = levels[np.argmin(np.abs(levels - distances[k]).round(3))]
    return Planes(planes.normals, distances, planes.names)


def _fill(regions: Sequence[_Region], origins: Sequence[np.ndarray], planes: Planes) -> Atoms:
    """Return all atoms within the faces; the column `ion` numbers the ions through the cells of all regions."""
    halfspaces = np.column_stack([planes.normals, -planes.distances - PLANE_TOLERANCE_A])
    reach = np.linalg.norm(HalfspaceIntersection(halfspaces, np.zeros(3)).intersections, axis=1).max()
    lattice = regions[0].bulk.cell.array
    spacing = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    span = [np.arange(-n, n + 1) for n in np.ceil(reach / spacing).astype(int) + 1]
    cells = np.stack(np.meshgrid(*span, indexing="ij"), axis=-1).reshape(-1, 3) @ lattice
    block, first_ion = Atoms(), 0
    annotation.set_column(block, "ion", np.zeros(0, dtype=int))
    for k, (region, origin) in enumerate(zip(regions, origins, strict=True)):
        bulk = region.bulk
        positions = (cells[:, None] + (bulk.positions - origin)[None]).reshape(-1, 3)
        ions = np.tile(np.arange(len(bulk)), len(cells))
        depth = (planes.distances - positions @ planes.normals.T).min(axis=1)
        inside = depth > region.depth_A - PLANE_TOLERANCE_A
        if k:
            inside &= depth <= regions[k - 1].depth_A - PLANE_TOLERANCE_A
        piece = Atoms(bulk.numbers[ions[inside]], positions[inside])
        annotation.set_column(piece, "ion", ions[inside] + first_ion)
        block += piece
        first_ion += len(bulk)
    return block


def _remove_loose_atoms(block: Atoms, bonds: Bonds, planes: Planes) -> tuple[Atoms, DanglingBonds]:
    """Remove atoms with too few bonds until none are left, and list the broken bonds of the remaining atoms.

    A bond is broken if the position of its partner is outside the faces or if the partner was removed. Inside the
    faces, a position without an atom lies at the interface of two crystals, where an ion of the other crystal is the
    partner.
    """
    tree = cKDTree(block.positions)
    atoms, places, strengths = [], [], []
    for ion in np.unique(annotation.ions(block)):
        mine = np.flatnonzero(annotation.ions(block) == ion)
        own = np.flatnonzero(bonds.first == ion)
        atoms.append(np.repeat(mine, len(own)))
        places.append((block.positions[mine][:, None] + bonds.vectors[own][None]).reshape(-1, 3))
        strengths.append(np.tile(bonds.strength[own], len(mine)))
    atom, place, strength = np.concatenate(atoms), np.concatenate(places), np.concatenate(strengths)
    distance, partner = tree.query(place)
    occupied = distance < SAME_SITE_A
    inside = (place @ planes.normals.T <= planes.distances + PLANE_TOLERANCE_A).all(axis=1)
    at_interface = inside & ~occupied
    bonds_in_crystal = np.bincount(atom, minlength=len(block))
    required = np.minimum(bonds_in_crystal / 2, ENOUGH_BONDS)
    kept = np.ones(len(block), dtype=bool)
    while True:
        intact = at_interface | (occupied & kept[np.where(occupied, partner, 0)])
        intact &= kept[atom]
        loose = kept & (np.bincount(atom[intact], minlength=len(block)) < required)
        if not loose.any():
            break
        kept[loose] = False
    new_index = np.cumsum(kept) - 1
    broken = kept[atom] & ~intact
    side = np.ones(int(broken.sum()), dtype=int)  # a particle has no lower side
    return block[kept], DanglingBonds(new_index[atom[broken]], place[broken], strength[broken], side)


def _face_names(particle: Atoms, planes: Planes) -> np.ndarray:
    """Return the name of the face on which each atom with broken bonds lies: an edge is on two, a vertex on more."""
    # The height of a face is that of its outermost remaining atoms, because loose atoms have been removed.
    heights = particle.positions @ planes.normals.T
    on_face = heights > heights.max(axis=0) - ON_FACE_A
    count = on_face.sum(axis=1)
    names = np.full(len(particle), INSIDE, dtype="U12")
    for i in np.flatnonzero(annotation.layers(particle) == 1):
        if count[i] == 0:
            names[i] = planes.names[int(np.argmin(planes.distances - heights[i]))]
        elif count[i] == 1:
            names[i] = planes.names[int(np.argmax(on_face[i]))]
        else:
            names[i] = EDGE if count[i] == 2 else VERTEX
    return names
