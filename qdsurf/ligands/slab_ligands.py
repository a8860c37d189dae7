"""Ligands on a surface: which ions they meet, in which binding modes, neutral by the ledger."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import get_distances

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, SUBSTRATE, annotate
from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.atomistic.bonding_criteria import PROTON_ON_ANION_A, SPRING_FORMED
from qdsurf.atomistic.charge_balance import assert_neutral
from qdsurf.atomistic.contacts import contact_limits
from qdsurf.atomistic.point_sampling import TIE_BREAK_DIRECTION, Pattern, choose_places
from qdsurf.atomistic.roles import outermost_ions, surface_anions, surface_cations
from qdsurf.atomistic.spring_model import apply_springs
from qdsurf.errors import BuildError
from qdsurf.ligands.conformers import bound_form, chain_conformers, stand_up
from qdsurf.ligands.packing import TURNS, Chains, Seat, pack, turns
from qdsurf.records.library import ligand_entry
from qdsurf.records.models import BindingMode, Ligand, LigandEntry

PROTON_ASIDE_A = 5.5  # lateral distance of the acid proton: nearer it hops back, or meets what attacks the ligand
KEPT_FREE_A = 6.0  # a ligand may fill this much of the vacuum before the cell grows
HEIGHT_A = 3.0  # anchor above its ion before the springs pull it in
ABOVE_A = 0.7  # what is bonded to an ion and this much higher covers it
ATTEMPTS = 4  # orders in which poses are tried, before a coverage is refused
# Heights of a cation over the place of the ion that it replaces: a quaternary ammonium is too wide for the hole, and
# its chains hold it off, by 4 A at most; the hole of Cs+ may lie under a layer of PbBr2, 3 A deep.
LIFTS_A = tuple(0.4 * np.arange(18))
CHAIN = 6  # heavy atoms from which on a ligand is packed as a chain; springs bend shorter ones into place


def attach_ligands(
    slab: Atoms,
    ligand: Ligand,
    count: int = 1,
    truncate_to_carbons: int | None = None,
    modes: Sequence[BindingMode] | None = None,
    pattern: Pattern = "uniform",
    seed: int | None = None,
) -> list[Atoms]:
    """Cover a slab with ligands: one candidate for every binding mode that fits.

    A ligand without charge binds to a cation, a Z-type one with its metal to an anion. A charged one replaces ions of
    its own sign where the surface has some of charge one (halides, caesium, stand-ins of a polar facet); elsewhere a
    carboxylate or thiolate comes as the dissociated acid, its H on an anion. A second call adds to what is there.

    Parameters
    ----------
    slab : with the columns of `atomistic.annotation.annotate`.
    count : ligands in the cell.
    truncate_to_carbons : length of the model chain; None keeps the full ligand.
    modes : binding modes to try; None tries all that the record allows.
    pattern, seed : which sites are taken, see `spread`.

    Returns
    -------
    Candidates with `info["binding_mode"]`, neutral, atom order: what was there, then ligand by ligand.

    Raises
    ------
    InputError : the ligand has no place on these ions.
    BuildError : no binding mode fits; the message lists each with its reason.
    """
    entry = ligand_entry(_charges(slab), ligand, str(annotation.noted(slab, "material", "this surface")))
    candidates, reasons = [], []
    for mode in modes or _modes(ligand, entry):
        try:
            covered = _cover(slab, ligand, entry, mode, count, truncate_to_carbons, pattern, seed)
            if not annotation.has_note(slab, "charge"):
                assert_neutral(covered)
            covered = _keep_vacuum(covered, slab)
            annotation.note(covered, ligand=ligand.name, ligand_entry=entry, binding_mode=mode)
            candidates.append(covered)
        except BuildError as error:
            reasons.append(f"{mode}: {error}")
    if not candidates:
        raise BuildError(f"{count} {ligand.name} do not fit on {annotation.noted(slab, 'facet')}: {'; '.join(reasons)}")
    return candidates


def _modes(ligand: Ligand, entry: LigandEntry) -> list[BindingMode]:
    """Binding modes in the order of the record; where an ion leaves a hole, the simplest first."""
    simplest = ["monodentate", "chelating", "bridging"]
    return sorted(ligand.binding_modes, key=simplest.index if entry in ("anion", "cation") else lambda mode: 0)


def _charges(slab: Atoms) -> set[int]:
    """Formal charges of the ions of the two outermost layers."""
    outer = (annotation.parts(slab) == SUBSTRATE) & (annotation.layers(slab) <= 2)
    return set(np.round(annotation.formal_charges(slab)[outer]).astype(int).tolist())


def _keep_vacuum(covered: Atoms, slab: Atoms) -> Atoms:
    """Lengthen the cell by the height of the ligands, so that they do not touch the next image of the slab."""
    growth = covered.positions[:, 2].max() - slab.positions[:, 2].max()
    covered.cell[2, 2] += max(0.0, growth - KEPT_FREE_A)
    return covered


def _cover(
    slab: Atoms,
    ligand: Ligand,
    entry: LigandEntry,
    mode: BindingMode,
    count: int,
    truncate_to_carbons: int | None,
    pattern: Pattern,
    seed: int | None,
) -> Atoms:
    """One candidate: choose the sites, take the replaced ions away, then place ligand by ligand."""
    bound = bound_form(ligand, truncate_to_carbons)
    hosts = _hosts(slab, ligand, entry)
    replaced = abs(ligand.charge) if entry in ("anion", "cation") else 0
    if count * max(replaced, 1) > len(hosts):
        most = len(hosts) // max(replaced, 1)
        raise BuildError(f"{count} ligands for {most} sites; at most {most} fit")
    chosen = hosts[choose_places(slab.positions[hosts], count, slab, pattern, seed)]
    gone = _with_hydrogen(slab, _replaced(slab, hosts, chosen, replaced))
    partners = [_partners(slab, int(site), ligand, entry, mode, len(bound[1])) for site in chosen]
    covered = slab[np.setdiff1d(np.arange(len(slab)), gone)]
    partners = [[p - int((np.array(gone) < p).sum()) for p in own] for own in partners]
    origins = slab.positions[chosen]
    if (bound[0].numbers > 1).sum() < CHAIN:
        for own, origin in zip(partners, origins, strict=True):
            covered = _pull_in(covered, bound, own, origin, entry, ligand)
        return covered
    return _pack_in(covered, bound, partners, origins, entry, ligand, truncate_to_carbons, seed)


def _hosts(slab: Atoms, ligand: Ligand, entry: LigandEntry) -> np.ndarray:
    """Outermost ions at which the ligand binds, or which it replaces, and which no other ligand holds.

    Of those that stand-ins cover unevenly, as half of the Cd of CdSe(111), only the openest.
    """
    if entry in ("anion", "cation"):
        return outermost_ions(slab, np.sign(ligand.charge))
    ions = surface_anions(slab) if ligand.cbc_class == "Z" else surface_cations(slab)
    bonded = bond_matrix(slab)
    ions = ions[~bonded[np.ix_(ions, annotation.anchors(slab))].any(axis=1)]
    if len(ions) == 0:
        return ions
    ions = ions[annotation.layers(slab)[ions] == annotation.layers(slab)[ions].min()]
    height = slab.positions[:, 2]
    above = (bonded[ions] & (height[None, :] > height[ions][:, None] + ABOVE_A)).sum(axis=1)
    return ions[above == above.min()]


def _replaced(slab: Atoms, hosts: np.ndarray, chosen: np.ndarray, each: int) -> list[int]:
    """Ions that make room: each chosen one, and for a charge of two the nearest other beside it."""
    gone: list[int] = list(map(int, chosen)) if each else []
    for site in chosen if each > 1 else ():
        left = np.setdiff1d(hosts, gone)
        gone += _nearest(slab, int(site), left)[: each - 1]
    return gone


def _with_hydrogen(slab: Atoms, ions: list[int]) -> list[int]:
    """The ions, each hydroxide with its hydrogen."""
    oxygen = [i for i in ions if slab.symbols[i] == "O"]
    if not oxygen:
        return ions
    own = bond_matrix(slab)[oxygen].any(axis=0) & (slab.numbers == 1) & (annotation.formal_charges(slab) == 0)
    return [*ions, *map(int, np.flatnonzero(own & (annotation.parts(slab) == SUBSTRATE)))]


def _partners(slab: Atoms, site: int, ligand: Ligand, entry: LigandEntry, mode: BindingMode, anchors: int) -> list[int]:
    """Ions to which the anchors bind, one for each anchor that binds; two for one anchor that bridges alone."""
    if entry == "cation":
        if mode == "bridging":
            raise BuildError("a cation in a vacancy is no bridge")
        return []  # it fills the vacancy that the ion leaves; hydrogen bonds are left to the calculator
    binding = min(anchors, 1 if mode == "monodentate" else 2)
    if ligand.cbc_class == "Z":
        return [site]
    cations = surface_cations(slab)
    if entry == "anion":
        below = _nearest(slab, site, cations)
        if mode != "bridging":
            return [below[0]] * binding  # the cation that the halide leaves open
        beside = np.array([c for c in below[1:] if bond_matrix(slab)[site, c]], dtype=int)
        if len(beside) == 0:
            raise BuildError("no second cation is open where the ion was")
        return [below[0], int(beside[0])]
    if mode == "bridging":
        beside = cations[(annotation.layers(slab)[cations] == annotation.layers(slab)[site]) & (cations != site)]
        if len(beside) == 0:
            raise BuildError("no second cation lies beside it in the layer")
        return [site, _nearest(slab, site, beside)[0]]
    return [site] * binding


def _nearest(slab: Atoms, site: int, candidates: np.ndarray) -> list[int]:
    """Candidates by distance from a site; equal ones in the order of one direction."""
    vectors = slab.get_distances(site, candidates, mic=True, vector=True)
    distances = np.linalg.norm(vectors, axis=1).round(3)
    return [int(i) for i in candidates[np.lexsort(((-vectors @ TIE_BREAK_DIRECTION).round(3), distances))]]


def _pull_in(
    covered: Atoms, bound: tuple, partners: list[int], origin: np.ndarray, entry: LigandEntry, ligand: Ligand
) -> Atoms:
    """Add one short ligand above its ion and let springs pull it into its binding mode."""
    molecule, anchors = bound[0].copy(), bound[1]
    annotation.fragments(molecule)[:] = fragment = annotation.fragments(covered).max() + 1
    others = np.setdiff1d(np.arange(len(molecule)), anchors)
    molecule.positions = stand_up(molecule.positions, anchors, others)
    if len(partners) > 1 and partners[0] != partners[1]:
        axis = covered.get_distance(partners[0], partners[1], vector=True, mic=True)
        molecule.rotate(np.degrees(np.arctan2(axis[1], axis[0])), "z")
        origin = covered.positions[partners[0]] + axis / 2
    molecule.positions += [*origin[:2], origin[2] + (1.0 if entry in ("anion", "cation") else HEIGHT_A)]
    start = len(covered)
    model = covered + molecule
    annotation.copy_notes(covered, model)
    forms = [(p, start + a) for p, a in zip(partners, itertools.cycle(anchors))]
    if ligand.leaving_protons and entry == "acid":
        head = molecule.positions[list(anchors)].mean(axis=0)
        protons, acceptors = _protons(model, head, ligand, int(fragment))
        forms += [(anion, len(model) + k) for k, anion in enumerate(acceptors)]
        model = model + protons
        annotation.copy_notes(covered, model)
    return apply_springs(model, forms)


def _protons(model: Atoms, head: np.ndarray, ligand: Ligand, fragment: int) -> tuple[Atoms, list[int]]:
    """What the acid has lost, on free anions of the surface, and the anions that hold it."""
    protons, acceptors = annotate(Atoms(), LIGAND), []
    for _ in range(ligand.leaving_protons):
        acceptors.append(_proton_acceptor(model, head, fragment))
        place = model.positions[acceptors[-1]] + [0, 0, PROTON_ON_ANION_A]
        one = annotate(Atoms("H", [place]), LIGAND, fragment, [1.0])
        protons, model = protons + one, model + one
    return protons, acceptors


def _pack_in(
    covered: Atoms,
    bound: tuple,
    partners: list[list[int]],
    origins: np.ndarray,
    entry: LigandEntry,
    ligand: Ligand,
    truncate_to_carbons: int | None,
    seed: int | None,
) -> Atoms:
    """Add long ligands, heads at bond length, chains where they touch nothing.

    Raises
    ------
    BuildError : not all find room; the message says how many did.
    """
    molecule, anchors = bound
    binding = min(len(anchors), max(1, len(partners[0])))
    chains = chain_conformers(ligand, truncate_to_carbons, binding)
    seats = [
        seat(covered, own, origin, anchors[:binding], chains, np.array([0, 0, 1.0]))
        for own, origin in zip(partners, origins, strict=True)
    ]
    for attempt in range(ATTEMPTS):
        placed = pack(covered, seats, [chains] * len(seats), (seed or 0) + attempt)
        if all(positions is not None for positions in placed):
            break
    if fitted := sum(positions is not None for positions in placed):
        if fitted < len(placed):
            raise BuildError(f"{fitted} of {len(placed)} find room without a contact; give fewer, or shorter chains")
    else:
        reach = f" up to {LIFTS_A[-1]:.1f} A over the ion it replaces" if entry == "cation" else ""
        raise BuildError(
            f"none of {len(placed)} finds room{reach} without a contact; take a larger cell, or a shorter chain"
        )
    first = annotation.fragments(covered).max() + 1
    pieces = []
    for number, positions in enumerate(placed):
        one = molecule.copy()
        one.positions = positions
        annotation.fragments(one)[:] = first + number
        pieces.append(one)
    everything = covered.copy()
    for piece in pieces:
        everything += piece
    model = covered.copy()
    for piece in pieces:
        model += piece
        if ligand.leaving_protons and entry == "acid":  # beside no other ligand, whichever comes later
            head = piece.positions[list(anchors)].mean(axis=0)
            protons = _protons(everything, head, ligand, int(annotation.fragments(piece)[0]))[0]
            everything, model = everything + protons, model + protons
    annotation.copy_notes(covered, model)
    return model


def seat(
    surface: Atoms, partners: Sequence[int], origin: np.ndarray, anchors: Sequence[int], chains: Chains, up: np.ndarray
) -> Seat:
    """Put a head at bond length from its ions.

    Parameters
    ----------
    partners : ions for the anchors; empty where the head fills a vacancy at `origin`.
    origin : position in A of the ion that the ligand binds to or replaces.
    anchors : indices of the binding anchors in the chain.
    up : unit vector out of the surface.

    Raises
    ------
    BuildError : the ions of a bridge are too far apart.
    """
    around = turns(2 * np.pi * np.arange(TURNS) / TURNS)
    if not partners:
        return Seat(np.asarray(origin), _frame(up), around, lifts=LIFTS_A)
    first = surface.positions[partners[0]]
    lengths = SPRING_FORMED * (
        covalent_radii[surface.numbers[partners[0]]] + covalent_radii[chains.numbers[list(anchors)]]
    )
    bond = float(np.mean(lengths))
    out = np.asarray(origin) - first
    up = out / np.linalg.norm(out) if np.linalg.norm(out) > 0.5 else up
    spread_A = np.linalg.norm(np.subtract(*chains.conformers[0][list(anchors)])) if len(anchors) > 1 else 0.0
    if len(partners) > 1 and partners[0] != partners[1]:
        across = surface.get_distance(partners[0], partners[1], vector=True, mic=True)
        aside = (np.linalg.norm(across) - spread_A) / 2
        if aside > 0.95 * bond:
            raise BuildError(f"the cations of a bridge are {np.linalg.norm(across):.1f} A apart, too far for it")
        foot, around = first + across / 2, turns([0.0, np.pi])
        up = up - (up @ across) * across / (across @ across)
        if np.linalg.norm(up) < 0.3:
            raise BuildError("the cations of a bridge lie over one another")
        up /= np.linalg.norm(up)
        frame = _frame(up, across)
    else:
        foot, aside, frame = first, spread_A / 2, _frame(up)
    return Seat(foot + np.sqrt(bond**2 - aside**2) * up, frame, around)


def _frame(up: np.ndarray, along: np.ndarray | None = None) -> np.ndarray:
    """Right-handed axes as columns: z up, x along a direction."""
    along = np.eye(3)[np.argmin(np.abs(up))] if along is None else along
    x = along - (along @ up) * up
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(up, x), up])


def _proton_acceptor(slab: Atoms, anchor: np.ndarray, fragment: int) -> int:
    """The outermost free anion nearest to the anchor of those at least `PROTON_ASIDE_A` aside, else the farthest."""
    anions = surface_anions(slab)
    anions = anions[annotation.layers(slab)[anions] == 1]
    taken = bond_matrix(slab)[:, (annotation.parts(slab) != SUBSTRATE) | (slab.numbers == 1)].any(axis=1)
    free = anions[~taken[anions]]
    others = np.flatnonzero((annotation.parts(slab) != SUBSTRATE) & (annotation.fragments(slab) != fragment))
    if len(others) and len(free):
        places = slab.positions[free] + [0, 0, PROTON_ON_ANION_A]
        apart = get_distances(places, slab.positions[others], cell=slab.cell, pbc=slab.pbc)[1]
        limits = contact_limits(np.concatenate([[1], slab.numbers[others]]))[0, 1:]
        free = free[(apart > limits).all(axis=1)]
    if len(free) == 0:
        raise BuildError("no anion that is free and clear of other ligands is left for the proton of the acid")
    probe = slab.copy() + Atoms("X", [anchor])
    aside = np.round(probe.get_distances(len(probe) - 1, free, mic=True), 3)
    far_enough = aside > np.hypot(PROTON_ASIDE_A, anchor[2] - slab.positions[free, 2])
    if not far_enough.any():
        return int(free[np.argmax(aside)])
    return int(free[far_enough][np.argmin(aside[far_enough])])


def anchor_distance(atoms: Atoms) -> float:
    """Distance in A between a ligand's nearest anchor and the crystal's nearest atom, of the ligand that is farthest.

    Between a bond length and a hydrogen bond; a cation whose chains hold it off stands farther away.
    """
    crystal = np.flatnonzero(annotation.parts(atoms) == SUBSTRATE)
    anchors = [np.intersect1d(own, np.flatnonzero(annotation.anchors(atoms))) for own in iter_ligands(atoms)]
    places = atoms.positions
    apart = [get_distances(places[a], places[crystal], cell=atoms.cell, pbc=atoms.pbc)[1].min() for a in anchors]
    return float(max(apart))


def iter_ligands(atoms: Atoms) -> Iterator[np.ndarray]:
    """Indices of each ligand, fragment by fragment."""
    is_ligand = annotation.parts(atoms) == LIGAND
    for fragment in np.unique(annotation.fragments(atoms)[is_ligand]):
        yield np.flatnonzero(is_ligand & (annotation.fragments(atoms) == fragment))
