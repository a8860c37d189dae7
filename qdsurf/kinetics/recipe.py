"""From a recipe to partial pressures: what stands above the surface, and for how long."""

from qdsurf.errors import InputError
from qdsurf.kinetics.gas import speciate
from qdsurf.records import Precursor, Recipe


def precursor_pressure(recipe: Recipe) -> float:
    """Pressure in Pa of the first precursor step of a recipe, all forms of the precursor together."""
    for step in recipe.steps:
        if step.role == "precursor":
            return step.pressure_Pa
    raise InputError(f"recipe {recipe.name!r} has no step with role 'precursor'; nothing would reach the surface.")


def schedule_recipe(
    recipe: Recipe,
    precursor: Precursor,
    temperature_K: float | None = None,
    pressure_Pa: float | None = None,
) -> list[tuple[float, dict[str, float]]]:
    """Turn a recipe into durations and partial pressures.

    The precursor step is run with the given precursor, also when the recipe was published for another one. Its
    pressure counts all forms: with an oligomer it is shared at equilibrium, and only the monomer reacts (the
    oligomer has no step in the network). A gas that is not named is absent; that, and no flag, makes a step
    irreversible.

    Parameters
    ----------
    temperature_K : of the vapour, K; that of the recipe if absent.
    pressure_Pa : of every precursor step, Pa; that of the recipe if absent.

    Returns
    -------
    list of (duration, pressures)
        Duration in s; partial pressures in Pa by name of the molecule.

    Raises
    ------
    InputError
        The recipe has no precursor step, or temperature or pressure are out of range.
    """
    temperature = recipe.temperature_K if temperature_K is None else temperature_K
    precursor_pressure(recipe)
    schedule = []
    for step in recipe.steps:
        if step.role == "purge":
            gases = {}
        elif step.role == "coreactant":
            gases = {step.species: step.pressure_Pa}
        else:
            gases = _precursor_gases(precursor, temperature, step.pressure_Pa if pressure_Pa is None else pressure_Pa)
        schedule.append((step.duration_s, gases))
    return schedule


def _precursor_gases(precursor: Precursor, temperature_K: float, pressure_Pa: float) -> dict[str, float]:
    """Partial pressures in Pa of the forms of a precursor."""
    if not (temperature_K > 0 and pressure_Pa >= 0):
        raise InputError(f"precursor {precursor.name} at {temperature_K} K, {pressure_Pa} Pa: give T > 0 and p >= 0.")
    if precursor.oligomer is None:
        return {precursor.name: pressure_Pa}
    monomer, oligomer = speciate(precursor.oligomer, temperature_K, pressure_Pa)
    return {precursor.name: monomer, precursor.oligomer.molecule.name: oligomer}
