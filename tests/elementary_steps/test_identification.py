"""A state is identified from its structure, wherever it lies on the surface and in whatever order its atoms are."""

import numpy as np
import pytest

import qdsurf
from qdsurf.atomistic import annotation
from qdsurf.elementary_steps.identification import identify


@pytest.fixture(scope="module")
def covered():
    return qdsurf.ligate(qdsurf.slab("PbS", "100", layers=2, supercell=(3, 2)), "acetate")


@pytest.mark.parametrize("site", ["surface.anion", "ligand.anchor"])
def test_an_adduct_is_named_by_the_atom_that_its_metal_is_bonded_to(covered, site):
    (pose,) = qdsurf.place(covered, "TMA", site=site)
    found = identify(pose)
    assert found.bonding == {"surface.anion": "on_crystal", "ligand.anchor": "on_ligand"}[site]
    assert found.ligands == 1 and found.ligands_on_crystal == 1
    assert found.ligands_on_metal == (site == "ligand.anchor")


def test_surfaces_without_a_precursor(covered):
    assert identify(covered).bonding == "ligand"
    assert identify(qdsurf.slab("PbS", "100", layers=2)).bonding == "bare"


def test_a_lifted_molecule_is_unbound_and_another_state(covered):
    (pose,) = qdsurf.place(covered, "TMA")
    lifted = pose.copy()
    lifted.positions[annotation.parts(pose) == "adsorbate", 2] += 4.0
    assert identify(lifted).bonding == "unbound"
    assert identify(lifted).graph != identify(pose).graph


def test_the_graph_depends_on_neither_order_nor_place():
    surface = qdsurf.slab("PbS", "100", layers=2, supercell=(3, 3))
    (pose,) = qdsurf.place(surface, "TMA")
    reference = identify(pose)
    shuffled = pose[np.random.default_rng(0).permutation(len(pose))]
    moved = pose.copy()
    moved.positions += [3.1, -2.2, 0.0]
    moved.wrap()
    for other in (shuffled, moved):
        assert identify(other) == reference


def test_a_broken_bond_changes_the_graph(covered):
    (pose,) = qdsurf.place(covered, "TMA")
    metal = int(np.flatnonzero(pose.numbers == 13)[0])
    carbon = min(np.flatnonzero(pose.numbers == 6), key=lambda k: pose.get_distance(metal, int(k), mic=True))
    broken = pose.copy()
    hydrogens = [k for k in np.flatnonzero(pose.numbers == 1) if pose.get_distance(carbon, int(k), mic=True) < 1.2]
    group = [carbon, *hydrogens]
    broken.positions[group, 2] += 3.0
    assert identify(broken).graph != identify(pose).graph
    assert identify(broken).bonding == identify(pose).bonding
