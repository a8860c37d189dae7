"""Charged ligands and passivating ions on a nanocrystal: their number follows from the charge of the particle."""

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
from qdsurf.ligands.packing import BindingSite, ChainConformers, pack
from qdsurf.ligands.slab_ligands import binding_site
from qdsurf.records.models import BindingMode, Ligand, Material
from qdsurf.surfaces.alloys import insert_molecular_ions
from qdsurf.surfaces.nanocrystal import EDGE, EVERYWHERE, INSIDE, VERTEX, particle_area
from qdsurf.surfaces.passivation import DEFAULT_PASSIVATING_IONS, DanglingBonds, PassivatingIons, passivating_ion_atoms

# Missing neighbours of two atoms that are closer than this are the same lattice site.
SAME_SITE_A = 0.7
# Two added ions that are closer than this repel each other. Such sites are occupied last.
SEPARATION_A = 3.0
# Binding modes in the order in which they are tried.
BINDING_MODES: tuple[BindingMode, ...] = ("bridging", "chelating", "monodentate")


class IonSites(NamedTuple):
    """Sites at which ions of one sign can be added.

    Attributes
    ----------
    positions : ndarray of float
        Positions in A, shape (n, 3).
    outwards : ndarray of float
        Unit vectors out of the particle, shape (n, 3).
    hosts : list of list of int
        Atoms to which the ion of each site is bonded, nearest first.
    valence : ndarray of float
        Charge in e that the broken bonds leave on each site, shape (n,).
    facets : list of str
        Face of the first host of each site.
    """

    positions: np.ndarray
    outwards: np.ndarray
    hosts: list[list[int]]
    valence: np.ndarray
    facets: list[str]


def cap_nanocrystal(
    particle: Atoms,
    dangling: DanglingBonds,
    material: Material,
    ligands: Mapping[str, Ligand] | None = None,
    passivating_ions: PassivatingIons = DEFAULT_PASSIVATING_IONS,
    truncate_to_carbons: int | None = None,
    seed: int = 0,
    coverage: float | None = None,
) -> Atoms:
    """Make a nanocrystal neutral with charged ligands, and with passivating ions where no ligand fits.

    Excess ions of charge one are removed first, those with the most broken bonds before the others, such as caesium at
    the edges of a perovskite cube. Ligands or passivating ions then balance the remaining charge at the sites of the
    next ions of the crystal, beginning with the sites with the largest missing charge. If no charge remains, ligands
    replace ions of their own charge on the faces (oleate replaces bromide, oleylammonium replaces caesium), or bind as
    acids, with the anion on a cation and the proton on an anion.

    Parameters
    ----------
    particle : Atoms
        Particle from `build_nanocrystal`.
    dangling : DanglingBonds
        Its broken bonds.
    material : Material
        Record of the material.
    ligands : mapping of str to Ligand, optional
        X-type ligand of charge one for each face by name; `*` stands for all other faces, the edges and the vertices.
        None uses passivating ions everywhere.
    passivating_ions : PassivatingIons
        Ions of charge -1 and +1 for sites without a ligand.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.
    seed : int
        Seed of the distribution and the packing.
    coverage : float, optional
        Number of ligands per surface area in nm^-2. If the charge requires more ions, passivating ions occupy the other
        sites. If it requires fewer, additional ligands bind as acids with their protons. None uses as many ligands as
        the charge requires.

    Returns
    -------
    Atoms
        Neutral particle. `info["ligands"]`, `info["passivating_ions"]` and `info["without_room"]` are the numbers of
        ligands, of passivating ions, and of ligands that did not fit.

    Raises
    ------
    BalanceError
        There are not enough sites to balance the charge.
    InputError
        A ligand does not have charge one, no ligand has the sign that the particle needs, or the particle is neutral
        and no coverage is given.
    """
    ligands = ligands or {}
    _check_ligands(particle, ligands)
    particle, dangling = _remove_excess_ions(particle, dangling)
    charge = round(annotation.formal_charges(particle).sum())
    if charge == 0 and not ligands:
        return _finish(particle, material, 0, 0, 0, seed)
    if charge == 0 and coverage is None:
        raise InputError("the particle is neutral without ligands; give their coverage in nm^-2")
    ligand_charge = next(iter(ligands.values())).charge if ligands else 0
    can_replace = bool((annotation.formal_charges(particle) == ligand_charge).any())
    if charge == 0 and coverage is not None and can_replace:
        count = round(coverage * particle_area(particle))
        particle, sites, passivating_ions = _remove_replaced_ions(particle, dangling, ligand_charge, count, seed)
        chosen = np.arange(len(sites.positions))
    else:
        if charge == 0 and ligand_charge > 0:
            raise InputError(
                "the particle has no cation of charge one that the ligand can replace; give a ligand of charge -1"
            )
        if ligands and charge >= 0 and coverage is not None:
            acids = max(0, round(coverage * particle_area(particle)) - charge)
            if acids:
                particle = _add_protons(particle, dangling, acids, passivating_ions, seed)
            charge += acids
        sites = _ion_sites(particle, dangling, int(np.sign(charge)))
        chosen = _choose_sites(sites, abs(charge), particle, seed)
    wanted = _assign_ligands(ligands, sites, chosen, particle)
    if coverage is not None:
        count = round(coverage * particle_area(particle))
        wanted = _limit_number(wanted, sites.positions[chosen], count, particle, seed)
    covered, ions = _pack_ligands(particle, sites, chosen, wanted, passivating_ions, truncate_to_carbons, seed)
    attached = len(chosen) - ions
    without_room = sum(ligand is not None for ligand in wanted) - attached
    return _finish(covered, material, attached, ions, without_room, seed)


