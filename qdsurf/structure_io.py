"""Files between the stages: structures as extended XYZ, tables as CSV, results as JSON.

Each file is written whole or not at all. A check file beside it (see `qdsurf.integrity`) shows later whether the file
is still what was written.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from qdsurf.errors import InputError
from qdsurf.integrity import assert_intact, check_file, check_text

if TYPE_CHECKING:
    import pandas as pd  # imported where it is used: most verbs of the command line do without

SUBSTRATE, LIGAND, ADSORBATE, COREACTANT = "substrate", "ligand", "adsorbate", "coreactant"


def annotate(atoms: Atoms, role: str, fragment: int = 0, formal_charges: Sequence[float] | None = None) -> Atoms:
    """Give every atom the columns that all rooms rely on; in place, and returned.

    Columns: `role` (substrate, ligand, adsorbate, coreactant), `fragment` (0 for the crystal, then one number for each
    molecule), `layer` (1 is the outermost substrate layer, 0 for molecules), `formal_charge` (e), `anchor`
    (atom by which a ligand binds).
    """
    n = len(atoms)
    atoms.set_array("role", np.full(n, role, dtype="U10"))
    atoms.set_array("fragment", np.full(n, fragment))
    atoms.set_array("layer", np.zeros(n, dtype=int))
    atoms.set_array("formal_charge", np.zeros(n) if formal_charges is None else np.asarray(formal_charges, float))
    atoms.set_array("anchor", np.zeros(n, dtype=bool))
    return atoms


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Lend a path beside `path` to write to; what is there at the end takes the place of `path` in one step.

    A reader, or a resumed run, never sees half a file: neither after a kill, nor on a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())  # a quota or a network disk may refuse only now
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: str | Path, text: str) -> None:
    """Write text so that a reader, or a resumed run, never sees half of it."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def _written_with_check(path: str | Path, checked: bool, **counts: int) -> Iterator[Path]:
    """Lend a path as `written_whole`; the check file is replaced just before the file itself."""
    path = Path(path)
    with written_whole(path) as temporary:
        yield temporary
        if checked:
            write_atomically(check_file(path), check_text(path, temporary, **counts))
        else:
            check_file(path).unlink(missing_ok=True)


def write_json(path: str | Path, data: object, checked: bool = True) -> None:
    """Write plain data (numbers, strings, NumPy scalars and arrays) as JSON.

    Parameters
    ----------
    checked : write a check file beside it, so that `read_json` finds later damage.
    """
    text = json.dumps(data, indent=1, default=lambda x: x.tolist(), allow_nan=True) + "\n"
    with _written_with_check(path, checked) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path):
    """Read JSON.

    Raises
    ------
    InputError : the file is missing, is not JSON, or does not agree with its check file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    assert_intact(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None


def write_table(path: str | Path, table: "pd.DataFrame", checked: bool = True) -> None:
    """Write a table as CSV; numbers keep ten significant digits, missing ones stay empty.

    Parameters
    ----------
    checked : write a check file beside it, so that `read_table` finds later damage.
    """
    text = table.to_csv(index=False, float_format="%.10g")
    with _written_with_check(path, checked, rows=len(table)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a CSV file with a header.

    Raises
    ------
    InputError : the file is missing, is not CSV, or does not agree with its check file.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    assert_intact(path)
    try:
        return pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not readable as CSV: {error}") from None


def write_structures(path: str | Path, images: Atoms | Sequence[Atoms], reason: str = "", checked: bool = True) -> None:
    """Write structures with their columns and constraints as extended XYZ.

    Parameters
    ----------
    reason : why there is no structure; kept in the file where `images` is empty, for `read_reason`.
    checked : write a check file beside it, so that `read_structures` finds later damage.
    """
    from ase.io import write  # the slowest import there is, and tables do without

    images = [_without_empty_words(atoms) for atoms in ([images] if isinstance(images, Atoms) else images)]
    with _written_with_check(path, checked, frames=len(images)) as temporary:
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


def content_hash(atoms: Atoms) -> str:
    """Hash of elements, positions (to 1e-6 A), cell and periodicity; 12 hexadecimal digits."""
    digest = hashlib.sha256()
    rounded = (np.round(part, 6) + 0.0 for part in (atoms.positions, atoms.cell.array))
    for part in (atoms.numbers, *rounded, atoms.pbc):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
