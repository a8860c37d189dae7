"""Ligands on a whole nanocrystal: as many as its charge asks for, where its bonds are cut."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from qdsurf.atomistic import annotation
from qdsurf.atomistic.charge_balance import assert_neutral, charge_balance
from qdsurf.atomistic.point_sampling import TIE_BREAK_DIRECTION, choose_places
from qdsurf.errors import BalanceError, BuildError, InputError, unknown
from qdsurf.ligands.conformers import bound_form, chain_conformers
from qdsurf.ligands.packing import Chains, Seat, pack
from qdsurf.ligands.slab_ligands import seat
from qdsurf.records.models import Ligand, Material
from qdsurf.surfaces.alloys import insert_molecular_ions
from qdsurf.surfaces.nanocrystal import EDGE, EVERYWHERE, INSIDE, VERTEX, particle_area
from qdsurf.surfaces.passivation import DEFAULT_PASSIVATING_IONS, Dangling, PassivatingIons, passivating_ion_atoms

SAME_PLACE_A = 0.7  # missing neighbours of two atoms nearer than this are one place
APART_A = 3.0  # two added ions nearer than this repel; such places are taken last


class Places(NamedTuple):
    """Where ions of one sign can be added.

    `positions` in A, shape (n, 3); `outwards`, unit vectors; `hosts`, the atoms to which each would be bonded, nearest
    first; `valence`, the charge in e that they have to give, shape (n,); `facets`, the face of the first host.
    """

    positions: np.ndarray
    outwards: np.ndarray
    hosts: list[list[int]]
    valence: np.ndarray
    facets: list[str]


def cap_nanocrystal(
    particle: Atoms,
    dangling: Dangling,
    material: Material,
    ligands: Mapping[str, Ligand] | None = None,
    passivating_ions: PassivatingIons = DEFAULT_PASSIVATING_IONS,
    truncate_to_carbons: int | None = None,
    seed: int = 0,
    coverage: float | None = None,
) -> Atoms:
    """Make a nanocrystal neutral, with real ligands where they fit and small ions where they do not.

    Ions of charge one in excess leave, the least bound ones first (caesium from the edges of a perovskite cube). What
    charge is left is balanced at the places of the crystal's next ions, where the cut bonds have most to give. Where
    none is left, ligands replace ions of their own charge on the faces (oleate bromide, oleylammonium caesium), or come
    as acids, the anion to a cation and its proton to an anion.

    Parameters
    ----------
    particle, dangling : from `build_nanocrystal`.
    ligands : X-type ligand of charge one for each face by name; `*` stands for all others, edges and vertices too.
        None puts stand-ins everywhere.
    passivating_ions : ions of charge -1 and +1 for places without a ligand.
    coverage : ligands in nm^-2. Where the charge asks for more, stand-ins hold the rest; where it asks for fewer,
        acids come with their protons. None takes as many as the charge asks for.

    Returns
    -------
    Neutral particle; `info` counts its `ligands`, its `passivating_ions`, and the ligands `without_room`.

    Raises
    ------
    BalanceError : the charge cannot be balanced with the places that there are.
    InputError : a ligand is not of charge one, none has the sign that the particle needs, or it is neutral and its
        coverage is not given.
    """
    ligands = ligands or {}
    _check_ligands(particle, ligands)
    particle, dangling = _shed(particle, dangling)
    charge = round(annotation.formal_charges(particle).sum())
    if charge == 0 and not ligands:
        return _finish(particle, material, 0, 0, 0, seed)
    if charge == 0 and coverage is None:
        raise InputError("the particle is neutral without ligands; give their coverage in nm^-2")
    sign = next(iter(ligands.values())).charge if charge == 0 else 0
    if sign and (annotation.formal_charges(particle) == sign).any():
        particle, places, passivating_ions = _vacate(particle, dangling, sign, coverage, seed)
        chosen = np.arange(len(places.positions))
    else:
        if sign > 0:
            raise InputError("no cation of charge one is there to be replaced; give a ligand of charge -1")
        if ligands and charge >= 0 and coverage is not None:
            acids = max(0, round(coverage * particle_area(particle)) - charge)
            particle = _protonate(particle, dangling, acids, passivating_ions, seed) if acids else particle
            charge += acids
        places = _places(particle, dangling, int(np.sign(charge)))
        chosen = _choose(places, abs(charge), particle, seed)
    wanted = _assign(ligands, places, chosen, particle)
    if coverage is not None:
        wanted = _thin_out(wanted, places.positions[chosen], round(coverage * particle_area(particle)), particle, seed)
    covered, left = _pack_ligands(particle, places, chosen, wanted, passivating_ions, truncate_to_carbons, seed)
    without_room = sum(one is not None for one in wanted) - (len(chosen) - len(left))
    return _finish(covered, material, len(chosen) - len(left), len(left), without_room, seed)


def _check_ligands(particle: Atoms, ligands: Mapping[str, Ligand]) -> None:
    """Refuse a face that the particle does not have, and ligands that are not ions of charge one."""
    faces = {*annotation.faces(particle).tolist(), EDGE, VERTEX, EVERYWHERE} - {INSIDE}
    for name, ligand in ligands.items():
        if name not in faces:
            raise unknown("face of the particle", name, faces)
        if abs(ligand.charge) != 1:
            raise InputError(f"ligand {ligand.name} for {name} has charge {ligand.charge:+d}; give ions of charge one")


def _assign(ligands: Mapping[str, Ligand], places: Places, chosen: np.ndarray, particle: Atoms) -> list[Ligand | None]:
    """The ligand of its face for each chosen place; None where that has not the sign that the particle needs.

    Raises
    ------
    InputError : none of the ligands has it.
    """
    charge = round(annotation.formal_charges(particle).sum())
    needed = -np.sign(charge)
    if ligands and needed and all(ligand.charge != needed for ligand in ligands.values()):
        raise InputError(
            f"the particle carries {charge:+d} e, which {', '.join({one.name for one in ligands.values()})} of charge "
            f"{-needed:+.0f} cannot balance; give ligands of charge {needed:+.0f}"
        )
    wanted = [ligands.get(places.facets[k], ligands.get(EVERYWHERE)) for k in chosen]
    return [one if one and one.charge == needed else None for one in wanted]


def _thin_out(
    wanted: list[Ligand | None], places: np.ndarray, count: int, particle: Atoms, seed: int
) -> list[Ligand | None]:
    """Keep so many of the ligands, spread out; stand-ins take the other places."""
    asked = np.array([k for k, one in enumerate(wanted) if one], dtype=int)
    if count >= len(asked):
        return wanted
    kept = set(asked[choose_places(places[asked], count, particle, "uniform", seed)].tolist())
    return [one if k in kept else None for k, one in enumerate(wanted)]


def _finish(
    covered: Atoms, material: Material, ligands: int, passivating_ions: int, without_room: int, seed: int
) -> Atoms:
    """Molecular ions instead of placeholders, counts into `info`, and the ledger closed."""
    covered = insert_molecular_ions(covered, material, seed)
    annotation.drop_column(covered, "ion")
    annotation.note(covered, ligands=ligands, passivating_ions=passivating_ions, without_room=without_room)
    assert_neutral(covered)
    return covered


def _shed(particle: Atoms, dangling: Dangling) -> tuple[Atoms, Dangling]:
    """Take off ions of charge one that are in excess, those with the most cut bonds first."""
    charges = annotation.formal_charges(particle)
    total = round(charges.sum())
    cut = np.bincount(dangling.atom, minlength=len(particle))
    loose = np.flatnonzero((charges == np.sign(total)) & (cut > 0)) if total else np.array([], dtype=int)
    gone: list[int] = []
    for level in sorted(set(cut[loose]), reverse=True):
        mine = loose[cut[loose] == level]
        gone += mine[choose_places(particle.positions[mine], min(len(mine), abs(total) - len(gone)), particle)].tolist()
        if len(gone) == abs(total):
            break
    kept = np.setdiff1d(np.arange(len(particle)), gone)
    number = np.full(len(particle), -1)
    number[kept] = np.arange(len(kept))
    still = number[dangling.atom] >= 0
    left = Dangling(number[dangling.atom[still]], dangling.place[still], dangling.strength[still], dangling.side[still])
    return particle[kept], left


def _places(particle: Atoms, dangling: Dangling, sign: int) -> Places:
    """Places for anions over cut cations (sign +1), or for protons beside cut anions (-1)."""
    mine = dangling.strength * sign > 1e-9
    atom, place, strength = dangling.atom[mine], dangling.place[mine], np.abs(dangling.strength[mine])
    if sign > 0:
        pairs = cKDTree(place).query_pairs(SAME_PLACE_A, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(place),) * 2)
        label = connected_components(graph, directed=False)[1]
    else:
        label = np.unique(atom, return_inverse=True)[1]
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    positions, outwards, hosts, valence, facets = [], [], [], [], []
    for group in groups:
        middle = place[group].mean(axis=0)
        own = atom[group]
        out = (place[group] - particle.positions[own]).mean(axis=0)
        out = out / np.linalg.norm(out) if np.linalg.norm(out) > 0.1 else middle / np.linalg.norm(middle)
        own = np.unique(own)
        own = own[np.argsort(np.linalg.norm(particle.positions[own] - middle, axis=1).round(3), kind="stable")]
        if sign < 0:
            length = covalent_radii[particle.numbers[own[0]]] + covalent_radii[atomic_numbers["H"]]
            middle = particle.positions[own[0]] + length * out
        positions.append(middle)
        outwards.append(out)
        hosts.append(own.tolist())
        valence.append(strength[group].sum())
        facets.append(str(annotation.faces(particle)[own[0]]))
    return Places(np.array(positions), np.array(outwards), hosts, np.array(valence), facets)


def _protonate(particle: Atoms, dangling: Dangling, acids: int, passivating_ions: PassivatingIons, seed: int) -> Atoms:
    """Put the protons of so many acids on cut anions, those with the most cut bonds first."""
    places = _places(particle, dangling, -1)
    chosen = _choose(places, acids, particle, seed)
    protons = passivating_ion_atoms(passivating_ions, +1, places.positions[chosen], places.outwards[chosen], 1)
    return _joined([particle, protons])


def _vacate(
    particle: Atoms, dangling: Dangling, charge: int, coverage: float, seed: int
) -> tuple[Atoms, Places, PassivatingIons]:
    """Take ions of the ligands' charge off the faces; they stand in where a ligand finds no room after all."""
    own = annotation.formal_charges(particle) == charge
    faces = np.isin(annotation.faces(particle), [EDGE, VERTEX, INSIDE], invert=True)
    ions = np.flatnonzero(own & faces & np.isin(np.arange(len(particle)), dangling.atom))
    count = round(coverage * particle_area(particle))
    gone = ions[choose_places(particle.positions[ions], count, particle, "uniform", seed)]
    outwards = [(dangling.place - particle.positions[dangling.atom])[dangling.atom == ion].mean(axis=0) for ion in gone]
    outwards = np.array(outwards) / np.linalg.norm(outwards, axis=1)[:, None]
    left = particle[np.setdiff1d(np.arange(len(particle)), gone)]
    partners = np.flatnonzero(annotation.formal_charges(left) > 1) if charge < 0 else np.array([], dtype=int)
    hosts = [[] for _ in gone]
    if len(partners):
        nearest = cKDTree(left.positions[partners]).query(particle.positions[gone])[1]
        hosts = [[int(partners[k])] for k in nearest]
    facets = [str(name) for name in annotation.faces(particle)[gone]]
    places = Places(particle.positions[gone], outwards, hosts, np.ones(len(gone)), facets)
    element = str(particle.symbols[gone[0]]) if len(gone) else "Cl"
    return left, places, PassivatingIons(element, element)


