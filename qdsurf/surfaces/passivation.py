"""Passivation: ions of charge one at the positions of missing crystal ions balance the charge of broken bonds."""

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

# Positions closer than this are the same lattice site.
SAME_PLACE_A = 0.3
# Bond length of a hydroxide, NIST CCCBDB.
OXYGEN_HYDROGEN_A = 0.97
# If two anions share one lattice site, each of them is displaced from above its cation towards the site by this
# fraction of the lateral distance. They are then as far from each other as from the shared anions beside them (on InP
# 2.7 A for O, 2.8 for Cl, 2.9 for I).
LEAN = 0.3


class PassivatingIons(NamedTuple):
    """Ions that balance broken bonds.

    Attributes
    ----------
    anion : str
        Ion of charge -1 for broken bonds of cations: an element, or `OH`.
    cation : str
        Ion of charge +1 for broken bonds of anions.
    """

    anion: str = "Cl"
    cation: str = "H"


DEFAULT_PASSIVATING_IONS, WATER = PassivatingIons(), PassivatingIons("OH", "H")


@dataclass(frozen=True)
class DanglingBonds:
    """Broken bonds of a slab or particle.

    Attributes
    ----------
    atom : ndarray of int
        Atom with the broken bond, shape (n,).
    place : ndarray of float
        Position in A that the missing partner has in the crystal, shape (n, 3).
    strength : ndarray of float
        Charge in e that the broken bond leaves on the atom, shape (n,): positive for a cation, negative for an anion.
    side : ndarray of int
        +1 for the upper side, -1 for the lower side, shape (n,).
    """

    atom: np.ndarray
    place: np.ndarray
    strength: np.ndarray
    side: np.ndarray


def dangling_bonds(slab: Atoms, bonds: Bonds) -> DanglingBonds:
    """Find the broken bonds of a slab.

    Parameters
    ----------
    slab : Atoms
        Slab without passivating ions. Its column `ion` is the index of each atom in `bonds`.
    bonds : Bonds
        Bonds of the crystal.

    Returns
    -------
    DanglingBonds
        Bonds whose second atom would lie above or below the slab.
    """
    order = np.argsort(bonds.first, kind="stable")
    starts = np.searchsorted(bonds.first[order], np.arange(bonds.first.max() + 2))
    ion = annotation.ions(slab)
    counts = (starts[ion + 1] - starts[ion]).astype(int)
    atom = np.repeat(np.arange(len(slab)), counts)
    number_at_atom = np.arange(len(atom)) - np.repeat(np.cumsum(counts) - counts, counts)
    bond = order[starts[ion[atom]] + number_at_atom]
    place = slab.positions[atom] + bonds.vectors[bond]
    lowest, highest = slab.positions[:, 2].min() - 1e-3, slab.positions[:, 2].max() + 1e-3
    side = (place[:, 2] > highest).astype(int) - (place[:, 2] < lowest)
    broken = side != 0
    return DanglingBonds(atom[broken], place[broken], bonds.strength[bond][broken], side[broken])


