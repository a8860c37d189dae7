"""Whole nanocrystals: a Wulff shape cut from the crystal, in whole layers, with its cut bonds counted."""

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from scipy.spatial import ConvexHull, HalfspaceIntersection, cKDTree

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.errors import BuildError, InputError, unknown
from qdsurf.records.miller import parse_miller_index
from qdsurf.records.models import Material
from qdsurf.surfaces.alloys import substitute
from qdsurf.surfaces.core_shell import SHAPE, WIDEST_STRAIN
from qdsurf.surfaces.crystal import LAYER_GAP_A, Bonds, bulk_cell, crystal_bonds, ion_charge
from qdsurf.surfaces.passivation import Dangling
from qdsurf.surfaces.slab import layer_name, list_terminations
from qdsurf.surfaces.wulff import Planes, polyhedron_volume, wulff_planes

ON_FACE_A = 0.6  # an atom within this of a face lies in it
EDGE, VERTEX, INSIDE = "edge", "vertex", "inside"
EVERYWHERE = "*"  # as the name of a face: all that are not named


def build_nanocrystal(
    material: Material,
    diameter_nm: float,
    facets: Mapping[str, float] | None = None,
    centre: str | None = None,
    seed: int = 0,
    shells: Sequence[tuple[Material, float]] = (),
) -> tuple[Atoms, Dangling]:
    """Cut a nanocrystal in the shape that its surface energies ask for, without ligands.

    Each face is moved to the nearest layer of its termination: the one on record, else the one with the fewest broken
    bonds. Atoms that keep fewer than half of their bonds, or fewer than three, are taken off: nothing holds them.

    Parameters
    ----------
    diameter_nm : of the sphere of the same volume.
    facets : surface energies, or their ratios, by Miller index such as `111`; None takes those of the record.
    centre : element on which the shape is centred; None tries all and the middle of a bond.
    seed : of substituted ions.
    shells : other crystals and their thicknesses in nm, inside out, within the diameter. They take the lattice of the
        core and share its anions; `info["shells"]` states the strain.

    Returns
    -------
    particle : without cell; columns `facet` (name of the face, `edge`, `vertex`, or `inside`) and `layer` (1 for
        atoms with cut bonds, else 2). It is charged where cations and anions do not balance, and a molecular ion is
        still a placeholder: `capping.cap_nanocrystal` sees to both.
    dangling : its cut bonds.

    Raises
    ------
    InputError : no facet has a surface energy, or no such element is in the crystal.
    BuildError : the planes close no volume, or hold no crystal.
    """
    if not 0 < diameter_nm < np.inf:
        raise InputError(f"a diameter of {diameter_nm:g} nm is none; give a number above 0")
    outer = shells[-1][0] if shells else material
    materials = [material, *(shell for shell, _ in shells)]
    crystals = [_grown(bulk_cell(material), one) for one in materials]
    charges = [
        np.array([ion_charge(one, s) for s in bulk.symbols], dtype=float)
        for one, bulk in zip(materials, crystals, strict=True)
    ]
    bonds = [crystal_bonds(bulk, q) for bulk, q in zip(crystals, charges, strict=True)]
    ions = np.concatenate(charges)
    depths = [10 * sum(thickness for _, thickness in shells[k:]) for k in range(len(crystals))]
    asked = wulff_planes(crystals[-1], _energies(outer, facets), 10 * diameter_nm)
    centres = _centres(crystals[0], bonds[0], centre, material.name)
    planes, particle, dangling = _best_cut(outer, crystals, charges, bonds, depths, asked, centres)
    if len(particle) == 0:
        raise BuildError(f"a {material.name} particle of {diameter_nm:g} nm holds no atom with enough bonds; go larger")
    annotate(particle, SUBSTRATE, formal_charges=ions[annotation.ions(particle)])
    annotation.layers(particle)[:] = 2
    annotation.layers(particle)[dangling.atom] = 1
    annotation.set_column(particle, "facet", _face_names(particle, planes))
    particle = substitute(particle, material, seed)
    annotation.note(particle, material=outer.name, diameter_nm=diameter_nm)
    if shells:
        annotation.note(particle, shells=_strains(material, shells))
    return particle, dangling


def _best_cut(
    outer: Material,
    crystals: Sequence[Atoms],
    charges: Sequence[np.ndarray],
    bonds: Sequence[Bonds],
    depths: Sequence[float],
    asked: Planes,
    centres: Sequence[tuple[np.ndarray, bool]],
) -> tuple[Planes, Atoms, Dangling]:
    """Of the particles about all centres the one that comes nearest to what was asked for, with its planes."""
    together, ions = _together(bonds, [len(bulk) for bulk in crystals]), np.concatenate(charges)
    found = []
    for middle, lopsided in centres:
        origins = _origins(crystals, charges, middle)
        planes = _whole_layers(outer, crystals[-1], origins[-1], asked)
        particle, dangling = _prune(_fill(crystals, origins, planes, depths), together, planes)
        off = abs(polyhedron_volume(planes) / polyhedron_volume(asked) - 1)
        # Ligands of dots are anions, so a particle that needs cations comes last, and before it a lopsided one.
        rank = len(particle) == 0, ions[annotation.ions(particle)].sum() < -0.5, lopsided, round(off, 2)
        found.append((rank, planes, particle, dangling))
    return min(found, key=lambda one: one[0])[1:]


