"""Folded groups of free molecules; test_products.py tests the bonds of structures on a crystal."""

import numpy as np
import pytest

from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.atomistic.molecules import build_molecule
from qdsurf.elementary_steps.state_check import FOLDED_DEG, folded_groups
from qdsurf.records import library
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.relaxation.selection import select_state


def with_bent_methyl_group(degrees: float):
    """Trimethylaluminium, the same molecule with one methyl group rotated about its carbon atom, and this atom."""
    atoms = build_molecule(library.precursor("TMA").molecule)
    bonded = bond_matrix(atoms)
    carbon = np.flatnonzero(atoms.numbers == 6)[0]
    hydrogens = np.flatnonzero(bonded[carbon] & (atoms.numbers == 1))
    (metal,) = np.flatnonzero(atoms.numbers == 13)
    axis = np.cross(
        atoms.positions[hydrogens[0]] - atoms.positions[carbon], atoms.positions[metal] - atoms.positions[carbon]
    )
    bent = atoms.copy()
    group = bent[hydrogens]
    group.rotate(degrees, axis, center=atoms.positions[carbon])
    bent.positions[hydrogens] = group.positions
    return atoms, bent, carbon


def status(calculator: str, candidate, relaxed) -> str:
    """Status of a molecule that a calculator has relaxed to some shape."""
    result = RelaxationResult(relaxed, -1.0, 0.0, True, "converged", calculator={"name": calculator})
    return select_state([candidate], [result])[0].status


@pytest.mark.parametrize("sign", [-1, 1])
def test_folded_methyl_group_is_rejected_and_a_bent_one_is_accepted(sign):
    atoms, folded, carbon = with_bent_methyl_group(sign * (FOLDED_DEG + 5))
    assert status("mopac", atoms, atoms) == "ok"
    assert status("mopac", atoms, folded).startswith(f"the group at C{carbon} folded")
    assert status("mopac", atoms, with_bent_methyl_group(sign * (FOLDED_DEG - 5))[1]) == "ok"
    assert status("emt", atoms, folded) == "ok"  # calculators without angular terms are exempt


def test_methyl_group_on_a_crystal_may_fold():
    atoms, folded, _ = with_bent_methyl_group(FOLDED_DEG + 5)
    for structure in (atoms, folded):
        structure.arrays["role"][-1:] = "substrate"
    assert folded_groups(atoms, folded) == []
