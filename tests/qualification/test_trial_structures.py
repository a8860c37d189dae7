"""Test structures of the qualification: strained, rattled and cut."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms

from qdsurf.qualification.trial_structures import build_test, facet_pairs, free_upper_half, rattle, strained_cells
from qdsurf.records import library
from qdsurf.records.settings import QualificationSpec
from qdsurf.surfaces.crystal import bulk_cell


@pytest.mark.parametrize("name", ["PbS", "CsPbBr3", "CdSe-wz"])
def test_strained_cells_scale_every_length(name):
    material, strains = library.material(name), (-0.02, 0.0, 0.03)
    cells = strained_cells(material, strains, 9.0)
    reference = cells[1]
    assert reference.cell.lengths().min() >= 9.0 - 1e-6
    density = [len(atoms) / atoms.get_volume() for atoms in (reference, bulk_cell(material))]
    assert density[0] == pytest.approx(density[1])
    for strain, atoms in zip(strains, cells, strict=True):
        assert atoms.get_volume() / reference.get_volume() == pytest.approx((1 + strain) ** 3)
        np.testing.assert_allclose(atoms.positions, reference.positions * (1 + strain), atol=1e-9)


def test_a_mixed_crystal_has_the_same_substitution_at_every_strain():
    small, large = strained_cells(library.material("CdSe0.5Te0.5"), (-0.02, 0.02), 11.0)
    assert list(small.symbols) == list(large.symbols)
    assert abs(Counter(small.symbols)["Se"] - Counter(small.symbols)["Te"]) <= 1


def test_molecular_ions_keep_their_shape():
    small, large = strained_cells(library.material("FAPbBr3"), (-0.05, 0.05), 11.0)
    for atoms in (small, large):
        formula = atoms.symbols.formula.count()
        assert formula["C"] == formula["Pb"] and formula["H"] == 5 * formula["Pb"] and "X" not in formula
    carbon, nitrogen = np.flatnonzero(small.symbols == "C")[0], np.flatnonzero(small.symbols == "N")[0]
    apart = [atoms.get_distance(carbon, nitrogen, mic=True) for atoms in (small, large)]
    assert apart[0] == pytest.approx(apart[1]) and apart[0] < 1.5


def test_only_the_upper_half_of_a_slab_is_rattled(slab_of):
    ideal, rattled = rattle(free_upper_half(slab_of("CdSe-wz")), 0.1, seed=3)
    moved = np.linalg.norm(rattled.positions - ideal.positions, axis=1) > 0
    fixed = np.zeros(len(ideal), dtype=bool)
    fixed[ideal.constraints[0].index] = True
    assert (moved == ~fixed).all() and (moved == (ideal.arrays["layer"] <= 2)).all()
    again = rattle(free_upper_half(slab_of("CdSe-wz")), 0.1, seed=3)[1]
    np.testing.assert_array_equal(again.positions, rattled.positions)
    assert np.std((rattled.positions - ideal.positions)[moved]) == pytest.approx(0.1, rel=0.3)


def test_every_atom_of_a_bulk_cell_is_rattled():
    material, settings = library.material("PbS"), QualificationSpec(shortest_vector_A=8.0)
    ideal, rattled = build_test("rattled_bulk", material, Atoms(), settings, seed=3)
    assert not ideal.constraints and (np.abs(rattled.positions - ideal.positions).max(axis=1) > 0).all()
    assert ideal == strained_cells(material, [0.0], 8.0)[0]


@pytest.mark.parametrize(
    ("name", "facets"),
    [
        ("PbS", ["100_PbS", "110_PbS"]),
        ("CdSe", ["110_CdSe"]),  # its other facets are polar
        ("CsPbBr3", ["100_CsBr"]),  # CsBr at the top, PbBr2 at the bottom: mean of both
        ("Cd0.5Zn0.5S", []),
        ("FAPbBr3", []),
    ],
)
def test_facets_come_in_pairs_with_the_composition_of_the_crystal(name, facets):
    material = library.material(name)
    slabs = facet_pairs(material, 5.0)
    assert [slab.info["facet"] for slab in slabs[::2]] == [slab.info["facet"] for slab in slabs[1::2]] == facets
    formula = bulk_cell(material).symbols.formula.reduce()[0]
    for thin, thick in zip(slabs[::2], slabs[1::2], strict=True):
        assert thin.symbols.formula.reduce()[0] == thick.symbols.formula.reduce()[0] == formula
        assert len(thick) > len(thin) and thin.cell.lengths()[:2].min() >= 5.0 - 1e-6
        np.testing.assert_allclose(thin.cell.array[:2], thick.cell.array[:2])
        outside = [np.sort(slab.positions[:, 2])[[0, -1]] for slab in (thin, thick)]
        gaps = [slab.cell[2, 2] - np.ptp(ends) for slab, ends in zip((thin, thick), outside, strict=True)]
        assert gaps[0] == pytest.approx(gaps[1])


def test_both_sides_of_a_prism_facet_have_the_fewest_broken_bonds():
    thin, _, other, _ = facet_pairs(library.material("CdSe-wz"), 5.0)
    assert thin.info["facet"] == "10-10_CdSe" and other.info["facet"] == "11-20_CdSe"
    distances = thin.get_all_distances(mic=True)
    bonds = (distances < 1.2 * distances[distances > 0.1].min()).sum(axis=1) - 1
    assert bonds.min() == 3 and bonds.max() == 4  # with the other termination a surface atom would have two
