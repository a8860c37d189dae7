"""Vapour of a precursor: saturation pressure, and the equilibrium between monomer and oligomer."""

import math

from qdsurf.errors import InputError
from qdsurf.records.models import Antoine, Oligomer
from qdsurf.units import BOLTZMANN_EV_PER_K, STANDARD_PRESSURE_PA


def vapour_pressure(antoine: Antoine, temperature_K: float) -> float:
    """Compute the saturation pressure above the source: log10(p/Pa) = A - B / (T + C).

    Parameters
    ----------
    antoine : Antoine
        Coefficients of the Antoine equation and the temperature range of the measurement.
    temperature_K : float
        Temperature of the source, K.

    Returns
    -------
    float
        Pressure, Pa.

    Raises
    ------
    InputError
        The temperature lies outside the range of the measurement.
    """
    low, high = antoine.range_K
    if not low <= temperature_K <= high:
        raise InputError(
            f"vapour pressure at {temperature_K} K: the record is valid from {low} to {high} K. "
            "Give pressure_Pa in the recipe."
        )
    return 10 ** (antoine.A - antoine.B_K / (temperature_K + antoine.C_K))


def dissociation_constant(oligomer: Oligomer, temperature_K: float) -> float:
    """Compute the equilibrium constant of M_n -> n M, relative to the standard pressure.

    K = (p_M / p0)^n / (p_Mn / p0) = exp(-(dH - T dS) / kT), with dH and dS independent of the temperature.

    Parameters
    ----------
    oligomer : Oligomer
        Enthalpy and entropy of dissociation.
    temperature_K : float
        Temperature, K.

    Returns
    -------
    float
        K, dimensionless, with p0 = 1e5 Pa.
    """
    dissociation_gibbs_eV = oligomer.dissociation_enthalpy_eV - temperature_K * oligomer.dissociation_entropy_eV_per_K
    return math.exp(-dissociation_gibbs_eV / (BOLTZMANN_EV_PER_K * temperature_K))


def speciate(oligomer: Oligomer, temperature_K: float, pressure_Pa: float) -> tuple[float, float]:
    """Divide the total pressure of a precursor between its monomer and its oligomer at equilibrium.

    With x = p_M / p, the balance p_M + p_Mn = p becomes x + c x^n = 1 with c = (p / p0)^(n-1) / K. It has one root in
    (0, 1]. Newton's method converges to it monotonically from above, because the left side is convex.

    Parameters
    ----------
    oligomer : Oligomer
        Number of monomer units, enthalpy and entropy of dissociation.
    temperature_K : float
        Temperature, K.
    pressure_Pa : float
        Total pressure of both forms, Pa.

    Returns
    -------
    tuple of float
        Partial pressures of the monomer and of the oligomer, Pa.

    Raises
    ------
    InputError
        The temperature is not positive, or the pressure is negative.
    """
    if not (temperature_K > 0 and pressure_Pa >= 0):
        raise InputError(f"vapour at {temperature_K} K and {pressure_Pa} Pa: give T > 0 and p >= 0.")
    n = oligomer.units
    c = (pressure_Pa / STANDARD_PRESSURE_PA) ** (n - 1) / dissociation_constant(oligomer, temperature_K)
    x = min(1.0, c ** (-1 / n)) if c > 0 else 1.0
    for _ in range(100):
        step = (x + c * x**n - 1) / (1 + n * c * x ** (n - 1))
        x -= step
        if abs(step) <= 1e-15 * x:
            break
    return x * pressure_Pa, c * x**n * pressure_Pa
