"""Slabs: requested layers, terminations and neutrality, and errors for slabs that cannot be cut."""

from collections import Counter

import numpy as np
import pytest
from ase.build import fcc111
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import assert_no_clash, assert_valid_slab, through_file
from pymatgen.core import Composition
from pymatgen.io.ase import AseAtomsAdaptor

from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.errors import BalanceError, BuildError, InputError
from qdsurf.records import library
from qdsurf.records.miller import parse_miller_index, reduce_miller_index
from qdsurf.records.models import Facet
from qdsurf.surfaces.crystal import bulk_cell, ion_charge
from qdsurf.surfaces.passivation import PassivatingIons
from qdsurf.surfaces.site_density import count_sites, surface_area
from qdsurf.surfaces.slab import cut_slab, cut_wide_slab, freeze_substrate, list_terminations

FOREIGN = PassivatingIons("F", "H")  # no recorded crystal contains fluorine


ORDERED = [n for n in library.names("materials") if not library.material(n).molecular_ion]


def primitive_area(material, facet) -> float:
    """Return the area in A^2 of the smallest surface cell: volume of the primitive cell times the reciprocal vector."""
    cell = AseAtomsAdaptor.get_structure(bulk_cell(material)).get_primitive_structure().lattice
    normal = np.linalg.inv(bulk_cell(material).cell.array) @ reduce_miller_index(facet.miller_index)
    indices = cell.matrix @ normal  # of the same planes in the primitive cell, up to a common factor
    factor = next(n for n in (1, 2, 3, 4, 6, 12) if np.allclose(n * indices, np.round(n * indices), atol=1e-6))
    whole = np.round(factor * indices).astype(int)
    whole = whole // np.gcd.reduce(whole)
    return cell.volume * np.linalg.norm(np.linalg.inv(cell.matrix) @ whole)


def has_crowded_bottom(material, facet) -> bool:
    """Return whether an odd number of layers leaves lower ions with three broken bonds, more than there are sites."""
    tetrahedral = material.phase in ("zinc blende", "wurtzite", "chalcopyrite")
    return tetrahedral and facet.name.split("_")[0] in ("111", "-1-1-1", "0001", "000-1", "112")


def neutral_slab(material, facet, layers: int, vacuum: float) -> tuple:
    """Return the slab in the smallest cell whose sides have integer charges, and its number of surface cells."""
    for cells in ((1, 1), (2, 1), (2, 2)):
        try:
            return cut_slab(material, facet, layers, cells, vacuum, passivating_ions=FOREIGN), cells[0] * cells[1]
        except BalanceError:
            continue
    raise AssertionError(f"{material.name} {facet.name} is not neutral in 2 x 2 cells")


NEIGHBOURS = {  # in the crystal: shortest distance in A, coordination numbers
    "fcc metal": (lambda a, c: a / np.sqrt(2), {12}),
    "zinc blende": (lambda a, c: a * np.sqrt(3) / 4, {4}),
    "wurtzite": (lambda a, c: max(c * 0.375, np.sqrt(a**2 / 3 + (c / 8) ** 2)), {4}),
    "cubic perovskite": (lambda a, c: a / 2, {0, 2, 6}),  # Cs, Br, Pb by Pb-Br distances
    "rock salt": (lambda a, c: a / 2, {6}),
}


def constants(name: str) -> tuple[float, float]:
    lattice = library.material(name).lattice
    return lattice.a_A, lattice.c_A or lattice.a_A


def wurtzite():
    material = library.material("CdSe-wz")
    return material, material.facets[0]


@pytest.mark.parametrize("name", library.names("materials"))
@pytest.mark.parametrize(
    "layers", [pytest.param((3, 4), id="usual"), pytest.param((2, 6), marks=pytest.mark.slow, id="more")]
)
def test_every_facet_gives_a_valid_slab_also_after_a_file(name, layers, tmp_path):
    """One odd and one even thickness of every facet of a material: their lower sides differ."""
    material = library.material(name)
    for facet in material.facets:
        for count in layers:
            check_slab(material, facet, count, tmp_path)


