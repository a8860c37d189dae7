"""Radial part of an edge: the weights of all paths and channels as tabulated functions of the distance.

The radial network of a layer depends only on the distance. It applies a perceptron with SiLU to Bessel functions times
a smooth cut-off. It is evaluated once on a fine grid and interpolated with cubic Hermite splines. Forces use the exact
derivatives of the splines, so that they are the gradient of the energy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

# Below ORIGIN_A the splines extrapolate the first interval. `neighbours` refuses atoms closer than 0.4 A.
ORIGIN_A, SPACING_A = 0.1, 0.01
SILU_SCALE = (
    1.6791767923989418  # e3nn scales activations so that they keep the second moment of a standard normal input
)


class RadialTable(NamedTuple):
    """Radial weights on a grid.

    Attributes
    ----------
    origin, spacing : float
        First distance and spacing of the grid, A.
    values, slopes : ndarray
        Weights and their derivatives (1/A), shape (grid points, weights).
    """

    origin: float
    spacing: float
    values: np.ndarray
    slopes: np.ndarray


def silu(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate the activation x sigmoid(x), scaled as in e3nn, and its derivative."""
    sigmoid = expit(x)
    scale = x.dtype.type(SILU_SCALE)
    return scale * x * sigmoid, scale * sigmoid * (1 + x * (1 - sigmoid))


def tabulate_radial(
    layers: list[np.ndarray],
    frequencies: np.ndarray,
    prefactor: float,
    envelope: Callable[[np.ndarray, float, float], tuple[np.ndarray, np.ndarray]],
    parameter: float,
    cutoff: float,
    dtype: type,
) -> RadialTable:
    """Evaluate a radial network and its derivative on the grid.

    Parameters
    ----------
    layers : list of ndarray
        Weight matrices of the perceptron, shape (inputs, outputs); SiLU is applied between them.
    frequencies : ndarray
        Frequencies f of the Bessel functions prefactor sin(f r) / r, 1/A.
    prefactor : float
        Prefactor of the Bessel functions.
    envelope : callable
        Cut-off function, one of `ENVELOPES`.
    parameter : float
        Last argument of the cut-off function.
    cutoff : float
        Largest distance, A.
    dtype : type
        Precision of the table.

    Returns
    -------
    RadialTable
        Weights and their derivatives.
    """
    r = ORIGIN_A + SPACING_A * np.arange(round((cutoff - ORIGIN_A) / SPACING_A) + 1)
    cut, cut_slope = envelope(r, cutoff, parameter)
    r, cut, cut_slope = r[:, None], cut[:, None], cut_slope[:, None]
    bessel = prefactor * np.sin(frequencies * r) / r
    bessel_slope = prefactor * (frequencies * np.cos(frequencies * r) / r - np.sin(frequencies * r) / r**2)
    x, slope = bessel * cut, bessel_slope * cut + bessel * cut_slope
    for number, weights in enumerate(layers):
        if number:
            x, derivative = silu(x)
            slope = derivative * slope
        x, slope = x @ weights, slope @ weights
    return RadialTable(ORIGIN_A, SPACING_A, x.astype(dtype), slope.astype(dtype))


def polynomial_envelope(r: np.ndarray, cutoff: float, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate the cut-off function of DimeNet (10.48550/arXiv.2003.03123, equation 8) and its derivative."""
    p, x = power, r / cutoff
    a, b, c = (p + 1) * (p + 2) / 2, p * (p + 2), p * (p + 1) / 2
    value = 1 - a * x**p + b * x ** (p + 1) - c * x ** (p + 2)
    slope = (-a * p * x ** (p - 1) + b * (p + 1) * x**p - c * (p + 2) * x ** (p + 1)) / cutoff
    return value, slope


def xplor_envelope(r: np.ndarray, cutoff: float, onset: float) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate the XPLOR cut-off between `onset` and `cutoff` (A; 10.1002/jcc.540040211) and its derivative."""
    rest, scale = cutoff**2 - r**2, (cutoff**2 - onset**2) ** 3
    steep = cutoff**2 + 2 * r**2 - 3 * onset**2
    value, slope = rest**2 * steep / scale, 4 * r * rest * (rest - steep) / scale
    return np.where(r < onset, 1.0, value), np.where(r < onset, 0.0, slope)


ENVELOPES = {"polynomial": polynomial_envelope, "xplor": xplor_envelope}
