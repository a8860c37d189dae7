"""Annotations of structures: the only module that knows the keys of `atoms.arrays` and `atoms.info`.

Every atom carries five columns, which extended XYZ files keep. What a builder has done to the whole structure is
noted in `atoms.info` under one of the keys of `NOTES`.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

SUBSTRATE, LIGAND, ADSORBATE, COREACTANT = "substrate", "ligand", "adsorbate", "coreactant"
COLUMNS = {
    "role": "part of the model: substrate, ligand, adsorbate or coreactant",
    "fragment": "0 for the crystal, then one number for each molecule",
    "layer": "1 for the outermost layer of the substrate, 0 for molecules",
    "formal_charge": "e",
    "anchor": "whether the atom binds its ligand to the crystal",
}
NOTES = {
    "name": "name of a molecule",
    "material": "record of the crystal",
    "facet": "Miller indices and termination",
    "composition": "fractions of a mixed crystal",
    "shells": "shells of a core-shell particle or slab, with their strain",
    "diameter_nm": "diameter that was asked for",
    "interface_charge": "charge of the plane between core and shell, e",
    "charge": "formal charge of a model that may be charged, e",
    "defects": "point defects",
    "defect_positions": "where they are, A",
    "vacancy_elements": "elements of the ions that were removed",
    "vacancy_positions": "where they were, A",
    "ligand": "ligand, or the mixture with its numbers",
    "ligand_entry": "how the ligand came to the surface: acid, anion, cation, dative or acceptor",
    "binding_mode": "monodentate, bridging or chelating",
    "ligands": "number of ligands on a nanocrystal",
    "passivating_ions": "number of passivating ions on a nanocrystal",
    "without_room": "number of ligands that did not fit",
    "bonds": "pairs of atoms that are bonded within molecules",
    "formed": "pairs of atoms that the step bonds",
    "broken": "pairs of atoms that the step separates",
    "reaction": "template of the step",
    "pose": "hash of a starting geometry",
    "height_A": "height of a rigid pose above its site",
    "strain": "energy left in the springs of the spring model, arbitrary units; or strain of a test cell",
    "energy_cost": "energy left in the springs of a product, arbitrary units",
    "failures": "reasons why other products could not be built",
    "state": "initial, saddle, minimum or final on a reaction path",
    "provenance": "job, calculator and versions of an exported structure",
    "level": "level of theory of a reference structure",
    "energy_eV": "energy of a reference structure",
    "programs": "programs that computed a reference structure",
}


def annotate(atoms: Atoms, part: str, fragment: int = 0, formal_charges: Sequence[float] | None = None) -> Atoms:
    """Give every atom the columns of `COLUMNS`, in place.

    Parameters
    ----------
    atoms : Atoms
        Structure whose atoms belong to one part and one fragment.
    part : str
        `substrate`, `ligand`, `adsorbate` or `coreactant`.
    fragment : int
        0 for the crystal.
    formal_charges : sequence of float, optional
        In e, one for each atom; zero if absent.

    Returns
    -------
    Atoms
        The same object.
    """
    n = len(atoms)
    atoms.set_array("role", np.full(n, part, dtype="U10"))
    atoms.set_array("fragment", np.full(n, fragment))
    atoms.set_array("layer", np.zeros(n, dtype=int))
    atoms.set_array("formal_charge", np.zeros(n) if formal_charges is None else np.asarray(formal_charges, float))
    atoms.set_array("anchor", np.zeros(n, dtype=bool))
    return atoms


def is_annotated(atoms: Atoms) -> bool:
    """Whether a structure has all columns."""
    return all(column in atoms.arrays for column in COLUMNS)


def has_parts(atoms: Atoms) -> bool:
    """Whether it is known which atoms are crystal and which are molecules."""
    return "role" in atoms.arrays


def parts(atoms: Atoms) -> np.ndarray:
    """Part of the model that each atom belongs to, shape (n,); writable."""
    return atoms.arrays["role"]


def fragments(atoms: Atoms) -> np.ndarray:
    """Number of the fragment of each atom, shape (n,); writable."""
    return atoms.arrays["fragment"]


def layers(atoms: Atoms) -> np.ndarray:
    """Number of the layer of each atom, shape (n,); writable."""
    return atoms.arrays["layer"]


def formal_charges(atoms: Atoms) -> np.ndarray:
    """Formal charge of each atom in e, shape (n,); writable."""
    return atoms.arrays["formal_charge"]


def anchors(atoms: Atoms) -> np.ndarray:
    """Mask of the atoms that bind ligands to the crystal, shape (n,); writable."""
    return atoms.arrays["anchor"]


def ions(atoms: Atoms) -> np.ndarray:
    """Index of the ion of the ideal crystal that each atom is, -1 for a passivating ion, shape (n,); builders only."""
    return atoms.arrays["ion"]


def faces(atoms: Atoms) -> np.ndarray:
    """Face of a nanocrystal on which each atom lies, shape (n,)."""
    return atoms.arrays["facet"]


def set_column(atoms: Atoms, key: str, values: np.ndarray) -> None:
    """Add a column, such as `ion` while a surface is built."""
    atoms.set_array(key, values)


def drop_column(atoms: Atoms, key: str) -> None:
    """Remove a column."""
    del atoms.arrays[key]


def widen_parts(atoms: Atoms) -> None:
    """Let the column of parts take any word: a file may have made it as narrow as the words that it held."""
    atoms.arrays["role"] = atoms.arrays["role"].astype("U10")


def substrate_mask(atoms: Atoms) -> np.ndarray:
    """Mask of the atoms of the crystal, shape (n,)."""
    return parts(atoms) == SUBSTRATE


def note(atoms: Atoms, **values: Any) -> None:
    """Write notes on a structure, under keys of `NOTES`."""
    if foreign := values.keys() - NOTES.keys():
        raise KeyError(f"no note is called {', '.join(sorted(foreign))}; add it to NOTES")
    atoms.info.update(values)


def noted(atoms: Atoms, key: str, default: Any = None) -> Any:
    """Read a note on a structure; `default` if there is none."""
    return atoms.info.get(key, default)


def has_note(atoms: Atoms, key: str) -> bool:
    """Whether a structure carries a note."""
    return key in atoms.info


def drop_notes(atoms: Atoms, *keys: str) -> None:
    """Remove notes, all of them if none is named."""
    for key in keys or list(atoms.info):
        atoms.info.pop(key, None)


def copy_notes(source: Atoms, target: Atoms) -> None:
    """Replace the notes of a structure by those of another."""
    target.info = dict(source.info)


def content_hash(atoms: Atoms) -> str:
    """Hash of elements, positions (to 1e-6 A), cell and periodicity; 12 hexadecimal digits."""
    digest = hashlib.sha256()
    rounded = (np.round(part, 6) + 0.0 for part in (atoms.positions, atoms.cell.array))
    for part in (atoms.numbers, *rounded, atoms.pbc):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
