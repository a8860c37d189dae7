"""Mapping of the atoms of one state to those of another, with permutations of equivalent groups."""

from collections.abc import Iterator, Sequence
from itertools import islice, permutations

import networkx as nx
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import bond_matrix, differing_bonds, is_molecular, recorded_pairs
from qdsurf.relaxation.coordinates import displacements, free_atoms

MAX_PERMUTATIONS = 2000  # Ti(NMe2)4 has 384
PAIR_NOTES = ("bonds", "formed", "broken")  # notes of a structure that are lists of pairs of atoms
# Weight of the squared displacements of all atoms, compared with the squared changes of the changing bonds.
DISPLACEMENT_WEIGHT = 0.01


def match_groups(initial: Atoms, final: Atoms) -> Atoms:
    """Permute equivalent groups in the final state so that the atoms of the changing bonds move the shortest distance.

    Which of three methyl groups leaves is a matter of numbering. A path on which the most distant one leaves has an
    irrelevant barrier. Groups are equivalent if an automorphism of the molecules of the initial state exchanges them.
    Hydrogen atoms follow the atom to which they are bonded, and the three hydrogens of a group may be permuted
    cyclically.

    Parameters
    ----------
    initial, final : Atoms
        The same atoms in the same order.

    Returns
    -------
    Atoms
        The final state with its atoms in the best order; energy and forces are permuted, too.
    """
    hydrogens, automorphisms = _find_automorphisms(initial)
    best = final
    least = _squared_change(initial, final) - 1e-6
    for automorphism in islice(automorphisms, MAX_PERMUTATIONS):
        order = np.arange(len(initial))
        for atom, image in automorphism.items():
            order[atom] = image
            order[hydrogens[atom]] = _match_hydrogens(
                initial, final, [atom, *hydrogens[atom]], [image, *hydrogens[image]]
            )
        candidate = _permute_atoms(final, order)
        change = _squared_change(initial, candidate)
        if change < least:
            best, least = candidate, change
    return best


def _squared_change(initial: Atoms, final: Atoms) -> float:
    """Return the squared changes of the changing bonds plus the weighted squared displacements of all atoms, in A^2."""
    changes = [
        initial.get_distance(*pair, mic=True) - final.get_distance(*pair, mic=True)
        for pair in differing_bonds(initial, final)
    ]
    return float(np.square(changes).sum() + DISPLACEMENT_WEIGHT * np.square(displacements(initial, final)).sum())


def _find_automorphisms(atoms: Atoms) -> tuple[dict[int, list[int]], Iterator[dict[int, int]]]:
    """Find the automorphisms of the molecules without their terminal hydrogen atoms.

    Returns the terminal hydrogen atoms of every other atom, and the automorphisms of these others.
    """
    movable = np.isin(np.arange(len(atoms)), free_atoms(atoms))
    if annotation.has_parts(atoms):
        movable &= is_molecular(atoms)
    bonded = bond_matrix(atoms) & movable[:, None] & movable[None, :]
    terminal = (atoms.numbers == 1) & (bonded.sum(axis=1) == 1)
    terminal &= ~bonded[:, atoms.numbers == 1].any(axis=1)  # the atoms of H2 have no heavier atom to follow
    centres = np.flatnonzero(movable & ~terminal).tolist()
    hydrogens: dict[int, list[int]] = {k: np.flatnonzero(bonded[k] & terminal).tolist() for k in centres}
    graph = nx.Graph()
    graph.add_nodes_from((k, {"kind": (atoms.numbers[k], len(hydrogens[k]))}) for k in centres)
    graph.add_edges_from((i, j) for i, j in np.argwhere(bonded).tolist() if i in hydrogens and j in hydrogens)
    same_kind = nx.isomorphism.categorical_node_match("kind", None)
    return hydrogens, nx.isomorphism.GraphMatcher(graph, graph, node_match=same_kind).isomorphisms_iter()


def _match_hydrogens(initial: Atoms, final: Atoms, group: Sequence[int], image: Sequence[int]) -> list[int]:
    """Return the order of the hydrogen atoms of `image` that matches those of `group` best.

    The first atom of each group is the centre. Three hydrogen atoms may be rotated but not reflected.
    """
    hydrogens = list(image[1:])
    if len(hydrogens) != 3:
        return hydrogens
    bonds_before = initial.get_distances(group[0], group[1:], mic=True, vector=True)
    bonds_after = final.get_distances(image[0], image[1:], mic=True, vector=True)
    orders = [list(order) for order in permutations(range(3))]
    handedness = np.linalg.det(bonds_before)
    rotations = [order for order in orders if handedness * np.linalg.det(bonds_after[order]) > 0]
    best = min(rotations, key=lambda order: np.square(bonds_after[order] - bonds_before).sum())
    return [hydrogens[k] for k in best]


def _permute_atoms(atoms: Atoms, order: np.ndarray) -> Atoms:
    """Return the same structure with positions, recorded bonds, energy and forces in another order."""
    permuted, new_indices = atoms.copy(), np.argsort(order)
    permuted.set_positions(atoms.positions[order], apply_constraint=False)
    for key in PAIR_NOTES:
        if annotation.has_note(atoms, key):
            pairs = np.array(recorded_pairs(atoms, key), dtype=int)
            annotation.note(permuted, **{key: np.sort(new_indices[pairs], axis=-1).tolist()})
    if atoms.calc:
        energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)[order]
        permuted.calc = SinglePointCalculator(permuted, energy=energy, forces=forces)
    return permuted
