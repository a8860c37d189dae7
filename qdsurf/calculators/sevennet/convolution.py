"""Message passing of one layer: sums over the neighbours of every atom, and their derivatives.

In the forward pass, for every atom a and every path (l1, l2, l3) with channels u,

    y_a[k, u] = sum_b w_u(r_ab) sum_i C_ik(r_ab) x_b[i, u]

with the features x of the neighbour b, the couplings C of `angular` and the radial weights w of `radial`. In the
backward pass, atom a is the source of the same messages. It gathers from the neighbours that received them, so that no
two threads write to the same address. The same edge from its other end has the couplings (-1)^l2 C.

The sum over i, or over k in the backward pass, is unrolled; the compiler keeps the terms of 1, 3, 5 or 7 components.
All arrays are flat and all indices unsigned. Otherwise numba checks for negative indices, which prevents vectorisation.
"""

from collections.abc import Callable

import numpy as np
from numba import njit

from qdsurf.calculators.sevennet.compilation import COMPILED

# One path of the tensor product of a layer. Offsets count from the first number of an atom or edge.
PATH = np.dtype(
    [
        ("inputs", np.int64),  # 2 l1 + 1 components
        ("outputs", np.int64),  # 2 l3 + 1 components
        ("channels", np.int64),
        ("input_offset", np.int64),
        ("output_offset", np.int64),
        ("output_stride", np.int64),  # from one component of the output to the next
        ("weight_offset", np.int64),
        ("coupling_offset", np.int64),
        ("parity", np.int64),  # (-1)^l2
        ("isotropic", np.bool_),  # l2 = 0: the couplings are a multiple of the unit matrix for any direction
    ]
)
MAX_CHANNELS = 128  # of one path
MAX_DEGREE = 3
UNSIGNED = np.uintp
# Offsets of the rows in the buffer for scaled features.
ROW_1, ROW_2, ROW_3, ROW_4, ROW_5, ROW_6 = (UNSIGNED(i * MAX_CHANNELS) for i in range(1, 7))


@njit(**COMPILED, inline="always")
def scale_features(path, weight, x, weights, features, scaled):
    """Multiply the features of a neighbour by the radial weights, row by row."""
    channels = UNSIGNED(path.channels)
    for i in range(path.inputs):
        row = UNSIGNED(i * MAX_CHANNELS)
        for u in range(channels):
            scaled[row + u] = weights[weight + u] * features[x + u]
        x += channels


