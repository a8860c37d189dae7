"""Files between the rooms: structures as extended XYZ, results as JSON, both written whole or not at all."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

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


def write_atomically(path: Path, text: str) -> None:
    """Write text so that a reader, or a resumed run, never sees half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, data: object) -> None:
    """Write plain data (numbers, strings, NumPy scalars and arrays) as JSON."""
    write_atomically(path, json.dumps(data, indent=1, default=lambda x: x.tolist(), allow_nan=True) + "\n")


def read_json(path: Path):
    """Read JSON; a damaged file is named."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None


def write_structures(path: Path, images: Atoms | Sequence[Atoms], reason: str = "") -> None:
    """Write structures with their columns and constraints as extended XYZ.

    Parameters
    ----------
    reason : why there is no structure; kept in the file where `images` is empty, for `read_reason`.
    """
    images = [images] if isinstance(images, Atoms) else list(images)
    path = Path(path)
    if not images:
        write_atomically(path, f"# {reason or 'no structure'}\n")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    write(temporary, images, format="extxyz")
    os.replace(temporary, path)


def read_structures(path: Path) -> list[Atoms]:
    """Read all frames of anything that ASE reads.

    Raises
    ------
    InputError : there is no such file, or ASE cannot read it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if read_reason(path):
        return []
    try:
        return read(path, index=":")
    except Exception as error:  # ASE's readers raise whatever their parser meets
        raise InputError(f"{path}: not readable as a structure ({type(error).__name__}: {error})") from None


def read_reason(path: Path) -> str:
    """Why a file of `write_structures` holds no structure; empty if it holds one."""
    with open(path, "rb") as stream:
        first = stream.readline()
    return first[1:].decode().strip() if first.startswith(b"# ") else ""


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
