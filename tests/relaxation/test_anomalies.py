"""Unintended changes in a relaxation are flagged, small displacements are not."""

import numpy as np
import pytest
from systems import make_fragment, make_ligated, make_slab

from qdsurf.elementary_steps.adsorption_poses import place_precursor
from qdsurf.relaxation.anomalies import find_anomalies


def state():
    """Acetate and TMA on CdSe."""
    covered = make_ligated("CdSe", "acetate")[0]
    return place_precursor(covered, make_fragment("TMA"), "surface.anion", poses=1)[0]


def lift(atoms, mask, distance):
    out = atoms.copy()
    out.positions[mask, 2] += distance
    return out


def test_small_displacements_are_not_flagged():
    before = state()
    assert find_anomalies(before, before) == []
    jittered = before.copy()
    jittered.rattle(0.02, seed=1)
    assert find_anomalies(before, jittered) == []


def test_a_precursor_that_leaves_is_desorbed():
    before = state()
    assert find_anomalies(before, lift(before, before.arrays["role"] == "adsorbate", 4.0)) == ["desorbed"]


def test_a_ligand_that_leaves_is_lost():
    before = make_ligated("CdSe", "acetate")[0]
    carboxylate = (before.arrays["role"] == "ligand") & ~(before.arrays["formal_charge"] > 0)
    assert find_anomalies(before, lift(before, carboxylate, 5.0)) == ["ligand_lost"]


def test_a_bond_that_breaks_is_a_dissociation():
    before = state()
    hydrogen = np.flatnonzero((before.symbols == "H") & (before.arrays["role"] == "adsorbate"))[-1:]
    assert "dissociated" in find_anomalies(before, lift(before, hydrogen, 2.0))


def test_a_metal_under_the_surface_is_intercalated():
    before = state()
    metal = before.symbols == "Al"
    assert "intercalated" in find_anomalies(before, lift(before, metal, -4.0))


@pytest.mark.parametrize(("shift", "flagged"), [(0.5, False), (1.5, True)])
def test_a_substrate_atom_that_leaves_its_site_is_flagged(shift, flagged):
    before = make_slab("CdSe").copy()
    after = before.copy()
    after.positions[0, 1] += shift
    assert find_anomalies(before, after) == (["substrate_changed"] if flagged else [])


def test_a_displacement_by_a_lattice_vector_is_not_flagged():
    before = make_slab("CdSe").copy()
    after = before.copy()
    after.positions[0] += after.cell[0]
    assert find_anomalies(before, after) == []


def test_a_free_molecule_has_no_other_flag_than_dissociated():
    before = make_fragment("TMA").copy()
    assert find_anomalies(before, before) == []
    after = before.copy()
    after.positions[0] += 5
    assert find_anomalies(before, after) == ["dissociated"]
