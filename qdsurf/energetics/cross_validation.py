"""How well a correction predicts what it has not seen: reactions left out one at a time, by bond, by metal, by face.

The closed forms are those of Gaussian processes (Rasmussen and Williams, MIT Press 2006, chapter 5).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from qdsurf.energetics.bond_types import is_bond, is_face, split_bond
from qdsurf.energetics.corrections import UNKNOWN_SIGMA_EV, Correction, with_best_widths


def leave_one_out(correction: Correction) -> pd.DataFrame:
    """Predict every reaction of the fit from all others, at the same widths.

    Returns
    -------
    error_eV, predicted_eV, sigma_eV (of the prediction, noise included), new_bond (whether it has a bond that no other
    reaction has), unknown (whether it has one that they say nothing of), on_face; one row a reaction, numbered as in
    the fit.
    """
    inverse = np.linalg.inv(correction.covariance)
    predicted = correction.errors_eV - inverse @ correction.errors_eV / np.diag(inverse)
    reactions = np.arange(len(correction.errors_eV))
    parts = (
        _compare(correction, reactions == k, predicted[[k]], 1 / np.diag(inverse)[[k]], reactions != k)
        for k in reactions
    )
    return pd.concat([_nothing(correction), *parts])


def leave_out(correction: Correction, group: np.ndarray) -> pd.DataFrame:
    """Predict the reactions of a group from all others, the widths fitted again without them; columns as above."""
    kept = ~group
    apart = np.broadcast_to(correction.apart_eV, len(group))
    rest = with_best_widths(
        replace(
            correction,
            counts=correction.counts[kept],
            molecules=correction.molecules[kept],
            errors_eV=correction.errors_eV[kept],
            apart_eV=apart[kept],
        )
    )
    whole = replace(correction, widths=rest.widths).covariance
    gain = np.linalg.solve(whole[np.ix_(kept, kept)], whole[np.ix_(kept, group)]).T
    variance = np.diag(whole[np.ix_(group, group)] - gain @ whole[np.ix_(kept, group)])
    return _compare(correction, group, gain @ correction.errors_eV[kept], variance, kept)


def _compare(
    correction: Correction, group: np.ndarray, predicted: np.ndarray, variance: np.ndarray, kept: np.ndarray
) -> pd.DataFrame:
    """Predictions beside what was measured; what nothing that was kept knows of widens them."""
    counts, rest = correction.counts[group], correction.counts[kept]
    new = ~(rest != 0).any(axis=0) & np.array([is_bond(name) for name in correction.bonds], dtype=bool)
    unknown = correction.unknown(correction.bonds, rest)
    return pd.DataFrame(
        {
            "error_eV": correction.errors_eV[group],
            "predicted_eV": predicted,
            "sigma_eV": np.sqrt(variance + UNKNOWN_SIGMA_EV**2 * counts**2 @ unknown),
            "new_bond": (counts[:, new] != 0).any(axis=1),
            "unknown": (counts[:, unknown] != 0).any(axis=1),
            "on_face": correction.on_faces[group],
        },
        index=np.flatnonzero(group),
    )


def _nothing(correction: Correction) -> pd.DataFrame:
    """The table of no reaction."""
    nobody = np.zeros(len(correction.errors_eV), dtype=bool)
    return _compare(correction, nobody, np.zeros(0), np.zeros(0), ~nobody)


def bond_of(name: str) -> str:
    """A bond to anything but hydrogen, which no step on a surface has without another."""
    return name if is_bond(name) and split_bond(name)[1] != "H" else ""


def metal_of(name: str) -> str:
    """The first end of such a bond, its metal."""
    return split_bond(name)[0] if bond_of(name) else ""


def face_of(name: str) -> str:
    """The face that something is bound to."""
    return name.split("@")[1] if is_face(name) else ""


def leave_each_out(correction: Correction, key: Callable[[str], str]) -> pd.DataFrame:
    """Predict all reactions that change a bond, a metal or a face from those that do not, for each in turn.

    Parameters
    ----------
    key : `bond_of`, `metal_of` or `face_of`; "" where a name belongs to none.

    Returns
    -------
    As `leave_out`, and left_out, what was; nothing for what all reactions change.
    """
    keys = np.array([key(name) for name in correction.bonds])
    groups = {one: (correction.counts[:, keys == one] != 0).any(axis=1) for one in sorted({*keys} - {""})}
    parts = [leave_out(correction, group).assign(left_out=one) for one, group in groups.items() if not group.all()]
    return pd.concat([_nothing(correction).assign(left_out=""), *parts])


def summarise_predictions(left_out: pd.DataFrame) -> dict[str, float]:
    """Raw and corrected mean absolute errors in eV, and the share of residuals within one standard deviation.

    Of no reactions there is only their number.
    """
    if left_out.empty:
        return {"number": 0}
    residual = (left_out["error_eV"] - left_out["predicted_eV"]).abs()
    return {
        "number": len(left_out),
        "mae_raw_eV": float(left_out["error_eV"].abs().mean()),
        "mae_left_out_eV": float(residual.mean()),
        "largest_left_out_eV": float(residual.max()),
        "within_sigma": float((residual < left_out["sigma_eV"]).mean()),
    }
