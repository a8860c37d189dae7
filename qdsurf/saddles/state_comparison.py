"""When two structures are the same state: which bonds define it."""

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import differing_bonds, is_molecular, recorded_pairs
from qdsurf.saddles.search_context import Search

SIDES = ("initial", "final")


# Two structures with the same bonds are the same state when their energies are this close: what then tells them apart
# is how a methyl group or a leaving molecule lies, or where a relaxation to 0.05 eV/A stopped.
SAME_EV = 0.05


def state_defining_bonds(final: Atoms) -> np.ndarray:
    """Pairs of atoms whose bond tells one state from another, shape (n, n).

    Bonds within molecules, and those that the builder of the final state has made or broken. Where a methyl group
    touches the crystal beside that, or a product leans on one anion more, is a matter of conformation. All pairs, where
    nobody has recorded what the step is.
    """
    recorded = recorded_pairs(final, "formed") + recorded_pairs(final, "broken")
    if not recorded or not annotation.has_parts(final):
        return np.ones((len(final), len(final)), dtype=bool)
    molecular = is_molecular(final)
    telling = molecular[:, None] & molecular[None, :]
    i, j = np.transpose(recorded)
    telling[i, j] = telling[j, i] = True
    return telling


def changed_pairs(search: Search, one: Atoms, other: Atoms) -> set[tuple[int, int]]:
    """Pairs by whose bonds two structures are different states."""
    return {pair for pair in differing_bonds(one, other) if search.telling[pair]}


def same_state(search: Search, one: Atoms, other: Atoms) -> bool:
    """Whether two relaxed structures are the same state."""
    close = abs(one.get_potential_energy() - other.get_potential_energy()) < SAME_EV
    return close and not changed_pairs(search, one, other)


def bond_words(atoms: Atoms, pairs: set[tuple[int, int]]) -> str:
    """Pairs of atoms in words, such as Al3-C7."""
    return ", ".join(f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j}" for i, j in sorted(pairs))