@njit(**COMPILED)
def gather_isotropic(edges, neighbours, path, widths, arrays):
    """Add the messages to one atom through one path with l2 = 0."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, features, messages, _ = arrays
    channels = UNSIGNED(path.channels)
    for e in range(first, last):
        weight = UNSIGNED((e - first) * weight_width + path.weight_offset)
        c = couplings[e, path.coupling_offset]
        for i in range(path.inputs):
            x = UNSIGNED(neighbours[e] * input_width + path.input_offset + i * path.channels)
            y = UNSIGNED(a * output_width + path.output_offset + i * path.output_stride)
            for u in range(channels):
                messages[y + u] += c * weights[weight + u] * features[x + u]


def make_gather(inputs: int) -> Callable:
    """Compile the function for the messages to one atom through one path whose input has 1, 3, 5 or 7 components."""

    @njit(**COMPILED)
    def gather_path(edges, neighbours, path, widths, arrays):
        (a, first, last), (weight_width, input_width, output_width) = edges, widths
        couplings, weights, features, messages, scaled = arrays
        channels, step = UNSIGNED(path.channels), path.outputs
        for e in range(first, last):
            weight = UNSIGNED((e - first) * weight_width + path.weight_offset)
            x = UNSIGNED(neighbours[e] * input_width + path.input_offset)
            scale_features(path, weight, x, weights, features, scaled)
            for k in range(path.outputs):
                c = path.coupling_offset + k
                c0 = couplings[e, c]
                if inputs >= 3:
                    c1, c2 = couplings[e, c + step], couplings[e, c + 2 * step]
                if inputs >= 5:
                    c3, c4 = couplings[e, c + 3 * step], couplings[e, c + 4 * step]
                if inputs >= 7:
                    c5, c6 = couplings[e, c + 5 * step], couplings[e, c + 6 * step]
                y = UNSIGNED(a * output_width + path.output_offset + k * path.output_stride)
                for u in range(channels):
                    total = c0 * scaled[u]
                    if inputs >= 3:
                        total += c1 * scaled[ROW_1 + u] + c2 * scaled[ROW_2 + u]
                    if inputs >= 5:
                        total += c3 * scaled[ROW_3 + u] + c4 * scaled[ROW_4 + u]
                    if inputs >= 7:
                        total += c5 * scaled[ROW_5 + u] + c6 * scaled[ROW_6 + u]
                    messages[y + u] += total

    return gather_path


gather_1, gather_3, gather_5, gather_7 = (make_gather(inputs) for inputs in (1, 3, 5, 7))


@njit(**COMPILED)
def gather(first, last, starts, neighbours, distances, couplings, features, radial, paths, messages):
    """Sum the messages to the atoms `first` to `last`.

    Parameters
    ----------
    first, last : int
        Range of atoms.
    starts : ndarray
        The edges of atom a are starts[a] to starts[a + 1], shape (atoms + 1,).
    neighbours, distances : ndarray
        Index of the neighbour and length in A of each edge, shape (edges,).
    couplings : ndarray
        Couplings of each edge, shape (edges, couplings).
    features : ndarray
        Features of the atoms, shape (atoms, inputs).
    radial : RadialTable
        Radial weights.
    paths : ndarray
        Paths of the layer, records of type PATH.
    messages : ndarray
        Output, shape (atoms, outputs).
    """
    dtype = radial.values.dtype.type
    scaled = np.empty((2 * MAX_DEGREE + 1) * MAX_CHANNELS, dtype)
    weights = np.empty((most_neighbours(starts, first, last), radial.values.shape[1]), dtype)
    arrays = (couplings, weights.ravel(), features.ravel(), messages.ravel(), scaled)
    widths = (weights.shape[1], features.shape[1], messages.shape[1])
    for a in range(first, last):
        messages[a] = 0
        edges = (a, starts[a], starts[a + 1])
        for e in range(starts[a], starts[a + 1]):
            interpolate(radial, distances[e], weights[e - starts[a]])
        for path in paths:
            if path.isotropic:
                gather_isotropic(edges, neighbours, path, widths, arrays)
            elif path.inputs == 1:
                gather_1(edges, neighbours, path, widths, arrays)
            elif path.inputs == 3:
                gather_3(edges, neighbours, path, widths, arrays)
            elif path.inputs == 5:
                gather_5(edges, neighbours, path, widths, arrays)
            else:
                gather_7(edges, neighbours, path, widths, arrays)


@njit(**COMPILED)
def most_neighbours(starts, first, last):
    """Largest number of edges of one atom."""
    most = 0
    for a in range(first, last):
        most = max(most, starts[a + 1] - starts[a])
    return most


@njit(**COMPILED, inline="always")
def finish_backward(channels, weight, x, weights, slopes, features, back, d_features):
    """Add the derivatives with respect to the features of one component; return that with respect to the distance."""
    d_distance = back[0] * 0
    for u in range(channels):
        d_features[x + u] += weights[weight + u] * back[u]
        d_distance += slopes[weight + u] * features[x + u] * back[u]
    return d_distance


@njit(**COMPILED)
def backward_isotropic(edges, neighbours, path, widths, inputs, outputs):
    """Add the derivatives from the messages of one atom through one path with l2 = 0."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, slopes, features, d_messages = inputs
    d_features, _, d_distances, _, back = outputs
    channels = UNSIGNED(path.channels)
    for e in range(first, last):
        weight = UNSIGNED((e - first) * weight_width + path.weight_offset)
        c = couplings[e, path.coupling_offset]
        for i in range(path.inputs):
            x = UNSIGNED(a * input_width + path.input_offset + i * path.channels)
            y = UNSIGNED(neighbours[e] * output_width + path.output_offset + i * path.output_stride)
            for u in range(channels):
                back[u] = c * d_messages[y + u]
            d_distances[e] += finish_backward(channels, weight, x, weights, slopes, features, back, d_features)


