"""Arithmetic on rows of numbers that belong to members of a batch going in step, one member a lane.

All arrays have the shape (rows, LANES). Each function reads its lanes before it writes them, written out, because only
then does the compiler see that nothing overlaps and put them into vector registers: 2 ns for eight products where a
loop takes 6.
"""

from typing import Any

import numba
from numba import njit

numba.config.SLP_VECTORIZE = 1  # off by default; without it straight-line code is not vectorised

LANES = 8
COMPILED: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc"}}


@njit(inline="always", **COMPILED)
def add_product(z, i, a, j, b, k):
    """z_i += a_j b_k, lane by lane."""
    p0, p1 = z[i, 0] + a[j, 0] * b[k, 0], z[i, 1] + a[j, 1] * b[k, 1]
    p2, p3 = z[i, 2] + a[j, 2] * b[k, 2], z[i, 3] + a[j, 3] * b[k, 3]
    p4, p5 = z[i, 4] + a[j, 4] * b[k, 4], z[i, 5] + a[j, 5] * b[k, 5]
    p6, p7 = z[i, 6] + a[j, 6] * b[k, 6], z[i, 7] + a[j, 7] * b[k, 7]
    z[i, 0], z[i, 1], z[i, 2], z[i, 3], z[i, 4], z[i, 5], z[i, 6], z[i, 7] = p0, p1, p2, p3, p4, p5, p6, p7


@njit(inline="always", **COMPILED)
def subtract_product(z, i, a, j, b, k):
    """z_i -= a_j b_k, lane by lane."""
    p0, p1 = z[i, 0] - a[j, 0] * b[k, 0], z[i, 1] - a[j, 1] * b[k, 1]
    p2, p3 = z[i, 2] - a[j, 2] * b[k, 2], z[i, 3] - a[j, 3] * b[k, 3]
    p4, p5 = z[i, 4] - a[j, 4] * b[k, 4], z[i, 5] - a[j, 5] * b[k, 5]
    p6, p7 = z[i, 6] - a[j, 6] * b[k, 6], z[i, 7] - a[j, 7] * b[k, 7]
    z[i, 0], z[i, 1], z[i, 2], z[i, 3], z[i, 4], z[i, 5], z[i, 6], z[i, 7] = p0, p1, p2, p3, p4, p5, p6, p7


@njit(inline="always", **COMPILED)
def add_multiple(z, i, c, a, j):
    """z_i += c a_j with a number c, lane by lane."""
    p0, p1 = z[i, 0] + c * a[j, 0], z[i, 1] + c * a[j, 1]
    p2, p3 = z[i, 2] + c * a[j, 2], z[i, 3] + c * a[j, 3]
    p4, p5 = z[i, 4] + c * a[j, 4], z[i, 5] + c * a[j, 5]
    p6, p7 = z[i, 6] + c * a[j, 6], z[i, 7] + c * a[j, 7]
    z[i, 0], z[i, 1], z[i, 2], z[i, 3], z[i, 4], z[i, 5], z[i, 6], z[i, 7] = p0, p1, p2, p3, p4, p5, p6, p7


@njit(inline="always", **COMPILED)
def put_product(z, i, a, j, b, k):
    """z_i = a_j b_k, lane by lane; z may be a or b."""
    p0, p1, p2, p3 = a[j, 0] * b[k, 0], a[j, 1] * b[k, 1], a[j, 2] * b[k, 2], a[j, 3] * b[k, 3]
    p4, p5, p6, p7 = a[j, 4] * b[k, 4], a[j, 5] * b[k, 5], a[j, 6] * b[k, 6], a[j, 7] * b[k, 7]
    z[i, 0], z[i, 1], z[i, 2], z[i, 3], z[i, 4], z[i, 5], z[i, 6], z[i, 7] = p0, p1, p2, p3, p4, p5, p6, p7


@njit(inline="always", **COMPILED)
def difference_and_sum(a, b, i):
    """a_i, b_i = a_i - b_i, a_i + b_i, lane by lane."""
    d0, d1, d2, d3 = a[i, 0] - b[i, 0], a[i, 1] - b[i, 1], a[i, 2] - b[i, 2], a[i, 3] - b[i, 3]
    d4, d5, d6, d7 = a[i, 4] - b[i, 4], a[i, 5] - b[i, 5], a[i, 6] - b[i, 6], a[i, 7] - b[i, 7]
    s0, s1, s2, s3 = a[i, 0] + b[i, 0], a[i, 1] + b[i, 1], a[i, 2] + b[i, 2], a[i, 3] + b[i, 3]
    s4, s5, s6, s7 = a[i, 4] + b[i, 4], a[i, 5] + b[i, 5], a[i, 6] + b[i, 6], a[i, 7] + b[i, 7]
    a[i, 0], a[i, 1], a[i, 2], a[i, 3], a[i, 4], a[i, 5], a[i, 6], a[i, 7] = d0, d1, d2, d3, d4, d5, d6, d7
    b[i, 0], b[i, 1], b[i, 2], b[i, 3], b[i, 4], b[i, 5], b[i, 6], b[i, 7] = s0, s1, s2, s3, s4, s5, s6, s7


@njit(inline="always", **COMPILED)
def put(z, i, a, j):
    """z_i = a_j, lane by lane."""
    p0, p1, p2, p3, p4, p5, p6, p7 = a[j, 0], a[j, 1], a[j, 2], a[j, 3], a[j, 4], a[j, 5], a[j, 6], a[j, 7]
    z[i, 0], z[i, 1], z[i, 2], z[i, 3], z[i, 4], z[i, 5], z[i, 6], z[i, 7] = p0, p1, p2, p3, p4, p5, p6, p7
