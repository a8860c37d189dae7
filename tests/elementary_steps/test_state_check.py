"""Whether a free molecule kept its shape; endpoints on a crystal are judged in test_endpoints.py."""

import numpy as np
import pytest

from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.atomistic.molecules import build_molecule
from qdsurf.elementary_steps.selection import select_state
from qdsurf.elementary_steps.state_check import FOLDED_DEG, folded_groups
from qdsurf.records import library


def with_a_bent_methyl(degrees: float):
    """Trimethylaluminium, and the same with one methyl group turned about its carbon atom."""
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


def fate(calculator: str, candidate, relaxed) -> str:
    """What becomes of a molecule that a calculator relaxed to some shape."""
    result = {"converged": True, "flags": [], "calculator": {"name": calculator}}
    result |= {"energy_eV": -1.0, "max_force_eV_per_A": 0.0, "force_calls": 1, "wall_s": 0.0}
    return select_state([candidate], [relaxed], [result])[1]["status"]


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_folded_methyl_group_is_refused_and_a_bent_one_is_not(sign):
    atoms, folded, carbon = with_a_bent_methyl(sign * (FOLDED_DEG + 5))
    assert fate("mopac", atoms, atoms) == "ok"
    assert fate("mopac", atoms, folded).startswith(f"C{carbon} folded: an angle changed by")
    assert fate("mopac", atoms, with_a_bent_methyl(sign * (FOLDED_DEG - 5))[1]) == "ok"
    assert fate("emt", atoms, folded) == "ok"  # no calculator without angles is asked


def test_on_a_crystal_a_methyl_group_may_lean_over():
    atoms, folded, _ = with_a_bent_methyl(FOLDED_DEG + 5)
    for structure in (atoms, folded):
        structure.arrays["role"][-1:] = "substrate"
    assert folded_groups(atoms, folded) == []