def make_backward(columns: int) -> Callable:
    """Compile the function for the derivatives through one path whose output has 1, 3, 5 or 7 components."""

    @njit(**COMPILED)
    def backward_path(edges, neighbours, path, widths, inputs, outputs):
        (a, first, last), (weight_width, input_width, output_width) = edges, widths
        couplings, weights, slopes, features, d_messages = inputs
        d_features, d_couplings, d_distances, scaled, back = outputs
        channels, stride, zero = UNSIGNED(path.channels), UNSIGNED(path.output_stride), d_distances.dtype.type(0)
        parity = d_distances.dtype.type(path.parity)
        for e in range(first, last):
            weight = UNSIGNED((e - first) * weight_width + path.weight_offset)
            y0 = UNSIGNED(neighbours[e] * output_width + path.output_offset)
            y1, y2, y3 = y0 + stride, y0 + UNSIGNED(2) * stride, y0 + UNSIGNED(3) * stride
            y4, y5, y6 = y0 + UNSIGNED(4) * stride, y0 + UNSIGNED(5) * stride, y0 + UNSIGNED(6) * stride
            for i in range(path.inputs):
                x = UNSIGNED(a * input_width + path.input_offset + i * path.channels)
                c = path.coupling_offset + i * path.outputs
                c0 = parity * couplings[e, c]
                s0 = s1 = s2 = s3 = s4 = s5 = s6 = zero
                if columns >= 3:
                    c1, c2 = parity * couplings[e, c + 1], parity * couplings[e, c + 2]
                if columns >= 5:
                    c3, c4 = parity * couplings[e, c + 3], parity * couplings[e, c + 4]
                if columns >= 7:
                    c5, c6 = parity * couplings[e, c + 5], parity * couplings[e, c + 6]
                for u in range(channels):
                    scaled[u] = weights[weight + u] * features[x + u]
                for u in range(channels):
                    v0 = d_messages[y0 + u]
                    total = c0 * v0
                    s0 += scaled[u] * v0
                    if columns >= 3:
                        v1, v2 = d_messages[y1 + u], d_messages[y2 + u]
                        total += c1 * v1 + c2 * v2
                        s1 += scaled[u] * v1
                        s2 += scaled[u] * v2
                    if columns >= 5:
                        v3, v4 = d_messages[y3 + u], d_messages[y4 + u]
                        total += c3 * v3 + c4 * v4
                        s3 += scaled[u] * v3
                        s4 += scaled[u] * v4
                    if columns >= 7:
                        v5, v6 = d_messages[y5 + u], d_messages[y6 + u]
                        total += c5 * v5 + c6 * v6
                        s5 += scaled[u] * v5
                        s6 += scaled[u] * v6
                    back[u] = total
                d_couplings[e, c] += parity * s0
                if columns >= 3:
                    d_couplings[e, c + 1] += parity * s1
                    d_couplings[e, c + 2] += parity * s2
                if columns >= 5:
                    d_couplings[e, c + 3] += parity * s3
                    d_couplings[e, c + 4] += parity * s4
                if columns >= 7:
                    d_couplings[e, c + 5] += parity * s5
                    d_couplings[e, c + 6] += parity * s6
                d_distances[e] += finish_backward(channels, weight, x, weights, slopes, features, back, d_features)

    return backward_path


backward_1, backward_3, backward_5, backward_7 = (make_backward(columns) for columns in (1, 3, 5, 7))


