"""Conformers of chains and their packing on surfaces without contacts below the limit."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.data.vdw_alvarez import vdw_radii
from ase.geometry import get_dihedrals
from invariants import assert_no_clash
from rdkit import Chem
from scipy.spatial import cKDTree

from qdsurf.atomistic.bonding_criteria import LONGEST_CONTACT_A
from qdsurf.atomistic.contacts import contact_limits
from qdsurf.atomistic.molecules import ligand_molecule
from qdsurf.errors import BuildError, InputError
from qdsurf.ligands.conformers import bound_form, chain_conformers, orient_upright
from qdsurf.ligands.packing import BindingSite, ChainConformers, head_rotations, pack
from qdsurf.ligands.slab_ligands import anchor_distance, attach_ligands
from qdsurf.records import library
from qdsurf.surfaces.site_density import surface_area
from qdsurf.surfaces.slab import cut_slab, cut_wide_slab

LONG = ("oleate", "oleylamine", "oleylammonium", "myristate", "dodecanethiolate")
# Cells, and numbers of oleates for about 2 and 3 nm^-2.
DENSE = [("PbS", (4, 4), 6), ("PbS", (4, 4), 8), ("CdSe", (4, 3), 6), ("CdSe", (4, 3), 9)]


def close_contacts(atoms: Atoms, head: np.ndarray) -> list[str]:
    """Pairs of atoms, periodic images included, that are closer than the limit; head groups may touch the crystal."""
    crystal, fragment = atoms.arrays["role"] == "substrate", atoms.arrays["fragment"]
    limits, tree, found = contact_limits(atoms.numbers), cKDTree(atoms.positions), []
    images = range(-3, 4) if atoms.pbc[:2].all() else (0,)  # a chain of 24 A reaches over two cells at most
    for m, n in product(images, images):
        image = cKDTree(atoms.positions + m * atoms.cell.array[0] + n * atoms.cell.array[1])
        near = tree.sparse_distance_matrix(image, LONGEST_CONTACT_A, output_type="ndarray")
        i, j, d = near["i"], near["j"], near["v"]
        checked = d < limits[i, j] - 1e-6
        checked &= ~(crystal[i] & crystal[j]) & ~(head[i] & crystal[j]) & ~(crystal[i] & head[j])
        if (m, n) == (0, 0):
            checked &= fragment[i] != fragment[j]
        found += [
            f"{atoms.symbols[a]}{a}-{atoms.symbols[b]}{b} {x:.2f} A"
            for a, b, x in zip(i[checked], j[checked], d[checked], strict=True)
        ]
    return found


def heads(atoms: Atoms) -> np.ndarray:
    """Mask of the anchors and the atoms that are bonded to them in the same molecule."""
    anchor, fragment = atoms.arrays["anchor"], atoms.arrays["fragment"]
    own = fragment[:, None] == fragment[None, anchor]
    near = np.linalg.norm(atoms.positions[:, None] - atoms.positions[None, anchor], axis=-1) < 1.9  # S-C 1.8 A
    return (own & near).any(axis=1)


def protons(atoms: Atoms) -> np.ndarray:
    return (atoms.numbers == 1) & (atoms.arrays["formal_charge"] > 0.5)


@cache
def plain_slab(material: str, cells: tuple[int, int]) -> Atoms:
    record = library.material(material)
    return cut_slab(record, record.facets[0], 3, cells, vacuum=20.0)


@cache
def covered_slabs(material: str, cells: tuple[int, int], count: int, seed: int | None) -> tuple[Atoms, ...]:
    return tuple(attach_ligands(plain_slab(material, cells), library.ligand("oleate"), count, seed=seed))


def bonds_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Bonds and bond orders of a bound ligand."""
    molecule, _, gone = ligand_molecule(library.ligand(name), None)
    number = {int(k): n for n, k in enumerate(np.setdiff1d(np.arange(molecule.GetNumAtoms()), gone))}
    kept = [b for b in molecule.GetBonds() if b.GetBeginAtomIdx() in number and b.GetEndAtomIdx() in number]
    pairs = [(number[b.GetBeginAtomIdx()], number[b.GetEndAtomIdx()]) for b in kept]
    return np.array(pairs), np.array([b.GetBondTypeAsDouble() for b in kept])


# Limits.


@pytest.mark.parametrize(("a", "b", "limit"), [(1, 1, 1.80), (1, 6, 2.23), (6, 6, 2.66), (1, 8, 2.03)])
def test_limits_are_three_quarters_of_the_sum_of_the_alvarez_radii(a, b, limit):
    limits = contact_limits(np.array([a, b]))
    assert limits[0, 1] == limits[1, 0] == pytest.approx(limit, abs=0.006)


