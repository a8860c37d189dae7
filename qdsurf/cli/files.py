"""Structure files of the user: any format, one frame or several, annotated by qdsurf or not."""

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

XYZ_FORMATS = ("xyz", "extxyz")


def print_note(text: str) -> None:
    """Print a line on standard error that is neither the result nor an error.

    Parameters
    ----------
    text : str
        Text of the line.
    """
    print(f"qdsurf: note: {text}", file=sys.stderr)


def read_frames(name: str) -> list[Atoms]:
    """Read all frames of FILE, or the one frame of FILE@N.

    Parameters
    ----------
    name : str
        FILE or FILE@N. A file whose name contains @ is read as a whole.

    Returns
    -------
    list of Atoms
        At least one structure.

    Raises
    ------
    InputError
        The file does not exist or is not readable, or it has no structure or no such frame.
    """
    path: str = name
    index: str | None = None
    if "@" in name and not Path(name).exists():
        path, _, index = name.rpartition("@")
    frames = read_structures(Path(path))
    if not frames:
        raise InputError(f"{path}: contains no structure")
    if index is None:
        return frames
    if not index.isdecimal() or int(index) >= len(frames):
        raise InputError(f"{name}: frame {index!r} does not exist; {path} has frames 0 to {len(frames) - 1}")
    return [frames[int(index)]]


def read_frame(name: str) -> Atoms:
    """Read one structure. If the file has several, the last one is read and a note is printed.

    Parameters
    ----------
    name : str
        FILE or FILE@N, see `read_frames`.

    Returns
    -------
    Atoms

    Raises
    ------
    InputError
        As in `read_frames`.
    """
    frames = read_frames(name)
    if len(frames) > 1:
        print_note(f"{name} contains {len(frames)} structures and the last one is used; write {name}@0 for the first")
    return frames[-1]


def read_model(name: str, charges: Sequence[str] = ()) -> Atoms:
    """Read one structure and assign the columns of `atomistic.annotation.annotate`, unless it has them.

    Parameters
    ----------
    name : str
        FILE or FILE@N, see `read_frames`.
    charges : sequence of str
        Formal charges in e as ELEMENT=CHARGE, for elements without a charge on record or with a different one.

    Returns
    -------
    Atoms

    Raises
    ------
    InputError
        The structure cannot be read, a charge cannot be read, or an element has no charge.
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
    """Check that a file can be written, before anything is computed for it.

    Parameters
    ----------
    name : str
        File to write.
    frames : int
        Number of structures.

    Returns
    -------
    str
        Name of the format in ASE.

    Raises
    ------
    InputError
        The name is that of a folder, or ASE does not write this format, or not with this number of structures.
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
        raise InputError(f"{name}: the format {kind.name} stores one structure, not {frames}; use .xyz")
    return kind.name


def write_frames(name: str, frames: Sequence[Atoms]) -> None:
    """Write structures in the format that the name implies. A file with this name is always complete.

    Parameters
    ----------
    name : str
        File to write.
    frames : sequence of Atoms
        Structures.

    Raises
    ------
    InputError
        As in `check_output`, or ASE cannot write one of the structures in this format.
    """
    kind = check_output(name, len(frames))
    if kind in XYZ_FORMATS:
        write_structures(Path(name), frames, checked=False)
        return
    print_note(f"{name}: the format {kind} does not keep the columns with roles and charges; .xyz does")
    try:
        with written_whole(Path(name)) as temporary:
            write(temporary, frames if len(frames) > 1 else frames[0], format=kind)
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise InputError(f"{name}: ASE cannot write this structure as {kind}: {error}") from None
