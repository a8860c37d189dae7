"""How deep a precursor reaches into a film of nanocrystals, whose pores are narrower than a mean free path.

Assumptions: a straight cylinder of one diameter, Knudsen diffusion D = d v/3 (v the mean speed), irreversible uptake
on the walls, constant pressure at the mouth, nothing consumed by by-products. Two lengths come out. The front: as
many molecules must diffuse in as the wall behind the front has taken, so that its depth grows with the square root of
the exposure (10.1002/cvde.200390005). The blur: below sticking 1 the profile does not end at the front but decays
over d / sqrt(3 s), the Thiele length of a first-order wall reaction of probability s/4 a collision over the wall area
4/d per volume.
"""

import numpy as np
import pandas as pd

from qdsurf.errors import InputError
from qdsurf.units import AMU_KG, BOLTZMANN_EV_PER_K, EV_J, NM2_PER_M2

WIDEST_PORE_NM = 30.0  # the films of SYSTEMS F; wider pores at high pressure are not Knudsen's


def penetration(
    exposures_Pa_s: np.ndarray,
    pore_diameter_nm: float,
    uptake_per_nm2: float,
    sticking: float,
    mass_amu: float,
    temperature_K: float,
) -> pd.DataFrame:
    """Depth of the front and of its blur against exposure.

    Parameters
    ----------
    uptake_per_nm2 : molecules that the saturated wall holds, nm^-2.
    sticking : initial effective sticking coefficient.

    Returns
    -------
    pandas.DataFrame
        exposure_Pa_s, front_nm, blur_nm, depth_nm (the larger of the two: a short exposure at small sticking reaches
        as far as molecules fly before they react).

    Raises
    ------
    InputError : the pore is not between 0 and 30 nm, or sticking or uptake are not positive.
    """
    if not 0 < pore_diameter_nm <= WIDEST_PORE_NM:
        raise InputError(f"pore diameter {pore_diameter_nm} nm: Knudsen diffusion is assumed, give 0 to 30 nm.")
    if not (0 < sticking <= 1 and uptake_per_nm2 > 0):
        raise InputError(
            f"sticking {sticking}, uptake {uptake_per_nm2} nm^-2: both must be positive, sticking at most 1."
        )
    thermal, mass, diameter = BOLTZMANN_EV_PER_K * temperature_K * EV_J, mass_amu * AMU_KG, pore_diameter_nm * 1e-9
    speed = np.sqrt(8 * thermal / (np.pi * mass))
    exposure = np.asarray(exposures_Pa_s, dtype=float)
    # molecules in: D n / x per pore area; molecules held: 4/d times the uptake per length, hence x^2 = D n t d / (2 K)
    front = np.sqrt(diameter * speed / 3 * exposure / thermal * diameter / (2 * uptake_per_nm2 * NM2_PER_M2))
    blur = diameter / np.sqrt(3 * sticking)
    return pd.DataFrame(
        {
            "exposure_Pa_s": exposure,
            "front_nm": front * 1e9,
            "blur_nm": np.full(exposure.shape, blur * 1e9),
            "depth_nm": np.maximum(front, np.where(exposure > 0, blur, 0.0)) * 1e9,
        }
    )