def test_limits_increase_with_the_radii_up_to_the_largest_limit():
    numbers = np.array([1, 6, 8, 16, 34, 55, 82])
    limits = contact_limits(numbers)
    assert limits.max() == LONGEST_CONTACT_A and limits[0, 0] == limits.min()
    assert (np.diff(limits[np.ix_(*[np.argsort(vdw_radii[numbers])] * 2)], axis=1) >= 0).all()


def test_element_without_radius_is_an_error():
    with pytest.raises(InputError, match="no van der Waals radius is known for At"):
        contact_limits(np.array([1, 85]))


# Conformers.


@pytest.mark.parametrize("name", LONG)
def test_conformers_keep_bond_lengths_and_angles(name):
    ligand = library.ligand(name)
    reference = bound_form(ligand, None)[0].positions
    pairs, _ = bonds_of(name)
    angles = [(i, k) for a in pairs for b in pairs for i, j, k in _corner(a, b)]
    lengths = lambda x, ends: np.linalg.norm(x[ends[:, 0]] - x[ends[:, 1]], axis=1)
    for ends in (pairs, np.array(angles)):
        for shape in chain_conformers(ligand, None, 1).conformers:
            np.testing.assert_allclose(lengths(shape, ends), lengths(reference, ends), atol=1e-6)


def _corner(a: np.ndarray, b: np.ndarray) -> list[tuple[int, int, int]]:
    """The three atoms of an angle between two bonds; empty if the bonds share no atom."""
    shared = set(a.tolist()) & set(b.tolist())
    if len(shared) != 1:
        return []
    (middle,) = shared
    return [(int(a.sum() - middle), middle, int(b.sum() - middle))]


@pytest.mark.parametrize("bound", [1, 2])
def test_double_bond_of_oleate_is_cis(bound):
    ligand = library.ligand("oleate")
    chains = chain_conformers(ligand, None, bound)
    pairs, order = bonds_of("oleate")
    carbons = {n for n, z in enumerate(chains.numbers) if z == 6}
    (double,) = (p for p, o in zip(pairs, order, strict=True) if o == 2 and set(p.tolist()) <= carbons)
    b, c = map(int, double)
    beside = lambda x, other: next(
        int(p.sum() - x) for p in pairs if x in p and other not in p and set(p.tolist()) <= carbons
    )
    a, d = beside(b, c), beside(c, b)
    for x in chains.conformers:
        (angle,) = get_dihedrals([x[b] - x[a]], [x[c] - x[b]], [x[d] - x[c]])
        assert min(angle, 360 - angle) < 10


@pytest.mark.parametrize("name", LONG)
def test_conformers_have_no_internal_contacts(name):
    molecule, _, gone = ligand_molecule(library.ligand(name), None)
    kept = np.setdiff1d(np.arange(molecule.GetNumAtoms()), gone)
    far = Chem.GetDistanceMatrix(molecule)[np.ix_(kept, kept)] > 3
    chains = chain_conformers(library.ligand(name), None, 1)
    for number, shape in enumerate(chains.conformers):
        apart = np.linalg.norm(shape[:, None] - shape[None], axis=-1)
        # The hydrogens beside a cis bond are 1.78 to 1.81 A apart in any shape, and their limit is 1.80.
        assert not (far & (apart < 0.98 * contact_limits(chains.numbers))).any(), f"conformer {number}"


@pytest.mark.parametrize("name", LONG)
def test_long_chains_have_many_conformers_and_the_first_is_straight(name):
    chains = chain_conformers(library.ligand(name), None, 1)
    carbons = int((chains.numbers == 6).sum())
    assert len(chains.conformers) > 20
    # A C-C bond of a straight chain is 1.27 A high. A cis bond and the tilt of the head group reduce this by a quarter.
    assert np.ptp(chains.conformers[0][:, 2]) > 0.75 * 1.27 * (carbons - 1)


@pytest.mark.parametrize("name", LONG)
def test_conformers_are_distinct(name):
    shapes = chain_conformers(library.ligand(name), None, 1).conformers
    assert len({tuple(shape.round(2).ravel().tolist()) for shape in shapes}) == len(shapes)


