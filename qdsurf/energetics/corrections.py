"""How wrong a calculator is, bond by bond: measured on small molecules, taken off every step, with what stays unknown.

The error of a reaction energy is a sum over the bonds that it changes and over its molecules,

    error_r = sum_b n_rb w_b + sum_m s_rm e_m,    w ~ N(0, K),    e_m ~ N(0, noise^2),

bond additivity corrections as Bayesian linear regression. e_m is what bonds do not explain of a molecule, so reactions
that share one err together. K says what bonds have in common before anything is measured: covalent ones their partner,
dative ones their acceptor. (Covalent bonds of one metal need no such term: no atom changes their number, so it would
cancel.) Pairs of unlike partners of a metal have weights as bonds have, narrow ones: without them the first exchange at
a metal and the last would have to err alike. So have the elements of a face, each counted by its bonds to what arrives:
steps on bare faces, measured like molecules, say how far a face errs beyond its bonds, and with that how far any other
may. The widths are those of the largest evidence. The closed forms are those of Gaussian processes (Rasmussen and
Williams, MIT Press 2006, chapter 2).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve

from qdsurf.energetics.bond_types import (
    assign_roles,
    format_counts,
    is_bond,
    is_face,
    is_metal,
    is_pair,
    molecule_bonds,
    parse_counts,
    reaction_bonds,
    split_bond,
    step_bonds,
)
from qdsurf.errors import InputError
from qdsurf.records import library
from qdsurf.records.reference_set import Reference, SurfaceStep
from qdsurf.records.systems import find_facet

# A bond of which nothing is known: as wide as the largest error seen with GFN2-xTB (Cd acetate, 1.94 eV), rounded up.
UNKNOWN_SIGMA_EV = 2.0
# Two of these are no error of a bond: the calculator does not have that molecule (Hf-S in PM7: -7.6 eV).
BEYOND_EV = 2 * UNKNOWN_SIGMA_EV
FLOOR_EV = 0.01  # no width below the convergence of the energies
START_EV = (0.3, 0.3, 0.1, 0.3, 0.1)


@dataclass(frozen=True)
class Widths:
    """Standard deviations in eV: of a bond's error, what bonds share, an unlike pair, a face, the noise of a state."""

    bond: float
    shared: float
    pair: float
    face: float
    noise: float

    def covariance(self, bonds: Sequence[str]) -> np.ndarray:
        """Covariance in eV^2 of the errors of bonds before anything is measured, shape (len(bonds), len(bonds))."""
        groups = np.array([_group(bond) for bond in bonds], dtype=str)
        alike = (groups[:, None] == groups[None, :]) & (groups != "")[:, None]
        own = np.array([self.pair if is_pair(name) else self.face if is_face(name) else self.bond for name in bonds])
        return np.diag(own**2) + self.shared**2 * alike