def _choose(places: Places, count: int, particle: Atoms, seed: int) -> np.ndarray:
    """Places with the most charge to give, none beside another while there is a choice.

    Raises
    ------
    BalanceError : there are fewer places than charges.
    """
    if count > len(places.positions):
        raise BalanceError(
            f"{count} ions are needed to balance the particle, {len(places.positions)} places are open "
            f"({charge_balance(particle)})"
        )
    level = places.valence.round(2)
    tree = cKDTree(places.positions)
    beside = tree.query_ball_point(places.positions, APART_A)
    chosen: list[int] = []
    crowded: list[int] = []
    for value in sorted(set(level), reverse=True):
        mine = np.flatnonzero(level == value)
        for k in mine[choose_places(places.positions[mine], len(mine), particle, "uniform", seed)]:
            (crowded if set(beside[k]) & set(chosen) else chosen).append(int(k))
            if len(chosen) >= count:
                return np.array(chosen, dtype=int)
    return np.array([*chosen, *crowded][:count], dtype=int)


def _pack_ligands(
    particle: Atoms,
    places: Places,
    chosen: np.ndarray,
    wanted: Sequence[Ligand | None],
    passivating_ions: PassivatingIons,
    truncate_to_carbons: int | None,
    seed: int,
) -> tuple[Atoms, list[int]]:
    """Ligands on the chosen places, and stand-ins where none is wanted or none has room.

    While chains are packed, stand-ins hold all the places, so that whichever stay have room too.

    Returns
    -------
    covered : particle, stand-ins, ligands, in this order.
    left : the places that hold stand-ins.
    """
    sign = -1 if annotation.formal_charges(particle).sum() > 0 else +1
    held = passivating_ion_atoms(passivating_ions, sign, places.positions[chosen], places.outwards[chosen], 1)
    sitting = {}
    for number in _row_by_row(places, chosen):
        k, ligand = chosen[number], wanted[number]
        sat = ligand and _sit(particle, places, int(k), ligand, truncate_to_carbons, len(particle) + number)
        if sat:
            sitting[number] = sat
    placed = pack(particle + held, *zip(*sitting.values(), strict=True), seed) if sitting else []
    found = {n: positions for n, positions in zip(sitting, placed, strict=True) if positions is not None}
    left = [n for n in range(len(chosen)) if n not in found]
    size = len(held) // len(chosen)  # oxygens come first, then their hydrogens
    pieces = [particle, held[[n + part * len(chosen) for part in range(size) for n in left]]]
    for fragment, (n, positions) in enumerate(found.items(), start=1):
        one = bound_form(wanted[n], truncate_to_carbons)[0].copy()
        one.positions = positions
        annotation.fragments(one)[:] = fragment
        pieces.append(one)
    return _joined(pieces), [int(chosen[n]) for n in left]


