"""Correction of barriers, fitted to reference saddle points.

A barrier takes a share of the correction of its reaction energy. The share is fitted to the reference saddle points.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.energetics.bond_types import molecule_bonds
from qdsurf.energetics.corrections import Correction
from qdsurf.records.reference_set import ReferenceMolecule, ReferenceSaddle

BARRIER_COLUMNS = ["saddle", "barrier_eV", "reference_eV"]
FEWEST_SADDLES = 3  # the share and the scatter about it cannot be determined from fewer saddle points


class SaddleCorrection(NamedTuple):
    """Correction of a verified barrier.

    The default values are assumed if no reference saddle point could be computed. They mean that the bonds are half
    broken at the saddle point.

    Attributes
    ----------
    share : float
        Share of the correction of the reaction energy that the barrier takes, between 0 and 1.
    sigma_eV : float
        Standard deviation of a corrected barrier, without the uncertainty of initial and final state.
    """

    share: float = 0.5
    sigma_eV: float = 0.25


def fit_saddle_correction(
    barriers: pd.DataFrame, saddles: Sequence[ReferenceSaddle], correction: Correction
) -> tuple[SaddleCorrection, pd.DataFrame]:
    """Fit the share to the barriers of the reference saddle points by least squares, between 0 and 1.

    Parameters
    ----------
    barriers : DataFrame
        Columns saddle, barrier_eV (of the calculator) and reference_eV, at the same geometries.
    saddles : sequence of ReferenceSaddle
        Records with reactant and products of these saddle points.
    correction : Correction
        Correction of reaction energies.

    Returns
    -------
    fitted : SaddleCorrection
        Share and standard deviation. The latter is the root mean square error of all barriers, each corrected with the
        share that is fitted to the others.
    table : DataFrame
        The barriers, and step_error_eV (expected error of the reaction energy), corrected_eV (barrier corrected with
        the share of all saddle points) and left_out_eV (with the share of all other saddle points).
    """
    changes = {saddle.name: bond_changes(saddle.reactant, saddle.products) for saddle in saddles}
    table = barriers[BARRIER_COLUMNS].copy()
    table["step_error_eV"] = [correction.predict([changes[name]])[0][0] for name in table["saddle"]]
    errors = (table["barrier_eV"] - table["reference_eV"]).to_numpy()
    step_errors = table["step_error_eV"].to_numpy()
    if len(table) < FEWEST_SADDLES:
        fitted = SaddleCorrection()
        shares_of_others = np.full(len(table), fitted.share)
    else:
        numbers = np.arange(len(table))
        shares_of_others = np.array([_share(errors[numbers != k], step_errors[numbers != k]) for k in numbers])
        residuals = errors - shares_of_others * step_errors
        fitted = SaddleCorrection(_share(errors, step_errors), float(np.sqrt(np.mean(residuals**2))))
    table["corrected_eV"] = table["barrier_eV"] - fitted.share * step_errors
    table["left_out_eV"] = table["barrier_eV"] - shares_of_others * step_errors
    return fitted, table


def _share(errors: np.ndarray, step_errors: np.ndarray) -> float:
    """Share of the errors of reaction energies that best reproduces the errors of barriers, by least squares."""
    total = step_errors @ step_errors
    return float(np.clip(errors @ step_errors / total, 0.0, 1.0)) if total > 0 else 0.0


def bond_changes(reactant: str, products: tuple[str, ...]) -> Counter[str]:
    """Count the bonds and pairs that a reaction of molecules changes.

    Parameters
    ----------
    reactant : str
        SMILES of the initial state.
    products : tuple of str
        SMILES of the products.

    Returns
    -------
    Counter
        Number of bonds and pairs of each type, positive if they are formed; unchanged ones are omitted.
    """
    change: Counter[str] = Counter()
    for sign, smiles in ((-1, reactant), *((+1, product) for product in products)):
        for bond, number in molecule_bonds(ReferenceMolecule(name=smiles, smiles=smiles)).items():
            change[bond] += sign * number
    return Counter({bond: number for bond, number in change.items() if number})


def summarise_saddles(table: pd.DataFrame, fitted: SaddleCorrection) -> dict[str, float]:
    """Summarise the errors of barriers.

    Parameters
    ----------
    table : DataFrame
        Table of `fit_saddle_correction`.
    fitted : SaddleCorrection
        Fit that belongs to the table.

    Returns
    -------
    dict
        * number: number of saddle points.
        * mae_raw_eV, rms_raw_eV: mean absolute and root mean square error without correction.
        * mae_left_out_eV: mean absolute error of barriers corrected with the share of all other saddle points.
        * within_sigma: fraction of the latter errors within one standard deviation; NaN without saddle points.
        * share, sigma_eV: the fit.
    """
    raw = (table["barrier_eV"] - table["reference_eV"]).abs()
    left_out = (table["left_out_eV"] - table["reference_eV"]).abs()
    return {
        "number": len(table),
        "mae_raw_eV": float(raw.mean()),
        "mae_left_out_eV": float(left_out.mean()),
        "within_sigma": float((left_out <= fitted.sigma_eV).mean()) if len(table) else float("nan"),
        "rms_raw_eV": float(np.sqrt((raw**2).mean())),
        "share": fitted.share,
        "sigma_eV": fitted.sigma_eV,
    }