def check_slab(material, facet, layers: int, folder) -> None:
    vacuum = 9.0 + layers
    if layers % 2 and has_crowded_bottom(material, facet):
        with pytest.raises(BuildError, match="lower side needs"):
            neutral_slab(material, facet, layers, vacuum)
        return
    slab, cells = neutral_slab(material, facet, layers, vacuum)
    assert_valid_slab(slab, material, facet, layers, vacuum)
    assert_valid_slab(through_file(slab, folder), material, facet, layers, vacuum)
    assert surface_area(slab) * 100 == pytest.approx(primitive_area(material, facet) * cells, rel=1e-6), facet.name


@pytest.mark.parametrize("name", [n for n in ORDERED if library.material(n).phase in NEIGHBOURS])
def test_the_middle_layer_has_the_coordination_of_the_crystal(name):
    material = library.material(name)
    slab = cut_slab(material, material.facets[0], 7, (1, 1), charged=True)
    length, numbers = NEIGHBOURS[material.phase]
    distance = length(*constants(name))
    counts = np.bincount(neighbor_list("i", slab, distance * 1.05), minlength=len(slab))
    assert set(counts[slab.arrays["layer"] == 4].tolist()) <= numbers
    assert counts[slab.arrays["layer"] == 1].sum() < counts[slab.arrays["layer"] == 4].sum(), (
        "the outermost layer has no broken bonds"
    )


def test_silver_slab_is_that_of_ase():
    material = library.material("Ag")
    ours = cut_slab(material, material.facets[0], 4, (3, 3), 12.0)
    theirs = fcc111("Ag", (3, 3, 4), a=material.lattice.a_A, vacuum=6.0)
    distances = [np.sort(atoms.get_all_distances(mic=True).ravel()) for atoms in (ours, theirs)]
    np.testing.assert_allclose(*distances, atol=1e-5)


@pytest.mark.parametrize("layers", [2, 3, 4, 5, 6])
def test_wurtzite_has_the_compact_double_layer_on_top(layers):
    material, facet = wurtzite()
    slab = cut_slab(material, facet, layers)
    heights = [slab.positions[slab.arrays["layer"] == n, 2].mean() for n in (1, 2)]
    # the (10-10) planes are a / (2 sqrt 3) and a / sqrt 3 apart
    assert heights[0] - heights[1] == pytest.approx(4.2999 / (2 * np.sqrt(3)), abs=0.01)


@pytest.mark.parametrize(("layers", "below"), [(1, "CsBr"), (2, "PbBr2"), (3, "CsBr"), (4, "PbBr2")])
@pytest.mark.parametrize("name", ["CsPbBr3", "CsPbBr3-Pnma"])
def test_layers_of_the_perovskite_alternate(name, layers, below):
    material = library.material(name)
    slab = cut_slab(material, material.facets[0], layers)
    lowest = slab[slab.arrays["layer"] == layers].symbols.formula.reduce()[0]
    assert lowest.count() == ({"Cs": 1, "Br": 1} if below == "CsBr" else {"Pb": 1, "Br": 2})


@pytest.mark.parametrize(
    ("name", "miller", "terminations"),
    [
        ("PbS", (1, 0, 0), ["PbS"]),
        ("PbS", (1, 1, 1), ["Pb", "S"]),
        ("CdSe", (1, 1, 0), ["CdSe"]),
        ("CdSe", (1, 1, 1), ["Cd", "Se"]),
        ("CdSe", (1, 0, 0), ["Cd", "Se"]),
        ("CsPbBr3", (1, 0, 0), ["CsBr", "PbBr2"]),
        ("CsPbBr3-Pnma", (0, 1, 0), ["CsBr", "PbBr2"]),
        ("Ag", (1, 1, 1), ["Ag"]),
    ],
)
def test_terminations_are_named(name, miller, terminations):
    assert sorted(t.name for t in list_terminations(library.material(name), miller)) == terminations


