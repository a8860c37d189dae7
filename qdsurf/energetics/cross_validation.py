"""Cross-validation of a correction: predict reactions that were left out of the fit.

Reactions are left out one at a time, or all reactions of one bond type, of one metal or of one facet together. The
predictions are closed forms of Gaussian processes (Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT
Press 2006, chapter 5).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from qdsurf.energetics.bond_types import is_bond, is_face, split_bond
from qdsurf.energetics.corrections import UNKNOWN_SIGMA_EV, Correction, optimise_widths


def leave_one_out(correction: Correction) -> pd.DataFrame:
    """Predict the error of every reference reaction from all other reactions, at the same widths.

    Parameters
    ----------
    correction : Correction
        Fit to all reactions.

    Returns
    -------
    DataFrame
        One row for each reaction, with its number in the fit as the index:

        * error_eV and predicted_eV: measured and predicted error.
        * sigma_eV: standard deviation of the prediction including noise.
        * new_bond: whether the reaction changes a bond that changes in no other reaction.
        * unknown: whether the reaction changes a bond whose error is unknown from the other reactions (see
          `Correction.is_unknown`).
        * on_face: whether the reaction is a step on a facet.
    """
    inverse = np.linalg.inv(correction.covariance)
    predicted = correction.errors_eV - inverse @ correction.errors_eV / np.diag(inverse)
    variance = 1 / np.diag(inverse)
    numbers = np.arange(len(correction.errors_eV))
    parts = [_compare(correction, numbers == k, predicted[[k]], variance[[k]]) for k in numbers]
    return pd.concat([_empty_comparison(correction), *parts])


def leave_out(correction: Correction, left_out: np.ndarray) -> pd.DataFrame:
    """Predict the errors of several reactions from all others, with widths that are fitted to the others.

    Parameters
    ----------
    correction : Correction
        Fit to all reactions.
    left_out : ndarray
        Whether each reaction is left out, shape (R,).

    Returns
    -------
    DataFrame
        One row for each reaction that is left out, with the columns of `leave_one_out`.
    """
    kept = ~left_out
    additional_sigma = np.broadcast_to(correction.additional_sigma_eV, len(left_out))
    fit_to_kept = optimise_widths(
        replace(
            correction,
            counts=correction.counts[kept],
            molecules=correction.molecules[kept],
            errors_eV=correction.errors_eV[kept],
            additional_sigma_eV=additional_sigma[kept],
        )
    )
    covariance = replace(correction, widths=fit_to_kept.widths).covariance
    gain = np.linalg.solve(covariance[np.ix_(kept, kept)], covariance[np.ix_(kept, left_out)]).T
    predicted = gain @ correction.errors_eV[kept]
    variance = np.diag(covariance[np.ix_(left_out, left_out)] - gain @ covariance[np.ix_(kept, left_out)])
    return _compare(correction, left_out, predicted, variance)


def _compare(correction: Correction, left_out: np.ndarray, predicted: np.ndarray, variance: np.ndarray) -> pd.DataFrame:
    """Tabulate measured and predicted errors of the reactions that were left out.

    The variance of a prediction is increased for every bond whose error is unknown from the other reactions.
    """
    counts = correction.counts[left_out]
    other_counts = correction.counts[~left_out]
    is_new = ~(other_counts != 0).any(axis=0) & np.array([is_bond(name) for name in correction.bonds], dtype=bool)
    unknown = correction.is_unknown(correction.bonds, other_counts)
    return pd.DataFrame(
        {
            "error_eV": correction.errors_eV[left_out],
            "predicted_eV": predicted,
            "sigma_eV": np.sqrt(variance + UNKNOWN_SIGMA_EV**2 * counts**2 @ unknown),
            "new_bond": (counts[:, is_new] != 0).any(axis=1),
            "unknown": (counts[:, unknown] != 0).any(axis=1),
            "on_face": correction.on_faces[left_out],
        },
        index=np.flatnonzero(left_out),
    )


def _empty_comparison(correction: Correction) -> pd.DataFrame:
    """Make a table without rows, so that the types of the columns are defined if no reaction is left out."""
    none = np.zeros(len(correction.errors_eV), dtype=bool)
    return _compare(correction, none, np.zeros(0), np.zeros(0))


def bond_of(name: str) -> str:
    """Bond type of a term, for `leave_each_out`; empty for a pair, a bond to a facet or a bond to hydrogen.

    A step on a surface never changes a bond to hydrogen alone.
    """
    return name if is_bond(name) and split_bond(name)[1] != "H" else ""


def metal_of(name: str) -> str:
    """Metal of a term, for `leave_each_out`: the first end of a bond; empty where `bond_of` is empty."""
    return split_bond(name)[0] if bond_of(name) else ""


def face_of(name: str) -> str:
    """Facet of a term, for `leave_each_out`; empty if the term is not a bond to a facet."""
    return name.split("@")[1] if is_face(name) else ""


def leave_each_out(correction: Correction, key: Callable[[str], str]) -> pd.DataFrame:
    """Predict all reactions that change bonds of one group from the reactions that do not, for each group.

    Parameters
    ----------
    correction : Correction
        Fit to all reactions.
    key : callable
        Returns the group of a bond, pair or bond to a facet: `bond_of`, `metal_of` or `face_of`. Terms with an empty
        string belong to no group.

    Returns
    -------
    DataFrame
        The columns of `leave_one_out`, and left_out, the group that was left out. A group that occurs in all reactions
        is omitted.
    """
    keys = np.array([key(name) for name in correction.bonds])
    parts = [_empty_comparison(correction).assign(left_out="")]
    for group in sorted({*keys} - {""}):
        left_out = (correction.counts[:, keys == group] != 0).any(axis=1)
        if not left_out.all():
            parts.append(leave_out(correction, left_out).assign(left_out=group))
    return pd.concat(parts)


def summarise_predictions(predictions: pd.DataFrame) -> dict[str, float]:
    """Summarise a table of predicted errors.

    Parameters
    ----------
    predictions : DataFrame
        Table of `leave_one_out` or `leave_each_out`.

    Returns
    -------
    dict
        * number: number of reactions. Without reactions, this is the only key.
        * mae_raw_eV: mean absolute error of the calculator.
        * mae_left_out_eV, largest_left_out_eV: mean and largest absolute error after correction by the prediction.
        * within_sigma: fraction of corrected errors within one standard deviation.
    """
    if predictions.empty:
        return {"number": 0}
    residual = (predictions["error_eV"] - predictions["predicted_eV"]).abs()
    return {
        "number": len(predictions),
        "mae_raw_eV": float(predictions["error_eV"].abs().mean()),
        "mae_left_out_eV": float(residual.mean()),
        "largest_left_out_eV": float(residual.max()),
        "within_sigma": float((residual < predictions["sigma_eV"]).mean()),
    }
