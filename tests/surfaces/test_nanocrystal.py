"""Nanocrystals: Wulff shapes compared with analytical results, complete layers, neutrality, and ligand contacts."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from ase.build import separate
from ase.data import covalent_radii
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import through_file
from pymatgen.analysis.wulff import WulffShape
from pymatgen.core import Lattice
from scipy.spatial import ConvexHull, cKDTree

from qdsurf.atomistic.bonding_criteria import LONGEST_CONTACT_A
from qdsurf.atomistic.contacts import contact_limits
from qdsurf.errors import BuildError, InputError, QDSurfError
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.records import library
from qdsurf.surfaces.crystal import bulk_cell
from qdsurf.surfaces.nanocrystal import build_nanocrystal, particle_area
from qdsurf.surfaces.passivation import PassivatingIons
from qdsurf.surfaces.wulff import Planes, wulff_planes

HALF_A = 5.936 / 2  # between neighbours in PbS
SHAPES = ("PbS", "CdSe", "CdSe-wz", "CsPbBr3", "InP", "PbS0.5Se0.5", "FAPbBr3")


@cache
def built(name: str, diameter_nm: float, faces: str = "", centre: str | None = None) -> tuple:
    facets = dict.fromkeys(faces.split(), 1.0) if faces else None
    return build_nanocrystal(library.material(name), diameter_nm, facets, centre)


@cache
def capped(name: str, diameter_nm: float, ligand: str = "", faces: str = "", seed: int = 0) -> Atoms:
    ligands = {"*": library.ligand(ligand)} if ligand else None
    return cap_nanocrystal(*built(name, diameter_nm, faces), library.material(name), ligands, seed=seed)


def planes_of(name: str, energies: dict[str, float], diameter: float) -> Planes:
    return wulff_planes(bulk_cell(library.material(name)), energies, diameter)


def close_contacts(atoms: Atoms) -> list[str]:
    """Return pairs of different ligands, or of a ligand tail and the crystal, that are closer than the limit."""
    crystal, fragment, anchor = atoms.arrays["role"] == "substrate", atoms.arrays["fragment"], atoms.arrays["anchor"]
    near_anchor = np.linalg.norm(atoms.positions[:, None] - atoms.positions[None, anchor], axis=-1) < 1.9
    head = (near_anchor & (fragment[:, None] == fragment[None, anchor])).any(axis=1)
    tree = cKDTree(atoms.positions)
    near = tree.sparse_distance_matrix(tree, LONGEST_CONTACT_A, output_type="ndarray")
    i, j, d = near["i"], near["j"], near["v"]
    close = (d < contact_limits(atoms.numbers)[i, j] - 1e-6) & (fragment[i] != fragment[j]) & (i < j)
    close &= ~(head[i] & crystal[j]) & ~(crystal[i] & head[j])
    return [
        f"{atoms.symbols[a]}{a}-{atoms.symbols[b]}{b} {x:.2f} A"
        for a, b, x in zip(i[close], j[close], d[close], strict=True)
    ]


def clashes(atoms: Atoms) -> list[str]:
    """Return pairs closer than 0.6 of the sum of their covalent radii; uses a search tree for large particles."""
    radii = covalent_radii[atoms.numbers]
    pairs = cKDTree(atoms.positions).query_pairs(2 * 0.6 * radii.max(), output_type="ndarray")
    apart = np.linalg.norm(atoms.positions[pairs[:, 0]] - atoms.positions[pairs[:, 1]], axis=1)
    return [f"{atoms.symbols[a]}{a}-{atoms.symbols[b]}{b}" for a, b in pairs[apart < 0.6 * radii[pairs].sum(axis=1)]]


# Planes.


@pytest.mark.parametrize(
    ("name", "energies", "volume", "count"),
    [  # volume of the solid whose first face is at unit distance
        ("PbS", {"100": 1.0}, 8.0, 6),
        ("PbS", {"111": 1.0}, 4 * np.sqrt(3), 8),
        ("PbS", {"110": 1.0}, 4 * np.sqrt(2), 12),
        (
            "CdSe",
            {"111": 1.0},
            8 * np.sqrt(3),
            4,
        ),  # in zinc blende, (111) and (-1-1-1) are not equivalent: a tetrahedron
        ("CdSe", {"-1-1-1": 2.0}, 8 * np.sqrt(3), 4),
        ("CdSe", {"111": 1.0, "-1-1-1": 1.0}, 4 * np.sqrt(3), 8),
        ("CdSe-wz", {"10-10": 1.0, "0001": 1.0, "000-1": 1.5}, 2 * np.sqrt(3) * 2.5, 8),
        ("CdSe-wz", {"11-20": 1.0, "0001": 2.0, "000-1": 2.0}, 2 * np.sqrt(3) * 4.0, 8),
        ("CsPbBr3", {"100": 3.0}, 8.0, 6),
    ],
)
def test_planes_enclose_the_volume_of_the_sphere(name, energies, volume, count):
    planes = planes_of(name, energies, 30.0)
    assert len(planes.names) == len(planes.normals) == count
    assert planes.distances[0] == pytest.approx((np.pi / 6 * 30.0**3 / volume) ** (1 / 3))
    np.testing.assert_allclose(np.linalg.norm(planes.normals, axis=1), 1)


@settings(max_examples=15)
@given(st.floats(0.6, 1.6), st.floats(0.6, 1.6), st.floats(5, 80))
def test_planes_are_those_of_pymatgen(octahedron, dodecahedron, diameter):
    energies = {"100": 1.0, "111": octahedron, "110": dodecahedron}
    planes = planes_of("PbS", energies, diameter)
    reference = WulffShape(Lattice.cubic(5.936), [(1, 0, 0), (1, 1, 1), (1, 1, 0)], list(energies.values()))
    scale = (np.pi / 6 * diameter**3 / reference.volume) ** (1 / 3)
    for name, distance in zip(planes.names, planes.distances, strict=True):
        assert distance == pytest.approx(energies[name] * scale, rel=1e-6)


def test_the_two_directions_of_a_polar_axis_are_independent_planes():
    planes = planes_of("CdSe-wz", {"10-10": 1.0, "0001": 1.2, "000-1": 1.6}, 30.0)
    up, down = (planes.names.index(name) for name in ("0001", "000-1"))
    np.testing.assert_allclose(planes.normals[[up, down]], [[0, 0, 1], [0, 0, -1]], atol=1e-9)
    assert planes.distances[down] / planes.distances[up] == pytest.approx(1.6 / 1.2)


@pytest.mark.parametrize("energies", [{"0001": 1.0}, {"10-10": 1.0}, {"10-10": 1.0, "0001": 1.0}])
def test_the_error_names_planes_that_do_not_enclose_a_volume(energies):
    with pytest.raises(
        BuildError, match=f"the faces {', '.join(energies)} do not enclose a volume; .* of a polar axis"
    ):
        planes_of("CdSe-wz", energies, 30.0)


# Shapes.


@pytest.mark.parametrize(("diameter_nm", "centre"), [(1.5, None), (2.0, None), (2.5, None), (1.6, "Pb"), (2.1, "S")])
def test_a_cube_of_rock_salt_has_eight_vertices_and_twelve_edges(diameter_nm, centre):
    particle, _ = built("PbS", diameter_nm, "100", centre)
    sides = np.round(np.ptp(particle.positions, axis=0) / HALF_A).astype(int) + 1  # atoms along each edge
    assert len(particle) == sides.prod()
    inner = sides - 2
    faces = 2 * (inner[0] * inner[1] + inner[1] * inner[2] + inner[2] * inner[0])
    expected = {"vertex": 8, "edge": 4 * inner.sum(), "100": faces, "inside": inner.prod()}
    assert Counter(particle.arrays["facet"].tolist()) == expected
    side = (np.pi / 6) ** (1 / 3) * 10 * diameter_nm
    # Each face moves to the nearest layer, at most half a spacing away.
    assert np.abs((sides - 1) * HALF_A - side).max() <= HALF_A + 1e-6
    edges = (sides - 1) * HALF_A
    assert particle_area(particle) * 50 == pytest.approx(
        edges[0] * edges[1] + edges[1] * edges[2] + edges[2] * edges[0]
    )


@pytest.mark.parametrize("n", [4, 6, 8])
def test_an_octahedron_of_rock_salt_has_the_atoms_of_its_shells(n):
    # The faces are at n a / (2 sqrt 3). The shell |x| + |y| + |z| = k has 4 k^2 + 2 atoms; shells of lead and sulphur
    # alternate. The vertices and edges of the outermost shell have fewer than three bonds and are removed, and then the
    # vertices of the shell below.
    diameter = n * HALF_A / np.sqrt(3) * (24 * np.sqrt(3) / np.pi) ** (1 / 3)
    particle, _ = built("PbS", round(diameter, 6) / 10, "111", "Pb")
    shells = [1, *(4 * k**2 + 2 for k in range(1, n + 1))]
    count = Counter(particle.symbols)
    assert count["Pb"] == sum(shells[0::2]) - 6 - 12 * (n - 1)
    assert count["S"] == sum(shells[1::2]) - 6
    assert (np.abs(particle.positions).sum(axis=1).max() / HALF_A) == pytest.approx(n)


@pytest.mark.parametrize("diameter_nm", [1.8, 2.5, 3.1])
@pytest.mark.parametrize(("name", "step"), [("PbS", 5.936), ("CdSe", 6.052), ("CsPbBr3", 5.87), ("CdSe-wz", 7.0109)])
def test_every_atom_is_within_the_planes(name, step, diameter_nm):
    particle, _ = built(name, diameter_nm)
    record = library.material(name)
    energies = {f.name.split("_")[0]: f.surface_energy for f in record.facets if f.surface_energy}
    planes = planes_of(name, energies, 10 * diameter_nm)
    heights = particle.positions @ planes.normals.T
    # Layers of one termination are at most a lattice constant apart, so that a face moves by at most half of it.
    assert (heights.max(axis=0) <= planes.distances + step / 2 + 0.02).all()
    assert (heights.max(axis=0) >= planes.distances - 1.5 * step).all()


@pytest.mark.parametrize(("name", "step"), [("PbS", 5.936), ("CdSe", 6.052), ("CsPbBr3", 5.87), ("CdSe-wz", 7.0109)])
def test_the_diameter_is_met_on_average_and_within_one_layer(name, step):
    requested = np.arange(1.8, 4.0, 0.3)
    volumes = np.array([ConvexHull(built(name, round(float(d), 1))[0].positions).volume for d in requested])
    deviation = (6 * volumes / np.pi) ** (1 / 3) - 10 * requested  # of the convex hull of the nuclei
    assert abs(deviation.mean()) < 1.0 and np.abs(deviation).max() < step


@pytest.mark.parametrize("name", SHAPES)
def test_the_broken_bonds_of_every_atom_are_listed(name):
    particle, dangling = built(name, 2.0)
    cut = np.bincount(dangling.atom, minlength=len(particle))
    assert (particle.arrays["layer"] == np.where(cut > 0, 1, 2)).all()
    assert ((particle.arrays["facet"] == "inside") == (cut == 0)).all()
    # The charges of the broken bonds add up to the charge of the particle.
    assert dangling.strength.sum() == pytest.approx(particle.arrays["formal_charge"].sum(), abs=1e-6)
    assert cKDTree(particle.positions).query(dangling.place)[0].min() > 1.0, "an atom is at the end of a broken bond"


def test_wurtzite_has_cadmium_on_the_upper_and_selenium_on_the_lower_face():
    particle, _ = built("CdSe-wz", 2.5)
    facet, z = particle.arrays["facet"], particle.positions[:, 2]
    assert set(facet) >= {"0001", "000-1"}
    assert z[facet == "0001"].min() > 0 > z[facet == "000-1"].max()
    assert set(particle.symbols[z > z.max() - 0.3]) == {"Cd"} and set(particle.symbols[z < z.min() + 0.3]) == {"Se"}


@pytest.mark.parametrize(("up", "down"), [(1.2, 2.0), (2.0, 1.2)])
def test_the_polar_face_of_lower_energy_is_closer_to_the_centre(up, down):
    facets = {"10-10": 1.0, "0001": up, "000-1": down}
    particle = build_nanocrystal(library.material("CdSe-wz"), 3.0, facets)[0]
    assert (particle.positions[:, 2].max() < -particle.positions[:, 2].min()) == (up < down)


@pytest.mark.parametrize(("first", "second"), [("100", "001"), ("111", "1,1,1"), ("111", "-1-11")])
def test_equivalent_miller_indices_give_the_same_particle(first, second):
    one, other = (built("PbS", 2.2, face)[0] for face in (first, second))
    np.testing.assert_allclose(one.positions, other.positions)
    assert set(other.arrays["facet"]) - {"edge", "vertex", "inside"} == {second}


def test_opposite_polar_faces_of_zinc_blende_exchange_the_elements():
    one, other = (built("CdSe", 2.5, face, centre)[0] for face, centre in (("111", "Cd"), ("-1-1-1", "Se")))
    assert Counter(one.symbols) == {"Cd": Counter(other.symbols)["Se"], "Se": Counter(other.symbols)["Cd"]}


@pytest.mark.parametrize("centre", ["Pb", "S"])
def test_a_particle_can_be_centred_on_an_atom(centre):
    particle, _ = built("PbS", 2.0, "", centre)
    (middle,) = np.flatnonzero(np.linalg.norm(particle.positions, axis=1) < 1e-6)
    assert particle.symbols[middle] == centre
    np.testing.assert_allclose(particle.positions.mean(axis=0), 0, atol=1e-6)


# Neutral with passivating ions.


@pytest.mark.parametrize("name", SHAPES)
def test_passivated_particles_are_neutral_and_unchanged_by_a_file(name, tmp_path):
    particle = capped(name, 2.0)
    assert particle.arrays["formal_charge"].sum() == pytest.approx(0)
    assert clashes(particle) == []
    assert len(separate(Atoms(particle.symbols, particle.positions), scale=1.3)) == 1 or name == "FAPbBr3"
    through_file(particle, tmp_path)


@pytest.mark.parametrize("diameter_nm", [2.0, 3.0, 4.2])
def test_a_perovskite_cube_loses_the_caesium_of_its_corners_first(diameter_nm):
    bare, full = built("CsPbBr3", diameter_nm)[0], capped("CsPbBr3", diameter_nm)
    n = np.round(np.ptp(bare.positions, axis=0) / 5.87).astype(int)
    # n cells along each edge, terminated by CsBr; caesium is in excess.
    bromide = sum(n.prod() // n[k] * (n[k] + 1) for k in range(3))
    assert Counter(bare.symbols) == {"Pb": n.prod(), "Br": bromide, "Cs": (n + 1).prod()}
    assert Counter(full.symbols) == {"Pb": n.prod(), "Br": bromide, "Cs": bromide - 2 * n.prod()}
    assert full.info["passivating_ions"] == full.info["ligands"] == 0
    outer = (np.abs(full.positions - bare.positions.mean(axis=0)) > n * 5.87 / 2 - 0.1).any(axis=1)
    assert set(full.symbols[outer]) == {"Cs", "Br"}
    assert "vertex" not in full.arrays["facet"], "corners have more broken bonds than edges and should be removed first"


def test_passivating_ions_balance_the_charge_and_are_bonded_to_lead():
    bare, full = built("PbS", 2.5)[0], capped("PbS", 2.5)
    charge = round(bare.arrays["formal_charge"].sum())
    assert full.info["passivating_ions"] == (full.symbols == "Cl").sum() == charge > 0
    chlorine, lead = (full.positions[full.symbols == element] for element in ("Cl", "Pb"))
    assert cKDTree(lead).query(chlorine)[0] == pytest.approx(np.full(charge, HALF_A), abs=0.3)


@pytest.mark.parametrize(("anion", "expected"), [("Br", {"Br": 1}), ("OH", {"O": 1, "H": 1})])
def test_other_passivating_ions_occupy_the_same_sites(anion, expected):
    plain = capped("PbS", 2.0)
    other = cap_nanocrystal(*built("PbS", 2.0), library.material("PbS"), passivating_ions=PassivatingIons(anion))
    added = Counter(other.symbols) - Counter(built("PbS", 2.0)[0].symbols)
    assert added == {element: plain.info["passivating_ions"] * n for element, n in expected.items()}
    assert clashes(other) == []


def test_an_excess_of_anions_is_balanced_by_protons():
    particle = cap_nanocrystal(*built("PbS", 2.0, "100", "Pb"), library.material("PbS"))
    assert particle.arrays["formal_charge"].sum() == 0 and (particle.symbols == "H").sum() == 2
    sulphur = cKDTree(particle.positions[particle.symbols == "S"])
    assert sulphur.query(particle.positions[particle.symbols == "H"])[0] == pytest.approx([1.36, 1.36], abs=0.05)


def test_a_ligand_of_the_wrong_sign_is_rejected():
    ligands = {"*": library.ligand("tetrabutylammonium")}
    with pytest.raises(InputError, match=r"tetrabutylammonium of charge \+1 cannot balance; give ligands of charge -1"):
        cap_nanocrystal(*built("PbS", 2.0), library.material("PbS"), ligands)


def test_formamidinium_ions_of_a_particle_are_complete():
    particle = capped("FAPbBr3", 2.0)
    count = Counter(particle.symbols)
    ions = count["Br"] - 2 * count["Pb"]  # required by neutrality
    assert (count["C"], count["N"], count["H"]) == (ions, 2 * ions, 5 * ions)
    organic = Atoms(particle.symbols, particle.positions)[np.isin(particle.symbols, ["C", "N", "H"])]
    assert [Counter(molecule.symbols) for molecule in separate(organic)] == [{"C": 1, "N": 2, "H": 5}] * ions


# Ligands.

DOTS = [("PbS", 2.0, "acetate"), ("PbS", 2.5, "acetate"), ("PbS", 2.0, "oleate"), ("PbS", 2.5, "oleate"),
        ("PbS", 3.0, "oleate"), ("CdSe", 2.5, "oleate"), ("InP", 2.0, "oleate"), ("PbS", 2.5, "chloride")]  # fmt: skip


@pytest.mark.parametrize(("name", "diameter_nm", "ligand"), DOTS)
def test_ligands_and_passivating_ions_balance_the_particle(name, diameter_nm, ligand):
    bare, full = built(name, diameter_nm)[0], capped(name, diameter_nm, ligand)
    assert full.arrays["formal_charge"].sum() == pytest.approx(0)
    info = full.info
    assert info["ligands"] + info["passivating_ions"] == round(bare.arrays["formal_charge"].sum())
    assert info["without_room"] == info["passivating_ions"] < info["ligands"]
    molecules = full.arrays["fragment"][full.arrays["role"] == "ligand"]
    assert sorted(set(molecules.tolist())) == list(range(1, info["ligands"] + 1))
    np.testing.assert_allclose(full.positions[: len(bare)], bare.positions)


@pytest.mark.parametrize(("name", "diameter_nm", "ligand"), DOTS)
def test_ligands_have_no_short_contacts(name, diameter_nm, ligand):
    particle = capped(name, diameter_nm, ligand)
    assert close_contacts(particle) == []
    assert clashes(particle) == []


@pytest.mark.parametrize(("name", "diameter_nm", "ligand"), DOTS)
def test_every_anchored_ligand_is_at_bond_length_from_a_cation(name, diameter_nm, ligand):
    particle = capped(name, diameter_nm, ligand)
    cations = particle[(particle.arrays["role"] == "substrate") & (particle.arrays["formal_charge"] > 1)]
    tree = cKDTree(cations.positions)
    for fragment in range(1, particle.info["ligands"] + 1):
        own = (particle.arrays["fragment"] == fragment) & particle.arrays["anchor"]
        distance = tree.query(particle.positions[own])[0].min()
        assert 1.9 < distance < 2.9, f"ligand {fragment}"  # In-O 2.1, Cd-O 2.2, Pb-O 2.3, Pb-Cl 2.6 A, with a tolerance


def test_a_particle_with_ligands_is_unchanged_by_a_file(tmp_path):
    through_file(capped("PbS", 2.0, "oleate"), tmp_path)


@pytest.mark.parametrize("ligand", ["acetate", "oleate"])
def test_the_same_seed_gives_the_same_particle(ligand):
    material = library.material("PbS")
    again = cap_nanocrystal(*built("PbS", 2.0), material, {"*": library.ligand(ligand)}, seed=0)
    np.testing.assert_array_equal(again.positions, capped("PbS", 2.0, ligand).positions)
    assert list(again.symbols) == list(capped("PbS", 2.0, ligand).symbols)


def test_another_seed_gives_another_packing():
    one, other = capped("PbS", 2.0, "oleate"), capped("PbS", 2.0, "oleate", seed=3)
    assert len(one) != len(other) or np.abs(one.positions - other.positions).max() > 1.0


def test_truncation_shortens_every_chain():
    material, oleate = library.material("PbS"), library.ligand("oleate")
    particle = cap_nanocrystal(*built("PbS", 2.0), material, {"*": oleate}, truncate_to_carbons=4)
    molecules = particle.arrays["role"] == "ligand"
    assert (particle.symbols[molecules] == "C").sum() == 4 * particle.info["ligands"] > 0


def test_each_face_has_the_ligand_given_for_it():
    material = library.material("PbS")
    ligands = {"111": library.ligand("acetate"), "*": library.ligand("formate")}
    particle = cap_nanocrystal(*built("PbS", 2.5), material, ligands)
    lead = np.flatnonzero(particle.symbols == "Pb")
    tree = cKDTree(particle.positions[lead])
    kinds = Counter()
    for fragment in range(1, particle.info["ligands"] + 1):
        own = particle.arrays["fragment"] == fragment
        carbons = int((particle.symbols[own] == "C").sum())
        anchors = particle.positions[own & particle.arrays["anchor"]]
        hosts = lead[np.unique(tree.query(anchors, k=2)[1])]
        on_face = "111" in particle.arrays["facet"][hosts]
        kinds[carbons] += 1
        assert on_face or carbons == 1, f"ligand {fragment} is an acetate outside the {{111}} faces"
        assert (set(particle.arrays["facet"][hosts]) != {"111"}) or carbons == 2, (
            f"ligand {fragment} is a formate on {{111}}"
        )
    assert kinds[1] > 0 and kinds[2] > 0


def test_faces_without_a_ligand_have_passivating_ions():
    some = cap_nanocrystal(*built("PbS", 2.5), library.material("PbS"), {"111": library.ligand("acetate")})
    everywhere = capped("PbS", 2.5, "acetate")
    assert 0 < some.info["ligands"] < everywhere.info["ligands"]
    assert some.info["without_room"] < some.info["passivating_ions"]


# Errors.


@pytest.mark.parametrize("ligand", ["methylamine", "selenide", "ethanedithiolate"])
def test_a_ligand_of_another_charge_is_rejected(ligand):
    charge = library.ligand(ligand).charge
    with pytest.raises(
        InputError, match=rf"ligand {ligand} for \* has charge [+-]{abs(charge)}; give ions of charge one"
    ):
        cap_nanocrystal(*built("PbS", 2.0), library.material("PbS"), {"*": library.ligand(ligand)})


@pytest.mark.parametrize("face", ["110", "1111", "edges"])
def test_a_ligand_for_a_face_that_does_not_exist_is_rejected(face):
    with pytest.raises(InputError, match=face):
        cap_nanocrystal(*built("PbS", 2.0), library.material("PbS"), {face: library.ligand("acetate")})


def test_the_error_requests_surface_energies_that_are_not_recorded():
    with pytest.raises(
        InputError, match="TiO2 has no surface energies on record; give facets with ratios, such as 100="
    ):
        build_nanocrystal(library.material("TiO2"), 2.0)


@pytest.mark.parametrize(
    ("facets", "words"),
    [
        ({"100": -1.0}, "facet 100: -1 is not a surface energy; give a number above 0"),
        ({"100": 0.0}, "facet 100: 0 is not a surface energy"),
        ({"100": float("nan")}, "facet 100: nan is not a surface energy"),
        ({"10x": 1.0}, "Miller index '10x'"),
    ],
)
def test_the_error_names_a_wrong_surface_energy(facets, words):
    with pytest.raises(InputError, match=words):
        build_nanocrystal(library.material("PbS"), 2.0, facets)


def test_the_error_of_an_unknown_centre_lists_the_elements():
    with pytest.raises(InputError, match="centre of PbS: unknown element 'Cd'. Accepted: Pb, S"):
        build_nanocrystal(library.material("PbS"), 2.0, centre="Cd")


@pytest.mark.parametrize("diameter_nm", [0.3, 0.5])
def test_a_particle_without_stable_atoms_is_rejected(diameter_nm):
    with pytest.raises(
        BuildError, match=f"a PbS particle of {diameter_nm} nm has no atom with enough bonds; give a larger diameter"
    ):
        build_nanocrystal(library.material("PbS"), diameter_nm)


@pytest.mark.parametrize("diameter_nm", [0.0, -2.0, float("nan")])
def test_a_diameter_that_is_not_positive_is_rejected(diameter_nm):
    with pytest.raises(QDSurfError, match="diameter"):
        build_nanocrystal(library.material("PbS"), diameter_nm)
