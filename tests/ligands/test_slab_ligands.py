"""Covered slabs are neutral, and their ligands are bound without contacts to other atoms."""

import numpy as np
import pytest
from invariants import assert_valid_ligated, contacts, through_file
from systems import make_ligated, make_slab

from qdsurf.atomistic.roles import find_role
from qdsurf.errors import BuildError, InputError
from qdsurf.ligands.slab_ligands import attach_ligands, iter_ligands
from qdsurf.records import library
from qdsurf.surfaces.slab import cut_wide_slab

SHORT = [
    (material, ligand)
    for material in ("Ag", "CdSe", "CdSe-wz", "CsPbBr3", "CsPbBr3-Pnma", "PbS", "ZnO", "InP")
    for ligand in ("acetate", "methylamine", "oleylammonium")
    if (ligand == "oleylammonium") <= material.startswith("CsPbBr3") <= (ligand != "methylamine")
]


def modes(material: str, ligand: str, **keys) -> list[str]:
    return [atoms.info["binding_mode"] for atoms in make_ligated(material, ligand, **keys)]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("material", "ligand"), SHORT)
def test_covered_slabs_are_valid_before_and_after_a_file(material, ligand, count, tmp_path):
    for covered in make_ligated(material, ligand, count):
        assert_valid_ligated(covered, make_slab(material), count)
        assert_valid_ligated(through_file(covered, tmp_path), make_slab(material), count)


@pytest.mark.parametrize(
    ("material", "ligand", "entry", "change"),
    [
        ("PbS", "acetate", "acid", {"C": 2, "H": 4, "O": 2}),
        ("CdSe", "oleate", "acid", {"C": 2, "H": 4, "O": 2}),
        ("CsPbBr3", "acetate", "anion", {"C": 2, "H": 3, "O": 2, "Br": -1}),
        ("CsPbBr3", "oleylammonium", "cation", {"C": 2, "H": 8, "N": 1, "Cs": -1}),
        ("PbS", "methylamine", "dative", {"C": 1, "H": 5, "N": 1}),
        ("Ag", "methylamine", "dative", {"C": 1, "H": 5, "N": 1}),
    ],
)
def test_ligand_entry_determines_the_change_of_composition(material, ligand, entry, change):
    for covered in make_ligated(material, ligand):
        counts = [atoms.symbols.formula.count() for atoms in (covered, make_slab(material))]
        found = {s: counts[0].get(s, 0) - counts[1].get(s, 0) for s in counts[0].keys() | counts[1].keys()}
        assert {s: n for s, n in found.items() if n} == change
        assert covered.info["ligand_entry"] == entry and covered.info["ligand"] == ligand


@pytest.mark.parametrize(
    ("material", "ligand", "expected"),
    [
        ("PbS", "acetate", {"chelating", "bridging", "monodentate"}),
        ("CdSe", "acetate", {"chelating", "bridging", "monodentate"}),
        ("CsPbBr3", "acetate", {"monodentate", "chelating"}),
        ("PbS", "methylamine", {"monodentate"}),
    ],
)
def test_all_possible_binding_modes_are_built(material, ligand, expected):
    assert set(modes(material, ligand)) == expected


@pytest.mark.parametrize("ligand", ["formamidinium", "methylammonium"])
def test_cation_in_a_vacancy_is_not_bridging(ligand):
    assert modes("CsPbBr3", ligand) == ["monodentate"]


@pytest.mark.parametrize("ligand", ["methanethiolate", "dodecanethiolate"])
@pytest.mark.parametrize("material", ["PbS", "CdSe"])
def test_sulfur_of_a_thiolate_bridges_two_cations(material, ligand):
    for covered in make_ligated(material, ligand):
        (sulfur,) = find_role(covered, "ligand.anchor")
        nearest = np.sort(covered.get_distances(sulfur, find_role(covered, "surface.cation"), mic=True))
        if covered.info["binding_mode"] == "bridging":
            assert nearest[1] == pytest.approx(nearest[0], abs=0.1)
            break
        assert nearest[1] > nearest[0] + 0.5
    else:
        pytest.fail("no candidate bridges")


@pytest.mark.parametrize("material", ["PbS", "CdSe", "CdSe-wz"])
def test_bridging_ligand_binds_to_two_cations_of_the_outermost_layer(material):
    (bridge,) = (atoms for atoms in make_ligated(material, "acetate") if atoms.info["binding_mode"] == "bridging")
    cations = np.flatnonzero((bridge.arrays["role"] == "substrate") & (bridge.arrays["formal_charge"] > 0))
    partners = {
        int(cations[np.argmin(bridge.get_distances(int(anchor), cations, mic=True))])
        for anchor in np.flatnonzero(bridge.arrays["anchor"])
    }
    assert len(partners) == 2 and set(bridge.arrays["layer"][sorted(partners)]) == {1}


