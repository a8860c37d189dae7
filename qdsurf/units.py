"""Conversions at the edge. Inside: eV, angstrom, kelvin, pascal, second. Constants are CODATA 2022 through SciPy."""

from scipy import constants

EV_J = constants.e
AVOGADRO = constants.N_A
BOLTZMANN_EV_PER_K = constants.k / constants.e
PLANCK_EV_S = constants.h / constants.e
STANDARD_PRESSURE_PA = 1e5  # IUPAC standard pressure, 10.1351/goldbook.S05921
TORR_PA = constants.torr
KCAL_PER_MOL_EV = 1e3 * constants.calorie / constants.N_A / constants.e
KJ_PER_MOL_EV = 1e3 / constants.N_A / constants.e
CAL_PER_MOL_K_EV = constants.calorie / constants.N_A / constants.e
INVERSE_CM_EV = 100 * constants.h * constants.c / constants.e
AMU_KG = constants.atomic_mass
EV_PER_A2_J_PER_M2 = constants.e / constants.angstrom**2
EV_PER_A3_GPA = constants.e / constants.angstrom**3 / constants.giga
NM2_PER_M2 = 1e18
LANGMUIR_PA_S = 1e-6 * TORR_PA


def kelvin(celsius: float) -> float:
    """Convert a temperature from degrees Celsius to kelvin."""
    return celsius + constants.zero_Celsius
