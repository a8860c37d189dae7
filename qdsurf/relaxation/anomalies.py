"""Unintended changes in a relaxation, such as desorption or dissociation, found by comparing the bonds."""

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, COREACTANT, LIGAND, SUBSTRATE
from qdsurf.atomistic.bonding import bond_ratios, changed_bonds, intended_bonds
from qdsurf.atomistic.bonding_criteria import SURFACE_CONTACT

# A substrate atom that moves farther has left its site.
SUBSTRATE_SHIFT_A = 1.0


def find_anomalies(before: Atoms, after: Atoms) -> list[str]:
    """Find unintended changes between the structures before and after a relaxation.

    Parameters
    ----------
    before, after : Atoms
        The same atoms in the same order.

    Returns
    -------
    list of str
        Any of `desorbed`, `dissociated`, `intercalated`, `ligand_lost` and `substrate_changed`, sorted. Empty for a
        structure without annotations, because its molecules and its substrate are not known.
    """
    if not annotation.has_parts(before):
        return []
    part, fragment = annotation.parts(before), annotation.fragments(before)
    substrate = part == SUBSTRATE
    ratios = bond_ratios(after)
    flags = set()
    if changed_bonds(intended_bonds(before), after)[0]:
        flags.add("dissociated")
    if not substrate.any():
        return sorted(flags)
    adsorbed = np.isin(part, (ADSORBATE, COREACTANT))
    for number in np.unique(fragment[adsorbed]):
        molecule = (fragment == number) & adsorbed
        if ratios[np.ix_(molecule, ~molecule)].min() > SURFACE_CONTACT:
            flags.add("desorbed")
    for number in np.unique(fragment[part == LIGAND]):
        anchors = (fragment == number) & (part == LIGAND) & annotation.anchors(before)
        if anchors.any() and ratios[np.ix_(anchors, ~(fragment == number))].min() > SURFACE_CONTACT:
            flags.add("ligand_lost")
    outermost = after.positions[substrate & (annotation.layers(before) == 1), 2].mean()
    metals = (part == ADSORBATE) & (annotation.formal_charges(before) > 1)
    # A nanocrystal also has a surface at the bottom, so heights mean nothing there.
    if after.pbc.any() and (after.positions[metals, 2] < outermost).any():
        flags.add("intercalated")
    shifts = find_mic(after.positions[substrate] - before.positions[substrate], after.cell, after.pbc)[1]
    if shifts.max() > SUBSTRATE_SHIFT_A:
        flags.add("substrate_changed")
    return sorted(flags)
