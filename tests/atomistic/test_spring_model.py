"""The spring model forms and breaks the given bonds and preserves all others."""

import numpy as np
import pytest
from invariants import assert_no_clash
from systems import make_fragment, make_slab

from qdsurf.atomistic.bonding import bond_ratios, molecular_bonds
from qdsurf.atomistic.bonding_criteria import SPRING_BROKEN, SPRING_FORMED
from qdsurf.atomistic.spring_model import apply_springs
from qdsurf.errors import BuildError

SURFACES = ["PbS", "CdSe", "CsPbBr3"]


def above(material: str, precursor: str = "TMA", height: float = 4.0):
    """Return a precursor above the outermost anion in the middle of the cell, this anion, and the metal atom."""
    slab, fragment = make_slab(material).copy(), make_fragment(precursor).copy()
    outermost = np.flatnonzero((slab.arrays["layer"] == 1) & (slab.arrays["formal_charge"] < 0))
    middle = slab.cell.array[:2].sum(axis=0) / 2
    target = int(outermost[np.linalg.norm((slab.positions[outermost] - middle)[:, :2], axis=1).argmin()])
    metal = len(slab) + int(fragment.arrays["formal_charge"].argmax())
    fragment.positions += slab.positions[target] + [0, 0, height] - fragment.positions[metal - len(slab)]
    return slab + fragment, target, metal


@pytest.mark.parametrize("precursor", ["TMA", "DEZ"])  # TDMAT is too bulky for a vertical approach
@pytest.mark.parametrize("material", SURFACES)
def test_a_bond_is_formed_and_the_substrate_does_not_move(material, precursor):
    start, target, metal = above(material, precursor)
    n = int((start.arrays["role"] == "substrate").sum())
    before = start.positions.copy()
    driven = apply_springs(start, [(metal, target)])
    assert bond_ratios(driven)[metal, target] == pytest.approx(SPRING_FORMED, rel=0.1)
    np.testing.assert_array_equal(driven.positions[:n], before[:n])
    np.testing.assert_array_equal(start.positions, before)  # the input is not changed
    assert (driven.symbols == start.symbols).all() and driven.info["strain"] >= 0
    assert_no_clash(driven)


@pytest.mark.parametrize("precursor", ["TMA", "DEZ"])  # TDMAT is too bulky for a vertical approach
@pytest.mark.parametrize("material", SURFACES)
def test_a_molecule_keeps_its_bond_lengths(material, precursor):
    start, target, metal = above(material, precursor)
    driven = apply_springs(start, [(metal, target)])
    i, j = np.array(sorted(molecular_bonds(start))).T
    before, after = (atoms.get_all_distances(mic=True)[i, j] for atoms in (start, driven))
    np.testing.assert_allclose(after, before, rtol=0.05)
    assert molecular_bonds(driven) == molecular_bonds(start)


@pytest.mark.parametrize("material", [m for m in SURFACES if m != "CsPbBr3"])  # its Pb lies below the CsBr layer
def test_a_bond_is_broken_and_the_group_transferred(material):
    start, target, metal = above(material)
    start = apply_springs(start, [(metal, target)])
    cations = np.flatnonzero((start.arrays["formal_charge"] > 1) & (start.arrays["role"] == "substrate"))
    cations = cations[start.arrays["layer"][cations] == start.arrays["layer"][cations].min()]
    carbon = int(np.flatnonzero(start.symbols == "C")[0])
    cation = int(cations[start.get_distances(carbon, cations, mic=True).argmin()])
    driven = apply_springs(start, [(carbon, cation)], [(carbon, metal)])
    ratios = bond_ratios(driven)
    assert ratios[carbon, cation] < 1.3 and ratios[carbon, metal] > 1.4
    assert ratios[target, metal] < 1.3, "a bond that was not given is lost"
    kept = molecular_bonds(start) - {(min(carbon, metal), max(carbon, metal))}
    i, j = np.array(sorted(kept)).T
    np.testing.assert_allclose(
        driven.get_all_distances(mic=True)[i, j], start.get_all_distances(mic=True)[i, j], rtol=0.05
    )


def test_a_broken_pair_reaches_the_target_distance():
    start, *_ = above("PbS", height=6.0)
    carbon, metal = int(np.flatnonzero(start.symbols == "C")[0]), int(np.flatnonzero(start.symbols == "Al")[0])
    assert bond_ratios(apply_springs(start, breaks=[(metal, carbon)]))[metal, carbon] == pytest.approx(
        SPRING_BROKEN, rel=0.05
    )


def test_a_free_molecule_does_not_move_without_bonds_to_change():
    start, *_ = above("PbS", height=8.0)
    np.testing.assert_allclose(apply_springs(start).positions, start.positions, atol=1e-3)


def test_a_bond_across_the_cell_boundary_is_formed():
    start, target, metal = above("PbS")
    shift = start.positions[target] + [0.1, 0.1, 0]
    start.positions[:, :2] -= shift[:2]
    start.wrap()
    assert bond_ratios(apply_springs(start, [(metal, target)]))[metal, target] < 1.2


def test_the_error_names_the_bond_that_cannot_be_formed():
    start, _, metal = above("PbS")
    below = int(np.flatnonzero(start.arrays["layer"] == 2)[0])
    with pytest.raises(BuildError, match=rf"the springs could not reach the geometry: .*Al{metal} (not formed|clash)"):
        apply_springs(start, [(metal, below)])
