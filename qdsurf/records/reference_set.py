"""Reference set of `structures/reference`: reaction energies of molecules, steps on facets, and saddle points.

The reactions of molecules share one level of theory. The steps on facets share another one.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from pydantic import Field

from qdsurf.errors import BalanceError, InputError, unknown
from qdsurf.records.library import STRUCTURES, read_record
from qdsurf.records.models import Molecule, Record, Source

FOLDER = STRUCTURES / "reference"
REACTIONS = "reactions.yaml"
GEOMETRIES = "molecules.extxyz"
SURFACES = "surfaces.yaml"
SURFACE_GEOMETRIES = "surfaces.extxyz"
SADDLES = "saddles.yaml"
SADDLE_GEOMETRIES = "saddles.extxyz"
FILES = (REACTIONS, GEOMETRIES, SURFACES, SURFACE_GEOMETRIES)


class PointLevel(Record):
    """Level of theory of single points at the geometries of a calculator."""

    functional: str
    basis: str
    sigma_eV: float = Field(gt=0, description="uncertainty of a reaction energy at this level")
    source: Source

    @property
    def label(self) -> str:
        """Short name, functional/basis."""
        return f"{self.functional}/{self.basis}"


class ReferenceLevel(PointLevel):
    """Level of theory of single points at geometries of a second level of theory."""

    geometry_functional: str
    geometry_basis: str

    @property
    def label(self) -> str:
        """Short name, functional/basis//functional/basis of the geometry."""
        return f"{super().label}//{self.geometry_functional}/{self.geometry_basis}"


class ReferenceMolecule(Molecule):
    """A molecule of the reference set."""

    bonds: dict[str, int] | None = Field(
        None, description="number of bonds to metals and hydrogen, such as {Al-C: 6, Al<-C: 2}; absent: from the SMILES"
    )


class ReferenceReaction(Record):
    """A balanced gas-phase reaction with whose energy a calculator is compared."""

    name: str
    stoichiometry: dict[str, int] = Field(description="molecule: coefficient, negative for a reactant")


class ExperimentalReaction(ReferenceReaction):
    """A reaction with a measured enthalpy, with which the level of theory is compared. It is not used in any fit."""

    enthalpy_kJ_per_mol: float = Field(description="at 298.15 K and the standard pressure; negative if exothermic")
    sigma_kJ_per_mol: float = Field(gt=0, description="standard deviation of the measurement")
    source: Source


class SurfaceStep(ReferenceReaction):
    """A step of a template on a frozen facet, which is bare except for the ligand of the step."""

    slab: str = Field(description="MATERIAL_HKL_TERMINATION")
    precursor: str = Field(description="name of the precursor; of any one, if the step has no precursor")
    ligand: str | None = Field(None, description="name of the ligand of the step")
    step: str = Field(description="name of the template")


class SurfaceSet(Record):
    """Steps on facets at one level of theory."""

    level: PointLevel
    steps: tuple[SurfaceStep, ...]


class ReferenceSaddle(Record):
    """A reaction of molecules whose saddle point is known at the reference level."""

    name: str
    reactant: str = Field(description="SMILES of the initial state; the ends of a dative bond have formal charges")
    products: tuple[str, ...] = Field(description="SMILES of the products")


class SaddleSet(Record):
    """Saddle points at one level of theory."""

    level: PointLevel
    saddles: tuple[ReferenceSaddle, ...]


class ReferenceSet(Record):
    """Molecules, and reactions between them, at one level of theory."""

    level: ReferenceLevel
    molecules: tuple[ReferenceMolecule, ...]
    reactions: tuple[ReferenceReaction, ...]
    experiments: tuple[ExperimentalReaction, ...] = ()


@dataclass(frozen=True)
class Reference:
    """The reference set with geometries and energies.

    Attributes
    ----------
    level : ReferenceLevel
        Level of theory of the molecules.
    molecules : dict
        Records of the molecules by name.
    reactions : tuple of ReferenceReaction
        Reactions between molecules.
    geometries : dict
        Structures of all molecules and facets by name.
    energies : dict
        Electronic energies of all molecules and facets in eV by name.
    experiments : tuple of ExperimentalReaction
        Reactions with measured enthalpies.
    surfaces : SurfaceSet or None
        Steps on facets.
    """

    level: ReferenceLevel
    molecules: dict[str, ReferenceMolecule]
    reactions: tuple[ReferenceReaction, ...]
    geometries: dict[str, Atoms]
    energies: dict[str, float]
    experiments: tuple[ExperimentalReaction, ...] = ()
    surfaces: SurfaceSet | None = None

    @property
    def measured(self) -> list[tuple[ReferenceReaction, PointLevel]]:
        """All reactions with which a calculator is compared, with their levels; molecules first, then facets."""
        of_molecules: list[tuple[ReferenceReaction, PointLevel]] = [
            (reaction, self.level) for reaction in self.reactions
        ]
        if self.surfaces is None:
            return of_molecules
        return of_molecules + [(step, self.surfaces.level) for step in self.surfaces.steps]

    def reaction_energy(self, reaction: ReferenceReaction) -> float:
        """Return the electronic reaction energy at the reference level.

        Parameters
        ----------
        reaction : ReferenceReaction
            A reaction of this set.

        Returns
        -------
        float
            Energy in eV; negative if exothermic.
        """
        return sum(number * self.energies[name] for name, number in reaction.stoichiometry.items())


