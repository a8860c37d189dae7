"""The reaction network of one system: species on site families, gases, and elementary steps."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import null_space

from qdsurf.errors import BalanceError, InputError, unknown
from qdsurf.kinetics.lattice import Step, parse_step
from qdsurf.units import NM2_PER_M2

CYCLE_TOLERANCE_EV = 1e-9


@dataclass(frozen=True)
class Network:
    """Species, gases, site families and the S elementary steps that have a number.

    Attributes
    ----------
    system : name of the system, for messages.
    species : n names `name@family`; every species occupies one site of its family.
    gases : g names of gas molecules.
    families : names of the site families.
    densities_per_m2 : sites per area, shape (families,).
    family_of : index of the family of each species, shape (n,).
    initial : coverages at time zero, shape (n,); 1 for the initial species of each family.
    steps : names of the steps; `classes`, `initial_states`, `final_states` go with them.
    reactant_family, product_family : index of the family of the first reactant and product as written, shape (S,).
    left, right : stoichiometry of the species, shape (n, S), non-negative integers.
    gas_left, gas_right : the same for gases, shape (g, S).
    reactive, removes_ligand, removes_cation : flags, shape (S,).
    missing : names of the steps that are left out, because they have no number or cannot be reached.
    """

    system: str
    species: tuple[str, ...]
    gases: tuple[str, ...]
    families: tuple[str, ...]
    densities_per_m2: np.ndarray
    family_of: np.ndarray
    initial: np.ndarray
    steps: tuple[str, ...]
    classes: tuple[str, ...]
    initial_states: tuple[str, ...]
    final_states: tuple[str, ...]
    reactant_family: np.ndarray
    product_family: np.ndarray
    left: np.ndarray
    right: np.ndarray
    gas_left: np.ndarray
    gas_right: np.ndarray
    reactive: np.ndarray
    removes_ligand: np.ndarray
    removes_cation: np.ndarray
    missing: tuple[str, ...]

    @property
    def step_density_per_m2(self) -> np.ndarray:
        """Reference density of each step: that of the family of its first reactant, shape (S,)."""
        return self.densities_per_m2[self.reactant_family]


def build_network(system: str, steps: pd.DataFrame, sites: pd.DataFrame) -> Network:
    """Build the network of one system from the steps and sites tables.

    Steps whose status is not "ok", and steps that cannot be reached from the initial species without them,
    are left out and named in `missing`.

    Parameters
    ----------
    system : name, as in the column `system` of both tables.
    steps : columns of `steps.csv`; the sides of `lattice` hold `name@family` and `name(g)`.
    sites : columns system, family, initial_species, density_per_nm2.

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
    families = _read_families(system, sites)
    rows = steps[steps["system"] == system]
    if duplicated := rows["step"][rows["step"].duplicated()].tolist():
        raise InputError(f"{system}: step {duplicated[0]!r} stands twice in the steps table; names must be unique.")
    written = [row for _, row in rows.iterrows() if row["status"] == "ok" or isinstance(row["lattice"], str)]
    parsed = [parse_step(system, row, families) for row in written]
    _check_species_known(system, parsed, families)
    usable = _reachable([step for step in parsed if step.row["status"] == "ok"], families)
    kept = {step.row["step"] for step in usable}
    return _assemble(system, usable, families, tuple(name for name in rows["step"] if name not in kept))


