"""How wrong a calculator is, bond by bond: measured on small molecules, taken off every step, with what stays unknown.

The error of a reaction energy is a sum over the bonds that the reaction changes, plus noise,

    error_r = sum_b n_rb w_b + e_r,    w ~ N(0, K),    e_r ~ N(0, noise^2),

bond additivity corrections as Bayesian linear regression. K says how much two bonds have in common before anything
is measured: their metal, their other partner, or nothing. Its three widths and the noise are those of the largest
evidence. The closed forms are those of Gaussian processes (Rasmussen and Williams, MIT Press 2006, chapters 2 and 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from qdsurf.energetics.bonds import format_bonds, molecule_bonds, parse_bonds, reaction_bonds, split_bond
from qdsurf.errors import InputError
from qdsurf.reference import Reference

# A bond whose metal or partner was never measured: as wide as the largest error seen with GFN2-xTB (Cd acetate,
# 1.94 eV), rounded up.
UNMEASURED_SIGMA_EV = 2.0
FLOOR_EV = 0.01  # no width below the convergence of the energies
START_EV = (0.3, 0.3, 0.3, 0.1)


@dataclass(frozen=True)
class Widths:
    """Standard deviations in eV: of a bond's own error, of what bonds of one metal or one partner share, and noise."""

    bond: float
    metal: float
    partner: float
    noise: float

    def covariance(self, first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        """Covariance in eV^2 of the errors of bonds before anything is measured, shape (len(first), len(second))."""
        one, two = (
            np.array([[name, *map(str, split_bond(name))] for name in names]).reshape(-1, 4)
            for names in (first, second)
        )
        same = one[:, None] == two[None]
        return (
            self.bond**2 * same[:, :, 0]
            + (self.metal**2 * same[:, :, 1] + self.partner**2 * same[:, :, 2]) * same[:, :, 3]
        )


@dataclass(frozen=True)
class Correction:
    """What a fit knows of the errors of bonds.

    Attributes
    ----------
    bonds : B names, all that were measured.
    counts : bonds gained and lost in the R reactions of the fit, shape (R, B).
    errors_eV : errors of these reactions, shape (R,).
    widths : of the prior and the noise.
    """

    bonds: tuple[str, ...]
    counts: np.ndarray
    errors_eV: np.ndarray
    widths: Widths

    @property
    def noise_eV(self) -> float:
        """Standard deviation of what bonds do not explain; of anything, where nothing was measured."""
        return self.widths.noise

    @cached_property
    def _factor(self) -> tuple:
        prior = self.counts @ self.widths.covariance(self.bonds, self.bonds) @ self.counts.T
        return cho_factor(prior + self.widths.noise**2 * np.eye(len(prior)))

    def predict(self, changes: Sequence[Mapping[str, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Expected errors of steps and their covariance.

        Parameters
        ----------
        changes : bonds gained and lost in each of n steps.

        Returns
        -------
        mean : eV, shape (n,); what is to be taken off the calculator's energies.
        covariance : eV^2, shape (n, n), without the noise of each step.
        """
        names = sorted({bond for change in changes for bond in change} | set(self.bonds))
        counts = np.array([[change.get(bond, 0) for bond in names] for change in changes], dtype=float)
        counts = counts.reshape(-1, len(names))
        mean, covariance = np.zeros(len(names)), self.widths.covariance(names, names)
        if self.bonds:
            across = self.widths.covariance(names, self.bonds) @ self.counts.T
            mean = across @ cho_solve(self._factor, self.errors_eV)
            covariance = covariance - across @ cho_solve(self._factor, across.T)
        unmeasured = np.array([not self._known(bond) for bond in names])
        covariance[unmeasured, unmeasured] += UNMEASURED_SIGMA_EV**2
        return counts @ mean, counts @ covariance @ counts.T

    def unmeasured(self, change: Mapping[str, int]) -> list[str]:
        """Bonds of a step that no reaction of the fit contains."""
        return sorted(set(change) - set(self.bonds))

    def _known(self, bond: str) -> bool:
        """Whether the metal and the partner of a bond occur in bonds of the same kind that were measured."""
        first, second, dative = split_bond(bond)
        like = [split_bond(one) for one in self.bonds]
        return any((first, dative) == (f, d) for f, _, d in like) and any(
            (second, dative) == (s, d) for _, s, d in like
        )


def measure_errors(reference: Reference, energies: Mapping[str, float | None]) -> pd.DataFrame:
    """Reaction energies of a calculator against the reference set.

    Parameters
    ----------
    energies : total energy in eV of every molecule that the calculator could relax; None or absent if it could not.

    Returns
    -------
    One row a reaction: reaction, bonds (see `format_bonds`), energy_eV, reference_eV, error_eV (NaN where a molecule is
    missing), level.
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
                "bonds": format_bonds(reaction_bonds(reaction.stoichiometry, bonds)),
                "energy_eV": energy,
                "reference_eV": known,
                "error_eV": energy - known,
                "level": reference.level.label,
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
    if measured.empty:
        return Correction((), np.zeros((0, 0)), np.zeros(0), Widths(0.0, 0.0, 0.0, 0.0))
    if measured["level"].nunique() > 1:
        raise InputError(f"reference energies of several levels are mixed: {', '.join(sorted(set(measured['level'])))}")
    changes = [parse_bonds(text) for text in measured["bonds"]]
    bonds = tuple(sorted({bond for change in changes for bond in change}))
    counts = np.array([[change[bond] for bond in bonds] for change in changes], dtype=float)
    return _with_best_widths(bonds, counts, measured["error_eV"].to_numpy(float))


def _with_best_widths(bonds: tuple[str, ...], counts: np.ndarray, errors: np.ndarray) -> Correction:
    """Choose the widths that make the errors most probable."""
    parts = [counts @ Widths(*one, 0.0).covariance(bonds, bonds) @ counts.T for one in np.eye(3)]
    parts.append(np.eye(len(errors)))

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

    bounds = [(np.log(FLOOR_EV), np.log(10.0))] * 4
    found = minimize(surprise, np.log(START_EV), jac=True, method="L-BFGS-B", bounds=bounds)
    return Correction(bonds, counts, errors, Widths(*np.exp(found.x).tolist()))


def leave_one_out(correction: Correction) -> pd.DataFrame:
    """Predict every reaction of the fit from all others, at the same widths.

    Returns
    -------
    error_eV, predicted_eV, sigma_eV (of the prediction, noise included), one row a reaction.
    """
    inverse = cho_solve(correction._factor, np.eye(len(correction.errors_eV)))
    left = cho_solve(correction._factor, correction.errors_eV) / np.diag(inverse)
    return pd.DataFrame(
        {
            "error_eV": correction.errors_eV,
            "predicted_eV": correction.errors_eV - left,
            "sigma_eV": 1 / np.sqrt(np.diag(inverse)),
        }
    )


def leave_out(correction: Correction, group: np.ndarray) -> pd.DataFrame:
    """Predict the reactions of a group from all others, the widths fitted again without them; columns as above."""
    rest = _with_best_widths(correction.bonds, correction.counts[~group], correction.errors_eV[~group])
    used = (rest.counts != 0).any(axis=0)
    rest = Correction(tuple(np.array(rest.bonds)[used]), rest.counts[:, used], rest.errors_eV, rest.widths)
    changes = [
        {bond: int(n) for bond, n in zip(correction.bonds, row, strict=True) if n} for row in correction.counts[group]
    ]
    mean, covariance = rest.predict(changes)
    sigma = np.sqrt(np.diag(covariance) + rest.widths.noise**2)
    return pd.DataFrame({"error_eV": correction.errors_eV[group], "predicted_eV": mean, "sigma_eV": sigma})


def reactions_of_metals(correction: Correction) -> list[tuple[str, np.ndarray]]:
    """Masks of the reactions in which bonds of each metal change, shape (R,), where others remain for a fit."""
    metals = sorted({split_bond(bond)[0] for bond in correction.bonds if not bond.endswith("-H")})
    groups = []
    for metal in metals:
        own = np.array([split_bond(bond)[0] == metal for bond in correction.bonds])
        group = (correction.counts[:, own] != 0).any(axis=1)
        if not group.all():
            groups.append((metal, group))
    return groups


def bond_errors(correction: Correction) -> list[tuple[str, float, float]]:
    """Every measured bond with its expected error and standard deviation, eV."""
    mean, covariance = correction.predict([{bond: 1} for bond in correction.bonds])
    return list(zip(correction.bonds, mean.tolist(), np.sqrt(np.diag(covariance)).tolist(), strict=True))


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
