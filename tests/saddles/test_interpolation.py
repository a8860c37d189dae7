"""The first path bends bonds rather than stretch them, keeps what is fixed, and its gradient is that of its length."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100, molecule
from ase.constraints import FixAtoms

from qdsurf.atomistic.bonding import bond_ratios
from qdsurf.relaxation.coordinates import displacements, free_atoms
from qdsurf.saddles.interpolation import _pairs, _squared_length, geodesic_path


def turned_methyl() -> tuple[Atoms, Atoms]:
    """Ethane, and the same with one methyl turned by 120 degrees about the C-C bond."""
    initial = molecule("C2H6")
    final = initial.copy()
    axis = final.positions[1] - final.positions[0]
    methyl = Atoms("H3", final.positions[2:5])
    methyl.rotate(120, axis, center=final.positions[0])
    final.positions[2:5] = methyl.positions
    return initial, final


def test_a_turn_keeps_the_bonds():
    initial, final = turned_methyl()
    path = geodesic_path(initial, final, images=9)
    lengths = [atoms.get_distance(0, 2) for atoms in path]
    assert np.ptp(lengths) < 0.03 < np.ptp([(initial.positions[2] + w * d)[0] for w, d in ((0, 0), (1, 0.1))])
    straight = initial.copy()
    straight.positions = (initial.positions + final.positions) / 2
    assert straight.get_distance(0, 2) < 0.75 * initial.get_distance(0, 2)  # what a straight line would do
    assert min(bond_ratios(atoms).min() for atoms in path) > 0.95


def test_a_free_molecule_may_be_turned_and_shifted_and_its_path_is_the_same():
    initial, final = turned_methyl()
    moved = final.copy()
    moved.rotate(70, (1, 2, 3))
    moved.translate((4, -1, 2))
    assert np.linalg.norm(displacements(initial, moved), axis=1) == pytest.approx(
        np.linalg.norm(displacements(initial, final), axis=1), abs=1e-6
    )
    first, second = (geodesic_path(initial, end, images=5)[2] for end in (final, moved))
    assert first.get_all_distances() == pytest.approx(second.get_all_distances(), abs=0.02)


def test_fixed_atoms_stand_and_the_shortest_way_round_a_cell_is_taken():
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


def test_structures_on_the_way_choose_the_side_of_an_obstacle():
    initial = Atoms("HAr", [(-2, 0, 0), (0, 0, 0)], constraint=FixAtoms([1]))
    final = initial.copy()
    final.positions[0] = 2, 0, 0
    for side in (1.5, -1.5):
        middle = initial.copy()
        middle.positions[0] = 0, side, 0
        path = geodesic_path(initial, final, 9, through=(middle,))
        assert path[4].positions[0, 1] * np.sign(side) > 1.0
        assert path[-1].positions[0] == pytest.approx([2, 0, 0])


def test_the_gradient_is_that_of_the_length():
    initial, final = turned_methyl()
    path = geodesic_path(initial, final, images=5)
    rng = np.random.default_rng(0)
    positions = np.array([atoms.positions for atoms in path]) + rng.normal(scale=0.05, size=(5, 8, 3))
    pairs = _pairs(path, np.arange(8))
    along, h = rng.normal(size=positions.shape), 1e-6
    ahead, behind = (_squared_length(positions + sign * h * along, pairs)[0] for sign in (1, -1))
    assert (ahead - behind) / (2 * h) == pytest.approx(np.sum(_squared_length(positions, pairs)[1] * along), rel=1e-6)
