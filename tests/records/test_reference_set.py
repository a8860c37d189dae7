"""The reference set is complete, balanced and at one level of theory, or refused with the name of the wrong entry."""

from shutil import copytree

import pytest
import yaml
from ase.io import read, write

from qdsurf.atomistic.bonding import bond_ratios, is_metal
from qdsurf.atomistic.bonding_criteria import BOND_LOST
from qdsurf.energetics.bond_types import is_bond, molecule_bonds, split_bond
from qdsurf.errors import BalanceError, InputError
from qdsurf.records.reference_set import FOLDER, GEOMETRIES, REACTIONS, SURFACE_GEOMETRIES, SURFACES, read_reference


@pytest.fixture
def broken(tmp_path):
    """Return a function that writes a copy of the set after a change of records and frames."""

    def make(change):
        data = yaml.safe_load((FOLDER / REACTIONS).read_text())
        frames = read(FOLDER / GEOMETRIES, ":", format="extxyz")
        change(data, {atoms.info["name"]: atoms for atoms in frames}, frames)
        (tmp_path / REACTIONS).write_text(yaml.safe_dump(data))
        write(tmp_path / GEOMETRIES, frames, format="extxyz")
        return tmp_path

    return make


@pytest.fixture
def broken_facets(tmp_path):
    """Return a function that writes a copy of the set after a change of the steps on facets and their structures."""

    def make(change):
        copytree(FOLDER, tmp_path, dirs_exist_ok=True)
        data = yaml.safe_load((FOLDER / SURFACES).read_text())
        frames = read(FOLDER / SURFACE_GEOMETRIES, ":", format="extxyz")
        change(data, frames)
        (tmp_path / SURFACES).write_text(yaml.safe_dump(data))
        write(tmp_path / SURFACE_GEOMETRIES, frames, format="extxyz")
        return tmp_path

    return make


def test_the_set_is_complete_and_balanced():
    reference = read_reference()
    on_facets = {name for step in reference.surfaces.steps for name in step.stoichiometry}
    assert set(reference.geometries) == set(reference.molecules) | on_facets
    water = reference.energies["H2O"]
    assert water == pytest.approx(-76.43 * 27.2114, abs=1.0)  # exact non-relativistic energy of water -76.438 Hartree


def test_every_metal_has_its_recorded_bonds_in_the_reference_geometry():
    """A molecule in van der Waals contact, as HCOOMe with Ti(NH2)4 (Ti-O 3.6 A), is not a measure of a dative bond."""
    reference = read_reference()
    for name, molecule in reference.molecules.items():
        atoms, bonds = reference.geometries[name], molecule_bonds(molecule)
        for metal in set(atoms.symbols[is_metal(atoms)]):
            wanted = sum(n for bond, n in bonds.items() if is_bond(bond) and split_bond(bond)[0] == metal)
            near = bond_ratios(atoms)[atoms.symbols == metal] < BOND_LOST
            assert near[:, atoms.numbers > 1].sum() >= wanted, name


def test_a_reaction_that_does_not_balance_is_refused(broken):
    def change(data, by_name, frames):
        reaction = data["reactions"][0]
        reaction["stoichiometry"]["H2O"] = reaction["stoichiometry"].get("H2O", 0) + 1

    with pytest.raises(BalanceError, match=r"does not balance: H \+2, O \+1"):
        read_reference(broken(change))


def test_an_unknown_molecule_is_refused(broken):
    with pytest.raises(InputError, match="unknown molecule 'H2O_'; did you mean 'H2O'"):
        read_reference(broken(lambda data, *_: data["reactions"][0]["stoichiometry"].update(H2O_=1)))


def test_a_molecule_without_energy_is_refused(broken):
    def change(data, by_name, frames):
        frames[:] = [atoms for atoms in frames if atoms.info["name"] != "H2O"]

    with pytest.raises(InputError, match="H2O has no energy in molecules.extxyz; run `snakemake reference`"):
        read_reference(broken(change))


def test_two_levels_of_theory_are_refused(broken):
    with pytest.raises(InputError, match="H2O is at pbe/def2-svp, the set at wb97m-v"):
        read_reference(broken(lambda data, by_name, frames: by_name["H2O"].info.update(level="pbe/def2-svp")))


def test_an_energy_that_is_not_finite_is_refused(broken):
    with pytest.raises(InputError, match="H2O: energy_eV is nan"):
        read_reference(broken(lambda data, by_name, frames: by_name["H2O"].info.update(energy_eV=float("nan"))))


def test_a_molecule_that_occurs_twice_is_refused(broken):
    with pytest.raises(InputError, match="molecule CH4 occurs 2 times"):
        read_reference(broken(lambda data, *_: data["molecules"].append(dict(data["molecules"][0]))))


def test_a_step_on_a_facet_that_does_not_balance_is_refused(broken_facets):
    def change(data, frames):
        data["steps"][0]["stoichiometry"].popitem()

    with pytest.raises(BalanceError, match="surfaces.yaml: TMA on PbS.100. does not balance"):
        read_reference(broken_facets(change))


def test_a_facet_without_structure_is_refused(broken_facets):
    with pytest.raises(InputError, match="unknown molecule|has no energy"):
        read_reference(broken_facets(lambda data, frames: frames.pop(0)))


def test_a_facet_at_another_level_of_theory_is_refused(broken_facets):
    with pytest.raises(InputError, match="surfaces.extxyz: .* is at blyp, the set at pbe-d3bj"):
        read_reference(broken_facets(lambda data, frames: frames[0].info.update(level="blyp")))


def test_a_step_on_a_facet_that_occurs_twice_is_refused(broken_facets):
    with pytest.raises(InputError, match="surfaces.yaml: step TMA on PbS.100. occurs 2 times"):
        read_reference(broken_facets(lambda data, frames: data["steps"].append(dict(data["steps"][0]))))
