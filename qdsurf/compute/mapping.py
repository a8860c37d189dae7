"""Which atom of one state is which of another: like groups of a molecule may trade names."""

from collections.abc import Iterator
from itertools import islice

import networkx as nx
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import get_distances
from scipy.optimize import linear_sum_assignment

from qdsurf.compute.path import displacements, free_atoms
from qdsurf.connectivity import bond_matrix, differing_bonds, is_molecular, recorded_pairs

MOST = 2000  # ways to exchange groups that are looked at; Ti(NMe2)4 has 384
RECORDED = {"bonds", "formed", "broken"}  # pairs of atoms in `info`
IDLE = 0.01  # weight of what atoms move against what bonds that change move


def match_groups(initial: Atoms, final: Atoms) -> Atoms:
    """Give like groups of the final state the names with which the bonds that change have the shortest way.

    Which of three methyl groups leaves is a matter of names, and a path on which the farthest one does is no way to
    react. Groups are alike when an automorphism of the initial state's molecules exchanges them; hydrogen atoms follow
    the atom that they are bonded to, and trade places among themselves.

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
            if own := hydrogens[atom]:
                order[own] = _nearest(initial[own], final[hydrogens[other]], hydrogens[other])
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
    movable &= is_molecular(atoms) if "role" in atoms.arrays else True
    bonded = bond_matrix(atoms) & movable[:, None] & movable[None, :]
    light = (atoms.numbers == 1) & (bonded.sum(axis=1) == 1)
    light &= ~bonded[:, atoms.numbers == 1].any(axis=1)  # H2 is a molecule of its own
    hydrogens = {int(k): np.flatnonzero(bonded[k] & light).tolist() for k in np.flatnonzero(movable & ~light)}
    graph = nx.Graph()
    graph.add_nodes_from((k, {"kind": (atoms.numbers[k], len(own))}) for k, own in hydrogens.items())
    graph.add_edges_from((i, j) for i, j in np.argwhere(bonded).tolist() if i in hydrogens and j in hydrogens)
    alike = nx.isomorphism.categorical_node_match("kind", None)
    return hydrogens, nx.isomorphism.GraphMatcher(graph, graph, node_match=alike).isomorphisms_iter()


def _nearest(own: Atoms, other: Atoms, names: list[int]) -> np.ndarray:
    """Which of the other atoms each of some atoms becomes, so that they move least."""
    apart = get_distances(own.positions, other.positions, own.cell, own.pbc)[1]
    return np.array(names, dtype=int)[linear_sum_assignment(apart**2)[1]]


def _reordered(atoms: Atoms, order: np.ndarray) -> Atoms:
    """The same structure with positions, recorded bonds, energy and forces in another order."""
    moved, names = atoms.copy(), np.argsort(order)
    moved.set_positions(atoms.positions[order], apply_constraint=False)
    for key in RECORDED & set(atoms.info):
        moved.info[key] = names[np.array(recorded_pairs(atoms, key), dtype=int)].tolist()
    if atoms.calc:
        energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)[order]
        moved.calc = SinglePointCalculator(moved, energy=energy, forces=forces)
    return moved
