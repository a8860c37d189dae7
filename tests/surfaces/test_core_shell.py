"""Epitaxial shells: stoichiometry, coordination across the interface, and stated strain."""

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from invariants import assert_valid_model, through_file

from qdsurf.errors import BuildError
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.records import library
from qdsurf.records.systems import find_facet
from qdsurf.surfaces.nanocrystal import build_nanocrystal
from qdsurf.surfaces.slab import cut_slab

SLABS = [
    ("CdSe_110_CdSe", [("ZnS", 3)]),
    ("CdSe_100_Cd", [("ZnS", 4)]),
    ("CdSe_111_Cd", [("CdS", 2), ("ZnS", 2)]),
    ("CdSe-wz_10-10_CdSe", [("ZnS-wz", 4)]),
    ("CdSe-wz_0001_Cd", [("CdS-wz", 4)]),
    ("InP_110_InP", [("CdS", 2)]),
    ("PbS_100_PbS", [("CdS", 4)]),
]
IDS = [f"{name}@{'@'.join(shell for shell, _ in shells)}" for name, shells in SLABS]


def grown(name: str, shells: list, layers: int = 4):
    material, facet = find_facet(name)
    return cut_slab(
        library.material(material), facet, layers, (2, 2), shells=[(library.material(s), n) for s, n in shells]
    )


@pytest.mark.parametrize(("name", "shells"), SLABS, ids=IDS)
def test_core_shell_slabs_are_valid_and_number_all_layers(name, shells, tmp_path):
    slab = grown(name, shells)
    assert_valid_model(slab)
    assert slab.arrays["layer"].max() == 4 + sum(layers for _, layers in shells)
    assert all(f"{shell} {layers} layers strained" in slab.info["shells"] for shell, layers in shells)
    assert_valid_model(through_file(slab, tmp_path))


@pytest.mark.parametrize(("name", "shells"), [s for s in SLABS if not s[0].startswith("PbS")])
def test_inner_ions_have_four_neighbours_across_the_interface(name, shells):
    slab = grown(name, shells)
    # the shortest bond of a strained shell is Zn-S, 2.34 A; the longest of a core Cd-Se, 2.63 A
    i, j = neighbor_list("ij", slab, 3.1)
    charge = slab.arrays["formal_charge"]
    counts = np.bincount(i[charge[i] * charge[j] < 0], minlength=len(slab))
    inner = (slab.arrays["layer"] > 2) & (slab.arrays["layer"] < slab.arrays["layer"].max() - 1)
    assert set(counts[inner].tolist()) == {4}


def test_the_strain_follows_from_the_lattice_constants():
    # a = 6.052 A (CdSe) and 5.4102 A (ZnS)
    assert f"strained {100 * (6.052 / 5.4102 - 1):+.1f} %" in grown("CdSe_110_CdSe", [("ZnS", 2)]).info["shells"]


def test_a_shell_of_the_core_material_continues_the_crystal():
    material, facet = find_facet("CdSe_110_CdSe")
    whole = cut_slab(library.material(material), facet, 6, (2, 2))
    same = grown("CdSe_110_CdSe", [("CdSe", 2)])
    a, b = (np.sort(atoms.get_all_distances(mic=True).ravel()) for atoms in (whole, same))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_lattices_that_do_not_match_are_rejected():
    with pytest.raises(BuildError, match=r"ZnO \(1, 0, 0\) does not grow epitaxially: .* at most 20 % are accepted"):
        grown("PbS_100_PbS", [("ZnO", 3)])
    with pytest.raises(BuildError, match="CdS-wz does not grow epitaxially on CdSe"):
        build_nanocrystal(library.material("CdSe"), 3.0, shells=[(library.material("CdS-wz"), 0.5)])


@pytest.mark.parametrize(("core", "shell"), [("CdSe", "ZnS"), ("PbS", "CdS")])
def test_a_particle_has_its_core_inside_and_its_shell_outside(core, shell):
    inner, outer = library.material(core), library.material(shell)
    particle, dangling = build_nanocrystal(inner, 3.5, shells=[(outer, 0.6)])
    dot = cap_nanocrystal(particle, dangling, outer)
    assert abs(dot.arrays["formal_charge"].sum()) < 1e-9
    radius = np.linalg.norm(dot.positions - dot.positions.mean(axis=0), axis=1)
    own = {"CdSe": ("Cd", "Zn"), "PbS": ("Pb", "Cd")}[core]
    assert radius[dot.symbols == own[0]].max() < radius[dot.symbols == own[1]].max()
    assert set(dot.symbols[dot.arrays["layer"] == 1]) <= {own[1], "S", "Cl", "H"}, (
        "atoms of the core are at the surface"
    )
    assert core in dot.info["shells"]
