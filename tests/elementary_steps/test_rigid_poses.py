"""Rigid poses touch the surface without overlap, and are equal for equal seeds."""

import numpy as np
import pytest
from ase.geometry import get_distances
from invariants import assert_valid_model, composition
from systems import make_slab

from qdsurf.atomistic.bonding_criteria import DATIVE_BOND
from qdsurf.atomistic.contacts import contact_limits
from qdsurf.elementary_steps.adsorption_poses import adsorbate
from qdsurf.elementary_steps.rigid_poses import rigid_poses
from qdsurf.errors import BuildError, InputError
from qdsurf.surfaces.adsorption_sites import find_sites

PLACES = [("PbS", "top:S"), ("PbS", "hollow:4"), ("CdSe", "bridge:Cd-Se"), ("CsPbBr3", "top:Br"), ("Ag", "hollow:3")]


def poses_of(material: str, site: str, molecule: str, **keys):
    slab = make_slab(material)
    chosen = next(s for s in find_sites(slab) if s.name == site)
    fragment, anchor = adsorbate(molecule)
    return (
        slab,
        fragment,
        anchor,
        chosen,
        *rigid_poses(slab, fragment, chosen.position, chosen.normal, anchor, **keys),
    )


@pytest.mark.parametrize("molecule", ["TMA", "DEZ", "H2O", "HCl", "O2", "CC(=O)O"])
@pytest.mark.parametrize(("material", "site"), PLACES)
def test_poses_touch_the_surface_without_overlap(material, site, molecule):
    slab, fragment, anchor, chosen, poses, _ = poses_of(material, site, molecule)
    n = len(slab)
    kinds = np.unique(np.concatenate([slab.numbers, fragment.numbers]))
    limits = contact_limits(kinds)
    for pose in poses:
        assert_valid_model(pose)
        assert composition(pose) == composition(slab, fragment)
        apart = get_distances(pose.positions[n:], pose.positions[:n], cell=pose.cell, pbc=pose.pbc)[1]
        allowed = limits[np.ix_(np.searchsorted(kinds, fragment.numbers), np.searchsorted(kinds, slab.numbers))]
        slack = np.delete(apart - allowed, anchor, axis=0)
        assert slack.size == 0 or slack.min() > -1e-6
        # The anchor is at bond length, or another atom is at its limit.
        assert min(slack.min(initial=np.inf), (apart[anchor] / DATIVE_BOND).min() - 4) < 1e-6
        assert pose.positions[n + anchor] == pytest.approx(chosen.position + pose.info["height_A"] * chosen.normal)


def test_poses_keep_the_geometry_of_the_molecule():
    _, fragment, _, _, poses, _ = poses_of("PbS", "top:S", "TMA")
    for pose in poses:
        own = pose[-len(fragment) :]
        np.testing.assert_allclose(own.get_all_distances(), fragment.get_all_distances(), atol=1e-9)


def test_poses_are_sorted_by_height_and_each_orientation_has_a_result():
    *_, poses, rejected = poses_of("PbS", "top:S", "TMA", count=64)
    heights = [pose.info["height_A"] for pose in poses]
    assert heights == sorted(heights) and len(poses) + len(rejected) == 64
    assert any(" touches " in reason for reason in rejected)


def test_single_atom_has_one_pose():
    *_, poses, rejected = poses_of("Ag", "hollow:3", "[Ar]", count=64)
    assert len(poses) == 1 and len(rejected) == 63
    assert all("the same pose as an earlier one" in reason for reason in rejected)


def test_poses_depend_on_the_seed():
    hashes = [[pose.info["pose"] for pose in poses_of("PbS", "top:S", "DEZ", seed=seed)[4]] for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_wrong_anchor_and_wrong_molecule_are_errors():
    slab, (fragment, _) = make_slab("PbS"), adsorbate("H2O")
    with pytest.raises(BuildError, match="anchor 9 is not an atom of the molecule; give an index from 0 to 2"):
        rigid_poses(slab, fragment, [0, 0, 0], [0, 0, 1], 9)
    with pytest.raises(InputError, match="molecule: smiles: 'no molecule' does not parse"):
        adsorbate("no molecule")