def _check_ligands(particle: Atoms, ligands: Mapping[str, Ligand]) -> None:
    """Refuse a face that the particle does not have, and a ligand whose charge is not one.

    Raises
    ------
    InputError
        A face or a ligand is refused.
    """
    faces = {*annotation.faces(particle).tolist(), EDGE, VERTEX, EVERYWHERE} - {INSIDE}
    for name, ligand in ligands.items():
        if name not in faces:
            raise unknown("face of the particle", name, faces)
        if abs(ligand.charge) != 1:
            raise InputError(f"ligand {ligand.name} for {name} has charge {ligand.charge:+d}; give ions of charge one")


def _assign_ligands(
    ligands: Mapping[str, Ligand], sites: IonSites, chosen: np.ndarray, particle: Atoms
) -> list[Ligand | None]:
    """Return the ligand of its face for each chosen site; None if its sign is not the one that the particle needs.

    Raises
    ------
    InputError
        No ligand has the sign that the particle needs.
    """
    charge = round(annotation.formal_charges(particle).sum())
    needed = -np.sign(charge)
    if ligands and needed and all(ligand.charge != needed for ligand in ligands.values()):
        raise InputError(
            f"the particle carries {charge:+d} e, which {', '.join({one.name for one in ligands.values()})} of charge "
            f"{-needed:+.0f} cannot balance; give ligands of charge {needed:+.0f}"
        )
    of_faces = [ligands.get(sites.facets[k], ligands.get(EVERYWHERE)) for k in chosen]
    return [ligand if ligand and ligand.charge == needed else None for ligand in of_faces]


def _limit_number(
    wanted: list[Ligand | None], positions: np.ndarray, count: int, particle: Atoms, seed: int
) -> list[Ligand | None]:
    """Keep at most `count` ligands, evenly distributed; passivating ions occupy the other sites."""
    with_ligand = np.array([k for k, ligand in enumerate(wanted) if ligand], dtype=int)
    if count >= len(with_ligand):
        return wanted
    kept = set(with_ligand[choose_places(positions[with_ligand], count, particle, "uniform", seed)].tolist())
    return [ligand if k in kept else None for k, ligand in enumerate(wanted)]


def _finish(
    covered: Atoms, material: Material, ligands: int, passivating_ions: int, without_room: int, seed: int
) -> Atoms:
    """Insert molecular ions for their placeholders, store the numbers of ligands and ions, and check the charge."""
    covered = insert_molecular_ions(covered, material, seed)
    annotation.drop_column(covered, "ion")
    annotation.note(covered, ligands=ligands, passivating_ions=passivating_ions, without_room=without_room)
    assert_neutral(covered)
    return covered


