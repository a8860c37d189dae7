"""Correction of barriers, fitted to reference saddle points."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.energetics.bond_types import molecule_bonds
from qdsurf.energetics.corrections import Correction
from qdsurf.records.reference_set import ReferenceMolecule, ReferenceSaddle

BARRIER_COLUMNS = ["saddle", "barrier_eV", "reference_eV"]
FEWEST_SADDLES = 3  # a share and its scatter need more than two points


class SaddleCorrection(NamedTuple):
    """How a verified barrier is corrected.

    Attributes
    ----------
    share : of the correction of the reaction energy that the barrier takes, between 0 and 1. The defaults are assumed
        where no reference saddle could be computed: at the saddle point the bonds are assumed to be half broken.
    sigma_eV : standard deviation of corrected barriers, excluding the uncertainty of initial and final states.
    """

    share: float = 0.5
    sigma_eV: float = 0.25


def fit_saddle_correction(
    barriers: pd.DataFrame, saddles: Sequence[ReferenceSaddle], correction: Correction
) -> tuple[SaddleCorrection, pd.DataFrame]:
    """Fit the share to the reference saddles of a calculator, by least squares within 0 and 1.

    Parameters
    ----------
    barriers : saddle, barrier_eV (of the calculator) and reference_eV, at the same geometries.
    saddles : records with reactants and products.
    correction : of reaction energies.

    Returns
    -------
    SaddleCorrection
        Its sigma_eV is the root mean square of the errors with each saddle left out of the fit.
    table : barriers, and step_error_eV (expected error of the reaction energy), corrected_eV (with the share of all
        saddles), left_out_eV (with the share of all others).
    """
    steps = {saddle.name: bond_changes(saddle.reactant, saddle.products) for saddle in saddles}
    table = barriers[BARRIER_COLUMNS].copy()
    table["step_error_eV"] = [correction.predict([steps[name]])[0][0] for name in table["saddle"]]
    errors, step_errors = (table["barrier_eV"] - table["reference_eV"]).to_numpy(), table["step_error_eV"].to_numpy()
    if len(table) < FEWEST_SADDLES:
        fitted = SaddleCorrection()
        shares = np.full(len(table), fitted.share)
    else:
        indices = np.arange(len(table))
        shares = np.array([_share(errors[indices != k], step_errors[indices != k]) for k in indices])
        residuals = errors - shares * step_errors
        fitted = SaddleCorrection(_share(errors, step_errors), float(np.sqrt(np.mean(residuals**2))))
    table["corrected_eV"] = table["barrier_eV"] - fitted.share * step_errors
    table["left_out_eV"] = table["barrier_eV"] - shares * step_errors
    return fitted, table


def _share(errors: np.ndarray, step_errors: np.ndarray) -> float:
    """Least squares of errors of barriers by errors of reaction energies."""
    total = step_errors @ step_errors
    return float(np.clip(errors @ step_errors / total, 0.0, 1.0)) if total > 0 else 0.0


def bond_changes(reactant: str, products: tuple[str, ...]) -> Counter[str]:
    """Bonds and pairs that a reaction of molecules changes, from their SMILES."""
    change: Counter[str] = Counter()
    for sign, smiles in ((-1, reactant), *((+1, product) for product in products)):
        for bond, number in molecule_bonds(ReferenceMolecule(name=smiles, smiles=smiles)).items():
            change[bond] += sign * number
    return Counter({bond: number for bond, number in change.items() if number})


def summarise_saddles(table: pd.DataFrame, fitted: SaddleCorrection) -> dict[str, float]:
    """Number of saddles, mean absolute errors in eV raw and left out, share within one sigma, and the share itself."""
    raw, left = ((table[name] - table["reference_eV"]).abs() for name in ("barrier_eV", "left_out_eV"))
    return {
        "number": len(table),
        "mae_raw_eV": float(raw.mean()),
        "mae_left_out_eV": float(left.mean()),
        "within_sigma": float((left <= fitted.sigma_eV).mean()) if len(table) else float("nan"),
        "rms_raw_eV": float(np.sqrt((raw**2).mean())),
        "share": fitted.share,
        "sigma_eV": fitted.sigma_eV,
    }
