"""Free-energy corrections from normal modes.

Molecules are ideal gases. Adsorbed molecules have hindered translations and rotations. Surface states have the modes of
a partial Hessian, whose soft modes are treated as free rotors or raised.
"""

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
from ase import Atoms
from ase.thermochemistry import IdealGasThermo
from numpy.typing import ArrayLike
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

ROTATIONAL_MINIMA = 3  # in one rotation of an adsorbate about the surface normal; assumed, as for a methyl group
# Average moment of inertia of a molecule, an upper limit for that of a soft mode (10.1002/chem.201200497, eq. 4).
MEAN_INERTIA_KG_M2 = 1e-44
DAMPING_POWER = 4  # of the switching function between rotor and oscillator (10.1002/chem.201200497, eq. 8)
LINEAR_INERTIA_U_A2 = 1e-3  # a molecule whose smallest moment of inertia is below this is linear


def internal_modes(modes: ArrayLike, atoms: Atoms, lowest_cm: float) -> np.ndarray:
    """Return the vibrations of a molecule, without translations and rotations.

    Parameters
    ----------
    modes : array_like
        Energies of all 3 N modes in eV, imaginary ones negative.
    atoms : Atoms
        The molecule.
    lowest_cm : float
        Lowest wavenumber in cm^-1. Softer and imaginary modes are raised to it (quasi-harmonic approximation,
        10.1021/jp205508z), so that the rotation of a methyl group does not have the entropy of a free particle.

    Returns
    -------
    ndarray
        Energies in eV, shape (3 N - 6,), (3 N - 5,) for a linear molecule, or (0,) for an atom.
    """
    if len(atoms) == 1:
        return np.zeros(0)
    external = 5 if is_linear(atoms) else 6
    energies = np.asarray(modes)
    internal = np.sort(energies[np.argsort(np.abs(energies))][external:])  # the external modes are nearest to zero
    return np.maximum(internal, lowest_cm * INVERSE_CM_EV)


def is_linear(atoms: Atoms) -> bool:
    """Whether all atoms of a molecule are on a line."""
    return len(atoms) == 2 or bool(np.min(atoms.get_moments_of_inertia()) < LINEAR_INERTIA_U_A2)


def gas_correction(
    atoms: Atoms,
    modes: ArrayLike,
    symmetry_number: int,
    temperature_K: float,
    settings: ThermochemistrySpec,
    spin_multiplicity: int = 1,
) -> float:
    """Return the free-energy correction G - E of an ideal-gas molecule or atom at the standard pressure of 1 bar.

    Parameters
    ----------
    atoms : Atoms
        Relaxed molecule.
    modes : array_like
        Energies of all 3 N modes in eV, imaginary ones negative.
    symmetry_number : int
        Rotational symmetry number of the record.
    temperature_K : float
        Temperature.
    settings : ThermochemistrySpec
        `lowest_mode_cm` is used.
    spin_multiplicity : int, optional
        Number 2 S + 1 of degenerate spin states.

    Returns
    -------
    float
        Correction in eV.
    """
    shape: Literal["monatomic", "linear", "nonlinear"] = "nonlinear"
    if len(atoms) == 1:
        shape = "monatomic"
    elif is_linear(atoms):
        shape = "linear"
    vibrations = internal_modes(modes, atoms, settings.lowest_mode_cm)
    thermo = IdealGasThermo(
        vib_energies=cast(Sequence[complex], vibrations),  # ASE accepts an array, but declares a sequence
        geometry=shape,
        atoms=atoms,
        symmetrynumber=symmetry_number,
        spin=(spin_multiplicity - 1) / 2,
    )
    return thermo.get_gibbs_energy(temperature_K, STANDARD_PRESSURE_PA, verbose=False)


def adsorbed_correction(
    atoms: Atoms, modes: ArrayLike, temperature_K: float, density_per_nm2: float, settings: ThermochemistrySpec
) -> float:
    """Return the free-energy correction G - E of an adsorbed molecule.

    Internal modes are those of the free molecule. Of the six external modes, two are hindered translations and one is a
    hindered rotation about the surface normal. The others are oscillations at `frustrated_mode_cm`. The correction is
    that of a molecule on a given site. The entropy of mixing over the sites is part of the kinetics.

    Parameters
    ----------
    atoms : Atoms
        Relaxed free molecule.
    modes : array_like
        Energies of all 3 N modes of the free molecule in eV, imaginary ones negative.
    temperature_K : float
        Temperature.
    density_per_nm2 : float
        Density of the sites between which the adsorbate moves.
    settings : ThermochemistrySpec
        Barriers and wavenumbers.

    Returns
    -------
    float
        Correction in eV.
    """
    internal = internal_modes(modes, atoms, settings.lowest_mode_cm)
    rotates = len(atoms) > 1
    frustrated = 3 * len(atoms) - len(internal) - 2 - rotates
    vibrations = [*internal, *[settings.frustrated_mode_cm * INVERSE_CM_EV] * frustrated]
    mass_kg = atoms.get_masses().sum() * AMU_KG
    translation_Hz = np.sqrt(settings.translation_barrier_eV * EV_J * density_per_nm2 * NM2_PER_M2 / (2 * mass_kg))
    free_energy = harmonic_correction(vibrations, temperature_K, 0.0)
    free_energy += 2 * hindered_free_energy(settings.translation_barrier_eV, translation_Hz, temperature_K)
    if rotates:
        largest_inertia = atoms.get_moments_of_inertia()[2] * AMU_KG * 1e-20  # from u A^2 to kg m^2
        rotation_Hz = (
            ROTATIONAL_MINIMA / (2 * np.pi) * np.sqrt(settings.rotation_barrier_eV * EV_J / (2 * largest_inertia))
        )
        free_energy += hindered_free_energy(settings.rotation_barrier_eV, rotation_Hz, temperature_K)
    return free_energy


