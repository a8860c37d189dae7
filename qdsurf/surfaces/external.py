"""Annotation of structures that were not built by qdsurf: crystal, ligands, anchors, layers and formal charges."""

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, SUBSTRATE, annotate
from qdsurf.atomistic.bonding import DONORS, bond_matrix, is_metal
from qdsurf.atomistic.bonding_criteria import SHORTEST_DISTANCE_A
from qdsurf.errors import BuildError, InputError
from qdsurf.records import library
from qdsurf.surfaces.adsorption_sites import upright
from qdsurf.surfaces.crystal import LAYER_GAP_A
from qdsurf.surfaces.rolling_probe import ProbedSurface, exposed_atoms

# Largest absolute charge of one ligand in e.
LARGEST_SHARE = 2
# Empty space on each side of a particle without a cell.
EMPTY_A = 10.0
# Atomic numbers of the elements that ligands may contain: H, C, N, O, F, P, S, Cl, Br and I.
LIGAND_ELEMENTS = (1, 6, 7, 8, 9, 15, 16, 17, 35, 53)
HYDROGEN_AND_CARBON = (1, 6)


def annotate_external(atoms: Atoms, charges: Mapping[str, float] | None = None, where: str = "structure") -> Atoms:
    """Assign the columns of `atomistic.annotation.annotate` to a structure, unless it has them.

    Groups of nonmetal atoms that contain carbon or hydrogen are ligands. Their donor atoms next to a metal atom of the
    crystal are anchors. All other atoms are the crystal. Formal charges of the crystal are those of the materials on
    record. The opposite of its total charge is distributed evenly over the ligands.

    Parameters
    ----------
    atoms : Atoms
        Slab with its surface along z, or a particle.
    charges : mapping of str to float, optional
        Formal charges in e by element, for elements without a recorded charge or with a different one.
    where : str
        Name of the structure, for error messages.

    Returns
    -------
    Atoms
        Annotated copy, or the same object if it is annotated already.

    Raises
    ------
    InputError
        An element has no formal charge, two atoms overlap, or the charge of the crystal is not an integer for each
        ligand.
    """
    if annotation.is_annotated(atoms):
        return atoms
    _assert_no_overlap(atoms, where)
    annotated = annotate(_in_one_piece(atoms), SUBSTRATE)
    ligands = _organic_groups(annotated)
    for number, group in enumerate(ligands, start=1):
        annotation.parts(annotated)[group] = LIGAND
        annotation.fragments(annotated)[group] = number
    crystal = np.flatnonzero(annotation.parts(annotated) == SUBSTRATE)
    if not len(crystal):
        raise InputError(
            f"{where}: contains no crystal, because all {len(atoms)} atoms belong to molecules; give a slab or particle"
        )
    known = _charges_of_crystal(annotated, crystal) | dict(charges or {})
    missing = sorted(set(annotated.symbols[crystal]) - set(known))
    if missing:
        raise InputError(f"{where}: no formal charge is known for {', '.join(missing)}; give it as ELEMENT=CHARGE")
    annotation.formal_charges(annotated)[crystal] = [known[symbol] for symbol in annotated.symbols[crystal]]
    if ligands:
        _annotate_ligands(annotated, crystal, ligands, where)
    annotation.layers(annotated)[crystal] = _layers(annotated[crystal])
    return annotated


def _charges_of_crystal(atoms: Atoms, crystal: np.ndarray) -> dict[str, float]:
    """Return the formal charges in e by element; those of a metal crystal are zero."""
    if is_metal(atoms)[crystal].all():
        return dict.fromkeys(set(atoms.symbols), 0.0)
    return {"H": 1.0} | known_charges()


