"""Message passing of one layer: every atom sums over its neighbours, forwards and backwards.

Forwards, for every atom a and every path (l1, l2, l3) with channels u,

    y_a[k, u] = sum_b w_u(r_ab) sum_i C_ik(r_ab) x_b[i, u]

with the features x of the neighbour b, the couplings C of `angular` and the radial weights w of `radial`. Backwards,
atom a is the source of the same messages: it gathers from the neighbours that received them, so that no two threads
write to the same place. The edge seen from its other end has the couplings (-1)^l2 C.

The sum over i, or over k backwards, is written out for its four possible lengths 1, 3, 5 and 7. All arrays are flat and
all places in them unsigned: numba would otherwise test whether an index is negative, and the loops over channels would
not become vector instructions.
"""

import numpy as np
from numba import njit

COMPILED = {
    "cache": True,
    "nogil": True,
    "boundscheck": False,
    "fastmath": {"reassoc", "nsz", "arcp", "contract"},  # sums may be reordered; NaN and infinity keep their meaning
}
PATH = np.dtype(
    [
        ("rows", np.int64),  # 2 l1 + 1, components of the input
        ("columns", np.int64),  # 2 l3 + 1, components of the output
        ("channels", np.int64),
        ("input", np.int64),  # where its input begins in the features of an atom
        ("output", np.int64),  # where its output begins in the messages to an atom
        ("stride", np.int64),  # from one component of its output to the next
        ("weight", np.int64),  # its first radial weight
        ("coupling", np.int64),  # its first coupling
        ("parity", np.int64),  # (-1)^l2
        ("isotropic", np.bool_),  # l2 = 0: the couplings are those of a unit matrix, whatever the direction
    ]
)  # one path of the tensor product of a layer
MOST_CHANNELS = 128  # of one path
LARGEST_DEGREE = 3
PLACE = np.uintp
# Distance of the rows in the scratch space for scaled features.
ROW_1, ROW_2, ROW_3, ROW_4, ROW_5, ROW_6 = (PLACE(i * MOST_CHANNELS) for i in range(1, 7))


@njit(**COMPILED)
def gather(first, last, starts, neighbours, distances, couplings, features, radial, paths, messages):
    """Sum the messages to the atoms `first` to `last`.

    Parameters
    ----------
    starts : edges of atom a are starts[a] to starts[a + 1], shape (atoms + 1,).
    neighbours, distances : of each edge; index and A.
    couplings : of each edge, shape (edges, couplings).
    features : of the atoms, shape (atoms, inputs).
    radial : a `radial.RadialTable`.
    paths : records of type PATH.
    messages : written here, shape (atoms, outputs).
    """
    kind = radial.values.dtype.type
    scaled = np.empty((2 * LARGEST_DEGREE + 1) * MOST_CHANNELS, kind)
    weights = np.empty((most_neighbours(starts, first, last), radial.values.shape[1]), kind)
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
            elif path.rows == 1:
                gather_1_row(edges, neighbours, path, widths, arrays)
            elif path.rows == 3:
                gather_3_rows(edges, neighbours, path, widths, arrays)
            elif path.rows == 5:
                gather_5_rows(edges, neighbours, path, widths, arrays)
            else:
                gather_7_rows(edges, neighbours, path, widths, arrays)


@njit(**COMPILED)
def most_neighbours(starts, first, last):
    """Largest number of edges of an atom."""
    most = 0
    for a in range(first, last):
        most = max(most, starts[a + 1] - starts[a])
    return most


@njit(**COMPILED, inline="always")
def scale_features(path, weight, x, weights, features, scaled):
    """Multiply the features of a neighbour by the radial weights, row by row."""
    channels = PLACE(path.channels)
    for i in range(path.rows):
        row = PLACE(i * MOST_CHANNELS)
        for u in range(channels):
            scaled[row + u] = weights[weight + u] * features[x + u]
        x += channels