def hindered_free_energy(barrier_eV: float, frequency_Hz: float, temperature_K: float) -> float:
    """Return the free energy of one translation or rotation in a cosine potential.

    The partition function is that of a quantum oscillator times the classical ratio of hindered rotor and oscillator,
    with a zero-point energy that is lowered for small barriers (Hill; 10.1021/acs.jpcc.5b11616, eqs 3 to 12).

    Parameters
    ----------
    barrier_eV : float
        Height of the barrier.
    frequency_Hz : float
        Frequency of small oscillations about a minimum.
    temperature_K : float
        Temperature.

    Returns
    -------
    float
        Free energy in eV.
    """
    quantum = PLANCK_EV_S * frequency_Hz
    kT = BOLTZMANN_EV_PER_K * temperature_K
    t = kT / quantum
    r = barrier_eV / quantum
    x = r / (2 * t)
    # ln[sqrt(pi r / t) exp(-x) I0(x)]. `ive` includes the exponential, so that a high barrier does not overflow.
    log_ratio = 0.5 * np.log(np.pi * r / t) + np.log(ive(0, x))
    lowered_zero_point = 1 / (t * (2 + 16 * r))
    return float(quantum / 2 + kT * (np.log(-np.expm1(-1 / t)) - log_ratio - lowered_zero_point))


def state_correction(modes: ArrayLike, temperature_K: float, settings: ThermochemistrySpec) -> float:
    """Return the free-energy correction G - E of a surface state from the modes of its partial Hessian.

    Parameters
    ----------
    modes : array_like
        Energies in eV, imaginary ones negative.
    temperature_K : float
        Temperature.
    settings : ThermochemistrySpec
        `soft_modes` selects `harmonic_correction` or `soft_mode_correction`.

    Returns
    -------
    float
        Correction in eV.
    """
    if settings.soft_modes == "raised":
        return harmonic_correction(modes, temperature_K, settings.lowest_mode_cm)
    return soft_mode_correction(modes, temperature_K, settings.switch_cm, settings.lowest_mode_cm)


def harmonic_correction(modes: ArrayLike, temperature_K: float, lowest_cm: float) -> float:
    """Return the free-energy correction G - E of harmonic oscillators.

    Parameters
    ----------
    modes : array_like
        Energies in eV, imaginary ones negative.
    temperature_K : float
        Temperature.
    lowest_cm : float
        Lowest wavenumber in cm^-1; softer and imaginary modes are raised to it.

    Returns
    -------
    float
        Correction in eV.
    """
    raised = np.maximum(np.asarray(modes, dtype=float), lowest_cm * INVERSE_CM_EV)
    kT = BOLTZMANN_EV_PER_K * temperature_K
    return float(np.sum(raised / 2 + kT * np.log(-np.expm1(-raised / kT))))


def soft_mode_correction(modes: ArrayLike, temperature_K: float, switch_cm: float, lowest_cm: float) -> float:
    """Return the free-energy correction G - E of modes that become rotations if they are soft (quasi-RRHO).

    The entropy of a mode changes from that of an oscillator to that of a free rotor as its wavenumber decreases below
    `switch_cm`. Its energy is that of an oscillator (10.1002/chem.201200497). The formulas contain neither a molecule
    nor a cell, so they are valid for the partial Hessian of a periodic model.

    Parameters
    ----------
    modes : array_like
        Energies in eV; imaginary ones are negative and count as modes at `lowest_cm`.
    temperature_K : float
        Temperature.
    switch_cm : float
        Wavenumber in cm^-1 at which rotor and oscillator have equal weights.
    lowest_cm : float
        Wavenumber in cm^-1 of imaginary modes.

    Returns
    -------
    float
        Correction in eV.
    """
    given = np.asarray(modes, dtype=float)
    energies = np.where(given > 0, given, lowest_cm * INVERSE_CM_EV)
    kT = BOLTZMANN_EV_PER_K * temperature_K
    x = energies / kT
    oscillator_entropy = x / np.expm1(x) - np.log(-np.expm1(-x))  # in units of k
    inertia = constants.h**2 / (8 * np.pi**2 * energies * EV_J)
    inertia = inertia * MEAN_INERTIA_KG_M2 / (inertia + MEAN_INERTIA_KG_M2)
    squared_partition_function = 8 * np.pi**3 * inertia * constants.k * temperature_K / constants.h**2
    rotor_entropy = 0.5 + 0.5 * np.log(squared_partition_function)  # in units of k
    weight = 1 / (1 + (switch_cm * INVERSE_CM_EV / energies) ** DAMPING_POWER)
    internal_energy = energies / 2 + energies / np.expm1(x)
    entropy = weight * oscillator_entropy + (1 - weight) * rotor_entropy
    return float(np.sum(internal_energy - kT * entropy))
