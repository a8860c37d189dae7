"""Calculators by name: wrong names, parameters and elements are refused before a calculation starts."""

import json

import pytest
from ase import Atoms
from ase.build import molecule

from qdsurf.calculators.registry import (
    CODES,
    assert_supported,
    describe_calculator,
    make_calculator,
    supported_elements,
)
from qdsurf.errors import InputError, UnsupportedElementError
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch

EMT = CalculatorSpec(name="emt")


def spec(name: str, **parameters) -> CalculatorSpec:
    return CalculatorSpec(name=name, parameters=parameters)


@pytest.mark.parametrize("name", ["sevennet", "emt", "tblite", "mopac"])
def test_every_known_name_has_an_energy(name):
    atoms = molecule("CO")
    atoms.calc = make_calculator(spec(name))
    assert atoms.get_potential_energy() == atoms.get_potential_energy()


def test_parameters_are_passed_to_an_imported_class():
    calculator = make_calculator(spec("ase.calculators.lj:LennardJones", sigma=3.4, epsilon=0.01))
    assert (calculator.parameters.sigma, calculator.parameters.epsilon) == (3.4, 0.01)


@pytest.mark.parametrize("method", CODES["tblite"].methods)
def test_methods_of_tblite_differ(method):
    atoms = molecule("H2O")
    atoms.calc = make_calculator(spec("tblite", method=method))
    reference = {"GFN1-xTB": -156.96, "GFN2-xTB": -137.97, "IPEA1-xTB": -158.54}[method]  # eV, from tblite itself
    assert atoms.get_potential_energy() == pytest.approx(reference, abs=0.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (spec("tblit"), "calculator.name: unknown calculator 'tblit'; did you mean 'tblite'"),
        (
            spec("vasp"),
            "unknown calculator 'vasp'.*Accepted: cp2k, emt, .*module:Class, .*, sevennet, sevennet-torch, tblite",
        ),
        (spec("tblite", method="GFN3"), "unknown tblite method 'GFN3'.*Accepted: GFN1-xTB, GFN2-xTB, IPEA1-xTB"),
        (spec("mopac", method="PM8"), "unknown mopac method 'PM8'.*Accepted: PM6, PM6-D3H4, PM7"),
        (spec("tblite", methd="GFN2-xTB"), "calculator.parameters: tblite does not accept .*'methd'"),
        (spec("emt", asap=True), "calculator.parameters"),
        (spec("no_such_module:Class"), "'no_such_module:Class' cannot be imported: No module named"),
        (spec("ase.calculators.lj:Nothing"), "cannot be imported: .*has no attribute 'Nothing'"),
        (spec("ase.calculators.lj:"), "unknown calculator"),
        (spec(":LennardJones"), "unknown calculator|cannot be imported"),
        (spec(""), "unknown calculator"),
    ],
)
def test_an_unknown_name_or_parameter_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        make_calculator(given)


def test_an_unsupported_element_is_refused_with_the_supported_ones():
    with pytest.raises(UnsupportedElementError, match="emt has no parameters for Pb, S; it supports Ag, Al, Au, C, Cu"):
        assert_supported(EMT, ["S", "Ag", "Pb", "S"])
    with pytest.raises(UnsupportedElementError, match="tblite GFN2-xTB has no parameters for U; it supports .*Rn"):
        assert_supported(spec("tblite", method="GFN2-xTB"), ["U", "O"])


def test_listed_elements_are_supported():
    assert_supported(EMT, supported_elements(EMT))
    assert_supported(spec("tblite"), ["H", "Pb", "Cs", "Rn"])
    assert_supported(
        spec("ase.calculators.lj:LennardJones"), ["U", "Pb"]
    )  # its elements are unknown, so all are accepted


def test_an_unsupported_element_stops_a_batch_before_its_first_calculation(capsys):
    with pytest.raises(UnsupportedElementError, match="Pb"):
        relax_batch([molecule("H2O"), molecule("CO"), molecule("CH4"), Atoms("Pb")], EMT)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("given", [EMT, spec("tblite", method="GFN2-xTB"), spec("ase.calculators.lj:LennardJones")])
def test_a_description_is_plain_data_with_a_version(given):
    description = json.loads(json.dumps(describe_calculator(given)))
    assert description["name"] == given.name and description["parameters"] == given.parameters
    assert description["version"][0].isdigit()
    assert ("blas" in description) == (given.name == "tblite")