def _remove_excess_ions(particle: Atoms, dangling: DanglingBonds) -> tuple[Atoms, DanglingBonds]:
    """Remove excess ions of charge one, those with the most broken bonds first."""
    charges = annotation.formal_charges(particle)
    total = round(charges.sum())
    if total == 0:
        return particle.copy(), dangling
    broken_bonds = np.bincount(dangling.atom, minlength=len(particle))
    removable = np.flatnonzero((charges == np.sign(total)) & (broken_bonds > 0))
    removed: list[int] = []
    for number in sorted(set(broken_bonds[removable]), reverse=True):
        equal = removable[broken_bonds[removable] == number]
        count = min(len(equal), abs(total) - len(removed))
        removed += equal[choose_places(particle.positions[equal], count, particle)].tolist()
        if len(removed) == abs(total):
            break
    kept = np.setdiff1d(np.arange(len(particle)), removed)
    new_index = np.full(len(particle), -1)
    new_index[kept] = np.arange(len(kept))
    remains = new_index[dangling.atom] >= 0
    remaining = DanglingBonds(
        new_index[dangling.atom[remains]],
        dangling.place[remains],
        dangling.strength[remains],
        dangling.side[remains],
    )
    return particle[kept], remaining


def _ion_sites(particle: Atoms, dangling: DanglingBonds, sign: int) -> IonSites:
    """Return the sites for anions at broken bonds of cations (sign +1), or for protons on anions (sign -1)."""
    of_sign = dangling.strength * sign > 1e-9
    atom, place, strength = dangling.atom[of_sign], dangling.place[of_sign], np.abs(dangling.strength[of_sign])
    if sign > 0:
        # Broken bonds of several cations can lead to one lattice site.
        pairs = cKDTree(place).query_pairs(SAME_SITE_A, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(place),) * 2)
        label = connected_components(graph, directed=False)[1]
    else:
        label = np.unique(atom, return_inverse=True)[1]
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    positions, outwards, hosts, valence, facets = [], [], [], [], []
    for group in groups:
        position = place[group].mean(axis=0)
        outward = (place[group] - particle.positions[atom[group]]).mean(axis=0)
        if np.linalg.norm(outward) > 0.1:
            outward = outward / np.linalg.norm(outward)
        else:
            # The broken bonds cancel, so that the direction from the centre of the particle is taken.
            outward = position / np.linalg.norm(position)
        neighbours = np.unique(atom[group])
        distances = np.linalg.norm(particle.positions[neighbours] - position, axis=1).round(3)
        neighbours = neighbours[np.argsort(distances, kind="stable")]
        if sign < 0:
            length = covalent_radii[particle.numbers[neighbours[0]]] + covalent_radii[atomic_numbers["H"]]
            position = particle.positions[neighbours[0]] + length * outward
        positions.append(position)
        outwards.append(outward)
        hosts.append(neighbours.tolist())
        valence.append(strength[group].sum())
        facets.append(str(annotation.faces(particle)[neighbours[0]]))
    return IonSites(np.array(positions), np.array(outwards), hosts, np.array(valence), facets)


def _add_protons(
    particle: Atoms, dangling: DanglingBonds, count: int, passivating_ions: PassivatingIons, seed: int
) -> Atoms:
    """Add the protons of acids to anions with broken bonds, those with the most broken bonds first."""
    sites = _ion_sites(particle, dangling, -1)
    chosen = _choose_sites(sites, count, particle, seed)
    protons = passivating_ion_atoms(passivating_ions, +1, sites.positions[chosen], sites.outwards[chosen], 1)
    return _concatenate([particle, protons])


