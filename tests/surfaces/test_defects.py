"""Point defects: composition, neutrality, distances and recorded positions."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from ase.data import covalent_radii
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import assert_no_clash, assert_valid_model, composition, through_file
from systems import make_ligated, make_slab

from qdsurf.errors import BalanceError, BuildError, InputError, QDSurfError
from qdsurf.records import library
from qdsurf.surfaces.adsorption_sites import find_sites
from qdsurf.surfaces.defects import lose_ligands, make_defects
from qdsurf.surfaces.slab import cut_slab

# Change of the composition by each defect.
NEUTRAL = {
    "PbS": {
        "V_PbS": {"Pb": -1, "S": -1},
        "O_S": {"O": 1, "S": -1},
        "Se_S": {"Se": 1, "S": -1},
        "Cd_Pb": {"Cd": 1, "Pb": -1},
        "O_on_S": {"O": 1},
        "ad_PbS": {"Pb": 1, "S": 1},
        "H2O": {"H": 2, "O": 1},
    },
    "CsPbBr3": {
        "V_CsBr": {"Cs": -1, "Br": -1},
        "V_PbBr2": {"Pb": -1, "Br": -2},
        "Cl_Br": {"Cl": 1, "Br": -1},
        "O_on_Br": {"O": 1},
        "ad_CsBr": {"Cs": 1, "Br": 1},
        "ad_PbBr2": {"Pb": 1, "Br": 2},
        "H2O": {"H": 2, "O": 1},
    },
    "CdSe": {
        "V_CdSe": {"Cd": -1, "Se": -1},
        "O_Se": {"O": 1, "Se": -1},
        "Zn_Cd": {"Zn": 1, "Cd": -1},
        "O_on_Se": {"O": 1},
        "ad_CdSe": {"Cd": 1, "Se": 1},
        "H2O": {"H": 2, "O": 1},
    },
}
CASES = [(material, name) for material, names in NEUTRAL.items() for name in names]
VACANCIES = [(m, name) for m, name in CASES if name.startswith("V_")] + [("CsPbBr3", "V_Br V_Cs"), ("PbS", "V_Pb V_S")]
PAIRS = [("CsPbBr3", ["V_Br", "V_Cs"]), ("CsPbBr3", ["V_Pb", "V_Br", "V_Br"]), ("PbS", ["V_Pb", "V_S"]),
         ("PbS", ["ad_Pb", "V_Pb"]), ("CdSe", ["V_Se", "V_Cd"])]  # fmt: skip


@cache
def slab_of_facet(material: str) -> Atoms:
    record = library.material(material)
    return cut_slab(record, record.facets[0], 3, (3, 3), vacuum=20.0, mobile_layers=1)


def change(defective: Atoms, surface: Atoms) -> dict[str, int]:
    counts = composition(defective)
    counts.subtract(composition(surface))
    return {element: n for element, n in counts.items() if n}


def original_indices(defective: Atoms, surface: Atoms) -> np.ndarray:
    """Return the index in the surface of each atom of the defective structure, -1 for an atom at a new position."""
    apart = np.linalg.norm(defective.positions[:, None] - surface.positions[None], axis=-1)
    return np.where(apart.min(axis=1) < 1e-9, apart.argmin(axis=1), -1)


def vacancies(atoms: Atoms) -> Counter:
    """Return the number of vacancy sites by name."""
    found = [site for site in find_sites(atoms) if site.name.startswith("vacancy")]
    return Counter(name for site in found for name in [site.name] * site.multiplicity)


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize(("material", "name"), CASES)
def test_every_defect_gives_a_valid_model_of_the_expected_composition(material, name, seed, tmp_path):
    surface = slab_of_facet(material)
    defective = make_defects(surface, [name], seed)
    assert change(defective, surface) == NEUTRAL[material][name]
    assert_valid_model(through_file(defective, tmp_path))
    assert defective.info["defects"] == name and "charge" not in defective.info


@pytest.mark.parametrize(("material", "name"), CASES)
def test_all_other_atoms_keep_position_element_and_annotation(material, name):
    surface = slab_of_facet(material)
    defective = make_defects(surface, [name])
    source = original_indices(defective, surface)
    kept = source >= 0
    assert len(surface) - kept.sum() == -sum(n for n in NEUTRAL[material][name].values() if n < 0)
    assert (defective.symbols[kept] == surface.symbols[source[kept]]).all()
    for key in ("role", "fragment", "layer", "anchor"):
        assert (defective.arrays[key][kept] == surface.arrays[key][source[kept]]).all(), key
    new = ~kept
    assert set(defective.arrays["layer"][new]) <= {1} and set(defective.arrays["role"]) == {"substrate"}
    fixed = [set(original_indices(a, surface)[a.constraints[0].index].tolist()) for a in (defective, surface)]
    assert fixed[0] == {i for i in fixed[1] if i in set(source.tolist())}, "fixed atoms"


@pytest.mark.parametrize(("material", "name"), CASES)
def test_the_input_is_not_changed(material, name):
    surface = slab_of_facet(material)
    before = surface.copy()
    make_defects(surface, [name])
    assert surface == before and surface.info == before.info
    assert all((surface.arrays[key] == before.arrays[key]).all() for key in before.arrays)


# Vacancies.


@pytest.mark.parametrize("seed", [None, 0, 5])
@pytest.mark.parametrize(("material", "names"), VACANCIES)
def test_vacancies_are_recorded_at_the_positions_of_the_missing_atoms(material, names, seed):
    surface = slab_of_facet(material)
    defective = make_defects(surface, names.split(), seed)
    removed = np.setdiff1d(np.arange(len(surface)), original_indices(defective, surface))
    recorded = sorted(
        zip(defective.info["vacancy_elements"], defective.info["vacancy_positions"].tolist(), strict=True)
    )
    assert recorded == sorted((surface.symbols[i], surface.positions[i].tolist()) for i in removed)


@pytest.mark.parametrize(("material", "names"), VACANCIES)
def test_vacancies_are_sites_also_after_a_file(material, names, tmp_path):
    defective = make_defects(slab_of_facet(material), names.split())
    expected = Counter(f"vacancy:{element}" for element in defective.info["vacancy_elements"])
    assert vacancies(defective) == expected
    back = through_file(defective, tmp_path)
    assert vacancies(back) == expected
    sites = [[s.position for s in find_sites(a) if "vacancy" in s.name] for a in (back, defective)]
    np.testing.assert_allclose(*sites, atol=1e-6)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize(
    ("material", "name", "bond"), [("PbS", "V_PbS", 5.936 / 2), ("CdSe", "V_CdSe", 6.052 * np.sqrt(3) / 4)]
)
def test_the_atoms_of_a_removed_unit_were_bonded(material, name, bond, seed):
    defective = make_defects(slab_of_facet(material), [name], seed)
    pair = Atoms("XX", defective.info["vacancy_positions"], cell=defective.cell, pbc=defective.pbc)
    assert pair.get_distance(0, 1, mic=True) == pytest.approx(bond, abs=1e-3)


def test_a_vacancy_is_in_the_highest_layer_that_contains_the_element():
    surface = slab_of_facet("CsPbBr3")
    defective = make_defects(surface, ["V_Cs", "V_Br", "V_PbBr2"])
    heights = dict(zip(defective.info["vacancy_elements"], defective.info["vacancy_positions"][:, 2], strict=True))
    layers = {n: surface.positions[surface.arrays["layer"] == n, 2].mean() for n in (1, 2)}
    assert heights["Cs"] == pytest.approx(layers[1]) and heights["Pb"] == pytest.approx(layers[2])


# Additional atoms.


@pytest.mark.parametrize(("material", "name", "host"), [("PbS", "O_on_S", "S"), ("CdSe", "O_on_Se", "Se")])
def test_an_adatom_is_a_bond_length_above_its_anion(material, name, host):
    grown = make_defects(slab_of_facet(material), [name])
    (oxygen,) = np.flatnonzero(grown.symbols == "O")
    apart = grown.get_distances(oxygen, range(oxygen), mic=True)
    assert grown.symbols[int(apart.argmin())] == host
    assert apart.min() == pytest.approx(covalent_radii[8] + covalent_radii[Atoms(host).numbers[0]])


@pytest.mark.parametrize("material", NEUTRAL)
def test_water_dissociates_into_hydroxide_on_a_cation_and_a_proton_on_an_anion(material):
    wet = make_defects(slab_of_facet(material), ["H2O"])
    charge = wet.arrays["formal_charge"]
    (oxygen,) = np.flatnonzero(wet.symbols == "O")
    hydrogen = np.flatnonzero(wet.symbols == "H")
    bond = wet.get_distances(oxygen, hydrogen, mic=True)
    assert bond.min() == pytest.approx(0.97, abs=0.02) and bond.max() > 2.0, (
        "one hydrogen atom is on the oxygen atom, the other is not"
    )
    proton = int(hydrogen[bond.argmax()])
    substrate = np.flatnonzero(~np.isin(wet.symbols, ["O", "H"]))
    assert charge[substrate[wet.get_distances(oxygen, substrate, mic=True).argmin()]] > 0
    assert charge[substrate[wet.get_distances(proton, substrate, mic=True).argmin()]] < 0
    assert charge[[oxygen, proton]].tolist() == [-1, 1]


@pytest.mark.parametrize("material", ["PbS", "CdSe"])
def test_an_additional_unit_continues_the_crystal(material):
    cation, anion = {"PbS": ("Pb", "S"), "CdSe": ("Cd", "Se")}[material]
    grown = make_defects(slab_of_facet(material), [f"ad_{cation}{anion}"])
    top = len(grown) - 2
    nearest = [grown.symbols[int(grown.get_distances(i, range(top), mic=True).argmin())] for i in (top, top + 1)]
    assert list(grown.symbols[top:]) == [cation, anion] and nearest == [anion, cation]


# Several defects.


@pytest.mark.parametrize("seed", [None, 2])
@pytest.mark.parametrize(("material", "names"), PAIRS)
def test_several_defects_balance_each_other(material, names, seed):
    surface = slab_of_facet(material)
    for name in names:
        with pytest.raises(BalanceError, match=rf"{name} leaves a charge: substrate .*; total [+-]\d"):
            make_defects(surface, [name])
    defective = make_defects(surface, names, seed)
    assert_valid_model(defective)
    assert defective.info["defects"] == " ".join(names)


@settings(max_examples=20)
@given(st.permutations(["V_Br", "V_Cs", "O_on_Br", "Cl_Br"]), st.integers(0, 50))
def test_the_order_and_positions_of_defects_do_not_change_the_composition(names, seed):
    defective = make_defects(slab_of_facet("CsPbBr3"), names, seed)
    assert change(defective, slab_of_facet("CsPbBr3")) == {"Br": -2, "Cs": -1, "Cl": 1, "O": 1}
    assert defective.arrays["formal_charge"].sum() == 0


@pytest.mark.parametrize("seed", [None, *range(5)])
@pytest.mark.parametrize(
    ("material", "name"), [("PbS", "H2O"), ("PbS", "ad_PbS"), ("PbS", "O_on_S"), ("CdSe", "H2O"), ("CdSe", "ad_CdSe")]
)
def test_equal_defects_do_not_share_a_site(material, name, seed):
    # nine cells have enough sites for three defects of each kind
    assert_no_clash(make_defects(slab_of_facet(material), [name] * 3, seed))


@pytest.mark.parametrize("material", ["PbS", "CsPbBr3", "CdSe"])
def test_a_second_defect_is_as_far_as_possible_from_the_first(material):
    surface = slab_of_facet(material)
    anion = {"PbS": "S", "CsPbBr3": "Br", "CdSe": "Se"}[material]
    both = make_defects(surface, [f"V_{anion}"] * 2, charged=True)
    pair = Atoms("XX", both.info["vacancy_positions"], cell=both.cell, pbc=both.pbc)
    places = surface[(surface.symbols == anion) & (surface.arrays["layer"] == 1)]
    assert pair.get_distance(0, 1, mic=True) == pytest.approx(places.get_all_distances(mic=True)[0].max(), abs=0.01)


def test_a_second_call_adds_to_the_defects_of_the_first():
    charged = make_defects(slab_of_facet("CsPbBr3"), ["V_Br"], charged=True)
    assert charged.info["charge"] == 1
    balanced = make_defects(charged, ["V_Cs"])
    assert balanced.arrays["formal_charge"].sum() == 0
    assert sorted(balanced.info["vacancy_elements"]) == ["Br", "Cs"]
    assert "charge" not in balanced.info, "a neutral model is still recorded as charged"
    assert balanced.info["defects"] == "V_Br V_Cs"


@pytest.mark.parametrize(("material", "name"), CASES)
def test_the_same_seed_gives_the_same_positions(material, name):
    first, again = (make_defects(slab_of_facet(material), [name], 7) for _ in range(2))
    np.testing.assert_array_equal(first.positions, again.positions)
    assert list(first.symbols) == list(again.symbols)


@pytest.mark.parametrize("name", ["V_PbS", "O_S", "O_on_S", "ad_PbS", "H2O"])
def test_different_seeds_give_different_positions(name):
    defective = [make_defects(slab_of_facet("PbS"), [name], seed) for seed in range(8)]
    assert len({tuple(atoms.info["defect_positions"].ravel().round(3).tolist()) for atoms in defective}) > 2


# Errors.


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("hole", InputError, "unknown defect 'hole'; accepted: V_Br .*, O_S .*, H2O"),
        ("V_", InputError, "unknown defect 'V_'"),
        ("V_Br", BuildError, "the crystal contains no Br; choose a defect of Pb, S"),
        ("V_PbBr2", BuildError, "the two outermost layers contain no Br beside the vacancy"),
        ("O_Br", BuildError, "the crystal contains no Br; choose a defect of Pb, S"),
        ("O_on_Br", BuildError, "the crystal contains no Br"),
        ("ad_Se", BuildError, "no formal charge is known for Se"),
        ("loss_1", BuildError, "1 ligands requested for removal, but the structure has 0"),
        ("V_S", BalanceError, "total \\+2. Add a defect that balances the charge, such as the vacancy of a counterion"),
    ],
)
def test_the_error_states_why_a_defect_cannot_be_created(name, error, words):
    with pytest.raises(error, match=words):
        make_defects(slab_of_facet("PbS"), [name])


@pytest.mark.parametrize("name", ["Xx_S", "Xx_on_S", "ad_Xx", "V_Xx", "V_PbXx"])
def test_the_error_names_an_element_that_does_not_exist(name):
    with pytest.raises(QDSurfError, match="Xx"):
        make_defects(slab_of_facet("PbS"), [name])


def test_a_charged_model_is_built_only_on_request():
    charged = make_defects(slab_of_facet("CdSe"), ["V_Se"], charged=True)
    assert charged.info["charge"] == charged.arrays["formal_charge"].sum() == 2


# Loss of ligands.


@pytest.mark.parametrize(
    ("material", "ligand", "each"),
    [
        ("PbS", "acetate", {"C": 2, "H": 4, "O": 2}),
        ("PbS", "methylamine", {"C": 1, "H": 5, "N": 1}),
        ("CsPbBr3", "acetate", {"C": 2, "H": 3, "O": 2, "Cs": 1}),
        ("CsPbBr3", "oleylammonium", {"C": 2, "H": 8, "N": 1, "Br": 1}),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_ligands_are_removed_as_neutral_molecules(material, ligand, each, count):
    covered = make_ligated(material, ligand, 2)[0]
    before = covered.copy()
    left = lose_ligands(covered, count, seed=1)
    assert change(left, covered) == {element: -count * n for element, n in each.items()}
    assert left.arrays["formal_charge"].sum() == pytest.approx(0)
    assert len(set(left.arrays["fragment"][left.arrays["role"] == "ligand"].tolist())) == 2 - count
    assert covered == before and covered.info == before.info
    assert composition(make_defects(covered, [f"loss_{count}"], 1)) == composition(left)


def test_the_choice_of_removed_ligands_depends_only_on_the_seed():
    covered = make_ligated("PbS", "methylamine", 3)[0]
    kept = [
        tuple(np.unique(lose_ligands(covered, 1, seed).arrays["fragment"]).tolist()) for seed in (*range(6), *range(6))
    ]
    assert kept[:6] == kept[6:] and len(set(kept)) > 1


def test_more_ligands_than_present_cannot_be_removed():
    with pytest.raises(BuildError, match="3 ligands requested for removal, but the structure has 2"):
        lose_ligands(make_ligated("PbS", "acetate", 2)[0], 3)


def test_an_ion_without_a_counterion_cannot_be_removed():
    covered = make_ligated("CsPbBr3", "acetate")[0]
    with pytest.raises(BuildError, match=r"counterions of charge \+1, but the crystal has 0"):
        lose_ligands(covered[np.array(covered.symbols) != "Cs"], 1)


@pytest.mark.parametrize(
    ("name", "oxygens", "charges"), [("O_on_Pb", 1, [4, -2]), ("O2_on_Pb", 2, [4, -2, 0]), ("O_on_S", 1, [0, -2])]
)
def test_oxidation_transfers_charge_from_the_ion_to_the_oxygen(name, oxygens, charges):
    slab = make_slab("PbS")
    oxidised = make_defects(slab, [name])
    assert len(oxidised) == len(slab) + oxygens
    host = int(np.flatnonzero(oxidised.arrays["formal_charge"][: len(slab)] != slab.arrays["formal_charge"])[0])
    found = [oxidised.arrays["formal_charge"][host], *oxidised.arrays["formal_charge"][len(slab) :]]
    assert found == charges
    assert oxidised.get_distances(host, range(len(slab), len(oxidised))).max() < 2.3
