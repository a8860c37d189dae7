"""Shortest allowed distances between atoms that are not bonded to each other."""

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
    """Return the shortest allowed distance for every pair of elements.

    The limits are scaled sums of van der Waals radii (10.1039/c3dt50599e), at most `LONGEST_CONTACT_A`.

    Parameters
    ----------
    numbers : ndarray of int
        Atomic numbers, shape (n,); 0 stands for a molecular ion.

    Returns
    -------
    ndarray of float
        Distances in A, shape (n, n).

    Raises
    ------
    InputError
        An element has no van der Waals radius.
    """
    numbers = np.asarray(numbers)
    radii = np.where(numbers == 0, MOLECULAR_ION_RADIUS_A, vdw_radii[numbers])
    if np.isnan(radii).any():
        missing = ", ".join(chemical_symbols[z] for z in numbers[np.isnan(radii)])
        raise InputError(
            f"no van der Waals radius is known for {missing}, so its contacts cannot be checked; use elements with a "
            "radius in ase.data.vdw_alvarez"
        )
    return np.minimum(VAN_DER_WAALS_CONTACT * (radii[:, None] + radii[None, :]), LONGEST_CONTACT_A)


def head_limits(numbers: np.ndarray) -> np.ndarray:
    """Return the shortest allowed distance between the head group of a ligand and the crystal.

    Pairs that contain a metal can bind, so that their limit is that of a bond.

    Parameters
    ----------
    numbers : ndarray of int
        Atomic numbers, shape (n,).

    Returns
    -------
    ndarray of float
        Distances in A, shape (n, n).
    """
    metal = ~np.isin(numbers, NONMETALS)
    can_bind = metal[:, None] | metal[None, :]
    radii = covalent_radii[numbers]
    bond = SHORTEST_METAL_BOND * (radii[:, None] + radii[None, :])
    return np.where(can_bind, bond, HEAD_GROUP_CONTACT / VAN_DER_WAALS_CONTACT * contact_limits(numbers))