def _strains(core: Material, shells: Sequence[tuple[Material, float]]) -> str:
    """Thickness and strain of every shell, in words."""
    length = bulk_cell(core).cell[0, 0]
    words = [
        f"{one.name} {t:g} nm strained {100 * (length / bulk_cell(one).cell[0, 0] - 1):+.1f} %" for one, t in shells
    ]
    return f"on {core.name}: {'; '.join(words)}"


def _grown(core: Atoms, material: Material) -> Atoms:
    """The cell of a shell, strained to that of the core.

    Raises
    ------
    BuildError : the cells differ in shape, or by more than a shell can be strained.
    """
    bulk = bulk_cell(material)
    ratio = core.cell.cellpar() / bulk.cell.cellpar()
    if np.abs(ratio[3:] - 1).max() > 1e-3 or np.ptp(ratio[:3]) > SHAPE or abs(ratio[:3].mean() - 1) > WIDEST_STRAIN:
        raise BuildError(
            f"{material.name} does not grow in register on {core.get_chemical_formula(empirical=True)}: its cell would "
            f"be stretched by {', '.join(f'{100 * (r - 1):+.1f} %' for r in ratio[:3])}"
        )
    bulk.set_cell(core.cell, scale_atoms=True)
    return bulk


def _origins(crystals: Sequence[Atoms], charges: Sequence[np.ndarray], origin: np.ndarray) -> list[np.ndarray]:
    """The centre in the cell of each crystal, so that their anions stand on one another."""
    anions = [bulk.positions[np.argmin(q)] for bulk, q in zip(crystals, charges, strict=True)]
    return [origin - anions[0] + anion for anion in anions]


def _together(bonds: Sequence[Bonds], sizes: Sequence[int]) -> Bonds:
    """Bonds of several crystals whose ions are numbered one crystal after the other."""
    start = np.cumsum([0, *sizes[:-1]])
    return Bonds(
        np.concatenate([b.first + n for b, n in zip(bonds, start, strict=True)]),
        np.concatenate([b.second + n for b, n in zip(bonds, start, strict=True)]),
        np.concatenate([b.vectors for b in bonds]),
        np.concatenate([b.strength for b in bonds]),
    )


def particle_area(particle: Atoms) -> float:
    """Surface area in nm^2 of the smallest convex body around the crystal's atoms."""
    return float(ConvexHull(particle.positions[annotation.parts(particle) == SUBSTRATE]).area) / 100


def _energies(material: Material, facets: Mapping[str, float] | None) -> dict[str, float]:
    """Surface energies by Miller index, checked."""
    if facets is None:
        facets = {f.name.split("_")[0]: f.surface_energy for f in material.facets if f.surface_energy}
    elif not facets:
        raise InputError("no facet is given; name at least one with its surface energy, such as 100=1.0")
    if not facets:
        raise InputError(
            f"{material.name} has no surface energies on record; give facets with ratios, such as 100=1.0 111=1.1"
        )
    for name, energy in facets.items():
        if not energy > 0:
            raise InputError(f"facet {name}: {energy:g} is no surface energy; give a number above 0")
        parse_miller_index(name)
    return dict(facets)


def _centres(bulk: Atoms, bonds: Bonds, centre: str | None, name: str) -> list[tuple[np.ndarray, bool]]:
    """Points of the cell in A on which the particle may be centred, and whether that takes symmetry from it.

    An atom of each element keeps the shape's symmetry, the middle of a bond does not.
    """
    if centre is not None and centre not in bulk.symbols:
        raise unknown("element", centre, set(bulk.symbols), f"centre of {name}")
    elements = [centre] if centre else list(dict.fromkeys(bulk.symbols))
    atoms = [(bulk.positions[list(bulk.symbols).index(element)], False) for element in elements]
    return atoms if centre else [*atoms, (bulk.positions[bonds.first[0]] + bonds.vectors[0] / 2, True)]