def _annotate_ligands(atoms: Atoms, crystal: np.ndarray, ligands: list[np.ndarray], where: str) -> None:
    """Mark the anchors of the ligands and distribute the opposite of the charge of the crystal over them."""
    total = annotation.formal_charges(atoms)[crystal].sum()
    share = -total / len(ligands)
    if abs(share - round(share)) > 1e-6 or abs(share) > LARGEST_SHARE:
        raise InputError(
            f"{where}: the crystal has a charge of {total:+g} e, which {len(ligands)} ligands cannot share evenly; "
            "annotate the structure yourself with qdsurf.atomistic.annotation.annotate"
        )
    metal_of_crystal = is_metal(atoms) & (annotation.parts(atoms) == SUBSTRATE)
    beside_metal = np.asarray(bond_matrix(atoms)[:, metal_of_crystal].any(axis=1))
    donor = np.isin(atoms.symbols, DONORS)
    for group in ligands:
        # Donor atoms beside a metal atom are preferred; otherwise all donor atoms are anchors, or all atoms.
        options = (group[beside_metal[group] & donor[group]], group[donor[group]], group)
        anchors = next(option for option in options if len(option))
        annotation.anchors(atoms)[anchors] = True
        annotation.formal_charges(atoms)[anchors] += round(share) / len(anchors)


def _in_one_piece(atoms: Atoms) -> Atoms:
    """Return a slab that the end of the cell does not cut, or the structure in a cell if it has none."""
    boxed = atoms.copy()
    if bare := [axis for axis in range(3) if not atoms.cell[axis].any()]:
        boxed.center(vacuum=EMPTY_A, axis=bare)
    try:
        return upright(boxed) if boxed.pbc[:2].any() else boxed
    except BuildError:
        return boxed


def known_charges() -> dict[str, float]:
    """Return the formal charges in e by element in the materials on record.

    An element of a metal has no charge. It is listed with zero only if no other material assigns a charge to it.
    """
    found: dict[str, float] = {}
    for name in library.names("materials"):
        for element, charge in library.material(name).formal_charges.items():
            if charge or element not in found:
                found[element] = charge
    return found


def _assert_no_overlap(atoms: Atoms, where: str) -> None:
    """Raise an error if two atoms are closer than any bond."""
    i, j, distance = neighbor_list("ijd", atoms, SHORTEST_DISTANCE_A)
    if len(distance):
        k = int(np.argmin(distance))
        raise InputError(
            f"{where}: {atoms.symbols[i[k]]}{i[k]} and {atoms.symbols[j[k]]}{j[k]} are {distance[k]:.2f} A apart; "
            f"at least {SHORTEST_DISTANCE_A} A is expected ({len(distance) // 2} such pairs)"
        )


def _organic_groups(atoms: Atoms) -> list[np.ndarray]:
    """Return the connected groups of nonmetal atoms that contain carbon, or hydrogen and at least three atoms.

    A proton on the crystal is therefore not a group.
    """
    light = np.flatnonzero(np.isin(atoms.numbers, LIGAND_ELEMENTS))
    if not np.isin(atoms.numbers, HYDROGEN_AND_CARBON).any():
        return []
    is_organic = np.isin(atoms.numbers[light], HYDROGEN_AND_CARBON)
    covalent = bond_matrix(atoms[light]) & (is_organic[:, None] | is_organic[None])
    label = connected_components(coo_array(covalent), directed=False)[1]
    groups = [light[label == k] for k in range(label.max() + 1)]
    return [group for group in groups if np.isin(atoms.numbers[group], 6).any() or len(group) > 2]


def _layers(crystal: Atoms) -> np.ndarray:
    """Return the number of the layer of each atom, 1 for the outermost, shape (n,).

    The layers of a slab are separated by `LAYER_GAP_A`. In a particle, atoms that the rolling probe sphere can touch
    are layer 1, and all others are layer 2. A proton has the number of the nearest heavy atom.
    """
    heavy = np.flatnonzero(crystal.numbers > 1) if (crystal.numbers > 1).any() else np.arange(len(crystal))
    number = np.full(len(crystal), 2)
    if crystal.pbc[:2].any():
        heights = crystal.positions[heavy, 2]
        order = np.argsort(-heights, kind="stable")
        number[heavy[order]] = 1 + np.concatenate([[0], np.cumsum(-np.diff(heights[order]) > LAYER_GAP_A)])
    else:
        number[heavy[exposed_atoms(ProbedSurface(crystal[heavy]))]] = 1
    protons = np.setdiff1d(np.arange(len(crystal)), heavy)
    for proton in protons:
        number[proton] = number[heavy[np.argmin(crystal.get_distances(int(proton), heavy, mic=True))]]
    return number
