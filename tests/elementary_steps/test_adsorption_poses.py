"""Precursors bind to the requested atom without other contacts, and equal seeds give equal poses."""

import numpy as np
import pytest
from invariants import assert_no_clash, assert_valid_model, composition, through_file
from systems import make_fragment, make_ligated, make_slab

from qdsurf.atomistic.bonding import bond_ratios, molecular_bonds
from qdsurf.atomistic.roles import find_role
from qdsurf.elementary_steps.adsorption_poses import place_precursor
from qdsurf.errors import BuildError
from qdsurf.records import library

PRECURSORS = library.names("precursors")
CROWDED = {"TDMAT", "TDMAHf", "TDMAZr", "TEMAHf", "TTIP", "CdOAc2", "ZnOAc2"}  # bulky groups on all sides
PLACES = [
    ("PbS", None, "surface.anion"),
    ("CdSe", None, "surface.anion"),
    ("CdSe-wz", None, "surface.anion"),
    ("CsPbBr3", None, "surface.anion"),
    ("Ag", None, "surface.anion"),  # the outermost atoms of a metal match the role of anions
    ("PbS", "acetate", "surface.anion"),
    ("PbS", "acetate", "ligand.anchor"),
    ("CdSe", "acetate", "surface.anion"),
    ("CdSe", "acetate", "ligand.anchor"),
    ("CsPbBr3", "acetate", "surface.anion"),
    ("CsPbBr3", "acetate", "ligand.anchor"),
]


def surface(material: str, ligand: str | None):
    return (make_ligated(material, ligand)[0] if ligand else make_slab(material)).copy()


@pytest.mark.parametrize(("name", "metal", "charges"), [("TMA", "Al", 3), ("DEZ", "Zn", 2), ("TDMAT", "Ti", 4)])
def test_fragment_is_neutral_with_its_positive_charge_on_the_metal(name, metal, charges):
    fragment = make_fragment(name)
    charge = fragment.arrays["formal_charge"]
    assert charge.sum() == 0 and charge[fragment.symbols == metal].tolist() == [charges]
    assert set(fragment.symbols[charge < 0]) == {library.precursor(name).leaving} and (charge < 0).sum() == charges
    assert set(fragment.arrays["role"]) == {"adsorbate"}


@pytest.mark.parametrize(
    ("material", "ligand", "role", "precursor"),
    [(*place, p) for place in PLACES for p in ("TMA", "DEZ", "TDMAT")]
    + [("PbS", None, "surface.anion", p) for p in PRECURSORS],
)
def test_metal_is_bonded_to_an_atom_of_the_requested_role(material, ligand, role, precursor, tmp_path):
    below, fragment = surface(material, ligand), make_fragment(precursor)
    try:
        poses = place_precursor(below, fragment, role, poses=2, seed=1)
    except BuildError:
        # Bulky precursors do not fit everywhere.
        assert precursor in CROWDED and (role == "ligand.anchor" or material in ("Ag", "CsPbBr3", "CdSe-wz"))
        return
    assert 1 <= len(poses) <= 2
    n = len(below)
    for pose in poses:
        assert_valid_model(pose)
        assert composition(pose) == composition(below, fragment)
        ((target, metal),) = pose.info["formed"]
        assert target in find_role(below, role) and pose.symbols[metal] == library.precursor(precursor).metal
        ratios = bond_ratios(pose)
        assert ratios[target, metal] < 1.3
        substrate = below.arrays["role"] == "substrate"
        np.testing.assert_array_equal(pose.positions[:n][substrate], below.positions[substrate])
        heights = pose.positions[n:, 2]
        assert heights.min() > below.positions[substrate, 2].max() - 0.5, "the precursor is in the crystal"
        inside = {(i, j) for i, j in molecular_bonds(pose) if i >= n}
        assert inside == {(i + n, j + n) for i, j in molecular_bonds(fragment)}, "the precursor has dissociated"
        across = {(i, j) for i, j in molecular_bonds(pose) if i < n <= j}
        assert across <= {(target, metal)}, "the precursor is bonded to a ligand"
        assert set(map(tuple, pose.info["bonds"])) == molecular_bonds(below) | inside | (
            {(target, metal)} if not substrate[target] else set()
        )
        for ion, shortest_A in (("Cs", 2.6), ("Br", 2.1)):  # a closer hydrogen atom would overlap with the ion
            ions = np.flatnonzero(substrate & (below.symbols == ion))
            hydrogens = n + np.flatnonzero(fragment.numbers == 1)
            if len(ions) and len(hydrogens):
                assert min(pose.get_distances(int(h), ions, mic=True).min() for h in hydrogens) > shortest_A
        assert set(pose.arrays["fragment"][n:]) == {below.arrays["fragment"].max() + 1}
        assert_valid_model(through_file(pose, tmp_path))


