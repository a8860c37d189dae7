"""The network: energy of every atom, and by one pass backwards the forces and the virial.

An atom starts from the embedding of its element. Each interaction layer mixes its features (`linear_in`), gathers
messages from the neighbours (`convolution`), mixes these (`linear_out`), adds a linear skip of the old features, and
applies a gated activation: SiLU to scalars, and to the features of l > 0 a factor SiLU(gate) from extra scalars. The
energy of an atom is a linear function of its last scalars, scaled and shifted by element. Features of degree l have the
shape (atoms, 2 l + 1, channels): channels are innermost, so that all loops run along them.
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

BLOCK = 128  # atoms
CHUNKS_PER_THREAD = 4  # so that threads with slow atoms do not keep the others waiting
Features = list[np.ndarray]  # by degree l, shape (atoms, 2 l + 1, channels)


class Workspace:
    """Large arrays that are used again at the next call: the system takes long to hand out fresh memory."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type, zero: bool = False) -> np.ndarray:
        """An array under this name; its content is arbitrary unless it is to be zero."""
        size, held = int(np.prod(shape)), self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._arrays[name] = np.empty(size, dtype)
        array = held[:size].reshape(shape)
        if zero:
            array[:] = 0
        return array


class Result(NamedTuple):
    """Energies of the atoms (eV, shape (n,)), forces (eV/A, shape (n, 3)) and virial dE/d strain (eV, shape (3, 3))."""

    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray


@dataclass(frozen=True)
class Layer:
    """One interaction layer; matrices by degree l, shape (inputs, outputs)."""

    linear_in: Features
    radial: RadialTable
    paths: np.ndarray
    linear_out: Features
    skip: Features

    @cached_property
    def scalars(self) -> int:
        """Number of scalars behind the gate; the other scalars of `linear_out` are the gates."""
        return self.linear_out[0].shape[1] - sum(matrix.shape[1] for matrix in self.linear_out[1:])


class Network:
    """A network with its weights in memory.

    Parameters
    ----------
    model : name of the weights; see `weights.MODELS`.
    dtype : precision of features and weights; geometry and sums over atoms are always in double precision.
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
        """Energies, forces and virial.

        Parameters
        ----------
        species : number of the element of each atom in `atomic_numbers`.
        threads : among which the atoms are divided; the result is the same for any number.
        workspace : kept by the caller from one call to the next.
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
        """Derivatives of the energy by the couplings and the distances of the edges."""
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
    """Run a kernel over the ranges of 0 to `count`, in threads where there are several."""
    if threads == 1:
        kernel(0, count, *arguments)
        return
    limits = np.linspace(0, count, threads * CHUNKS_PER_THREAD + 1).astype(int).tolist()
    for done in [pool.submit(kernel, a, b, *arguments) for a, b in pairwise(limits)]:
        done.result()


def _forces_and_virial(edges: NeighbourList, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forces and virial from the derivatives by the vectors of the edges."""
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
    """Linear layers of all degrees; their outputs side by side in `flat`, shape (atoms, width).

    Atoms are taken in blocks, so that temporary arrays stay in the cache of the processor.
    """
    begins = _offsets([matrix.shape[1] for matrix in matrices])
    for block in _blocks(len(flat)):
        for x, matrix, (begin, end) in zip(features, matrices, pairwise(begins), strict=True):
            flat[block, begin:end] = _linear(x[block], matrix).reshape(len(x[block]), -1)
    return flat


def _linear_from_flat(joined: np.ndarray, matrices: Features) -> Features:
    """Linear layers of all degrees, from their inputs side by side."""
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
    """A linear layer of one degree, as one product of matrices."""
    return (x.reshape(-1, x.shape[2]) @ matrix).reshape(*x.shape[:2], -1)


def _blocks(count: int) -> list[slice]:
    return [slice(first, first + BLOCK) for first in range(0, count, BLOCK)]


def _width(matrices: Features) -> int:
    """Number of features of an atom that go into linear layers of all degrees."""
    return _offsets([matrix.shape[0] for matrix in matrices])[-1]


def _offsets(channels: list[int]) -> list[int]:
    """Where the features of each degree begin, and where the last ones end."""
    return [0, *np.cumsum([(2 * degree + 1) * count for degree, count in enumerate(channels)]).tolist()]


def _activate(mixed: Features, scalars: int) -> tuple[Features, tuple]:
    """Gated activation: SiLU of the scalars, the features of l > 0 times SiLU of their gates."""
    activated, slopes = silu(mixed[0][:, 0])
    begins = np.cumsum([scalars, *(x.shape[2] for x in mixed[1:])])
    gates = [activated[:, None, a:b] for a, b in pairwise(begins)]
    features = [activated[:, None, :scalars], *(x * gate for x, gate in zip(mixed[1:], gates, strict=True))]
    return features, (gates, slopes)


def _activate_backward(mixed: Features, gates: tuple, d_features: Features) -> Features:
    """Derivatives by the input of the gated activation, from those by its output."""
    factors, slopes = gates
    d_gates = [(by * x).sum(axis=1) for by, x in zip(d_features[1:], mixed[1:], strict=True)]
    d_scalars = np.concatenate([d_features[0][:, 0], *d_gates], axis=1) * slopes
    return [d_scalars[:, None, :], *(by * gate for by, gate in zip(d_features[1:], factors, strict=True))]
