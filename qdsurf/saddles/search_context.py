"""Quantities that all parts of a saddle search share."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from qdsurf.saddles.energy_surface import EnergySurface


@dataclass(frozen=True)
class SearchContext:
    """The two minima of a search, the energy surface, and the limits.

    Attributes
    ----------
    ends : tuple of Atoms
        Relaxed initial and final state, with energies and forces.
    surface : EnergySurface
        Energy surface with its calculator.
    fmax : float
        Largest force on an atom at minima and saddle points in eV/A.
    max_calls : int
        Largest number of force calls of one eigenvector following.
    calls : Counter
        Force calls by purpose; increased during the search.
    state_defining : ndarray of bool
        Pairs of atoms whose bonds distinguish states, shape (n, n); see `state_defining_bonds`.
    """

    ends: tuple[Atoms, Atoms]
    surface: EnergySurface
    fmax: float
    max_calls: int
    calls: Counter[str]
    state_defining: np.ndarray