def passivate(slab: Atoms, dangling: DanglingBonds, passivating_ions: PassivatingIons, full: bool = False) -> Atoms:
    """Add passivating ions to the charged sides of a slab, as far from each other as possible.

    An anion occupies the position of the next anion of the crystal. A proton binds to an anion. A lattice site at which
    two broken bonds meet can accept one ion for both bonds or one ion for each bond. The second option is used where
    the side needs more ions than it has sites, as on (100) of a III-V crystal with 1.5 e for each ion.

    Parameters
    ----------
    slab : Atoms
        Annotated slab with the column `ion`.
    dangling : DanglingBonds
        Broken bonds of the slab.
    passivating_ions : PassivatingIons
        Ions to add.
    full : bool
        Also saturate broken bonds whose charges balance each other, with an anion on every cation and as many protons.

    Returns
    -------
    Atoms
        Slab with the passivating ions behind the other atoms. `info["interface_charge"]` states the charge of an
        interface between two crystals, if any.

    Raises
    ------
    BalanceError
        The charge of a side is not an integer in this cell, or its ions fit only into another cell.
    BuildError
        A side needs more ions than it has sites, in any cell.
    """
    side_charges = {side: float(dangling.strength[dangling.side == side].sum()) for side in (+1, -1)}
    # The interface between two crystals of different coordination is charged. The upper side balances it as well.
    interface = float(annotation.formal_charges(slab).sum()) - sum(side_charges.values())
    if abs(interface) > 1e-3:
        slab = slab.copy()
        annotation.note(slab, interface_charge=interface)
        side_charges[+1] += interface
    for side, exact_charge in side_charges.items():
        where = f"the {'upper' if side > 0 else 'lower'} side"
        charge = round(exact_charge)
        if abs(exact_charge - charge) > 1e-3:
            cells = Fraction(exact_charge).limit_denominator(12).denominator
            raise BalanceError(
                f"{where} carries {exact_charge:+.3g} e in this cell, which ions of charge one cannot balance; take a "
                f"supercell with {cells} times as many cells ({charge_balance(slab)})"
            )
        sites = {sign: _ion_sites(slab, dangling, dangling.side == side, sign) for sign in (-1, +1)}
        counts = {-1: max(charge, 0), +1: max(-charge, 0)}
        if full:
            anions = max(min(len(sites[-1]), len(sites[+1]) + charge), charge, 0)
            counts = {-1: anions, +1: anions - charge}
        layer = 1 if side > 0 else annotation.layers(slab).max()
        for sign, count in counts.items():
            if count == 0:
                continue
            placed = [
                _ion_position(slab, dangling, site, sign, passivating_ions)
                for site in _choose_sites(slab, sites[sign], count, sign, where)
            ]
            positions, outwards = (np.array(part) for part in zip(*placed, strict=True))
            slab = slab + passivating_ion_atoms(passivating_ions, sign, positions, outwards, layer)
    return slab


class _IonSite(NamedTuple):
    """Site for one passivating ion.

    Attributes
    ----------
    bonds : ndarray of int
        Broken bonds that the ion saturates, as indices in `DanglingBonds`. For an anion, these are the bonds that lead
        to one lattice site; for a proton, those of one anion.
    ends : frozenset of int
        For an anion, the atoms of the bonds; for a proton, the lattice sites to which they lead. Two sites with a
        common end are neighbours.
    position : ndarray of float
        Position in A of the lattice site or of the anion, shape (3,).
    other_bond : int, optional
        The second bond at this position, if it is saturated by another ion.
    """

    bonds: np.ndarray
    ends: frozenset[int]
    position: np.ndarray
    other_bond: int | None = None


def _ion_sites(slab: Atoms, dangling: DanglingBonds, on_side: np.ndarray, sign: int) -> list[_IonSite]:
    """Return the sites of one side for passivating ions of one sign."""
    bonds = np.flatnonzero(on_side & (dangling.strength * sign < 0))
    if len(bonds) == 0:
        return []
    atom, place = dangling.atom[bonds], dangling.place[bonds]
    lattice_site = np.argmax(get_distances(place, cell=slab.cell, pbc=slab.pbc)[1] < SAME_PLACE_A, axis=1)
    own, end = (lattice_site, atom) if sign < 0 else (atom, lattice_site)
    positions = place if sign < 0 else slab.positions[atom]
    return [
        _IonSite(bonds[own == n], frozenset(end[own == n].tolist()), positions[np.argmax(own == n)])
        for n in np.unique(own)
    ]


