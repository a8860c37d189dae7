"""The reference set of `structures/reference`: small molecules and reactions, with energies at one trusted level."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.io import read
from pydantic import Field

from qdsurf.errors import BalanceError, InputError, unknown
from qdsurf.library import STRUCTURES, read_record
from qdsurf.records import Molecule, Record, Source

FOLDER = STRUCTURES / "reference"
REACTIONS, GEOMETRIES = "reactions.yaml", "molecules.extxyz"


class ReferenceLevel(Record):
    """Level of theory of the reference energies: a geometry, and a single point with a better functional."""

    geometry_functional: str
    geometry_basis: str
    functional: str
    basis: str
    sigma_eV: float = Field(gt=0, description="uncertainty of a reaction energy at this level")
    source: Source

    @property
    def label(self) -> str:
        """The level in one word, functional/basis//functional/basis of the geometry."""
        return f"{self.functional}/{self.basis}//{self.geometry_functional}/{self.geometry_basis}"


class ReferenceMolecule(Molecule):
    """A molecule of the reference set."""

    bonds: dict[str, int] | None = Field(
        None, description="bonds to metals and hydrogen, such as {Al-C: 6, Al<-C: 2}; absent: those of the SMILES"
    )


class ReferenceReaction(Record):
    """A balanced gas-phase reaction, against whose energy a calculator is measured."""

    name: str
    stoichiometry: dict[str, int] = Field(description="molecule: coefficient, negative for reactants")


class ExperimentalReaction(ReferenceReaction):
    """A reaction whose enthalpy was measured; the level itself is held against it, and nothing is fitted to it."""

    enthalpy_kJ_per_mol: float = Field(description="at 298.15 K and standard pressure, negative is exothermic")
    sigma_kJ_per_mol: float = Field(gt=0)
    source: Source


class ReferenceSet(Record):
    """Molecules, and reactions between them, at one level."""

    level: ReferenceLevel
    molecules: tuple[ReferenceMolecule, ...]
    reactions: tuple[ReferenceReaction, ...]
    experiments: tuple[ExperimentalReaction, ...] = ()


class Reference(NamedTuple):
    """Molecules by name with geometry and electronic energy in eV, and reactions between them."""

    level: ReferenceLevel
    molecules: dict[str, ReferenceMolecule]
    reactions: tuple[ReferenceReaction, ...]
    geometries: dict[str, Atoms]
    energies: dict[str, float]
    experiments: tuple[ExperimentalReaction, ...] = ()

    def reaction_energy(self, reaction: ReferenceReaction) -> float:
        """Electronic reaction energy in eV, negative is exothermic."""
        return sum(number * self.energies[name] for name, number in reaction.stoichiometry.items())


@cache
def read_reference(folder: Path = FOLDER) -> Reference:
    """Read and check the reference set.

    Raises
    ------
    InputError : a species is missing or twice there, an energy is not finite, or two levels are mixed.
    BalanceError : a reaction does not conserve its elements; names it and what is left over.
    """
    where = folder / REACTIONS
    records = read_record(where, ReferenceSet)
    frames = read(folder / GEOMETRIES, ":", format="extxyz")
    geometries = {str(atoms.info["name"]): atoms for atoms in frames}
    _assert_unique([str(atoms.info["name"]) for atoms in frames], f"{folder / GEOMETRIES}: molecule")
    _assert_unique([molecule.name for molecule in records.molecules], f"{where}: molecule")
    _assert_unique([reaction.name for reaction in records.reactions], f"{where}: reaction")
    for name, atoms in geometries.items():
        if (level := atoms.info.get("level")) != records.level.label:
            raise InputError(
                f"{folder / GEOMETRIES}: {name} is at {level}, the set at {records.level.label}; "
                "energies of two levels cannot be compared"
            )
        if not np.isfinite(atoms.info["energy_eV"]):
            raise InputError(f"{folder / GEOMETRIES}: {name}: energy_eV is {atoms.info['energy_eV']}")
    molecules = {molecule.name: molecule for molecule in records.molecules}
    _assert_unique([reaction.name for reaction in records.experiments], f"{where}: experiment")
    for reaction in (*records.reactions, *records.experiments):
        _check(reaction, molecules, geometries, str(where))
    energies = {name: float(atoms.info["energy_eV"]) for name, atoms in geometries.items()}
    return Reference(records.level, molecules, records.reactions, geometries, energies, records.experiments)


def _assert_unique(names: list[str], where: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{where} {name} stands twice")


def _check(reaction: ReferenceReaction, molecules: dict, geometries: dict[str, Atoms], where: str) -> None:
    total: Counter[str] = Counter()
    for name, number in reaction.stoichiometry.items():
        if name not in molecules:
            raise unknown("molecule", name, molecules, f"{where}: {reaction.name}")
        if name not in geometries:
            raise InputError(
                f"{where}: {reaction.name}: {name} has no energy in {GEOMETRIES}; run `snakemake reference`"
            )
        for symbol in geometries[name].symbols:
            total[symbol] += number
    if left := {symbol: number for symbol, number in total.items() if number}:
        ledger = ", ".join(f"{symbol} {number:+d}" for symbol, number in sorted(left.items()))
        raise BalanceError(f"{where}: {reaction.name} does not balance: {ledger}")
