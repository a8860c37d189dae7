"""How near two atoms that are not bonded may come."""

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.vdw_alvarez import vdw_radii

from qdsurf.atomistic.bonding import NONMETALS
from qdsurf.errors import InputError

# Share of the sum of van der Waals radii (Alvarez, 10.1039/c3dt50599e): H...H 1.80 A, C...H 2.23, C...C 2.66. The
# shortest contacts in crystals of alkanes and fatty acids are at 0.9; a model to be relaxed may start a tenth nearer.
NEAREST = 0.75
# Cations of a crystal are smaller than van der Waals radii, which are those of atoms (Cs 3.48 A, Cs+ 1.88 A).
MOLECULAR_ION_A = 2.5  # a placeholder stands for a molecule such as formamidinium, 2.5 A in radius, assumed
WIDEST_A = 2.8
# The head of a ligand comes nearer to what it does not bind, down to a short hydrogen bond: O...H 1.76 A, O...Cl 2.16.
NEAREST_HEAD = 0.65
NEAREST_BOND = 0.85  # of the sum of covalent radii, between a metal and what it may bind: Pb-O 1.80 A, Pb-Cl 2.11


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
    radii = np.where(numbers == 0, MOLECULAR_ION_A, vdw_radii[numbers])
    if np.isnan(radii).any():
        missing = ", ".join(chemical_symbols[z] for z in numbers[np.isnan(radii)])
        raise InputError(f"no van der Waals radius is known for {missing}; contacts with it cannot be judged")
    return np.minimum(NEAREST * (radii[:, None] + radii[None, :]), WIDEST_A)


def head_limits(numbers: np.ndarray) -> np.ndarray:
    """Shortest distance in A of a ligand's head from the crystal, shape (n, n); a bond's where a metal can bind."""
    metal = ~np.isin(numbers, NONMETALS)
    bonding = metal[:, None] | metal[None, :]
    radii = covalent_radii[numbers]
    bond = NEAREST_BOND * (radii[:, None] + radii[None, :])
    return np.where(bonding, bond, NEAREST_HEAD / NEAREST * contact_limits(numbers))