def _row_by_row(places: Places, chosen: np.ndarray) -> np.ndarray:
    """Order of the places face by face and row by row: chains find their order from the one before."""
    face = places.outwards[chosen].round(1) @ TIE_BREAK_DIRECTION
    across = np.roll(TIE_BREAK_DIRECTION, 1)
    return np.lexsort(
        (places.positions[chosen] @ across, (places.positions[chosen] @ TIE_BREAK_DIRECTION).round(), face.round(2))
    )


def _sit(
    particle: Atoms, places: Places, k: int, ligand: Ligand, truncate_to_carbons: int | None, replaces: int
) -> tuple[Seat, Chains] | None:
    """Seat of a ligand in the first of its binding modes that the hosts of a place allow."""
    anchors = bound_form(ligand, truncate_to_carbons)[1]
    hosts = places.hosts[k]
    for mode in ("bridging", "chelating", "monodentate"):
        binding = min(len(anchors), 1 if mode == "monodentate" else 2)
        if mode not in ligand.binding_modes or (mode == "bridging" and len(hosts) < 2):
            continue
        partners = _bridge(particle, hosts) if mode == "bridging" else hosts[:1] * binding
        chains = chain_conformers(ligand, truncate_to_carbons, binding)
        try:
            own = seat(particle, partners, places.positions[k], anchors[:binding], chains, places.outwards[k])
        except BuildError:
            continue
        return replace(own, replaces=replaces), chains
    return None


