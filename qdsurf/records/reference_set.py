"""The reference set of `structures/reference`: reactions of small molecules at one level, steps on faces at another."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.io import read
from pydantic import Field

from qdsurf.errors import BalanceError, InputError, unknown
from qdsurf.records.library import STRUCTURES, read_record
from qdsurf.records.models import Molecule, Record, Source

FOLDER = STRUCTURES / "reference"
REACTIONS, GEOMETRIES = "reactions.yaml", "molecules.extxyz"
SURFACES, SURFACE_GEOMETRIES = "surfaces.yaml", "surfaces.extxyz"
SADDLES, SADDLE_GEOMETRIES = "saddles.yaml", "saddles.extxyz"
FILES = REACTIONS, GEOMETRIES, SURFACES, SURFACE_GEOMETRIES


class PointLevel(Record):
    """Level of theory of single points at a calculator's geometries."""

    functional: str
    basis: str
    sigma_eV: float = Field(gt=0, description="uncertainty of a reaction energy at this level")
    source: Source

    @property
    def label(self) -> str:
        """The level in one word, functional/basis."""
        return f"{self.functional}/{self.basis}"


class ReferenceLevel(PointLevel):
    """Level of theory of single points at geometries of a level of their own."""

    geometry_functional: str
    geometry_basis: str

    @property
    def label(self) -> str:
        """The level in one word, functional/basis//functional/basis of the geometry."""
        return f"{super().label}//{self.geometry_functional}/{self.geometry_basis}"


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


class SurfaceStep(ReferenceReaction):
    """A step of a template on a frozen face, bare but for the ligand of the step itself."""

    slab: str = Field(description="MATERIAL_HKL_TERMINATION")
    precursor: str = Field(description="any where the step has none")
    ligand: str | None = None
    step: str = Field(description="name of the template")


class SurfaceSet(Record):
    """Steps on faces at one level."""

    level: PointLevel
    steps: tuple[SurfaceStep, ...]


class ReferenceSaddle(Record):
    """A step of molecules whose saddle the trusted level was asked about."""

    name: str
    reactant: str = Field(description="SMILES of the initial state, dative bonds with their formal charges")
    products: tuple[str, ...] = Field(description="SMILES")


class SaddleSet(Record):
    """Saddles at one level."""

    level: PointLevel
    saddles: tuple[ReferenceSaddle, ...]


class ReferenceSet(Record):
    """Molecules, and reactions between them, at one level."""

    level: ReferenceLevel
    molecules: tuple[ReferenceMolecule, ...]
    reactions: tuple[ReferenceReaction, ...]
    experiments: tuple[ExperimentalReaction, ...] = ()


class Reference(NamedTuple):
    """Molecules by name, reactions between them, steps on faces; by name the geometry and energy in eV of all."""

    level: ReferenceLevel
    molecules: dict[str, ReferenceMolecule]
    reactions: tuple[ReferenceReaction, ...]
    geometries: dict[str, Atoms]
    energies: dict[str, float]
    experiments: tuple[ExperimentalReaction, ...] = ()
    surfaces: SurfaceSet | None = None

    @property
    def measured(self) -> list[tuple[ReferenceReaction, ReferenceLevel | PointLevel]]:
        """All that a calculator is measured against, with its level; first the molecules, then the faces."""
        faces = [(step, self.surfaces.level) for step in self.surfaces.steps] if self.surfaces else []
        return [*((reaction, self.level) for reaction in self.reactions), *faces]

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
    molecules = {molecule.name: molecule for molecule in records.molecules}
    geometries = _read_geometries(folder / GEOMETRIES, records.level.label)
    _assert_unique([molecule.name for molecule in records.molecules], f"{where}: molecule")
    _assert_unique([reaction.name for reaction in records.reactions], f"{where}: reaction")
    _assert_unique([reaction.name for reaction in records.experiments], f"{where}: experiment")
    for reaction in (*records.reactions, *records.experiments):
        _check(reaction, molecules, geometries, str(where))
    surfaces = read_record(folder / SURFACES, SurfaceSet) if (folder / SURFACES).exists() else None
    if surfaces:
        faces = _read_geometries(folder / SURFACE_GEOMETRIES, surfaces.level.label)
        _assert_unique([*faces, *geometries], f"{folder / SURFACE_GEOMETRIES}: structure")
        _assert_unique([step.name for step in surfaces.steps], f"{folder / SURFACES}: step")
        for step in surfaces.steps:
            _check(step, faces, faces, str(folder / SURFACES))
        geometries |= faces
    energies = {name: float(atoms.info["energy_eV"]) for name, atoms in geometries.items()}
    return Reference(records.level, molecules, records.reactions, geometries, energies, records.experiments, surfaces)


def read_saddles(folder: Path = FOLDER) -> tuple[SaddleSet, dict[str, tuple[Atoms, Atoms]]]:
    """Read the saddles, each with its initial state and its saddle; electronic energies in `info["energy_eV"]`.

    Raises
    ------
    InputError : a structure is missing or twice there, an energy is not finite, or two levels are mixed.
    """
    records = read_record(folder / SADDLES, SaddleSet)
    frames = _read_geometries(folder / SADDLE_GEOMETRIES, records.level.label)
    _assert_unique([saddle.name for saddle in records.saddles], f"{folder / SADDLES}: saddle")
    for name in (f"{saddle.name}/{state}" for saddle in records.saddles for state in ("initial", "saddle")):
        if name not in frames:
            raise InputError(f"{folder / SADDLE_GEOMETRIES}: {name} is missing")
    return records, {s.name: (frames[f"{s.name}/initial"], frames[f"{s.name}/saddle"]) for s in records.saddles}


def _read_geometries(file: Path, level: str) -> dict[str, Atoms]:
    """Structures by name, all at one level and with a finite energy."""
    frames = read(file, ":", format="extxyz")
    _assert_unique([str(atoms.info["name"]) for atoms in frames], f"{file}: molecule")
    for atoms in frames:
        name = atoms.info["name"]
        if (own := atoms.info.get("level")) != level:
            raise InputError(
                f"{file}: {name} is at {own}, the set at {level}; energies of two levels cannot be compared"
            )
        if not np.isfinite(atoms.info["energy_eV"]):
            raise InputError(f"{file}: {name}: energy_eV is {atoms.info['energy_eV']}")
    return {str(atoms.info["name"]): atoms for atoms in frames}


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
        difference = ", ".join(f"{symbol} {number:+d}" for symbol, number in sorted(left.items()))
        raise BalanceError(f"{where}: {reaction.name} does not balance: {difference}")
