"""What a relaxation did that it was not asked to do, from the bonds before and after."""

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, COREACTANT, LIGAND, SUBSTRATE
from qdsurf.atomistic.bonding import bond_ratios, changed_bonds, intended_bonds
from qdsurf.atomistic.bonding_criteria import SURFACE_CONTACT

SUBSTRATE_SHIFT_A = 1.0  # a substrate atom that moves farther has left its site


def find_anomalies(before: Atoms, after: Atoms) -> list[str]:
    """Flags of a relaxation, sorted: `desorbed`, `dissociated`, `intercalated`, `ligand_lost`, `substrate_changed`."""
    if not annotation.has_parts(
        before
    ):  # a structure from elsewhere: nobody said what is molecule and what is crystal
        return []
    role, fragment = annotation.parts(before), annotation.fragments(before)
    substrate = role == SUBSTRATE
    ratios = bond_ratios(after)
    flags = set()
    if changed_bonds(intended_bonds(before), after)[0]:
        flags.add("dissociated")
    if not substrate.any():
        return sorted(flags)
    arrived = np.isin(role, (ADSORBATE, COREACTANT))
    for number in np.unique(fragment[arrived]):
        own = (fragment == number) & arrived
        if ratios[np.ix_(own, ~own)].min() > SURFACE_CONTACT:
            flags.add("desorbed")
    for number in np.unique(fragment[role == LIGAND]):
        anchors = (fragment == number) & (role == LIGAND) & annotation.anchors(before)
        if anchors.any() and ratios[np.ix_(anchors, ~(fragment == number))].min() > SURFACE_CONTACT:
            flags.add("ligand_lost")
    outermost = after.positions[substrate & (annotation.layers(before) == 1), 2].mean()
    metals = (role == ADSORBATE) & (annotation.formal_charges(before) > 1)
    if after.pbc.any() and (after.positions[metals, 2] < outermost).any():  # a particle has a surface below as well
        flags.add("intercalated")
    moved = find_mic(after.positions[substrate] - before.positions[substrate], after.cell, after.pbc)[1]
    if moved.max() > SUBSTRATE_SHIFT_A:
        flags.add("substrate_changed")
    return sorted(flags)
