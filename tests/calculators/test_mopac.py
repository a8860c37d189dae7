"""MOPAC: forces are the gradient, the initial density does not change the energy, and slabs need no third vector."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from qdsurf.calculators.mopac import Mopac
from qdsurf.calculators.registry import CODES, make_calculator, supported_elements
from qdsurf.errors import CalculationError
from qdsurf.records.models import CalculatorSpec


def salt(periodic: tuple[bool, bool, bool] = (True, True, False)) -> Atoms:
    """A CsBr layer of 11.7 x 11.7 A with a water molecule on it."""
    layer = Atoms("CsBr", [(0, 0, 0), (2.93, 2.93, 0)], cell=[5.87, 5.87, 25], pbc=periodic).repeat((2, 2, 1))
    layer.rattle(0.05, seed=1)
    water = molecule("H2O")
    water.translate([3.0, 3.0, 3.4])
    return layer + water


@pytest.mark.parametrize("method", CODES["mopac"].methods)
@pytest.mark.parametrize("make", [lambda: molecule("CH3OH"), salt], ids=["molecule", "slab"])
def test_forces_are_the_gradient_of_the_energy(method, make):
    atoms = make()
    atoms.calc = Mopac(method, tolerance=0.01)
    forces, step = atoms.get_forces(), 0.005
    for i, axis in ((0, 2), (len(atoms) - 1, 0)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[i, axis] += sign * step
            moved.calc = Mopac(method, tolerance=0.01)
            energies.append(moved.get_potential_energy())
        assert forces[i, axis] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=0.02)


def test_the_initial_density_does_not_change_the_energy():
    warm = salt()
    warm.calc = Mopac()
    warm.get_potential_energy()
    warm.rattle(0.05, seed=3)
    cold = warm.copy()
    cold.calc = Mopac()
    assert warm.get_potential_energy() == pytest.approx(cold.get_potential_energy(), abs=2e-3)


def test_another_molecule_starts_from_a_fresh_guess():
    calculator = Mopac()
    for name in ("H2O", "CH4", "H2O"):
        atoms = molecule(name)
        atoms.calc = calculator
        energy = atoms.get_potential_energy()
    # -57.8 kcal/mol in PM7 (10.1007/s00894-012-1667-x); this geometry is not relaxed
    assert energy == pytest.approx(-57.8 * 0.04336, abs=0.05)


def test_the_heat_of_formation_is_in_electronvolt():
    atoms = molecule("CH4")
    atoms.calc = make_calculator(CalculatorSpec(name="mopac"))
    assert atoms.get_potential_energy() == pytest.approx(-17.9 * 0.04336, abs=0.2)  # -17.9 kcal/mol by experiment


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (Atoms("H2", [(0, 0, 0), (0, 0, 0)]), "SEPARATED BY 0.0000 ANGSTROMS"),
        (Atoms("H2", [(0, 0, 0), (0, 0, np.nan)]), "SCF CALCULATION FAILED"),
        (
            Atoms("H2", [(0, 0, 0), (0, 0, 0.7)], cell=[[5, 0, 0], [5, 0, 0], [0, 0, 9]], pbc=True),
            "Volume of unit cell",
        ),
    ],
)
def test_an_error_of_mopac_is_raised_with_its_text(atoms, words):
    atoms.calc = Mopac()
    with pytest.raises(CalculationError, match=f"MOPAC PM7 of H2: .*{words}"):
        atoms.get_potential_energy()


def test_elements_are_those_with_parameters():
    elements = supported_elements(CalculatorSpec(name="mopac"))
    assert {"H", "Cs", "Pb", "Br", "Al", "Zn", "Ti", "Cd", "Se", "Hf", "Bi"} <= set(elements)
    assert not {"Ce", "Eu", "Yb", "Po", "U"} & set(elements)
    assert len(elements) == len(np.unique(elements)) == 70
