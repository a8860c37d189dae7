"""From normal modes to free energies: ideal gas for molecules, hindered motion for adsorbates."""

import numpy as np
from ase import Atoms
from ase.thermochemistry import HarmonicThermo, HinderedThermo, IdealGasThermo
from scipy import constants

from qdsurf.config import ThermochemistrySpec
from qdsurf.errors import InputError
from qdsurf.units import BOLTZMANN_EV_PER_K, INVERSE_CM_EV, STANDARD_PRESSURE_PA


def internal_modes(modes: np.ndarray, atoms: Atoms, lowest_cm: float) -> np.ndarray:
    """The vibrations of a molecule, without its translations and rotations.

    Parameters
    ----------
    modes : energies of all 3 N modes in eV, imaginary ones negative.
    lowest_cm : softer and imaginary modes are raised to this wavenumber (quasi-harmonic approximation,
        10.1021/jp205508z), so that a methyl rotor does not carry the entropy of a free particle.

    Returns
    -------
    Energies in eV, shape (3 N - 6,) or (3 N - 5,) for a linear molecule.
    """
    external = 5 if is_linear(atoms) else 6
    # The external modes are those nearest to zero.
    internal = np.sort(np.asarray(modes)[np.argsort(np.abs(modes))][external:])
    return np.maximum(internal, lowest_cm * INVERSE_CM_EV)


def is_linear(atoms: Atoms) -> bool:
    """Whether all atoms lie on a line (smallest moment of inertia below 1e-3 u A^2)."""
    return len(atoms) == 2 or bool(np.min(atoms.get_moments_of_inertia()) < 1e-3)


def gas_correction(
    atoms: Atoms, modes: np.ndarray, symmetry_number: int, temperature_K: float, settings: ThermochemistrySpec
) -> float:
    """G(T, p0) - E of a closed-shell ideal-gas molecule in eV, at the standard pressure of 1 bar."""
    if len(atoms) == 1:
        raise InputError("ideal-gas free energies of single atoms are not needed by any record; give a molecule")
    thermo = IdealGasThermo(
        vib_energies=internal_modes(modes, atoms, settings.lowest_mode_cm),
        geometry="linear" if is_linear(atoms) else "nonlinear",
        atoms=atoms,
        symmetrynumber=symmetry_number,
        spin=0,
    )
    return thermo.get_gibbs_energy(temperature_K, STANDARD_PRESSURE_PA, verbose=False)


def adsorbed_correction(
    atoms: Atoms, modes: np.ndarray, temperature_K: float, density_per_nm2: float, settings: ThermochemistrySpec
) -> float:
    """Free energy minus electronic energy, in eV, of a molecule that is held by a surface.

    Internal modes are those of the free molecule. Of the six external ones two are hindered translations, one a
    hindered rotation about the normal (Hill; 10.1021/acs.jpcc.5b11616), three are oscillations at
    `frustrated_mode_cm`. The value is that of one molecule on one site of its own: the entropy of mixing over the
    sites belongs to the kinetics, so the concentration term that ASE adds for a two-dimensional standard state of
    1 bar (about 5 k, 0.15 eV at 40 C) is taken out again.

    Parameters
    ----------
    density_per_nm2 : of the sites on which the adsorbate moves.
    """
    vibrations = [
        *internal_modes(modes, atoms, settings.lowest_mode_cm),
        *[settings.frustrated_mode_cm * INVERSE_CM_EV] * 3,
    ]
    thermo = HinderedThermo(
        vib_energies=vibrations,
        trans_barrier_energy=settings.translation_barrier_eV,
        rot_barrier_energy=settings.rotation_barrier_eV,
        sitedensity=density_per_nm2 * 1e14,  # ASE asks for cm^-2
        rotationalminima=3,
        atoms=atoms,
        symmetrynumber=1,
    )
    concentration_per_m2 = np.exp(1 / 3) * (STANDARD_PRESSURE_PA / (constants.k * temperature_K)) ** (2 / 3)
    mixing = BOLTZMANN_EV_PER_K * (1 - np.log(concentration_per_m2 * thermo.area))
    return thermo.get_helmholtz_energy(temperature_K, verbose=False) + temperature_K * mixing


def harmonic_correction(modes: np.ndarray, temperature_K: float, lowest_cm: float) -> float:
    """Free energy minus electronic energy, in eV, of a state whose atoms vibrate about a resting crystal.

    Parameters
    ----------
    modes : energies of the partial Hessian in eV, imaginary ones negative; softer than `lowest_cm` are raised to it.
    """
    if len(modes) == 0:
        return 0.0
    return HarmonicThermo(np.maximum(modes, lowest_cm * INVERSE_CM_EV)).get_helmholtz_energy(
        temperature_K, verbose=False
    )
