"""The network: energies of the atoms, and forces and virial by one backward pass.

The features of an atom start from the embedding of its element. Each interaction layer mixes the features
(`linear_in`), gathers messages from the neighbours (`convolution`), mixes the messages (`linear_out`), adds a linear
skip of the old features, and applies a gated activation. The activation is SiLU for scalars; features of l > 0 are
multiplied by SiLU(gate), where the gates are additional scalars. The energy of an atom is a linear function of its
last scalars, scaled and shifted by element. Features of degree l have the shape (atoms, 2 l + 1, channels): channels
are innermost, so that all loops run along them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from qdsurf.calculators.sevennet.angular import couple, edge_gradient, make_angular
from qdsurf.calculators.sevennet.convolution import MAX_CHANNELS, MAX_DEGREE, PATH, gather, gather_backward
from qdsurf.calculators.sevennet.neighbours import NeighbourList
from qdsurf.calculators.sevennet.radial import ENVELOPES, RadialTable, silu, tabulate_radial
from qdsurf.calculators.sevennet.weights import read_weights

BLOCK = 128  # atoms that are processed together, so that temporary arrays fit into the cache of the processor
CHUNKS_PER_THREAD = 4  # so that a thread with many neighbours does not delay the others
Features = list[np.ndarray]  # by degree l, shape (atoms, 2 l + 1, channels)


class Workspace:
    """Large arrays that the next call reuses, because the allocation of memory takes long."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type, zero: bool = False) -> np.ndarray:
        """Return the array with this name, and allocate it if needed; unless `zero`, its content is arbitrary."""
        size = int(np.prod(shape))
        stored = self._arrays.get(name)
        if stored is None or stored.size < size or stored.dtype != dtype:
            stored = self._arrays[name] = np.empty(size, dtype)
        array = stored[:size].reshape(shape)
        if zero:
            array[:] = 0
        return array


class Result(NamedTuple):
    """Result of one evaluation.

    Attributes
    ----------
    energies : ndarray
        Energies of the atoms in eV, shape (n,).
    forces : ndarray
        Forces in eV/A, shape (n, 3).
    virial : ndarray
        Derivative of the energy with respect to the strain in eV, shape (3, 3).
    """

    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray


@dataclass(frozen=True)
class Layer:
    """An interaction layer. Its matrices are ordered by degree l and have the shape (inputs, outputs)."""

    linear_in: Features
    radial: RadialTable
    paths: np.ndarray
    linear_out: Features
    skip: Features

    @cached_property
    def scalars(self) -> int:
        """Number of scalars after the gate; the other scalars of `linear_out` are the gates."""
        return self.linear_out[0].shape[1] - sum(matrix.shape[1] for matrix in self.linear_out[1:])


