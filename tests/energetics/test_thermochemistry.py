"""Free energies against closed forms and measured entropies."""

import numpy as np
import pytest
from ase.build import molecule

from qdsurf.config import ThermochemistrySpec
from qdsurf.energetics.thermochemistry import (
    adsorbed_correction,
    gas_correction,
    harmonic_correction,
    internal_modes,
    is_linear,
)
from qdsurf.units import BOLTZMANN_EV_PER_K, INVERSE_CM_EV, KJ_PER_MOL_EV

SETTINGS = ThermochemistrySpec(lowest_mode_cm=1.0)
EXTERNAL = [0.0] * 6
# Fundamental wavenumbers in cm-1 and standard entropies at 298.15 K and 1 bar in J/mol/K: NIST Chemistry WebBook.
WATER = (np.array([1595.0, 3657.0, 3756.0]), 2, 188.84)
METHANE = (np.array([1306.0] * 3 + [1534.0] * 2 + [2917.0] + [3019.0] * 3), 12, 186.25)


def entropy(name: str, wavenumbers: np.ndarray, symmetry: int) -> float:
    """S in J/mol/K as the slope of the correction, by central differences."""
    modes = np.concatenate([EXTERNAL, wavenumbers * INVERSE_CM_EV])
    low, high = (gas_correction(molecule(name), modes, symmetry, 298.15 + d, SETTINGS) for d in (-0.5, 0.5))
    return -(high - low) / KJ_PER_MOL_EV * 1e3


@pytest.mark.parametrize(("name", "data"), [("H2O", WATER), ("CH4", METHANE)])
def test_entropy_of_a_molecule_is_the_measured_one(name, data):
    wavenumbers, symmetry, measured = data
    assert entropy(name, wavenumbers, symmetry) == pytest.approx(measured, abs=0.5)  # rigid rotor, harmonic


def test_pressure_is_the_standard_pressure():
    wavenumbers, symmetry, _ = WATER
    modes = np.concatenate([EXTERNAL, wavenumbers * INVERSE_CM_EV])
    from ase.thermochemistry import IdealGasThermo

    thermo = IdealGasThermo(modes[6:], "nonlinear", atoms=molecule("H2O"), symmetrynumber=2, spin=0)
    expected = thermo.get_gibbs_energy(300.0, 1e5, verbose=False)
    assert gas_correction(molecule("H2O"), modes, symmetry, 300.0, SETTINGS) == pytest.approx(expected)


def test_soft_and_imaginary_modes_are_raised_and_external_ones_left_out():
    modes = np.array([-0.001, 1e-5, -2e-5, 3e-5, 1e-6, 2e-6, -0.02, 0.001, 0.2])
    raised = internal_modes(modes, molecule("H2O"), 50.0)
    assert len(raised) == 3
    assert raised.min() == pytest.approx(50 * INVERSE_CM_EV) and raised.max() == pytest.approx(0.2)


def test_linear_molecules_are_recognised():
    assert is_linear(molecule("CO2")) and is_linear(molecule("N2")) and not is_linear(molecule("H2O"))


def test_an_adsorbate_keeps_less_freedom_than_the_gas():
    modes = np.concatenate([EXTERNAL, WATER[0] * INVERSE_CM_EV])
    gas = gas_correction(molecule("H2O"), modes, 2, 313.15, SETTINGS)
    held = adsorbed_correction(molecule("H2O"), modes, 313.15, 5.0, SETTINGS)
    assert held > gas


def test_fewer_sites_give_an_adsorbate_more_room():
    modes = np.concatenate([EXTERNAL, WATER[0] * INVERSE_CM_EV])
    settings = ThermochemistrySpec(translation_barrier_eV=1e-4)
    dense, dilute = (adsorbed_correction(molecule("H2O"), modes, 400.0, d, settings) for d in (10.0, 1.0))
    # nearly free in two dimensions: the area enters as -kT ln A
    assert dense - dilute == pytest.approx(BOLTZMANN_EV_PER_K * 400 * np.log(10), rel=0.05)


def test_a_harmonic_state_has_the_free_energy_of_its_oscillators():
    modes, kT = np.array([100.0, 1500.0]) * INVERSE_CM_EV, BOLTZMANN_EV_PER_K * 313.15
    expected = np.sum(modes / 2 + kT * np.log(1 - np.exp(-modes / kT)))
    assert harmonic_correction(modes, 313.15, 50.0) == pytest.approx(expected)


def test_soft_and_imaginary_modes_of_a_state_are_raised():
    soft = harmonic_correction(np.array([50.0, 50.0]) * INVERSE_CM_EV, 313.15, 50.0)
    assert harmonic_correction(np.array([-0.02, 1e-4]), 313.15, 50.0) == pytest.approx(soft)


def test_a_bare_crystal_has_no_modes():
    assert harmonic_correction([], 313.15, 50.0) == 0.0
