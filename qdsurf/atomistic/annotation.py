"""Annotations of atoms: which part of the model an atom belongs to, its layer, its formal charge."""

import hashlib
from collections.abc import Sequence

import numpy as np
from ase import Atoms

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


def content_hash(atoms: Atoms) -> str:
    """Hash of elements, positions (to 1e-6 A), cell and periodicity; 12 hexadecimal digits."""
    digest = hashlib.sha256()
    rounded = (np.round(part, 6) + 0.0 for part in (atoms.positions, atoms.cell.array))
    for part in (atoms.numbers, *rounded, atoms.pbc):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:12]
