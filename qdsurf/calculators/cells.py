"""Cells of structures that are not periodic in all three directions."""

import numpy as np
from ase import Atoms
from ase.geometry.cell import complete_cell

SMALLEST_VOLUME_A3 = 1e-6  # smaller volumes are rounding errors of a flat cell


def completed_cell(atoms: Atoms) -> np.ndarray:
    """Replace the cell vectors of non-periodic directions by unit vectors that are orthogonal to all others.

    Parameters
    ----------
    atoms : Atoms
        Structure with any periodicity.

    Returns
    -------
    ndarray
        Cell vectors in A, shape (3, 3).
    """
    return complete_cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0))


def has_volume(atoms: Atoms) -> bool:
    """Whether a structure is periodic in a cell with a volume, so that a stress is defined."""
    return bool(atoms.pbc.any() and atoms.cell.rank == 3 and abs(atoms.cell.volume) > SMALLEST_VOLUME_A3)
