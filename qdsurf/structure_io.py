"""Files between the rooms: structures as extended XYZ, results as JSON, both written whole or not at all."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ase import Atoms

from qdsurf.errors import InputError

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
def written_whole(path: Path) -> Iterator[Path]:
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


def write_atomically(path: Path, text: str) -> None:
    """Write text so that a reader, or a resumed run, never sees half of it."""
    with written_whole(path) as temporary:
        temporary.write_text(text)


def write_json(path: Path, data: object) -> None:
    """Write plain data (numbers, strings, NumPy scalars and arrays) as JSON."""
    write_atomically(path, json.dumps(data, indent=1, default=lambda x: x.tolist(), allow_nan=True) + "\n")


def read_json(path: Path):
    """Read JSON; a damaged file is named."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None


def write_structures(path: Path, images: Atoms | Sequence[Atoms], reason: str = "") -> None:
    """Write structures with their columns and constraints as extended XYZ.

    Parameters
    ----------
    reason : why there is no structure; kept in the file where `images` is empty, for `read_reason`.
    """
    from ase.io import write  # the slowest import there is, and tables do without

    images = [_without_empty_words(atoms) for atoms in ([images] if isinstance(images, Atoms) else images)]
    with written_whole(path) as temporary:
        if images:
            write(temporary, images, format="extxyz")
        else:
            temporary.write_text(f"# {reason or 'no structure'}\n")


def _without_empty_words(atoms: Atoms) -> Atoms:
    """A copy that ASE reads back: an empty word or array is written as its key alone, which swallows the next."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    words = {key: value for key, value in atoms.info.items() if not (isinstance(value, str) and not value)}
    copy.info = {k: [] if isinstance(v, np.ndarray) and not v.size else v for k, v in words.items()}
    return copy


def read_structures(path: Path) -> list[Atoms]:
    """Read all frames of anything that ASE reads.

    Raises
    ------
    InputError : there is no such file, ASE cannot read it, or a frame has no atoms or infinite numbers.
    """
    from ase.io import read

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if read_reason(path):
        return []
    try:
        frames = read(path, index=":")
    except Exception as error:  # ASE's readers raise whatever their parser meets
        raise InputError(f"{path}: not readable as a structure ({type(error).__name__}: {error})") from None
    for number, atoms in enumerate(frames):
        if not len(atoms):
            raise InputError(f"{path}: frame {number} has no atoms")
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise InputError(f"{path}: frame {number} has a position or a cell vector that is no finite number")
    return frames


def read_reason(path: Path) -> str:
    """Why a file of `write_structures` holds no structure; empty if it holds one."""
    with open(path, "rb") as stream:
        first, more = stream.readline(), stream.read(1)
    return first[1:].decode(errors="replace").strip() if first.startswith(b"# ") and not more else ""


def read_structure(path: Path) -> Atoms:
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
