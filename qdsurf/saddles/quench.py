"""Relaxation from a point of a path into the basin of an end or of another minimum."""

from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.relaxation.coordinates import displacements, longest
from qdsurf.relaxation.relax import relax_one
from qdsurf.saddles.eigenvector_following import TIGHT_FACTOR
from qdsurf.saddles.search_context import SearchContext
from qdsurf.saddles.state_comparison import SAME_STATE_EV, SIDES, changed_pairs, format_bonds, same_state


class Basin(NamedTuple):
    """The minimum that a quench found.

    Attributes
    ----------
    side : int or None
        0 for the initial state, 1 for the final state, None for neither.
    atoms : Atoms or None
        The minimum; None if the relaxation did not converge.
    description : str
        The minimum in words.
    """

    side: int | None
    atoms: Atoms | None
    description: str


def quench(context: SearchContext, start: Atoms, top_eV: float) -> Basin:
    """Relax a structure and identify the minimum.

    If the relaxation stops hardly below the highest point of the path, it continues with a smaller force limit.

    Parameters
    ----------
    context : SearchContext
        The two ends are compared with the minimum.
    start : Atoms
        Structure to relax. Its recorded bonds are not restrained.
    top_eV : float
        Energy of the point of the path from which the structure relaxes, in eV.

    Returns
    -------
    Basin
        One of the ends, another minimum, or no minimum.
    """
    found = start.copy()
    annotation.drop_notes(found)  # recorded bonds would be restrained
    for fmax in (context.fmax, TIGHT_FACTOR * context.fmax, context.fmax):
        result = relax_one(found, context.surface.atoms.calc, fmax, 2 * context.max_calls)
        found = result.atoms
        context.calls["downhill"] += result.force_calls
        if result.converged and found.get_potential_energy() < top_eV - SAME_STATE_EV:
            break
    if not result.converged:
        return Basin(None, None, f"no minimum ({result.reason})")
    matching = [side for side, end in enumerate(context.ends) if same_state(context, found, end)]
    if matching:
        side = min(matching, key=lambda side: longest(displacements(found, context.ends[side])))
        return Basin(side, context.ends[side], f"the {SIDES[side]} state")
    above = [found.get_potential_energy() - end.get_potential_energy() for end in context.ends]
    changes = [changed_pairs(context, found, end) for end in context.ends]
    nearest = int(np.argmin([len(pairs) for pairs in changes]))
    changed = format_bonds(found, changes[nearest]) or "the same bonds"
    description = f"another minimum, {above[nearest]:+.2f} eV from the {SIDES[nearest]} state ({changed})"
    return Basin(None, found, description)
