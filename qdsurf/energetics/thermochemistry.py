"""From normal modes to free energies: ideal gas for molecules, hindered motion or soft modes for adsorbates."""

import numpy as np
from ase import Atoms
from ase.thermochemistry import IdealGasThermo
from scipy import constants
from scipy.special import ive

from qdsurf.records.settings import ThermochemistrySpec
from qdsurf.units import (
    AMU_KG,
    BOLTZMANN_EV_PER_K,
    EV_J,
    INVERSE_CM_EV,
    NM2_PER_M2,
    PLANCK_EV_S,
    STANDARD_PRESSURE_PA,
)

ROTATIONAL_MINIMA = 3  # of an adsorbate about the normal: assumed, as for a methyl-like foot
# Rotor of the size of a molecule, to which the moment of inertia of a soft mode tends (10.1002/chem.201200497, eq. 4).
MEAN_INERTIA_KG_M2 = 1e-44
DAMPING_POWER = 4  # of the switch between rotor and oscillator (10.1002/chem.201200497, eq. 8)


def internal_modes(modes: np.ndarray, atoms: Atoms, lowest_cm: float) -> np.ndarray:
    """The vibrations of a molecule, without its translations and rotations.

    Parameters
    ----------
    modes : energies of all 3 N modes in eV, imaginary ones negative.
    lowest_cm : softer and imaginary modes are raised to this wavenumber (quasi-harmonic approximation,
        10.1021/jp205508z), so that a methyl rotor does not carry the entropy of a free particle.

    Returns
    -------
    Energies in eV, shape (3 N - 6,), (3 N - 5,) for a linear molecule, or (0,) for an atom.
    """
    if len(atoms) == 1:
        return np.zeros(0)
    external = 5 if is_linear(atoms) else 6
    # The external modes are those nearest to zero.
    internal = np.sort(np.asarray(modes)[np.argsort(np.abs(modes))][external:])
    return np.maximum(internal, lowest_cm * INVERSE_CM_EV)


def is_linear(atoms: Atoms) -> bool:
    """Whether all atoms lie on a line (smallest moment of inertia below 1e-3 u A^2)."""
    return len(atoms) == 2 or bool(np.min(atoms.get_moments_of_inertia()) < 1e-3)


def gas_correction(
    atoms: Atoms,
    modes: np.ndarray,
    symmetry_number: int,
    temperature_K: float,
    settings: ThermochemistrySpec,
    spin_multiplicity: int = 1,
) -> float:
    """G(T, p0) - E of an ideal-gas molecule or atom in eV, at the standard pressure of 1 bar.

    Parameters
    ----------
    symmetry_number, spin_multiplicity : of the record; 2 S + 1 spin states of one energy.
    """
    shape = "monatomic" if len(atoms) == 1 else "linear" if is_linear(atoms) else "nonlinear"
    thermo = IdealGasThermo(
        vib_energies=internal_modes(modes, atoms, settings.lowest_mode_cm),
        geometry=shape,
        atoms=atoms,
        symmetrynumber=symmetry_number,
        spin=(spin_multiplicity - 1) / 2,
    )
    return thermo.get_gibbs_energy(temperature_K, STANDARD_PRESSURE_PA, verbose=False)


def adsorbed_correction(
    atoms: Atoms, modes: np.ndarray, temperature_K: float, density_per_nm2: float, settings: ThermochemistrySpec
) -> float:
    """Free energy minus electronic energy, in eV, of a molecule that is held by a surface.

    Internal modes are those of the free molecule. Of the six external ones two are hindered translations, one a
    hindered rotation about the normal, the others are oscillations at `frustrated_mode_cm`. The value is that of one
    molecule on one site of its own: the entropy of mixing over the sites belongs to the kinetics.

    Parameters
    ----------
    density_per_nm2 : of the sites on which the adsorbate moves.
    """
    internal = internal_modes(modes, atoms, settings.lowest_mode_cm)
    turns = len(atoms) > 1
    frustrated = 3 * len(atoms) - len(internal) - 2 - turns
    vibrations = [*internal, *[settings.frustrated_mode_cm * INVERSE_CM_EV] * frustrated]
    mass_kg = atoms.get_masses().sum() * AMU_KG
    slide_Hz = np.sqrt(settings.translation_barrier_eV * EV_J * density_per_nm2 * NM2_PER_M2 / (2 * mass_kg))
    free_energy = harmonic_correction(vibrations, temperature_K, 0.0)
    free_energy += 2 * hindered_free_energy(settings.translation_barrier_eV, slide_Hz, temperature_K)
    if turns:
        inertia = atoms.get_moments_of_inertia()[2] * AMU_KG * 1e-20  # the largest, in kg m^2
        turn_Hz = ROTATIONAL_MINIMA / (2 * np.pi) * np.sqrt(settings.rotation_barrier_eV * EV_J / (2 * inertia))
        free_energy += hindered_free_energy(settings.rotation_barrier_eV, turn_Hz, temperature_K)
    return free_energy


