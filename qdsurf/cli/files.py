"""Structure files as people hand them in: any format, one frame or many, with or without our columns."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from ase.io import write
from ase.io.formats import UnknownFileTypeError, filetype, ioformats

from qdsurf.errors import InputError
from qdsurf.storage.files import written_whole
from qdsurf.storage.structures import read_structures, write_structures
from qdsurf.surfaces.external import annotate_external

EXTENDED_XYZ = "extxyz"


def note(words: str) -> None:
    """Tell the user something that is not the result."""
    print(f"qdsurf: note: {words}", file=sys.stderr)


def read_frames(name: str) -> list[Atoms]:
    """Read all frames of FILE, or the one frame of FILE@N.

    Raises
    ------
    InputError : there is no such file or frame, or it holds no structure.
    """
    path, at, index = name.rpartition("@")
    if not at or Path(name).exists():
        path, index = name, None
    frames = read_structures(Path(path))
    if not frames:
        raise InputError(f"{path}: holds no structure")
    if index is None:
        return frames
    if not index.isdecimal() or int(index) >= len(frames):
        raise InputError(f"{name}: frame {index!r} does not exist; {path} has frames 0 to {len(frames) - 1}")
    return [frames[int(index)]]


def read_frame(name: str) -> Atoms:
    """Read one structure, the last one of several."""
    frames = read_frames(name)
    if len(frames) > 1:
        note(f"{name} holds {len(frames)} structures, the last one is taken; write {name}@0 for the first")
    return frames[-1]


def read_model(name: str, charges: Sequence[str] = ()) -> Atoms:
    """Read one structure, of any origin, with the columns of `atomistic.annotation.annotate`.

    Parameters
    ----------
    charges : formal charges as ELEMENT=CHARGE, where the records have none or another.

    Raises
    ------
    InputError : a charge cannot be read, or is missing.
    """
    given = {}
    for word in charges:
        element, _, charge = word.partition("=")
        try:
            given[element] = float(charge)
        except ValueError:
            raise InputError(f"--charge {word!r}: write ELEMENT=CHARGE, such as Pb=2") from None
    return annotate_external(read_frame(name), given, name)


def check_output(name: str, frames: int = 1) -> str:
    """Make sure that a file can be written, before anything is computed for it.

    Returns
    -------
    Name of the format as ASE knows it.

    Raises
    ------
    InputError : ASE does not write this format, or not this many frames in it.
    """
    if Path(name).is_dir():
        raise InputError(f"{name}: is a folder; give the name of a file")
    try:
        kind = ioformats[filetype(name, read=False)]
    except (UnknownFileTypeError, KeyError):
        raise InputError(f"{name}: ASE does not know the format of this name; use .xyz") from None
    if not kind.can_write:
        raise InputError(f"{name}: ASE reads the format {kind.name} but does not write it; use .xyz")
    if frames > 1 and kind.single:
        raise InputError(f"{name}: the format {kind.name} holds one structure, not {frames}; use .xyz")
    return kind.name


def write_frames(name: str, frames: Sequence[Atoms]) -> None:
    """Write structures in the format that the name asks for, whole or not at all."""
    kind = check_output(name, len(frames))
    if kind in ("xyz", EXTENDED_XYZ):
        return write_structures(Path(name), frames, checked=False)
    note(f"{name}: the format {kind} does not keep the columns with roles and charges; .xyz does")
    try:
        with written_whole(Path(name)) as temporary:
            write(temporary, frames if len(frames) > 1 else frames[0], format=kind)
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise InputError(f"{name}: ASE cannot write this structure as {kind}: {error}") from None
