"""Mechanisms written by hand in YAML, and their conversion into the tables that the kinetics reads.

The energies of a mechanism may come from any source. The tables have the same columns as those of the energetics.
"""

import re
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import Annotated

import pandas as pd
from ase.data import atomic_masses, atomic_numbers
from ase.formula import Formula
from pydantic import Field, model_validator

from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.network.step_notation import families_of, parse_side
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.records import library
from qdsurf.records.models import ReactionClass, Record, Source

Formulas = Annotated[
    str, Field(description="elements, such as AlC3H9; relative to the empty site; '' for an empty site")
]


class Sites(Record):
    """One family of sites."""

    density_per_nm2: float = Field(gt=0)
    empty: str | None = Field(None, description="species of an empty site; required if other species block sites")


class ChemicalSpecies(Record):
    """Fields that surface species, gas molecules and solids have in common."""

    name: str
    formula: Formulas
    charge: int = Field(0, description="formal charge in e")
    energy_eV: float = Field(description="relative to any zero that is common to all species, exothermic negative")
    entropy_eV_per_K: float = 0.0
    sigma_eV: float = Field(0.0, ge=0, description="standard deviation, independent of all other species")
    source: Source | None = None


class Species(ChemicalSpecies):
    """A species `name@family` that occupies the sites after the @; x@surface&surface occupies two."""

    entropy_eV_per_K: float = Field(0.0, description="without the entropy of mixing over the sites")
    initial_coverage: float = Field(0.0, ge=0, le=1)
    blocks: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="number of further sites by family that the species covers; they are empty after it desorbs"
    )


class GasSpecies(ChemicalSpecies):
    """A molecule of the gas phase."""

    entropy_eV_per_K: float = Field(gt=0, description="at the standard pressure of 1 bar")


class Solid(ChemicalSpecies):
    """A solid below the surface, such as the film that has grown; its activity is 1."""


class ElementaryStep(Record):
    """One elementary step."""

    name: str
    reaction_class: ReactionClass
    equation: str = Field(description="such as 'TMA(g) + OH@surface -> adduct@surface'")
    activation_energy_eV: float | None = Field(None, description="absent: no barrier beyond the reaction energy")
    activation_entropy_eV_per_K: float = Field(0.0, description="for a step on the surface")
    activation_sigma_eV: float = Field(0.0, ge=0)
    sticking_coefficient: float = Field(1.0, gt=0, le=1, description="for a step that takes a gas molecule")
    reactive: bool = Field(True, description="counted in the selectivity; False for adduct formation")
    removes_ligand: bool = False
    removes_cation: bool = False
    source: Source | None = None

    @model_validator(mode="after")
    def _fields_match_adsorption_or_surface_step(self) -> "ElementaryStep":
        adsorbs = "(g)" in self.equation.split("->")[0]
        if adsorbs and self.activation_entropy_eV_per_K:
            raise ValueError(
                "a gas molecule adsorbs, and collision theory includes the entropy; omit activation_entropy_eV_per_K"
            )
        if not adsorbs and self.sticking_coefficient != 1:
            raise ValueError("no gas molecule adsorbs; omit sticking_coefficient")
        return self


class Interaction(Record):
    """Energy of a molecule of one species per number density of another, and the other way round."""

    species: tuple[str, str]
    interaction_eV_nm2: float


class SharedError(Record):
    """An error that several species share, for example that of one type of bond."""

    name: str
    loadings_eV: dict[str, float] = Field(description="by species: shift of its energy if the error is one sigma")


class Mechanism(Record):
    """A reaction network with its energies."""

    system: str
    temperature_range_K: tuple[float, float] = Field(description="range in which energies and entropies are valid")
    sites: dict[str, Sites] = Field(min_length=1)
    species: tuple[Species, ...] = Field(min_length=1)
    gases: tuple[GasSpecies, ...]
    solids: tuple[Solid, ...] = ()
    steps: tuple[ElementaryStep, ...] = Field(min_length=1)
    interactions: tuple[Interaction, ...] = ()
    shared_errors: tuple[SharedError, ...] = ()
    source: Source

    @model_validator(mode="after")
    def _temperatures_ascend(self) -> "Mechanism":
        low, high = self.temperature_range_K
        if not 0 < low <= high:
            raise ValueError(f"temperature_range_K {low} to {high}: give the lower one first")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Mechanism":
        for kind in ("species", "gases", "solids", "steps"):
            names = [item.name for item in getattr(self, kind)]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{kind}: {name!r} is defined twice")
        return self

    @model_validator(mode="after")
    def _sites_are_known(self) -> "Mechanism":
        for item in self.species:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", item.name):
                raise ValueError(f"species {item.name!r}: write name@family")
            for family in chain(families_of(item.name), item.blocks):
                if family not in self.sites:
                    raise ValueError(
                        f"species {item.name!r}: unknown family of sites {family!r}; accepted: {', '.join(self.sites)}"
                    )
            for family in item.blocks:
                if self.sites[family].empty is None:
                    raise ValueError(
                        f"species {item.name!r} blocks {family!r}: sites.{family}.empty must name a species"
                    )
        return self