class Network:
    """A network with its weights in memory.

    Parameters
    ----------
    model : str
        Name of the weights; see `weights.MODELS`.
    dtype : type, optional
        Precision of features and weights. The geometry and sums over atoms are always in double precision.
    """

    def __init__(self, model: str, dtype: type = np.float32):
        arrays = read_weights(model)
        self.dtype = dtype
        self.cutoff_A = float(arrays["cutoff_A"])
        self.atomic_numbers = arrays["atomic_numbers"]
        coefficients: dict[tuple[int, ...], np.ndarray] = {
            tuple(map(int, name.removeprefix("couplings/"))): array
            for name, array in arrays.items()
            if name.startswith("couplings/")
        }
        self.angular, self.first_coupling = make_angular(coefficients)
        self.embedding: np.ndarray = arrays["embedding"].astype(dtype)
        self.readout: np.ndarray = arrays["readout"].astype(dtype)
        self.shift_eV, self.scale_eV = arrays["shift_eV"], arrays["scale_eV"]
        count = 1 + max(int(name.split("/")[1]) for name in arrays if name.startswith("layers/"))
        self.layers = [self._read_layer(arrays, f"layers/{t}/") for t in range(count)]

    def _read_layer(self, arrays: dict[str, np.ndarray], prefix: str) -> Layer:
        """Read the matrices of one layer and tabulate its radial network."""

        def matrices(name: str, dtype: type = self.dtype) -> list[np.ndarray]:
            found = sorted(key for key in arrays if key.startswith(f"{prefix}{name}/"))
            return [arrays[key].astype(dtype) for key in found]

        linear_in, linear_out = matrices("linear_in"), matrices("linear_out")
        widths_in, widths_out = [m.shape[1] for m in linear_in], [m.shape[0] for m in linear_out]
        if max(widths_in) > MAX_CHANNELS or max(len(linear_in), len(linear_out)) > MAX_DEGREE + 1:
            raise ValueError(f"at most {MAX_CHANNELS} channels and degree {MAX_DEGREE}; see convolution.py")
        begins_in, begins_out = _offsets(widths_in), _offsets(widths_out)
        paths = np.array(
            [
                (
                    *(2 * l1 + 1, 2 * l3 + 1, widths_in[l1], begins_in[l1], begins_out[l3] + channel, widths_out[l3]),
                    *(weight, self.first_coupling[l1, l2, l3], (-1) ** l2, l2 == 0),
                )
                for l1, l2, l3, channel, weight in arrays[f"{prefix}paths"].tolist()
            ],
            dtype=PATH,
        )
        table = tabulate_radial(
            matrices("radial", np.float64),
            arrays["bessel_frequencies_per_A"],
            float(arrays["bessel_prefactor"]),
            ENVELOPES[str(arrays["envelope"])],
            float(arrays["envelope_parameter"]),
            self.cutoff_A,
            self.dtype,
        )
        return Layer(linear_in, table, paths, linear_out, matrices("skip"))

    def evaluate(
        self, species: np.ndarray, edges: NeighbourList, threads: int = 1, workspace: Workspace | None = None
    ) -> Result:
        """Compute energies, forces and virial.

        Parameters
        ----------
        species : ndarray
            Index of the element of each atom in `atomic_numbers`, shape (n,).
        edges : NeighbourList
            Edges within the cut-off.
        threads : int, optional
            Number of threads among which the atoms are divided. The result does not depend on it.
        workspace : Workspace, optional
            Arrays of an earlier call.

        Returns
        -------
        Result
            Energies, forces and virial.
        """
        space = workspace or Workspace()
        count = len(edges.neighbours)
        with ThreadPoolExecutor(threads) as pool:
            run = partial(_run_in_chunks, pool, threads)
            couplings = space.array("couplings", (count, self.angular.size), self.dtype)
            run(count, couple, edges.vectors, edges.distances, self.angular, couplings)
            geometry = (edges.starts, edges.neighbours, edges.distances, couplings)
            energies, tape = self._forward(run, species, geometry, space)
            d_couplings, d_distances = self._backward(run, species, geometry, tape, space)
            gradient = np.empty((count, 3))
            run(
                count, edge_gradient, edges.vectors, edges.distances, self.angular, d_couplings, d_distances, gradient
            )  # fmt: skip
        return Result(energies, *_forces_and_virial(edges, gradient))

    def _forward(
        self, run: Callable, species: np.ndarray, geometry: tuple, space: Workspace
    ) -> tuple[np.ndarray, list[tuple]]:
        """Energies of the atoms, and intermediate values for the backward pass."""
        features: Features = [self.embedding[species][:, None, :]]
        tape = []
        for layer in self.layers:
            width = _offsets([matrix.shape[1] for matrix in layer.linear_in])[-1]
            inputs = _linear_to_flat(features, layer.linear_in, np.empty((len(species), width), self.dtype))
            messages = space.array("messages", (len(species), _width(layer.linear_out)), self.dtype)
            run(len(species), gather, *geometry, inputs, layer.radial, layer.paths, messages)
            mixed = _linear_from_flat(messages, layer.linear_out)
            for total, x, matrix in zip(mixed, features, layer.skip, strict=False):
                total += _linear(x, matrix)
            features, gates = _activate(mixed, layer.scalars)
            tape.append((inputs, mixed, gates))
        energies = (features[0][:, 0] @ self.readout).astype(float)
        return energies * self.scale_eV[species] + self.shift_eV[species], tape

    def _backward(
        self, run: Callable, species: np.ndarray, geometry: tuple, tape: list[tuple], space: Workspace
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of the energy with respect to the couplings and the distances of the edges."""
        d_couplings = space.array("d_couplings", geometry[3].shape, self.dtype, zero=True)
        d_distances: np.ndarray = np.zeros(len(geometry[3]), self.dtype)
        scale = self.scale_eV[species].astype(self.dtype)
        d_features: Features = [scale[:, None, None] * self.readout]
        for layer, (inputs, mixed, gates) in zip(reversed(self.layers), reversed(tape), strict=True):
            d_mixed = _activate_backward(mixed, gates, d_features)
            d_messages = space.array("messages", (len(species), _width(layer.linear_out)), self.dtype)
            _linear_to_flat(d_mixed, [matrix.T for matrix in layer.linear_out], d_messages)
            d_inputs = np.empty_like(inputs)
            run(
                len(species), gather_backward, *geometry, inputs, layer.radial, layer.paths, d_messages, d_inputs,
                d_couplings, d_distances,
            )  # fmt: skip
            d_features = _linear_from_flat(d_inputs, [matrix.T for matrix in layer.linear_in])
            for total, x, matrix in zip(d_features, d_mixed, layer.skip, strict=False):
                total += _linear(x, matrix.T)
        return d_couplings, d_distances


def _run_in_chunks(pool: ThreadPoolExecutor, threads: int, count: int, kernel: Callable, *arguments) -> None:
    """Run a kernel over all items from 0 to `count`, divided among the threads."""
    if threads == 1:
        kernel(0, count, *arguments)
        return
    limits = np.linspace(0, count, threads * CHUNKS_PER_THREAD + 1).astype(int).tolist()
    for done in [pool.submit(kernel, a, b, *arguments) for a, b in pairwise(limits)]:
        done.result()


def _forces_and_virial(edges: NeighbourList, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forces and virial from the derivatives with respect to the vectors of the edges."""
    n = len(edges.starts) - 1
    centres = np.repeat(np.arange(n), np.diff(edges.starts))
    forces = np.stack(
        [
            np.bincount(centres, part, minlength=n) - np.bincount(edges.neighbours, part, minlength=n)
            for part in gradient.T
        ],
        axis=1,
    )
    return forces, edges.vectors.T @ gradient


def _linear_to_flat(features: Features, matrices: Features, flat: np.ndarray) -> np.ndarray:
    """Apply the linear layers of all degrees and write their outputs side by side to `flat`, shape (atoms, width)."""
    begins = _offsets([matrix.shape[1] for matrix in matrices])
    for block in _blocks(len(flat)):
        for x, matrix, (begin, end) in zip(features, matrices, pairwise(begins), strict=True):
            flat[block, begin:end] = _linear(x[block], matrix).reshape(len(x[block]), -1)
    return flat


def _linear_from_flat(joined: np.ndarray, matrices: Features) -> Features:
    """Apply the linear layers of all degrees to inputs that are side by side."""
    begins = _offsets([matrix.shape[0] for matrix in matrices])
    mixed = [
        np.empty((len(joined), 2 * degree + 1, matrix.shape[1]), joined.dtype) for degree, matrix in enumerate(matrices)
    ]
    for block in _blocks(len(joined)):
        for out, matrix, (begin, end) in zip(mixed, matrices, pairwise(begins), strict=True):
            x = joined[block, begin:end].reshape(-1, out.shape[1], matrix.shape[0])
            out[block] = _linear(x, matrix)
    return mixed


def _linear(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply the linear layer of one degree, as one product of matrices."""
    return (x.reshape(-1, x.shape[2]) @ matrix).reshape(*x.shape[:2], -1)


def _blocks(count: int) -> list[slice]:
    """Divide atoms into blocks of `BLOCK`."""
    return [slice(first, first + BLOCK) for first in range(0, count, BLOCK)]


def _width(matrices: Features) -> int:
    """Number of features of an atom that are inputs of the linear layers of all degrees."""
    return _offsets([matrix.shape[0] for matrix in matrices])[-1]


def _offsets(channels: list[int]) -> list[int]:
    """Offsets at which the features of each degree begin, and at which the last ones end."""
    return [0, *np.cumsum([(2 * degree + 1) * count for degree, count in enumerate(channels)]).tolist()]


def _activate(mixed: Features, scalars: int) -> tuple[Features, tuple]:
    """Gated activation: SiLU of the scalars, the features of l > 0 times SiLU of their gates."""
    activated, slopes = silu(mixed[0][:, 0])
    begins = np.cumsum([scalars, *(x.shape[2] for x in mixed[1:])])
    gates = [activated[:, None, a:b] for a, b in pairwise(begins)]
    features = [activated[:, None, :scalars], *(x * gate for x, gate in zip(mixed[1:], gates, strict=True))]
    return features, (gates, slopes)


def _activate_backward(mixed: Features, gates: tuple, d_features: Features) -> Features:
    """Derivatives with respect to the input of the gated activation, from those with respect to its output."""
    factors, slopes = gates
    d_gates = [(by * x).sum(axis=1) for by, x in zip(d_features[1:], mixed[1:], strict=True)]
    d_scalars = np.concatenate([d_features[0][:, 0], *d_gates], axis=1) * slopes
    return [d_scalars[:, None, :], *(by * gate for by, gate in zip(d_features[1:], factors, strict=True))]
