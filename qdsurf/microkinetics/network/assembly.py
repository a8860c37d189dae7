"""Construction of the reaction network of one system from the tables of steps and sites."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import ParsedStep, families_of, parse_step
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.units import NM2_PER_M2

COVERAGE_TOLERANCE = 1e-9


class SiteFamily(NamedTuple):
    """One family of sites.

    Attributes
    ----------
    density_per_m2 : float
        Sites per area, m^-2.
    initial : dict of str to float
        Coverage at time zero by species; NaN where the table gives no number.
    """

    density_per_m2: float
    initial: dict[str, float]


def build_network(system: str, tables: Tables) -> Network:
    """Build the network of one system from its tables.

    Steps whose status is not "ok" are omitted, and so are steps that cannot be reached from the initial species without
    them. `Network.missing` names them.

    Parameters
    ----------
    system : str
        Name as in the column `system` of the tables.
    tables : Tables
        `steps` with equations in the column `lattice`; `sites` with the columns family, initial_species,
        density_per_nm2 and optionally initial_coverage; optionally `interactions`.

    Returns
    -------
    Network
        Species in order of appearance, initial species first.

    Raises
    ------
    InputError
        A system, family, class or species is unknown or given twice, or an equation cannot be parsed.
    BalanceError
        A step does not conserve the sites of a family.
    """
    families = _read_families(system, tables.sites)
    rows = tables.steps[tables.steps["system"] == system]
    duplicated = rows["step"][rows["step"].duplicated()].tolist()
    if duplicated:
        raise InputError(f"{system}: step {duplicated[0]!r} is given twice in the steps table; names must be unique.")
    # A step without a number may have no equation; its equation is checked if it has one.
    written = [row for _, row in rows.iterrows() if row["status"] == "ok" or isinstance(row["lattice"], str)]
    parsed = [parse_step(system, row, families) for row in written]
    _assert_species_known(system, parsed, families)
    usable = _reachable([step for step in parsed if step.row["status"] == "ok"], families)
    used_names = {step.row["step"] for step in usable}
    missing = tuple(name for name in rows["step"] if name not in used_names)
    return _assemble(system, usable, families, missing, tables.interactions)


def _read_families(system: str, sites: pd.DataFrame) -> dict[str, SiteFamily]:
    """Read the density and the initial species of each family of one system."""
    rows = sites[sites["system"] == system]
    if rows.empty:
        raise unknown("system", system, sites["system"].unique(), "sites table")
    families: dict[str, SiteFamily] = {}
    for row in rows.to_dict("records"):
        family, species, density = row["family"], str(row["initial_species"]), row["density_per_nm2"]
        if not density > 0:
            raise InputError(f"{system}: density_per_nm2 of family {family!r} is {density}; it must be positive.")
        if "@" not in species or families_of(species)[0] != family:
            raise InputError(f"{system}: initial species {species!r} must be written 'name@{family}'.")
        density_per_m2 = float(density) * NM2_PER_M2
        known = families.setdefault(family, SiteFamily(density_per_m2, {}))
        if species in known.initial or known.density_per_m2 != density_per_m2:
            raise InputError(
                f"{system}: family {family!r} is given twice in the sites table; give one row for each of its initial "
                "species, all with the same density."
            )
        known.initial[species] = float(row.get("initial_coverage", np.nan))
    return families


def _initial_coverages(system: str, families: dict[str, SiteFamily]) -> dict[str, float]:
    """Return the coverages at time zero; a species without a number fills the remaining sites of its family.

    A species on sites of several families has coverage 1 if the table gives no number.

    Raises
    ------
    InputError
        The initial species of a family do not fill it exactly.
    """
    coverages: dict[str, float] = {}
    occupied = dict.fromkeys(families, 0.0)
    remaining = []  # species that fill the rest of their family
    for family, (density, initial) in families.items():
        for species, coverage in initial.items():
            spans_families = len(set(families_of(species))) > 1
            if np.isnan(coverage) and not spans_families:
                remaining.append((family, species))
                continue
            coverages[species] = 1.0 if np.isnan(coverage) else coverage
            molecules_per_m2 = coverages[species] * density / families_of(species).count(family)
            for other in families_of(species):
                occupied[other] += molecules_per_m2 / families[other].density_per_m2
    for family, species in remaining:
        overfull = occupied[family] > 1 + COVERAGE_TOLERANCE
        coverages[species] = -1.0 if overfull else max(0.0, 1.0 - occupied[family])  # -1 fails the check below
        occupied[family] += coverages[species]
    for family in families:
        if abs(occupied[family] - 1) > COVERAGE_TOLERANCE:
            raise InputError(
                f"{system}: the initial species occupy {occupied[family]:.6g} of family {family!r} instead of 1; "
                "count species that cover sites of another family too, or give one of them no initial_coverage."
            )
    return coverages


def _assert_species_known(system: str, parsed: list[ParsedStep], families: dict[str, SiteFamily]) -> None:
    """Raise an error for a reactant that is neither initial nor the product of a step: its name is misspelt."""
    known = {species for family in families.values() for species in family.initial}
    known.update(name for step in parsed for name in step.species("right"))
    for step in parsed:
        for name in step.species("left"):
            if name not in known:
                where = f"{system}, step {step.row['step']!r}, lattice {step.row['lattice']!r}"
                raise unknown("species", name, known, where)


def _reachable(steps: list[ParsedStep], families: dict[str, SiteFamily]) -> list[ParsedStep]:
    """Return the steps of which one side consists of species that can form from the initial surface."""
    present = {species for family in families.values() for species in family.initial}
    unreached = list(steps)
    while True:
        ready = [
            step
            for step in unreached
            if present.issuperset(step.species("left")) or present.issuperset(step.species("right"))
        ]
        if not ready:
            return [step for step in steps if step not in unreached]
        for step in ready:
            unreached.remove(step)
            present.update(step.species("left"), step.species("right"))


def _assemble(
    system: str,
    steps: list[ParsedStep],
    families: dict[str, SiteFamily],
    missing: tuple[str, ...],
    interactions: pd.DataFrame | None,
) -> Network:
    """Convert parsed steps into the arrays of a network."""
    initial = _initial_coverages(system, families)
    initial_species = [species for family in families.values() for species in family.initial]
    left = [step.species("left") for step in steps]
    right = [step.species("right") for step in steps]
    gases_left = [step.gases("left") for step in steps]
    gases_right = [step.gases("right") for step in steps]
    solids_left = [step.solids("left") for step in steps]
    solids_right = [step.solids("right") for step in steps]
    species = _unique_names([dict.fromkeys(initial_species, 0), *_alternate(left, right)])
    gases = _unique_names(_alternate(gases_left, gases_right))
    solids = _unique_names(_alternate(solids_left, solids_right))
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
        reactant_family=_family_of_first_species(names, left),
        product_family=_family_of_first_species(names, right),
        left=_count_matrix(species, left),
        right=_count_matrix(species, right),
        gas_left=_count_matrix(gases, gases_left),
        gas_right=_count_matrix(gases, gases_right),
        solids=tuple(name.removesuffix("(b)") for name in solids),
        solid_change=_count_matrix(solids, solids_right) - _count_matrix(solids, solids_left),
        reactive=_read_flags(steps, "reactive"),
        removes_ligand=_read_flags(steps, "removes_ligand"),
        removes_cation=_read_flags(steps, "removes_cation"),
        barrierless=np.array([step.row["barrier_source"] == "none" for step in steps], dtype=bool),
        interaction_eV_nm2=_interaction_matrix(system, species, interactions),
        missing=missing,
    )


def _alternate(left: list[dict[str, int]], right: list[dict[str, int]]) -> list[dict[str, int]]:
    """Return the sides of all steps in the order of writing: left and right of the first step, then of the second."""
    return [side for pair in zip(left, right, strict=True) for side in pair]


def _unique_names(sides: list[dict[str, int]]) -> list[str]:
    """Return all names of the given sides once, in order of appearance."""
    return list(dict.fromkeys(name for side in sides for name in side))


def _count_matrix(names: list[str], sides: list[dict[str, int]]) -> np.ndarray:
    """Return the stoichiometric numbers of one side of all steps, shape (names, steps)."""
    counts = [[side.get(name, 0) for side in sides] for name in names]
    return np.array(counts, dtype=int).reshape(len(names), len(sides))


def _family_of_first_species(families: list[str], sides: list[dict[str, int]]) -> np.ndarray:
    """Return the index of the family of the first species of each side, shape (S,)."""
    return np.array([families.index(families_of(next(iter(side)))[0]) for side in sides], dtype=int)


def _read_flags(steps: list[ParsedStep], column: str) -> np.ndarray:
    """Read a column of True and False, which a CSV file may have turned into text."""
    values = [str(step.row[column]) for step in steps]
    for step, value in zip(steps, values, strict=True):
        if value not in ("True", "False"):
            raise InputError(f"step {step.row['step']!r}: column {column!r} is {value!r}; give True or False.")
    return np.array([value == "True" for value in values], dtype=bool)


def _interaction_matrix(system: str, species: list[str], table: pd.DataFrame | None) -> np.ndarray:
    """Return the symmetric matrix of lateral interactions, eV nm^2, shape (n, n)."""
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
        matrix[i, j] = row.interaction_eV_nm2
        matrix[j, i] = row.interaction_eV_nm2
    return matrix