@pytest.mark.parametrize(
    ("name", "family", "density"),
    [
        ("PbS", "surface", 5.68),
        ("CsPbBr3", "surface", 2.90),
    ],  # REFERENCE_VALUES section A; equal densities of Br and Cs
)
def test_site_densities_are_those_of_the_literature(name, family, density):
    material = library.material(name)
    slab = cut_slab(material, material.facets[0], 3, (2, 2))
    assert count_sites(slab)[family] == pytest.approx(density, abs=0.005)  # given with two decimals
    cation = slab.symbols == {"PbS": "Pb", "CsPbBr3": "Cs"}[name]
    assert (cation & (slab.arrays["layer"] == 1)).sum() / surface_area(slab) == pytest.approx(density, abs=0.005)


@pytest.mark.parametrize("element", ["Ag", "O"])
def test_adatoms_are_at_the_recorded_height_and_site(element):
    material = library.material("Ag")
    facet = next(facet for facet in material.facets if facet.termination == element)
    slab = cut_slab(material, facet, 2, (4, 4))
    adatoms = slab[slab.symbols == "O"]
    if element == "Ag":
        assert len(adatoms) == 0
        return
    assert len(adatoms) == facet.adlayer.per_supercell
    top = slab.positions[(slab.arrays["layer"] == 1) & (slab.symbols == "Ag"), 2]
    np.testing.assert_allclose(adatoms.positions[:, 2], top[0] + facet.adlayer.height_A, atol=1e-6)
    distances = slab.get_distances(len(slab) - 1, range(32), mic=True)
    assert (distances < distances.min() + 0.01).sum() == 3, "the adatom of a hollow site has three equal distances"


@pytest.mark.parametrize("mobile", [0, 1, 2, 3])
def test_the_outermost_layers_can_move(mobile):
    material = library.material("PbS")
    slab = cut_slab(material, material.facets[0], 3, (2, 2), mobile_layers=mobile)
    fixed = set(slab.constraints[0].index.tolist()) if slab.constraints else set()
    assert fixed == set(np.flatnonzero(slab.arrays["layer"] > mobile).tolist())


def test_molecules_can_move_on_a_frozen_substrate(ligated_of):
    covered = ligated_of("PbS", "acetate")[0]
    before = covered.constraints[0].index.copy()
    frozen = freeze_substrate(covered)
    assert frozen.constraints[0].index.tolist() == np.flatnonzero(frozen.arrays["role"] == "substrate").tolist()
    assert covered.constraints[0].index.tolist() == before.tolist()


@settings(max_examples=15)
@given(m=st.integers(1, 4), n=st.integers(1, 4), layers=st.integers(1, 5), vacuum=st.floats(8, 40))
def test_supercell_and_vacuum_do_not_change_the_structure(m, n, layers, vacuum):
    material = library.material("CdSe")
    small = cut_slab(material, material.facets[0], layers)
    large = cut_slab(material, material.facets[0], layers, (m, n), vacuum)
    assert len(large) == len(small) * m * n
    np.testing.assert_allclose(large.cell.lengths()[:2], small.cell.lengths()[:2] * [m, n])
    assert np.ptp(large.positions[:, 2]) == pytest.approx(np.ptp(small.positions[:, 2]), abs=1e-9)


# Errors.


def test_the_error_of_an_unknown_termination_lists_the_known_ones():
    material = library.material("CsPbBr3")
    facet = material.facets[0].model_copy(update={"termination": "CsBr3"})
    with pytest.raises(InputError, match=r"CsPbBr3 .*unknown termination 'CsBr3'.*Accepted: CsBr, PbBr2"):
        cut_slab(material, facet)


