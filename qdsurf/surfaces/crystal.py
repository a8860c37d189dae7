"""The crystal behind a facet: its cell, its bonds, and its atomic layers along a normal."""

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
from qdsurf.atomistic.bonding_criteria import COORDINATION_SHELL
from qdsurf.errors import InputError
from qdsurf.records.miller import reduce_miller_index
from qdsurf.records.models import Material

LAYER_GAP_A = 0.5  # atoms closer than this along the normal belong to one layer; the tightest real gap is 0.87 A
PLACEHOLDER = "X"  # stands for a molecular ion until the slab is cut


def ion_charge(material: Material, symbol: str) -> int:
    """Formal charge in e of an atom of the bulk cell, the placeholder of a molecular ion included."""
    ion = material.molecular_ion
    return ion.charge if ion and symbol == PLACEHOLDER else material.formal_charges[symbol]


@cache
def _bulk(material_json: str) -> Atoms:
    material = Material.model_validate_json(material_json)
    where = f"materials/{material.name}.yaml"
    ion = material.molecular_ion
    cell = crystal(
        [PLACEHOLDER if ion and site.element == ion.name else site.element for site in material.sites],
        [site.position for site in material.sites],
        spacegroup=material.space_group,
        cellpar=material.lattice.cellpar,
    )
    found = spglib.get_spacegroup((cell.cell.array, cell.get_scaled_positions(), cell.numbers), symprec=1e-3)
    if f"({material.space_group})" not in (found or ""):
        raise InputError(
            f"{where}: sites: the crystal has space group {found or 'none'}, the record names {material.space_group}"
        )
    given, named = _composition(material, cell.symbols), _formula(material)
    if not given.fractional_composition.almost_equals(named.fractional_composition, rtol=1e-3):
        raise InputError(f"{where}: formula: the sites give {given.reduced_formula}, not {material.formula}")
    bulk = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
    ratios = bond_ratios(bulk)
    i, j = np.unravel_index(np.argmin(ratios), ratios.shape)
    if ratios[i, j] < 0.6 and PLACEHOLDER not in (bulk.symbols[i], bulk.symbols[j]):
        raise InputError(
            f"{where}: sites: {bulk.symbols[i]} and {bulk.symbols[j]} are only "
            f"{bulk.get_distance(i, j, mic=True):.2f} A apart"
        )
    return bulk


def bulk_cell(material: Material) -> Atoms:
    """Conventional cell of a material, before any substitution, with its space group confirmed by spglib.

    Raises
    ------
    InputError : the record's positions do not have the symmetry or the formula that it names.
    """
    return _bulk(material.model_dump_json()).copy()


def _formula(material: Material) -> Composition:
    """Composition of the formula, a molecular ion as a placeholder element."""
    ion = material.molecular_ion
    return Composition(material.formula.replace(ion.name, PLACEHOLDER) if ion else material.formula)


def _composition(material: Material, symbols: Iterable[str]) -> Composition:
    """Composition of the crystal with its substitutions."""
    amounts: Counter = Counter()
    for symbol in symbols:
        amounts.update(material.occupancy(symbol))
    return Composition(amounts)


@dataclass(frozen=True)
class Bonds:
    """Bonds of a periodic crystal by Pauling's electrostatic valence: a cation shares its charge among its anions.

    Attributes
    ----------
    first, second : atoms of each bond, shape (n,); every bond appears in both directions.
    vectors : from the first to the second in A, shape (n, 3).
    strength : charge in e that the first atom gives away along the bond, negative for an anion; 0 in a metal.
    """

    first: np.ndarray
    second: np.ndarray
    vectors: np.ndarray
    strength: np.ndarray


def crystal_bonds(atoms: Atoms, charges: np.ndarray) -> Bonds:
    """Bonds of a periodic crystal: cations to the anions around them, or every atom of a metal to its neighbours.

    Parameters
    ----------
    charges : formal charges in e, shape (n,); all zero for a metal.

    References
    ----------
    Pauling, J. Am. Chem. Soc. 51, 1010 (1929), 10.1021/ja01379a006: strength = charge / coordination number.
    """
    reach = 6.0  # A; the longest shell is that of Cs+ in a perovskite, 4.4 A
    i, j, vectors, d = neighbor_list("ijDd", atoms, reach)
    nearest = np.full(len(atoms), np.inf)
    if not charges.any():
        np.minimum.at(nearest, i, d)
        kept = d < COORDINATION_SHELL * np.minimum(nearest[i], nearest[j])
        return Bonds(i[kept], j[kept], vectors[kept], np.zeros(int(kept.sum())))
    outwards = (charges[i] > 0) & (charges[j] < 0)
    i, j, vectors, d = i[outwards], j[outwards], vectors[outwards], d[outwards]
    np.minimum.at(nearest, i, d)
    kept = d < COORDINATION_SHELL * nearest[i]
    i, j, vectors = i[kept], j[kept], vectors[kept]
    shared = charges[i] / np.bincount(i, minlength=len(atoms))[i]
    # In a distorted crystal the anions then get a little too much or too little; the smallest changes mend that.
    ends = np.zeros((len(atoms), len(i)))
    ends[i, np.arange(len(i))] = ends[j, np.arange(len(i))] = 1
    shared += ends.T @ np.linalg.lstsq(ends @ ends.T, np.abs(charges) - ends @ shared, rcond=None)[0]
    both = lambda forth, back: np.concatenate([forth, back])  # noqa: E731
    return Bonds(both(i, j), both(j, i), both(vectors, -vectors), both(shared, -shared))


