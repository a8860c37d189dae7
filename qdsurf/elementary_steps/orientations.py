"""Uniform rotations and directions from points that are uniform in the unit cube or square."""

import numpy as np


def quaternions(points: np.ndarray) -> np.ndarray:
    """Convert points of the unit cube into uniformly distributed rotations.

    Parameters
    ----------
    points : ndarray of float
        Points in the unit cube, shape (n, 3).

    Returns
    -------
    ndarray of float
        Unit quaternions (x, y, z, w), shape (n, 4).

    References
    ----------
    K. Shoemake, Uniform random rotations, in Graphics Gems III, 1992, 124-132.
    """
    u = points[:, 0]
    first_angle = 2 * np.pi * points[:, 1]
    second_angle = 2 * np.pi * points[:, 2]
    first_radius, second_radius = np.sqrt(1 - u), np.sqrt(u)
    return np.column_stack(
        [
            first_radius * np.sin(first_angle),
            first_radius * np.cos(first_angle),
            second_radius * np.sin(second_angle),
            second_radius * np.cos(second_angle),
        ]
    )


def upper_hemisphere(points: np.ndarray) -> np.ndarray:
    """Convert points of the unit square into directions that are uniform over the upper half of a sphere.

    Parameters
    ----------
    points : ndarray of float
        Points in the unit square, shape (n, 2).

    Returns
    -------
    ndarray of float
        Unit vectors with z >= 0, shape (n, 3).
    """
    z = points[:, 0]
    azimuth = 2 * np.pi * points[:, 1]
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z])
