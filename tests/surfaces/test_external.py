"""External structures: annotations are restored from plain files, or the error states what is missing."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances
from ase.io import read, write
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import make_ligated, make_slab

from qdsurf.atomistic.annotation import COLUMNS
from qdsurf.atomistic.roles import find_role
from qdsurf.errors import InputError
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.records import library
from qdsurf.surfaces.external import annotate_external
from qdsurf.surfaces.nanocrystal import build_nanocrystal

MATERIALS = ("PbS", "CsPbBr3", "CdSe", "CdSe-wz", "CsPbBr3-Pnma", "InP", "ZnO")
FORMATS = {"cif": {}, "vasp": {}, "extxyz": {"columns": ["symbols", "positions"]}}
PROTON = {"H": 1}


def plain(atoms: Atoms) -> Atoms:
    """Return a structure with only elements, positions and cell."""
    return Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def through_plain_file(atoms: Atoms, folder: Path, kind: str) -> Atoms:
    write(folder / "POSCAR", atoms, format=kind, **FORMATS.get(kind, {}))
    return read(folder / "POSCAR", format=kind)


def counterparts(atoms: Atoms, original: Atoms) -> np.ndarray:
    """Return the index of every atom in the original, because file formats sort, wrap and round."""
    apart = get_distances(atoms.positions, original.positions, cell=original.cell, pbc=True)[1]
    assert apart.min(axis=1).max() < 1e-3
    assert len(set(apart.argmin(axis=1).tolist())) == len(original)
    return apart.argmin(axis=1)


def groups(atoms: Atoms, order: np.ndarray) -> set[frozenset[int]]:
    """Return the atoms of each ligand by their original indices, without the protons on the crystal."""
    molecular = (atoms.arrays["role"] == "ligand") & ~((atoms.numbers == 1) & (atoms.arrays["formal_charge"] > 0))
    fragment = atoms.arrays["fragment"]
    return {frozenset(order[molecular & (fragment == n)].tolist()) for n in np.unique(fragment[molecular])}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("material", MATERIALS)
def test_a_slab_from_a_plain_file_has_its_original_annotations(material, kind, tmp_path):
    slab = make_slab(material)
    annotated = annotate_external(through_plain_file(slab, tmp_path, kind))
    order = counterparts(annotated, slab)
    for key in COLUMNS:
        assert annotated.arrays[key].tolist() == slab.arrays[key][order].tolist(), key


@pytest.mark.parametrize("material", ["Ag", "Au"])
def test_a_metal_has_no_formal_charges(material):
    record = library.material(material)
    slab = make_slab(record.name)
    assert set(annotate_external(plain(slab)).arrays["formal_charge"]) == {0.0}


@pytest.mark.parametrize("material", MATERIALS)
def test_a_structure_without_cell_has_its_original_charges(material, tmp_path):
    slab = make_slab(material)
    annotated = annotate_external(through_plain_file(slab, tmp_path, "xyz"))
    assert not annotated.pbc.any()
    for key in ("role", "formal_charge", "fragment"):
        assert annotated.arrays[key].tolist() == slab.arrays[key].tolist(), key


@pytest.mark.parametrize("shift", [0.47, 0.5, 0.53])
@pytest.mark.parametrize("material", ["PbS", "CsPbBr3"])
def test_a_slab_cut_by_the_end_of_the_cell_has_its_original_layers(material, shift):
    slab = make_slab(material)
    moved = plain(slab)
    moved.pbc = True
    moved.positions[:, 2] += shift * moved.cell[2, 2]
    moved.wrap()
    assert annotate_external(moved).arrays["layer"].tolist() == slab.arrays["layer"].tolist()


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.floats(0, 1), st.floats(0, 1))
def test_the_order_of_the_atoms_and_the_origin_do_not_matter(random, u, v):
    slab = make_slab("CsPbBr3")
    order = list(range(len(slab)))
    random.shuffle(order)
    moved = plain(slab)[order]
    moved.positions += [u, v, 0] @ slab.cell.array
    moved.wrap()
    annotated = annotate_external(moved)
    for key in COLUMNS:
        assert annotated.arrays[key].tolist() == slab.arrays[key][order].tolist(), key


def test_an_annotated_structure_is_returned_unchanged():
    slab = make_slab("PbS")
    assert annotate_external(slab) is slab


def test_the_input_structure_is_not_changed():
    bare = plain(make_slab("PbS"))
    annotate_external(bare)
    assert set(bare.arrays) == {"numbers", "positions"}


def test_given_charges_override_recorded_ones():
    slab = plain(make_slab("PbS"))
    charges = annotate_external(slab, {"Pb": 4, "S": -4}).arrays["formal_charge"]
    assert set(charges[slab.symbols == "Pb"]) == {4.0} and set(charges[slab.symbols == "S"]) == {-4.0}


# Ligands.

COVERED = [
    *[(material, "methylamine", count) for material in ("PbS", "CdSe") for count in (1, 2, 3)],
    *[(material, "acetate", count) for material in ("PbS", "CdSe", "CsPbBr3") for count in (1, 2)],
    ("CsPbBr3", "oleylammonium", 1),
    ("CsPbBr3", "oleylammonium", 2),
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("material", "ligand", "count"), COVERED)
def test_ligands_are_recognised(material, ligand, count, kind, tmp_path):
    for covered in make_ligated(material, ligand, count):
        annotated = annotate_external(through_plain_file(covered, tmp_path, kind), PROTON)
        order = counterparts(annotated, covered)
        found = groups(annotated, order)
        assert len(found) == count and found == groups(covered, np.arange(len(covered)))
        assert sorted(set(annotated.arrays["fragment"].tolist())) == list(range(count + 1))
        assert annotated.arrays["formal_charge"].sum() == pytest.approx(0)
        substrate = (annotated.arrays["role"] == "substrate") & (annotated.numbers > 1)
        assert annotated.arrays["layer"][substrate].tolist() == covered.arrays["layer"][order[substrate]].tolist()


@pytest.mark.parametrize(("material", "ligand", "count"), COVERED)
def test_the_charge_of_each_ligand_is_that_of_its_record(material, ligand, count):
    charge = library.ligand(ligand).charge
    for covered in make_ligated(material, ligand, count):
        annotated = annotate_external(plain(covered), PROTON)
        fragment = annotated.arrays["fragment"]
        each = [annotated.arrays["formal_charge"][fragment == n].sum() for n in range(1, count + 1)]
        assert each == pytest.approx([charge] * count)


@pytest.mark.parametrize(("material", "ligand", "count"), COVERED)
def test_anchors_are_the_donor_atoms_of_the_record(material, ligand, count):
    for covered in make_ligated(material, ligand, count):
        annotated = annotate_external(plain(covered), PROTON)
        anchors = np.flatnonzero(annotated.arrays["anchor"])
        # In a monodentate carboxylate, one of the two donor atoms does not bind.
        assert set(anchors.tolist()) <= set(np.flatnonzero(covered.arrays["anchor"]).tolist())
        assert set(annotated.arrays["fragment"][anchors].tolist()) == set(range(1, count + 1))


def test_a_long_ligand_is_one_group():
    covered = make_ligated("PbS", "oleate", 1, None)[0]
    annotated = annotate_external(plain(covered), PROTON)
    assert groups(annotated, np.arange(len(covered))) == groups(covered, np.arange(len(covered)))


def test_ligands_and_surface_of_a_particle_are_recognised():
    material = library.material("PbS")
    capped = cap_nanocrystal(*build_nanocrystal(material, 2.0), material, {"*": library.ligand("acetate")})
    annotated = annotate_external(Atoms(capped.symbols, capped.positions))
    assert groups(annotated, np.arange(len(capped))) == groups(capped, np.arange(len(capped)))
    assert annotated.arrays["formal_charge"].sum() == pytest.approx(0)
    for role in ("surface.cation", "surface.anion", "ligand.anchor"):
        assert len(find_role(annotated, role)) > 0, f"no atom matches {role}"


# Errors.


def test_the_error_names_overlapping_atoms():
    with pytest.raises(InputError, match=r"mine.cif: Pb0 and S1 are 0.30 A apart; at least 0.6 A .*1 such pairs"):
        annotate_external(Atoms("PbS", [[0, 0, 0], [0, 0, 0.3]], cell=[6, 6, 20], pbc=True), where="mine.cif")


def test_the_error_names_atoms_that_overlap_across_the_cell():
    with pytest.raises(InputError, match="Pb0 and S1 are 0.20 A apart"):
        annotate_external(Atoms("PbS", [[0.1, 0, 0], [5.9, 0, 0]], cell=[6, 6, 20], pbc=True))


@pytest.mark.parametrize("element", ["U", "Xe"])
def test_the_error_names_an_element_without_formal_charge(element):
    slab = plain(make_slab("PbS"))
    slab.symbols[0] = element
    with pytest.raises(InputError, match=rf"here: no formal charge is known for {element}; give it as ELEMENT=CHARGE"):
        annotate_external(slab, where="here")
    assert annotate_external(slab, {element: 2}).arrays["formal_charge"][0] == 2


@pytest.mark.parametrize(("removed", "count", "charge"), [(1, 3, r"\+2"), (2, 3, r"\+4")])
def test_a_charge_that_the_ligands_cannot_share_is_rejected(removed, count, charge):
    covered = plain(make_ligated("PbS", "methylamine", count)[0])
    lowest = np.flatnonzero(covered.symbols == "S")
    lowest = lowest[np.argsort(covered.positions[lowest, 2])][:removed]
    del covered[lowest]
    words = (
        rf"the crystal has a charge of {charge} e, which {count} ligands cannot share evenly; annotate the structure"
    )
    with pytest.raises(InputError, match=words):
        annotate_external(covered)


def test_a_charge_that_no_ligand_has_is_rejected():
    covered = plain(make_ligated("PbS", "methylamine", 1)[0])
    lead = np.flatnonzero(covered.symbols == "Pb")
    del covered[lead[np.argsort(covered.positions[lead, 2])][:5]]  # -10 e for one amine
    with pytest.raises(InputError, match="-10 e"):
        annotate_external(covered)
