"""Ligands on a slab: binding ions, binding modes and acid protons, with a neutral result."""

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
from qdsurf.atomistic.roles import outermost_anions, outermost_ions, surface_anions, surface_cations
from qdsurf.atomistic.spring_model import apply_springs
from qdsurf.errors import BuildError
from qdsurf.ligands.conformers import bound_form, chain_conformers, orient_upright
from qdsurf.ligands.packing import AZIMUTHS, BindingSite, ChainConformers, head_rotations, pack
from qdsurf.records.library import ligand_entry
from qdsurf.records.models import BindingMode, Ligand, LigandEntry

# Lateral distance of the acid proton from the anchor. A closer proton would return to the ligand, or react with a
# molecule that attacks the ligand.
PROTON_DISTANCE_A = 5.5
# Height of vacuum that the ligands may occupy before the cell is extended.
VACUUM_FOR_LIGANDS_A = 6.0
# Height of the anchor above its ion before the springs pull it into place; the first value is for a ligand that
# replaces an ion, above the site of the ion.
REPLACING_HEIGHT_A, BINDING_HEIGHT_A = 1.0, 3.0
# An atom that is bonded to an ion and this much higher covers the ion.
COVERING_HEIGHT_A = 0.7
# Seeds for the order of the poses that are tried before a coverage is rejected.
PACKING_ATTEMPTS = 4
# Heights of a cation above the site of the ion that it replaces. A quaternary ammonium ion is too wide for the vacancy,
# and its chains keep it at most 4 A above; the vacancy of Cs+ may be below a layer of PbBr2, 3 A deep.
CATION_HEIGHTS_A = tuple(float(height) for height in 0.4 * np.arange(18))
# Ligands with at least this number of heavy atoms are packed as chains. The spring model places smaller ones.
CHAIN_ATOMS = 6
# Largest lateral distance between an anchor and its cation in a bridge, as a fraction of the bond length.
BRIDGE_REACH = 0.95
# Binding modes from the simplest on.
SIMPLEST_FIRST: tuple[BindingMode, ...] = ("monodentate", "chelating", "bridging")


def attach_ligands(
    slab: Atoms,
    ligand: Ligand,
    count: int = 1,
    truncate_to_carbons: int | None = None,
    modes: Sequence[BindingMode] | None = None,
    pattern: Pattern = "uniform",
    seed: int | None = None,
) -> list[Atoms]:
    """Cover a slab with ligands of one kind: one candidate for every binding mode that fits.

    An L-type ligand binds to a cation, a Z-type ligand with its metal to an anion. A charged ligand replaces ions of
    its own sign if the surface has ions of charge one (halides, caesium, passivating ions of a polar facet). On other
    surfaces, a carboxylate or thiolate binds as the dissociated acid, with its proton on an anion. A second call adds
    ligands to those that the slab already has.

    Parameters
    ----------
    slab : Atoms
        Annotated slab.
    ligand : Ligand
        Record of the ligand.
    count : int
        Number of ligands in the cell.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.
    modes : sequence of str, optional
        Binding modes to try; None tries all modes of the record.
    pattern : {"uniform", "random", "clustered"}
        Distribution of the ligands, see `choose_places`.
    seed : int, optional
        Seed of the distribution and the packing.

    Returns
    -------
    list of Atoms
        Neutral candidates. The atoms of each ligand follow those that were there before. `info["binding_mode"]` is the
        binding mode, and `info["ligand_entry"]` how the ligand binds.

    Raises
    ------
    InputError
        The ligand cannot bind to the ions of this surface.
    BuildError
        No binding mode fits; the message gives the reason for each mode.
    """
    entry = ligand_entry(_outer_charges(slab), ligand, str(annotation.noted(slab, "material", "this surface")))
    candidates, reasons = [], []
    for mode in modes or _modes(ligand, entry):
        try:
            covered = _cover(slab, ligand, entry, mode, count, truncate_to_carbons, pattern, seed)
        except BuildError as error:
            reasons.append(f"{mode}: {error}")
            continue
        if not annotation.has_note(slab, "charge"):
            assert_neutral(covered)
        covered = _extend_cell(covered, slab)
        annotation.note(covered, ligand=ligand.name, ligand_entry=entry, binding_mode=mode)
        candidates.append(covered)
    if not candidates:
        raise BuildError(f"{count} {ligand.name} do not fit on {annotation.noted(slab, 'facet')}: {'; '.join(reasons)}")
    return candidates


