"""Errors observed in other structure builders, with one test each that qdsurf does not make the same error."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from systems import make_fragment, make_slab

from qdsurf.elementary_steps.adsorption_poses import place_precursor
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.records import library
from qdsurf.records.models import Facet
from qdsurf.records.systems import find_facet
from qdsurf.surfaces.adsorption_sites import find_sites
from qdsurf.surfaces.nanocrystal import build_nanocrystal
from qdsurf.surfaces.slab import cut_slab, list_terminations


def cut(name: str, supercell=(1, 1), layers=4):
    material, facet = find_facet(name)
    return cut_slab(library.material(material), facet, layers, supercell, charged=True)


@pytest.mark.parametrize("supercell", [(2, 2), (3, 1), (1, 2)])
def test_cdse_11_20_has_the_same_sites_in_every_supercell(supercell):
    # pymatgen finds 14 sites in the 1 x 1 cell and 28 in the 2 x 2 cell
    single = sorted(s.name for s in find_sites(cut("CdSe-wz_11-20_CdSe")))
    assert sorted(s.name for s in find_sites(cut("CdSe-wz_11-20_CdSe", supercell))) == single


def test_the_fourfold_hollow_of_a_square_is_a_hollow_site():
    # pymatgen classifies the centre of the square of PbS(100) as a bridge site
    slab = cut("PbS_100_PbS", (2, 2))
    (hollow,) = (s for s in find_sites(slab) if s.name == "hollow:4")
    assert sorted(hollow.elements) == ["Pb", "Pb", "S", "S"] and hollow.multiplicity == 8
    lead, sulphur = (next(s for s in find_sites(slab) if s.name == f"top:{e}").position for e in ("Pb", "S"))
    diagonal = np.subtract(lead, sulphur)[:2]
    assert np.linalg.norm(diagonal) > 2.9  # a / 2: the atoms are the corners


@pytest.mark.parametrize("termination", ["CsBr", "PbBr2"])
def test_both_terminations_of_the_perovskite_can_be_on_top(termination):
    # the SlabGenerator of pymatgen makes one slab, with CsBr on top and PbBr2 below
    assert {t.name for t in list_terminations(library.material("CsPbBr3"), (1, 0, 0))} == {"CsBr", "PbBr2"}
    slab = cut(f"CsPbBr3_100_{termination}", layers=3)
    elements = set(slab.symbols[slab.arrays["layer"] == 1])
    assert elements == {"CsBr": {"Cs", "Br"}, "PbBr2": {"Pb", "Br"}}[termination]


def test_sulphur_of_lead_sulphide_has_a_top_site():
    # ACAT omits the top site of S in PbS and places a fourfold hollow there
    slab = cut("PbS_100_PbS", (2, 2))
    top = [s for s in find_sites(slab) if s.name == "top:S"]
    assert len(top) == 1 and top[0].multiplicity == 4
    sulphur = slab.positions[slab.symbols == "S"][:, :2]
    for site in find_sites(slab):
        if site.name.startswith("hollow"):
            away = [np.linalg.norm((sulphur - site.position[:2] - shift)[:, :2], axis=1).min()
                    for shift in ([0, 0], slab.cell[0][:2], slab.cell[1][:2])]  # fmt: skip
            assert min(away) > 1.5, "a hollow site on top of an atom"


def test_a_placed_molecule_is_in_contact_with_the_surface():
    # the data scripts of fairchem placed TMA 15 A away from a small, thick slab without a warning
    material, facet = find_facet("PbS_100_PbS")
    thick = cut_slab(library.material(material), facet, 8, (2, 2), 20.0)
    for pose in place_precursor(thick, make_fragment("TMA"), "surface.anion"):
        metal = np.flatnonzero(pose.symbols == "Al")[0]
        assert pose.get_distances(int(metal), np.flatnonzero(pose.symbols == "S"), mic=True).min() < 2.8


@pytest.mark.parametrize("name", ["CdSe", "PbS"])
def test_packed_chains_have_no_short_contacts(name):
    # H...H contacts below 1.6 A among 100 oleates on 640 atoms: CAT 105; miniCAT 2203, the shortest 0.06 A
    material = library.material(name)
    dot = cap_nanocrystal(*build_nanocrystal(material, 3.0), material, {"*": library.ligand("oleate")})
    hydrogen = dot[(dot.arrays["role"] == "ligand") & (dot.numbers == 1)]
    pairs = cKDTree(hydrogen.positions).query_pairs(1.8 - 1e-6, output_type="ndarray")
    fragment = hydrogen.arrays["fragment"]
    assert dot.info["ligands"] > 10
    assert (fragment[pairs[:, 0]] == fragment[pairs[:, 1]]).all()


@pytest.mark.parametrize(("name", "ligand"), [("PbS", "oleate"), ("CdSe-wz", "oleate"), ("CdSe", "acetate")])
def test_rock_salt_and_wurtzite_dots_get_ligands(name, ligand):
    # QD_Builder stops with an error for PbS and attaches no ligand to wurtzite CdSe
    material = library.material(name)
    dot = cap_nanocrystal(*build_nanocrystal(material, 2.2), material, {"*": library.ligand(ligand)}, coverage=1.5)
    assert dot.info["ligands"] > 0 and abs(dot.arrays["formal_charge"].sum()) < 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_results_do_not_depend_on_the_global_random_state(seed):
    np.random.seed(seed)
    slab = make_slab("PbS")
    before = np.random.get_state()[1].copy()
    sites = [s.position.tolist() for s in find_sites(slab)]
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert sites == [s.position.tolist() for s in find_sites(slab)]


def test_c_is_orthogonal_to_the_surface_for_a_tilted_four_index_plane():
    slab = cut_slab(library.material("CdSe-wz"), Facet(miller_index=(1, 1, -2, 2), termination="CdSe"), 4, charged=True)
    assert isinstance(slab, Atoms) and np.abs(slab.cell[2, :2]).max() < 1e-9 and np.abs(slab.cell[:2, 2]).max() < 1e-9
