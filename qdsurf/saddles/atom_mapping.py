"""Which atom of one state is which of another: like groups of a molecule may trade names."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, permutations

import networkx as nx
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import bond_matrix, differing_bonds, is_molecular, recorded_pairs
from qdsurf.relaxation.coordinates import displacements, free_atoms

MOST = 2000  # ways to exchange groups that are looked at; Ti(NMe2)4 has 384
RECORDED = ("bonds", "formed", "broken")  # pairs of atoms in `info`
IDLE = 0.01  # weight of what atoms move against what bonds that change move


def match_groups(initial: Atoms, final: Atoms) -> Atoms:
    """Give like groups of the final state the names with which the bonds that change have the shortest way.

    Which of three methyl groups leaves is a matter of names, and a path on which the farthest one does is no way to
    react. Groups are alike when an automorphism of the initial state's molecules exchanges them; hydrogen atoms follow
    the atom that they are bonded to, and three of them may have turned.

    Parameters
    ----------
    initial, final : the same atoms in the same order.

    Returns
    -------
    The final state with its atoms in another order, or as it was; energy and forces go along.
    """
    hydrogens, exchanges = _exchanges(initial)
    best, least = final, _way(initial, final) - 1e-6
    for exchange in islice(exchanges, MOST):
        order = np.arange(len(initial))
        for atom, other in exchange.items():
            order[atom] = other
            own = [atom, *hydrogens[atom]]
            order[own[1:]] = _nearest(initial, final, own, [other, *hydrogens[other]])
        other = _reordered(final, order)
        if (way := _way(initial, other)) < least:
            best, least = other, way
    return best


def _way(initial: Atoms, final: Atoms) -> float:
    """Squares of what the bonds that change grow or shrink, and a little of what all atoms move, A^2."""
    changes = [
        initial.get_distance(*pair, mic=True) - final.get_distance(*pair, mic=True)
        for pair in differing_bonds(initial, final)
    ]
    return float(np.square(changes).sum() + IDLE * np.square(displacements(initial, final)).sum())


def _exchanges(atoms: Atoms) -> tuple[dict[int, list[int]], Iterator[dict[int, int]]]:
    """Hydrogen atoms of every other atom of the molecules, and the automorphisms of these others."""
    movable = np.isin(np.arange(len(atoms)), free_atoms(atoms))
    movable &= is_molecular(atoms) if annotation.has_parts(atoms) else True
    bonded = bond_matrix(atoms) & movable[:, None] & movable[None, :]
    light = (atoms.numbers == 1) & (bonded.sum(axis=1) == 1)
    light &= ~bonded[:, atoms.numbers == 1].any(axis=1)  # H2 is a molecule of its own
    hydrogens = {int(k): np.flatnonzero(bonded[k] & light).tolist() for k in np.flatnonzero(movable & ~light)}
    graph = nx.Graph()
    graph.add_nodes_from((k, {"kind": (atoms.numbers[k], len(own))}) for k, own in hydrogens.items())
    graph.add_edges_from((i, j) for i, j in np.argwhere(bonded).tolist() if i in hydrogens and j in hydrogens)
    alike = nx.isomorphism.categorical_node_match("kind", None)
    return hydrogens, nx.isomorphism.GraphMatcher(graph, graph, node_match=alike).isomorphisms_iter()


def _nearest(initial: Atoms, final: Atoms, own: Sequence[int], other: Sequence[int]) -> list[int]:
    """Which hydrogen atoms those of an atom (the first) become: three may have turned, but are no mirror image."""
    names = other[1:]
    if len(names) != 3:
        return list(names)
    here, there = (
        atoms.get_distances(k[0], k[1:], mic=True, vector=True) for atoms, k in ((initial, own), (final, other))
    )
    turns = [list(turn) for turn in permutations(range(3))]
    turns = [turn for turn in turns if np.linalg.det(here) * np.linalg.det(there[turn]) > 0]
    return [names[k] for k in min(turns, key=lambda turn: np.square(there[turn] - here).sum())]


def _reordered(atoms: Atoms, order: np.ndarray) -> Atoms:
    """The same structure with positions, recorded bonds, energy and forces in another order."""
    moved, names = atoms.copy(), np.argsort(order)
    moved.set_positions(atoms.positions[order], apply_constraint=False)
    for key in filter(partial(annotation.has_note, atoms), RECORDED):
        pairs = np.array(recorded_pairs(atoms, key), dtype=int)
        annotation.note(moved, **{key: np.sort(names[pairs], axis=-1).tolist()})
    if atoms.calc:
        energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)[order]
        moved.calc = SinglePointCalculator(moved, energy=energy, forces=forces)
    return moved
