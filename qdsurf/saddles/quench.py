"""Where a structure comes to rest: in one of the two states that a search is to join, or in a minimum of its own."""

from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.relaxation.coordinates import displacements, longest
from qdsurf.relaxation.relax import relax_one
from qdsurf.saddles.eigenvector_following import TIGHT
from qdsurf.saddles.search_context import Search
from qdsurf.saddles.state_comparison import SAME_EV, SIDES, bond_words, changed_pairs, same_state


class Basin(NamedTuple):
    """Where a structure came to rest: which end, None if neither; the minimum, None if none; words for it."""

    side: int | None
    atoms: Atoms | None
    words: str


def fall(search: Search, start: Atoms, top_eV: float) -> Basin:
    """Relax a structure and say where it came to rest; on a flat hill, try harder."""
    found = start.copy()
    annotation.drop_notes(found)  # bonds that a builder asked for would be held
    for fmax in (search.fmax, TIGHT * search.fmax, search.fmax):
        found, result = relax_one(found, search.surface.atoms.calc, fmax, 2 * search.max_calls)
        search.calls["downhill"] += result["force_calls"]
        if result["converged"] and result["energy_eV"] < top_eV - SAME_EV:
            break
    if not result["converged"]:
        return Basin(None, None, f"no minimum ({result['reason']})")
    same = [side for side, end in enumerate(search.ends) if same_state(search, found, end)]
    if same:
        side = min(same, key=lambda side: longest(displacements(found, search.ends[side])))
        return Basin(side, search.ends[side], f"the {SIDES[side]} state")
    above = [result["energy_eV"] - end.get_potential_energy() for end in search.ends]
    changes = [changed_pairs(search, found, end) for end in search.ends]
    side = int(np.argmin([len(pairs) for pairs in changes]))
    changed = bond_words(found, changes[side]) or "the same bonds"
    words = f"another minimum, {above[side]:+.2f} eV from the {SIDES[side]} state ({changed})"
    return Basin(None, found, words)
