"""Slabs with both terminations named, neutral by formal charges."""

from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np
import spglib
from ase import Atoms
from ase.constraints import FixAtoms
from ase.spacegroup import crystal
from pymatgen.core import Composition
from pymatgen.core.surface import SlabGenerator
from pymatgen.io.ase import AseAtomsAdaptor

from qdsurf.connectivity import bond_matrix, bond_ratios
from qdsurf.errors import BalanceError, BuildError, InputError, unknown
from qdsurf.records import Facet, Material
from qdsurf.structure_io import SUBSTRATE, annotate

LAYER_GAP_A = 0.5  # atoms closer than this along the normal belong to one layer; the tightest real gap is 0.87 A


def parse_miller_index(text: str) -> tuple[int, int, int]:
    """Read `100`, `1,0,0`, `10-10` or `1,0,-1,0`; four indices become three.

    Raises
    ------
    InputError : not three or four integers, all zero, or h + k + i is not 0.
    """
    digits, sign = [], 1
    for token in text.split(",") if "," in text else text:
        if token == "-":
            sign = -1
            continue
        try:
            digits.append(sign * int(token))
        except ValueError:
            raise InputError(f"Miller index {text!r}: {token!r} is no integer; write 100, 10-10 or 1,0,-1,0") from None
        sign = 1
    return reduce_miller_index(digits)


