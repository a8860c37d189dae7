"""Annotations of structures: the only module that knows the keys of `atoms.arrays` and `atoms.info`.

Every atom has the five columns of `COLUMNS`, which extended XYZ files preserve. Facts about the whole structure are
stored in `atoms.info` under the keys of `NOTES`.
"""

import hashlib
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

SUBSTRATE, LIGAND, ADSORBATE, COREACTANT = "substrate", "ligand", "adsorbate", "coreactant"
COLUMNS = {
    "role": "part of the model: substrate, ligand, adsorbate or coreactant",
    "fragment": "0 for the crystal; molecules are numbered from 1",
    "layer": "1 for the outermost layer of the substrate; 0 for molecules",
    "formal_charge": "formal charge, e",
    "anchor": "whether the atom binds its ligand to the crystal",
}
NOTES = {
    "name": "name of a molecule",
    "material": "name of the material",
    "facet": "Miller indices and termination",
    "composition": "fractions of the elements of a mixed crystal",
    "shells": "shells of a core-shell particle or slab, with their strain",
    "diameter_nm": "requested diameter of a particle, nm",
    "interface_charge": "charge of the plane between core and shell, e",
    "charge": "formal charge of a model that was built with a net charge, e",
    "defects": "names of the point defects",
    "defect_positions": "positions of the point defects, A",
    "vacancy_elements": "elements of the removed ions",
    "vacancy_positions": "positions of the removed ions, A",
    "ligand": "name of the ligand, or names and numbers of a mixture",
    "ligand_entry": "how the ligand binds: as an acid, anion, cation, dative donor or acceptor",
    "binding_mode": "monodentate, bridging or chelating",
    "ligands": "number of ligands on a nanocrystal",
    "passivating_ions": "number of passivating ions on a nanocrystal",
    "without_room": "number of ligands that did not fit",
    "bonds": "pairs of atoms that are bonded within molecules",
    "formed": "pairs of atoms between which the step forms a bond",
    "broken": "pairs of atoms between which the step breaks a bond",
    "reaction": "name of the reaction template of the step",
    "pose": "hash of a starting geometry",
    "height_A": "height of a rigid pose above its site, A",
    "strain": "remaining energy of the spring model, arbitrary units; or strain of a test cell",
    "energy_cost": "remaining energy of the spring model for a product, arbitrary units",
    "failures": "reasons why other products could not be built",
    "state": "initial, saddle, minimum or final on a reaction path",
    "provenance": "job, calculator and versions of an exported structure",
    "level": "level of theory of a reference structure",
    "energy_eV": "energy of a reference structure, eV",
    "programs": "programs that computed a reference structure",
}


def annotate(atoms: Atoms, part: str, fragment: int = 0, formal_charges: ArrayLike | None = None) -> Atoms:
    """Assign the columns of `COLUMNS` to every atom, in place.

    Parameters
    ----------
    atoms : Atoms
        Structure whose atoms belong to one part and one fragment.
    part : str
        `substrate`, `ligand`, `adsorbate` or `coreactant`.
    fragment : int
        Number of the molecule; 0 for the crystal.
    formal_charges : array_like of float, optional
        Formal charges in e, shape (n,); zero if not given.

    Returns
    -------
    Atoms
        The same object.
    """
    n = len(atoms)
    charges = np.zeros(n) if formal_charges is None else np.asarray(formal_charges, float)
    atoms.set_array("role", np.full(n, part, dtype="U10"))
    atoms.set_array("fragment", np.full(n, fragment))
    atoms.set_array("layer", np.zeros(n, dtype=int))
    atoms.set_array("formal_charge", charges)
    atoms.set_array("anchor", np.zeros(n, dtype=bool))
    return atoms


def is_annotated(atoms: Atoms) -> bool:
    """Return whether a structure has all columns of `COLUMNS`."""
    return all(column in atoms.arrays for column in COLUMNS)


def has_parts(atoms: Atoms) -> bool:
    """Return whether the structure distinguishes the atoms of the crystal from those of molecules."""
    return "role" in atoms.arrays


def parts(atoms: Atoms) -> np.ndarray:
    """Return the part of the model to which each atom belongs, shape (n,); writable."""
    return atoms.arrays["role"]


def fragments(atoms: Atoms) -> np.ndarray:
    """Return the fragment number of each atom, shape (n,); writable."""
    return atoms.arrays["fragment"]


def layers(atoms: Atoms) -> np.ndarray:
    """Return the layer number of each atom, shape (n,); writable."""
    return atoms.arrays["layer"]


def formal_charges(atoms: Atoms) -> np.ndarray:
    """Return the formal charge of each atom in e, shape (n,); writable."""
    return atoms.arrays["formal_charge"]


def anchors(atoms: Atoms) -> np.ndarray:
    """Return the mask of the atoms that bind ligands to the crystal, shape (n,); writable."""
    return atoms.arrays["anchor"]


def ions(atoms: Atoms) -> np.ndarray:
    """Return the index of each atom in the period or cell of the ideal crystal, shape (n,).

    Passivating ions have the index -1. The column exists only while a surface is being built.
    """
    return atoms.arrays["ion"]


def faces(atoms: Atoms) -> np.ndarray:
    """Return the name of the nanocrystal face on which each atom lies, shape (n,)."""
    return atoms.arrays["facet"]


def set_column(atoms: Atoms, key: str, values: np.ndarray) -> None:
    """Add or replace a column, such as `ion` while a surface is being built."""
    atoms.set_array(key, values)


def drop_column(atoms: Atoms, key: str) -> None:
    """Remove a column."""
    del atoms.arrays[key]


def widen_parts(atoms: Atoms) -> None:
    """Make the column of parts wide enough for every name; a file reader may have narrowed it to the names present."""
    atoms.arrays["role"] = atoms.arrays["role"].astype("U10")


def substrate_mask(atoms: Atoms) -> np.ndarray:
    """Return the mask of the atoms of the crystal, shape (n,)."""
    return parts(atoms) == SUBSTRATE


def note(atoms: Atoms, **values: Any) -> None:
    """Store facts about a structure under keys of `NOTES`.

    Raises
    ------
    KeyError
        A key is not in `NOTES`.
    """
    if unlisted := values.keys() - NOTES.keys():
        raise KeyError(f"unknown note {', '.join(sorted(unlisted))}; add it to NOTES in qdsurf/atomistic/annotation.py")
    atoms.info.update(values)


def noted(atoms: Atoms, key: str, default: Any = None) -> Any:
    """Return a stored fact about a structure, or `default` if it is absent."""
    return atoms.info.get(key, default)


def has_note(atoms: Atoms, key: str) -> bool:
    """Return whether a fact is stored under this key."""
    return key in atoms.info


def drop_notes(atoms: Atoms, *keys: str) -> None:
    """Remove the facts under these keys, or all facts if no key is given."""
    for key in keys or list(atoms.info):
        atoms.info.pop(key, None)


def copy_notes(source: Atoms, target: Atoms) -> None:
    """Replace the stored facts of `target` by those of `source`."""
    target.info = dict(source.info)


def content_hash(atoms: Atoms) -> str:
    """Return a hash of elements, positions (to 1e-6 A), cell and periodicity: 12 hexadecimal digits."""
    digest = hashlib.sha256()
    # Adding zero turns -0.0 into 0.0, which has other bytes.
    rounded = (np.round(part, 6) + 0.0 for part in (atoms.positions, atoms.cell.array))
    for part in (atoms.numbers, *rounded, atoms.pbc):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