@cache
def read_reference(folder: Path = FOLDER) -> Reference:
    """Read and check the reference set.

    Parameters
    ----------
    folder : Path, optional
        Folder with the files of the set.

    Returns
    -------
    Reference
        The set.

    Raises
    ------
    InputError
        A molecule is missing or given twice, an energy is not finite, or the energies belong to two levels of theory.
    BalanceError
        A reaction does not conserve its elements; the message gives its name and the difference.
    """
    where = folder / REACTIONS
    records = read_record(where, ReferenceSet)
    molecules = {molecule.name: molecule for molecule in records.molecules}
    geometries = _read_geometries(folder / GEOMETRIES, records.level.label)
    _assert_unique([molecule.name for molecule in records.molecules], f"{where}: molecule")
    _assert_unique([reaction.name for reaction in records.reactions], f"{where}: reaction")
    _assert_unique([reaction.name for reaction in records.experiments], f"{where}: experiment")
    for reaction in (*records.reactions, *records.experiments):
        _assert_balanced(reaction, molecules, geometries, str(where))
    surfaces = read_record(folder / SURFACES, SurfaceSet) if (folder / SURFACES).exists() else None
    if surfaces:
        facets = _read_geometries(folder / SURFACE_GEOMETRIES, surfaces.level.label)
        _assert_unique([*facets, *geometries], f"{folder / SURFACE_GEOMETRIES}: structure")
        _assert_unique([step.name for step in surfaces.steps], f"{folder / SURFACES}: step")
        for step in surfaces.steps:
            _assert_balanced(step, facets, facets, str(folder / SURFACES))
        geometries |= facets
    energies = {name: float(atoms.info["energy_eV"]) for name, atoms in geometries.items()}
    return Reference(records.level, molecules, records.reactions, geometries, energies, records.experiments, surfaces)


def read_saddles(folder: Path = FOLDER) -> tuple[SaddleSet, dict[str, tuple[Atoms, Atoms]]]:
    """Read the reference saddle points.

    Parameters
    ----------
    folder : Path, optional
        Folder with the files of the set.

    Returns
    -------
    records : SaddleSet
        Records of the saddle points.
    structures : dict
        Initial state and saddle point by the name of the record. Their electronic energies are in
        `info["energy_eV"]`.

    Raises
    ------
    InputError
        A structure is missing or given twice, an energy is not finite, or the energies belong to two levels of theory.
    """
    records = read_record(folder / SADDLES, SaddleSet)
    frames = _read_geometries(folder / SADDLE_GEOMETRIES, records.level.label)
    _assert_unique([saddle.name for saddle in records.saddles], f"{folder / SADDLES}: saddle")
    structures = {}
    for saddle in records.saddles:
        for state in ("initial", "saddle"):
            if f"{saddle.name}/{state}" not in frames:
                raise InputError(f"{folder / SADDLE_GEOMETRIES}: {saddle.name}/{state} is missing")
        structures[saddle.name] = (frames[f"{saddle.name}/initial"], frames[f"{saddle.name}/saddle"])
    return records, structures


def _read_geometries(file: Path, level: str) -> dict[str, Atoms]:
    """Read structures by name, and assert that their energies are finite and belong to one level of theory."""
    frames = read(file, ":", format="extxyz")
    _assert_unique([str(atoms.info["name"]) for atoms in frames], f"{file}: molecule")
    for atoms in frames:
        name = atoms.info["name"]
        level_of_frame = atoms.info.get("level")
        if level_of_frame != level:
            raise InputError(
                f"{file}: {name} is at {level_of_frame}, the set at {level}; energies of two levels cannot be compared"
            )
        if not np.isfinite(atoms.info["energy_eV"]):
            raise InputError(f"{file}: {name}: energy_eV is {atoms.info['energy_eV']}; give a finite number")
    return {str(atoms.info["name"]): atoms for atoms in frames}


def _assert_unique(names: list[str], where: str) -> None:
    """Assert that no name occurs twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{where} {name} occurs {count} times; every name must be unique")


def _assert_balanced(
    reaction: ReferenceReaction, molecules: Collection[str], geometries: Mapping[str, Atoms], where: str
) -> None:
    """Assert that all molecules of a reaction are known and that its elements are conserved."""
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
    if differences := {symbol: number for symbol, number in total.items() if number}:
        text = ", ".join(f"{symbol} {number:+d}" for symbol, number in sorted(differences.items()))
        raise BalanceError(f"{where}: {reaction.name} does not balance: {text}")