@dataclass(frozen=True)
class Correction:
    """What a fit knows of the errors of bonds.

    Attributes
    ----------
    bonds : B names of bonds, pairs and faces, all that were measured.
    counts : bonds gained and lost in the R reactions of the fit, shape (R, B).
    molecules : molecules made and used up in them, shape (R, M).
    errors_eV : errors of these reactions, shape (R,).
    widths : of the prior and the noise.
    reference_sigma_eV : uncertainty of the reference energies of reactions themselves.
    apart_eV : uncertainty of reactions at a level of their own, beside the noise; shape (R,), zero elsewhere.
    beyond : bonds of reactions that the calculator does not have and of no others.
    """

    bonds: tuple[str, ...]
    counts: np.ndarray
    molecules: np.ndarray
    errors_eV: np.ndarray
    widths: Widths
    reference_sigma_eV: float
    apart_eV: np.ndarray | float = 0.0
    beyond: frozenset[str] = frozenset()

    @cached_property
    def covariance(self) -> np.ndarray:
        """Covariance in eV^2 of the errors of the reactions of the fit, noise included, shape (R, R)."""
        noise = self.widths.noise**2 * self.molecules @ self.molecules.T
        apart = np.diag(np.broadcast_to(np.square(self.apart_eV), len(self.errors_eV)))
        return self.counts @ self.widths.covariance(self.bonds) @ self.counts.T + noise + apart

    @cached_property
    def on_faces(self) -> np.ndarray:
        """Which reactions of the fit are steps on a face, shape (R,)."""
        faces = np.array([is_face(name) for name in self.bonds], dtype=bool)
        return (self.counts[:, faces] != 0).any(axis=1)

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
        prior += np.diag(UNKNOWN_SIGMA_EV**2 * self.unknown(names, self.counts))
        mean, covariance = np.zeros(len(names)), prior
        if self.bonds:
            across = prior[:, : len(self.bonds)] @ self.counts.T
            factor = cho_factor(self.covariance)
            mean = across @ cho_solve(factor, self.errors_eV)
            covariance = prior - across @ cho_solve(factor, across.T)
        return steps @ mean, steps @ covariance @ steps.T

    def unknown(self, names: Sequence[str], counts: np.ndarray) -> np.ndarray:
        """Whether reactions say nothing of how far bonds or faces may err, shape (len(names),).

        They do of a bond that changes in one, and where among molecules each of its ends stands at the same end of a
        bond of its kind (covalent or dative, to a metal or to hydrogen), unless it is beyond the calculator; and of a
        face if any was measured.

        Parameters
        ----------
        counts : bonds gained and lost in these reactions, shape (any number, B).
        """
        faces = np.array([is_face(name) for name in self.bonds], dtype=bool)
        on_face = (counts[:, faces] != 0).any(axis=1)
        measured = set(compress(self.bonds, (counts != 0).any(axis=0)))
        among_molecules = compress(self.bonds, (counts[~on_face] != 0).any(axis=0))
        ends = {end for name in among_molecules for end in _ends(name)}

        def nothing_is_known(name: str) -> bool:
            if is_face(name):
                return not on_face.any()
            return name not in measured and (name in self.beyond or not ends.issuperset(_ends(name)))

        return np.array([nothing_is_known(name) for name in names], dtype=bool)

    def unmeasured(self, change: Mapping[str, int]) -> list[str]:
        """Bonds and faces of a step that no reaction of the fit contains; those of which nothing is known say so."""
        names = sorted(name for name in set(change) - set(self.bonds) if not is_pair(name))
        wide = self.unknown(names, self.counts)
        return [f"{name} ({UNKNOWN_SIGMA_EV:.0f} eV)" if w else name for name, w in zip(names, wide, strict=True)]


def measure_errors(reference: Reference, energies: Mapping[str, float | None]) -> pd.DataFrame:
    """Reaction energies of a calculator against the reference set.

    Parameters
    ----------
    energies : total energy in eV of every molecule that the calculator could relax; None or absent if it could not.

    Returns
    -------
    One row a reaction: reaction, bonds and molecules (see `format_counts`), energy_eV, reference_eV, error_eV (NaN
    where a molecule is missing, or beyond what bonds err by: then the bond counts as unmeasured), level,
    reference_sigma_eV, on_face.
    """
    bonds = {name: molecule_bonds(molecule) for name, molecule in reference.molecules.items()}
    rows = []
    for reaction, level in reference.measured:
        parts = [(energies.get(name), n) for name, n in reaction.stoichiometry.items()]
        energy = np.nan if any(e is None for e, _ in parts) else sum(e * n for e, n in parts)
        known = reference.reaction_energy(reaction)
        error = energy - known
        on_face = isinstance(reaction, SurfaceStep)
        change = _face_bonds(reaction) if on_face else reaction_bonds(reaction.stoichiometry, bonds)
        rows.append(
            {
                "reaction": reaction.name,
                "bonds": format_counts(change),
                "molecules": format_counts(reaction.stoichiometry),
                "energy_eV": energy,
                "reference_eV": known,
                "error_eV": error if abs(error) < BEYOND_EV else np.nan,
                "level": level.label,
                "reference_sigma_eV": level.sigma_eV,
                "on_face": on_face,
            }
        )
    return pd.DataFrame(rows)


