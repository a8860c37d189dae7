"""Weights of the SevenNet models that are distributed with qdsurf: their files, verified by hash."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from qdsurf.errors import InputError, unknown

FOLDER = Path(__file__).parent / "data"
# Files by name of the model, and their hashes; the first is the default.
SHA256 = {
    "7net-l3i5": "dad140ba9acfaf70673166d50abd41bb43e8c8262ffdf2e1af40908e9c67a2d4",
    "7net-0": "e612666001d47ab97c7d3da103f286c8b4a0fdd780bf39d7b89547e673d47637",
}
MODELS = tuple(SHA256)


def weights_path(model: str) -> Path:
    """Return the path of the file with the weights of a model.

    Parameters
    ----------
    model : str
        Name of the model; see `MODELS`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The model is unknown; the message lists the available ones.
    """
    if model not in MODELS:
        raise unknown("sevennet model", model, MODELS, "calculator.parameters.model")
    return FOLDER / f"{model}.npz"


@cache
def read_weights(model: str) -> dict[str, np.ndarray]:
    """Read the arrays of a model.

    Parameters
    ----------
    model : str
        Name of the model; see `MODELS`.

    Returns
    -------
    dict
        Arrays by name; see `export` for the names.

    Raises
    ------
    InputError
        The model is unknown, or its file is missing or damaged.
    """
    path = weights_path(model)
    advice = "install qdsurf again, or make the file with `python -m qdsurf.calculators.sevennet.export`"
    if not path.is_file():
        raise InputError(f"{path}: the weights of {model} are missing; {advice}")
    if weights_sha256(model) != SHA256[model]:
        raise InputError(
            f"{path}: the weights of {model} are damaged (their SHA-256 differs from the recorded one); {advice}"
        )
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def trained_elements(model: str) -> list[str]:
    """Symbols of the elements on which a model was trained."""
    return [chemical_symbols[number] for number in read_weights(model)["atomic_numbers"].tolist()]


def weights_sha256(model: str) -> str:
    """SHA-256 of the file with the weights of a model."""
    return hashlib.sha256(weights_path(model).read_bytes()).hexdigest()