@pytest.mark.parametrize(("name", "bound"), [(n, 1) for n in LONG] + [("oleate", 2), ("myristate", 2), ("acetate", 2)])
def test_head_group_is_at_the_origin_and_the_chain_above(name, bound):
    ligand = library.ligand(name)
    chains, anchors = chain_conformers(ligand, None, bound), bound_form(ligand, None)[1][:bound]
    assert chains.head[list(anchors)].all() and chains.head.sum() < len(chains.numbers)
    for shape in chains.conformers:
        np.testing.assert_allclose(shape[list(anchors)].mean(axis=0), 0, atol=1e-9)
        assert shape[~chains.head, 2].mean() > 1.0
        if bound == 2:  # nearly along x
            across = shape[anchors[1]] - shape[anchors[0]]
            assert abs(across[0]) > 0.95 * np.linalg.norm(across)


def test_orient_upright_aligns_two_anchors_along_x():
    bent = np.array([[0, 1.1, 0], [0, -1.1, 0], [-0.6, 0, 0], [-2.1, 0, 0]])  # a carboxylate that lies along -x
    turned = orient_upright(bent, (0, 1), np.array([2, 3]))
    np.testing.assert_allclose(np.abs(turned[:2]), [[1.1, 0, 0]] * 2, atol=1e-9)
    np.testing.assert_allclose(turned[2:], [[0, 0, 0.6], [0, 0, 2.1]], atol=1e-9)


# Packing of simple chains.

ROD = ChainConformers(
    np.array([6, 6, 6]), np.array([[[0, 0, 0], [0, 0, 1.5], [0, 0, 3.0]]], float), np.array([True, False, False])
)


def rods(places: list[list[float]], cell: float) -> list[np.ndarray | None]:
    """Pack upright rods of three carbon atoms in an empty periodic cell."""
    core = Atoms("C", [[cell / 2, cell / 2, -9.0]], cell=[cell, cell, 40], pbc=(1, 1, 0))
    sites = [BindingSite(np.array(place, float), np.eye(3), np.eye(3)[None]) for place in places]
    return pack(core, sites, [ROD] * len(sites))


@pytest.mark.parametrize(("apart", "fits"), [(2.65, False), (2.67, True)])
def test_two_rods_need_the_distance_of_the_limit(apart, fits):
    first, second = rods([[0, 0, 0], [apart, 0, 0]], 20.0)
    np.testing.assert_allclose(first, ROD.conformers[0])
    assert (second is not None) == fits


@pytest.mark.parametrize(("cell", "fits"), [(2.65, False), (2.67, True)])
def test_rod_needs_the_distance_of_the_limit_from_its_image(cell, fits):
    (rod,) = rods([[0, 0, 0]], cell)
    assert (rod is not None) == fits


@pytest.mark.parametrize(("apart", "fits"), [(2.65, False), (2.67, True)])
def test_two_rods_need_the_distance_of_the_limit_across_the_cell_boundary(apart, fits):
    second = rods([[0, 0, 0], [20 - apart, 0, 0]], 20.0)[1]
    assert (second is not None) == fits


def test_only_the_head_group_may_touch_the_crystal():
    core = Atoms("Pb", [[0, 0, -2.0]], cell=[20, 20, 40], pbc=(1, 1, 0))
    site = BindingSite(np.zeros(3), np.eye(3), np.eye(3)[None])
    assert pack(core, [site], [ROD])[0] is not None
    core.numbers[0] = 17  # the head group cannot bind to Cl, so the larger limit applies
    assert pack(core, [site], [ROD])[0] is None
    core.positions[0] = [2.0, 0, 3.0]
    assert pack(core, [site], [ROD])[0] is None
    site = BindingSite(np.zeros(3), np.eye(3), np.eye(3)[None], replaces=0)
    assert pack(core, [site], [ROD])[0] is not None


def test_head_rotations_are_rotations_and_those_without_tilt_come_first():
    found = head_rotations([0.0, np.pi / 2])
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(3), found.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(found), 1)
    np.testing.assert_allclose(found[:2, 2, 2], 1)
    # A tilt rotates about x, so that two anchors along x keep their heights.
    np.testing.assert_allclose(found[:, 2, 0], 0, atol=1e-12)


# Quaternary ammonium.


def test_short_branches_of_a_quaternary_ammonium_point_to_the_surface():
    for shape in chain_conformers(library.ligand("didodecyldimethylammonium"), None, 1).conformers:
        assert shape[:, 2].min() > -2.2 and shape[:, 2].mean() > 1.0  # a hydrogen of methyl is 2.1 A from N
    for shape in chain_conformers(library.ligand("tetrabutylammonium"), None, 1).conformers:
        assert shape[:, 2].min() > -3.0, "a butyl chain points down: its end is 6 A from N"