def _whole_layers(material: Material, bulk: Atoms, origin: np.ndarray, planes: Planes) -> Planes:
    """Move every face to the nearest layer of its termination."""
    recorded = {facet.name.split("_")[0]: facet.cut or facet.termination for facet in reversed(material.facets)}
    wanted = {}
    for name in dict.fromkeys(planes.names):
        best = list_terminations(material, parse_miller_index(name))[0]["name"]
        wanted[name] = recorded.get(name, best).split("-")[0]
    distances = planes.distances.copy()
    for k, (normal, name) in enumerate(zip(planes.normals, planes.names, strict=True)):
        steps = bulk.cell.array @ normal
        spacing = np.abs(steps[np.abs(steps) > 1e-6]).min()
        heights = (bulk.positions - origin) @ normal % spacing
        order = np.argsort(heights)
        gaps = np.diff(heights[order], append=heights[order[0]] + spacing)
        start = int(np.argmax(np.round(gaps, 3))) + 1
        order = np.roll(order, -start)
        heights = (heights[order] - heights[order[0]] + 1e-9) % spacing + heights[order[0]]
        limit = min(LAYER_GAP_A, 0.7 * gaps.max())
        layers = np.split(np.arange(len(order)), np.flatnonzero(np.diff(heights) > limit) + 1)
        tops = [
            heights[layer].max() for layer in layers if layer_name(bulk.symbols[order[layer]], material) == wanted[name]
        ]
        if tops:
            levels = np.array([top + spacing * np.round((distances[k] - top) / spacing) for top in tops])
            distances[k] = levels[np.argmin(np.abs(levels - distances[k]).round(3))]
    return Planes(planes.normals, distances, planes.names)


def _fill(crystals: Sequence[Atoms], origins: Sequence[np.ndarray], planes: Planes, depths: Sequence[float]) -> Atoms:
    """All atoms inside the planes, each crystal within its depth in A; column `ion` numbers them over all cells."""
    half = np.column_stack([planes.normals, -planes.distances - 0.01])
    reach = np.linalg.norm(HalfspaceIntersection(half, np.zeros(3)).intersections, axis=1).max()
    lattice = crystals[0].cell.array
    spacing = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    span = [np.arange(-n, n + 1) for n in np.ceil(reach / spacing).astype(int) + 1]
    cells = np.stack(np.meshgrid(*span, indexing="ij"), axis=-1).reshape(-1, 3) @ lattice
    block, first = Atoms(), 0
    annotation.set_column(block, "ion", np.zeros(0, dtype=int))
    for k, (bulk, origin) in enumerate(zip(crystals, origins, strict=True)):
        positions = (cells[:, None] + (bulk.positions - origin)[None]).reshape(-1, 3)
        ions = np.tile(np.arange(len(bulk)), len(cells))
        depth = (planes.distances - positions @ planes.normals.T).min(axis=1)
        inside = depth > depths[k] - 0.01
        if k:
            inside &= depth <= depths[k - 1] - 0.01
        piece = Atoms(bulk.numbers[ions[inside]], positions[inside])
        annotation.set_column(piece, "ion", ions[inside] + first)
        block += piece
        first += len(bulk)
    return block


def _prune(block: Atoms, bonds: Bonds, planes: Planes) -> tuple[Atoms, Dangling]:
    """Take loose atoms off, again and again, and list the bonds that the others miss.

    Only what would lie outside the planes is missing: where two crystals meet, ions have neighbours of the other kind.
    """
    tree = cKDTree(block.positions)
    atom, place, strength = [], [], []
    for ion in np.unique(annotation.ions(block)):
        mine = np.flatnonzero(annotation.ions(block) == ion)
        own = np.flatnonzero(bonds.first == ion)
        atom.append(np.repeat(mine, len(own)))
        place.append((block.positions[mine][:, None] + bonds.vectors[own][None]).reshape(-1, 3))
        strength.append(np.tile(bonds.strength[own], len(mine)))
    atom, place, strength = np.concatenate(atom), np.concatenate(place), np.concatenate(strength)
    distance, partner = tree.query(place)
    there = distance < 0.1
    within = (place @ planes.normals.T <= planes.distances + 0.01).all(axis=1) & ~there
    whole = np.bincount(atom, minlength=len(block))
    least = np.minimum(whole / 2, 3)
    alive = np.ones(len(block), dtype=bool)
    while True:
        held = within | (there & alive[np.where(there, partner, 0)])
        held &= alive[atom]
        loose = alive & (np.bincount(atom[held], minlength=len(block)) < least)
        if not loose.any():
            break
        alive[loose] = False
    number = np.cumsum(alive) - 1
    missing = alive[atom] & ~held
    outside = np.ones(int(missing.sum()), dtype=int)
    return block[alive], Dangling(number[atom[missing]], place[missing], strength[missing], outside)


def _face_names(particle: Atoms, planes: Planes) -> np.ndarray:
    """Name of the face in which each surface atom lies; on two faces it is an edge, on more a vertex."""
    # A face ends at its outermost atoms, wherever pruning has left them.
    heights = particle.positions @ planes.normals.T
    near = heights > heights.max(axis=0) - ON_FACE_A
    names = np.full(len(particle), INSIDE, dtype="U12")
    count = near.sum(axis=1)
    for i in np.flatnonzero(annotation.layers(particle) == 1):
        if count[i] == 1:
            names[i] = planes.names[int(np.argmax(near[i]))]
        elif count[i] > 1:
            names[i] = EDGE if count[i] == 2 else VERTEX
        else:
            names[i] = planes.names[int(np.argmin(planes.distances - heights[i]))]
    return names