def _modes(ligand: Ligand, entry: LigandEntry) -> list[BindingMode]:
    """Return the binding modes in the order of the record, or the simplest first if the ligand replaces an ion."""
    if entry in ("anion", "cation"):
        return sorted(ligand.binding_modes, key=SIMPLEST_FIRST.index)
    return list(ligand.binding_modes)


def _outer_charges(slab: Atoms) -> set[int]:
    """Return the formal charges in e of the ions of the two outermost layers."""
    outer = (annotation.parts(slab) == SUBSTRATE) & (annotation.layers(slab) <= 2)
    return set(np.round(annotation.formal_charges(slab)[outer]).astype(int).tolist())


def _extend_cell(covered: Atoms, slab: Atoms) -> Atoms:
    """Extend the cell by the height of the ligands, so that they do not touch the next image of the slab."""
    growth = covered.positions[:, 2].max() - slab.positions[:, 2].max()
    covered.cell[2, 2] += max(0.0, growth - VACUUM_FOR_LIGANDS_A)
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
    """Build one candidate: choose the ions, remove those that are replaced, and place the ligands.

    Raises
    ------
    BuildError
        There are too few ions, or the ligands do not fit.
    """
    molecule, anchors = bound_form(ligand, truncate_to_carbons)
    ions = _binding_ions(slab, ligand, entry)
    replaced_per_ligand = abs(ligand.charge) if entry in ("anion", "cation") else 0
    available = len(ions) // max(replaced_per_ligand, 1)
    if count > available:
        raise BuildError(
            f"{count} ligands requested, but only {available} sites are available; request fewer ligands, or build a "
            "larger supercell"
        )
    chosen = ions[choose_places(slab.positions[ions], count, slab, pattern, seed)]
    removed = np.array(_with_hydrogen(slab, _replaced_ions(slab, ions, chosen, replaced_per_ligand)), dtype=int)
    partners = [_binding_partners(slab, int(ion), ligand, entry, mode, len(anchors)) for ion in chosen]
    covered = slab[np.setdiff1d(np.arange(len(slab)), removed)]
    # Removed atoms shift the indices of the atoms behind them.
    partners = [[p - int((removed < p).sum()) for p in of_ligand] for of_ligand in partners]
    origins = slab.positions[chosen]
    if (molecule.numbers > 1).sum() >= CHAIN_ATOMS:
        return _add_packed(covered, partners, origins, entry, ligand, truncate_to_carbons, seed)
    for of_ligand, origin in zip(partners, origins, strict=True):
        covered = _add_with_springs(covered, molecule, anchors, of_ligand, origin, entry, ligand)
    return covered