@pytest.mark.parametrize(("material", "role"), [("PbS", "surface.anion"), ("CdSe", "ligand.anchor")])
def test_poses_depend_only_on_the_seed(material, role):
    below, fragment = surface(material, "acetate"), make_fragment("TMA")
    first, again, other = (place_precursor(below, fragment, role, seed=seed) for seed in (3, 3, 4))
    assert [pose.info["pose"] for pose in first] == [pose.info["pose"] for pose in again]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
    assert {pose.info["pose"] for pose in first} != {pose.info["pose"] for pose in other}


def test_global_random_state_is_neither_used_nor_changed():
    np.random.seed(0)
    first = place_precursor(make_slab("PbS"), make_fragment("TMA"), "surface.anion")[0]
    state = np.random.get_state()[1].copy()
    np.random.seed(1)
    np.random.random(5)
    again = place_precursor(make_slab("PbS"), make_fragment("TMA"), "surface.anion")[0]
    assert first.info["pose"] == again.info["pose"]
    np.random.seed(0)
    place_precursor(make_slab("PbS"), make_fragment("TMA"), "surface.anion")
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def surroundings(pose) -> np.ndarray:
    """Distances from the metal to all atoms, sorted."""
    metal = int(np.argmax(pose.arrays["formal_charge"] * (pose.arrays["role"] == "adsorbate")))
    return np.sort(pose.get_distances(metal, [i for i in range(len(pose)) if i != metal], mic=True))


@pytest.mark.parametrize("material", ["PbS", "CdSe", "CsPbBr3"])
@pytest.mark.parametrize("seed", [0, 1])
def test_poses_do_not_depend_on_the_order_of_the_surface_atoms(material, seed):
    slab = make_slab(material).copy()
    shuffled = slab[np.random.default_rng(seed).permutation(len(slab))]
    shuffled.info = dict(slab.info)
    poses = [place_precursor(atoms, make_fragment("TMA"), "surface.anion", poses=1)[0] for atoms in (slab, shuffled)]
    np.testing.assert_allclose(surroundings(poses[0]), surroundings(poses[1]), atol=0.02)


@pytest.mark.parametrize(("material", "ligand"), [("PbS", None), ("CdSe", "acetate")])
def test_poses_are_distinct(material, ligand):
    poses = place_precursor(surface(material, ligand), make_fragment("TMA"), "surface.anion", poses=4)
    for i, a in enumerate(poses):
        assert all(np.abs(surroundings(a) - surroundings(b)).max() > 0.02 for b in poses[:i]), "two poses are equal"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("material", ["PbS", "CdSe"])  # on CsPbBr3 the unrelaxed carboxylate is inside the vacancy
def test_anchor_is_reached_for_every_seed(material, seed):
    for covered in make_ligated(material, "acetate"):
        assert place_precursor(covered, make_fragment("TMA"), "ligand.anchor", seed=seed)


def test_surface_and_fragment_are_not_modified():
    below, fragment = surface("PbS", "acetate"), make_fragment("TMA").copy()
    copies = below.copy(), fragment.copy()
    place_precursor(below, fragment, "surface.anion")
    assert below == copies[0] and fragment == copies[1]
    assert (fragment.arrays["fragment"] == copies[1].arrays["fragment"]).all()


def test_error_for_an_absent_role_names_the_available_ones():
    with pytest.raises(
        BuildError, match=r"no atom matches ligand.anchor in 100_PbS. Available sites: surface.cation, surface.anion"
    ):
        place_precursor(make_slab("PbS"), make_fragment("TMA"), "ligand.anchor")


@pytest.mark.parametrize("material", ["PbS", "CdSe"])
def test_insertion_breaks_the_bond_of_the_anchor_to_its_cation(material):
    below = surface(material, "methylamine")
    template = library.reactions()["adduct_amine"]
    for pose in place_precursor(below, make_fragment("TMA"), "ligand.anchor", breaks=template.breaks):
        ratios = bond_ratios(pose)
        assert all(ratios[i, j] > 1.4 for i, j in pose.info["broken"]) and pose.info["broken"]
        assert all(ratios[i, j] < 1.3 for i, j in pose.info["formed"])
        assert_no_clash(pose)
