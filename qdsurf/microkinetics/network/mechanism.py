"""A mechanism written by hand, in YAML: energies from elsewhere become the same tables as qdsurf's own."""

import re
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Annotated

import pandas as pd
from ase.data import atomic_masses, atomic_numbers
from ase.formula import Formula
from pydantic import Field, model_validator

from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.network.step_notation import families_of, read_side
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.records import library
from qdsurf.records.models import ReactionClass, Record, Source

Formulas = Annotated[
    str, Field(description="elements, such as AlC3H9; relative to the empty site; '' for an empty site")
]


class Sites(Record):
    """One family of sites."""

    density_per_nm2: float = Field(gt=0)
    empty: str | None = Field(None, description="species of an empty site; needed where other species block sites")


class Level(Record):
    """What a surface species and a gas molecule have in common."""

    name: str
    formula: Formulas
    charge: int = Field(0, description="formal, in e")
    energy_eV: float = Field(description="against any zero that is common to all species, exothermic negative")
    sigma_eV: float = Field(0.0, ge=0, description="standard deviation, independent of all other species")
    source: Source | None = None


class Species(Level):
    """A species `name@family` that occupies the sites behind the @, such as x@surface&surface for two."""

    entropy_eV_per_K: float = Field(0.0, description="without that of mixing over the sites")
    initial_coverage: float = Field(0.0, ge=0, le=1)
    blocks: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="further sites by family that its bulk covers; they are empty again when it leaves"
    )


class GasSpecies(Level):
    """A molecule of the gas phase."""

    entropy_eV_per_K: float = Field(gt=0, description="at the standard pressure of 1 bar")


class Solid(Level):
    """What lies below the surface, such as the film that has grown; its activity is 1."""

    entropy_eV_per_K: float = 0.0


class ElementaryStep(Record):
    """One elementary step."""

    name: str
    reaction_class: ReactionClass
    equation: str = Field(description="such as 'TMA(g) + OH@surface -> adduct@surface'")
    activation_energy_eV: float | None = Field(None, description="absent: no barrier beyond the reaction energy")
    activation_entropy_eV_per_K: float = Field(0.0, description="of a step on the surface")
    activation_sigma_eV: float = Field(0.0, ge=0)
    sticking_coefficient: float = Field(1.0, gt=0, le=1, description="of a step that takes a gas molecule")
    reactive: bool = Field(True, description="counts in the branching; False for adducts that only wait")
    removes_ligand: bool = False
    removes_cation: bool = False
    source: Source | None = None

    @model_validator(mode="after")
    def _entropy_belongs_to_the_surface(self):
        arrives = "(g)" in self.equation.split("->")[0]
        if arrives and self.activation_entropy_eV_per_K:
            raise ValueError("a gas arrives: collision theory holds the entropy; leave activation_entropy_eV_per_K out")
        if not arrives and self.sticking_coefficient != 1:
            raise ValueError("no gas arrives, so there is no sticking_coefficient")
        return self


class Interaction(Record):
    """Energy of a molecule of one species by the molecules per area of another, and the other way round."""

    species: tuple[str, str]
    interaction_eV_nm2: float


class SharedError(Record):
    """An error that several species share, such as that of a kind of bond."""

    name: str
    loadings_eV: dict[str, float] = Field(description="by species: how it moves when the error is one sigma")


class Mechanism(Record):
    """A network with its energies."""

    system: str
    temperature_range_K: tuple[float, float] = Field(description="in which energies and entropies hold")
    sites: dict[str, Sites] = Field(min_length=1)
    species: tuple[Species, ...] = Field(min_length=1)
    gases: tuple[GasSpecies, ...]
    solids: tuple[Solid, ...] = ()
    steps: tuple[ElementaryStep, ...] = Field(min_length=1)
    interactions: tuple[Interaction, ...] = ()
    shared_errors: tuple[SharedError, ...] = ()
    source: Source

    @model_validator(mode="after")
    def _names_are_known_and_unique(self):
        low, high = self.temperature_range_K
        if not 0 < low <= high:
            raise ValueError(f"temperature_range_K {low} to {high}: give the lower one first")
        for kind in ("species", "gases", "solids", "steps"):
            names = [item.name for item in getattr(self, kind)]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{kind}: {name!r} is defined twice")
        for item in self.species:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", item.name):
                raise ValueError(f"species {item.name!r}: write name@family")
            for family in chain(families_of(item.name), item.blocks):
                if family not in self.sites:
                    raise ValueError(f"species {item.name!r}: no sites {family!r}; there are {', '.join(self.sites)}")
            for family in item.blocks:
                if self.sites[family].empty is None:
                    raise ValueError(
                        f"species {item.name!r} blocks {family!r}: sites.{family}.empty must name a species"
                    )
        return self


def read_mechanism(path: Path) -> tuple[str, Tables]:
    """Read a mechanism and make its tables.

    Returns
    -------
    name of the system, and tables with the temperatures at both ends of its range.

    Raises
    ------
    InputError : names the file, the key or the step, and what would be accepted.
    """
    mechanism = library.validate(Mechanism, library.read_yaml(path), str(path))
    return mechanism.system, tabulate_mechanism(mechanism, str(path))


