"""How wrong a calculator is, bond by bond: measured on small molecules, taken off every step, with what stays unknown.

The error of a reaction energy is a sum over the bonds that it changes and over its molecules,

    error_r = sum_b n_rb w_b + sum_m s_rm e_m,    w ~ N(0, K),    e_m ~ N(0, noise^2),

bond additivity corrections as Bayesian linear regression. e_m is what bonds do not explain of a molecule, so reactions
that share one err together. K says what bonds have in common before anything is measured: covalent ones their partner,
dative ones their acceptor. (Covalent bonds of one metal need no such term: no atom changes their number, so it would
cancel.) Pairs of unlike partners of a metal have weights as bonds have, narrow ones: without them the first exchange at
a metal and the last would have to err alike. The widths are those of the largest evidence. The closed forms are those
of Gaussian processes (Rasmussen and Williams, MIT Press 2006, chapters 2 and 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve

from qdsurf.energetics.bonds import format_counts, is_pair, molecule_bonds, parse_counts, reaction_bonds, split_bond
from qdsurf.errors import InputError
from qdsurf.reference import Reference

# A bond that was never measured: as wide as the largest error seen with GFN2-xTB (Cd acetate, 1.94 eV), rounded up.
UNMEASURED_SIGMA_EV = 2.0
FLOOR_EV = 0.01  # no width below the convergence of the energies
START_EV = (0.3, 0.3, 0.1, 0.1)


@dataclass(frozen=True)
class Widths:
    """Standard deviations in eV: of a bond's own error, of what bonds share, of an unlike pair, of a state's noise."""

    bond: float
    shared: float
    pair: float
    noise: float

    def covariance(self, bonds: Sequence[str]) -> np.ndarray:
        """Covariance in eV^2 of the errors of bonds before anything is measured, shape (len(bonds), len(bonds))."""
        groups = np.array([_group(bond) for bond in bonds], dtype=str)
        alike = (groups[:, None] == groups[None, :]) & (groups != "")[:, None]
        own = np.where([is_pair(bond) for bond in bonds], self.pair, self.bond)
        return np.diag(own**2) + self.shared**2 * alike


@dataclass(frozen=True)
class Correction:
    """What a fit knows of the errors of bonds.

    Attributes
    ----------
    bonds : B names of bonds and pairs, all that were measured.
    counts : bonds gained and lost in the R reactions of the fit, shape (R, B).
    molecules : molecules made and used up in them, shape (R, M).
    errors_eV : errors of these reactions, shape (R,).
    widths : of the prior and the noise.
    reference_sigma_eV : uncertainty of the reference energies of reactions themselves.
    """

    bonds: tuple[str, ...]
    counts: np.ndarray
    molecules: np.ndarray
    errors_eV: np.ndarray
    widths: Widths
    reference_sigma_eV: float

    @cached_property
    def covariance(self) -> np.ndarray:
        """Covariance in eV^2 of the errors of the reactions of the fit, noise included, shape (R, R)."""
        noise = self.widths.noise**2 * self.molecules @ self.molecules.T
        return self.counts @ self.widths.covariance(self.bonds) @ self.counts.T + noise

    def predict(self, changes: Sequence[Mapping[str, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Expected errors of steps and their covariance.

        Parameters
        ----------
        changes : bonds gained and lost in each of n steps.

        Returns
        -------
        mean : eV, shape (n,); what is to be taken off the calculator's energies.
        covariance : eV^2, shape (n, n), without the noise of the states of each step.
        """
        names = [*self.bonds, *sorted({bond for change in changes for bond in change} - set(self.bonds))]
        steps = np.array([[change.get(bond, 0) for bond in names] for change in changes], dtype=float)
        steps = steps.reshape(-1, len(names))
        prior = self.widths.covariance(names)
        unmeasured = [k for k in range(len(self.bonds), len(names)) if not is_pair(names[k])]
        prior[unmeasured, unmeasured] += UNMEASURED_SIGMA_EV**2
        mean, covariance = np.zeros(len(names)), prior
        if self.bonds:
            across = prior[:, : len(self.bonds)] @ self.counts.T
            factor = cho_factor(self.covariance)
            mean = across @ cho_solve(factor, self.errors_eV)
            covariance = prior - across @ cho_solve(factor, across.T)
        return steps @ mean, steps @ covariance @ steps.T

    def unmeasured(self, change: Mapping[str, int]) -> list[str]:
        """Bonds of a step that no reaction of the fit contains."""
        return sorted(name for name in set(change) - set(self.bonds) if not is_pair(name))


