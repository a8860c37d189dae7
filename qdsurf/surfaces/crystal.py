"""Crystal of a material: its conventional cell, its bonds, and its atomic layers along a surface normal."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from math import gcd

import numpy as np
import spglib
from ase import Atoms
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal
from pymatgen.core import Composition

from qdsurf.atomistic.bonding import bond_ratios
from qdsurf.atomistic.bonding_criteria import COORDINATION_SHELL, CRYSTAL_OVERLAP
from qdsurf.errors import InputError
from qdsurf.records.miller import reduce_miller_index
from qdsurf.records.models import Material

# Atoms whose heights differ by less than this belong to one layer. The smallest distance between two layers of the
# recorded facets is 0.87 A.
LAYER_GAP_A = 0.5
# At high-index planes, no gap between layers may be as wide as LAYER_GAP_A. The limit is then this share of the widest.
LAYER_GAP_SHARE = 0.7
# Symbol that represents a molecular ion until the slab has been cut.
PLACEHOLDER = "X"
# Radius of the search for bonds. The most distant neighbours are those of Cs+ in a perovskite, at 4.4 A.
BOND_SEARCH_A = 6.0
# Tolerance of spglib for the positions of records.
SYMMETRY_PRECISION_A = 1e-3


def ion_charge(material: Material, symbol: str) -> int:
    """Return the formal charge in e of an atom of the conventional cell; the placeholder has that of the molecular ion.

    Parameters
    ----------
    material : Material
        Record of the material.
    symbol : str
        Element, or `PLACEHOLDER`.
    """
    ion = material.molecular_ion
    return ion.charge if ion and symbol == PLACEHOLDER else material.formal_charges[symbol]


@cache
def _bulk(material_json: str) -> Atoms:
    """Build the conventional cell from the JSON form of a record, which can be cached."""
    material = Material.model_validate_json(material_json)
    where = f"materials/{material.name}.yaml"
    ion = material.molecular_ion
    cell = crystal(
        [PLACEHOLDER if ion and site.element == ion.name else site.element for site in material.sites],
        [site.position for site in material.sites],
        spacegroup=material.space_group,
        cellpar=material.lattice.cellpar,
    )
    found = spglib.get_spacegroup(
        (cell.cell.array, cell.get_scaled_positions(), cell.numbers), symprec=SYMMETRY_PRECISION_A
    )
    if f"({material.space_group})" not in (found or ""):
        raise InputError(
            f"{where}: sites: the crystal has space group {found or 'none'}, but the record names "
            f"{material.space_group}; correct space_group, lattice or sites"
        )
    from_sites, from_formula = _composition(material, cell.symbols), _formula(material)
    if not from_sites.fractional_composition.almost_equals(from_formula.fractional_composition, rtol=1e-3):
        raise InputError(
            f"{where}: formula: the sites give {from_sites.reduced_formula}, not {material.formula}; correct formula, "
            "space_group or sites"
        )
    bulk = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
    ratios = bond_ratios(bulk)
    i, j = np.unravel_index(np.argmin(ratios), ratios.shape)
    if ratios[i, j] < CRYSTAL_OVERLAP and PLACEHOLDER not in (bulk.symbols[i], bulk.symbols[j]):
        raise InputError(
            f"{where}: sites: {bulk.symbols[i]} and {bulk.symbols[j]} are only "
            f"{bulk.get_distance(i, j, mic=True):.2f} A apart; correct lattice, space_group or sites"
        )
    return bulk


def bulk_cell(material: Material) -> Atoms:
    """Build the conventional cell of a material, before any substitution.

    Parameters
    ----------
    material : Material
        Record of the material.

    Returns
    -------
    Atoms
        Cell whose space group is confirmed by spglib. A molecular ion is one atom with the symbol `PLACEHOLDER`.

    Raises
    ------
    InputError
        The positions of the record do not have the symmetry or the formula of the record, or two atoms overlap.
    """
    return _bulk(material.model_dump_json()).copy()


def _formula(material: Material) -> Composition:
    """Return the composition given by the formula, with a molecular ion as the placeholder element."""
    ion = material.molecular_ion
    return Composition(material.formula.replace(ion.name, PLACEHOLDER) if ion else material.formula)


def _composition(material: Material, symbols: Iterable[str]) -> Composition:
    """Return the composition of the cell, including substitutions."""
    amounts: Counter = Counter()
    for symbol in symbols:
        amounts.update(material.occupancy(symbol))
    return Composition(amounts)


@dataclass(frozen=True)
class Bonds:
    """Bonds of a periodic crystal with Pauling's electrostatic bond strengths.

    Attributes
    ----------
    first, second : ndarray of int
        Atoms of each bond, shape (n,). Every bond is listed in both directions.
    vectors : ndarray of float
        Vectors from the first to the second atom in A, shape (n, 3).
    strength : ndarray of float
        Charge in e that the first atom donates along the bond, shape (n,): positive for a cation, negative for an
        anion, 0 in a metal.
    """

    first: np.ndarray
    second: np.ndarray
    vectors: np.ndarray
    strength: np.ndarray


def crystal_bonds(atoms: Atoms, charges: np.ndarray) -> Bonds:
    """Find the bonds of a periodic crystal.

    In an ionic crystal, a cation is bonded to the anions of its first coordination shell. In a metal, every atom is
    bonded to its nearest neighbours. The strength of an ionic bond is the charge of the cation divided by its
    coordination number. In a distorted crystal, the strengths are then changed as little as possible (least squares) so
    that the bonds of every atom add up to its charge.

    Parameters
    ----------
    atoms : Atoms
        Periodic cell of n atoms.
    charges : ndarray of float
        Formal charges in e, shape (n,); all zero for a metal.

    Returns
    -------
    Bonds
        All bonds of the cell.

    References
    ----------
    Pauling, J. Am. Chem. Soc. 51, 1010 (1929), 10.1021/ja01379a006.
    """
    i, j, vectors, distance = neighbor_list("ijDd", atoms, BOND_SEARCH_A)
    nearest = np.full(len(atoms), np.inf)
    if not charges.any():
        np.minimum.at(nearest, i, distance)
        kept = distance < COORDINATION_SHELL * np.minimum(nearest[i], nearest[j])
        return Bonds(i[kept], j[kept], vectors[kept], np.zeros(int(kept.sum())))
    from_cation = (charges[i] > 0) & (charges[j] < 0)
    i, j, vectors, distance = i[from_cation], j[from_cation], vectors[from_cation], distance[from_cation]
    np.minimum.at(nearest, i, distance)
    kept = distance < COORDINATION_SHELL * nearest[i]
    i, j, vectors = i[kept], j[kept], vectors[kept]
    strength = charges[i] / np.bincount(i, minlength=len(atoms))[i]
    incidence = np.zeros((len(atoms), len(i)))
    incidence[i, np.arange(len(i))] = incidence[j, np.arange(len(i))] = 1
    missing = np.abs(charges) - incidence @ strength
    strength += incidence.T @ np.linalg.lstsq(incidence @ incidence.T, missing, rcond=None)[0]
    return Bonds(
        np.concatenate([i, j]),
        np.concatenate([j, i]),
        np.concatenate([vectors, -vectors]),
        np.concatenate([strength, -strength]),
    )


@dataclass(frozen=True)
class Period:
    """One period of a crystal along a surface normal.

    Attributes
    ----------
    atoms : Atoms
        Primitive surface cell: a along x, the surface normal along z, and c equal to (0, 0, period).
    layers : tuple of ndarray of int
        Indices of the atoms of each layer, from low to high z.
    shift : ndarray of float
        Lateral displacement in A from one period to the next, shape (2,).
    bonds : Bonds
        Bonds of the infinite crystal.
    """

    atoms: Atoms
    layers: tuple[np.ndarray, ...]
    shift: np.ndarray
    bonds: Bonds


def crystal_period(material: Material, miller_index: Sequence[int]) -> Period:
    """Orient a crystal with the normal of a plane along +z, in the smallest surface cell.

    The surface cell is found among the lattice vectors of the plane. It therefore does not depend on the choice of the
    bulk cell.

    Parameters
    ----------
    material : Material
        Record of the material.
    miller_index : sequence of int
        Three or four Miller indices in the axes of the record.

    Returns
    -------
    Period
        One period of the crystal along the normal.

    Raises
    ------
    InputError
        The record is inconsistent, or the indices are too large.
    """
    bulk = bulk_cell(material)
    primitive = spglib.standardize_cell(
        (bulk.cell.array, bulk.get_scaled_positions(), bulk.numbers),
        to_primitive=True,
        no_idealize=True,
        symprec=SYMMETRY_PRECISION_A,
    )
    if primitive is None:
        raise InputError(f"materials/{material.name}.yaml: spglib finds no primitive cell; correct lattice or sites")
    lattice, scaled, types = (np.asarray(part) for part in primitive)
    positions = scaled @ lattice
    lattice = lattice * np.sign(np.linalg.det(lattice))  # right-handed
    cell = _surface_basis(lattice, bulk.cell.array, reduce_miller_index(miller_index)) @ lattice
    x = cell[0] / np.linalg.norm(cell[0])
    normal = np.cross(cell[0], cell[1])
    normal /= np.linalg.norm(normal)
    rotation = np.array([x, np.cross(normal, x), normal]).T
    cell = cell @ rotation
    height = cell[2, 2]
    positions = positions @ rotation
    # The origin is placed in the widest gap, so that no layer crosses the end of the period.
    in_period = positions[:, 2] % height
    sorted_heights = in_period[np.argsort(in_period, kind="stable")]
    gaps = np.diff(sorted_heights, append=sorted_heights[0] + height)
    widest = np.argmax(np.round(gaps, 3))
    z = (positions[:, 2] - sorted_heights[widest] - gaps[widest] / 2) % height
    periods = np.round((z - positions[:, 2] - (z - positions[:, 2])[0]) / height)
    positions[:, :2] += periods[:, None] * cell[2, :2]  # a move by one period includes its lateral displacement
    positions[:, 2] = z
    order = np.lexsort((types, np.round(z, 3)))
    atoms = Atoms(types[order], positions[order], cell=[cell[0], cell[1], [0, 0, height]], pbc=True)
    charges = np.array([ion_charge(material, symbol) for symbol in atoms.symbols], dtype=float)
    tilted = atoms.copy()
    tilted.cell[2] = cell[2]
    limit = min(LAYER_GAP_A, LAYER_GAP_SHARE * gaps.max())
    layers = np.split(np.arange(len(atoms)), np.flatnonzero(np.diff(atoms.positions[:, 2]) > limit) + 1)
    return Period(atoms, tuple(layers), cell[2, :2].copy(), crystal_bonds(tilted, charges))


def _surface_basis(primitive: np.ndarray, conventional: np.ndarray, miller_index: tuple[int, int, int]) -> np.ndarray:
    """Find the basis of the surface cell in units of the primitive vectors.

    Parameters
    ----------
    primitive, conventional : ndarray of float
        Cell vectors as rows in A, shape (3, 3). The Miller indices refer to the conventional cell.
    miller_index : tuple of int
        Three reduced Miller indices.

    Returns
    -------
    ndarray of int
        The two shortest lattice vectors in the plane, and the vector to the next plane with the smallest lateral
        component, as rows, shape (3, 3).

    Raises
    ------
    InputError
        No surface cell is found.
    """
    normal = np.linalg.inv(conventional) @ miller_index  # reciprocal vector, no 2 pi
    # Number of planes that each primitive vector crosses. Centred cells have fractions with denominators 2, 3 and 4.
    planes = np.round(primitive @ normal * 12).astype(int)
    planes //= reduce(gcd, planes.tolist())
    reach = int(np.abs(planes).max()) + 2
    span = np.arange(-reach, reach + 1)
    grid = np.stack(np.meshgrid(span, span, span, indexing="ij"), axis=-1).reshape(-1, 3)
    height, vectors = grid @ planes, grid @ primitive
    # Among vectors of equal length, the one with the largest component along +x, then +y, comes first. The choice is
    # therefore reproducible.
    order = np.lexsort((-vectors[:, 1].round(4), -vectors[:, 0].round(4), np.linalg.norm(vectors, axis=1).round(4)))
    in_plane = [k for k in order if height[k] == 0 and grid[k].any()]
    first = grid[in_plane[0]]
    crosses = np.cross(first, grid[in_plane])
    second = grid[in_plane[int(np.argmax((crosses == planes).all(axis=1)))]]
    if not (np.cross(first, second) == planes).all():
        raise InputError(f"Miller index {miller_index}: no surface cell found; use smaller indices")
    axis = normal / np.linalg.norm(normal)
    next_plane = np.flatnonzero(height == 1)
    lateral = vectors[next_plane] - np.outer(vectors[next_plane] @ axis, axis)
    third = grid[next_plane[np.argmin(np.linalg.norm(lateral, axis=1).round(4))]]
    return np.array([first, second, third])
