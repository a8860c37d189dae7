"""Penetration depth of a precursor in a film of nanocrystals, whose pores are narrower than a mean free path.

Assumptions: a straight cylinder of one diameter d, Knudsen diffusion D = d v/3 (v the mean speed), irreversible uptake
on the walls, constant pressure at the mouth, and no effect of by-products. There are two lengths:

- The front. The number of molecules that diffuse in equals the number that the wall behind the front has taken up.
  Therefore the depth of the front is proportional to the square root of the exposure (10.1002/cvde.200390005).
- The blur. For a sticking coefficient s below 1, the profile does not end at the front but decays over d / sqrt(3 s).
  This is the Thiele length of a first-order wall reaction, with a probability of s/4 per collision and a wall area of
  4/d per volume.
"""

import numpy as np
import pandas as pd

from qdsurf.errors import InputError
from qdsurf.units import AMU_KG, BOLTZMANN_EV_PER_K, EV_J, NM2_PER_M2

WIDEST_PORE_NM = 30.0  # widest pore of the films in SYSTEMS F; wider pores at high pressure leave the Knudsen regime
M_PER_NM = 1e-9


def penetration(
    exposures_Pa_s: np.ndarray,
    pore_diameter_nm: float,
    uptake_per_nm2: float,
    sticking: float,
    mass_amu: float,
    temperature_K: float,
) -> pd.DataFrame:
    """Compute the depth of the front and the length of its blur as a function of the exposure.

    Parameters
    ----------
    exposures_Pa_s : numpy.ndarray
        Pressure at the mouth of the pore times duration, Pa s.
    pore_diameter_nm : float
        Diameter of the pore, nm, at most 30.
    uptake_per_nm2 : float
        Molecules on the saturated wall, nm^-2.
    sticking : float
        Initial effective sticking coefficient, dimensionless.
    mass_amu : float
        Mass of the molecule, amu.
    temperature_K : float
        Temperature, K.

    Returns
    -------
    pandas.DataFrame
        exposure_Pa_s, front_nm, blur_nm and depth_nm, the larger of the two lengths. After a short exposure at small
        sticking, the molecules reach as far as they diffuse before they react.

    Raises
    ------
    InputError
        The diameter is not between 0 and 30 nm, or sticking or uptake are not positive.
    """
    if not 0 < pore_diameter_nm <= WIDEST_PORE_NM:
        raise InputError(
            f"pore diameter {pore_diameter_nm} nm: Knudsen diffusion is assumed, give more than 0 and at most "
            f"{WIDEST_PORE_NM:g} nm."
        )
    if not (0 < sticking <= 1 and uptake_per_nm2 > 0):
        raise InputError(
            f"sticking {sticking}, uptake {uptake_per_nm2} nm^-2: both must be positive, sticking at most 1."
        )
    thermal_J = BOLTZMANN_EV_PER_K * temperature_K * EV_J
    mass_kg = mass_amu * AMU_KG
    diameter_m = pore_diameter_nm * M_PER_NM
    speed = np.sqrt(8 * thermal_J / (np.pi * mass_kg))
    exposure = np.asarray(exposures_Pa_s, dtype=float)
    # With n molecules per volume at the mouth and K per area on the wall: the flux into the pore is D n / x per pore
    # area, and the wall takes up 4/d K per pore area and length, hence x^2 = D n t d / (2 K).
    front_m = np.sqrt(diameter_m * speed / 3 * exposure / thermal_J * diameter_m / (2 * uptake_per_nm2 * NM2_PER_M2))
    blur_m = diameter_m / np.sqrt(3 * sticking)
    return pd.DataFrame(
        {
            "exposure_Pa_s": exposure,
            "front_nm": front_m * 1e9,
            "blur_nm": np.full(exposure.shape, blur_m * 1e9),
            "depth_nm": np.maximum(front_m, np.where(exposure > 0, blur_m, 0.0)) * 1e9,
        }
    )
