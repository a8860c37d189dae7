"""Slabs with both terminations named, neutral by formal charges."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.atomistic.charge_balance import assert_neutral
from qdsurf.errors import BalanceError, BuildError, unknown
from qdsurf.records.models import Facet, Material
from qdsurf.surfaces.alloys import insert_molecular_ions, substitute
from qdsurf.surfaces.core_shell import add_shells, stack_layers
from qdsurf.surfaces.crystal import Period, crystal_period
from qdsurf.surfaces.passivation import DEFAULT_PASSIVATING_IONS, WATER, PassivatingIons, dangling_bonds, passivate

LAYERS = 3  # of a slab whose thickness nobody gives
LEAST_VACUUM_A = 5.0  # empty space that makes a slab of a crystal
THICKNESS_A = 0.05  # a thickness in A is met to this


def layer_name(symbols: Sequence[str], material: Material) -> str:
    """Composition of a layer, as in PbBr2, elements in the order of the material's formal charges."""
    ion = material.molecular_ion
    names = [ion.name if ion and symbol not in material.formal_charges else symbol for symbol in symbols]
    counts = {element: names.count(element) for element in material.formal_charges}
    divisor = np.gcd.reduce(list(counts.values()))
    return "".join(f"{e}{n // divisor if n > divisor else ''}" for e, n in counts.items() if n)


def list_terminations(material: Material, miller_index: Sequence[int], side: int = +1) -> list[dict]:
    """Ways to end the crystal at this plane, those with the fewest broken bonds first.

    Layers of one composition that differ in their cut bonds are told apart by a number: `CdSe`, then `CdSe-2`.

    Parameters
    ----------
    side : +1 where the plane's normal points out of the crystal, -1 for the other side.

    Returns
    -------
    One dictionary a termination: name, layers (their numbers in the period), broken_bonds_per_nm2, charge_per_nm2
    (in e; the cut bonds' share of the ions left behind, which ligands must balance).
    """
    return _terminations(material, crystal_period(material, miller_index), side)


