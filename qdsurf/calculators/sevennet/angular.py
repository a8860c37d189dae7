"""Angular part of an edge: real spherical harmonics of its direction, and their Clebsch-Gordan couplings.

The convention is that of e3nn (10.48550/arXiv.2207.09453): component normalisation, y is the polar axis.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from qdsurf.calculators.sevennet.compilation import COMPILED

R3, R5, R7, R15, R35_8, R21_8, R105 = np.sqrt([3, 5, 7, 15, 35 / 8, 21 / 8, 105.0])
# Harmonic (l, m) as a homogeneous polynomial of the unit vector: {(power of x, of y, of z): coefficient}.
HARMONICS = [
    [{(0, 0, 0): 1.0}],
    [{(1, 0, 0): R3}, {(0, 1, 0): R3}, {(0, 0, 1): R3}],
    [
        {(1, 0, 1): R15},
        {(1, 1, 0): R15},
        {(0, 2, 0): R5, (2, 0, 0): -R5 / 2, (0, 0, 2): -R5 / 2},
        {(0, 1, 1): R15},
        {(0, 0, 2): R15 / 2, (2, 0, 0): -R15 / 2},
    ],
    [
        {(1, 0, 2): 3 * R35_8, (3, 0, 0): -R35_8},
        {(1, 1, 1): R105},
        {(1, 2, 0): 4 * R21_8, (3, 0, 0): -R21_8, (1, 0, 2): -R21_8},
        {(0, 3, 0): R7, (2, 1, 0): -1.5 * R7, (0, 1, 2): -1.5 * R7},
        {(0, 2, 1): 4 * R21_8, (2, 0, 1): -R21_8, (0, 0, 3): -R21_8},
        {(0, 1, 2): R105 / 2, (2, 1, 0): -R105 / 2},
        {(0, 0, 3): R35_8, (2, 0, 1): -3 * R35_8},
    ],
]


class Angular(NamedTuple):
    """Couplings C_ik(r) = sum_j <l1 i, l2 j | l3 k> Y_j(r) of all triples (l1, l2, l3), as sparse sums.

    Attributes
    ----------
    powers : ndarray
        Powers of x, y and z in each of the p monomials of all harmonics, shape (p, 3).
    factors : ndarray
        Coefficients of the monomials, shape (p,).
    harmonic : ndarray
        Number l^2 + m of the harmonic to which a monomial belongs, shape (p,).
    row, column, value : ndarray
        Nonzero coefficients: number of the coupling, number of the harmonic, and the coefficient, shape (q,).
    size : int
        Number of couplings of an edge.
    """

    powers: np.ndarray
    factors: np.ndarray
    harmonic: np.ndarray
    row: np.ndarray
    column: np.ndarray
    value: np.ndarray
    size: int


def make_angular(coefficients: dict[tuple[int, ...], np.ndarray]) -> tuple[Angular, dict]:
    """Number the couplings of all triples one after the other.

    Parameters
    ----------
    coefficients : dict
        Clebsch-Gordan coefficients of each triple (l1, l2, l3), shape (2 l1 + 1, 2 l2 + 1, 2 l3 + 1).

    Returns
    -------
    angular : Angular
        The couplings as sparse sums.
    first : dict
        Number of the first coupling of each triple; C_ik has the number first + i (2 l3 + 1) + k.
    """
    largest = max(l2 for _, l2, _ in coefficients)
    monomials = [
        (powers, factor, degree**2 + m)
        for degree, harmonics in enumerate(HARMONICS[: largest + 1])
        for m, polynomial in enumerate(harmonics)
        for powers, factor in polynomial.items()
    ]
    first, entries, size = {}, [], 0
    for (l1, l2, l3), tensor in coefficients.items():
        first[l1, l2, l3] = size
        entries += [
            (size + i * (2 * l3 + 1) + k, l2 * l2 + j, tensor[i, j, k]) for i, j, k in np.argwhere(abs(tensor) > 1e-9)
        ]
        size += (2 * l1 + 1) * (2 * l3 + 1)
    powers, factors, harmonic = map(np.array, zip(*monomials, strict=True))
    row, column, value = map(np.array, zip(*entries, strict=True))
    return Angular(powers, factors, harmonic, row, column, value, size), first


@njit(**COMPILED)
def couple(first, last, vectors, distances, angular, couplings):
    """Compute the couplings of the edges `first` to `last`.

    Parameters
    ----------
    first, last : int
        Range of edges.
    vectors, distances : ndarray
        Vectors and lengths of the edges in A, shape (edges, 3) and (edges,).
    angular : Angular
        Couplings as sparse sums.
    couplings : ndarray
        Output, shape (edges, angular.size).
    """
    harmonics = np.empty(angular.column.max() + 1)
    row = np.empty(angular.size)
    for e in range(first, last):
        x, y, z = vectors[e, 0] / distances[e], vectors[e, 1] / distances[e], vectors[e, 2] / distances[e]
        harmonics[:] = 0.0
        for p in range(len(angular.factors)):
            a, b, c = angular.powers[p, 0], angular.powers[p, 1], angular.powers[p, 2]
            harmonics[angular.harmonic[p]] += angular.factors[p] * x**a * y**b * z**c
        row[:] = 0.0
        for q in range(len(angular.value)):
            row[angular.row[q]] += angular.value[q] * harmonics[angular.column[q]]
        for q in range(angular.size):
            couplings[e, q] = row[q]


@njit(**COMPILED)
def edge_gradient(first, last, vectors, distances, angular, d_couplings, d_distances, gradient):
    """Convert derivatives with respect to couplings and distances into derivatives with respect to the edge vectors.

    Parameters
    ----------
    first, last : int
        Range of edges.
    vectors, distances : ndarray
        Vectors and lengths of the edges in A, shape (edges, 3) and (edges,).
    angular : Angular
        Couplings as sparse sums.
    d_couplings, d_distances : ndarray
        Derivatives of the energy, shape (edges, angular.size) and (edges,).
    gradient : ndarray
        Output in eV/A, shape (edges, 3).
    """
    d_harmonics = np.empty(angular.column.max() + 1)
    for e in range(first, last):
        d = distances[e]
        x, y, z = vectors[e, 0] / d, vectors[e, 1] / d, vectors[e, 2] / d
        d_harmonics[:] = 0.0
        for q in range(len(angular.value)):
            d_harmonics[angular.column[q]] += angular.value[q] * d_couplings[e, angular.row[q]]
        gx = gy = gz = 0.0
        for p in range(len(angular.factors)):
            a, b, c = angular.powers[p, 0], angular.powers[p, 1], angular.powers[p, 2]
            f = angular.factors[p] * d_harmonics[angular.harmonic[p]]
            if a > 0:
                gx += f * a * x ** (a - 1) * y**b * z**c
            if b > 0:
                gy += f * b * x**a * y ** (b - 1) * z**c
            if c > 0:
                gz += f * c * x**a * y**b * z ** (c - 1)
        along = gx * x + gy * y + gz * z  # removed: the harmonics depend on the direction only
        gradient[e, 0] = d_distances[e] * x + (gx - along * x) / d
        gradient[e, 1] = d_distances[e] * y + (gy - along * y) / d
        gradient[e, 2] = d_distances[e] * z + (gz - along * z) / d