def _remove_replaced_ions(
    particle: Atoms, dangling: DanglingBonds, charge: int, count: int, seed: int
) -> tuple[Atoms, IonSites, PassivatingIons]:
    """Remove ions that ligands replace.

    Parameters
    ----------
    charge : int
        Charge of the ligands and of the ions in e.
    count : int
        Number of ions to remove.

    Returns
    -------
    particle : Atoms
        Particle without these ions.
    sites : IonSites
        Sites of the removed ions.
    passivating_ions : PassivatingIons
        The same ions, for sites at which no ligand fits.
    """
    on_face = np.isin(annotation.faces(particle), [EDGE, VERTEX, INSIDE], invert=True)
    exposed = np.isin(np.arange(len(particle)), dangling.atom)
    ions = np.flatnonzero((annotation.formal_charges(particle) == charge) & on_face & exposed)
    removed = ions[choose_places(particle.positions[ions], count, particle, "uniform", seed)]
    vectors = dangling.place - particle.positions[dangling.atom]
    outwards = np.array([vectors[dangling.atom == ion].mean(axis=0) for ion in removed])
    outwards = outwards / np.linalg.norm(outwards, axis=1)[:, None]
    remaining = particle[np.setdiff1d(np.arange(len(particle)), removed)]
    # An anionic ligand binds to the nearest cation of higher charge. A cationic ligand fills the vacancy.
    hosts: list[list[int]] = [[] for _ in removed]
    cations = np.flatnonzero(annotation.formal_charges(remaining) > 1) if charge < 0 else np.array([], dtype=int)
    if len(cations):
        nearest = cKDTree(remaining.positions[cations]).query(particle.positions[removed])[1]
        hosts = [[int(cations[k])] for k in nearest]
    facets = [str(name) for name in annotation.faces(particle)[removed]]
    sites = IonSites(particle.positions[removed], outwards, hosts, np.ones(len(removed)), facets)
    element = str(particle.symbols[removed[0]]) if len(removed) else "Cl"
    return remaining, sites, PassivatingIons(element, element)


def _choose_sites(sites: IonSites, count: int, particle: Atoms, seed: int) -> np.ndarray:
    """Choose the sites with the largest missing charge, and neighbouring sites only if there are no others.

    Raises
    ------
    BalanceError
        There are fewer sites than ions.
    """
    if count > len(sites.positions):
        raise BalanceError(
            f"{count} ions are needed to balance the particle, but only {len(sites.positions)} sites are available "
            f"({charge_balance(particle)}); give a lower coverage, or another shape or diameter"
        )
    valence = sites.valence.round(2)
    neighbours = cKDTree(sites.positions).query_ball_point(sites.positions, SEPARATION_A)
    chosen: list[int] = []
    next_to_chosen: list[int] = []
    for value in sorted(set(valence), reverse=True):
        equal = np.flatnonzero(valence == value)
        for k in equal[choose_places(sites.positions[equal], len(equal), particle, "uniform", seed)].tolist():
            if set(neighbours[k]) & set(chosen):
                next_to_chosen.append(k)
            else:
                chosen.append(k)
            if len(chosen) >= count:
                return np.array(chosen, dtype=int)
    return np.array([*chosen, *next_to_chosen][:count], dtype=int)