def measure_errors(reference: Reference, energies: Mapping[str, float | None]) -> pd.DataFrame:
    """Reaction energies of a calculator against the reference set.

    Parameters
    ----------
    energies : total energy in eV of every molecule that the calculator could relax; None or absent if it could not.

    Returns
    -------
    One row a reaction: reaction, bonds and molecules (see `format_counts`), energy_eV, reference_eV, error_eV (NaN
    where a molecule is missing), level, reference_sigma_eV.
    """
    bonds = {name: molecule_bonds(molecule) for name, molecule in reference.molecules.items()}
    rows = []
    for reaction in reference.reactions:
        parts = [(energies.get(name), n) for name, n in reaction.stoichiometry.items()]
        energy = np.nan if any(e is None for e, _ in parts) else sum(e * n for e, n in parts)
        known = reference.reaction_energy(reaction)
        rows.append(
            {
                "reaction": reaction.name,
                "bonds": format_counts(reaction_bonds(reaction.stoichiometry, bonds)),
                "molecules": format_counts(reaction.stoichiometry),
                "energy_eV": energy,
                "reference_eV": known,
                "error_eV": energy - known,
                "level": reference.level.label,
                "reference_sigma_eV": reference.level.sigma_eV,
            }
        )
    return pd.DataFrame(rows)


def fit_correction(errors: pd.DataFrame) -> Correction:
    """Fit the errors of bonds to those of reactions, from the table of `measure_errors`.

    Where nothing was measured, every bond has the wide prior.

    Raises
    ------
    InputError : the table mixes two levels.
    """
    measured = errors.dropna(subset="error_eV")
    sigma = float(errors["reference_sigma_eV"].max())
    if measured.empty:
        return Correction((), np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), Widths(0.0, 0.0, 0.0, 0.0), sigma)
    if measured["level"].nunique() > 1:
        raise InputError(f"reference energies of several levels are mixed: {', '.join(sorted(set(measured['level'])))}")
    bonds, counts = _matrix(measured["bonds"])
    return _with_best_widths(
        bonds, counts, _matrix(measured["molecules"])[1], measured["error_eV"].to_numpy(float), sigma
    )