def tabulate_mechanism(mechanism: Mechanism, where: str = "mechanism") -> Tables:
    """Turn a mechanism into tables; see `read_mechanism`."""
    full = {item.name: _full_name(item) for item in mechanism.species}
    known = {*full, *(f"{gas.name}(g)" for gas in mechanism.gases), *(f"{solid.name}(b)" for solid in mechanism.solids)}
    steps = [_step_row(mechanism, step, full, known, where) for step in mechanism.steps]
    low, high = mechanism.temperature_range_K
    levels = [(full[item.name], item, "surface") for item in mechanism.species]
    levels += [(item.name, item, "gas") for item in mechanism.gases]
    levels += [(f"{item.name}(b)", item, "solid") for item in mechanism.solids]
    return Tables(
        states=pd.DataFrame([_state_row(mechanism.system, *level, low) for level in levels]),
        steps=pd.DataFrame(steps),
        sites=pd.DataFrame(_site_rows(mechanism, full, where)),
        gibbs=pd.DataFrame(
            {
                "system": mechanism.system,
                "state": name,
                "temperature_K": temperature,
                "gibbs_eV": item.energy_eV - temperature * item.entropy_eV_per_K,
            }
            for name, item, _ in levels
            for temperature in (low, high)
        ),
        factors=pd.DataFrame(
            [
                {"system": mechanism.system, "state": full[_known(name, full, where)], "factor": error.name}
                | {"loading_eV": loading}
                for error in mechanism.shared_errors
                for name, loading in error.loadings_eV.items()
            ],
            columns=["system", "state", "factor", "loading_eV"],
        ),
        interactions=pd.DataFrame(
            [
                {"system": mechanism.system, "species_1": full[_known(item.species[0], full, where)]}
                | {"species_2": full[_known(item.species[1], full, where)]}
                | {"interaction_eV_nm2": item.interaction_eV_nm2}
                for item in mechanism.interactions
            ],
            columns=["system", "species_1", "species_2", "interaction_eV_nm2"],
        ),
    )


def _known(name: str, accepted, where: str) -> str:
    if name not in accepted:
        raise unknown("species", name, accepted, where)
    return name


def _full_name(species: Species) -> str:
    """Name with all sites that the species occupies: what it blocks is written behind what it binds to."""
    blocked = [family for family, count in species.blocks.items() for _ in range(count)]
    return "&".join([species.name, *blocked])


def _state_row(system: str, name: str, item: Level, phase: str, temperature_K: float) -> dict:
    try:
        mass = sum(n * atomic_masses[atomic_numbers[symbol]] for symbol, n in Formula(item.formula).count().items())
    except (ValueError, KeyError):
        raise InputError(f"{name}: formula {item.formula!r} is not one; write it like AlC3H9") from None
    return {
        "system": system,
        "state": name,
        "energy_eV": item.energy_eV,
        "gibbs_eV": item.energy_eV - temperature_K * item.entropy_eV_per_K,
        "sigma_eV": item.sigma_eV,
        "temperature_K": temperature_K,
        "phase": phase,
        "mass_amu": mass if phase == "gas" else float("nan"),
        "formula": item.formula,
        "charge": item.charge,
        "flags": "",
    }


def _site_rows(mechanism: Mechanism, full: dict[str, str], where: str) -> list[dict]:
    """Every species with its coverage at the start; what is left of a family is empty."""
    rows = []
    for family, sites in mechanism.sites.items():
        members = [item for item in mechanism.species if families_of(item.name)[0] == family]
        members = [item for item in members if item.name != sites.empty]
        common = {"system": mechanism.system, "family": family, "density_per_nm2": sites.density_per_nm2}
        rows += [
            common | {"initial_species": full[item.name], "initial_coverage": item.initial_coverage} for item in members
        ]
        if sites.empty is not None:
            empty = full[_known(sites.empty, full, f"{where}: sites.{family}.empty")]
            rows.append(common | {"initial_species": empty, "initial_coverage": float("nan")})
    return rows


def _step_row(mechanism: Mechanism, step: ElementaryStep, full: dict[str, str], known: set[str], where: str) -> dict:
    """One row of the steps table; sites that a species stops blocking become empty ones."""
    place = f"{where}: step {step.name!r}, {step.equation!r}"
    sides = step.equation.split("->")
    if len(sides) != 2:
        raise InputError(f"{place}: write two sides with '->'")
    counts = [read_side(side, place) for side in sides]
    for name in chain(*counts):
        _known(name, known, place)
    filled = _fill_blocked(mechanism, counts)
    written = [{full.get(name, name): count for name, count in side.items()} for side in filled]
    terms = [[f"{count} {name}" if count > 1 else name for name, count in side.items()] for side in written]
    states = [" + ".join(n for n, count in side.items() if "(g)" not in n for _ in range(count)) for side in written]
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
        "initial_state": states[0],
        "final_state": states[1],
        "lattice": " -> ".join(" + ".join(side) for side in terms),
        "reactive": step.reactive,
        "removes_ligand": step.removes_ligand,
        "removes_cation": step.removes_cation,
        "status": "ok",
    }


def _fill_blocked(mechanism: Mechanism, counts: list[Counter]) -> list[Counter]:
    """Add the empty sites that blocking species free or cover, to the side that lacks them."""
    blocks = {species.name: species.blocks for species in mechanism.species}
    filled = [Counter(side) for side in counts]
    for family in dict.fromkeys(family for own in blocks.values() for family in own):
        left, right = (sum(n * blocks.get(name, {}).get(family, 0) for name, n in side.items()) for side in counts)
        if left != right:
            filled[0 if left < right else 1][mechanism.sites[family].empty] += abs(left - right)
    return filled