def _face_bonds(step: SurfaceStep) -> Counter[str]:
    """Bonds that a step on a face changes."""
    material, facet = find_facet(step.slab)
    ligand = library.ligand(step.ligand) if step.ligand else None
    roles = assign_roles(library.material(material), facet, ligand, library.precursor(step.precursor))
    return step_bonds(library.get("reactions", step.step), roles)


def fit_correction(errors: pd.DataFrame) -> Correction:
    """Fit the errors of bonds to those of reactions, from the table of `measure_errors`.

    Where nothing was measured, nothing is known of any bond.

    Raises
    ------
    InputError : the table mixes two levels.
    """
    measured = errors.dropna(subset="error_eV")
    on_face = measured["on_face"].to_numpy(bool)
    for rows in (measured[~on_face], measured[on_face]):
        if rows["level"].nunique() > 1:
            raise InputError(f"reference energies of several levels are mixed: {', '.join(sorted(set(rows['level'])))}")
    sigma = float(errors.loc[~errors["on_face"], "reference_sigma_eV"].max())
    if measured.empty:
        return Correction((), np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), Widths(0.0, 0.0, 0.0, 0.0, 0.0), sigma)
    bonds, counts = _matrix(measured["bonds"])
    lost = errors.loc[errors["error_eV"].isna(), "bonds"].fillna("").map(parse_counts)
    return with_best_widths(
        Correction(
            bonds,
            counts,
            _matrix(measured["molecules"])[1],
            measured["error_eV"].to_numpy(float),
            Widths(*START_EV),
            sigma,
            np.where(on_face, measured["reference_sigma_eV"], 0.0),
            frozenset().union(*lost) - set(bonds),
        )
    )


def _matrix(column: pd.Series) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and counts of a column of `format_counts`; an empty cell changes nothing."""
    rows = [parse_counts(text) for text in column.fillna("")]
    names = tuple(sorted({name for row in rows for name in row}))
    return names, np.array([[row[name] for name in names] for row in rows], dtype=float).reshape(len(rows), -1)


def _ends(name: str) -> list[tuple]:
    """Both partners of a bond with their places in bonds of its kind; a pair has none."""
    if not is_bond(name):
        return []
    first, second, dative = split_bond(name)
    kind = dative, is_metal(first), is_metal(second), second == "H"
    return [(*kind, "first", first), (*kind, "second", second)]


def _group(bond: str) -> str:
    """What a bond shares its error with: its kind and partner or acceptor; a bond to hydrogen shares nothing."""
    if not is_bond(bond):
        return ""
    first, second, dative = split_bond(bond)
    return f"{first}<-" if dative else "" if second == "H" else f"-{second}"


def with_best_widths(fit: Correction) -> Correction:
    """The same fit at the widths that make its errors most probable."""
    from scipy.optimize import minimize  # slow to import, and the plan needs no fit

    counts, errors = fit.counts, fit.errors_eV
    parts = [counts @ Widths(*one, 0.0).covariance(fit.bonds) @ counts.T for one in np.eye(len(START_EV) - 1)]
    parts.append(fit.molecules @ fit.molecules.T)
    apart = replace(fit, widths=Widths(*np.zeros(len(START_EV)))).covariance

    def negative_log_likelihood(logs: np.ndarray) -> tuple[float, np.ndarray]:
        variances = np.exp(2 * logs)
        total = apart + sum(v * part for v, part in zip(variances, parts, strict=True))
        factor = cho_factor(total)
        weights, inverse = cho_solve(factor, errors), cho_solve(factor, np.eye(len(errors)))
        value = 0.5 * errors @ weights + np.log(np.diag(factor[0])).sum()
        slope = [
            v * ((inverse * part).sum() - weights @ part @ weights) for v, part in zip(variances, parts, strict=True)
        ]
        return float(value), np.array(slope)

    bounds = [(np.log(FLOOR_EV), np.log(10.0))] * len(START_EV)
    found = minimize(negative_log_likelihood, np.log(START_EV), jac=True, method="L-BFGS-B", bounds=bounds)
    shown = [part.any() for part in parts]  # a width that no reaction shows is not one
    return replace(fit, widths=Widths(*np.where(shown, np.exp(found.x), 0.0).tolist()))