def hindered_free_energy(barrier_eV: float, frequency_Hz: float, temperature_K: float) -> float:
    """Free energy in eV of one particle that slides or turns over a cosine barrier.

    An oscillator's quantum partition function times the classical ratio of hindered rotor to oscillator, with the zero
    point lowered at small barriers (Hill; 10.1021/acs.jpcc.5b11616, eqs 3 to 12).

    Parameters
    ----------
    frequency_Hz : of small oscillations in one of the minima.
    """
    quantum, kT = PLANCK_EV_S * frequency_Hz, BOLTZMANN_EV_PER_K * temperature_K
    t, r = kT / quantum, barrier_eV / quantum
    x = r / (2 * t)
    # ln[sqrt(pi r / t) exp(-x) I0(x)]: ive holds the exponential, so that no barrier is too high.
    ratio = 0.5 * np.log(np.pi * r / t) + np.log(ive(0, x))
    lowered_zero_point = 1 / (t * (2 + 16 * r))
    return float(quantum / 2 + kT * (np.log(-np.expm1(-1 / t)) - ratio - lowered_zero_point))


def state_correction(modes: np.ndarray, temperature_K: float, settings: ThermochemistrySpec) -> float:
    """Free energy minus electronic energy, in eV, of a surface state from its partial Hessian."""
    if settings.soft_modes == "raised":
        return harmonic_correction(modes, temperature_K, settings.lowest_mode_cm)
    return soft_mode_correction(modes, temperature_K, settings.switch_cm, settings.lowest_mode_cm)


def harmonic_correction(modes: np.ndarray, temperature_K: float, lowest_cm: float) -> float:
    """Free energy minus electronic energy, in eV, of a state whose atoms vibrate about a resting crystal.

    Parameters
    ----------
    modes : energies of the partial Hessian in eV, imaginary ones negative; softer than `lowest_cm` are raised to it.
    """
    raised = np.maximum(np.asarray(modes, dtype=float), lowest_cm * INVERSE_CM_EV)
    kT = BOLTZMANN_EV_PER_K * temperature_K
    return float(np.sum(raised / 2 + kT * np.log(-np.expm1(-raised / kT))))


def soft_mode_correction(modes: np.ndarray, temperature_K: float, switch_cm: float, lowest_cm: float) -> float:
    """Free energy minus electronic energy, in eV, where soft modes turn rather than vibrate (quasi-RRHO).

    The entropy of a mode goes from that of an oscillator to that of a free rotor as it falls below `switch_cm`;
    energies stay those of oscillators (10.1002/chem.201200497). Nothing here knows a molecule or a cell, so it holds
    for the partial Hessian of a periodic model.

    Parameters
    ----------
    modes : energies of the partial Hessian in eV; imaginary ones, negative, count as modes at `lowest_cm`.
    switch_cm : wavenumber at which both count half.
    """
    energies = np.where(np.asarray(modes, dtype=float) > 0, modes, lowest_cm * INVERSE_CM_EV)
    kT = BOLTZMANN_EV_PER_K * temperature_K
    x = energies / kT
    oscillator = x / np.expm1(x) - np.log(-np.expm1(-x))
    inertia = constants.h**2 / (8 * np.pi**2 * energies * EV_J)
    inertia = inertia * MEAN_INERTIA_KG_M2 / (inertia + MEAN_INERTIA_KG_M2)
    turns = 8 * np.pi**3 * inertia * constants.k * temperature_K / constants.h**2
    rotor = 0.5 + 0.5 * np.log(turns)
    weight = 1 / (1 + (switch_cm * INVERSE_CM_EV / energies) ** DAMPING_POWER)
    internal = energies / 2 + energies / np.expm1(x)
    return float(np.sum(internal - kT * (weight * oscillator + (1 - weight) * rotor)))
