"""Eigenvector following: the guide decides between two saddle points, and minima have no mode of negative curvature."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms

from qdsurf.saddles.eigenvector_following import TIGHT_FACTOR, follow_mode
from qdsurf.saddles.energy_surface import EnergySurface, Point
from qdsurf.saddles.verification import _downhill_mode


class CosineSurface:
    """E = cos x + cos y + z^2: a maximum at 0, saddles at (pi, 0, 0) and (0, pi, 0), a minimum at (pi, pi, 0)."""

    def __call__(self, x):
        return Point(x, float(np.cos(x[:2]).sum() + x[2] ** 2), np.array([*-np.sin(x[:2]), 2 * x[2]]))

    def internal_directions(self, x):
        return np.eye(3)


@pytest.mark.parametrize(("guide", "saddle"), [((1, 0, 0), (0, np.pi, 0)), ((0, 1, 0), (np.pi, 0, 0))])
def test_the_guide_decides_between_two_saddle_points(guide, saddle):
    surface, start = CosineSurface(), np.array([1.0, 1.0, 0.1])
    diagonal, hessian = np.array([1.0, 1.0, 0.0]) / np.sqrt(2), np.diag([-0.5, -0.5, 2.0])
    point, mode, _ = follow_mode(surface, surface(start), hessian, diagonal, 0.05, 200, lambda x: np.array(guide))
    assert point.max_force < TIGHT_FACTOR * 0.05 and np.allclose(point.x, saddle, atol=0.05)
    assert abs(mode @ guide) > 0.99  # uphill to the maximum of the guided coordinate, downhill in the other


def test_a_saddle_point_has_a_downhill_mode_and_a_minimum_has_none():
    surface, followed = CosineSurface(), np.array([1.0, 0.0, 0.0])
    hessian = np.diag([1.0, -1.0, 2.0])

    def downhill_mode(x, y):
        return _downhill_mode(surface, surface(np.array([x, y, 0.0])), hessian, followed)

    assert downhill_mode(np.pi, np.pi) is None
    assert np.allclose(np.abs(downhill_mode(np.pi, 0.0)), [0, 1, 0])  # not the mode that was followed
    assert np.allclose(downhill_mode(0.0, np.pi), followed)


def test_the_stretch_direction_uses_the_nearest_image():
    atoms = Atoms("Au3", [[0.5, 0, 0], [9.5, 0, 0], [0.5, 3, 0]], cell=[10, 10, 10], pbc=True)
    surface = EnergySurface(atoms, SimpleNamespace())
    direction = surface.stretch_direction(atoms.positions.ravel(), {(0, 1): 1.0, (0, 2): -1.0}).reshape(3, 3)
    assert np.allclose(direction * 2, [[1, 1, 0], [-1, 0, 0], [0, -1, 0]])
    assert not surface.stretch_direction(atoms.positions.ravel(), {}).any()