def _choose_sites(slab: Atoms, sites: list[_IonSite], count: int, sign: int, where: str) -> list[_IonSite]:
    """Choose evenly distributed sites for `count` ions; if there are too few sites, some are split into two.

    Raises
    ------
    BalanceError, BuildError
        There are too few sites.
    """
    positions = np.array([site.position for site in sites]).reshape(-1, 3)
    missing = count - len(sites)
    if missing <= 0:
        return [sites[k] for k in choose_places(positions, count, slab)]
    pairs = [k for k, site in enumerate(sites) if len(site.bonds) == 2]
    words = f"{where} needs {count} ions of charge {sign:+d} for its broken bonds, but has only {len(sites)} sites; use"
    if missing > len(pairs):
        raise BuildError(f"{words} one layer more or less, or another termination")
    separate = _without_neighbours(sites, pairs)
    if missing > len(separate):
        raise BalanceError(
            f"{words} an even number of cells along both vectors, so that every second site can accept two ions"
        )
    split = {separate[k] for k in choose_places(positions[separate], missing, slab)}
    halves = []
    for k in sorted(split):
        first, second = sites[k].bonds
        halves.append(sites[k]._replace(bonds=np.array([first]), other_bond=int(second)))
        halves.append(sites[k]._replace(bonds=np.array([second]), other_bond=int(first)))
    return [site for k, site in enumerate(sites) if k not in split] + halves


def _without_neighbours(sites: list[_IonSite], pairs: list[int]) -> list[int]:
    """Choose sites with two bonds that share no end with each other: every second one along a row."""
    # In a cell as short as the row, a site is its own neighbour and has only one end.
    pairs = [k for k in pairs if len(sites[k].ends) == 2]
    touch = np.array([[bool(sites[a].ends & sites[b].ends) for b in pairs] for a in pairs], dtype=int)
    along_rows = reverse_cuthill_mckee(csr_array(touch)) if pairs else []
    chosen: list[int] = []
    for k in along_rows:
        if not touch[k, chosen].any():
            chosen.append(int(k))
    return [pairs[k] for k in chosen]


def _ion_position(
    slab: Atoms, dangling: DanglingBonds, site: _IonSite, sign: int, passivating_ions: PassivatingIons
) -> tuple[np.ndarray, np.ndarray]:
    """Return the position in A of the ion on a site, and the outward unit vector there."""
    vectors = dangling.place - slab.positions[dangling.atom]
    bonds = list(site.bonds)
    if site.other_bond is not None:
        bonds.append(site.other_bond)
    outward = vectors[bonds].sum(axis=0)
    outward /= np.linalg.norm(outward)
    host, bond_vector = dangling.atom[bonds[0]], vectors[bonds[0]]
    name = passivating_ions.anion if sign < 0 else passivating_ions.cation
    number = atomic_numbers["O" if name == "OH" else name]
    length = covalent_radii[slab.numbers[host]] + covalent_radii[number]
    if sign > 0:
        direction = outward if site.other_bond is None else bond_vector / np.linalg.norm(bond_vector)
        return site.position + length * direction, direction
    if site.other_bond is None:
        return site.position, outward
    lateral = LEAN * (bond_vector - (bond_vector @ outward) * outward)
    return slab.positions[host] + lateral + np.sqrt(length**2 - lateral @ lateral) * outward, outward


def passivating_ion_atoms(
    passivating_ions: PassivatingIons, sign: int, places: np.ndarray, outwards: np.ndarray, layer: int
) -> Atoms:
    """Create passivating ions of one sign.

    Parameters
    ----------
    passivating_ions : PassivatingIons
        Ions of both signs.
    sign : int
        -1 for anions, +1 for cations.
    places : ndarray of float
        Positions in A, shape (n, 3).
    outwards : ndarray of float
        Unit vectors from the oxygen to the hydrogen atom of a hydroxide, shape (n, 3).
    layer : int
        Number of the layer to which the ions belong.

    Returns
    -------
    Atoms
        Annotated ions, part of the substrate, with the value -1 in the column `ion`.
    """
    name = passivating_ions.anion if sign < 0 else passivating_ions.cation
    ions = annotate(Atoms(["O" if name == "OH" else name] * len(places), places), SUBSTRATE)
    annotation.formal_charges(ions)[:] = sign
    if name == "OH":
        ions += annotate(Atoms(["H"] * len(places), places + OXYGEN_HYDROGEN_A * outwards), SUBSTRATE)
    annotation.layers(ions)[:] = layer
    annotation.set_column(ions, "ion", np.full(len(ions), -1))
    return ions
