"""Geodesic paths: bonds rotate rather than stretch, fixed atoms stay, and the gradient is that of the length."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100, molecule
from ase.constraints import FixAtoms

from qdsurf.atomistic.bonding import bond_ratios
from qdsurf.relaxation.coordinates import displacements, free_atoms
from qdsurf.saddles.interpolation import _find_pairs, _squared_length, geodesic_path


def turned_methyl() -> tuple[Atoms, Atoms]:
    """Ethane, and the same with one methyl turned by 120 degrees about the C-C bond."""
    initial = molecule("C2H6")
    final = initial.copy()
    axis = final.positions[1] - final.positions[0]
    methyl = Atoms("H3", final.positions[2:5])
    methyl.rotate(120, axis, center=final.positions[0])
    final.positions[2:5] = methyl.positions
    return initial, final


def test_a_rotation_keeps_the_bond_lengths():
    initial, final = turned_methyl()
    path = geodesic_path(initial, final, images=9)
    lengths = [atoms.get_distance(0, 2) for atoms in path]
    assert np.ptp(lengths) < 0.03 < np.ptp([(initial.positions[2] + w * d)[0] for w, d in ((0, 0), (1, 0.1))])
    straight = initial.copy()
    straight.positions = (initial.positions + final.positions) / 2
    assert straight.get_distance(0, 2) < 0.75 * initial.get_distance(0, 2)  # on a straight line
    assert min(bond_ratios(atoms).min() for atoms in path) > 0.95


def test_the_path_of_a_free_molecule_does_not_depend_on_its_position_and_orientation():
    initial, final = turned_methyl()
    moved = final.copy()
    moved.rotate(70, (1, 2, 3))
    moved.translate((4, -1, 2))
    assert np.linalg.norm(displacements(initial, moved), axis=1) == pytest.approx(
        np.linalg.norm(displacements(initial, final), axis=1), abs=1e-6
    )
    first, second = (geodesic_path(initial, end, images=5)[2] for end in (final, moved))
    assert first.get_all_distances() == pytest.approx(second.get_all_distances(), abs=0.02)


def test_fixed_atoms_stay_and_the_path_leads_to_the_nearest_image():
    slab = fcc100("Al", (2, 2, 2), vacuum=6)
    add_adsorbate(slab, "H", 1.5, "hollow")
    slab.set_constraint(FixAtoms(range(8)))
    final = slab.copy()
    final.positions[8] += 0.5 * slab.cell[0]
    final.positions[8] -= slab.cell[0]
    path = geodesic_path(slab, final, images=7)
    assert free_atoms(slab).tolist() == [8]
    for atoms in path:
        np.testing.assert_array_equal(atoms.positions[:8], slab.positions[:8])
    places = np.array([atoms.positions[8] for atoms in path])
    assert np.abs(np.diff(places[:, 0])).max() < 1.0  # half a cell is 2.9 A
    assert places[3, 2] >= places[0, 2] - 1e-3  # over the bridge, not through the surface


def test_given_structures_decide_on_which_side_of_an_obstacle_the_path_leads():
    initial = Atoms("HAr", [(-2, 0, 0), (0, 0, 0)], constraint=FixAtoms([1]))
    final = initial.copy()
    final.positions[0] = 2, 0, 0
    for side in (1.5, -1.5):
        middle = initial.copy()
        middle.positions[0] = 0, side, 0
        path = geodesic_path(initial, final, 9, through=(middle,))
        assert path[4].positions[0, 1] * np.sign(side) > 1.0
        assert path[-1].positions[0] == pytest.approx([2, 0, 0])


def test_the_gradient_agrees_with_differences_of_the_length():
    initial, final = turned_methyl()
    path = geodesic_path(initial, final, images=5)
    rng = np.random.default_rng(0)
    positions = np.array([atoms.positions for atoms in path]) + rng.normal(scale=0.05, size=(5, 8, 3))
    pairs = _find_pairs(path, np.arange(8))
    along, h = rng.normal(size=positions.shape), 1e-6
    ahead, behind = (_squared_length(positions + sign * h * along, pairs)[0] for sign in (1, -1))
    assert (ahead - behind) / (2 * h) == pytest.approx(np.sum(_squared_length(positions, pairs)[1] * along), rel=1e-6)