@dataclass(frozen=True)
class Period:
    """One period of a crystal along a normal, its layers from low to high z.

    Attributes
    ----------
    atoms : primitive surface cell, a along x, the normal along z; c is (0, 0, period).
    layers : indices of the atoms of each layer.
    shift : sideways step in A from one period to the next, shape (2,).
    bonds : of the infinite crystal.
    """

    atoms: Atoms
    layers: tuple[np.ndarray, ...]
    shift: np.ndarray
    bonds: Bonds


def crystal_period(material: Material, miller_index: Sequence[int]) -> Period:
    """Orient a crystal with a plane's normal along +z, in its smallest surface cell.

    The smallest cell is found among the lattice vectors of the plane itself, so it does not depend on the choice of
    the bulk cell; the plane is meant in the axes of the record.
    """
    bulk = bulk_cell(material)
    rows, positions, numbers = spglib.standardize_cell(
        (bulk.cell.array, bulk.get_scaled_positions(), bulk.numbers), to_primitive=True, no_idealize=True, symprec=1e-3
    )
    positions = positions @ rows
    rows = rows * np.sign(np.linalg.det(rows))  # right-handed
    basis = _surface_basis(rows, bulk.cell.array, reduce_miller_index(miller_index))
    cell = basis @ rows
    x = cell[0] / np.linalg.norm(cell[0])
    z = np.cross(cell[0], cell[1])
    z /= np.linalg.norm(z)
    rotation = np.array([x, np.cross(z, x), z]).T
    cell = cell @ rotation
    height = cell[2, 2]
    positions = positions @ rotation
    # The origin goes into the widest gap, so that no layer straddles the period's end.
    order = np.argsort(positions[:, 2] % height, kind="stable")
    heights = (positions[:, 2] % height)[order]
    gaps = np.diff(heights, append=heights[0] + height)
    widest = np.argmax(np.round(gaps, 3))
    z = (positions[:, 2] - heights[widest] - gaps[widest] / 2) % height
    turns = np.round((z - positions[:, 2] - (z - positions[:, 2])[0]) / height)
    positions[:, :2] += turns[:, None] * cell[2, :2]  # an atom that went to another period went sideways too
    positions[:, 2] = z
    order = np.lexsort((numbers, np.round(z, 3)))
    atoms = Atoms(numbers[order], positions[order], cell=[cell[0], cell[1], [0, 0, height]], pbc=True)
    charges = np.array([ion_charge(material, symbol) for symbol in atoms.symbols], dtype=float)
    tilted = atoms.copy()
    tilted.cell[2] = cell[2]
    steps = np.diff(atoms.positions[:, 2])
    limit = min(LAYER_GAP_A, 0.7 * gaps.max())  # a high-index plane may have no gap as wide as that
    layers = np.split(np.arange(len(atoms)), np.flatnonzero(steps > limit) + 1)
    return Period(atoms, tuple(layers), cell[2, :2].copy(), crystal_bonds(tilted, charges))


def _surface_basis(primitive: np.ndarray, conventional: np.ndarray, miller_index: tuple[int, int, int]) -> np.ndarray:
    """Integer rows: the two shortest lattice vectors in the plane, and the least tilted one to the next plane.

    Parameters
    ----------
    primitive, conventional : cell vectors as rows in A; the Miller index belongs to the conventional cell.
    """
    normal = np.linalg.inv(conventional) @ miller_index  # reciprocal vector, no 2 pi
    steps = np.round(primitive @ normal * 12).astype(int)  # in planes; centred cells have denominators 2, 3, 4
    steps //= reduce(gcd, steps.tolist())
    reach = int(np.abs(steps).max()) + 2
    span = np.arange(-reach, reach + 1)
    grid = np.stack(np.meshgrid(span, span, span, indexing="ij"), axis=-1).reshape(-1, 3)
    height, vectors = grid @ steps, grid @ primitive
    # Ties go to the vector that points most along +x, then +y, so that the choice is always the same.
    order = np.lexsort((-vectors[:, 1].round(4), -vectors[:, 0].round(4), np.linalg.norm(vectors, axis=1).round(4)))
    flat = [k for k in order if height[k] == 0 and grid[k].any()]
    first = grid[flat[0]]
    crosses = np.cross(first, grid[flat])
    second = grid[flat[int(np.argmax((crosses == steps).all(axis=1)))]]
    if not (np.cross(first, second) == steps).all():
        raise InputError(f"Miller index {miller_index}: no surface cell found; take smaller indices")
    axis = normal / np.linalg.norm(normal)
    up = np.flatnonzero(height == 1)
    sideways = np.linalg.norm(vectors[up] - np.outer(vectors[up] @ axis, axis), axis=1).round(4)
    return np.array([first, second, grid[up[np.argmin(sideways)]]])
