"""Partial pressures above the surface as a function of time, from a recipe.

A schedule is a sequence of supply periods. The gas supply is constant within each period, and switches between them.
"""

from typing import NamedTuple

from qdsurf.errors import InputError
from qdsurf.microkinetics.rates.vapour import speciate, vapour_pressure
from qdsurf.records import library
from qdsurf.records.models import Precursor, Recipe, RecipeStep


class SupplyPeriod(NamedTuple):
    """A period of constant gas supply: a pulse, an exposure in a closed cell, or a purge.

    Attributes
    ----------
    duration_s : float
        Duration, s.
    pressures_Pa : dict of str to float
        Partial pressure of each gas in the supply, Pa. A gas that is not named is absent.
    time_constant_s : float
        Time constant with which the pressures follow the supply, s. 0: the pressures switch at once.
    area_per_volume_per_m : float
        Surface area per volume of a closed cell, m^-1; the surface consumes its gas. 0: the supply continues.
    """

    duration_s: float
    pressures_Pa: dict[str, float]
    time_constant_s: float = 0.0
    area_per_volume_per_m: float = 0.0


Schedule = list[SupplyPeriod]


def precursor_pressure(recipe: Recipe, precursor: Precursor | None = None) -> float:
    """Return the total pressure of the first precursor step of a recipe, over all forms of the precursor.

    Parameters
    ----------
    recipe : Recipe
        Recipe of one cycle.
    precursor : Precursor or None
        Precursor that replaces the one of the recipe. None: the precursor of the recipe.

    Returns
    -------
    float
        Pressure, Pa.

    Raises
    ------
    InputError
        The recipe has no precursor step, or the vapour pressure is unknown.
    """
    return _total_pressure(_first_precursor_step(recipe), precursor)


def _first_precursor_step(recipe: Recipe) -> RecipeStep:
    """Return the first step with the role precursor."""
    for step in recipe.steps:
        if step.role == "precursor":
            return step
    raise InputError(
        f"recipe {recipe.name!r} has no step with role 'precursor', so the surface is exposed to no precursor; add one."
    )


def schedule_recipe(
    recipe: Recipe,
    precursor: Precursor | None = None,
    temperature_K: float | None = None,
    pressure_Pa: float | None = None,
) -> Schedule:
    """Convert a recipe into durations and partial pressures.

    The given precursor replaces the first precursor of the recipe, even if the recipe was published for another one.
    Further precursors remain.

    A pressure counts all forms of a molecule. If it has an oligomer, the pressure is divided between monomer and
    oligomer at equilibrium, at the temperature of the surface or, if the speciation is frozen, of the source. Only the
    monomer reacts, because the network has no step of the oligomer.

    A gas that is not named is absent. Its absence alone makes a step irreversible; no flag does.

    Parameters
    ----------
    recipe : Recipe
        Recipe of one cycle.
    precursor : Precursor or None
        Precursor that replaces the first one. None: the precursor of the recipe, with its record in the library.
    temperature_K : float or None
        Temperature of the surface, K. None: that of the recipe.
    pressure_Pa : float or None
        Pressure of every step with the first precursor, Pa. None: that of the recipe.

    Returns
    -------
    list of SupplyPeriod
        One period for each step of the recipe.

    Raises
    ------
    InputError
        The recipe has no precursor step, a vapour pressure is unknown, or temperature or pressure are out of range.
    """
    temperature = recipe.temperature_K if temperature_K is None else temperature_K
    replaced = _first_precursor_step(recipe).species
    schedule = []
    for step in recipe.steps:
        gases: dict[str, float] = {}
        if step.role != "purge":
            is_replaced = step.species == replaced
            record = precursor if is_replaced and precursor is not None else _known_precursor(step.species)
            name = record.name if record is not None else step.species
            total = pressure_Pa if is_replaced and pressure_Pa is not None else _total_pressure(step, record)
            source = step.source_temperature_K if recipe.speciation == "frozen" else None
            gases = _partial_pressures(name, record, temperature if source is None else source, total)
        schedule.append(SupplyPeriod(step.duration_s, gases, step.time_constant_s, step.area_per_volume_per_m))
    return schedule


def _known_precursor(species: str) -> Precursor | None:
    """Return the record of a precursor, or None if the library has none."""
    return library.precursor(species) if species in library.names("precursors") else None


def _total_pressure(step: RecipeStep, record: Precursor | None) -> float:
    """Return the total pressure of a step, Pa: the given one, or the vapour pressure at the source."""
    if step.pressure_Pa is not None:
        return step.pressure_Pa
    record = record or _known_precursor(step.species)
    if record is None or record.vapour_pressure is None or step.source_temperature_K is None:
        raise InputError(f"recipe step {step.species}: no vapour pressure on record; give pressure_Pa.")
    return vapour_pressure(record.vapour_pressure, step.source_temperature_K)


def _partial_pressures(
    name: str, record: Precursor | None, temperature_K: float, pressure_Pa: float
) -> dict[str, float]:
    """Return the partial pressures of the monomer and of the oligomer of a molecule, Pa."""
    if not (temperature_K > 0 and pressure_Pa >= 0):
        raise InputError(f"precursor {name} at {temperature_K} K, {pressure_Pa} Pa: give T > 0 and p >= 0.")
    if record is None or record.oligomer is None:
        return {name: pressure_Pa}
    monomer, oligomer = speciate(record.oligomer, temperature_K, pressure_Pa)
    return {name: monomer, record.oligomer.molecule.name: oligomer}
