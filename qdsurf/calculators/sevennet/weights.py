"""Weights of the networks that this package carries: where they are, what is in them, and that they are whole."""

import hashlib
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from qdsurf.errors import InputError, unknown

FOLDER = Path(__file__).parent / "data"
MODELS = ("7net-l3i5", "7net-0")  # the first is the default
FORMAT = 1


def weights_path(model: str) -> Path:
    """File with the weights of a model.

    Raises
    ------
    InputError
        There is no such model; lists those that there are.
    """
    if model not in MODELS:
        raise unknown("sevennet model", model, MODELS, "calculator.parameters.model")
    return FOLDER / f"{model}.npz"


@cache
def read_weights(model: str) -> dict[str, np.ndarray]:
    """Read the arrays of a model; see `export` for their names.

    Raises
    ------
    InputError
        The model is not known, or its file is missing, damaged or of another format.
    """
    path = weights_path(model)
    advice = "install qdsurf again, or make the file with `python -m qdsurf.calculators.sevennet.export`"
    if not path.is_file():
        raise InputError(f"{path}: the weights of {model} are missing; {advice}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.zlib.error) as error:
        raise InputError(f"{path}: the weights of {model} are damaged ({error}); {advice}") from None
    if arrays.get("format") != FORMAT:
        raise InputError(f"{path}: format {arrays.get('format')} of weights, but {FORMAT} is expected; {advice}")
    return arrays


def trained_elements(model: str) -> list[str]:
    """Symbols of the elements that a model was trained on."""
    return [chemical_symbols[number] for number in read_weights(model)["atomic_numbers"].tolist()]


def weights_sha256(model: str) -> str:
    """Hash of the file with the weights of a model."""
    return hashlib.sha256(weights_path(model).read_bytes()).hexdigest()