def read_mechanism(path: Path) -> tuple[str, Tables]:
    """Read a mechanism file and convert it into tables.

    Parameters
    ----------
    path : pathlib.Path
        YAML file with the fields of `Mechanism`.

    Returns
    -------
    system : str
        Name of the system.
    tables : Tables
        Tables with free energies at both ends of the temperature range.

    Raises
    ------
    InputError
        The file cannot be read or is not valid. The message names the file, the key or the step, and what is accepted.
    """
    mechanism = library.validate(Mechanism, library.read_yaml(path), str(path))
    return mechanism.system, tabulate_mechanism(mechanism, str(path))


def tabulate_mechanism(mechanism: Mechanism, where: str = "mechanism") -> Tables:
    """Convert a mechanism into tables.

    Parameters
    ----------
    mechanism : Mechanism
        Network with its energies.
    where : str
        Name of its file, for error messages.

    Returns
    -------
    Tables
        Tables with free energies at both ends of the temperature range.

    Raises
    ------
    InputError
        An equation, a formula or the name of a species is wrong.
    """
    full_names = {item.name: _full_name(item) for item in mechanism.species}
    steps = [_step_row(mechanism, step, full_names, where) for step in mechanism.steps]
    entries: list[tuple[str, ChemicalSpecies, str]] = [
        *((full_names[item.name], item, "surface") for item in mechanism.species),
        *((item.name, item, "gas") for item in mechanism.gases),
        *((f"{item.name}(b)", item, "solid") for item in mechanism.solids),
    ]
    low, high = mechanism.temperature_range_K
    return Tables(
        states=pd.DataFrame([_state_row(mechanism.system, name, item, phase, low) for name, item, phase in entries]),
        steps=pd.DataFrame(steps),
        sites=pd.DataFrame(_site_rows(mechanism, full_names, where)),
        gibbs=pd.DataFrame(
            {
                "system": mechanism.system,
                "state": name,
                "temperature_K": temperature,
                "gibbs_eV": _gibbs_eV(item, temperature),
            }
            for name, item, _ in entries
            for temperature in (low, high)
        ),
        factors=pd.DataFrame(
            [
                {
                    "system": mechanism.system,
                    "state": full_names[_known_species(name, full_names, where)],
                    "factor": error.name,
                    "loading_eV": loading,
                }
                for error in mechanism.shared_errors
                for name, loading in error.loadings_eV.items()
            ],
            columns=["system", "state", "factor", "loading_eV"],
        ),
        interactions=pd.DataFrame(
            [
                {
                    "system": mechanism.system,
                    "species_1": full_names[_known_species(item.species[0], full_names, where)],
                    "species_2": full_names[_known_species(item.species[1], full_names, where)],
                    "interaction_eV_nm2": item.interaction_eV_nm2,
                }
                for item in mechanism.interactions
            ],
            columns=["system", "species_1", "species_2", "interaction_eV_nm2"],
        ),
    )


def _known_species(name: str, accepted: Collection[str], where: str) -> str:
    """Return the name of a species, or raise an error if the mechanism does not define it."""
    if name not in accepted:
        raise unknown("species", name, accepted, where)
    return name


def _full_name(species: Species) -> str:
    """Return the name with all sites that the species occupies: first those it binds to, then those it blocks."""
    blocked = [family for family, count in species.blocks.items() for _ in range(count)]
    return "&".join([species.name, *blocked])


def _gibbs_eV(item: ChemicalSpecies, temperature_K: float) -> float:
    """Return the free energy of a species, eV, for an energy and entropy that do not depend on the temperature."""
    return item.energy_eV - temperature_K * item.entropy_eV_per_K