def _binding_ions(slab: Atoms, ligand: Ligand, entry: LigandEntry) -> np.ndarray:
    """Return the outermost ions to which the ligand binds, or which it replaces, without those that are occupied.

    If passivating ions cover some of these ions, such as half of the Cd ions of CdSe(111), only the least covered ones
    are returned.
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
    is_higher = height[None, :] > height[ions][:, None] + COVERING_HEIGHT_A
    covering = (bonded[ions] & is_higher).sum(axis=1)
    return ions[covering == covering.min()]


def _replaced_ions(slab: Atoms, ions: np.ndarray, chosen: np.ndarray, per_ligand: int) -> list[int]:
    """Return the ions that the ligands replace: the chosen ones, and the nearest others for a charge above one."""
    if per_ligand == 0:
        return []
    replaced: list[int] = chosen.tolist()
    if per_ligand > 1:
        for ion in chosen.tolist():
            replaced += _sort_by_distance(slab, ion, np.setdiff1d(ions, replaced))[: per_ligand - 1]
    return replaced


def _with_hydrogen(slab: Atoms, ions: list[int]) -> list[int]:
    """Return the ions, and the hydrogen atoms of those that are hydroxides."""
    oxygen = [i for i in ions if slab.symbols[i] == "O"]
    if not oxygen:
        return ions
    hydrogen = (slab.numbers == 1) & (annotation.formal_charges(slab) == 0) & (annotation.parts(slab) == SUBSTRATE)
    return [*ions, *np.flatnonzero(bond_matrix(slab)[oxygen].any(axis=0) & hydrogen).tolist()]


def _binding_partners(
    slab: Atoms, ion: int, ligand: Ligand, entry: LigandEntry, mode: BindingMode, anchors: int
) -> list[int]:
    """Return the ions to which the anchors bind, one for each binding anchor, or two if a single anchor bridges.

    Raises
    ------
    BuildError
        The binding mode is not possible here.
    """
    if entry == "cation":
        if mode == "bridging":
            raise BuildError("a cation that fills a vacancy cannot bridge two ions; use the mode monodentate")
        # The ligand fills the vacancy of the ion. The relaxation finds its hydrogen bonds.
        return []
    binding = min(anchors, 1 if mode == "monodentate" else 2)
    if ligand.cbc_class == "Z":
        return [ion]
    cations = surface_cations(slab)
    if entry == "anion":
        nearest = _sort_by_distance(slab, ion, cations)
        if mode != "bridging":
            return [nearest[0]] * binding
        beside = np.array([cation for cation in nearest[1:] if bond_matrix(slab)[ion, cation]], dtype=int)
        if len(beside) == 0:
            raise BuildError("no second cation is bonded to the ion that the ligand replaces; use another binding mode")
        return [nearest[0], int(beside[0])]
    if mode == "bridging":
        layers = annotation.layers(slab)
        beside = cations[(layers[cations] == layers[ion]) & (cations != ion)]
        if len(beside) == 0:
            raise BuildError(
                "no second cation is in the same layer; use another binding mode, or build a larger supercell"
            )
        return [ion, _sort_by_distance(slab, ion, beside)[0]]
    return [ion] * binding


def _sort_by_distance(slab: Atoms, index: int, candidates: np.ndarray) -> list[int]:
    """Return the candidates by their distance from an atom; one direction decides between equal distances."""
    vectors = slab.get_distances(index, candidates, mic=True, vector=True)
    distances = np.linalg.norm(vectors, axis=1).round(3)
    order = np.lexsort(((-vectors @ TIE_BREAK_DIRECTION).round(3), distances))
    return candidates[order].tolist()


def _add_with_springs(
    covered: Atoms,
    bound: Atoms,
    anchors: tuple[int, ...],
    partners: list[int],
    origin: np.ndarray,
    entry: LigandEntry,
    ligand: Ligand,
) -> Atoms:
    """Add one short ligand above its ion, and form its bonds with the spring model.

    Raises
    ------
    BuildError
        The springs do not reach the bonds, or an acid proton has no anion.
    """
    molecule = bound.copy()
    fragment = int(annotation.fragments(covered).max() + 1)
    annotation.fragments(molecule)[:] = fragment
    others = np.setdiff1d(np.arange(len(molecule)), anchors)
    molecule.positions = orient_upright(molecule.positions, anchors, others)
    if len(partners) > 1 and partners[0] != partners[1]:
        axis = covered.get_distance(partners[0], partners[1], vector=True, mic=True)
        molecule.rotate(np.degrees(np.arctan2(axis[1], axis[0])), "z")
        origin = covered.positions[partners[0]] + axis / 2
    height_A = REPLACING_HEIGHT_A if entry in ("anion", "cation") else BINDING_HEIGHT_A
    molecule.positions += [*origin[:2], origin[2] + height_A]
    start = len(covered)
    model = covered + molecule
    annotation.copy_notes(covered, model)
    forms = [(partner, start + anchor) for partner, anchor in zip(partners, itertools.cycle(anchors), strict=False)]
    if ligand.leaving_protons and entry == "acid":
        head = molecule.positions[list(anchors)].mean(axis=0)
        protons, acceptors = _acid_protons(model, head, ligand, fragment)
        forms += [(anion, len(model) + k) for k, anion in enumerate(acceptors)]
        model = model + protons
        annotation.copy_notes(covered, model)
    return apply_springs(model, forms)


def _acid_protons(model: Atoms, head: np.ndarray, ligand: Ligand, fragment: int) -> tuple[Atoms, list[int]]:
    """Return the protons that the acid has lost, placed on free anions of the surface, and these anions.

    Raises
    ------
    BuildError
        The surface has no free anion.
    """
    protons, acceptors = annotate(Atoms(), LIGAND), []
    for _ in range(ligand.leaving_protons):
        acceptor = _proton_acceptor(model, head, fragment)
        position = model.positions[acceptor] + [0, 0, PROTON_ON_ANION_A]
        proton = annotate(Atoms("H", [position]), LIGAND, fragment, [1.0])
        acceptors.append(acceptor)
        protons, model = protons + proton, model + proton
    return protons, acceptors


def _add_packed(
    covered: Atoms,
    partners: list[list[int]],
    origins: np.ndarray,
    entry: LigandEntry,
    ligand: Ligand,
    truncate_to_carbons: int | None,
    seed: int | None,
) -> Atoms:
    """Add long ligands with their head groups at bond length and their chains without contacts.

    Raises
    ------
    BuildError
        Not all ligands fit; the message states how many do.
    """
    molecule, anchors = bound_form(ligand, truncate_to_carbons)
    binding = min(len(anchors), max(1, len(partners[0])))
    chains = chain_conformers(ligand, truncate_to_carbons, binding)
    upwards = np.array([0, 0, 1.0])
    sites = [
        binding_site(covered, of_ligand, origin, anchors[:binding], chains, upwards)
        for of_ligand, origin in zip(partners, origins, strict=True)
    ]
    packed: list[np.ndarray] = []
    for attempt in range(PACKING_ATTEMPTS):
        found = pack(covered, sites, [chains] * len(sites), (seed or 0) + attempt)
        packed = [positions for positions in found if positions is not None]
        if len(packed) == len(sites):
            break
    if not packed:
        height = f" up to {CATION_HEIGHTS_A[-1]:.1f} A above the ion that it replaces" if entry == "cation" else ""
        raise BuildError(
            f"none of {len(sites)} ligands fits{height} without a contact below its limit; build a larger supercell, "
            "or truncate the chain"
        )
    if len(packed) < len(sites):
        raise BuildError(
            f"only {len(packed)} of {len(sites)} ligands fit without a contact below its limit; request fewer ligands, "
            "or truncate the chains"
        )
    first_fragment = annotation.fragments(covered).max() + 1
    ligands = []
    for number, positions in enumerate(packed):
        bound = molecule.copy()
        bound.positions = positions
        annotation.fragments(bound)[:] = first_fragment + number
        ligands.append(bound)
    # The protons must not touch ligands that follow in the order of the atoms, so that all ligands are present here.
    everything = covered.copy()
    for bound in ligands:
        everything += bound
    model = covered.copy()
    for bound in ligands:
        model += bound
        if ligand.leaving_protons and entry == "acid":
            head = bound.positions[list(anchors)].mean(axis=0)
            protons, _ = _acid_protons(everything, head, ligand, int(annotation.fragments(bound)[0]))
            everything, model = everything + protons, model + protons
    annotation.copy_notes(covered, model)
    return model


def binding_site(
    surface: Atoms,
    partners: Sequence[int],
    origin: np.ndarray,
    anchors: Sequence[int],
    chains: ChainConformers,
    normal: np.ndarray,
) -> BindingSite:
    """Compute the place of a head group at bond length from the ions to which it binds.

    Parameters
    ----------
    surface : Atoms
        Slab or particle.
    partners : sequence of int
        Ions to which the anchors bind; empty if the head group fills a vacancy at `origin`.
    origin : ndarray of float
        Position in A of the ion to which the ligand binds, or which it replaces, shape (3,).
    anchors : sequence of int
        Binding anchors as indices of the atoms of the chain.
    chains : ChainConformers
        Conformers of the ligand.
    normal : ndarray of float
        Unit vector out of the surface, shape (3,).

    Returns
    -------
    BindingSite
        Place and allowed rotations of the head group.

    Raises
    ------
    BuildError
        The two cations of a bridge are too far apart, or on top of each other.
    """
    rotations = head_rotations(2 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS)
    if not partners:
        return BindingSite(np.asarray(origin), _axes(normal), rotations, heights_A=CATION_HEIGHTS_A)
    first = surface.positions[partners[0]]
    radii = covalent_radii[surface.numbers[partners[0]]] + covalent_radii[chains.numbers[list(anchors)]]
    bond_A = float(np.mean(SPRING_FORMED * radii))
    outwards = np.asarray(origin) - first
    up = outwards / np.linalg.norm(outwards) if np.linalg.norm(outwards) > 0.5 else normal
    spread_A = 0.0
    if len(anchors) > 1:
        spread_A = float(np.linalg.norm(np.subtract(*chains.conformers[0][list(anchors)])))
    if len(partners) == 1 or partners[0] == partners[1]:
        height_A = np.sqrt(bond_A**2 - (spread_A / 2) ** 2)
        return BindingSite(first + height_A * up, _axes(up), rotations)
    across = surface.get_distance(partners[0], partners[1], vector=True, mic=True)
    distance_A = float(np.linalg.norm(across))
    lateral_A = (distance_A - spread_A) / 2
    if lateral_A > BRIDGE_REACH * bond_A:
        raise BuildError(
            f"the cations of a bridge are {distance_A:.1f} A apart, but at most "
            f"{2 * BRIDGE_REACH * bond_A + spread_A:.1f} A are possible; use another binding mode"
        )
    up = up - (up @ across) * across / (across @ across)
    if np.linalg.norm(up) < 0.3:
        raise BuildError("the cations of a bridge are on top of each other; use another binding mode")
    up /= np.linalg.norm(up)
    height_A = np.sqrt(bond_A**2 - lateral_A**2)
    # Only half a turn keeps both anchors bound.
    return BindingSite(first + across / 2 + height_A * up, _axes(up, across), head_rotations([0.0, np.pi]))


def _axes(up: np.ndarray, along: np.ndarray | None = None) -> np.ndarray:
    """Return right-handed axes as columns: z is `up`, and x is as close as possible to `along`."""
    along = np.eye(3)[np.argmin(np.abs(up))] if along is None else along
    x = along - (along @ up) * up
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(up, x), up])


def _proton_acceptor(slab: Atoms, head: np.ndarray, fragment: int) -> int:
    """Choose the anion for an acid proton.

    The choice is the outermost free anion nearest to the head group among those with a lateral distance of at least
    `PROTON_DISTANCE_A`, or the farthest free anion if there is none.

    Raises
    ------
    BuildError
        No anion is free.
    """
    anions = outermost_anions(slab)
    molecular = (annotation.parts(slab) != SUBSTRATE) | (slab.numbers == 1)
    occupied: np.ndarray = np.any(bond_matrix(slab)[:, molecular], axis=1)
    free = anions[~occupied[anions]]
    others = np.flatnonzero((annotation.parts(slab) != SUBSTRATE) & (annotation.fragments(slab) != fragment))
    if len(others) and len(free):
        positions = slab.positions[free] + [0, 0, PROTON_ON_ANION_A]
        distances = get_distances(positions, slab.positions[others], cell=slab.cell, pbc=slab.pbc)[1]
        limits = contact_limits(np.concatenate([[1], slab.numbers[others]]))[0, 1:]
        free = free[(distances > limits).all(axis=1)]
    if len(free) == 0:
        raise BuildError(
            "no anion is free for the proton of the acid without a contact to another ligand; request fewer ligands, "
            "or build a larger supercell"
        )
    probe = slab.copy() + Atoms("X", [head])
    from_head = np.round(probe.get_distances(len(probe) - 1, free, mic=True), 3)
    far_enough = from_head > np.hypot(PROTON_DISTANCE_A, head[2] - slab.positions[free, 2])
    if not far_enough.any():
        return int(free[np.argmax(from_head)])
    return int(free[far_enough][np.argmin(from_head[far_enough])])


def anchor_distance(atoms: Atoms) -> float:
    """Return the distance of the ligands from the crystal.

    Parameters
    ----------
    atoms : Atoms
        Annotated and covered slab or particle.

    Returns
    -------
    float
        Shortest distance in A between an anchor of the ligand and an atom of the crystal, for the ligand with the
        largest value. It is between the length of a bond and that of a hydrogen bond, or larger for a cation whose
        chains prevent it from filling the vacancy.
    """
    crystal = np.flatnonzero(annotation.parts(atoms) == SUBSTRATE)
    all_anchors = np.flatnonzero(annotation.anchors(atoms))
    positions = atoms.positions
    shortest = []
    for ligand in iter_ligands(atoms):
        anchors = np.intersect1d(ligand, all_anchors)
        distances = get_distances(positions[anchors], positions[crystal], cell=atoms.cell, pbc=atoms.pbc)[1]
        shortest.append(distances.min())
    return float(max(shortest))


def iter_ligands(atoms: Atoms) -> Iterator[np.ndarray]:
    """Yield the atom indices of each ligand, in the order of the fragment numbers."""
    is_ligand = np.asarray(annotation.parts(atoms) == LIGAND)
    for fragment in np.unique(annotation.fragments(atoms)[is_ligand]):
        yield np.flatnonzero(is_ligand & (annotation.fragments(atoms) == fragment))
