"""The climb to a saddle: where it goes when two ways lead up, and what counts as falling."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms

from qdsurf.saddles.eigenvector_following import TIGHT, follow_mode
from qdsurf.saddles.energy_surface import Point, Surface
from qdsurf.saddles.verification import _falling_mode


class Eggs:
    """E = cos x + cos y + z^2: a maximum at 0, saddles at (pi, 0, 0) and (0, pi, 0), a minimum at (pi, pi, 0)."""

    def __call__(self, x):
        return Point(x, float(np.cos(x[:2]).sum() + x[2] ** 2), np.array([*-np.sin(x[:2]), 2 * x[2]]))

    def shapes(self, x):
        return np.eye(3)


@pytest.mark.parametrize(("guide", "saddle"), [((1, 0, 0), (0, np.pi, 0)), ((0, 1, 0), (np.pi, 0, 0))])
def test_the_climb_leans_to_its_guide(guide, saddle):
    eggs, start = Eggs(), np.array([1.0, 1.0, 0.1])
    diagonal, hessian = np.array([1.0, 1.0, 0.0]) / np.sqrt(2), np.diag([-0.5, -0.5, 2.0])
    point, mode, _ = follow_mode(eggs, eggs(start), hessian, diagonal, 0.05, 200, lambda x: np.array(guide))
    assert point.max_force < TIGHT * 0.05 and np.allclose(point.x, saddle, atol=0.05)
    assert abs(mode @ guide) > 0.99  # uphill to the maximum of the guided coordinate, downhill in the other


def test_a_mode_falls_from_a_saddle_and_none_from_a_minimum():
    eggs, along = Eggs(), np.array([1.0, 0.0, 0.0])
    at = lambda x, y: (eggs, eggs(np.array([x, y, 0.0])))
    hessian = np.diag([1.0, -1.0, 2.0])
    assert _falling_mode(*at(np.pi, np.pi), hessian, along) is None
    assert np.allclose(
        np.abs(_falling_mode(*at(np.pi, 0.0), hessian, along)), [0, 1, 0]
    )  # not the one that was followed
    assert np.allclose(_falling_mode(*at(0.0, np.pi), hessian, along), along)


def test_the_direction_in_which_bonds_change_crosses_the_cell():
    atoms = Atoms("Au3", [[0.5, 0, 0], [9.5, 0, 0], [0.5, 3, 0]], cell=[10, 10, 10], pbc=True)
    surface = Surface(atoms, SimpleNamespace())
    direction = surface.stretch(atoms.positions.ravel(), {(0, 1): 1.0, (0, 2): -1.0}).reshape(3, 3)
    assert np.allclose(direction * 2, [[1, 1, 0], [-1, 0, 0], [0, -1, 0]])
    assert not surface.stretch(atoms.positions.ravel(), {}).any()
