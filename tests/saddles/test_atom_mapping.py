"""Permutation of equivalent groups: methyl groups and their hydrogen atoms are permuted, crystal atoms are not."""

from itertools import permutations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from qdsurf.atomistic.bonding import bond_matrix, differing_bonds
from qdsurf.saddles.atom_mapping import match_groups


def isobutane_and_fluorine() -> tuple[Atoms, list[np.ndarray]]:
    """Isobutane with a fluorine atom 3 A outside its first methyl group, and the groups, carbon atoms first."""
    atoms = molecule("isobutane")
    bonded = bond_matrix(atoms)
    hydrogens = {k: np.flatnonzero(bonded[k] & (atoms.numbers == 1)) for k in np.flatnonzero(atoms.numbers == 6)}
    (centre,) = (k for k, own in hydrogens.items() if len(own) == 1)
    groups = [np.array([k, *own]) for k, own in hydrogens.items() if k != centre]
    away = atoms.positions[groups[0][0]] - atoms.positions[centre]
    return atoms + Atoms("F", [atoms.positions[groups[0][0]] + 3 * away / np.linalg.norm(away)]), groups


@pytest.mark.parametrize("exchanged", [0, 1, 2])
def test_the_nearest_methyl_group_reacts_in_any_numbering(exchanged):
    atoms, groups = isobutane_and_fluorine()
    final = atoms.copy()
    along = atoms.positions[-1] - atoms.positions[groups[0][0]]
    final.positions[groups[0]] += along * (1 - 1.4 / np.linalg.norm(along))
    order = np.arange(len(atoms))
    order[groups[0]], order[groups[exchanged]] = groups[exchanged], groups[0]
    renumbered = final[order]
    renumbered.info["formed"] = [[int(groups[exchanged][0]), len(atoms) - 1]]
    renumbered.calc = SinglePointCalculator(renumbered, energy=-1.0, forces=2 * renumbered.positions)
    matched = match_groups(atoms, renumbered)
    np.testing.assert_allclose(matched.positions, final.positions, atol=1e-9)
    assert differing_bonds(atoms, matched) == differing_bonds(atoms, final) != set()
    assert matched.info["formed"] == [[int(groups[0][0]), len(atoms) - 1]]
    assert matched.get_potential_energy() == -1.0
    np.testing.assert_allclose(matched.get_forces(), 2 * matched.positions)


@pytest.mark.parametrize("order", list(permutations(range(1, 4))))
def test_hydrogen_atoms_of_a_group_are_permuted(order):
    atoms, groups = isobutane_and_fluorine()
    mixed = atoms.copy()
    mixed.positions[groups[1][1:]] = atoms.positions[groups[1][list(order)]]
    np.testing.assert_allclose(match_groups(atoms, mixed).positions, atoms.positions, atol=1e-9)


def test_atoms_of_a_crystal_are_not_permuted():
    atoms = Atoms("AuAuH2", [(0, 0, 0), (3, 0, 0), (0, 0, 9), (0, 0, 9.74)], cell=[6, 6, 15], pbc=(True, True, False))
    atoms.set_array("role", np.array(["substrate", "substrate", "adsorbate", "adsorbate"]))
    matched = match_groups(atoms, atoms[[1, 0, 3, 2]])
    np.testing.assert_allclose(matched.positions, atoms.positions[[1, 0, 2, 3]])
