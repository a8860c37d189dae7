"""Slabs with given terminations that are neutral by formal charges."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.atomistic.charge_balance import assert_neutral
from qdsurf.errors import BalanceError, BuildError, unknown
from qdsurf.records.models import Adlayer, Facet, Material
from qdsurf.surfaces.alloys import insert_molecular_ions, substitute
from qdsurf.surfaces.core_shell import add_shells, stack_layers
from qdsurf.surfaces.crystal import Period, crystal_period
from qdsurf.surfaces.passivation import DEFAULT_PASSIVATING_IONS, WATER, PassivatingIons, dangling_bonds, passivate

# Number of layers if neither layers nor thickness are given.
LAYERS = 3
# Smallest empty space along the normal for which a structure is a slab.
LEAST_VACUUM_A = 5.0
# Largest deviation from a requested thickness.
THICKNESS_A = 0.05


@dataclass(frozen=True)
class Termination:
    """One possible termination of a crystal at a plane.

    Attributes
    ----------
    name : str
        Composition of the outermost layer, such as `PbBr2`. Layers of the same composition that differ in their broken
        bonds are numbered: `CdSe`, then `CdSe-2`.
    layers : tuple of int
        Numbers of the layers in the period that have this termination.
    broken_bonds_per_nm2 : float
        Broken bonds in nm^-2.
    charge_per_nm2 : float
        Charge that the broken bonds leave on the surface in e nm^-2; ligands or passivating ions must balance it.
    """

    name: str
    layers: tuple[int, ...]
    broken_bonds_per_nm2: float
    charge_per_nm2: float


def layer_name(symbols: Iterable[str], material: Material) -> str:
    """Return the composition of a layer, such as `PbBr2`.

    Parameters
    ----------
    symbols : iterable of str
        Elements of the atoms of the layer.
    material : Material
        Record of the material; elements are listed in the order of its formal charges.
    """
    ion = material.molecular_ion
    names = [ion.name if ion and symbol not in material.formal_charges else symbol for symbol in symbols]
    counts = {element: names.count(element) for element in material.formal_charges}
    divisor = np.gcd.reduce(list(counts.values()))
    return "".join(f"{e}{n // divisor if n > divisor else ''}" for e, n in counts.items() if n)


def list_terminations(material: Material, miller_index: Sequence[int], side: int = +1) -> list[Termination]:
    """List the possible terminations of a crystal at a plane.

    Parameters
    ----------
    material : Material
        Record of the material.
    miller_index : sequence of int
        Miller indices of the plane.
    side : int
        +1 if the normal of the plane points out of the crystal, -1 for the opposite side.

    Returns
    -------
    list of Termination
        Terminations in the order of their broken bonds, the fewest first.
    """
    return _terminations(material, crystal_period(material, miller_index), side)


def _terminations(material: Material, period: Period, side: int) -> list[Termination]:
    """List the terminations of a period, those with the fewest broken bonds first."""
    atoms, bonds = period.atoms, period.bonds
    height = atoms.cell[2, 2]
    area = np.linalg.norm(np.cross(*atoms.cell.array[:2])) / 100
    start = side * atoms.positions[bonds.first, 2]
    end = start + side * bonds.vectors[:, 2]
    found: dict[tuple[str, float, float], Termination] = {}
    for number, layer in enumerate(period.layers):
        level = (side * atoms.positions[layer, 2]).max() + 1e-3
        # Number of periodic images of each outward bond that cross this level.
        cut = np.where(end > start, np.floor((level - start) / height) - np.floor((level - end) / height), 0.0)
        name = layer_name(atoms.symbols[layer], material)
        broken, charge = float(cut.sum() / area), float(cut @ bonds.strength / area)
        key = (name, round(broken, 4), round(charge, 4))
        known = found.get(key, Termination(name, (), broken, charge))
        found[key] = replace(known, layers=(*known.layers, number))
    numbered = []
    seen: Counter[str] = Counter()
    for termination in sorted(found.values(), key=_termination_rank):
        seen[termination.name] += 1
        repetition = seen[termination.name]
        if repetition > 1:
            termination = replace(termination, name=f"{termination.name}-{repetition}")
        numbered.append(termination)
    return numbered


def _termination_rank(termination: Termination) -> tuple[float, float, str]:
    """Return the sort key of a termination.

    Among terminations with equally many broken bonds, the one with exposed cations comes first, because the ligands of
    quantum dots are anions.
    """
    return round(termination.broken_bonds_per_nm2, 4), -round(termination.charge_per_nm2, 4), termination.name


def cut_slab(
    material: Material,
    facet: Facet,
    layers: int | None = None,
    supercell: tuple[int, int] = (1, 1),
    vacuum: float = 12.0,
    bottom: str | None = None,
    mobile_layers: int = 0,
    charged: bool = False,
    thickness: float | None = None,
    passivating_ions: PassivatingIons | None = DEFAULT_PASSIVATING_IONS,
    seed: int = 0,
    shells: Sequence[tuple[Material, int]] = (),
) -> Atoms:
    """Cut a slab with a given top termination and make it neutral.

    If broken bonds leave a side charged, passivating ions occupy the positions of the next ions of the crystal: an
    anion next to cations, a proton on an anion. Ligands of the same charge can replace them later.

    Parameters
    ----------
    material : Material
        Record of the material.
    facet : Facet
        Record of the facet.
    layers : int, optional
        Number of atomic layers; `LAYERS` if no thickness is given either.
    supercell : tuple of int
        Repetitions of the primitive surface cell.
    vacuum : float
        Empty space along c in A, at least `LEAST_VACUUM_A`. With less, the two sides would interact.
    bottom : str, optional
        Termination of the lower side, named as seen from below. None accepts the one that results from the number of
        layers.
    mobile_layers : int
        Number of outermost layers that can move; all others are fixed.
    charged : bool
        Leave broken bonds without passivating ions, and accept formal charges that do not add up to zero.
    thickness : float, optional
        Distance between the lowest and the highest layer in A, instead of `layers`.
    passivating_ions : PassivatingIons, optional
        Ions for charged sides; None adds no ions.
    seed : int
        Seed of substituted ions and of the orientations of molecular ions.
    shells : sequence of tuple of Material and int
        Other crystals on top of the slab and their numbers of layers. The termination is then that of the core.

    Returns
    -------
    Atoms
        Annotated slab with c orthogonal to the surface, periodic in the plane.

    Raises
    ------
    InputError
        The termination does not exist.
    BuildError
        No cut has the two terminations with this number of layers or this thickness, the vacuum is too thin, or a shell
        does not grow epitaxially.
    BalanceError
        The slab is charged; the message lists the formal charges.
    """
    where = f"{material.name} {facet.miller_index}"
    if vacuum < LEAST_VACUUM_A:
        raise BuildError(f"{where}: {vacuum:g} A of vacuum; a slab needs at least {LEAST_VACUUM_A:g}")
    period = crystal_period(material, facet.miller_index)
    first, layers = _choose_layers(material, facet, period, layers, thickness, bottom, where)
    slab, bonds = stack_layers(period, material, first, layers), period.bonds
    if shells:
        slab, bonds = add_shells(slab, period, facet.miller_index, shells)
    slab.wrap()
    slab = slab.repeat((*supercell, 1))
    annotate(slab, SUBSTRATE, formal_charges=annotation.formal_charges(slab))
    annotation.layers(slab)[:] = slab.arrays["stacked"].max() + 1 - slab.arrays.pop("stacked")
    if passivating_ions and not charged:
        ions = WATER if facet.hydroxylated else passivating_ions
        slab = passivate(slab, dangling_bonds(slab, bonds), ions, full=facet.hydroxylated)
    slab = substitute(slab, material, seed)
    annotation.drop_column(slab, "ion")
    if facet.adlayer:
        slab = _add_adlayer(slab, facet.adlayer, material)
    slab = insert_molecular_ions(slab, material, seed)
    slab.center(vacuum=vacuum / 2, axis=2)
    slab.set_constraint(FixAtoms(np.flatnonzero(annotation.layers(slab) > mobile_layers)))
    annotation.note(slab, material=material.name, facet=facet.name)
    if charged:
        annotation.note(slab, charge=float(annotation.formal_charges(slab).sum()))
    else:
        assert_neutral(slab)
    return slab


def cut_wide_slab(material: Material, facet: Facet, width: float, layers: int = LAYERS, vacuum: float = 12.0) -> Atoms:
    """Cut the slab with the smallest cell that is neutral and has at least a given width along both vectors.

    Parameters
    ----------
    material : Material
        Record of the material.
    facet : Facet
        Record of the facet.
    width : float
        Smallest length of the in-plane cell vectors in A.
    layers : int
        Number of atomic layers.
    vacuum : float
        Empty space along c in A.

    Returns
    -------
    Atoms
        Slab as from `cut_slab`.

    Raises
    ------
    BalanceError
        No cell with up to one additional repetition along each vector is neutral.
    """
    lengths = cut_slab(material, facet, layers, charged=True).cell.lengths()[:2]
    m, n = np.ceil(width / lengths).astype(int).tolist()
    for extra_m, extra_n in ((0, 0), (1, 0), (0, 1)):
        try:
            return cut_slab(material, facet, layers, (m + extra_m, n + extra_n), vacuum)
        except BalanceError:
            continue
    return cut_slab(material, facet, layers, (m + 1, n + 1), vacuum)


def surface_charges(material: Material, facet: Facet) -> set[int]:
    """Return the formal charges in e of the ions of a facet, including its passivating ions if the facet is polar.

    Parameters
    ----------
    material : Material
        Record of the material.
    facet : Facet
        Record of the facet.
    """
    cut = facet.cut or facet.termination
    charge = next(t.charge_per_nm2 for t in list_terminations(material, facet.miller_index) if t.name == cut)
    charges = set(material.formal_charges.values())
    if abs(charge) > 1e-6:
        charges.add(int(-np.sign(charge)))
    return charges


def freeze_substrate(atoms: Atoms) -> Atoms:
    """Return a copy in which all atoms of the substrate are fixed."""
    frozen = atoms.copy()
    frozen.set_constraint(FixAtoms(np.flatnonzero(annotation.parts(frozen) == SUBSTRATE)))
    return frozen


def _choose_layers(
    material: Material,
    facet: Facet,
    period: Period,
    layers: int | None,
    thickness: float | None,
    bottom: str | None,
    where: str,
) -> tuple[int, int]:
    """Return the number in the period of the lowest layer of a slab with the given two sides, and the layer count."""
    tops = _find_termination(material, period, +1, facet.cut or facet.termination, where)
    bottoms = None if bottom is None else _find_termination(material, period, -1, bottom, where)
    if thickness is not None:
        layers = _count_layers(period, tops[0], thickness, where)
    layers = layers or LAYERS
    for top in tops:
        if bottoms is None or (top - layers + 1) % len(period.layers) in bottoms:
            return top - layers + 1, layers
    raise BuildError(
        f"{where}: no slab of {layers} layers has {facet.cut or facet.termination} on top and {bottom} below; "
        f"{layers} layers give: {', '.join(_pairs_of_sides(material, period, layers))}"
    )


def _find_termination(material: Material, period: Period, side: int, name: str, where: str) -> tuple[int, ...]:
    """Return the numbers in the period of the layers with a given termination."""
    terminations = _terminations(material, period, side)
    for termination in terminations:
        if termination.name == name:
            return termination.layers
    raise unknown("termination", name, [termination.name for termination in terminations], where)


def _pairs_of_sides(material: Material, period: Period, layers: int) -> list[str]:
    """Return the sides that slabs with this number of layers can have, such as `CsBr below PbBr2`."""
    names = [layer_name(period.atoms.symbols[layer], material) for layer in period.layers]
    n = len(names)
    return sorted({f"{names[lowest]} below {names[(lowest + layers - 1) % n]}" for lowest in range(n)})


def _count_layers(period: Period, top: int, thickness: float, where: str) -> int:
    """Return the number of layers, counted down from the layer `top`, with the requested thickness in A."""
    heights = np.array([period.atoms.positions[layer, 2].mean() for layer in period.layers])
    n, height = len(heights), period.atoms.cell[2, 2]
    most = n * int(np.ceil(thickness / height) + 1)
    depth = [heights[top] - heights[(top - k) % n] - height * ((top - k) // n) for k in range(most)]
    best = int(np.argmin(np.abs(np.array(depth) - thickness)))
    if abs(depth[best] - thickness) > THICKNESS_A:
        k = int(np.searchsorted(depth, thickness))
        raise BuildError(
            f"{where}: no slab is {thickness:g} A thick; {k} layers have {depth[k - 1]:.2f} A and {k + 1} have "
            f"{depth[k]:.2f} A between the lowest and the highest layer"
        )
    return best + 1


def _add_adlayer(slab: Atoms, adlayer: Adlayer, material: Material) -> Atoms:
    """Place the adatoms of a facet on top or hollow sites, evenly distributed over the cell."""
    outermost = slab.positions[annotation.layers(slab) == 1]
    if adlayer.site == "top":
        sites = outermost
    else:
        # The hollow is the centroid of an outermost atom and its neighbours along a and b: three atoms if the vectors
        # are at 60 degrees, four in a rectangular cell.
        a, b = slab.cell.array[0] / _repetitions(slab, 0), slab.cell.array[1] / _repetitions(slab, 1)
        sites = outermost + (a + b) / 3 if abs(a @ b) > 1e-3 else outermost + (a + b) / 2
    chosen = sites[np.linspace(0, len(sites), adlayer.per_supercell, endpoint=False, dtype=int)]
    adatoms = Atoms([adlayer.element] * len(chosen), chosen + np.array([0, 0, adlayer.height_A]))
    charge = material.formal_charges[adlayer.element]
    annotate(adatoms, SUBSTRATE, formal_charges=[charge] * len(adatoms))
    annotation.layers(adatoms)[:] = 1
    return slab + adatoms


def _repetitions(slab: Atoms, axis: int) -> int:
    """Return how often the outermost layer repeats along a cell vector."""
    outermost = slab[annotation.layers(slab) == 1].get_scaled_positions()
    return max(1, len(np.unique(np.round(outermost[:, axis] % 1.0, 3))))