@pytest.mark.parametrize("material", ["PbS", "CdSe"])
def test_number_of_anchors_and_cations_of_each_binding_mode(material):
    for covered in make_ligated(material, "acetate"):
        cations, anchors = find_role(covered, "surface.cation"), find_role(covered, "ligand.anchor")
        bonds = [(a, c) for i, j, _ in contacts(covered, 1.25) for a, c in ((i, j), (j, i)) if a in anchors]
        bound = {a for a, c in bonds if c in cations}
        nearest = {int(cations[covered.get_distances(a, cations, mic=True).argmin()]) for a in bound}
        counts = (len(bound), len(nearest))
        expected = {"chelating": (2, 1), "bridging": (2, 2), "monodentate": (1, 1)}[covered.info["binding_mode"]]
        assert counts == expected, covered.info["binding_mode"]


@pytest.mark.parametrize("material", ["PbS", "CdSe", "CdSe-wz", "Ag"])
def test_acid_proton_is_bonded_to_an_anion(material):
    for covered in make_ligated(material, "acetate"):
        (proton,) = find_role(covered, "ligand.proton")
        anions = find_role(covered, "surface.anion")
        distances = covered.get_distances(proton, anions, mic=True)
        assert 1.2 < distances.min() < 2.0  # S-H 1.34, Se-H 1.46, Ag-H 1.6 A
        oxygen = find_role(covered, "ligand.anchor")
        assert covered.get_distances(proton, oxygen, mic=True).min() > 1.5, "the acid is not dissociated"


@pytest.mark.parametrize("material", ["PbS", "CdSe", "CsPbBr3"])
def test_full_ligand_has_its_full_chain_above_the_surface(material):
    for covered in make_ligated(material, "oleate", 1, None):
        assert (covered.symbols == "C").sum() == 18
        top = covered.positions[covered.arrays["role"] == "substrate", 2].max()
        assert covered.positions[covered.symbols == "C", 2].min() > top - 0.5


@pytest.mark.parametrize("material", ["PbS", "CdSe", "CsPbBr3"])
def test_full_ligand_has_no_contact_with_its_images(material):
    for covered in make_ligated(material, "oleate", 1, None):
        assert_valid_ligated(covered, make_slab(material), 1)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_ligands_are_evenly_distributed(count):
    for covered in make_ligated("PbS", "methylamine", count):
        anchors = find_role(covered, "ligand.anchor")
        assert len(list(iter_ligands(covered))) == len(anchors) == count
        if count > 1:
            apart = covered.get_all_distances(mic=True)[np.ix_(anchors, anchors)]
            assert apart[np.triu_indices(count, 1)].min() > 4.0  # the next cation is 4.2 A away


def test_result_is_deterministic():
    slab, ligand = make_slab("CdSe"), library.ligand("acetate")
    first, again = (attach_ligands(slab, ligand) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)


def test_slab_is_not_modified():
    slab = make_slab("CsPbBr3").copy()
    before = slab.copy()
    attach_ligands(slab, library.ligand("acetate"), 2)
    assert slab == before and slab.info == before.info


@pytest.mark.parametrize("material", ["PbS", "CdSe", "Ag"])
def test_cationic_ligand_on_a_surface_without_cations_of_charge_one_is_an_error(material):
    with pytest.raises(InputError, match="has no place on"):
        attach_ligands(make_slab(material), library.ligand("oleylammonium"))


@pytest.mark.parametrize("material", ["CsPbBr3", "CsPbBr3-Pnma"])
def test_amine_does_not_bind_to_a_layer_of_caesium_bromide(material):
    with pytest.raises(BuildError, match=r"1 methylamine do not fit on .*CsBr: monodentate: "):
        attach_ligands(make_slab(material), library.ligand("methylamine"))


@pytest.mark.parametrize(("material", "index"), [("CdSe", (1, 1, 1)), ("InP", (1, 1, 1))])
def test_amine_binds_to_a_cation_without_passivating_ion(material, index):
    record = library.material(material)
    slab = cut_wide_slab(record, next(f for f in record.facets if f.miller_index == index), 10.0, 4, 20.0)
    (covered,) = attach_ligands(slab, library.ligand("methylamine"))
    assert_valid_ligated(covered, slab, 1)
    cations, (nitrogen,) = find_role(covered, "surface.cation"), find_role(covered, "ligand.anchor")
    host = int(cations[np.argmin(covered.get_distances(nitrogen, cations, mic=True))])
    chlorine = np.flatnonzero((covered.symbols == "Cl") & (covered.arrays["layer"] == 1))
    assert covered.get_distances(host, chlorine, mic=True).min() > 3.0


def test_error_for_too_many_ligands_states_the_number_of_sites():
    with pytest.raises(
        BuildError,
        match=r"10 methylamine do not fit on 100_PbS: .*10 ligands requested, but only 9 sites are available",
    ):
        attach_ligands(make_slab("PbS"), library.ligand("methylamine"), 10)


@pytest.mark.parametrize("count", [4, 6])
def test_dense_coverage_is_valid_or_an_error(count):
    try:
        candidates = attach_ligands(make_slab("PbS"), library.ligand("oleate"), count, 4)
    except BuildError:
        return
    for covered in candidates:
        assert_valid_ligated(covered, make_slab("PbS"), count)