@pytest.mark.parametrize(("layers", "bottom"), [(3, "PbBr2"), (2, "CsBr")])
def test_the_error_of_an_impossible_bottom_lists_the_possible_sides(layers, bottom):
    material = library.material("CsPbBr3")
    given_by = "CsBr below CsBr, PbBr2 below PbBr2" if layers == 3 else "CsBr below PbBr2, PbBr2 below CsBr"
    with pytest.raises(BuildError, match=rf"CsBr on top and {bottom} below; {layers} layers give: {given_by}"):
        cut_slab(material, material.facets[0], layers, bottom=bottom)


@pytest.mark.parametrize(("layers", "bottom"), [(3, "CsBr"), (2, "PbBr2")])
def test_a_possible_bottom_is_accepted(layers, bottom):
    material = library.material("CsPbBr3")
    assert len(cut_slab(material, material.facets[0], layers, bottom=bottom))


def facet_of(name: str, miller_index: tuple[int, ...], termination: str) -> tuple:
    return library.material(name), Facet(miller_index=miller_index, termination=termination)


# Passivating ions for each outermost ion by electrostatic bond strength: broken bonds times charge divided by the
# coordination number.
POLAR = [
    ("PbS", (1, 1, 1), "Pb", 1.0),  # 3 of 6 bonds of Pb2+
    ("PbS", (1, 1, 1), "S", -1.0),
    ("CdSe", (1, 1, 1), "Cd", 0.5),  # 1 of 4
    ("CdSe", (-1, -1, -1), "Se", -0.5),
    ("CdSe", (1, 0, 0), "Cd", 1.0),  # 2 of 4
    ("CdSe-wz", (0, 0, 0, 1), "Cd", 0.5),
    ("CdSe-wz", (0, 0, 0, -1), "Se", -0.5),
    ("InP", (1, 1, 1), "In", 0.75),  # 1 of 4 bonds of In3+
]


@pytest.mark.parametrize(("name", "miller_index", "termination", "each"), POLAR)
def test_polar_sides_have_the_passivating_ions_of_the_electrostatic_bond_strengths(
    name, miller_index, termination, each
):
    material, facet = facet_of(name, miller_index, termination)
    slab = cut_slab(material, facet, 4, (2, 2))
    top = slab.arrays["layer"] == 1
    ions = (top & (slab.symbols == termination)).sum()
    expected = "Cl" if each > 0 else "H"
    assert (top & (slab.symbols == expected)).sum() == abs(each) * ions
    assert slab.arrays["formal_charge"].sum() == 0