@njit(**COMPILED)
def gather_isotropic(edges, neighbours, path, widths, arrays):
    """Messages to one atom through one path in which each component of the input has an output of its own."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, features, messages, _ = arrays
    channels = PLACE(path.channels)
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        c = couplings[e, path.coupling]
        for i in range(path.rows):
            x = PLACE(neighbours[e] * input_width + path.input + i * path.channels)
            y = PLACE(a * output_width + path.output + i * path.stride)
            for u in range(channels):
                messages[y + u] += c * weights[weight + u] * features[x + u]


@njit(**COMPILED)
def gather_1_row(edges, neighbours, path, widths, arrays):
    """Messages to one atom through one path with one component of the input."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, features, messages, scaled = arrays
    channels, columns = PLACE(path.channels), path.columns
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        scale_features(path, weight, PLACE(neighbours[e] * input_width + path.input), weights, features, scaled)
        for k in range(columns):
            c = path.coupling + k
            c0 = couplings[e, c]
            y = PLACE(a * output_width + path.output + k * path.stride)
            for u in range(channels):
                messages[y + u] += c0 * scaled[u]


@njit(**COMPILED)
def gather_3_rows(edges, neighbours, path, widths, arrays):
    """As `gather_1_row`, for three components of the input."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, features, messages, scaled = arrays
    channels, columns = PLACE(path.channels), path.columns
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        scale_features(path, weight, PLACE(neighbours[e] * input_width + path.input), weights, features, scaled)
        for k in range(columns):
            c = path.coupling + k
            c0, c1, c2 = couplings[e, c], couplings[e, c + columns], couplings[e, c + 2 * columns]
            y = PLACE(a * output_width + path.output + k * path.stride)
            for u in range(channels):
                messages[y + u] += c0 * scaled[u] + c1 * scaled[ROW_1 + u] + c2 * scaled[ROW_2 + u]


@njit(**COMPILED)
def gather_5_rows(edges, neighbours, path, widths, arrays):
    """As `gather_1_row`, for five components of the input."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, features, messages, scaled = arrays
    channels, columns = PLACE(path.channels), path.columns
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        scale_features(path, weight, PLACE(neighbours[e] * input_width + path.input), weights, features, scaled)
        for k in range(columns):
            c = path.coupling + k
            c0, c1, c2 = couplings[e, c], couplings[e, c + columns], couplings[e, c + 2 * columns]
            c3, c4 = couplings[e, c + 3 * columns], couplings[e, c + 4 * columns]
            y = PLACE(a * output_width + path.output + k * path.stride)
            for u in range(channels):
                messages[y + u] += (
                    c0 * scaled[u] + c1 * scaled[ROW_1 + u] + c2 * scaled[ROW_2 + u]
                    + c3 * scaled[ROW_3 + u] + c4 * scaled[ROW_4 + u]
                )  # fmt: skip