def _terminations(material: Material, period: Period, side: int) -> list[dict]:
    atoms, bonds = period.atoms, period.bonds
    height = atoms.cell[2, 2]
    area = np.linalg.norm(np.cross(*atoms.cell.array[:2])) / 100
    start = side * atoms.positions[bonds.first, 2]
    end = start + side * bonds.vectors[:, 2]
    found: dict[tuple, dict] = {}
    for number, layer in enumerate(period.layers):
        level = (side * atoms.positions[layer, 2]).max() + 1e-3
        # How often a bond that leads outwards, in all its periodic images, passes this level.
        cut = np.where(end > start, np.floor((level - start) / height) - np.floor((level - end) / height), 0.0)
        name = layer_name(atoms.symbols[layer], material)
        broken, charge = cut.sum() / area, cut @ bonds.strength / area
        alike = found.setdefault(
            (name, round(broken, 4), round(charge, 4)),
            {"name": name, "layers": [], "broken_bonds_per_nm2": float(broken), "charge_per_nm2": float(charge)},
        )
        alike["layers"].append(number)
    # Of equals the one that leaves cations open comes first: ligands of dots are anions.
    rank = lambda t: (round(t["broken_bonds_per_nm2"], 4), -round(t["charge_per_nm2"], 4), t["name"])  # noqa: E731
    ranked = sorted(found.values(), key=rank)
    seen: Counter = Counter()
    for termination in ranked:
        name = termination["name"]
        seen[name] += 1
        if seen[name] > 1:
            termination["name"] = f"{name}-{seen[name]}"
    return ranked


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
    """Cut a slab with a named top, c orthogonal to the surface, and make it neutral.

    Where cut bonds leave a side charged, stand-ins take the places of the crystal's next ions: an anion on cations,
    a proton on anions. A ligand of that charge can take their place later.

    Parameters
    ----------
    layers : number of atomic layers; `LAYERS` where no thickness is given either.
    supercell : repetitions of the primitive surface cell.
    vacuum : empty space along c in A, at least `LEAST_VACUUM_A`, or the sides see each other.
    bottom : termination of the lower side, named as seen from below; None takes whatever the number of layers gives.
    mobile_layers : outermost layers that may move; all others are fixed.
    charged : leave the cut bonds as they are and accept formal charges that do not add up to zero.
    thickness : distance in A between the lowest and the highest layer, instead of `layers`.
    passivating_ions : ions for charged sides; None adds none.
    seed : of substituted ions and of the orientations of molecular ions.
    shells : other crystals to grow on top, with their numbers of layers; the termination is then the core's.

    Raises
    ------
    BuildError : no cut has these two terminations with this number of layers, or with this thickness, the vacuum is too
        thin, or a shell does not grow in register.
    BalanceError : the slab is charged; the message lists the formal charges.
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
        slab = _add_adlayer(slab, facet, material)
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
    """Cut the slab of the smallest cell that is neutral and at least `width` A wide along both vectors.

    Raises
    ------
    BalanceError : no cell up to one repeat larger each way is neutral.
    """
    lengths = cut_slab(material, facet, layers, charged=True).cell.lengths()[:2]
    least = np.ceil(width / lengths).astype(int)
    for extra in ((0, 0), (1, 0), (0, 1), (1, 1)):
        try:
            return cut_slab(material, facet, layers, tuple(int(n) for n in least + extra), vacuum)
        except BalanceError as error:
            refusal = error
    raise refusal


def surface_charges(material: Material, facet: Facet) -> set[int]:
    """Formal charges of the ions of a facet, with those of its stand-ins where the cut leaves it charged."""
    cut = facet.cut or facet.termination
    charge = next(t["charge_per_nm2"] for t in list_terminations(material, facet.miller_index) if t["name"] == cut)
    return set(material.formal_charges.values()) | ({int(-np.sign(charge))} if abs(charge) > 1e-6 else set())


def freeze_substrate(atoms: Atoms) -> Atoms:
    """A copy in which every substrate atom is fixed where it is."""
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
    """Number of the lowest layer of a slab with the two sides asked for, and how many layers it has."""
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


def _find_termination(material: Material, period: Period, side: int, name: str, where: str) -> list[int]:
    """Numbers in the period of the layers with this termination."""
    terminations = _terminations(material, period, side)
    for termination in terminations:
        if termination["name"] == name:
            return termination["layers"]
    raise unknown("termination", name, [t["name"] for t in terminations], where)


def _pairs_of_sides(material: Material, period: Period, layers: int) -> list[str]:
    """Which sides a slab of so many layers can have, such as `CsBr below PbBr2`."""
    names = [layer_name(period.atoms.symbols[layer], material) for layer in period.layers]
    n = len(names)
    return sorted({f"{names[s]} below {names[(s + layers - 1) % n]}" for s in range(n)})


def _count_layers(period: Period, top: int, thickness: float, where: str) -> int:
    """Number of layers, counted down from `top`, that are as thick as asked for in A."""
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


def _add_adlayer(slab: Atoms, facet: Facet, material: Material) -> Atoms:
    """Put the facet's adatoms over top or hollow sites, spread over the cell."""
    adlayer = facet.adlayer
    top = slab.positions[annotation.layers(slab) == 1]
    if adlayer.site == "top":
        spots = top
    else:  # centroid of an outermost atom and its two nearest neighbours that are 60 degrees apart
        a, b = slab.cell.array[0] / _repeats(slab, 0), slab.cell.array[1] / _repeats(slab, 1)
        spots = top + (a + b) / 3 if abs(a @ b) > 1e-3 else top + (a + b) / 2
    chosen = spots[np.linspace(0, len(spots), adlayer.per_supercell, endpoint=False, dtype=int)]
    adatoms = Atoms([adlayer.element] * len(chosen), chosen + np.array([0, 0, adlayer.height_A]))
    charge = material.formal_charges[adlayer.element]
    annotate(adatoms, SUBSTRATE, formal_charges=[charge] * len(adatoms))
    annotation.layers(adatoms)[:] = 1
    return slab + adatoms


def _repeats(slab: Atoms, axis: int) -> int:
    """How often the outermost layer repeats along a cell vector."""
    top = slab[annotation.layers(slab) == 1].get_scaled_positions()
    return max(1, len(np.unique(np.round(top[:, axis] % 1.0, 3))))