def test_depth_of_ammonium_in_a_caesium_vacancy_depends_on_its_branches():
    # 10.1021/acs.chemmater.1c01081: the binding depends on how deep the head group enters the binding pocket, and
    # dimethyldidodecylammonium binds as strongly as a primary ammonium. The distance Cs-Br is 4.15 A.
    distance = {}
    for name in ("oleylammonium", "didodecyldimethylammonium", "tetrabutylammonium"):
        (covered,) = attach_ligands(plain_slab("CsPbBr3", (3, 3)), library.ligand(name))
        assert close_contacts(covered, heads(covered)) == []
        assert covered.arrays["formal_charge"].sum() == pytest.approx(0)
        distance[name] = anchor_distance(covered)
    assert distance["oleylammonium"] < distance["didodecyldimethylammonium"] < 4.5
    assert 5.0 < distance["tetrabutylammonium"] < 6.0, "it is above the vacancy"


def test_error_for_a_cation_that_does_not_fit_states_the_largest_height():
    with pytest.raises(BuildError, match=r"none of 1 ligands fits up to 6\.8 A above the ion that it replaces"):
        attach_ligands(plain_slab("CsPbBr3", (1, 1)), library.ligand("tetrabutylammonium"))


@pytest.mark.parametrize(("termination", "ligand"), [("OH", "TCPP"), ("Ce", "TCPP"), ("Ce", "benzoate")])
def test_head_group_does_not_clash_with_other_ions(termination, ligand):
    ceria = library.material("CeO2")
    facet = next(f for f in ceria.facets if f.name == f"100_{termination}")
    for covered in attach_ligands(cut_wide_slab(ceria, facet, 10.0, 4, 20.0), library.ligand(ligand), 1, 3):
        assert_no_clash(covered)


# Packed slabs.


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize(("material", "cells", "count"), DENSE)
def test_packed_chains_have_no_contact_below_the_limit(material, cells, count, seed):
    area = surface_area(plain_slab(material, cells))
    assert 1.8 < count / area < 3.2
    for covered in covered_slabs(material, cells, count, seed):
        chains = covered[~protons(covered)]
        assert close_contacts(chains, heads(chains)) == []
        assert_no_clash(covered)
        assert len(set(covered.arrays["fragment"].tolist())) == count + 1
        assert covered.arrays["formal_charge"].sum() == pytest.approx(0)


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize(("material", "cells", "count"), DENSE)
def test_acid_protons_have_no_contact_with_other_ligands(material, cells, count, seed):
    for covered in covered_slabs(material, cells, count, seed):
        # A proton is bonded to its anion. All other atoms of the ligands are checked.
        assert close_contacts(covered, heads(covered) | protons(covered)) == [], covered.info["binding_mode"]


@pytest.mark.parametrize("mode", ["chelating", "monodentate"])
def test_ligands_of_a_second_call_have_no_contact_with_those_of_the_first(mode):
    oleate = library.ligand("oleate")
    for seed in (0, 3, 5):
        first = attach_ligands(plain_slab("PbS", (5, 5)), oleate, 2, None, [mode], seed=seed)[0]
        both = attach_ligands(first, oleate, 2, None, [mode], seed=seed + 1)[0]
        chains = both[~protons(both)]
        assert close_contacts(chains, heads(chains)) == []


@pytest.mark.parametrize(("material", "cells"), [("PbS", (5, 5))])
def test_coverage_that_fits_in_one_cell_fits_in_a_larger_cell(material, cells):
    # 2 nm^-2 is less than the densest case above, and half of the coverage of quantum dots.
    count = round(2.0 * surface_area(plain_slab(material, cells)))
    assert len(covered_slabs(material, cells, count, None)) > 0


def test_equal_seeds_give_equal_packing():
    first, again = (attach_ligands(plain_slab("PbS", (4, 4)), library.ligand("oleate"), 4, seed=2) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)


def test_packed_slab_has_vacuum_above_its_chains():
    for covered in covered_slabs("PbS", (4, 4), 6, None):
        assert covered.cell[2, 2] - np.ptp(covered.positions[:, 2]) > 10


@pytest.mark.parametrize(("material", "cells", "count"), [("PbS", (4, 4), 14), ("PbS", (4, 4), 16)])
def test_error_for_a_dense_coverage_states_how_many_ligands_fit(material, cells, count):
    words = rf"{count} oleate do not fit on \S+: chelating: only [1-9]\d* of {count} ligands fit without a contact"
    with pytest.raises(BuildError, match=words):
        attach_ligands(plain_slab(material, cells), library.ligand("oleate"), count)


def test_error_for_a_cell_that_is_too_small_for_one_chain():
    with pytest.raises(BuildError, match="none of 1 ligands fits without a contact below its limit; build a larger"):
        attach_ligands(plain_slab("PbS", (1, 1)), library.ligand("benzoate"))