def _pack_ligands(
    particle: Atoms,
    sites: IonSites,
    chosen: np.ndarray,
    wanted: Sequence[Ligand | None],
    passivating_ions: PassivatingIons,
    truncate_to_carbons: int | None,
    seed: int,
) -> tuple[Atoms, int]:
    """Add ligands to the chosen sites, and passivating ions where no ligand is wanted or none fits.

    Passivating ions occupy all sites while the ligands are packed, so that those that remain do not clash with ligands.

    Returns
    -------
    covered : Atoms
        Particle, passivating ions and ligands, in this order.
    ions : int
        Number of passivating ions.
    """
    sign = -1 if annotation.formal_charges(particle).sum() > 0 else +1
    ions = passivating_ion_atoms(passivating_ions, sign, sites.positions[chosen], sites.outwards[chosen], 1)
    binding_sites: dict[int, BindingSite] = {}
    chains: dict[int, ChainConformers] = {}
    molecules: dict[int, Atoms] = {}
    for number in _order_along_rows(sites, chosen).tolist():
        ligand = wanted[number]
        if ligand is None:
            continue
        bound = _bind_at(particle, sites, int(chosen[number]), ligand, truncate_to_carbons)
        if bound is not None:
            binding_sites[number] = replace(bound[0], replaces=len(particle) + number)
            chains[number] = bound[1]
            molecules[number] = bound_form(ligand, truncate_to_carbons)[0]
    packed: list[np.ndarray | None] = []
    if binding_sites:
        packed = pack(particle + ions, list(binding_sites.values()), list(chains.values()), seed)
    found = {number: xyz for number, xyz in zip(binding_sites, packed, strict=True) if xyz is not None}
    with_ion = [number for number in range(len(chosen)) if number not in found]
    # The oxygen atoms of hydroxides come first, then their hydrogen atoms.
    atoms_per_ion = len(ions) // len(chosen)
    kept = [number + part * len(chosen) for part in range(atoms_per_ion) for number in with_ion]
    pieces = [particle, ions[kept]]
    for fragment, (number, positions) in enumerate(found.items(), start=1):
        molecule = molecules[number].copy()
        molecule.positions = positions
        annotation.fragments(molecule)[:] = fragment
        pieces.append(molecule)
    return _concatenate(pieces), len(with_ion)


def _order_along_rows(sites: IonSites, chosen: np.ndarray) -> np.ndarray:
    """Return the order of the sites by face and row, so that each chain can adopt the pose of its neighbour."""
    positions = sites.positions[chosen]
    face = sites.outwards[chosen].round(1) @ TIE_BREAK_DIRECTION
    along = positions @ np.roll(TIE_BREAK_DIRECTION, 1)
    row = (positions @ TIE_BREAK_DIRECTION).round()
    return np.lexsort((along, row, face.round(2)))


def _bind_at(
    particle: Atoms, sites: IonSites, k: int, ligand: Ligand, truncate_to_carbons: int | None
) -> tuple[BindingSite, ChainConformers] | None:
    """Return the binding site and the conformers of a ligand in its first binding mode that fits the hosts of a site.

    None is returned if no binding mode fits.
    """
    anchors = bound_form(ligand, truncate_to_carbons)[1]
    hosts = sites.hosts[k]
    for mode in BINDING_MODES:
        if mode not in ligand.binding_modes or (mode == "bridging" and len(hosts) < 2):
            continue
        binding = min(len(anchors), 1 if mode == "monodentate" else 2)
        partners = _bridged_hosts(particle, hosts) if mode == "bridging" else hosts[:1] * binding
        chains = chain_conformers(ligand, truncate_to_carbons, binding)
        try:
            site = binding_site(particle, partners, sites.positions[k], anchors[:binding], chains, sites.outwards[k])
        except BuildError:
            continue
        return site, chains
    return None


def _bridged_hosts(particle: Atoms, hosts: list[int]) -> list[int]:
    """Choose two of several hosts so that all bridges of a face have the same direction."""
    pairs = list(combinations(hosts, 2))
    vectors = [particle.positions[second] - particle.positions[first] for first, second in pairs]
    alignment = [abs(vector @ TIE_BREAK_DIRECTION) / np.linalg.norm(vector) for vector in vectors]
    best = int(np.argmax(alignment))
    first, second = pairs[best]
    return [first, second] if vectors[best] @ TIE_BREAK_DIRECTION > 0 else [second, first]


def _concatenate(pieces: Sequence[Atoms]) -> Atoms:
    """Join many structures; adding them one by one would copy the structure each time."""
    joined = Atoms(
        np.concatenate([piece.numbers for piece in pieces]), np.concatenate([piece.positions for piece in pieces])
    )
    for key, first in pieces[0].arrays.items():
        if key in ("numbers", "positions"):
            continue
        # Extended XYZ files cannot be read back if a text column contains an empty string.
        missing = "-" if first.dtype.kind == "U" else -1
        columns = [
            piece.arrays[key] if key in piece.arrays else np.full(len(piece), missing, first.dtype) for piece in pieces
        ]
        joined.set_array(key, np.concatenate(columns))
    annotation.copy_notes(pieces[0], joined)
    return joined
