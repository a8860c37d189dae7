import pytest

from qdsurf.errors import InputError
from qdsurf.kinetics.gas import speciate
from qdsurf.kinetics.recipe import precursor_pressure, schedule_recipe
from qdsurf.records import Molecule, Oligomer, Precursor, Recipe

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


def test_the_precursor_of_the_system_replaces_that_of_the_recipe():
    assert schedule_recipe(RECIPE, precursor()) == [(0.5, {"TMA": 10.0}), (30.0, {}), (1.0, {"H2O": 20.0})]


def test_the_oligomer_takes_its_part_at_the_temperature():
    for temperature in (None, 400.0):
        (_, gases), *_ = schedule_recipe(RECIPE, precursor(DIMER), temperature_K=temperature, pressure_Pa=5.0)
        assert (gases["TMA"], gases["Al2Me6"]) == speciate(DIMER, temperature or 313.15, 5.0)


def test_a_recipe_without_precursor_or_with_a_negative_pressure_is_refused():
    with pytest.raises(InputError, match="recipe 'purge' has no step with role 'precursor'"):
        precursor_pressure(Recipe(name="purge", temperature_K=300, steps=STEPS[1:2], source="assumed"))
    with pytest.raises(InputError, match=r"precursor TMA at 313.15 K, -1.0 Pa: give T > 0 and p >= 0"):
        schedule_recipe(RECIPE, precursor(), pressure_Pa=-1.0)