def _read_families(system: str, sites: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Read density (m^-2) and initial species of each family of one system."""
    rows = sites[sites["system"] == system]
    if rows.empty:
        raise unknown("system", system, sites["system"].unique(), "sites table")
    families: dict[str, tuple[float, str]] = {}
    for family, species, density in zip(rows["family"], rows["initial_species"], rows["density_per_nm2"], strict=True):
        if family in families:
            raise InputError(f"{system}: family {family!r} stands twice in the sites table; one row per family.")
        if not density > 0:
            raise InputError(f"{system}: density_per_nm2 of family {family!r} is {density}; it must be positive.")
        if str(species).split("@")[1:] != [family]:
            raise InputError(f"{system}: initial species {species!r} must be written 'name@{family}'.")
        families[family] = (float(density) * NM2_PER_M2, species)
    return families


def _check_species_known(system: str, parsed: list[Step], families: dict) -> None:
    """Refuse a reactant that is neither initial nor the product of any step: it is a misspelling."""
    made = {species for _, species in families.values()}
    made.update(name for step in parsed for name in step.side("right", gas=False))
    for step in parsed:
        for name in step.side("left", gas=False):
            if name not in made:
                where = f"{system}, step {step.row['step']!r}, lattice {step.row['lattice']!r}"
                raise unknown("species", name, made, where)


def _reachable(steps: list[Step], families: dict) -> list[Step]:
    """Keep the steps with one side made of species that the initial surface can turn into."""
    present = {species for _, species in families.values()}
    waiting = list(steps)
    while True:
        ready = [
            step
            for step in waiting
            if present.issuperset(step.side("left", gas=False)) or present.issuperset(step.side("right", gas=False))
        ]
        if not ready:
            return [step for step in steps if step not in waiting]
        for step in ready:
            waiting.remove(step)
            present.update(step.side("left", gas=False), step.side("right", gas=False))


def _assemble(system: str, steps: list[Step], families: dict, missing: tuple[str, ...]) -> Network:
    """Turn parsed steps into arrays."""
    initial = [species for _, species in families.values()]
    sides = [step.side(side, gas=False) for step in steps for side in ("left", "right")]
    gas_sides = [step.side(side, gas=True) for step in steps for side in ("left", "right")]
    species = list(dict.fromkeys(initial + [name for side in sides for name in side]))
    gases = list(dict.fromkeys(name for side in gas_sides for name in side))
    family_names = list(families)
    return Network(
        system=system,
        species=tuple(species),
        gases=tuple(name.removesuffix("(g)") for name in gases),
        families=tuple(family_names),
        densities_per_m2=np.array([density for density, _ in families.values()]),
        family_of=np.array([family_names.index(name.split("@", 1)[1]) for name in species]),
        initial=np.array([float(name in initial) for name in species]),
        steps=tuple(step.row["step"] for step in steps),
        classes=tuple(step.row["reaction_class"] for step in steps),
        initial_states=tuple(step.row["initial_state"] for step in steps),
        final_states=tuple(step.row["final_state"] for step in steps),
        reactant_family=_first_family(family_names, sides[::2]),
        product_family=_first_family(family_names, sides[1::2]),
        left=_counts(species, sides[::2]),
        right=_counts(species, sides[1::2]),
        gas_left=_counts(gases, gas_sides[::2]),
        gas_right=_counts(gases, gas_sides[1::2]),
        reactive=_flags(steps, "reactive"),
        removes_ligand=_flags(steps, "removes_ligand"),
        removes_cation=_flags(steps, "removes_cation"),
        missing=missing,
    )


def _counts(names: list[str], sides: list[dict[str, int]]) -> np.ndarray:
    """Matrix of stoichiometric counts, shape (names, steps)."""
    return np.array([[side.get(name, 0) for side in sides] for name in names], dtype=int).reshape(
        len(names), len(sides)
    )


def _first_family(families: list[str], sides: list[dict[str, int]]) -> np.ndarray:
    """Index of the family of the first species of each side."""
    return np.array([families.index(next(iter(side)).split("@", 1)[1]) for side in sides], dtype=int)


def _flags(steps: list[Step], column: str) -> np.ndarray:
    """Read a column of True and False, also when CSV made it text."""
    values = [str(step.row[column]) for step in steps]
    for step, value in zip(steps, values, strict=True):
        if value not in ("True", "False"):
            raise InputError(f"step {step.row['step']!r}: column {column!r} is {value!r}; give True or False.")
    return np.array([value == "True" for value in values], dtype=bool)


def find_cycles(network: Network) -> np.ndarray:
    """Find the closed cycles: combinations of steps that change no species and no gas.

    Returns
    -------
    numpy.ndarray
        Orthonormal rows c with `stoichiometry @ c = 0`, shape (cycles, S).
    """
    stoichiometry = np.vstack([network.right - network.left, network.gas_right - network.gas_left])
    return null_space(stoichiometry).T if network.steps else np.zeros((0, 0))


def assert_cycles_close(network: Network, reaction_gibbs_eV: np.ndarray) -> None:
    """Assert that the reaction free energies of every closed cycle add up to zero.

    Parameters
    ----------
    reaction_gibbs_eV : free energies of the steps, eV, shape (..., S); negative is exergonic.

    Raises
    ------
    BalanceError
        A cycle does not close to 1e-9 eV: two states of different energy stand for the same species.
    """
    cycles = find_cycles(network)
    if not cycles.size:
        return
    residues = np.abs(np.asarray(reaction_gibbs_eV) @ cycles.T).reshape(-1, len(cycles)).max(axis=0)
    worst = int(np.argmax(residues))
    if residues[worst] > CYCLE_TOLERANCE_EV:
        names = [name for name, part in zip(network.steps, cycles[worst], strict=True) if abs(part) > 1e-9]
        raise BalanceError(
            f"{network.system}: the free energies of the cycle {', '.join(names)} add up to {residues[worst]:.3g} eV "
            "instead of 0; the same species must have the same state in all of these steps."
        )
