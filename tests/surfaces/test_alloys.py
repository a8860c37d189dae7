"""Mixed crystals and molecular ions: composition, random order, and complete molecules."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import separate
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import assert_valid_model, contacts, through_file

from qdsurf.records import library
from qdsurf.records.models import Material
from qdsurf.surfaces.slab import cut_slab

ALLOYS = {"PbS0.5Se0.5": ("S", "Se"), "CsPbBr1.5I1.5": ("Br", "I")}
FORMAMIDINIUM = {"C": 1, "N": 2, "H": 5}


def slab_of_alloy(name: str, cells: tuple[int, int] = (4, 4), layers: int = 3, seed: int = 0) -> Atoms:
    material = library.material(name)
    return cut_slab(material, material.facets[0], layers, cells, vacuum=15.0, seed=seed)


def mixed(share: float) -> Material:
    """Return lead sulphide with a fraction of its sulphur replaced by selenium."""
    update = {"substitutions": {"S": {"Se": share}}, "formula": f"PbS{1 - share:.6f}Se{share:.6f}"}
    return library.material("PbS0.5Se0.5").model_copy(update=update)


def molecules_of(slab: Atoms) -> list[Atoms]:
    """Return the molecular ions, whose atoms are consecutive."""
    organic = slab[np.isin(slab.symbols, list(FORMAMIDINIUM))]
    size = sum(FORMAMIDINIUM.values())
    return [organic[start : start + size] for start in range(0, len(organic), size)]


def unlike_share(slab: Atoms, elements: tuple[str, str]) -> float:
    """Return the fraction of nearest neighbours on a sublattice that are different elements."""
    lattice = slab[np.isin(slab.symbols, elements)]
    nearest = neighbor_list("d", lattice, 6.0).min()
    i, j = neighbor_list("ij", lattice, 1.1 * nearest)
    return float((lattice.numbers[i] != lattice.numbers[j]).mean())


@pytest.mark.parametrize("cells", [(1, 1), (1, 2), (2, 2), (3, 3), (4, 4)])
@pytest.mark.parametrize("name", ALLOYS)
def test_an_alloy_is_a_valid_slab_of_the_nearest_composition(name, cells, tmp_path):
    slab = slab_of_alloy(name, cells)
    assert_valid_model(through_file(slab, tmp_path))
    first, second = (int((slab.symbols == element).sum()) for element in ALLOYS[name])
    assert abs(first - second) <= 1
    given = dict(part.split() for part in slab.info["composition"].split(", "))
    shares = {element: float((slab.symbols == element).sum()) / (first + second) for element in ALLOYS[name]}
    assert {element: float(share) for element, share in given.items()} == pytest.approx(shares, abs=5e-4)


@settings(max_examples=25)
@given(st.floats(0.02, 0.98), st.integers(1, 4), st.integers(1, 4))
def test_every_fraction_is_met_within_half_an_ion(share, m, n):
    material = mixed(round(share, 6))
    slab = cut_slab(material, material.facets[0], 3, (m, n))
    count = Counter(slab.symbols)
    assert count["S"] + count["Se"] == count["Pb"] == 3 * m * n
    assert abs(count["Se"] - round(share, 6) * count["Pb"]) <= 0.5 + 1e-6
    assert slab.arrays["formal_charge"].sum() == 0


def test_three_elements_can_share_a_sublattice():
    substitutions = {"S": {"Se": 0.25, "Te": 0.25}}
    update = {"substitutions": substitutions, "formula": "PbS0.5Se0.25Te0.25"}
    material = library.material("PbS0.5Se0.5").model_copy(update=update)
    material = material.model_copy(update={"formal_charges": material.formal_charges | {"Te": -2}})
    assert Counter(cut_slab(material, material.facets[0], 4, (2, 2)).symbols) == {"Pb": 16, "S": 8, "Se": 4, "Te": 4}


@pytest.mark.parametrize("name", ALLOYS)
def test_substitution_does_not_change_the_lattice(name):
    material = library.material(name)
    slab = slab_of_alloy(name)
    plain = material.model_copy(update={"substitutions": {}, "formula": {"S": "PbS", "Br": "CsPbBr3"}[ALLOYS[name][0]]})
    parent = cut_slab(plain, plain.facets[0], 3, (4, 4), vacuum=15.0)
    np.testing.assert_allclose(slab.positions, parent.positions, atol=1e-9)
    back = [ALLOYS[name][0] if symbol == ALLOYS[name][1] else symbol for symbol in slab.symbols]
    assert back == list(parent.symbols)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ALLOYS)
def test_the_fraction_of_unlike_neighbours_is_that_of_a_random_alloy(name, seed):
    # 2 x (1 - x) of all pairs; with 64 draws, a few of some hundred pairs deviate
    assert unlike_share(slab_of_alloy(name, seed=seed), ALLOYS[name]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("share", [0.125, 0.25, 0.75])
def test_alloys_of_other_compositions_are_random(share):
    material = mixed(share)
    slab = cut_slab(material, material.facets[0], 4, (4, 4))
    assert unlike_share(slab, ("S", "Se")) == pytest.approx(2 * share * (1 - share), abs=0.03)


@pytest.mark.parametrize("name", [*ALLOYS, "FAPbBr3"])
def test_slabs_are_the_same_for_the_same_seed_and_differ_for_other_seeds(name):
    first, again, other = (slab_of_alloy(name, (2, 2), seed=seed) for seed in (3, 3, 4))
    assert list(first.symbols) == list(again.symbols)
    np.testing.assert_array_equal(first.positions, again.positions)
    assert list(first.symbols) != list(other.symbols) or np.abs(first.positions - other.positions).max() > 0.1


# Molecular ions.


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cells", [(1, 1), (2, 3)])
def test_each_caesium_ion_is_replaced_by_one_complete_formamidinium_ion(cells, seed, tmp_path):
    slab = slab_of_alloy("FAPbBr3", cells, seed=seed)
    assert_valid_model(through_file(slab, tmp_path))
    units = cells[0] * cells[1]
    # the layers CsBr, PbBr2, CsBr have two caesium, one lead and four bromide ions for each cell
    assert Counter(slab.symbols) == {"Pb": units, "Br": 4 * units, "C": 2 * units, "N": 4 * units, "H": 10 * units}
    molecules = separate(slab[np.isin(slab.symbols, list(FORMAMIDINIUM))])  # by bonds, not by the order of the atoms
    assert [Counter(molecule.symbols) for molecule in molecules] == [FORMAMIDINIUM] * 2 * units
    assert slab.arrays["formal_charge"][slab.symbols == "N"].sum() == 2 * units


@pytest.mark.parametrize("seed", range(4))
def test_formamidinium_has_no_bonds_to_the_crystal(seed):
    slab = slab_of_alloy("FAPbBr3", (2, 2), seed=seed)
    bonds = Counter(tuple(sorted((slab.symbols[i], slab.symbols[j]))) for i, j, _ in contacts(slab, 1.25))
    units = int((slab.symbols == "C").sum())
    assert {pair: n for pair, n in bonds.items() if pair != ("Br", "Pb")} == {
        ("C", "N"): 2 * units, ("C", "H"): units, ("H", "N"): 4 * units,
    }  # fmt: skip


def test_molecules_are_at_the_lattice_sites_of_the_replaced_ions():
    slab = slab_of_alloy("FAPbBr3", (2, 2))
    a = library.material("FAPbBr3").lattice.a_A
    for molecule in molecules_of(slab):
        (layer,) = set(molecule.arrays["layer"].tolist())
        bromide = slab.positions[(slab.symbols == "Br") & (slab.arrays["layer"] == layer), 2]
        probe = slab[slab.symbols == "Pb"] + Atoms("X", [molecule.get_center_of_mass()])
        apart = probe.get_distances(len(probe) - 1, range(len(probe) - 1), mic=True)
        assert molecule.get_center_of_mass()[2] == pytest.approx(bromide[0], abs=1e-6)
        assert apart.min() == pytest.approx(np.sqrt(3) / 2 * a, abs=1e-6)


def test_molecules_have_different_orientations():
    slab = slab_of_alloy("FAPbBr3", (2, 2))
    molecules = molecules_of(slab)
    orientations = {tuple((m.positions[0] - m.get_center_of_mass()).round(2).tolist()) for m in molecules}
    assert len(orientations) == len(molecules)
