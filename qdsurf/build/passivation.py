"""Ions that take the places of a cut crystal's next ions, until its formal charges add up to zero."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import get_distances

from qdsurf.build.crystal import Bonds
from qdsurf.build.ledger import ledger
from qdsurf.build.spread import spread
from qdsurf.errors import BalanceError, BuildError
from qdsurf.structure_io import SUBSTRATE, annotate

SAME_PLACE_A = 0.3
OXYGEN_HYDROGEN_A = 0.97  # bond length of a hydroxide, NIST CCCBDB


class StandIns(NamedTuple):
    """Ions of charge -1 and +1 that balance the cut bonds of cations and of anions."""

    anion: str = "Cl"
    cation: str = "H"


DEFAULT_STAND_INS, WATER = StandIns(), StandIns("OH", "H")


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
    ion = slab.arrays["ion"]
    counts = (starts[ion + 1] - starts[ion]).astype(int)
    atom = np.repeat(np.arange(len(slab)), counts)
    within = np.arange(len(atom)) - np.repeat(np.cumsum(counts) - counts, counts)
    bond = order[starts[ion[atom]] + within]
    place = slab.positions[atom] + bonds.vectors[bond]
    low, high = slab.positions[:, 2].min() - 1e-3, slab.positions[:, 2].max() + 1e-3
    side = (place[:, 2] > high).astype(int) - (place[:, 2] < low)
    cut = side != 0
    return Dangling(atom[cut], place[cut], bonds.strength[bond][cut], side[cut])


def passivate(slab: Atoms, dangling: Dangling, stand_ins: StandIns, full: bool = False) -> Atoms:
    """Put stand-ins on the charged sides of a slab, as far from one another as the places allow.

    Parameters
    ----------
    full : also close the cut bonds that balance one another, an anion on every cut cation and as many protons.

    Raises
    ------
    BalanceError : a side's charge in this cell is no whole number; the message says how many cells make it one.
    """
    sides = {side: float(dangling.strength[dangling.side == side].sum()) for side in (+1, -1)}
    # Where two crystals of different coordination meet, their interface is charged; the upper side balances that too.
    interface = float(slab.arrays["formal_charge"].sum()) - sum(sides.values())
    if abs(interface) > 1e-3:
        slab = slab.copy()
        slab.info["interface_charge"] = interface
        sides[+1] += interface
    for side, charge in sides.items():
        mine = dangling.side == side
        if abs(charge - round(charge)) > 1e-3:
            cells = Fraction(charge).limit_denominator(12).denominator
            raise BalanceError(
                f"the {'upper' if side > 0 else 'lower'} side carries {charge:+.3g} e in this cell, which ions of "
                f"charge one cannot balance; take a supercell with {cells} times as many cells ({ledger(slab)})"
            )
        charge = round(charge)
        anions = _next_anions(slab, dangling, mine & (dangling.strength > 0)) if charge > 0 or full else None
        protons = _protons(slab, dangling, mine & (dangling.strength < 0)) if charge < 0 or full else None
        counts = max(charge, 0), max(-charge, 0)
        if full:
            count = max(min(len(anions[0]), len(protons[0]) + charge), charge, 0)
            counts = count, count - charge
        layer = 1 if side > 0 else slab.arrays["layer"].max()
        for sign, count, found in zip((-1, +1), counts, (anions, protons), strict=True):
            if count:
                places, outwards = found
                if count > len(places):
                    raise BuildError(
                        f"the {'upper' if side > 0 else 'lower'} side needs {count} ions of charge {sign:+d} for its "
                        f"cut bonds and has places for {len(places)}; take one layer more or less, or another "
                        "termination"
                    )
                chosen = spread(places, count, slab)
                slab = slab + stand_in_atoms(stand_ins, sign, places[chosen], outwards[chosen], layer)
    return slab


def _next_anions(slab: Atoms, dangling: Dangling, hosts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the crystal's next anions over the cut cations, and the way out at each."""
    places, atoms = dangling.place[hosts], dangling.atom[hosts]
    if len(places) == 0:
        return places, places
    apart = get_distances(places, cell=slab.cell, pbc=slab.pbc)[1] < SAME_PLACE_A
    first = np.flatnonzero(np.argmax(apart, axis=1) == np.arange(len(places)))
    outwards = np.array([(dangling.place[hosts] - slab.positions[atoms])[apart[k]].mean(axis=0) for k in first])
    return places[first], outwards / np.linalg.norm(outwards, axis=1)[:, None]


def _protons(slab: Atoms, dangling: Dangling, hosts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A bond length away from each cut anion, and the way out at each."""
    vectors = dangling.place - slab.positions[dangling.atom]
    anions = np.unique(dangling.atom[hosts])
    if len(anions) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3))
    outwards = np.array([vectors[hosts & (dangling.atom == anion)].sum(axis=0) for anion in anions])
    outwards /= np.linalg.norm(outwards, axis=1)[:, None]
    lengths = covalent_radii[slab.numbers[anions]] + covalent_radii[1]
    return slab.positions[anions] + lengths[:, None] * outwards, outwards


def stand_in_atoms(stand_ins: StandIns, sign: int, places: np.ndarray, outwards: np.ndarray, layer: int) -> Atoms:
    """Stand-ins of charge `sign` at places in A, with the columns of `structure_io.annotate` and `ion` -1.

    Parameters
    ----------
    outwards : unit vectors along which a hydroxide points, shape (n, 3).
    """
    name = stand_ins.anion if sign < 0 else stand_ins.cation
    ions = annotate(Atoms(["O" if name == "OH" else name] * len(places), places), SUBSTRATE)
    ions.arrays["formal_charge"][:] = sign
    if name == "OH":
        ions += annotate(Atoms(["H"] * len(places), places + OXYGEN_HYDROGEN_A * outwards), SUBSTRATE)
    ions.arrays["layer"][:] = layer
    ions.set_array("ion", np.full(len(ions), -1))
    return ions
