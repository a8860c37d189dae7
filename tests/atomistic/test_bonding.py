"""Bonds from distances, tested on molecules of known constitution."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.data import chemical_symbols
from pymatgen.core import Element
from rdkit import Chem
from systems import make_slab

from qdsurf.atomistic import bonding as connectivity
from qdsurf.atomistic.annotation import annotate
from qdsurf.atomistic.bonding import bond_matrix, bond_ratios, changed_bonds, component, is_metal, molecular_bonds
from qdsurf.atomistic.molecules import build_molecule
from qdsurf.records import library
from qdsurf.records.models import Molecule

SMILES = sorted(
    {library.precursor(name).smiles for name in library.names("precursors")}
    | {library.precursor(name).by_product.smiles for name in library.names("precursors")}
    | {library.ligand(name).smiles for name in library.names("ligands")}
    | {"O"}
)


# UFF has no parameters for these molecules. In their embedded geometries, alkali metals and the Ti-O-C angle are so
# distorted that atoms without a bond are within the limit of one.
WITHOUT_FORCE_FIELD = {"[K]S[K]", "[Na]S[Na]", "CC(C)O[Ti](OC(C)C)(OC(C)C)OC(C)C"}


@pytest.mark.parametrize("smiles", sorted(set(SMILES) - WITHOUT_FORCE_FIELD))
def test_bonds_from_distances_are_those_of_the_smiles_string(smiles):
    atoms = annotate(build_molecule(Molecule(name="x", smiles=smiles)), "adsorbate")
    drawn = Chem.AddHs(Chem.MolFromSmiles(smiles))
    expected = {tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in drawn.GetBonds()}
    assert molecular_bonds(atoms) == expected


def test_bonds_are_found_across_the_cell_boundary():
    atoms = Atoms("CO", [[0.1, 0, 0], [9.0, 0, 0]], cell=[10, 10, 10], pbc=(True, True, False))
    assert bond_matrix(atoms)[0, 1]
    atoms.pbc = False
    assert not bond_matrix(atoms).any()
    atoms.positions[1] = [0.1, 0, 9.0]
    atoms.pbc = (True, True, False)
    assert not bond_matrix(atoms).any(), "the surface normal is not periodic"


def test_ratios_are_symmetric_and_atoms_are_not_bonded_to_themselves():
    ratios = bond_ratios(molecule("C2H6"))
    np.testing.assert_array_equal(ratios, ratios.T)
    assert np.isinf(np.diag(ratios)).all() and not np.diag(bond_matrix(molecule("C2H6"))).any()


def test_dative_bonds_count_as_bonds_and_second_neighbours_do_not():
    amide = annotate(build_molecule(library.precursor("TDMAT").molecule), "adsorbate")
    metal = int(np.flatnonzero(amide.symbols == "Ti")[0])
    assert sorted(amide.symbols[np.flatnonzero(bond_matrix(amide)[metal])]) == ["N"] * 4
    dimer = annotate(build_molecule(library.precursor("TMA").oligomer.molecule), "adsorbate")
    for row in bond_matrix(dimer)[dimer.symbols == "Al"]:
        assert (dimer.symbols[np.flatnonzero(row)] == "C").sum() == 4, "two terminal and two bridging methyl groups"


def test_a_component_contains_all_connected_atoms():
    bonds = {(0, 1), (1, 4), (2, 3)}
    assert component(bonds, 4, 6).tolist() == [0, 1, 4]
    assert component(bonds, 5, 6).tolist() == [5]
    assert component(set(), 0, 3).tolist() == [0]


@pytest.mark.parametrize(("stretch", "lost", "gained"), [(1.2, 0, 0), (1.35, 0, 0), (1.5, 1, 0), (1.0, 0, 0)])
def test_a_recorded_bond_is_lost_only_beyond_the_limit(stretch, lost, gained):
    atoms = annotate(Atoms("CO", [[0, 0, 0], [0, 0, 1.42]]), "ligand")  # the sum of the covalent radii
    before = molecular_bonds(atoms)
    atoms.positions[1, 2] *= stretch
    assert [len(change) for change in changed_bonds(before, atoms)] == [lost, gained]


@pytest.mark.parametrize(("distance", "gained"), [(1.05, 1), (1.15, 0)])
def test_a_contact_counts_as_a_new_bond_only_below_the_limit(distance, gained):
    atoms = annotate(Atoms("CO", [[0, 0, 0], [0, 0, 1.42 * distance]]), "ligand")
    assert len(changed_bonds(set(), atoms)[1]) == gained


def test_substrate_bonds_are_not_molecular_bonds():
    atoms = annotate(molecule("H2O"), "substrate")
    assert not molecular_bonds(atoms)


@pytest.mark.parametrize("reach_A", [3.0, 8.0])
def test_neighbour_list_and_distance_table_give_the_same_pairs(reach_A, monkeypatch):
    slab = make_slab("PbS")
    dense = connectivity.near_pairs(slab, reach_A)
    bonds = connectivity.bond_matrix(slab)
    monkeypatch.setattr(connectivity, "DENSE", 0)
    listed = connectivity.near_pairs(slab, reach_A)
    assert len(dense[0]) > 20
    for table, lists in zip(dense, listed, strict=True):
        assert lists == pytest.approx(table)
    assert (connectivity.bond_matrix(slab) == bonds).all()


def test_the_list_of_metals_is_that_of_pymatgen():
    every = Atoms(chemical_symbols[1:])
    assert is_metal(every).tolist() == [Element(symbol).is_metal for symbol in every.symbols]