def _state_row(system: str, name: str, item: ChemicalSpecies, phase: str, temperature_K: float) -> dict:
    """Return one row of the states table."""
    try:
        mass = sum(n * atomic_masses[atomic_numbers[symbol]] for symbol, n in Formula(item.formula).count().items())
    except (ValueError, KeyError):
        raise InputError(f"{name}: cannot read the formula {item.formula!r}; write it like AlC3H9") from None
    return {
        "system": system,
        "state": name,
        "energy_eV": item.energy_eV,
        "gibbs_eV": _gibbs_eV(item, temperature_K),
        "sigma_eV": item.sigma_eV,
        "temperature_K": temperature_K,
        "phase": phase,
        "mass_amu": mass if phase == "gas" else float("nan"),
        "formula": item.formula,
        "charge": item.charge,
        "flags": "",
    }


def _site_rows(mechanism: Mechanism, full_names: dict[str, str], where: str) -> list[dict]:
    """Return the rows of the sites table: every species with its initial coverage.

    The coverage of the empty sites is NaN: they are the sites that the other species leave free.
    """
    rows = []
    for family, sites in mechanism.sites.items():
        common = {"system": mechanism.system, "family": family, "density_per_nm2": sites.density_per_nm2}
        for item in mechanism.species:
            if families_of(item.name)[0] == family and item.name != sites.empty:
                rows.append(
                    common | {"initial_species": full_names[item.name], "initial_coverage": item.initial_coverage}
                )
        if sites.empty is not None:
            empty = full_names[_known_species(sites.empty, full_names, f"{where}: sites.{family}.empty")]
            rows.append(common | {"initial_species": empty, "initial_coverage": float("nan")})
    return rows


def _step_row(mechanism: Mechanism, step: ElementaryStep, full_names: dict[str, str], where: str) -> dict:
    """Return one row of the steps table, with the equation completed by empty sites."""
    place = f"{where}: step {step.name!r}, {step.equation!r}"
    texts = step.equation.split("->")
    if len(texts) != 2:
        raise InputError(f"{place}: write two sides with '->'")
    left, right = parse_side(texts[0], place), parse_side(texts[1], place)
    known = {
        *full_names,
        *(f"{gas.name}(g)" for gas in mechanism.gases),
        *(f"{solid.name}(b)" for solid in mechanism.solids),
    }
    for name in chain(left, right):
        _known_species(name, known, place)
    _add_empty_sites(mechanism, left, right)
    left = {full_names.get(name, name): count for name, count in left.items()}
    right = {full_names.get(name, name): count for name, count in right.items()}
    return {
        "system": mechanism.system,
        "step": step.name,
        "reaction_class": step.reaction_class,
        "equation": step.equation,
        "activation_energy_eV": step.activation_energy_eV or 0.0,
        "activation_sigma_eV": step.activation_sigma_eV,
        "activation_entropy_eV_per_K": step.activation_entropy_eV_per_K,
        "sticking_coefficient": step.sticking_coefficient,
        "barrier_source": "none" if step.activation_energy_eV is None else "given",
        "initial_state": _state_names(left),
        "final_state": _state_names(right),
        "lattice": f"{_write_side(left)} -> {_write_side(right)}",
        "reactive": step.reactive,
        "removes_ligand": step.removes_ligand,
        "removes_cation": step.removes_cation,
        "status": "ok",
    }


def _write_side(side: dict[str, int]) -> str:
    """Write one side of an equation; the inverse of `parse_side`."""
    return " + ".join(f"{count} {name}" if count > 1 else name for name, count in side.items())


def _state_names(side: dict[str, int]) -> str:
    """Return the names of all states of one side except gases, each as often as it occurs, separated by ` + `."""
    return " + ".join(name for name, count in side.items() if "(g)" not in name for _ in range(count))


def _add_empty_sites(mechanism: Mechanism, left: dict[str, int], right: dict[str, int]) -> None:
    """Add the empty sites that blocking species free or cover to the side of an equation that lacks them, in place."""
    blocks = {species.name: species.blocks for species in mechanism.species}
    missing_sites = []
    for family in dict.fromkeys(family for blocked in blocks.values() for family in blocked):
        blocked_left = sum(count * blocks.get(name, {}).get(family, 0) for name, count in left.items())
        blocked_right = sum(count * blocks.get(name, {}).get(family, 0) for name, count in right.items())
        empty = str(mechanism.sites[family].empty)  # a family that is blocked has a name for its empty sites
        missing_sites.append((empty, blocked_left - blocked_right))
    for empty, difference in missing_sites:
        if difference:
            side = left if difference < 0 else right
            side[empty] = side.get(empty, 0) + abs(difference)