@njit(**COMPILED)
def gather_7_rows(edges, neighbours, path, widths, arrays):
    """As `gather_1_row`, for seven components of the input."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, features, messages, scaled = arrays
    channels, columns = PLACE(path.channels), path.columns
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        scale_features(path, weight, PLACE(neighbours[e] * input_width + path.input), weights, features, scaled)
        for k in range(columns):
            c = path.coupling + k
            c0, c1 = couplings[e, c], couplings[e, c + columns]
            c2, c3 = couplings[e, c + 2 * columns], couplings[e, c + 3 * columns]
            c4, c5, c6 = couplings[e, c + 4 * columns], couplings[e, c + 5 * columns], couplings[e, c + 6 * columns]
            y = PLACE(a * output_width + path.output + k * path.stride)
            for u in range(channels):
                messages[y + u] += (
                    c0 * scaled[u] + c1 * scaled[ROW_1 + u] + c2 * scaled[ROW_2 + u] + c3 * scaled[ROW_3 + u]
                    + c4 * scaled[ROW_4 + u] + c5 * scaled[ROW_5 + u] + c6 * scaled[ROW_6 + u]
                )  # fmt: skip


@njit(**COMPILED)
def gather_back(
    first, last, starts, neighbours, distances, couplings, features, radial, paths, by_messages, by_features,
    by_couplings, by_distances,
):  # fmt: skip
    """Derivatives of the energy by features, couplings and distances, from those by the messages.

    Parameters
    ----------
    by_messages : derivatives by the messages to every atom, shape (atoms, outputs).
    by_features : written here, shape (atoms, inputs).
    by_couplings, by_distances : added to, for the edges of the atoms `first` to `last`.
    """
    kind = radial.values.dtype.type
    scaled, back = np.empty(MOST_CHANNELS, kind), np.empty(MOST_CHANNELS, kind)
    weights = np.empty((most_neighbours(starts, first, last), radial.values.shape[1]), kind)
    slopes = np.empty_like(weights)
    inputs = (couplings, weights.ravel(), slopes.ravel(), features.ravel(), by_messages.ravel())
    outputs = (by_features.ravel(), by_couplings, by_distances, scaled, back)
    widths = (weights.shape[1], features.shape[1], by_messages.shape[1])
    for a in range(first, last):
        by_features[a] = 0
        edges = (a, starts[a], starts[a + 1])
        for e in range(starts[a], starts[a + 1]):
            row = e - starts[a]
            interpolate(radial, distances[e], weights[row])
            interpolate_slopes(radial, distances[e], slopes[row])
        for path in paths:
            if path.isotropic:
                back_isotropic(edges, neighbours, path, widths, inputs, outputs)
            elif path.columns == 1:
                back_1_column(edges, neighbours, path, widths, inputs, outputs)
            elif path.columns == 3:
                back_3_columns(edges, neighbours, path, widths, inputs, outputs)
            elif path.columns == 5:
                back_5_columns(edges, neighbours, path, widths, inputs, outputs)
            else:
                back_7_columns(edges, neighbours, path, widths, inputs, outputs)


@njit(**COMPILED)
def back_isotropic(edges, neighbours, path, widths, inputs, outputs):
    """Derivatives from the messages of one atom through one path in which each component has an output of its own."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, slopes, features, by_messages = inputs
    by_features, _, by_distances, _, back = outputs
    channels = PLACE(path.channels)
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        c = couplings[e, path.coupling]
        for i in range(path.rows):
            x = PLACE(a * input_width + path.input + i * path.channels)
            y = PLACE(neighbours[e] * output_width + path.output + i * path.stride)
            for u in range(channels):
                back[u] = c * by_messages[y + u]
            by_distances[e] += finish_back(channels, weight, x, weights, slopes, features, back, by_features)


@njit(**COMPILED)
def back_1_column(edges, neighbours, path, widths, inputs, outputs):
    """Derivatives from the messages of one atom through one path with one component of the output."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, slopes, features, by_messages = inputs
    by_features, by_couplings, by_distances, scaled, back = outputs
    channels, zero = PLACE(path.channels), by_distances.dtype.type(0)
    parity = by_distances.dtype.type(path.parity)
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        y = PLACE(neighbours[e] * output_width + path.output)
        for i in range(path.rows):
            x, c = PLACE(a * input_width + path.input + i * path.channels), path.coupling + i * path.columns
            c0 = parity * couplings[e, c]
            s0 = zero
            for u in range(channels):
                scaled[u] = weights[weight + u] * features[x + u]
            for u in range(channels):
                v0 = by_messages[y + u]
                back[u] = c0 * v0
                s0 += scaled[u] * v0
            by_couplings[e, c] += parity * s0
            by_distances[e] += finish_back(channels, weight, x, weights, slopes, features, back, by_features)


@njit(**COMPILED)
def back_3_columns(edges, neighbours, path, widths, inputs, outputs):
    """As `back_1_column`, for three components of the output."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, slopes, features, by_messages = inputs
    by_features, by_couplings, by_distances, scaled, back = outputs
    channels, stride, zero = PLACE(path.channels), PLACE(path.stride), by_distances.dtype.type(0)
    parity = by_distances.dtype.type(path.parity)
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        y0 = PLACE(neighbours[e] * output_width + path.output)
        y1, y2 = y0 + stride, y0 + PLACE(2) * stride
        for i in range(path.rows):
            x, c = PLACE(a * input_width + path.input + i * path.channels), path.coupling + i * path.columns
            c0, c1, c2 = parity * couplings[e, c], parity * couplings[e, c + 1], parity * couplings[e, c + 2]
            s0 = s1 = s2 = zero
            for u in range(channels):
                scaled[u] = weights[weight + u] * features[x + u]
            for u in range(channels):
                v0, v1, v2 = by_messages[y0 + u], by_messages[y1 + u], by_messages[y2 + u]
                back[u] = c0 * v0 + c1 * v1 + c2 * v2
                s0 += scaled[u] * v0
                s1 += scaled[u] * v1
                s2 += scaled[u] * v2
            by_couplings[e, c] += parity * s0
            by_couplings[e, c + 1] += parity * s1
            by_couplings[e, c + 2] += parity * s2
            by_distances[e] += finish_back(channels, weight, x, weights, slopes, features, back, by_features)