@njit(**COMPILED)
def gather_backward(
    first, last, starts, neighbours, distances, couplings, features, radial, paths, d_messages, d_features,
    d_couplings, d_distances,
):  # fmt: skip
    """Compute derivatives with respect to features, couplings and distances from those with respect to the messages.

    Parameters
    ----------
    first, last, starts, neighbours, distances, couplings, features, radial, paths
        As in `gather`.
    d_messages : ndarray
        Derivatives of the energy with respect to the messages, shape (atoms, outputs).
    d_features : ndarray
        Output, shape (atoms, inputs).
    d_couplings, d_distances : ndarray
        Arrays to which the derivatives are added, for the edges of the atoms `first` to `last`; shape
        (edges, couplings) and (edges,).
    """
    dtype = radial.values.dtype.type
    scaled, back = np.empty(MAX_CHANNELS, dtype), np.empty(MAX_CHANNELS, dtype)
    weights = np.empty((most_neighbours(starts, first, last), radial.values.shape[1]), dtype)
    slopes = np.empty_like(weights)
    inputs = (couplings, weights.ravel(), slopes.ravel(), features.ravel(), d_messages.ravel())
    outputs = (d_features.ravel(), d_couplings, d_distances, scaled, back)
    widths = (weights.shape[1], features.shape[1], d_messages.shape[1])
    for a in range(first, last):
        d_features[a] = 0
        edges = (a, starts[a], starts[a + 1])
        for e in range(starts[a], starts[a + 1]):
            row = e - starts[a]
            interpolate(radial, distances[e], weights[row])
            interpolate_slopes(radial, distances[e], slopes[row])
        for path in paths:
            if path.isotropic:
                backward_isotropic(edges, neighbours, path, widths, inputs, outputs)
            elif path.outputs == 1:
                backward_1(edges, neighbours, path, widths, inputs, outputs)
            elif path.outputs == 3:
                backward_3(edges, neighbours, path, widths, inputs, outputs)
            elif path.outputs == 5:
                backward_5(edges, neighbours, path, widths, inputs, outputs)
            else:
                backward_7(edges, neighbours, path, widths, inputs, outputs)


@njit(**COMPILED)
def interval(radial, distance):
    """Interval of the grid that contains a distance, and the position within it (0 to 1)."""
    place = (distance - radial.origin) / radial.spacing
    k = min(max(int(place), 0), len(radial.values) - 2)
    return k, place - k


@njit(**COMPILED)
def interpolate(radial, distance, weights):
    """Radial weights at a distance, by cubic Hermite interpolation."""
    k, t = interval(radial, distance)
    dtype = radial.values.dtype.type
    v0, v1 = dtype((1 + 2 * t) * (1 - t) ** 2), dtype(t * t * (3 - 2 * t))
    s0, s1 = dtype(t * (1 - t) ** 2 * radial.spacing), dtype(t * t * (t - 1) * radial.spacing)
    value_0, value_1, slope_0, slope_1 = radial.values[k], radial.values[k + 1], radial.slopes[k], radial.slopes[k + 1]
    for p in range(len(weights)):
        weights[p] = v0 * value_0[p] + v1 * value_1[p] + s0 * slope_0[p] + s1 * slope_1[p]


@njit(**COMPILED)
def interpolate_slopes(radial, distance, slopes):
    """Derivatives (1/A) of the polynomials of `interpolate`."""
    k, t = interval(radial, distance)
    dtype = radial.values.dtype.type
    v, s0, s1 = dtype(6 * t * (t - 1) / radial.spacing), dtype((1 - t) * (1 - 3 * t)), dtype(t * (3 * t - 2))
    value_0, value_1, slope_0, slope_1 = radial.values[k], radial.values[k + 1], radial.slopes[k], radial.slopes[k + 1]
    for p in range(len(slopes)):
        slopes[p] = v * (value_0[p] - value_1[p]) + s0 * slope_0[p] + s1 * slope_1[p]
