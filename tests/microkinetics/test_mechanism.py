"""Mechanisms written by hand: their tables, and error messages for wrong ones."""

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml

from qdsurf.errors import BalanceError, InputError
from qdsurf.microkinetics.network.mechanism import read_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.rates.landscape import sample_shifts
from qdsurf.units import BOLTZMANN_EV_PER_K

ALUMINA = Path(__file__).parents[2] / "config" / "mechanisms" / "alumina_OH.yaml"


@pytest.fixture(scope="module")
def raw() -> dict:
    return yaml.safe_load(ALUMINA.read_text())


@pytest.fixture
def read(tmp_path):
    def write_and_read(data: dict):
        path = tmp_path / "mechanism.yaml"
        path.write_text(yaml.safe_dump(data))
        return prepare(*read_mechanism(path))

    return write_and_read


def test_the_example_mechanism_balances():
    model = prepare(*read_mechanism(ALUMINA))
    network = model.network
    assert network.species[0] == "OH@surface" and network.initial.tolist() == [1.0] + [0.0] * 5
    assert network.gases == ("TMA", "CH4", "H2O") and network.solids == ("AlOOH",)
    reaction = dict(zip(network.steps, model.landscape(400.0).reaction_gibbs_eV, strict=True))
    assert reaction["TMA_adsorption"] == pytest.approx(-0.655 + 400 * (3.87e-3 - 2.42e-3))
    assert reaction["third_methane"] == pytest.approx(-4.5 + 3.655 - 400 * (1.931e-3 - 1.09e-3))


def test_shared_errors_shift_species_together():
    model = prepare(*read_mechanism(ALUMINA))
    shifts = sample_shifts(model.network, model.tables, 1024, 0)
    reaction = shifts.final_eV - shifts.initial_eV
    spread = dict(zip(model.network.steps, reaction.std(axis=0), strict=True))
    assert spread["TMA_adsorption"] == pytest.approx(0.085, rel=0.02)
    assert spread["first_methane"] == pytest.approx(np.hypot(0.2, 0.085), rel=0.02)
    assert spread["H2O_adsorption"] == pytest.approx(0.085, rel=0.02)  # the exchange before it cancels


def changed(raw: dict, path: tuple, value) -> dict:
    data = copy.deepcopy(raw)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "error", "message"),
    [
        (
            ("species", 2, "formula"),
            "AlC2H5O",
            BalanceError,
            r"step 'first_methane' \(.*\) does not balance: H: 10 -> 9",
        ),
        (("species", 2, "charge"), 1, BalanceError, "'first_methane' .* charge: 0 -> 1"),
        (("species", 2, "charge"), -1, BalanceError, "'first_methane' .* charge: 0 -> -1"),
        (("steps", 1, "equation"), "TMA_OH@surface -> AlMe2@surface", BalanceError, "does not balance: C: 3 -> 2; H"),
        (
            ("steps", 0, "equation"),
            "TMA(g) + OH@surfac -> TMA_OH@surface",
            InputError,
            "unknown species 'OH@surfac'; did",
        ),
        (
            ("steps", 0, "equation"),
            "TMA(g) + OH@surface",
            InputError,
            "step 'TMA_adsorption', .*: write two sides with '->'",
        ),
        (
            ("steps", 0, "equation"),
            "TMA(g) + 2 OH@surface -> TMA_OH@surface",
            BalanceError,
            "'surface' are not conserved",
        ),
        (("sites", "surface", "density_per_nm2"), -8.0, InputError, "sites.surface.density_per_nm2.*greater than 0"),
        (("species", 1, "name"), "OH@surface", InputError, "species: 'OH@surface' is defined twice"),
        (("species", 1, "name"), "TMA_OH@edge", InputError, "unknown family of sites 'edge'; accepted: surface"),
        (("species", 0, "initial_coverage"), 0.7, InputError, "occupy 0.7 of family 'surface' instead of 1"),
        (("species", 0, "blocks"), {"surface": 1}, InputError, "sites.surface.empty must name a species"),
        (("species", 0, "formula"), "Qx2", InputError, "cannot read the formula 'Qx2'; write it like AlC3H9"),
        (("steps", 0, "activation_entropy_eV_per_K"), 1e-4, InputError, "collision theory includes the entropy"),
        (("steps", 1, "sticking_coefficient"), 0.5, InputError, "no gas molecule adsorbs; omit sticking_coefficient"),
        (("shared_errors", 0, "loadings_eV"), {"TMA@surface": 0.1}, InputError, "unknown species 'TMA@surface'"),
        (("temperature_range_K",), [500.0, 300.0], InputError, "give the lower one first"),
        (("steps", 1, "barrier"), 1.0, InputError, "steps.1.barrier"),
    ],
)
def test_errors_of_a_mechanism_are_named(raw, read, path, value, error, message):
    with pytest.raises(error, match=message):
        read(changed(raw, path, value))


def test_a_saddle_point_below_an_end_gives_a_warning(raw, read):
    data = changed(raw, ("species", 2, "energy_eV"), 0.3)
    data["species"][3]["energy_eV"] = data["species"][2]["energy_eV"] - 0.655
    with pytest.warns(
        UserWarning, match=r"step 'first_methane': the saddle \(0.715 eV .*\) lies below an end \(0.955 eV\)"
    ):
        model = read(data)
    rates = model.rates(400.0)
    step = model.network.steps.index("first_methane")
    assert rates.reverse_per_s[step] <= BOLTZMANN_EV_PER_K * 400 / 4.135667696e-15 * (1 + 1e-12)


def test_a_correct_mechanism_gives_no_warning(raw, read):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(raw)


def test_a_temperature_outside_the_range_is_rejected():
    model = prepare(*read_mechanism(ALUMINA))
    with pytest.raises(
        InputError, match=r"no free energies at 250.0 K. Column gibbs_eV of the tables is known from 291.15 to 673.15 K"
    ):
        model.rates(250.0)
