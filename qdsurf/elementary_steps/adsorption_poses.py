"""A precursor on an atom of a covered slab: orientations from a low-discrepancy set, height by contact."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from scipy.spatial.transform import Rotation

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, COREACTANT, annotate, content_hash
from qdsurf.atomistic.bonding import DONORS, bond_matrix, is_metal, is_molecular, molecular_bonds, recorded_pairs
from qdsurf.atomistic.bonding_criteria import ANION_OCCUPIED_A, CLASH, SPRING_FORMED
from qdsurf.atomistic.molecules import build_molecule, centre, embed, parse_smiles
from qdsurf.atomistic.roles import find_role
from qdsurf.atomistic.spring_model import apply_springs
from qdsurf.elementary_steps.state_check import check_state
from qdsurf.errors import BuildError
from qdsurf.records import library
from qdsurf.records.models import Precursor
from qdsurf.records.reaction_templates import Reaction
from qdsurf.storage.structures import read_structure

PER_TARGET = 3  # directions of approach that are followed for each target atom ...
APART_DEG = 50.0  # ... at least this far from one another
APPROACH_A = 1.5  # the springs pull a pose in from this far
SUNK = 0.01  # weight of the room of a pose that reaches below the outermost layer
TRIALS = 256  # rigid orientations looked at for each target atom; a power of two suits Sobol points


def precursor_fragment(molecule: Atoms, precursor: Precursor) -> Atoms:
    """A gas-phase precursor as an adsorbate: metal +n, -1 on each atom that holds a leaving group."""
    atoms = annotate(centre(Atoms(molecule.symbols, molecule.positions)), ADSORBATE)
    metal = int(np.flatnonzero(atoms.symbols == precursor.metal)[0])
    leaving = sorted(i + j - metal for i, j in molecular_bonds(atoms) if metal in (i, j))
    leaving = [i for i in leaving if atoms.symbols[i] == precursor.leaving]
    annotation.formal_charges(atoms)[leaving] = -1
    annotation.formal_charges(atoms)[metal] = len(leaving)
    return atoms


def coreactant_fragment(molecule: Atoms) -> Atoms:
    """A gas-phase co-reactant as it meets a surface: +1 on each acidic hydrogen, -1 for each on the atom that holds it.

    Acidic is what is bound to N, O, S or a halogen, so that H2O is a donor with two protons, and O2 is neither.
    """
    atoms = annotate(centre(Atoms(molecule.symbols, molecule.positions)), COREACTANT)
    for i, j in sorted(molecular_bonds(atoms)):
        for hydrogen, donor in ((i, j), (j, i)):
            if atoms.symbols[hydrogen] == "H" and atoms.symbols[donor] in DONORS:
                annotation.formal_charges(atoms)[[hydrogen, donor]] += 1, -1
    return atoms


def adsorbate(name: str) -> tuple[Atoms, int]:
    """A molecule that is to be placed, and the atom with which it meets the surface.

    A metal meets it first (a Lewis acid), else the first donor atom, else the first heavy atom.

    Parameters
    ----------
    name : of a precursor or coreactant on record, a structure file, or a SMILES string.

    Raises
    ------
    InputError : it is none of these.
    """
    if name in library.names("precursors"):
        record = library.precursor(name)
        molecule = precursor_fragment(build_molecule(record.molecule), record)
    elif name in library.names("coreactants"):
        molecule = build_molecule(library.get("coreactants", name).molecule)
    elif Path(name).is_file():
        read = read_structure(Path(name))
        molecule = annotate(Atoms(read.symbols, read.positions), ADSORBATE)
    else:
        molecule = annotate(embed(parse_smiles(name, "molecule")), ADSORBATE)
    order = [np.flatnonzero(is_metal(molecule)), np.flatnonzero(np.isin(molecule.symbols, DONORS))]
    order += [np.flatnonzero(molecule.numbers > 1), np.arange(len(molecule))]
    return centre(molecule), int(next(found for found in order if len(found))[0])


def place_precursor(
    surface: Atoms,
    fragment: Atoms,
    target_role: str,
    poses: int = 2,
    seed: int = 0,
    breaks: tuple = (),
    contact_role: str = "precursor.metal",
) -> list[Atoms]:
    """Put a molecule with one of its atoms, a precursor's metal, on atoms that play a role, such as `surface.anion`.

    Every atom of that role is tried; near a free proton, or a vacancy, comes first, since that is what the adduct may
    meet next. For each the roomiest of a Sobol set of rigid orientations is pulled into contact.

    Parameters
    ----------
    fragment : from `precursor_fragment` or `coreactant_fragment`.
    poses : number of candidates to return.
    breaks : role pairs whose bonds give way, for an insertion.
    contact_role : of the molecule's atom that binds, the first that plays it.

    Returns
    -------
    Poses with `info["pose"]` (hash of the content) and `info["formed"]`, roomiest first.

    Raises
    ------
    BuildError : no pose fits; the message carries the reasons.
    """
    targets = find_role(surface, target_role)
    if len(targets) == 0:
        raise BuildError(f"no atom plays {target_role} in {annotation.noted(surface, 'facet', 'this structure')}")
    contacts = find_role(fragment, contact_role)
    if len(contacts) == 0:
        raise BuildError(f"no atom of {fragment.symbols} plays {contact_role}")
    contact = int(contacts[0])
    surface = surface.copy()
    annotation.widen_parts(surface)
    ranked = _rank_targets(surface, targets, poses)
    fragment = fragment.copy()
    annotation.fragments(fragment)[:] = annotation.fragments(surface).max() + 1
    found, reasons = [], []
    for target in map(int, ranked):
        for start in _roomiest(surface, fragment, contact, target, seed):
            try:
                found.append(_pull_in(surface, start, contact, target, breaks))
            except BuildError as error:
                reasons.append(str(error))
    if not found:
        raise BuildError(f"no pose on {target_role}: {'; '.join(reasons)}")
    distinct: list[Atoms] = []
    # Differences of strain below a thousandth are noise of the springs; the roomier start comes first then.
    for pose in sorted(found, key=lambda pose: round(annotation.noted(pose, "strain"), 3)):
        if not any(_alike(pose, other, len(surface) + contact) for other in distinct):
            distinct.append(pose)
    return distinct[:poses]


def place_candidates(
    surface: Sequence[Atoms], molecule: Sequence[Atoms], precursor: Precursor, reaction: Reaction, poses: int, seed: int
) -> tuple[list[Atoms], str]:
    """Poses for a template that takes a molecule from the gas, or the reason why there are none.

    Parameters
    ----------
    surface, molecule : one structure each, or empty where an earlier room found none.
    """
    if not surface or not molecule:
        return [], f"its initial state or the {reaction.takes} was not found"
    contact, target = reaction.arrival
    arriving = reaction.takes == "precursor"
    fragment = precursor_fragment(molecule[0], precursor) if arriving else coreactant_fragment(molecule[0])
    try:
        return place_precursor(surface[0], fragment, target, poses, seed, reaction.breaks, contact), ""
    except BuildError as error:
        return [], str(error)


def _rank_targets(surface: Atoms, targets: np.ndarray, poses: int) -> np.ndarray:
    """The free targets in the order in which they are tried, twice as many as poses are wanted."""
    next_met = find_role(surface, "ligand.proton")
    if len(next_met) == 0 and len(annotation.noted(surface, "vacancy_positions", [])):
        next_met = find_role(surface, "surface.vacant")
    on_crystal = annotation.parts(surface)[targets[0]] == "substrate"
    partners = next_met if len(next_met) and on_crystal else targets
    taken = [
        i
        for i in targets
        if len(next_met) and surface.get_distances(int(i), next_met, mic=True).min() < ANION_OCCUPIED_A
    ]
    free = targets[~np.isin(targets, taken)] if on_crystal else targets
    free = free if len(free) else targets
    distance = [surface.get_distances(int(i), partners, mic=True).min() for i in free]
    return free[np.argsort(np.round(distance, 2), kind="stable")][: 2 * poses]


def _roomiest(surface: Atoms, fragment: Atoms, contact: int, target: int, seed: int) -> list[Atoms]:
    """Rigid poses at one target with the most room, from distinct directions."""
    from scipy.stats import qmc  # half a second to import

    reach = SPRING_FORMED * (covalent_radii[surface.numbers[target]] + covalent_radii[fragment.numbers[contact]])
    centred = fragment.positions - fragment.positions[contact]
    radii = covalent_radii[fragment.numbers]
    points = qmc.Sobol(5, seed=seed).random(TRIALS)
    directions = _upper_hemisphere(points[:, :2])
    rotations = Rotation.from_quat(_quaternions(points[:, 2:]))
    shifts = _in_plane_shifts() @ surface.cell.array
    images = np.concatenate([surface.positions - surface.positions[target] + shift for shift in shifts])
    image_radii = np.tile(covalent_radii[surface.numbers], len(shifts))
    near = np.linalg.norm(images, axis=1) < reach + np.linalg.norm(centred, axis=1).max() + 4.0
    tree, room = images[near], np.zeros(TRIALS)
    floor = np.median(surface.positions[annotation.layers(surface) == 1, 2]) - surface.positions[target, 2]
    target_itself = np.linalg.norm(tree, axis=1) < 1e-6

    def ratios(positions: np.ndarray) -> np.ndarray:
        """Distances from every atom of the molecule to its surroundings, over the sums of covalent radii."""
        return np.linalg.norm(positions[:, None] - tree[None], axis=-1) / (radii[:, None] + image_radii[None, near])

    for k, (direction, rotation) in enumerate(zip(directions, rotations, strict=True)):
        bound, away = (rotation.apply(centred) + distance * direction for distance in (reach, reach + APPROACH_A))
        if ratios(away).min() > CLASH:
            near_by = ratios(bound)
            near_by[contact, target_itself] = np.inf
            # What would reach below the surface has to bend; it comes last.
            room[k] = near_by.min() * (1.0 if bound[:, 2].min() > floor else SUNK)
    chosen: list[int] = []
    for k in np.argsort(-room, kind="stable"):
        if room[k] > 0 and all(directions[k] @ directions[c] < np.cos(np.radians(APART_DEG)) for c in chosen):
            chosen.append(int(k))
        if len(chosen) == PER_TARGET:
            break
    poses = []
    for k in chosen:
        adsorbate = fragment.copy()
        adsorbate.positions = (
            rotations[k].apply(centred) + surface.positions[target] + (reach + APPROACH_A) * directions[k]
        )
        poses.append(surface + adsorbate)
        annotation.copy_notes(surface, poses[-1])
    return poses


def _pull_in(surface: Atoms, pose: Atoms, contact: int, target: int, breaks: tuple) -> Atoms:
    """Close the contact by springs, and write down which bonds the pose is to have."""
    held = recorded_pairs(surface, "formed")  # bonds that an earlier step has made
    formed = [(target, len(surface) + contact), *held]
    bonded = bond_matrix(surface)
    broken = [
        (int(i), int(j))
        for a, b in breaks
        for i in find_role(surface, a)
        for j in find_role(surface, b)
        if bonded[i, j]
    ]
    own = {(i + len(surface), j + len(surface)) for i, j in molecular_bonds(pose[len(surface) :])}
    bonds = (molecular_bonds(surface) - {(min(p), max(p)) for p in broken}) | own
    molecular = is_molecular(pose)
    bonds |= {p for p in formed if molecular[list(p)].all()}
    driven = apply_springs(pose, formed, broken, arriving=len(surface))
    annotation.note(driven, bonds=[list(p) for p in sorted(bonds)])
    if reason := check_state(driven, driven):
        raise BuildError(reason)
    annotation.note(
        driven,
        pose=content_hash(driven),
        formed=[list(p) for p in formed],
        broken=[list(p) for p in broken],
    )
    return driven


def _alike(pose: Atoms, other: Atoms, metal: int) -> bool:
    """Whether two poses are the same but for symmetry: equal distances from the metal to each element, to 0.1 A."""
    everything = np.arange(len(pose))
    order = pose.numbers * 1e3  # sorts by element first, then by distance
    a, b = (np.sort(order + atoms.get_distances(metal, everything, mic=True)) for atoms in (pose, other))
    return bool(np.abs(a - b).max() < 0.1)


def _in_plane_shifts() -> np.ndarray:
    return np.array([[i, j, 0] for i in (-1, 0, 1) for j in (-1, 0, 1)])


def _upper_hemisphere(points: np.ndarray) -> np.ndarray:
    """Unit vectors uniform over the upper half sphere, shape (n, 3), from points in the unit square."""
    z, phi = points[:, 0], 2 * np.pi * points[:, 1]
    rho = np.sqrt(1 - z**2)
    return np.column_stack([rho * np.cos(phi), rho * np.sin(phi), z])


def _quaternions(points: np.ndarray) -> np.ndarray:
    """Uniform rotations from points in the unit cube (Shoemake 1992), shape (n, 4)."""
    u, a, b = points[:, 0], 2 * np.pi * points[:, 1], 2 * np.pi * points[:, 2]
    s, c = np.sqrt(1 - u), np.sqrt(u)
    return np.column_stack([s * np.sin(a), s * np.cos(a), c * np.sin(b), c * np.cos(b)])
