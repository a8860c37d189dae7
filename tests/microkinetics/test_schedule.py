"""Partial pressures of recipes."""

import pytest
from pydantic import ValidationError

from qdsurf.errors import InputError
from qdsurf.microkinetics.rates.schedule import SupplyPeriod, precursor_pressure, schedule_recipe
from qdsurf.microkinetics.rates.vapour import speciate, vapour_pressure
from qdsurf.records import library
from qdsurf.records.models import Molecule, Oligomer, Precursor, Recipe

STEPS = (
    {"role": "precursor", "species": "ZnEt2", "pressure_Pa": 10.0, "duration_s": 0.5},
    {"role": "purge", "species": "inert", "pressure_Pa": 100.0, "duration_s": 30.0},
    {"role": "coreactant", "species": "H2O", "pressure_Pa": 20.0, "duration_s": 1.0},
)
RECIPE = Recipe(name="fast", temperature_K=313.15, steps=STEPS, source="assumed for the test")
DIMER = Oligomer(
    molecule=Molecule(name="Al2Me6", smiles="C"),
    units=2,
    dissociation_enthalpy_eV=0.885,
    dissociation_entropy_eV_per_K=1.865e-3,
    source="assumed for the test",
)


def precursor(oligomer=None) -> Precursor:
    molecule = Molecule(name="CH4", smiles="C")
    return Precursor(
        name="TMA",
        smiles="C[Al](C)C",
        metal="Al",
        leaving="C",
        by_product=molecule,
        oligomer=oligomer,
        source="assumed for the test",
    )


def test_the_given_precursor_replaces_that_of_the_recipe():
    schedule = [SupplyPeriod(0.5, {"TMA": 10.0}), SupplyPeriod(30.0, {}), SupplyPeriod(1.0, {"H2O": 20.0})]
    assert schedule_recipe(RECIPE, precursor()) == schedule


def test_the_pressure_is_divided_between_monomer_and_oligomer():
    for temperature in (None, 400.0):
        gases = schedule_recipe(RECIPE, precursor(DIMER), temperature_K=temperature, pressure_Pa=5.0)[0].pressures_Pa
        assert (gases["TMA"], gases["Al2Me6"]) == speciate(DIMER, temperature or 313.15, 5.0)


def test_a_recipe_without_precursor_or_with_a_negative_pressure_is_rejected():
    with pytest.raises(InputError, match="recipe 'purge' has no step with role 'precursor'"):
        precursor_pressure(Recipe(name="purge", temperature_K=300, steps=STEPS[1:], source="assumed"))
    with pytest.raises(InputError, match=r"precursor TMA at 313.15 K, -1.0 Pa: give T > 0 and p >= 0"):
        schedule_recipe(RECIPE, precursor(), pressure_Pa=-1.0)


def test_several_precursors_keep_their_names_and_only_the_first_is_replaced():
    steps = (*STEPS[:2], STEPS[0] | {"species": "TDMAT", "pressure_Pa": 1.0})
    recipe = Recipe(name="two", temperature_K=313.15, steps=steps, source="assumed for the test")
    assert [period.pressures_Pa for period in schedule_recipe(recipe, precursor(), pressure_Pa=7.0)] == [
        {"TMA": 7.0},
        {},
        {"TDMAT": 1.0},
    ]


def test_without_a_given_precursor_the_record_of_the_library_is_used():
    recipe = RECIPE.model_copy(update={"steps": (RECIPE.steps[0].model_copy(update={"species": "TMA"}),)})
    gases = schedule_recipe(recipe)[0].pressures_Pa
    assert gases.keys() == {"TMA", "Al2Me6"} and sum(gases.values()) == pytest.approx(10.0)


def test_pressure_and_frozen_speciation_of_the_source():
    step = {"role": "precursor", "species": "TMA", "duration_s": 1.0, "source_temperature_K": 303.15}
    common = {"name": "source", "temperature_K": 473.15, "steps": (step,), "source": "assumed for the test"}
    warm, cold = (
        schedule_recipe(Recipe(**common, speciation=how))[0].pressures_Pa for how in ("equilibrium", "frozen")
    )
    total = vapour_pressure(library.precursor("TMA").vapour_pressure, 303.15)
    assert sum(warm.values()) == pytest.approx(total) == pytest.approx(sum(cold.values()))
    assert warm["TMA"] / total > 0.9 and cold["TMA"] / total < 0.05
    assert precursor_pressure(Recipe(**common)) == pytest.approx(total)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pressure_Pa": None}, "give pressure_Pa, or source_temperature_K for its vapour pressure"),
        ({"pressure_Pa": 0.0}, "no step exposes the surface to a gas"),
        (
            {"time_constant_s": 1.0, "area_per_volume_per_m": 1.0},
            "a closed cell .* has no supply; remove time_constant_s",
        ),
    ],
)
def test_impossible_recipes_are_rejected(change, message):
    with pytest.raises(ValidationError, match=message):
        Recipe(name="odd", temperature_K=300, steps=(STEPS[0] | change,), source="assumed")


def test_frozen_speciation_needs_the_temperature_of_the_source():
    with pytest.raises(ValidationError, match="speciation 'frozen' needs source_temperature_K in the step of ZnEt2"):
        Recipe(name="odd", temperature_K=300, speciation="frozen", steps=STEPS[:1], source="assumed")


def test_a_vapour_pressure_that_is_unknown_or_outside_its_range_is_rejected():
    step = {"role": "precursor", "species": "TMA", "duration_s": 1.0, "source_temperature_K": 600.0}
    recipe = Recipe(name="hot", temperature_K=473.15, steps=(step,), source="assumed for the test")
    with pytest.raises(InputError, match=r"vapour pressure at 600.0 K: the record is valid from 290.0 to 400.0 K"):
        schedule_recipe(recipe)
    with pytest.raises(InputError, match="recipe step TMA: no vapour pressure on record; give pressure_Pa"):
        schedule_recipe(recipe, precursor())
