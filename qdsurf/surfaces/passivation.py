"""Ions that take the places of a cut crystal's next ions, until its formal charges add up to zero."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.geometry import get_distances
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.atomistic.point_sampling import choose_places
from qdsurf.errors import BalanceError, BuildError
from qdsurf.surfaces.crystal import Bonds

SAME_PLACE_A = 0.3
OXYGEN_HYDROGEN_A = 0.97  # bond length of a hydroxide, NIST CCCBDB
# Of two anions for one place each leans from above its cation towards the place by this share of the way, which keeps
# them as far from one another as from the shared anions beside them (on InP 2.7 A for O, 2.8 for Cl, 2.9 for I).
LEAN = 0.3


class PassivatingIons(NamedTuple):
    """Ions of charge -1 and +1 that balance the cut bonds of cations and of anions."""

    anion: str = "Cl"
    cation: str = "H"


DEFAULT_PASSIVATING_IONS, WATER = PassivatingIons(), PassivatingIons("OH", "H")


@dataclass(frozen=True)
class Dangling:
    """Cut bonds of a slab.

    Attributes
    ----------
    atom : the atom left behind, shape (n,).
    place : where its partner would be in the crystal, in A, shape (n, 3).
    strength : what the cut leaves on the atom in e, shape (n,).
    side : +1 above, -1 below, shape (n,).
    """

    atom: np.ndarray
    place: np.ndarray
    strength: np.ndarray
    side: np.ndarray


def dangling_bonds(slab: Atoms, bonds: Bonds) -> Dangling:
    """Find the bonds of the crystal that lead out of a slab.

    Parameters
    ----------
    slab : as cut, with the number of each atom in the crystal's period in its column `ion`.
    """
    order = np.argsort(bonds.first, kind="stable")
    starts = np.searchsorted(bonds.first[order], np.arange(bonds.first.max() + 2))
    ion = annotation.ions(slab)
    counts = (starts[ion + 1] - starts[ion]).astype(int)
    atom = np.repeat(np.arange(len(slab)), counts)
    within = np.arange(len(atom)) - np.repeat(np.cumsum(counts) - counts, counts)
    bond = order[starts[ion[atom]] + within]
    place = slab.positions[atom] + bonds.vectors[bond]
    low, high = slab.positions[:, 2].min() - 1e-3, slab.positions[:, 2].max() + 1e-3
    side = (place[:, 2] > high).astype(int) - (place[:, 2] < low)
    cut = side != 0
    return Dangling(atom[cut], place[cut], bonds.strength[bond][cut], side[cut])


def passivate(slab: Atoms, dangling: Dangling, passivating_ions: PassivatingIons, full: bool = False) -> Atoms:
    """Put stand-ins on the charged sides of a slab, as far from one another as the places allow.

    An anion takes the place of the crystal's next anion, a proton stands on an anion. Where one such place closes two
    cut bonds and there are too few, as on (100) of a III-V crystal with 1.5 e for each ion, some hold an ion a bond.

    Parameters
    ----------
    full : also close the cut bonds that balance one another, an anion on every cut cation and as many protons.

    Raises
    ------
    BalanceError : a side's charge in this cell is no whole number, or its ions have room only in another cell.
    BuildError : a side needs more ions than there are places, whatever the cell.
    """
    sides = {side: float(dangling.strength[dangling.side == side].sum()) for side in (+1, -1)}
    # Where two crystals of different coordination meet, their interface is charged; the upper side balances that too.
    interface = float(annotation.formal_charges(slab).sum()) - sum(sides.values())
    if abs(interface) > 1e-3:
        slab = slab.copy()
        annotation.note(slab, interface_charge=interface)
        sides[+1] += interface
    for side, charge in sides.items():
        where = f"the {'upper' if side > 0 else 'lower'} side"
        if abs(charge - round(charge)) > 1e-3:
            cells = Fraction(charge).limit_denominator(12).denominator
            raise BalanceError(
                f"{where} carries {charge:+.3g} e in this cell, which ions of charge one cannot balance; take a "
                f"supercell with {cells} times as many cells ({charge_balance(slab)})"
            )
        charge = round(charge)
        openings = {sign: _openings(slab, dangling, dangling.side == side, sign) for sign in (-1, +1)}
        counts = {-1: max(charge, 0), +1: max(-charge, 0)}
        if full:
            count = max(min(len(openings[-1]), len(openings[+1]) + charge), charge, 0)
            counts = {-1: count, +1: count - charge}
        layer = 1 if side > 0 else annotation.layers(slab).max()
        for sign, count in counts.items():
            if count:
                chosen = _choose(slab, openings[sign], count, sign, where)
                places, outwards = zip(
                    *(_place(slab, dangling, own, sign, passivating_ions) for own in chosen), strict=True
                )
                slab = slab + passivating_ion_atoms(passivating_ions, sign, np.array(places), np.array(outwards), layer)
    return slab


class _Opening(NamedTuple):
    """Cut bonds that one ion closes: an anion those that lead to one place, a proton those of one anion.

    `bonds`, indices in `Dangling`; `ends`, the atoms they start from, for a proton the places they lead to: openings
    that share one are neighbours; `middle`, position in A; `beside`, the other bond where each has an ion of its own.
    """

    bonds: np.ndarray
    ends: frozenset[int]
    middle: np.ndarray
    beside: int | None = None


def _openings(slab: Atoms, dangling: Dangling, mine: np.ndarray, sign: int) -> list[_Opening]:
    """Openings of one side for ions of one sign."""
    bonds = np.flatnonzero(mine & (dangling.strength * sign < 0))
    if len(bonds) == 0:
        return []
    atom, place = dangling.atom[bonds], dangling.place[bonds]
    target = np.argmax(get_distances(place, cell=slab.cell, pbc=slab.pbc)[1] < SAME_PLACE_A, axis=1)
    own, other = (target, atom) if sign < 0 else (atom, target)
    middle = place if sign < 0 else slab.positions[atom]
    return [
        _Opening(bonds[own == n], frozenset(other[own == n].tolist()), middle[np.argmax(own == n)])
        for n in np.unique(own)
    ]


def _choose(slab: Atoms, openings: list[_Opening], count: int, sign: int, where: str) -> list[_Opening]:
    """So many openings, spread out; of two bonds that need an ion each, one opening for either.

    Raises
    ------
    BalanceError, BuildError : there are too few.
    """
    middles = np.array([opening.middle for opening in openings]).reshape(-1, 3)
    extra = count - len(openings)
    if extra <= 0:
        return [openings[k] for k in choose_places(middles, count, slab)]
    pairs = [k for k, opening in enumerate(openings) if len(opening.bonds) == 2]
    words = (
        f"{where} needs {count} ions of charge {sign:+d} for its cut bonds and has places for {len(openings)}; take "
    )
    if extra > len(pairs):
        raise BuildError(f"{words}one layer more or less, or another termination")
    apart = _no_neighbours(openings, pairs)
    if extra > len(apart):
        raise BalanceError(f"{words}an even number of cells along both vectors, so that every second can hold two")
    split = {apart[k] for k in choose_places(middles[apart], extra, slab)}
    halves = [
        one._replace(bonds=np.array([bond]), beside=int(other))
        for one in (openings[k] for k in sorted(split))
        for bond, other in (one.bonds, one.bonds[::-1])
    ]
    return [opening for k, opening in enumerate(openings) if k not in split] + halves


def _no_neighbours(openings: list[_Opening], pairs: list[int]) -> list[int]:
    """As many of the openings of two bonds as share no end: every second along a row."""
    pairs = [k for k in pairs if len(openings[k].ends) == 2]  # in a cell as short as the row one is its own neighbour
    touch = np.array([[bool(openings[a].ends & openings[b].ends) for b in pairs] for a in pairs], dtype=int)
    order = reverse_cuthill_mckee(csr_array(touch)) if pairs else []  # along the rows
    chosen: list[int] = []
    for k in order:
        if not touch[k, chosen].any():
            chosen.append(int(k))
    return [pairs[k] for k in chosen]


def _place(
    slab: Atoms, dangling: Dangling, opening: _Opening, sign: int, passivating_ions: PassivatingIons
) -> tuple[np.ndarray, np.ndarray]:
    """Position in A of the ion that closes an opening, and the way out there."""
    vectors = dangling.place - slab.positions[dangling.atom]
    bonds = [*opening.bonds] + ([] if opening.beside is None else [opening.beside])
    out = vectors[bonds].sum(axis=0)
    out /= np.linalg.norm(out)
    host, own = dangling.atom[bonds[0]], vectors[bonds[0]]
    name = passivating_ions.anion if sign < 0 else passivating_ions.cation
    number = atomic_numbers["O" if name == "OH" else name]
    length = covalent_radii[slab.numbers[host]] + covalent_radii[number]
    if sign > 0:
        way = out if opening.beside is None else own / np.linalg.norm(own)
        return opening.middle + length * way, way
    if opening.beside is None:
        return opening.middle, out
    aside = LEAN * (own - (own @ out) * out)
    return slab.positions[host] + aside + np.sqrt(length**2 - aside @ aside) * out, out


def passivating_ion_atoms(
    passivating_ions: PassivatingIons, sign: int, places: np.ndarray, outwards: np.ndarray, layer: int
) -> Atoms:
    """Stand-ins of charge `sign` at places in A, with the columns of `atomistic.annotation.annotate` and `ion` -1.

    Parameters
    ----------
    outwards : unit vectors along which a hydroxide points, shape (n, 3).
    """
    name = passivating_ions.anion if sign < 0 else passivating_ions.cation
    ions = annotate(Atoms(["O" if name == "OH" else name] * len(places), places), SUBSTRATE)
    annotation.formal_charges(ions)[:] = sign
    if name == "OH":
        ions += annotate(Atoms(["H"] * len(places), places + OXYGEN_HYDROGEN_A * outwards), SUBSTRATE)
    annotation.layers(ions)[:] = layer
    annotation.set_column(ions, "ion", np.full(len(ions), -1))
    return ions
