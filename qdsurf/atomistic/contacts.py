"""How near two atoms that are not bonded may come."""

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.vdw_alvarez import vdw_radii

from qdsurf.atomistic.bonding import NONMETALS
from qdsurf.atomistic.bonding_criteria import (
    HEAD_GROUP_CONTACT,
    LONGEST_CONTACT_A,
    MOLECULAR_ION_RADIUS_A,
    SHORTEST_METAL_BOND,
    VAN_DER_WAALS_CONTACT,
)
from qdsurf.errors import InputError


def contact_limits(numbers: np.ndarray) -> np.ndarray:
    """Shortest allowed distance in A for every pair of elements, shape (n, n).

    Parameters
    ----------
    numbers : atomic numbers of the n elements.

    Raises
    ------
    InputError : an element has no van der Waals radius.
    """
    numbers = np.asarray(numbers)
    radii = np.where(numbers == 0, MOLECULAR_ION_RADIUS_A, vdw_radii[numbers])
    if np.isnan(radii).any():
        missing = ", ".join(chemical_symbols[z] for z in numbers[np.isnan(radii)])
        raise InputError(f"no van der Waals radius is known for {missing}; contacts with it cannot be judged")
    return np.minimum(VAN_DER_WAALS_CONTACT * (radii[:, None] + radii[None, :]), LONGEST_CONTACT_A)


def head_limits(numbers: np.ndarray) -> np.ndarray:
    """Shortest distance in A of a ligand's head from the crystal, shape (n, n); a bond's where a metal can bind."""
    metal = ~np.isin(numbers, NONMETALS)
    bonding = metal[:, None] | metal[None, :]
    radii = covalent_radii[numbers]
    bond = SHORTEST_METAL_BOND * (radii[:, None] + radii[None, :])
    return np.where(bonding, bond, HEAD_GROUP_CONTACT / VAN_DER_WAALS_CONTACT * contact_limits(numbers))
