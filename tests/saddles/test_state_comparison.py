"""Which bonds distinguish one state from another."""

from collections import Counter

import numpy as np
from ase import Atoms

from qdsurf.saddles.search_context import SearchContext
from qdsurf.saddles.state_comparison import changed_pairs, state_defining_bonds


def water_on_lead(oxygen_A: float, split: bool = False) -> Atoms:
    """Water at a height over a lead atom, or OH there and the proton on the sulfur atom beside it."""
    proton = (5, 0, 1.35) if split else (0.96, 0, oxygen_A)
    atoms = Atoms("PbSOHH", [(0, 0, 0), (5, 0, 0), (0, 0, oxygen_A), (0, 0.96, oxygen_A), proton])
    atoms.set_array("role", np.array(["substrate"] * 2 + ["adsorbate"] * 3))
    return atoms


def changes(final: Atoms, one: Atoms, other: Atoms) -> set[tuple[int, int]]:
    return changed_pairs(
        SearchContext((one, other), None, 0.05, 100, Counter(), state_defining_bonds(final)), one, other
    )


def test_contacts_with_the_crystal_distinguish_states_only_if_the_step_records_them():
    adsorbed, lifted, split = water_on_lead(2.5), water_on_lead(4.0), water_on_lead(2.5, split=True)
    assert changes(split, adsorbed, lifted) == {(0, 2)}  # no bond of the step is recorded
    split.info |= {"formed": [[1, 4]], "broken": [[2, 4]]}
    assert changes(split, adsorbed, lifted) == set()
    assert changes(split, adsorbed, split) == {(1, 4), (2, 4)}
    split.info["broken"] = [[0, 2]]
    assert changes(split, adsorbed, lifted) == {(0, 2)}
    assert changes(split, adsorbed, split) == {(1, 4), (2, 4)}  # O-H is a bond within a molecule
