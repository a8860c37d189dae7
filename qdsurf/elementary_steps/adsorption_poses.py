"""Adsorption poses of a molecule on an atom of a covered slab.

Rigid orientations from a Sobol sequence are ranked by their distance from the surroundings. The spring model then pulls
the best ones into contact with the target atom.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

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
from qdsurf.elementary_steps.candidates import Candidates
from qdsurf.elementary_steps.orientations import quaternions, upper_hemisphere
from qdsurf.elementary_steps.state_check import check_state
from qdsurf.errors import BuildError
from qdsurf.records import library
from qdsurf.records.models import Precursor
from qdsurf.records.reaction_templates import Reaction, Role, RolePair
from qdsurf.storage.structures import read_structure

# Directions of approach for each target atom, and the smallest angle between two of them.
DIRECTIONS_PER_TARGET = 3
DIRECTION_SEPARATION_DEG = 50.0
# The springs start with the contact atom this much farther from the target than the bond length.
APPROACH_A = 1.5
# Factor on the clearance of a pose that reaches below the outermost layer. Such a molecule has to deform.
BELOW_SURFACE_FACTOR = 0.01
# Rigid orientations for each target atom. Sobol sequences are balanced for powers of two.
ORIENTATIONS = 256
# Atoms of the surface within this distance of the molecule are included in its clearance.
SURROUNDINGS_A = 4.0
# Two poses with distances from the contact atom that agree to this value are the same pose.
SAME_POSE_A = 0.1


def precursor_fragment(molecule: Atoms, precursor: Precursor) -> Atoms:
    """Annotate a precursor from the gas as an adsorbate.

    Parameters
    ----------
    molecule : Atoms
        Structure of the precursor.
    precursor : Precursor
        Record with the metal and the leaving element.

    Returns
    -------
    Atoms
        Annotated copy, centred at the origin. Each atom that binds a leaving group to the metal has the formal charge
        -1 e, and the metal has the opposite charge of all of them.
    """
    atoms = annotate(centre(Atoms(molecule.symbols, molecule.positions)), ADSORBATE)
    metal = int(np.flatnonzero(atoms.symbols == precursor.metal)[0])
    neighbours = sorted(i + j - metal for i, j in molecular_bonds(atoms) if metal in (i, j))
    leaving = [i for i in neighbours if atoms.symbols[i] == precursor.leaving]
    annotation.formal_charges(atoms)[leaving] = -1
    annotation.formal_charges(atoms)[metal] = len(leaving)
    return atoms


def coreactant_fragment(molecule: Atoms) -> Atoms:
    """Annotate a co-reactant from the gas with the formal charges of its acidic protons.

    Hydrogen on N, O, S or a halogen is acidic. H2O is therefore a donor with two protons, and O2 has no charges.

    Parameters
    ----------
    molecule : Atoms
        Structure of the co-reactant.

    Returns
    -------
    Atoms
        Annotated copy, centred at the origin. Each acidic proton has the formal charge +1 e, and the atom to which it
        is bound has -1 e for each of its protons.
    """
    atoms = annotate(centre(Atoms(molecule.symbols, molecule.positions)), COREACTANT)
    for i, j in sorted(molecular_bonds(atoms)):
        for hydrogen, donor in ((i, j), (j, i)):
            if atoms.symbols[hydrogen] == "H" and atoms.symbols[donor] in DONORS:
                annotation.formal_charges(atoms)[[hydrogen, donor]] += 1, -1
    return atoms


def adsorbate(name: str) -> tuple[Atoms, int]:
    """Build a molecule that is to be placed on a surface, and choose the atom with which it binds.

    Parameters
    ----------
    name : str
        Name of a precursor or co-reactant on record, path of a structure file, or SMILES string.

    Returns
    -------
    molecule : Atoms
        Annotated structure, centred at the origin.
    anchor : int
        Index of the binding atom: the first metal atom (a Lewis acid), else the first donor atom, else the first heavy
        atom.

    Raises
    ------
    InputError
        The name is unknown, is not the path of a file, and does not parse as SMILES.
    """
    if name in library.names("precursors"):
        record = library.precursor(name)
        molecule = precursor_fragment(build_molecule(record.molecule), record)
    elif name in library.names("coreactants"):
        molecule = build_molecule(library.get("coreactants", name).molecule)
    elif Path(name).is_file():
        stored = read_structure(Path(name))
        molecule = annotate(Atoms(stored.symbols, stored.positions), ADSORBATE)
    else:
        molecule = annotate(embed(parse_smiles(name, "molecule")), ADSORBATE)
    preferences = (
        np.flatnonzero(is_metal(molecule)),
        np.flatnonzero(np.isin(molecule.symbols, DONORS)),
        np.flatnonzero(molecule.numbers > 1),
        np.arange(len(molecule)),
    )
    return centre(molecule), int(next(found for found in preferences if len(found))[0])


def place_precursor(
    surface: Atoms,
    fragment: Atoms,
    target_role: str,
    poses: int = 2,
    seed: int = 0,
    breaks: Sequence[RolePair] = (),
    contact_role: str = "precursor.metal",
) -> list[Atoms]:
    """Place a molecule with one of its atoms, such as the metal of a precursor, on surface atoms of one role.

    All atoms of the role are candidates. Those next to a free proton, or to a vacancy, are tried first, because the
    adduct can react with it in the next step. For each atom, the spring model pulls the rigid orientations with the
    largest clearance into contact.

    Parameters
    ----------
    surface : Atoms
        Annotated slab or particle.
    fragment : Atoms
        Molecule from `precursor_fragment` or `coreactant_fragment`.
    target_role : str
        Role of the surface atoms, such as `surface.anion`.
    poses : int
        Largest number of poses to return.
    seed : int
        Seed of the orientations.
    breaks : sequence of tuple of str
        Pairs of roles whose bonds break, for an insertion.
    contact_role : str
        Role of the atom with which the molecule binds; the first matching atom is taken.

    Returns
    -------
    list of Atoms
        Different poses, lowest strain first and larger clearance first at equal strain. `info["pose"]` is a hash of the
        geometry. `info["formed"]`, `info["broken"]` and `info["bonds"]` are the bonds of the state.

    Raises
    ------
    BuildError
        No atom has one of the roles, or no pose fits; the message lists the reasons.
    """
    targets = find_role(surface, target_role)
    if len(targets) == 0:
        where = annotation.noted(surface, "facet", "this structure")
        raise BuildError(
            f"no atom matches {target_role} in {where}. Available sites: {', '.join(_available_roles(surface))}. "
            "Choose one with site (Python) or --site (command line)"
        )
    contacts = find_role(fragment, contact_role)
    if len(contacts) == 0:
        raise BuildError(
            f"no atom matches {contact_role} in the molecule {fragment.symbols}; give a molecule that contains one"
        )
    contact = int(contacts[0])
    surface = surface.copy()
    annotation.widen_parts(surface)
    fragment = fragment.copy()
    annotation.fragments(fragment)[:] = annotation.fragments(surface).max() + 1
    found, reasons = [], []
    for target in _rank_targets(surface, targets, poses).tolist():
        for start in _starting_poses(surface, fragment, contact, target, seed):
            try:
                found.append(_pull_into_contact(surface, start, contact, target, breaks))
            except BuildError as error:
                reasons.append(str(error))
    if not found:
        raise BuildError(
            f"no pose fits on {target_role}: {'; '.join(reasons) or 'all orientations clash with the surroundings'}. "
            "Choose another site or seed, fewer ligands, or a larger supercell"
        )
    # Differences in strain below a thousandth are numerical noise. The sort is stable, so that the pose with the larger
    # clearance comes first among poses of equal strain.
    found.sort(key=lambda pose: round(annotation.noted(pose, "strain"), 3))
    distinct: list[Atoms] = []
    for pose in found:
        if not any(_is_same_pose(pose, other, len(surface) + contact) for other in distinct):
            distinct.append(pose)
    return distinct[:poses]


def place_candidates(
    surface: Sequence[Atoms], molecule: Sequence[Atoms], precursor: Precursor, reaction: Reaction, poses: int, seed: int
) -> Candidates:
    """Place a molecule from the gas for a template that takes one.

    Parameters
    ----------
    surface, molecule : sequence of Atoms
        Initial state and molecule, one structure each; empty if an earlier stage found none.
    precursor : Precursor
        Record of the precursor.
    reaction : Reaction
        Template with the role of the atom on which the molecule adsorbs.
    poses : int
        Largest number of poses.
    seed : int
        Seed of the orientations.

    Returns
    -------
    Candidates
        Poses, or the reason why there are none.
    """
    if not surface or not molecule:
        return Candidates((), f"its initial state or the {reaction.takes} was not found")
    contact, target = reaction.arrival
    if reaction.takes == "precursor":
        fragment = precursor_fragment(molecule[0], precursor)
    else:
        fragment = coreactant_fragment(molecule[0])
    try:
        return Candidates(place_precursor(surface[0], fragment, target, poses, seed, reaction.breaks, contact))
    except BuildError as error:
        return Candidates((), str(error))


def _available_roles(surface: Atoms) -> list[str]:
    """Return the roles on which a molecule can adsorb and that occur in a structure."""
    roles = [role for role in get_args(Role) if role.startswith(("surface.", "ligand.")) and role != "ligand.proton"]
    return [role for role in roles if len(find_role(surface, role))] or ["none"]


def _rank_targets(surface: Atoms, targets: np.ndarray, poses: int) -> np.ndarray:
    """Return the target atoms in the order in which they are tried, at most two for each requested pose."""
    # The adduct on the crystal reacts with a proton, or with a cation beside a vacancy, in the next step.
    next_partners = find_role(surface, "ligand.proton")
    if len(next_partners) == 0 and len(annotation.noted(surface, "vacancy_positions", [])):
        next_partners = find_role(surface, "surface.vacant")
    if annotation.parts(surface)[targets[0]] != "substrate" or len(next_partners) == 0:
        return targets[: 2 * poses]
    distances = np.array([surface.get_distances(int(i), next_partners, mic=True).min() for i in targets])
    # Atoms that carry a proton themselves are occupied, and taken only if all of them are.
    free = distances >= ANION_OCCUPIED_A
    if free.any():
        targets, distances = targets[free], distances[free]
    return targets[np.argsort(np.round(distances, 2), kind="stable")][: 2 * poses]


def _starting_poses(surface: Atoms, fragment: Atoms, contact: int, target: int, seed: int) -> list[Atoms]:
    """Return rigid poses at one target atom with large clearance and different directions of approach."""
    from scipy.stats import qmc  # takes half a second to import

    bond_length = SPRING_FORMED * (covalent_radii[surface.numbers[target]] + covalent_radii[fragment.numbers[contact]])
    centred = fragment.positions - fragment.positions[contact]
    # The argument `rng` instead of `seed` would give other points, and thus other poses, for the same seed.
    points = qmc.Sobol(5, seed=seed).random(ORIENTATIONS)
    directions = upper_hemisphere(points[:, :2])
    rotations = Rotation.from_quat(quaternions(points[:, 2:]))
    clearance = _clearances(surface, fragment, contact, target, bond_length, directions, rotations)
    chosen: list[int] = []
    largest_cosine = np.cos(np.radians(DIRECTION_SEPARATION_DEG))
    for k in np.argsort(-clearance, kind="stable"):
        if clearance[k] > 0 and all(directions[k] @ directions[c] < largest_cosine for c in chosen):
            chosen.append(int(k))
        if len(chosen) == DIRECTIONS_PER_TARGET:
            break
    poses = []
    for k in chosen:
        molecule = fragment.copy()
        molecule.positions = (
            rotations[k].apply(centred) + surface.positions[target] + (bond_length + APPROACH_A) * directions[k]
        )
        pose = surface + molecule
        annotation.copy_notes(surface, pose)
        poses.append(pose)
    return poses


def _clearances(
    surface: Atoms,
    fragment: Atoms,
    contact: int,
    target: int,
    bond_length: float,
    directions: np.ndarray,
    rotations: Rotation,
) -> np.ndarray:
    """Compute the clearance of every orientation at one target atom.

    Parameters
    ----------
    bond_length : float
        Distance of the contact atom from the target atom in A.
    directions : ndarray of float
        Unit vectors from the target atom to the contact atom, shape (n, 3).
    rotations : Rotation
        Rotations of the molecule, shape (n,).

    Returns
    -------
    ndarray of float
        Shortest distance from the surroundings in units of the sum of the covalent radii, shape (n,); 0 for an
        orientation that clashes at the start of the approach.
    """
    centred = fragment.positions - fragment.positions[contact]
    radii = covalent_radii[fragment.numbers]
    cells = np.array([[i, j, 0] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    shifts = cells @ surface.cell.array
    images = np.concatenate([surface.positions - surface.positions[target] + shift for shift in shifts])
    image_radii = np.tile(covalent_radii[surface.numbers], len(shifts))
    near = np.linalg.norm(images, axis=1) < bond_length + np.linalg.norm(centred, axis=1).max() + SURROUNDINGS_A
    surroundings = images[near]
    is_target = np.linalg.norm(surroundings, axis=1) < 1e-6
    outermost = np.median(surface.positions[annotation.layers(surface) == 1, 2]) - surface.positions[target, 2]

    def ratios(positions: np.ndarray) -> np.ndarray:
        """Distances of all atoms from the surroundings, in units of the sum of the covalent radii."""
        distances = np.linalg.norm(positions[:, None] - surroundings[None], axis=-1)
        return distances / (radii[:, None] + image_radii[None, near])

    clearance = np.zeros(len(directions))
    for k, (direction, rotation) in enumerate(zip(directions, rotations, strict=True)):
        rotated = rotation.apply(centred)
        bound = rotated + bond_length * direction
        if ratios(rotated + (bond_length + APPROACH_A) * direction).min() > CLASH:
            to_surroundings = ratios(bound)
            to_surroundings[contact, is_target] = np.inf
            factor = 1.0 if bound[:, 2].min() > outermost else BELOW_SURFACE_FACTOR
            clearance[k] = to_surroundings.min() * factor
    return clearance


def _pull_into_contact(surface: Atoms, start: Atoms, contact: int, target: int, breaks: Sequence[RolePair]) -> Atoms:
    """Form the bond to the target atom with the spring model, and record the bonds of the state.

    Raises
    ------
    BuildError
        The springs do not reach the bond, or other bonds change.
    """
    formed = [(target, len(surface) + contact), *recorded_pairs(surface, "formed")]
    bonded = bond_matrix(surface)
    broken = [
        (int(i), int(j))
        for first_role, second_role in breaks
        for i in find_role(surface, first_role)
        for j in find_role(surface, second_role)
        if bonded[i, j]
    ]
    of_molecule = {(i + len(surface), j + len(surface)) for i, j in molecular_bonds(start[len(surface) :])}
    bonds = (molecular_bonds(surface) - {(min(pair), max(pair)) for pair in broken}) | of_molecule
    molecular = is_molecular(start)
    bonds |= {pair for pair in formed if molecular[list(pair)].all()}
    pose = apply_springs(start, formed, broken, arriving=len(surface))
    annotation.note(pose, bonds=[list(pair) for pair in sorted(bonds)])
    if reason := check_state(pose, pose):
        raise BuildError(reason)
    annotation.note(
        pose,
        pose=content_hash(pose),
        formed=[list(pair) for pair in formed],
        broken=[list(pair) for pair in broken],
    )
    return pose


def _is_same_pose(pose: Atoms, other: Atoms, contact: int) -> bool:
    """Whether two poses are equal except for symmetry: equal distances from the contact atom to each element."""
    everything = np.arange(len(pose))
    # Sorts by element first, then by distance.
    offset = pose.numbers * 1e3
    first, second = (np.sort(offset + atoms.get_distances(contact, everything, mic=True)) for atoms in (pose, other))
    return bool(np.abs(first - second).max() < SAME_POSE_A)
