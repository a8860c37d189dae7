"""Free energies compared with closed forms, with ASE and with measured entropies."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.thermochemistry import HarmonicThermo, HinderedThermo, IdealGasThermo, RRHOMode

from qdsurf.energetics.thermochemistry import (
    MEAN_INERTIA_KG_M2,
    adsorbed_correction,
    gas_correction,
    harmonic_correction,
    hindered_free_energy,
    internal_modes,
    is_linear,
    soft_mode_correction,
    state_correction,
)
from qdsurf.records import library
from qdsurf.records.settings import ThermochemistrySpec
from qdsurf.units import BOLTZMANN_EV_PER_K, INVERSE_CM_EV, KJ_PER_MOL_EV, PLANCK_EV_S

SETTINGS = ThermochemistrySpec(lowest_mode_cm=1.0)
EXTERNAL = [0.0] * 6
# Fundamental wavenumbers in cm-1, symmetry number, spin multiplicity, entropy at 298.15 K and 1 bar in J/mol/K.
# H2O, CH4, O2: NIST Chemistry WebBook. C2H6: NIST CCCBDB release 22, wavenumbers of Shimanouchi, entropy of Gurvich.
ETHANE = [2954, 1388, 995, 289, 2896, 1379, *[2969, 1468, 1190, 2985, 1469, 822] * 2]
MEASURED = {
    "H2O": ([1595.0, 3657.0, 3756.0], 2, 1, 188.84),
    "CH4": ([1306.0] * 3 + [1534.0] * 2 + [2917.0] + [3019.0] * 3, 12, 1, 186.25),
    "C2H6": (ETHANE, 6, 1, 229.16),
    "O2": ([1556.0], 2, 3, 205.15),
}
WATER = (np.array(MEASURED["H2O"][0]), 2)


def entropy(name: str) -> float:
    """S in J/mol/K as the slope of the correction, by central differences."""
    wavenumbers, symmetry, spin, _ = MEASURED[name]
    atoms = molecule(name)
    external = [0.0] * (3 * len(atoms) - len(wavenumbers))
    modes = np.concatenate([external, np.array(wavenumbers) * INVERSE_CM_EV])
    low, high = (gas_correction(atoms, modes, symmetry, 298.15 + d, SETTINGS, spin) for d in (-0.5, 0.5))
    return -(high - low) / KJ_PER_MOL_EV * 1e3


@pytest.mark.parametrize("name", MEASURED)
def test_the_entropy_of_a_molecule_agrees_with_experiment(name):
    # rigid rotor, harmonic oscillator; the torsion of ethane is not harmonic, which makes its entropy 0.9 too low
    assert entropy(name) == pytest.approx(MEASURED[name][3], abs=1.0 if name == "C2H6" else 0.5)


@pytest.mark.parametrize("name", ["H2O", "O2"])
def test_records_have_the_measured_symmetry_and_spin(name):
    record = library.get("coreactants", name).molecule
    assert (record.symmetry_number, record.spin_multiplicity) == MEASURED[name][1:3]


def test_the_entropy_of_an_atom_is_that_of_sackur_and_tetrode():
    """Argon, 154.85 J/mol/K at 298.15 K and 1 bar (NIST Chemistry WebBook)."""
    low, high = (gas_correction(Atoms("Ar"), np.zeros(3), 1, 298.15 + d, SETTINGS) for d in (-0.5, 0.5))
    assert -(high - low) / KJ_PER_MOL_EV * 1e3 == pytest.approx(154.85, abs=0.05)


def test_pressure_is_the_standard_pressure():
    wavenumbers, symmetry = WATER
    modes = np.concatenate([EXTERNAL, wavenumbers * INVERSE_CM_EV])
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


def test_an_adsorbate_has_a_higher_free_energy_than_the_gas():
    modes = np.concatenate([EXTERNAL, WATER[0] * INVERSE_CM_EV])
    gas = gas_correction(molecule("H2O"), modes, 2, 313.15, SETTINGS)
    adsorbed = adsorbed_correction(molecule("H2O"), modes, 313.15, 5.0, SETTINGS)
    assert adsorbed > gas


def test_the_free_energy_of_an_adsorbate_decreases_with_the_area_of_a_site():
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


def test_a_state_without_modes_has_no_correction():
    assert harmonic_correction([], 313.15, 50.0) == 0.0


@pytest.mark.parametrize("temperature", [200.0, 313.15, 523.15])
def test_oscillators_and_hindered_motion_are_those_of_ase(temperature):
    modes = np.array([60.0, 400.0, 1500.0, 3000.0]) * INVERSE_CM_EV
    expected = HarmonicThermo(modes).get_helmholtz_energy(temperature, verbose=False)
    assert harmonic_correction(modes, temperature, 50.0) == pytest.approx(expected, abs=1e-6)  # CODATA 2022 and 2014
    water, internal = molecule("H2O"), WATER[0] * INVERSE_CM_EV
    vibrations = [*internal, *[SETTINGS.frustrated_mode_cm * INVERSE_CM_EV] * 3]
    thermo = HinderedThermo(vibrations, 0.1, 0.02, 5e14, 3, atoms=water, symmetrynumber=1)
    # ASE adds the entropy of a two-dimensional gas at 1 bar over the area of a site; here it is part of the kinetics
    n = np.exp(1 / 3) * (1e5 / (units._k * temperature)) ** (2 / 3)
    mixing = BOLTZMANN_EV_PER_K * (1 - np.log(n * thermo.area))
    expected = thermo.get_helmholtz_energy(temperature, verbose=False) + temperature * mixing
    modes = np.concatenate([EXTERNAL, internal])
    assert adsorbed_correction(water, modes, temperature, 5.0, SETTINGS) == pytest.approx(expected, abs=1e-6)


def test_hindered_motion_has_the_limits_of_an_oscillator_and_of_a_rotor():
    frequency, temperature = 2e12, 313.15
    quantum, kT = PLANCK_EV_S * frequency, BOLTZMANN_EV_PER_K * temperature
    oscillator = quantum / 2 + kT * np.log(1 - np.exp(-quantum / kT))
    assert hindered_free_energy(30.0, frequency, temperature) == pytest.approx(oscillator, abs=2e-4)
    # small barrier: a free rotor, whose q = sqrt(pi B / kT) kT / h nu remains finite because nu decreases with sqrt(B)
    low = 1e-6
    free = -kT * np.log(np.sqrt(np.pi * low / kT) * kT / (quantum * np.sqrt(low)))
    assert hindered_free_energy(low, frequency * np.sqrt(low), temperature) == pytest.approx(free, abs=1e-3)


@pytest.mark.parametrize("wavenumber", [5.0, 30.0, 100.0, 400.0, 3000.0])
def test_soft_modes_are_those_of_ase(wavenumber):
    energy, temperature = wavenumber * INVERSE_CM_EV, 313.15
    mode = RRHOMode(energy, MEAN_INERTIA_KG_M2 / (units._amu * 1e-20), tau=100.0)
    internal = mode.get_internal_energy(temperature, contributions=False) + energy / 2
    expected = internal - temperature * mode.get_entropy(temperature, contributions=False)
    harmonic = harmonic_correction([energy], temperature, 0.0)
    includes_zero_point = abs(mode.get_internal_energy(1e-3, contributions=False) - energy / 2) < 1e-9
    expected -= energy / 2 if includes_zero_point else 0.0
    got = soft_mode_correction(np.array([energy]), temperature, 100.0, 50.0)
    assert got == pytest.approx(expected, abs=1e-6)
    if wavenumber > 1000:
        assert got == pytest.approx(harmonic, abs=1e-6)
    if wavenumber < 10:
        assert got > harmonic + 0.02, "a free rotor has less entropy than a soft oscillator"


def test_soft_modes_need_no_molecule_and_no_cell():
    modes = np.array([-0.02, 0.004, 0.1])  # the partial Hessian of a periodic model is a list of energies
    assert state_correction(modes, 313.15, ThermochemistrySpec()) == pytest.approx(
        soft_mode_correction(np.array([50 * INVERSE_CM_EV, 0.004, 0.1]), 313.15, 100.0, 50.0)
    )
    raised = ThermochemistrySpec(soft_modes="raised")
    assert state_correction(modes, 313.15, raised) == harmonic_correction(modes, 313.15, 50.0)
    assert state_correction([], 313.15, ThermochemistrySpec()) == 0.0


@pytest.mark.parametrize("temperature", [291.15, 313.15, 673.15])
def test_cycles_over_three_states_close(temperature):
    """Adsorption, elimination, and the overall step from the covered surface to the film, with both gases."""
    rng = np.random.default_rng(0)
    levels = {name: -1e3 * k + state_correction(rng.uniform(0.001, 0.4, 30), temperature, SETTINGS)
              for k, name in enumerate(("ligated", "adduct", "film"))}  # fmt: skip
    gas = {}
    for name, energy in (("H2O", -76.0), ("CH4", -40.0)):
        wavenumbers, symmetry, spin, _ = MEASURED[name]
        modes = np.concatenate([EXTERNAL, np.array(wavenumbers) * INVERSE_CM_EV])
        gas[name] = energy + gas_correction(molecule(name), modes, symmetry, temperature, SETTINGS, spin)
    adsorption = levels["adduct"] - levels["ligated"] - gas["H2O"]
    elimination = levels["film"] + gas["CH4"] - levels["adduct"]
    overall = levels["film"] + gas["CH4"] - levels["ligated"] - gas["H2O"]
    assert adsorption + elimination - overall == pytest.approx(0.0, abs=1e-10)
