"""Write the weights of a SevenNet checkpoint as a file of NumPy arrays. Only this step needs `sevenn` and torch.

    python -m qdsurf.calculators.sevennet.export 7net-l3i5 7net-l3i5.npz

Normalisations of e3nn (path weights, average number of neighbours, scaled activations) are folded into the matrices, so
that the network consists only of linear layers, couplings and SiLU. Files from the same checkpoint are identical to the
last byte.
"""

import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

from qdsurf.calculators.sevennet.radial import SILU_SCALE

EARLIEST_DATE = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # of the members of a zip file, so that the file does not contain the time of writing


def export_weights(checkpoint: str) -> dict[str, np.ndarray]:
    """Read a checkpoint and convert it to arrays.

    Parameters
    ----------
    checkpoint : str
        Name or path that `sevenn` accepts.

    Returns
    -------
    dict
        Arrays by name.

    Raises
    ------
    ValueError
        The checkpoint contains a module that qdsurf does not implement.
    """
    import sevenn._keys as keys
    from e3nn import o3
    from sevenn.util import load_checkpoint

    loaded = load_checkpoint(checkpoint)
    model, config = loaded.build_model(), loaded.config
    model.set_is_batch_data(False)
    model.double()
    parts = model._modules
    if config.get(keys.USE_MODALITY, False):
        raise ValueError(f"{checkpoint}: networks with several modalities are not supported")
    edge = parts["edge_embedding"]
    cut = edge.cutoff_function
    xplor = hasattr(cut, "r_on")
    species = config[keys.TYPE_MAP]
    numbers = sorted(species, key=species.get)
    readout = _linear(parts["reduce_input_to_hidden"])[0] @ _linear(parts["reduce_hidden_to_energy"])[0]
    rescale = parts["rescale_atomic_energy"]
    arrays = {
        "atomic_numbers": np.array(numbers),
        "cutoff_A": np.array(float(config[keys.CUTOFF])),
        "bessel_frequencies_per_A": _array(edge.basis_function.coeffs),
        "bessel_prefactor": np.array(float(edge.basis_function.prefactor)),
        "envelope": np.array("xplor" if xplor else "polynomial"),
        "envelope_parameter": np.array(float(cut.r_on if xplor else cut.p)),
        "embedding": _linear(parts["onehot_to_feature_x"])[0],
        "readout": readout[:, 0],
        "shift_eV": np.broadcast_to(_array(rescale.shift), len(numbers)),
        "scale_eV": np.broadcast_to(_array(rescale.scale), len(numbers)),
    }
    triples = set()
    for t in range(config[keys.NUM_CONVOLUTION]):
        layer, paths = _layer(parts, t)
        triples |= {tuple(path[:3]) for path in paths.tolist()}
        arrays |= {f"layers/{t}/{name}": value for name, value in layer.items()} | {f"layers/{t}/paths": paths}
    for l1, l2, l3 in sorted(triples):
        arrays[f"couplings/{l1}{l2}{l3}"] = _array(o3.wigner_3j(l1, l2, l3, dtype=model.parameters().__next__().dtype))
    return {name: _compact(name, value) for name, value in arrays.items()}


def _layer(parts: dict, t: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Matrices of one interaction layer, and its paths: l1, l2, l3, first channel of the output, first weight."""
    layer: dict[str, np.ndarray] = {}
    for name, key in (("linear_in", "self_interaction_1"), ("linear_out", "self_interaction_2")):
        layer |= {f"{name}/{degree}": matrix for degree, matrix in enumerate(_linear(parts[f"{t}_{key}"]))}
    skip = parts[f"{t}_self_connection_intro"]
    if not hasattr(skip, "linear"):
        raise ValueError(f"layer {t}: only linear self-connections are supported, not {type(skip).__name__}")
    layer |= {f"skip/{degree}": matrix for degree, matrix in enumerate(_linear(skip))}
    convolution = parts[f"{t}_convolution"]
    product = convolution.convolution
    inputs, filters, outputs = product.irreps_in1, product.irreps_in2, product.irreps_out
    paths, scale, weight = [], [], 0
    for path in product.instructions:
        channels, l1 = inputs[path.i_in1].mul, inputs[path.i_in1].ir.l
        l2, l3 = filters[path.i_in2].ir.l, outputs[path.i_out].ir.l
        before = sum(mul for mul, ir in outputs[: path.i_out] if ir.l == l3)
        paths.append((l1, l2, l3, before, weight))
        scale += [path.path_weight / float(convolution.denominator)] * channels
        weight += channels
    dense = [module for module in convolution.weight_nn if hasattr(module, "weight")]
    for number, module in enumerate(dense):
        matrix = _array(module.weight) / np.sqrt(module.weight.shape[0])
        layer[f"radial/{number}"] = matrix * np.array(scale) if number == len(dense) - 1 else matrix
    gate = parts[f"{t}_equivariant_gate"].gate
    _check_activations([dense[0].act, *gate.act_scalars.acts, *gate.act_gates.acts], t)
    return layer, np.array(paths)


def _check_activations(activations: list, t: int) -> None:
    """Assert that all activations of a layer are scaled SiLU."""
    for activation in activations:
        function, scale = getattr(activation, "f", activation), float(getattr(activation, "cst", 1.0))
        if function is None:
            continue
        if getattr(function, "__name__", "") != "silu" or abs(scale - SILU_SCALE) > 1e-12:
            raise ValueError(f"layer {t}: only scaled SiLU is supported, not {function} times {scale}")


def _linear(module) -> list[np.ndarray]:
    """Matrix (inputs, outputs) of an equivariant linear layer for each l; it has no rows if there are no inputs."""
    linear = module.linear
    irreps_in, irreps_out = linear.irreps_in, linear.irreps_out
    largest = max(ir.l for _, ir in irreps_out)
    matrices = [
        np.zeros([sum(mul for mul, ir in irreps if ir.l == degree) for irreps in (irreps_in, irreps_out)])
        for degree in range(largest + 1)
    ]
    for _, path, weight in linear.weight_views(yield_instruction=True):
        degree = irreps_in[path.i_in].ir.l
        row = sum(mul for mul, ir in irreps_in[: path.i_in] if ir.l == degree)
        column = sum(mul for mul, ir in irreps_out[: path.i_out] if ir.l == degree)
        block = path.path_weight * _array(weight)
        matrices[degree][row : row + block.shape[0], column : column + block.shape[1]] += block
    return matrices


def _array(tensor) -> np.ndarray:
    """Convert a tensor to an array in double precision."""
    return tensor.detach().cpu().numpy().astype(np.float64)


def _compact(name: str, value: np.ndarray) -> np.ndarray:
    """Store matrices in single precision, in which they were trained, and physical constants in double precision."""
    single = (name.startswith("layers/") and not name.endswith("/paths")) or name in ("embedding", "readout")
    return np.array(value, np.float32 if single else value.dtype, order="C")


def write_weights(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write arrays as an .npz file that does not contain the time of writing.

    Parameters
    ----------
    arrays : dict
        Arrays by name.
    path : Path
        File that is written or replaced.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in sorted(arrays.items()):
            buffer = BytesIO()
            np.lib.format.write_array(buffer, value, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EARLIEST_DATE), buffer.getvalue())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: python -m {__spec__.name} CHECKPOINT FILE.npz")
    write_weights(export_weights(sys.argv[1]), Path(sys.argv[2]))
