"""From the tables of steps and sites to the network of one system."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import Step, families_of, parse_step
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.units import NM2_PER_M2

COVERAGE_TOLERANCE = 1e-9


class Family(NamedTuple):
    """One family of sites: its density, and the share of it that each initial species takes."""

    density_per_m2: float
    initial: dict[str, float]


def build_network(system: str, tables: Tables) -> Network:
    """Build the network of one system from its tables.

    Steps whose status is not "ok", and steps that cannot be reached from the initial species without them,
    are left out and named in `missing`.

    Parameters
    ----------
    system : name, as in the column `system` of the tables.
    tables : `steps`, whose lattice lines hold `name@family` and `name(g)`; `sites` with the columns family,
        initial_species, density_per_nm2 and perhaps initial_coverage; perhaps `interactions`.

    Returns
    -------
    Network
        Species in order of appearance, initial species first.

    Raises
    ------
    InputError
        A system, family, class or species is unknown or given twice, or a lattice line cannot be read.
    BalanceError
        A step does not conserve the sites of a family.
    """
    families = _read_families(system, tables.sites)
    rows = tables.steps[tables.steps["system"] == system]
    if duplicated := rows["step"][rows["step"].duplicated()].tolist():
        raise InputError(f"{system}: step {duplicated[0]!r} stands twice in the steps table; names must be unique.")
    written = [row for _, row in rows.iterrows() if row["status"] == "ok" or isinstance(row["lattice"], str)]
    parsed = [parse_step(system, row, families) for row in written]
    _check_species_known(system, parsed, families)
    usable = _reachable([step for step in parsed if step.row["status"] == "ok"], families)
    kept = {step.row["step"] for step in usable}
    missing = tuple(name for name in rows["step"] if name not in kept)
    return _assemble(system, usable, families, missing, tables.interactions)


def _read_families(system: str, sites: pd.DataFrame) -> dict[str, Family]:
    """Read density and initial species of each family of one system."""
    rows = sites[sites["system"] == system]
    if rows.empty:
        raise unknown("system", system, sites["system"].unique(), "sites table")
    families: dict[str, Family] = {}
    for row in rows.to_dict("records"):
        family, species, density = row["family"], str(row["initial_species"]), row["density_per_nm2"]
        if not density > 0:
            raise InputError(f"{system}: density_per_nm2 of family {family!r} is {density}; it must be positive.")
        if "@" not in species or families_of(species)[0] != family:
            raise InputError(f"{system}: initial species {species!r} must be written 'name@{family}'.")
        known = families.setdefault(family, Family(float(density) * NM2_PER_M2, {}))
        if species in known.initial or known.density_per_m2 != float(density) * NM2_PER_M2:
            raise InputError(
                f"{system}: family {family!r} stands twice in the sites table; one row for each of its initial "
                "species, all with the same density."
            )
        known.initial[species] = float(row.get("initial_coverage", np.nan))
    return families


def _initial_coverages(system: str, families: dict[str, Family]) -> dict[str, float]:
    """Coverages at time zero; a species without a number takes what the others leave of its family.

    Raises
    ------
    InputError : the initial species of a family do not fill it exactly.
    """
    coverages: dict[str, float] = {}
    occupied = Counter()
    waiting = []
    for family, (density, initial) in families.items():
        for species, coverage in initial.items():
            shared = len(set(families_of(species))) > 1
            if np.isnan(coverage) and not shared:
                waiting.append((family, species))
                continue
            coverages[species] = 1.0 if np.isnan(coverage) else coverage
            molecules = coverages[species] * density / families_of(species).count(family)
            for other in families_of(species):
                occupied[other] += molecules / families[other].density_per_m2
    for family, species in waiting:
        coverages[species] = max(0.0, 1.0 - occupied[family]) if occupied[family] <= 1 + COVERAGE_TOLERANCE else -1.0
        occupied[family] += coverages[species]
    for family in families:
        if abs(occupied[family] - 1) > COVERAGE_TOLERANCE:
            raise InputError(
                f"{system}: the initial species occupy {occupied[family]:.6g} of family {family!r} instead of 1; "
                "mind species that cover sites of another family, or give one of them no initial_coverage."
            )
    return coverages


def _check_species_known(system: str, parsed: list[Step], families: dict[str, Family]) -> None:
    """Refuse a reactant that is neither initial nor the product of any step: it is a misspelling."""
    made = {species for family in families.values() for species in family.initial}
    made.update(name for step in parsed for name in step.side("right"))
    for step in parsed:
        for name in step.side("left"):
            if name not in made:
                where = f"{system}, step {step.row['step']!r}, lattice {step.row['lattice']!r}"
                raise unknown("species", name, made, where)


def _reachable(steps: list[Step], families: dict[str, Family]) -> list[Step]:
    """Keep the steps with one side made of species that the initial surface can turn into."""
    present = {species for family in families.values() for species in family.initial}
    waiting = list(steps)
    while True:
        ready = [
            step for step in waiting if present.issuperset(step.side("left")) or present.issuperset(step.side("right"))
        ]
        if not ready:
            return [step for step in steps if step not in waiting]
        for step in ready:
            waiting.remove(step)
            present.update(step.side("left"), step.side("right"))


def _assemble(
    system: str,
    steps: list[Step],
    families: dict[str, Family],
    missing: tuple[str, ...],
    interactions: pd.DataFrame | None,
) -> Network:
    """Turn parsed steps into arrays."""
    initial = _initial_coverages(system, families)
    first = [species for family in families.values() for species in family.initial]
    sides = [step.side(side) for step in steps for side in ("left", "right")]
    gas_sides = [step.side(side, "(g)") for step in steps for side in ("left", "right")]
    solid_sides = [step.side(side, "(b)") for step in steps for side in ("left", "right")]
    species = list(dict.fromkeys(first + [name for side in sides for name in side]))
    gases = list(dict.fromkeys(name for side in gas_sides for name in side))
    solids = list(dict.fromkeys(name for side in solid_sides for name in side))
    names = list(families)
    return Network(
        system=system,
        species=tuple(species),
        gases=tuple(name.removesuffix("(g)") for name in gases),
        families=tuple(names),
        densities_per_m2=np.array([family.density_per_m2 for family in families.values()]),
        sites=np.array([[families_of(name).count(family) for family in names] for name in species]),
        family_of=np.array([names.index(families_of(name)[0]) for name in species]),
        initial=np.array([initial.get(name, 0.0) for name in species]),
        steps=tuple(step.row["step"] for step in steps),
        classes=tuple(step.row["reaction_class"] for step in steps),
        initial_states=tuple(tuple(step.row["initial_state"].split(" + ")) for step in steps),
        final_states=tuple(tuple(step.row["final_state"].split(" + ")) for step in steps),
        reactant_family=_first_family(names, sides[::2]),
        product_family=_first_family(names, sides[1::2]),
        left=_counts(species, sides[::2]),
        right=_counts(species, sides[1::2]),
        gas_left=_counts(gases, gas_sides[::2]),
        gas_right=_counts(gases, gas_sides[1::2]),
        solids=tuple(name.removesuffix("(b)") for name in solids),
        solid_change=_counts(solids, solid_sides[1::2]) - _counts(solids, solid_sides[::2]),
        reactive=_flags(steps, "reactive"),
        removes_ligand=_flags(steps, "removes_ligand"),
        removes_cation=_flags(steps, "removes_cation"),
        barrierless=np.array([step.row["barrier_source"] == "none" for step in steps], dtype=bool),
        interaction_eV_nm2=_interactions(system, species, interactions),
        missing=missing,
    )


def _counts(names: list[str], sides: list[dict[str, int]]) -> np.ndarray:
    """Matrix of stoichiometric counts, shape (names, steps)."""
    return np.array([[side.get(name, 0) for side in sides] for name in names], dtype=int).reshape(
        len(names), len(sides)
    )


def _first_family(families: list[str], sides: list[dict[str, int]]) -> np.ndarray:
    """Index of the family of the first species of each side."""
    return np.array([families.index(families_of(next(iter(side)))[0]) for side in sides], dtype=int)


def _flags(steps: list[Step], column: str) -> np.ndarray:
    """Read a column of True and False, also when CSV made it text."""
    values = [str(step.row[column]) for step in steps]
    for step, value in zip(steps, values, strict=True):
        if value not in ("True", "False"):
            raise InputError(f"step {step.row['step']!r}: column {column!r} is {value!r}; give True or False.")
    return np.array([value == "True" for value in values], dtype=bool)


def _interactions(system: str, species: list[str], table: pd.DataFrame | None) -> np.ndarray:
    """Symmetric matrix of lateral interactions, eV nm^2, shape (n, n)."""
    matrix = np.zeros((len(species), len(species)))
    if table is None:
        return matrix
    for row in table[table["system"] == system].itertuples():
        for name in (row.species_1, row.species_2):
            if name not in species:
                raise unknown("species", name, species, f"{system}, interactions")
        i, j = species.index(row.species_1), species.index(row.species_2)
        if matrix[i, j]:
            raise InputError(f"{system}: the interaction of {row.species_1} and {row.species_2} is given twice.")
        matrix[i, j] = matrix[j, i] = row.interaction_eV_nm2
    return matrix