def reduce_miller_index(indices: Sequence[int]) -> tuple[int, int, int]:
    """Check three or four indices and return three without a common factor."""
    if len(indices) == 4:
        if sum(indices[:3]) != 0:
            raise InputError(f"Miller index {tuple(indices)}: h + k + i must be 0")
        indices = (indices[0], indices[1], indices[3])
    if len(indices) != 3 or not any(indices):
        raise InputError(f"Miller index {tuple(indices)}: give three or four integers, not all zero")
    factor = reduce(gcd, indices)
    return tuple(i // factor for i in indices)


def bulk_cell(material: Material) -> Atoms:
    """Conventional cell of a material, with its space group confirmed by spglib.

    Raises
    ------
    InputError : the record's positions do not have the symmetry that it names.
    """
    cell = crystal(
        [site.element for site in material.sites],
        [site.position for site in material.sites],
        spacegroup=material.space_group,
        cellpar=material.lattice.cellpar,
    )
    found = spglib.get_spacegroup(_spglib_cell(cell), symprec=1e-3) or "none (0)"
    if f"({material.space_group})" not in found:
        raise InputError(
            f"materials/{material.name}.yaml: sites: the crystal has space group {found}, "
            f"the record names {material.space_group}"
        )
    composition = Composition(str(cell.symbols)).reduced_formula
    if composition != Composition(material.formula).reduced_formula:
        raise InputError(
            f"materials/{material.name}.yaml: formula: the sites give {composition}, not {material.formula}"
        )
    bulk = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
    i, j = np.unravel_index(np.argmin(bond_ratios(bulk)), (len(bulk), len(bulk)))
    if bond_ratios(bulk)[i, j] < 0.6:
        raise InputError(
            f"materials/{material.name}.yaml: sites: {bulk.symbols[i]} and {bulk.symbols[j]} are only "
            f"{bulk.get_distance(i, j, mic=True):.2f} A apart"
        )
    return bulk


def crystal_layers(material: Material, miller_index: Sequence[int]) -> tuple[Atoms, list[np.ndarray]]:
    """One period of the crystal with the facet's normal along z, and its atomic layers from low to high z.

    Returns
    -------
    period : in-plane cell along x and y; c is orthogonal to them, its length the period along the normal.
    layers : indices of the atoms of each layer.
    """
    # The record's own setting: pymatgen's "conventional standard" renames the axes of orthorhombic crystals.
    bulk = AseAtomsAdaptor.get_structure(bulk_cell(material))
    generator = SlabGenerator(
        bulk, reduce_miller_index(miller_index), 1, 1, in_unit_planes=True, lll_reduce=False, primitive=False
    )
    oriented = AseAtomsAdaptor.get_atoms(generator.oriented_unit_cell)
    oriented.calc = None
    cell = oriented.cell.standard_form()[0]  # a along x, b in the xy plane
    period = Atoms(oriented.symbols, oriented.get_scaled_positions() @ cell.array, cell=cell, pbc=True)
    height = cell[2, 2]
    period.cell[2] = 0, 0, height
    z = period.positions[:, 2] % height
    order = np.argsort(z, kind="stable")
    # The origin goes into the widest gap, so that no layer straddles the period's end.
    gaps = np.diff(z[order], append=z[order[0]] + height)
    z = (z - z[order[np.argmax(gaps)]] - gaps.max() / 2) % height
    # c was tilted: an atom that went to another period went sideways too, and so does stacking.
    lifted = z - period.positions[:, 2]
    turns = np.round((lifted - lifted[0]) / height)
    period.positions[:, :2] += turns[:, None] * cell[2, :2]
    period.positions[:, 2] = z
    order = np.argsort(z, kind="stable")
    breaks = np.flatnonzero(np.diff(z[order]) > LAYER_GAP_A) + 1
    period.info["shift"] = cell[2, :2]
    return period, np.split(order, breaks)


def layer_name(symbols: Sequence[str], material: Material) -> str:
    """Composition of a layer, as in PbBr2, elements in the order of the material's formal charges."""
    counts = {element: list(symbols).count(element) for element in material.formal_charges}
    divisor = np.gcd.reduce(list(counts.values()))
    return "".join(f"{e}{n // divisor if n > divisor else ''}" for e, n in counts.items() if n)


def list_terminations(material: Material, miller_index: Sequence[int]) -> list[str]:
    """Names of the distinct layers that a cut along this facet can expose."""
    period, layers = crystal_layers(material, miller_index)
    return sorted({layer_name(period.symbols[layer], material) for layer in layers})


def cut_slab(
    material: Material,
    facet: Facet,
    layers: int = 3,
    supercell: tuple[int, int] = (1, 1),
    vacuum: float = 12.0,
    bottom: str | None = None,
    mobile_layers: int = 0,
    charged: bool = False,
) -> Atoms:
    """Cut a slab with a named top, c orthogonal to the surface.

    Of all cuts with this top (and bottom) the one with the fewest broken bonds at the top is taken.

    Parameters
    ----------
    layers : number of atomic layers.
    supercell : repetitions of the primitive surface cell.
    vacuum : empty space along c in A.
    bottom : composition of the lowest layer; None takes whatever the number of layers gives.
    mobile_layers : outermost layers that may move; all others are fixed.
    charged : accept a slab whose formal charges do not add up to zero.

    Raises
    ------
    BuildError : no cut has these two terminations with this number of layers.
    BalanceError : the slab is charged; the message carries the ledger.
    """
    period, layer_atoms = crystal_layers(material, facet.miller_index)
    names = [layer_name(period.symbols[atoms], material) for atoms in layer_atoms]
    top = facet.cut or facet.termination
    if top not in names:
        raise unknown("termination", top, set(names), f"{material.name} {facet.miller_index}")
    n = len(names)
    starts = [s for s in range(n) if names[(s + layers - 1) % n] == top and bottom in (None, names[s])]
    if not starts:
        made = sorted({f"{names[s]} below {names[(s + layers - 1) % n]}" for s in range(n)})
        raise BuildError(
            f"{material.name} {facet.miller_index}: no slab of {layers} layers has {top} on top"
            f"{f' and {bottom} below' if bottom else ''}; {layers} layers give: {', '.join(made)}"
        )
    stacks = [_stack(period, layer_atoms, start, layers) for start in starts]
    slab = _primitive_surface_cell(max(stacks, key=_count_bonds))
    slab = slab.repeat((*supercell, 1))
    annotate(slab, SUBSTRATE)
    slab.arrays["layer"] = layers - _layer_index(slab)
    slab.arrays["formal_charge"] = np.array([material.formal_charges[s] for s in slab.symbols], dtype=float)
    if facet.adlayer:
        slab = _add_adlayer(slab, facet, material)
    slab.center(vacuum=vacuum / 2, axis=2)
    slab.set_constraint(FixAtoms(np.flatnonzero(slab.arrays["layer"] > mobile_layers)))
    slab.info = {"material": material.name, "facet": facet.name}
    if not charged:
        assert_neutral(slab)
    return slab


def freeze_substrate(atoms: Atoms) -> Atoms:
    """A copy in which every substrate atom is fixed where it is."""
    frozen = atoms.copy()
    frozen.set_constraint(FixAtoms(np.flatnonzero(frozen.arrays["role"] == SUBSTRATE)))
    return frozen


def ledger(atoms: Atoms) -> str:
    """Formal charges by kind of atom, such as `Pb 18 x +2 = +36; S 18 x -2 = -36; total +0`."""
    rows = []
    charges = atoms.arrays["formal_charge"]
    keys = list(zip(atoms.arrays["role"], atoms.symbols, charges, strict=True))
    for role, symbol, charge in sorted(set(keys), key=lambda key: (key[0] != SUBSTRATE, key[0], -key[2], key[1])):
        if charge:
            count = keys.count((role, symbol, charge))
            rows.append(f"{role} {symbol} {count} x {charge:+g} = {count * charge:+g}")
    return "; ".join([*rows, f"total {charges.sum():+g}"])


def assert_neutral(atoms: Atoms) -> None:
    """Refuse a model whose formal charges do not add up to zero.

    Raises
    ------
    BalanceError : carries the ledger.
    """
    if abs(atoms.arrays["formal_charge"].sum()) > 1e-9:
        raise BalanceError(
            f"the model is charged: {ledger(atoms)}. "
            "Passivate it, or ask for a charged model by name (charged=True, --charged)."
        )


def _spglib_cell(atoms: Atoms) -> tuple:
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def _stack(period: Atoms, layers: list[np.ndarray], start: int, count: int) -> Atoms:
    """Pile `count` layers from layer `start` on, period upon period."""
    slab = Atoms(cell=period.cell, pbc=(True, True, False))
    for k in range(start, start + count):
        turn, layer = divmod(k, len(layers))
        piece = period[layers[layer]]
        piece.positions += turn * np.array([*period.info["shift"], period.cell[2, 2]])
        slab += piece
    slab.wrap()
    return slab


def _count_bonds(slab: Atoms) -> tuple[int, int]:
    """Bonds of the whole slab and of its highest layer, in 3 x 3 cells: where most are left, fewest are broken."""
    tiled = slab.repeat((3, 3, 1))
    bonded = bond_matrix(tiled)
    highest = tiled.positions[:, 2] > tiled.positions[:, 2].max() - LAYER_GAP_A
    return int(bonded.sum()), int(bonded[highest].sum())


def _primitive_surface_cell(slab: Atoms) -> Atoms:
    """Reduce the in-plane cell to its two shortest translations, turned so that a lies along x."""
    cell = slab.cell.array
    scaled = slab.get_scaled_positions()
    candidates = [cell[0], cell[1]]
    first = np.flatnonzero(slab.numbers == slab.numbers[0])
    for shift in scaled[first] - scaled[first[0]]:
        if abs(shift[2]) < 1e-3 and np.hypot(*shift[:2]) > 1e-3 and _is_translation(slab.numbers, scaled, shift):
            candidates += [(shift + np.array([i, j, 0])) @ cell for i in (-1, 0, 1) for j in (-1, 0, 1)]
    candidates += [cell[0] + cell[1], cell[0] - cell[1]]
    vectors = sorted(candidates, key=lambda v: (round(np.linalg.norm(v), 4), -round(v[0], 4), -round(v[1], 4)))
    a = vectors[0]
    independent = [v for v in vectors[1:] if np.linalg.norm(np.cross(a, v)) > 1e-3 * np.linalg.norm(a)]
    b = min(independent, key=lambda v: (round(np.linalg.norm(v), 4), round(abs(a @ v), 4), a @ v < 0))
    if np.cross(a, b)[2] < 0:
        b = -b
    x = a / np.linalg.norm(a)
    rotation = np.array([x, [-x[1], x[0], 0], [0, 0, 1]]).T
    new = Atoms(slab.symbols, slab.positions, cell=[a, b, cell[2]], pbc=slab.pbc)
    new.set_cell(np.array([a, b, cell[2]]) @ rotation)
    new.positions = slab.positions @ rotation
    new.wrap()
    keep = _unique_rows(new)
    return new[keep]


def _is_translation(numbers: np.ndarray, scaled: np.ndarray, shift: np.ndarray) -> bool:
    moved = scaled + shift
    for number, position in zip(numbers, moved, strict=True):
        delta = scaled[numbers == number] - position
        delta[:, :2] -= np.round(delta[:, :2])
        if np.abs(delta).max(axis=1).min() > 1e-3:
            return False
    return True


def _unique_rows(atoms: Atoms) -> list[int]:
    """Indices of one atom for each distinct position in the cell."""
    keep: list[int] = []
    for i in range(len(atoms)):
        if not keep or atoms.get_distances(i, keep, mic=True).min() > 0.05:
            keep.append(i)
    return sorted(keep, key=lambda i: (round(atoms.positions[i, 2], 3), atoms.numbers[i]))


def _layer_index(slab: Atoms) -> np.ndarray:
    """Layer of each atom counted from the bottom, 0-based."""
    z = slab.positions[:, 2]
    order = np.argsort(z, kind="stable")
    index = np.empty(len(z), dtype=int)
    index[order] = np.concatenate([[0], np.cumsum(np.diff(z[order]) > LAYER_GAP_A)])
    return index


def _add_adlayer(slab: Atoms, facet: Facet, material: Material) -> Atoms:
    """Put the facet's adatoms over top or hollow sites, spread over the cell."""
    adlayer = facet.adlayer
    top = slab.positions[slab.arrays["layer"] == 1]
    if adlayer.site == "top":
        spots = top
    else:  # centroid of an outermost atom and its two nearest neighbours that are 60 degrees apart
        a, b = slab.cell.array[0] / _repeats(slab, 0), slab.cell.array[1] / _repeats(slab, 1)
        spots = top + (a + b) / 3 if abs(a @ b) > 1e-3 else top + (a + b) / 2
    chosen = spots[np.linspace(0, len(spots), adlayer.per_supercell, endpoint=False, dtype=int)]
    adatoms = Atoms([adlayer.element] * len(chosen), chosen + np.array([0, 0, adlayer.height_A]))
    charge = material.formal_charges[adlayer.element]
    annotate(adatoms, SUBSTRATE, formal_charges=[charge] * len(adatoms))
    adatoms.arrays["layer"][:] = 1
    return slab + adatoms


def _repeats(slab: Atoms, axis: int) -> int:
    """How often the outermost layer repeats along a cell vector."""
    top = slab[slab.arrays["layer"] == 1].get_scaled_positions()
    return max(1, len(np.unique(np.round(top[:, axis] % 1.0, 3))))
