"""Cells of structures that are periodic in some directions only."""

import numpy as np
from ase import Atoms
from ase.geometry.cell import complete_cell

SMALLEST_VOLUME_A3 = 1e-6


def completed_cell(atoms: Atoms) -> np.ndarray:
    """Cell with unit vectors, at right angles to the periodic ones, in place of those that are not periodic, A."""
    return complete_cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0))


def has_volume(atoms: Atoms) -> bool:
    """Whether a structure is periodic in a cell with a volume, so that a stress is defined."""
    return bool(atoms.pbc.any() and atoms.cell.rank == 3 and abs(atoms.cell.volume) > SMALLEST_VOLUME_A3)
