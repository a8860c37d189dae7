"""Where a structure comes to rest: in one of the two states that a search is to join, or in a minimum of its own."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.compute.ascent import TIGHT, Surface
from qdsurf.compute.path import displacements, longest
from qdsurf.compute.relax import relax_one
from qdsurf.connectivity import differing_bonds, is_molecular, recorded_pairs

SIDES = ("initial", "final")
# Two structures with the same bonds are the same state when their energies are this close: what then tells them apart
# is how a methyl group or a leaving molecule lies, or where a relaxation to 0.05 eV/A stopped.
SAME_EV = 0.05


class Search(NamedTuple):
    """What all parts of a search share; `calls` counts force calls by purpose, `telling` is of `telling_pairs`."""

    ends: Sequence[Atoms]
    surface: Surface
    fmax: float
    max_calls: int
    calls: Counter
    telling: np.ndarray


class Fallen(NamedTuple):
    """Where a structure came to rest: which end, None if neither; the minimum, None if none; words for it."""

    side: int | None
    atoms: Atoms | None
    words: str


def fall(search: Search, start: Atoms, top_eV: float) -> Fallen:
    """Relax a structure and say where it came to rest; on a flat hill, try harder."""
    found = start.copy()
    found.info = {}  # bonds that a builder asked for would be held
    for fmax in (search.fmax, TIGHT * search.fmax, search.fmax):
        found, result = relax_one(found, search.surface.atoms.calc, fmax, 2 * search.max_calls)
        search.calls["downhill"] += result["force_calls"]
        if result["converged"] and result["energy_eV"] < top_eV - SAME_EV:
            break
    if not result["converged"]:
        return Fallen(None, None, f"no minimum ({result['reason']})")
    same = [side for side, end in enumerate(search.ends) if same_state(search, found, end)]
    if same:
        side = min(same, key=lambda side: longest(displacements(found, search.ends[side])))
        return Fallen(side, search.ends[side], f"the {SIDES[side]} state")
    above = [result["energy_eV"] - end.get_potential_energy() for end in search.ends]
    changes = [changed_pairs(search, found, end) for end in search.ends]
    side = int(np.argmin([len(pairs) for pairs in changes]))
    changed = bond_words(found, changes[side]) or "the same bonds"
    words = f"another minimum, {above[side]:+.2f} eV from the {SIDES[side]} state ({changed})"
    return Fallen(None, found, words)


def telling_pairs(final: Atoms) -> np.ndarray:
    """Pairs of atoms whose bond tells one state from another, shape (n, n).

    Bonds within molecules, and those that the builder of the final state has made or broken. Where a methyl group
    touches the crystal beside that, or a product leans on one anion more, is a matter of conformation. All pairs, where
    nobody has recorded what the step is.
    """
    recorded = recorded_pairs(final, "formed") + recorded_pairs(final, "broken")
    if not recorded or "role" not in final.arrays:
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
