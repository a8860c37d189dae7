"""The reference set is read whole, balanced and at one level, or refused by the name of the entry."""

import pytest
import yaml
from ase.io import read, write

from qdsurf.errors import BalanceError, InputError
from qdsurf.reference import FOLDER, GEOMETRIES, REACTIONS, read_reference


@pytest.fixture
def broken(tmp_path):
    """Write a copy of the set with records and frames changed by a function."""

    def make(change):
        data = yaml.safe_load((FOLDER / REACTIONS).read_text())
        frames = read(FOLDER / GEOMETRIES, ":", format="extxyz")
        change(data, {atoms.info["name"]: atoms for atoms in frames}, frames)
        (tmp_path / REACTIONS).write_text(yaml.safe_dump(data))
        write(tmp_path / GEOMETRIES, frames, format="extxyz")
        return tmp_path

    return make


def test_the_set_is_read_and_balanced():
    reference = read_reference()
    assert set(reference.molecules) == set(reference.geometries)
    water = reference.energies["H2O"]
    assert water == pytest.approx(-76.43 * 27.2114, abs=1.0)  # exact non-relativistic energy of water -76.438 Hartree


def test_a_reaction_that_does_not_balance(broken):
    def change(data, by_name, frames):
        reaction = data["reactions"][0]
        reaction["stoichiometry"]["H2O"] = reaction["stoichiometry"].get("H2O", 0) + 1

    with pytest.raises(BalanceError, match=r"does not balance: H \+2, O \+1"):
        read_reference(broken(change))


def test_a_species_that_is_missing(broken):
    with pytest.raises(InputError, match="unknown molecule 'H2O_'; did you mean 'H2O'"):
        read_reference(broken(lambda data, *_: data["reactions"][0]["stoichiometry"].update(H2O_=1)))


def test_a_molecule_without_energy(broken):
    def change(data, by_name, frames):
        frames[:] = [atoms for atoms in frames if atoms.info["name"] != "H2O"]

    with pytest.raises(InputError, match="H2O has no energy in molecules.extxyz; run `snakemake reference`"):
        read_reference(broken(change))


def test_two_levels(broken):
    with pytest.raises(InputError, match="H2O is at pbe/def2-svp, the set at wb97m-v"):
        read_reference(broken(lambda data, by_name, frames: by_name["H2O"].info.update(level="pbe/def2-svp")))


def test_an_energy_that_is_none(broken):
    with pytest.raises(InputError, match="H2O: energy_eV is nan"):
        read_reference(broken(lambda data, by_name, frames: by_name["H2O"].info.update(energy_eV=float("nan"))))


def test_a_molecule_that_stands_twice(broken):
    with pytest.raises(InputError, match="molecule CH4 stands twice"):
        read_reference(broken(lambda data, *_: data["molecules"].append(dict(data["molecules"][0]))))
