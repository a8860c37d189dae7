"""Comparison of two structures: which bonds define a state, and when two structures are the same state."""

from collections.abc import Collection

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import differing_bonds, is_molecular, recorded_pairs
from qdsurf.saddles.search_context import SearchContext

SIDES = ("initial", "final")

# Two structures with the same bonds are the same state if their energies differ by less than this. The remaining
# differences are the orientation of a methyl group or of a leaving molecule, or the point where a relaxation to
# 0.05 eV/A stopped.
SAME_STATE_EV = 0.05


def state_defining_bonds(final: Atoms) -> np.ndarray:
    """Find the pairs of atoms whose bonds distinguish one state from another.

    These are the bonds within molecules, and the bonds that are recorded as formed or broken in the final state. Other
    contacts with the crystal are a matter of conformation: where a methyl group touches the crystal, or whether a
    product binds to one more anion.

    Parameters
    ----------
    final : Atoms
        Final state of the step, with n atoms.

    Returns
    -------
    ndarray of bool
        Symmetric matrix, shape (n, n). All pairs if no bond is recorded or if the structure has no annotations.
    """
    recorded = recorded_pairs(final, "formed") + recorded_pairs(final, "broken")
    if not recorded or not annotation.has_parts(final):
        return np.ones((len(final), len(final)), dtype=bool)
    molecular = is_molecular(final)
    state_defining = molecular[:, None] & molecular[None, :]
    i, j = np.transpose(recorded)
    state_defining[i, j] = state_defining[j, i] = True
    return state_defining


def changed_pairs(context: SearchContext, one: Atoms, other: Atoms) -> set[tuple[int, int]]:
    """Return the pairs of atoms with a state-defining bond in only one of two structures."""
    return {pair for pair in differing_bonds(one, other) if context.state_defining[pair]}


def same_state(context: SearchContext, one: Atoms, other: Atoms) -> bool:
    """Return whether two relaxed structures with energies are the same state."""
    close = abs(one.get_potential_energy() - other.get_potential_energy()) < SAME_STATE_EV
    return close and not changed_pairs(context, one, other)


def format_bonds(atoms: Atoms, pairs: Collection[tuple[int, int]]) -> str:
    """Return pairs of atoms as text, such as `Al3-C7, O9-H10`."""
    return ", ".join(f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j}" for i, j in sorted(pairs))