@pytest.mark.parametrize("anion", ["Cl", "OH", "I"])
@pytest.mark.parametrize(("name", "termination"), [("InP", "In"), ("InP", "P"), ("InAs", "In"), ("InAs", "As")])
@pytest.mark.parametrize("cells", [(2, 2), (4, 2), (2, 4)])
def test_a_side_with_three_ions_for_two_sites_has_no_broken_bonds(name, termination, anion, cells):
    # Two of four bonds of In3+ are 1.5 e. Two In have one bridging and two terminal ions; two P form PH2 and PH.
    material, facet = facet_of(name, (1, 0, 0), termination)
    slab = cut_slab(material, facet, 4, cells, passivating_ions=PassivatingIons(anion))
    element = "O" if anion == "OH" else anion
    number = cells[0] * cells[1]
    assert (slab.symbols == element).sum() == 1.5 * number
    assert slab.arrays["formal_charge"].sum() == 0
    assert_no_clash(slab)
    distances = slab.get_all_distances(mic=True)
    ions = np.flatnonzero(slab.symbols == element)
    apart = distances[np.ix_(ions, ions)][np.triu_indices(len(ions), 1)]
    assert apart.min() > 2.7
    bonded = distances < 1.3 * (covalent_radii[slab.numbers][:, None] + covalent_radii[slab.numbers])
    neighbours = lambda kind, others: sorted(Counter(bonded[slab.symbols == kind][:, others].sum(axis=1)).items())
    # Every In has two bonds to the crystal and two to ions; one of three ions is shared.
    outer = np.isin(slab.symbols, ["In"]) & (slab.arrays["layer"] == (1 if termination == "In" else 4))
    assert set(bonded[outer].sum(axis=1) - 1) == {4}
    assert neighbours(element, np.flatnonzero(slab.symbols == "In")) == [(1, number), (2, number // 2)]
    pnictogen = (slab.symbols == material.formula[2:]) & (slab.arrays["layer"] == (4 if termination == "In" else 1))
    held = bonded[np.ix_(np.flatnonzero(pnictogen), np.flatnonzero(slab.symbols == "H"))].sum(axis=1)
    assert Counter(held) == {1: number // 2, 2: number // 2}


@pytest.mark.parametrize("cells", [(2, 1), (4, 3)])
def test_the_error_requests_a_cell_with_an_even_number_of_sites(cells):
    material, facet = facet_of("InP", (1, 0, 0), "In")
    with pytest.raises(BalanceError, match=r"upper side needs \d+ ions of charge -1 .* an even number of cells along"):
        cut_slab(material, facet, 4, cells)


def test_a_wide_slab_has_a_neutral_cell():
    material, facet = facet_of("InP", (1, 0, 0), "In")
    slab = cut_wide_slab(material, facet, 10.0, 4)
    assert min(slab.cell.lengths()[:2]) >= 10 and slab.arrays["formal_charge"].sum() == 0


@pytest.mark.parametrize(
    ("name", "miller_index", "termination"),
    [("CdSe-wz", (1, 0, -1, 0), "CdSe"), ("CdSe-wz", (1, 1, -2, 0), "CdSe"), ("CsPbBr3", (1, 0, 0), "CsBr"),
     ("CsPbBr3", (1, 0, 0), "PbBr2"), ("PbS", (1, 0, 0), "PbS"), ("PbS", (1, 1, 0), "PbS")],
)  # fmt: skip
def test_nonpolar_sides_have_no_passivating_ions(name, miller_index, termination):
    material, facet = facet_of(name, miller_index, termination)
    assert set(cut_slab(material, facet, 3, (2, 2)).symbols) == set(bulk_cell(material).symbols)


def test_the_error_of_a_fractional_charge_states_the_required_supercell():
    material, facet = facet_of("CdSe", (1, 1, 1), "Cd")
    with pytest.raises(BalanceError, match=r"upper side carries \+0.5 e .* 2 times as many cells \(substrate Cd"):
        cut_slab(material, facet, 4, (1, 1))


def test_a_charged_slab_is_cut_only_on_request_and_recorded_as_charged():
    material, facet = facet_of("PbS", (1, 1, 1), "Pb")
    with pytest.raises(BalanceError, match=r"substrate Pb 8 x \+2 = \+16; substrate S 4 x -2 = -8; total \+8"):
        cut_slab(material, facet, 3, (2, 2), passivating_ions=None)
    slab = cut_slab(material, facet, 3, (2, 2), charged=True)
    assert (
        slab.arrays["formal_charge"].sum() == 8
        and charge_balance(slab).endswith("total +8")
        and slab.info["charge"] == 8
    )


@pytest.mark.parametrize(("thickness", "layers"), [(5.936, 3), (8.904, 4), (5.9, 3)])
def test_a_thickness_is_met_or_rejected(thickness, layers):
    material, facet = facet_of("PbS", (1, 0, 0), "PbS")
    assert len(set(cut_slab(material, facet, thickness=thickness).arrays["layer"])) == layers
    with pytest.raises(BuildError, match=r"no slab is 7 A thick; 3 layers have 5.94 A and 4 have 8.90 A"):
        cut_slab(material, facet, thickness=7)


@given(st.tuples(*[st.integers(-4, 4)] * 3).filter(any), st.sampled_from(["PbS", "CdSe-wz", "CsPbBr3-Pnma", "TiO2"]))
@settings(max_examples=25, deadline=None)
def test_every_plane_can_be_cut(miller_index, name):
    material = library.material(name)
    facet = Facet(miller_index=miller_index, termination=list_terminations(material, miller_index)[0].name)
    slab = cut_slab(material, facet, 3, charged=True)
    assert surface_area(slab) * 100 == pytest.approx(primitive_area(material, facet), rel=1e-6)
    crystal = AseAtomsAdaptor.get_structure(bulk_cell(material))
    nearest = min(n.nn_distance for site in crystal for n in crystal.get_neighbors(site, 4.0))
    tiled = slab.repeat((2, 2, 1))
    apart = tiled.get_all_distances(mic=True)
    assert apart[np.triu_indices(len(tiled), 1)].min() > nearest - 1e-3, "atoms are closer than in the crystal"


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("100", (1, 0, 0)),
        ("1,0,0", (1, 0, 0)),
        ("200", (1, 0, 0)),
        ("10-10", (1, 0, 0)),
        ("1,0,-1,0", (1, 0, 0)),
        ("11-20", (1, 1, 0)),
        ("0001", (0, 0, 1)),
        ("-110", (-1, 1, 0)),
        ("1,-1,0", (1, -1, 0)),
        ("1, 0, -1, 0", (1, 0, 0)),
        ("10,0,2", (5, 0, 1)),
    ],
)
def test_miller_indices_are_read_in_every_spelling(text, indices):
    assert parse_miller_index(text) == indices


@pytest.mark.parametrize("text", ["", "abc", "000", "10", "1010", "11111", "1,x,0", "1.5,0,0", "--", "1,,0"])
def test_invalid_miller_indices_are_rejected(text):
    with pytest.raises(InputError, match="Miller index"):
        parse_miller_index(text)


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=3).filter(any))
def test_compact_and_comma_separated_indices_agree(indices):
    assert parse_miller_index("".join(map(str, indices))) == parse_miller_index(",".join(map(str, indices)))


