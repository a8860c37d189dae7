"""Structures as extended XYZ, with their annotations and constraints."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from qdsurf.errors import InputError
from qdsurf.storage.check_files import assert_intact
from qdsurf.storage.files import written_with_check


def write_structures(path: str | Path, images: Atoms | Sequence[Atoms], reason: str = "", checked: bool = True) -> None:
    """Write structures with their columns and constraints as extended XYZ.

    Parameters
    ----------
    reason : why there is no structure; kept in the file where `images` is empty, for `read_reason`.
    checked : write a check file beside it, so that `read_structures` finds later damage.
    """
    from ase.io import write  # the slowest import there is, and tables do without

    images = [_without_empty_words(atoms) for atoms in ([images] if isinstance(images, Atoms) else images)]
    with written_with_check(path, checked, frames=len(images)) as temporary:
        if images:
            write(temporary, images, format="extxyz")
        else:
            temporary.write_text(f"# {reason or 'no structure'}\n", encoding="utf-8")


def _without_empty_words(atoms: Atoms) -> Atoms:
    """A copy that ASE reads back: an empty word or array is written as its key alone, which swallows the next."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    words = {key: value for key, value in atoms.info.items() if not (isinstance(value, str) and not value)}
    copy.info = {k: [] if isinstance(v, np.ndarray) and not v.size else v for k, v in words.items()}
    return copy


def read_structures(path: str | Path) -> list[Atoms]:
    """Read all frames of anything that ASE reads.

    Raises
    ------
    InputError : there is no such file, it does not agree with its check file, ASE cannot read it, or a frame has no
        atoms or infinite numbers.
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
    except Exception as error:  # ASE's readers raise whatever their parser meets
        raise InputError(f"{path}: not readable as a structure ({type(error).__name__}: {error})") from None
    for number, atoms in enumerate(frames):
        if not len(atoms):
            raise InputError(f"{path}: frame {number} has no atoms")
        for atom in np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))[:1]:
            raise InputError(
                f"{path}: frame {number}: atom {atom} ({atoms.symbols[atom]}) has the position "
                f"{atoms.positions[atom].tolist()}; positions must be finite numbers in A"
            )
        if not np.isfinite(atoms.cell.array).all():
            raise InputError(
                f"{path}: frame {number}: the cell {atoms.cell.array.tolist()} is not finite; give vectors in A"
            )
    return frames


def read_reason(path: str | Path) -> str:
    """Why a file of `write_structures` holds no structure; empty if it holds one."""
    with open(path, "rb") as stream:
        first, more = stream.readline(), stream.read(1)
    return first[1:].decode(errors="replace").strip() if first.startswith(b"# ") and not more else ""


def read_structure(path: str | Path) -> Atoms:
    """Read a file that holds one structure (the last frame of a trajectory)."""
    frames = read_structures(path)
    if not frames:
        raise InputError(f"{path}: holds no structure")
    return frames[-1]