@njit(**COMPILED)
def back_5_columns(edges, neighbours, path, widths, inputs, outputs):
    """As `back_1_column`, for five components of the output."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, slopes, features, by_messages = inputs
    by_features, by_couplings, by_distances, scaled, back = outputs
    channels, stride, zero = PLACE(path.channels), PLACE(path.stride), by_distances.dtype.type(0)
    parity = by_distances.dtype.type(path.parity)
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        y0 = PLACE(neighbours[e] * output_width + path.output)
        y1, y2, y3, y4 = y0 + stride, y0 + PLACE(2) * stride, y0 + PLACE(3) * stride, y0 + PLACE(4) * stride
        for i in range(path.rows):
            x, c = PLACE(a * input_width + path.input + i * path.channels), path.coupling + i * path.columns
            c0, c1, c2 = parity * couplings[e, c], parity * couplings[e, c + 1], parity * couplings[e, c + 2]
            c3, c4 = parity * couplings[e, c + 3], parity * couplings[e, c + 4]
            s0 = s1 = s2 = s3 = s4 = zero
            for u in range(channels):
                scaled[u] = weights[weight + u] * features[x + u]
            for u in range(channels):
                v0, v1, v2 = by_messages[y0 + u], by_messages[y1 + u], by_messages[y2 + u]
                v3, v4 = by_messages[y3 + u], by_messages[y4 + u]
                back[u] = c0 * v0 + c1 * v1 + c2 * v2 + c3 * v3 + c4 * v4
                s0 += scaled[u] * v0
                s1 += scaled[u] * v1
                s2 += scaled[u] * v2
                s3 += scaled[u] * v3
                s4 += scaled[u] * v4
            by_couplings[e, c] += parity * s0
            by_couplings[e, c + 1] += parity * s1
            by_couplings[e, c + 2] += parity * s2
            by_couplings[e, c + 3] += parity * s3
            by_couplings[e, c + 4] += parity * s4
            by_distances[e] += finish_back(channels, weight, x, weights, slopes, features, back, by_features)


@njit(**COMPILED)
def back_7_columns(edges, neighbours, path, widths, inputs, outputs):
    """As `back_1_column`, for seven components of the output."""
    (a, first, last), (weight_width, input_width, output_width) = edges, widths
    couplings, weights, slopes, features, by_messages = inputs
    by_features, by_couplings, by_distances, scaled, back = outputs
    channels, stride, zero = PLACE(path.channels), PLACE(path.stride), by_distances.dtype.type(0)
    parity = by_distances.dtype.type(path.parity)
    for e in range(first, last):
        weight = PLACE((e - first) * weight_width + path.weight)
        y0 = PLACE(neighbours[e] * output_width + path.output)
        y1, y2, y3 = y0 + stride, y0 + PLACE(2) * stride, y0 + PLACE(3) * stride
        y4, y5, y6 = y0 + PLACE(4) * stride, y0 + PLACE(5) * stride, y0 + PLACE(6) * stride
        for i in range(path.rows):
            x, c = PLACE(a * input_width + path.input + i * path.channels), path.coupling + i * path.columns
            c0, c1 = parity * couplings[e, c], parity * couplings[e, c + 1]
            c2, c3 = parity * couplings[e, c + 2], parity * couplings[e, c + 3]
            c4, c5, c6 = parity * couplings[e, c + 4], parity * couplings[e, c + 5], parity * couplings[e, c + 6]
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = zero
            for u in range(channels):
                scaled[u] = weights[weight + u] * features[x + u]
            for u in range(channels):
                v0, v1, v2, v3 = by_messages[y0 + u], by_messages[y1 + u], by_messages[y2 + u], by_messages[y3 + u]
                v4, v5, v6 = by_messages[y4 + u], by_messages[y5 + u], by_messages[y6 + u]
                back[u] = c0 * v0 + c1 * v1 + c2 * v2 + c3 * v3 + c4 * v4 + c5 * v5 + c6 * v6
                s0 += scaled[u] * v0
                s1 += scaled[u] * v1
                s2 += scaled[u] * v2
                s3 += scaled[u] * v3
                s4 += scaled[u] * v4
                s5 += scaled[u] * v5
                s6 += scaled[u] * v6
            by_couplings[e, c] += parity * s0
            by_couplings[e, c + 1] += parity * s1
            by_couplings[e, c + 2] += parity * s2
            by_couplings[e, c + 3] += parity * s3
            by_couplings[e, c + 4] += parity * s4
            by_couplings[e, c + 5] += parity * s5
            by_couplings[e, c + 6] += parity * s6
            by_distances[e] += finish_back(channels, weight, x, weights, slopes, features, back, by_features)


@njit(**COMPILED, inline="always")
def finish_back(channels, weight, x, weights, slopes, features, back, by_features):
    """Add to the derivatives by the features of one component; returns that by the distance."""
    along = back[0] * 0
    for u in range(channels):
        by_features[x + u] += weights[weight + u] * back[u]
        along += slopes[weight + u] * features[x + u] * back[u]
    return along


@njit(**COMPILED)
def interpolate(radial, distance, weights):
    """Radial weights at a distance, by cubic Hermite interpolation."""
    place = (distance - radial.origin) / radial.spacing
    k = min(max(int(place), 0), len(radial.values) - 2)
    t = place - k
    kind = radial.values.dtype.type
    v0, v1 = kind((1 + 2 * t) * (1 - t) ** 2), kind(t * t * (3 - 2 * t))
    s0, s1 = kind(t * (1 - t) ** 2 * radial.spacing), kind(t * t * (t - 1) * radial.spacing)
    value_0, value_1, slope_0, slope_1 = radial.values[k], radial.values[k + 1], radial.slopes[k], radial.slopes[k + 1]
    for p in range(len(weights)):
        weights[p] = v0 * value_0[p] + v1 * value_1[p] + s0 * slope_0[p] + s1 * slope_1[p]


@njit(**COMPILED)
def interpolate_slopes(radial, distance, slopes):
    """Derivatives (1/A) of the polynomials of `interpolate`."""
    place = (distance - radial.origin) / radial.spacing
    k = min(max(int(place), 0), len(radial.values) - 2)
    t = place - k
    kind = radial.values.dtype.type
    v, s0, s1 = kind(6 * t * (t - 1) / radial.spacing), kind((1 - t) * (1 - 3 * t)), kind(t * (3 * t - 2))
    value_0, value_1, slope_0, slope_1 = radial.values[k], radial.values[k + 1], radial.slopes[k], radial.slopes[k + 1]
    for p in range(len(slopes)):
        slopes[p] = v * (value_0[p] - value_1[p]) + s0 * slope_0[p] + s1 * slope_1[p]
