"""Adsorption sites: textbook sites of known surfaces, independent of the representation of the structure."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import through_file
from pymatgen.core import Molecule
from pymatgen.symmetry.analyzer import PointGroupAnalyzer
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from systems import make_slab

from qdsurf.atomistic.annotation import annotate
from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.errors import BuildError
from qdsurf.records import library
from qdsurf.surfaces.adsorption_sites import find_sites
from qdsurf.surfaces.nanocrystal import build_nanocrystal
from qdsurf.surfaces.site_density import count_sites, surface_area
from qdsurf.surfaces.slab import cut_slab
from qdsurf.surfaces.symmetry import surface_operations

SHIFTS = np.array([[i, j, 0] for i in (-1, 0, 1) for j in (-1, 0, 1)])
NAMES = ["PbS", "CdSe", "CdSe-wz", "CsPbBr3", "Ag"]


def densities(slab) -> list:
    """Return the name and the density in nm^-2 of every kind of site."""
    sites = find_sites(slab)
    return sorted((site.name, round(site.multiplicity / surface_area(slab), 4)) for site in sites)


def cut(name: str, supercell=(1, 1), vacuum=12.0, layers=3):
    material = library.material(name)
    return cut_slab(material, material.facets[0], layers, supercell, vacuum)


@cache
def expected(name: str) -> list:
    return densities(cut(name, (2, 2)))


@pytest.mark.parametrize(
    ("name", "sites"),
    [
        ("PbS", {"top:Pb": 1, "top:S": 1, "bridge:Pb-S": 4, "hollow:4": 2}),
        ("CsPbBr3", {"top:Cs": 1, "top:Br": 1, "bridge:Br-Cs": 4, "hollow:4": 2}),
        ("Ag", {"top:Ag": 1, "bridge:Ag-Ag": 3, "hollow:3": 2}),
    ],
)
def test_textbook_surfaces_have_the_textbook_sites(name, sites):
    slab = cut(name, (2, 2))
    found = dict.fromkeys(sites, 0)
    for site in find_sites(slab):
        found[site.name] += site.multiplicity / 4
    assert found == sites


def test_fcc_and_hcp_hollows_are_distinguished():
    assert [s.name for s in find_sites(cut("Ag"))].count("hollow:3") == 2


@pytest.mark.parametrize("name", NAMES)
def test_positions_are_centroids_of_the_touched_atoms_and_normals_point_outwards(name):
    slab = cut(name, (2, 2))
    for site in find_sites(slab):
        own = slab.positions[list(site.atoms)]
        images = (own[:, None] + (SHIFTS @ slab.cell.array)[None]).reshape(-1, 3)
        nearest = np.sort(np.linalg.norm(images - site.position, axis=1))[: len(site.elements)]
        expected = 0 if site.name.startswith("top") else max(nearest)
        assert max(nearest) == pytest.approx(expected, abs=1e-6) and max(nearest) < 3.3
        assert np.linalg.norm(site.normal) == pytest.approx(1) and site.normal[2] > 0.5
        assert site.free == site.multiplicity and list(site.elements) == sorted(slab.symbols[list(site.atoms)])


@settings(max_examples=10)
@given(name=st.sampled_from(NAMES), m=st.integers(1, 3), n=st.integers(1, 3), vacuum=st.floats(8, 30))
def test_sites_do_not_depend_on_supercell_or_vacuum(name, m, n, vacuum):
    assert densities(cut(name, (m, n), vacuum)) == expected(name)


@settings(max_examples=10)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32 - 1))
def test_sites_do_not_depend_on_the_order_of_atoms(name, seed):
    slab = cut(name, (2, 2))
    assert densities(slab[np.random.default_rng(seed).permutation(len(slab))]) == expected(name)


@settings(max_examples=15)
@given(name=st.sampled_from(NAMES), x=st.integers(-12, 24), y=st.integers(-12, 24), wrap=st.booleans())
def test_sites_do_not_depend_on_the_origin(name, x, y, wrap):
    slab = cut(name, (2, 2))
    slab.positions += [x / 12, y / 12, 0] @ slab.cell.array
    if wrap:
        slab.wrap()
    assert densities(slab) == expected(name)


@settings(max_examples=10)
@given(name=st.sampled_from(NAMES), shear=st.sampled_from([-1, 1]), angle=st.floats(0, 360))
def test_sites_do_not_depend_on_the_choice_of_cell_vectors_or_on_rotation(name, shear, angle):
    slab = cut(name, (2, 2))
    slab.set_cell(np.array([slab.cell[0], slab.cell[1] + shear * slab.cell[0], slab.cell[2]]))
    slab.wrap()
    slab.rotate(angle, "z", rotate_cell=True)
    assert densities(slab) == expected(name)


@settings(max_examples=10)
@given(name=st.sampled_from(NAMES), a=st.floats(-1, 1), b=st.floats(-1, 1), turns=st.integers(-2, 2))
def test_sites_do_not_depend_on_the_tilt_of_c_or_on_where_the_cell_cuts_the_slab(name, a, b, turns):
    slab = cut(name, (2, 2))
    cell = slab.cell.array
    slab.set_cell([cell[0], cell[1], cell[2] + a * cell[0] + b * cell[1]])
    slab.pbc = True
    slab.positions += (turns + 0.5) * slab.cell.array[2]
    slab.wrap()
    assert densities(slab) == expected(name)


@settings(max_examples=10)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32 - 1))
def test_sites_do_not_depend_on_displacements_below_the_tolerance(name, seed):
    slab = cut(name, (2, 2))
    slab.positions += np.random.default_rng(seed).uniform(-0.01, 0.01, (len(slab), 3))
    assert densities(slab) == expected(name)


@pytest.mark.parametrize("kind", ["cif", "vasp", "xyz"])
@pytest.mark.parametrize("name", NAMES)
def test_sites_are_the_same_after_other_file_formats(name, kind, tmp_path):
    slab = cut(name, (2, 2))
    plain = Atoms(slab.symbols, slab.positions, cell=slab.cell, pbc=True)
    write(tmp_path / f"slab.{kind}", plain, format={"xyz": "extxyz"}.get(kind, kind))
    assert densities(read(tmp_path / f"slab.{kind}")) == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_sites_are_the_same_after_an_extended_xyz_file(name, tmp_path):
    assert densities(through_file(cut(name, (2, 2)), tmp_path)) == expected(name)


def test_hydroxyl_groups_of_an_oxide_are_sites():
    material = library.material("TiO2")
    facet = next(f for f in material.facets if f.hydroxylated)
    slab = cut_slab(material, facet, 6, (2, 2))
    names = {site.name for site in find_sites(slab)}
    assert "hydroxyl:O" in names and not any("H" in name.split(":")[1] for name in names if name[0] in "tb")


def test_anchors_of_ligands_are_sites_and_ligands_occupy_sites(ligated_of):
    bare = {site.name: site for site in find_sites(make_slab("PbS"))}
    found = find_sites(ligated_of("PbS", "acetate")[0])
    assert sum(site.multiplicity for site in found if site.name == "anchor:O") == 2
    for name, site in bare.items():
        assert sum(s.multiplicity for s in found if s.name == name) == site.multiplicity
    assert sum(s.multiplicity - s.free for s in found) > 0


def test_a_cube_has_the_sites_of_its_faces():
    particle, _ = build_nanocrystal(library.material("PbS"), 2.0, {"100": 1.0})
    names = Counter()
    for site in find_sites(particle):
        names[site.name] += site.multiplicity
    tops, hollows = names["top:Pb"] + names["top:S"], names["hollow:4"]
    edge = round((len(particle)) ** (1 / 3))
    assert edge**3 == len(particle), "the particle is not a cube"
    # In a cube of n x n x n atoms, every surface atom has a top site and every square of a face has a hollow site.
    assert tops == edge**3 - (edge - 2) ** 3 and hollows == 6 * (edge - 1) ** 2
    assert len(find_sites(particle, unique=False)) == sum(names.values())


@cache
def dot(name: str, diameter_nm: float = 1.8) -> Atoms:
    return build_nanocrystal(library.material(name), diameter_nm)[0]


DOTS = {
    "PbS": 48,
    "CdSe": 24,
    "CdSe-wz": 6,
    "CsPbBr3": 16,
}  # orders of Oh, Td, C3v and D4h (the CsPbBr3 particle is one layer shorter than a cube)


def unique_sites(particle: Atoms) -> Counter:
    return Counter((site.name, site.multiplicity) for site in find_sites(particle))


@pytest.mark.parametrize("name", DOTS)
def test_the_operations_of_a_particle_are_those_of_its_point_group(name):
    particle = dot(name)
    operations = surface_operations(particle, 0.1)
    assert len(operations) == DOTS[name]
    pymatgen = PointGroupAnalyzer(Molecule(particle.symbols, particle.positions), tolerance=0.1)
    assert len(pymatgen.get_symmetry_operations()) == DOTS[name]
    for rotation, shift in operations:
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        images = cKDTree(particle.positions).query(particle.positions @ rotation.T + shift)
        assert images[0].max() < 0.1 and (particle.numbers[images[1]] == particle.numbers).all()


def test_top_sites_of_a_cube_are_the_orbits_of_signed_permutations():
    particle, _ = build_nanocrystal(library.material("PbS"), 2.0, {"100": 1.0})
    step = np.round((particle.positions - particle.positions.mean(axis=0)) / 2.968).astype(int)  # a / 2
    outer = np.abs(step).max(axis=1) == np.abs(step).max()
    orbits = Counter(tuple(sorted(np.abs(s).tolist())) for s in step[outer])
    tops = [site.multiplicity for site in find_sites(particle) if site.name.startswith("top")]
    assert sorted(tops) == sorted(orbits.values())


@settings(max_examples=8, deadline=None)
@given(name=st.sampled_from(sorted(DOTS)), seed=st.integers(0, 2**32 - 1), mirrored=st.booleans())
def test_sites_of_a_particle_do_not_depend_on_its_orientation_position_or_atom_order(name, seed, mirrored):
    rng = np.random.default_rng(seed)
    particle = dot(name)
    moved = particle[rng.permutation(len(particle))]
    moved.positions = Rotation.random(random_state=int(seed)).apply(moved.positions) * (-1 if mirrored else 1)
    moved.positions += rng.uniform(-9, 9, 3) + rng.uniform(-0.01, 0.01, (len(moved), 3))
    assert unique_sites(moved) == unique_sites(particle)


@pytest.mark.parametrize("shift", [0.05, 0.5])
def test_one_atom_displaced_by_more_than_the_tolerance_breaks_the_symmetry(shift):
    particle = dot("PbS").copy()
    particle.positions[0] += shift * particle.positions[0] / np.linalg.norm(particle.positions[0])
    assert (len(surface_operations(particle, 0.1)) == 48) == (shift < 0.1)


def test_molecules_occupy_sites_of_a_particle_without_changing_them():
    bare = dot("PbS", 2.0)
    adsorbed = Atoms("H", [bare.positions[0] * (1 + 1.4 / np.linalg.norm(bare.positions[0]))])
    annotate(adsorbed, "ligand", 1)
    covered = bare + adsorbed
    assert unique_sites(covered) == unique_sites(bare)
    assert sum(s.multiplicity - s.free for s in find_sites(covered)) > 0


def test_collinear_atoms_have_only_the_identity():
    assert len(surface_operations(Atoms("OCO", [[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]]), 0.1)) == 1


@pytest.mark.parametrize("supercell", [(1, 1), (2, 2), (3, 3)])
def test_an_adatom_is_a_site_in_every_supercell(supercell):
    material = library.material("Ag")
    slab = cut_slab(material, material.facets[1], 2, supercell)
    assert "top:O" in {site.name for site in find_sites(slab)}
    assert count_sites(slab)["surface"] == pytest.approx(1 / surface_area(slab))


def test_ligands_and_their_protons_occupy_sites(ligated_of):
    slab, covered = make_slab("PbS"), ligated_of("PbS", "acetate")[0]
    area = surface_area(slab)
    assert count_sites(slab)["surface"] == pytest.approx(9 / area)
    bound = (bond_matrix(covered)[covered.arrays["anchor"]] & (covered.symbols == "Pb")).any(axis=0).sum()
    expected = {"surface": 8 / area, "ligand": 1 / area, "cation": (9 - bound) / area}
    assert bound in (1, 2) and count_sites(covered) == pytest.approx(expected)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_structure_that_is_not_a_slab_is_rejected(axis):
    slab = cut("PbS", (2, 2))
    slab.rotate(90, "xy"[axis], rotate_cell=True)
    with pytest.raises(BuildError, match="sites need a slab"):
        find_sites(slab)


def test_a_crystal_without_vacuum_is_rejected():
    slab = cut("PbS", (2, 2))
    slab.cell[2, 2] = np.ptp(slab.positions[:, 2]) + 3
    with pytest.raises(BuildError, match="at least 5 A of vacuum"):
        find_sites(slab)