@pytest.mark.parametrize(("name", "wrong"), [("PbS", 216), ("CsPbBr3", 99), ("Ag", 229)])
def test_a_record_whose_positions_have_another_symmetry_is_rejected(name, wrong):
    lattice = library.material(name).lattice
    if name == "Ag":  # body-centred, but elongated along c
        lattice = lattice.model_copy(update={"c_A": 5.0})
    record = library.material(name).model_copy(update={"space_group": wrong, "lattice": lattice})
    with pytest.raises(InputError, match=rf"materials/{name}\.yaml: sites: .* the record names {wrong}"):
        bulk_cell(record)


def test_a_space_group_that_gives_another_formula_is_rejected():
    with pytest.raises(InputError, match=r"materials/CdSe\.yaml: formula: the sites give CdSe2, not CdSe"):
        bulk_cell(library.material("CdSe").model_copy(update={"space_group": 225}))


def test_a_space_group_that_makes_atoms_overlap_is_rejected():
    with pytest.raises(InputError, match=r"materials/CdSe-wz\.yaml: sites: "):  # Cd4Se4 in the cell of Cd2Se2
        bulk_cell(library.material("CdSe-wz").model_copy(update={"space_group": 194}))


@pytest.mark.parametrize("name", library.names("materials"))
def test_the_crystal_is_neutral(name):
    material = library.material(name)
    assert sum(ion_charge(material, symbol) for symbol in bulk_cell(material).symbols) == 0


@pytest.mark.parametrize("name", ORDERED)
def test_the_crystal_has_the_formula_of_its_record(name):
    material = library.material(name)
    counts = Composition()
    for symbol in bulk_cell(material).symbols:
        counts += Composition(material.occupancy(symbol))
    assert counts.fractional_composition.almost_equals(Composition(material.formula).fractional_composition)