def _matrix(column: pd.Series) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and counts of a column of `format_counts`; an empty cell changes nothing."""
    rows = [parse_counts(text) for text in column.fillna("")]
    names = tuple(sorted({name for row in rows for name in row}))
    return names, np.array([[row[name] for name in names] for row in rows], dtype=float).reshape(len(rows), -1)


def _group(bond: str) -> str:
    """What a bond shares its error with: its kind and partner or acceptor; nothing for a pair or a bond to hydrogen."""
    if is_pair(bond):
        return ""
    first, second, dative = split_bond(bond)
    return f"{first}<-" if dative else "" if second == "H" else f"-{second}"


def _with_best_widths(
    bonds: tuple[str, ...], counts: np.ndarray, molecules: np.ndarray, errors: np.ndarray, reference_sigma: float
) -> Correction:
    """Choose the widths that make the errors most probable."""
    from scipy.optimize import minimize  # slow to import, and the plan needs no fit

    parts = [counts @ Widths(*one, 0.0).covariance(bonds) @ counts.T for one in np.eye(3)]
    parts.append(molecules @ molecules.T)

    def surprise(logs: np.ndarray) -> tuple[float, np.ndarray]:
        variances = np.exp(2 * logs)
        total = sum(v * part for v, part in zip(variances, parts, strict=True))
        factor = cho_factor(total)
        weights, inverse = cho_solve(factor, errors), cho_solve(factor, np.eye(len(errors)))
        value = 0.5 * errors @ weights + np.log(np.diag(factor[0])).sum()
        slope = [
            v * ((inverse * part).sum() - weights @ part @ weights) for v, part in zip(variances, parts, strict=True)
        ]
        return float(value), np.array(slope)

    bounds = [(np.log(FLOOR_EV), np.log(10.0))] * len(START_EV)
    found = minimize(surprise, np.log(START_EV), jac=True, method="L-BFGS-B", bounds=bounds)
    return Correction(bonds, counts, molecules, errors, Widths(*np.exp(found.x).tolist()), reference_sigma)


def leave_one_out(correction: Correction) -> pd.DataFrame:
    """Predict every reaction of the fit from all others, at the same widths.

    A bond that only the left-out reaction contains has the wide prior that an unmeasured bond of a step has.

    Returns
    -------
    error_eV, predicted_eV, sigma_eV (of the prediction, noise included), one row a reaction.
    """
    inverse = np.linalg.inv(correction.covariance)
    left = inverse @ correction.errors_eV / np.diag(inverse)
    changed = (correction.counts != 0) & ~_pairs(correction)
    alone = (changed & (changed.sum(axis=0) == 1)) * correction.counts
    variance = 1 / np.diag(inverse) + UNMEASURED_SIGMA_EV**2 * (alone**2).sum(axis=1)
    table = {"error_eV": correction.errors_eV, "predicted_eV": correction.errors_eV - left}
    return pd.DataFrame(table | {"sigma_eV": np.sqrt(variance), "new_bond": (alone != 0).any(axis=1)})


def leave_out(correction: Correction, group: np.ndarray) -> pd.DataFrame:
    """Predict the reactions of a group from all others, the widths fitted again without them; columns as above."""
    kept = ~group
    rest = _with_best_widths(
        correction.bonds,
        correction.counts[kept],
        correction.molecules[kept],
        correction.errors_eV[kept],
        correction.reference_sigma_eV,
    )
    whole = Correction(
        correction.bonds, correction.counts, correction.molecules, correction.errors_eV, rest.widths, 0.0
    ).covariance
    gain = np.linalg.solve(whole[np.ix_(kept, kept)], whole[np.ix_(kept, group)]).T
    variance = np.diag(whole[np.ix_(group, group)] - gain @ whole[np.ix_(kept, group)])
    new = correction.counts[group] * ~((correction.counts[kept] != 0).any(axis=0) | _pairs(correction))
    return pd.DataFrame(
        {
            "error_eV": correction.errors_eV[group],
            "predicted_eV": gain @ correction.errors_eV[kept],
            "sigma_eV": np.sqrt(variance + UNMEASURED_SIGMA_EV**2 * (new**2).sum(axis=1)),
            "new_bond": (new != 0).any(axis=1),
        }
    )


def _pairs(correction: Correction) -> np.ndarray:
    return np.array([is_pair(bond) for bond in correction.bonds], dtype=bool)


def reactions_of_metals(correction: Correction) -> list[tuple[str, np.ndarray]]:
    """Masks of the reactions in which bonds of each metal change, shape (R,), where others remain for a fit."""
    metal_of = ["" if is_pair(bond) or bond.endswith("-H") else split_bond(bond)[0] for bond in correction.bonds]
    groups = []
    for metal in sorted(set(metal_of) - {""}):
        own = np.array(metal_of) == metal
        group = (correction.counts[:, own] != 0).any(axis=1)
        if not group.all():
            groups.append((metal, group))
    return groups


def summarise_left_out(left_out: pd.DataFrame) -> dict[str, float]:
    """Raw and corrected mean absolute errors in eV, and the share of residuals within one standard deviation."""
    residual = (left_out["error_eV"] - left_out["predicted_eV"]).abs()
    return {
        "reactions": len(left_out),
        "raw_mae_eV": float(left_out["error_eV"].abs().mean()),
        "corrected_mae_eV": float(residual.mean()),
        "corrected_largest_eV": float(residual.max()),
        "coverage_68": float((residual < left_out["sigma_eV"]).mean()),
    }
