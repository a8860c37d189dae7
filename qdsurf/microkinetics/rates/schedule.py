"""From a recipe to partial pressures: what stands above the surface, and for how long."""

from typing import NamedTuple

from qdsurf.errors import InputError
from qdsurf.microkinetics.rates.vapour import speciate, vapour_pressure
from qdsurf.records import library
from qdsurf.records.models import Precursor, Recipe, RecipeStep


class Piece(NamedTuple):
    """A stretch of time with constant supply of gas.

    Attributes
    ----------
    duration_s : length.
    pressures_Pa : partial pressure of the supply by name of the molecule; a gas that is not named is absent.
    time_constant_s : with which the pressures follow the supply; 0: at once.
    area_per_volume_per_m : of a closed cell, whose gas the surface uses up; 0: the supply goes on.
    """

    duration_s: float
    pressures_Pa: dict[str, float]
    time_constant_s: float = 0.0
    area_per_volume_per_m: float = 0.0


Schedule = list[Piece]


def precursor_pressure(recipe: Recipe, precursor: Precursor | None = None) -> float:
    """Pressure in Pa of the first precursor step of a recipe, all forms of the precursor together."""
    return _supply(_first_precursor(recipe), precursor)


def _first_precursor(recipe: Recipe) -> RecipeStep:
    for step in recipe.steps:
        if step.role == "precursor":
            return step
    raise InputError(f"recipe {recipe.name!r} has no step with role 'precursor'; nothing would reach the surface.")


def schedule_recipe(
    recipe: Recipe,
    precursor: Precursor | None = None,
    temperature_K: float | None = None,
    pressure_Pa: float | None = None,
) -> Schedule:
    """Turn a recipe into durations and partial pressures.

    The first precursor of the recipe is replaced by the given one, also where the recipe was published for another;
    further precursors stay. A pressure counts all forms of a molecule: with an oligomer it is shared at equilibrium,
    at the temperature of the surface or, frozen, at that of the source, and only the monomer reacts (the oligomer
    has no step in the network). A gas that is not named is absent; that, and no flag, makes a step irreversible.

    Parameters
    ----------
    precursor : absent: the recipe's own, with what the library knows of it.
    temperature_K : of the surface, K; that of the recipe if absent.
    pressure_Pa : of every step with the first precursor, Pa; that of the recipe if absent.

    Raises
    ------
    InputError
        The recipe has no precursor step, a vapour pressure is unknown, or temperature or pressure are out of range.
    """
    temperature = recipe.temperature_K if temperature_K is None else temperature_K
    replaced = _first_precursor(recipe).species
    schedule = []
    for step in recipe.steps:
        gases = {}
        if step.role != "purge":
            chosen = step.species == replaced
            record = precursor if chosen and precursor is not None else _known_precursor(step.species)
            name = record.name if record is not None else step.species
            total = pressure_Pa if chosen and pressure_Pa is not None else _supply(step, record)
            source = step.source_temperature_K if recipe.speciation == "frozen" else None
            gases = _forms(name, record, temperature if source is None else source, total)
        schedule.append(Piece(step.duration_s, gases, step.time_constant_s, step.area_per_volume_per_m))
    return schedule


def _known_precursor(species: str) -> Precursor | None:
    return library.precursor(species) if species in library.names("precursors") else None


def _supply(step: RecipeStep, record: Precursor | None) -> float:
    """Total pressure of a step, Pa: as given, or the vapour pressure at the source."""
    if step.pressure_Pa is not None:
        return step.pressure_Pa
    record = record or _known_precursor(step.species)
    if record is None or record.vapour_pressure is None:
        raise InputError(f"recipe step {step.species}: no vapour pressure on record; give pressure_Pa.")
    return vapour_pressure(record.vapour_pressure, step.source_temperature_K)


def _forms(name: str, record: Precursor | None, temperature_K: float, pressure_Pa: float) -> dict[str, float]:
    """Partial pressures in Pa of the forms of a molecule."""
    if not (temperature_K > 0 and pressure_Pa >= 0):
        raise InputError(f"precursor {name} at {temperature_K} K, {pressure_Pa} Pa: give T > 0 and p >= 0.")
    if record is None or record.oligomer is None:
        return {name: pressure_Pa}
    monomer, oligomer = speciate(record.oligomer, temperature_K, pressure_Pa)
    return {name: monomer, record.oligomer.molecule.name: oligomer}
