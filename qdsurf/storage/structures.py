"""Structures as extended XYZ, with their annotations and constraints."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from qdsurf.errors import InputError
from qdsurf.storage.check_files import assert_intact
from qdsurf.storage.files import written_with_check

LONGEST_VECTOR_A = 1e5  # 10 um; a longer cell is a damaged file, and lists of neighbours cannot be made for it


def write_structures(path: str | Path, images: Atoms | Sequence[Atoms], reason: str = "", checked: bool = True) -> None:
    """Write structures with their columns and constraints as extended XYZ.

    Parameters
    ----------
    path : str or Path
        File that is written or replaced.
    images : Atoms or sequence of Atoms
        Structures; an empty sequence makes a file without structures.
    reason : str, optional
        Why there is no structure. It is written if `images` is empty, and `read_reason` returns it.
    checked : bool, optional
        Whether to write a check file, so that `read_structures` finds later damage.
    """
    from ase.io import write  # the slowest import of all, and code that only handles tables does without

    frames = [images] if isinstance(images, Atoms) else images
    with written_with_check(path, checked, frames=len(frames)) as temporary:
        if frames:
            write(temporary, [_without_empty_strings(atoms) for atoms in frames], format="extxyz")
        else:
            temporary.write_text(f"# {reason or 'no structure'}\n", encoding="utf-8")


def _without_empty_strings(atoms: Atoms) -> Atoms:
    """Copy a structure so that ASE can read its `info` back.

    ASE writes an empty string or array as the key alone, and then reads the next key as its value. Empty strings are
    therefore omitted, and empty arrays become empty lists.
    """
    copy = atoms.copy()
    copy.calc = atoms.calc
    copy.info = {}
    for key, value in atoms.info.items():
        if isinstance(value, np.ndarray) and not value.size:
            copy.info[key] = []
        elif not (isinstance(value, str) and not value):
            copy.info[key] = value
    return copy


def read_structures(path: str | Path) -> list[Atoms]:
    """Read all frames of a file in any format that ASE can read.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    list of Atoms
        All frames; empty if the file was written without a structure (see `read_reason`).

    Raises
    ------
    InputError
        The file is missing, does not agree with its check file, or cannot be read by ASE; or a frame has no atoms, or a
        position or cell vector that is not finite.
    """
    from ase.io import read

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    assert_intact(path)
    if read_reason(path):
        return []
    try:
        frames = list(read(path, index=":"))
    except Exception as error:  # the readers of ASE raise any kind of exception
        raise InputError(f"{path}: not readable as a structure ({type(error).__name__}: {error})") from None
    for number, atoms in enumerate(frames):
        _assert_finite(atoms, f"{path}: frame {number}")
    return frames


def _assert_finite(atoms: Atoms, where: str) -> None:
    """Assert that a frame has atoms, and that its positions and cell vectors are finite."""
    if not len(atoms):
        raise InputError(f"{where} has no atoms")
    infinite = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(infinite):
        atom = infinite[0]
        raise InputError(
            f"{where}: atom {atom} ({atoms.symbols[atom]}) has the position {atoms.positions[atom].tolist()}; "
            "positions must be finite numbers in A"
        )
    if not np.isfinite(atoms.cell.array).all():
        raise InputError(f"{where}: the cell {atoms.cell.array.tolist()} is not finite; give vectors in A")
    if np.abs(atoms.cell.array).max(initial=0.0) > LONGEST_VECTOR_A:
        raise InputError(
            f"{where}: the cell {atoms.cell.array.tolist()} has a component longer than {LONGEST_VECTOR_A:g} A; give "
            "vectors in A"
        )


def read_reason(path: str | Path) -> str:
    """Return the reason why a file of `write_structures` has no structure.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    str
        The reason; empty if the file has a structure.
    """
    with open(path, "rb") as stream:
        first_line = stream.readline()
        has_more = bool(stream.read(1))
    if has_more or not first_line.startswith(b"# "):
        return ""
    return first_line[1:].decode(errors="replace").strip()


def read_structure(path: str | Path) -> Atoms:
    """Read a file with one structure; of a trajectory, the last frame.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Atoms
        The structure.

    Raises
    ------
    InputError
        The file cannot be read (see `read_structures`), or it has no structure.
    """
    frames = read_structures(path)
    if not frames:
        raise InputError(f"{path}: contains no structure; give a file with at least one frame")
    return frames[-1]