def _bridge(particle: Atoms, hosts: list[int]) -> list[int]:
    """Of three or more hosts the two whose line points most along one direction, the same for all bridges of a face."""
    pairs = list(combinations(hosts, 2))
    lines = [particle.positions[b] - particle.positions[a] for a, b in pairs]
    best = int(np.argmax([abs(line @ TIE_BREAK_DIRECTION) / np.linalg.norm(line) for line in lines]))
    first, second = pairs[best]
    return [first, second] if lines[best] @ TIE_BREAK_DIRECTION > 0 else [second, first]


def _joined(pieces: Sequence[Atoms]) -> Atoms:
    """One structure out of many; adding them one by one would copy it each time."""
    # A text column must hold something in every row, or extended XYZ cannot be read back.
    whole = Atoms(np.concatenate([p.numbers for p in pieces]), np.concatenate([p.positions for p in pieces]))
    for key, first in pieces[0].arrays.items():
        if key in ("numbers", "positions"):
            continue
        blank = lambda p, first=first: np.full(len(p), "-" if first.dtype.kind == "U" else -1, first.dtype)  # noqa: E731
        whole.set_array(key, np.concatenate([p.arrays[key] if key in p.arrays else blank(p) for p in pieces]))
    annotation.copy_notes(pieces[0], whole)
    return whole
