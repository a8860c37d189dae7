"""Correction of calculator errors by bond types, fitted to the reference set by Bayesian linear regression.

The error of a reaction energy is modelled as a sum over the bonds that the reaction changes and over its molecules,

    error_r = sum_b n_rb w_b + sum_m s_rm e_m,    w ~ N(0, K),    e_m ~ N(0, noise^2).

n_rb is the number of bonds of type b that reaction r forms, and w_b the error of such a bond. s_rm is the
stoichiometric coefficient of molecule m, and e_m the error of this molecule that its bonds do not explain. Reactions
that share a molecule are therefore correlated.

The prior covariance K describes which bonds have similar errors: covalent bonds to the same partner, and dative bonds
to the same acceptor. Covalent bonds of the same metal need no such term. It would cancel, because no atom changes its
number of covalent bonds in a reaction.

Two more kinds of terms have errors (see `qdsurf.energetics.bond_types`):

* Pairs of unlike partners of one metal, with a narrow prior. Without them, the first and the last exchange of partners
  at a metal would have the same error.
* Bonds to an element of a facet. Steps on bare facets are compared with reference energies in the same way as reactions
  of molecules. They determine the additional errors on these facets, and how large such errors can be on other facets.

The prior widths maximise the marginal likelihood. All predictions are closed forms of Gaussian processes (Rasmussen and
Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapter 2).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
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
from qdsurf.records.reference_set import Reference, ReferenceReaction, SurfaceStep
from qdsurf.records.systems import find_facet

# Standard deviation of a bond without reference data: the largest error of GFN2-xTB (Cd acetate, 1.94 eV), rounded up.
UNKNOWN_SIGMA_EV = 2.0
# A larger error of a reaction is not an error of bonds: the calculator cannot describe one of the molecules. An example
# is Hf-S in PM7 with -7.6 eV.
LARGEST_ERROR_EV = 2 * UNKNOWN_SIGMA_EV
SMALLEST_WIDTH_EV = 0.01  # convergence of the energies
LARGEST_WIDTH_EV = 10.0  # larger than any error that is used in a fit


@dataclass(frozen=True)
class Widths:
    """Standard deviations of the prior and of the noise, in eV.

    Attributes
    ----------
    bond : float
        Error of a bond type that it shares with no other one.
    shared : float
        Error that bond types with the same partner or acceptor share.
    pair : float
        Error of a pair of unlike partners.
    face : float
        Error of bonds to an element of a facet.
    noise : float
        Error of a molecule or state that its bonds do not explain.
    """

    bond: float = 0.0
    shared: float = 0.0
    pair: float = 0.0
    face: float = 0.0
    noise: float = 0.0

    def covariance(self, bonds: Sequence[str]) -> np.ndarray:
        """Return the prior covariance of the errors of bonds.

        Parameters
        ----------
        bonds : sequence of str
            Names of n bonds, pairs and bonds to facets.

        Returns
        -------
        ndarray
            Covariance in eV^2, shape (n, n).
        """
        groups = np.array([_shared_group(bond) for bond in bonds], dtype=str)
        in_same_group = (groups[:, None] == groups[None, :]) & (groups != "")[:, None]
        widths = np.array([self._width(name) for name in bonds])
        return np.diag(widths**2) + self.shared**2 * in_same_group

    def _width(self, name: str) -> float:
        """Width of the error that a term does not share."""
        if is_pair(name):
            return self.pair
        return self.face if is_face(name) else self.bond


INITIAL_WIDTHS = Widths(bond=0.3, shared=0.3, pair=0.1, face=0.3, noise=0.1)  # of the search for the best widths


@dataclass(frozen=True)
class Correction:
    """Errors of R reference reactions, from which the errors of other reactions and steps are predicted.

    Attributes
    ----------
    bonds : tuple of str
        Names of the B bonds, pairs and bonds to facets that change in these reactions.
    counts : ndarray
        Number of bonds that each reaction forms, negative if it breaks them; shape (R, B).
    molecules : ndarray
        Stoichiometric coefficients of the M molecules, shape (R, M).
    errors_eV : ndarray
        Errors of the reaction energies, shape (R,).
    widths : Widths
        Standard deviations of the prior and of the noise.
    reference_sigma_eV : float
        Uncertainty of the reference energy of a reaction of molecules.
    additional_sigma_eV : ndarray or float
        Uncertainty of the reference energies of steps on facets, which have another level of theory; zero for reactions
        of molecules. Shape (R,).
    undescribed : frozenset of str
        Bonds that occur only in reactions whose molecules the calculator cannot describe.
    """

    bonds: tuple[str, ...]
    counts: np.ndarray
    molecules: np.ndarray
    errors_eV: np.ndarray
    widths: Widths
    reference_sigma_eV: float
    additional_sigma_eV: np.ndarray | float = 0.0
    undescribed: frozenset[str] = frozenset()

    @cached_property
    def covariance(self) -> np.ndarray:
        """Covariance of the errors of the reference reactions including noise, eV^2, shape (R, R)."""
        noise = self.widths.noise**2 * self.molecules @ self.molecules.T
        additional = np.diag(np.broadcast_to(np.square(self.additional_sigma_eV), len(self.errors_eV)))
        return self.counts @ self.widths.covariance(self.bonds) @ self.counts.T + noise + additional

    @cached_property
    def on_faces(self) -> np.ndarray:
        """Whether each reference reaction is a step on a facet, shape (R,)."""
        return _change_on_face(self.bonds, self.counts)

    def predict(self, changes: Sequence[Mapping[str, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Predict the errors of reactions or steps.

        Parameters
        ----------
        changes : sequence of mapping
            Bonds that each of n steps forms (positive) and breaks.

        Returns
        -------
        mean : ndarray
            Expected errors in eV, shape (n,). They must be subtracted from the energies of the calculator.
        covariance : ndarray
            Covariance of the errors in eV^2, shape (n, n). It does not include the noise of the states of a step.
        """
        names = [*self.bonds, *sorted({bond for change in changes for bond in change} - set(self.bonds))]
        steps = np.array([[change.get(bond, 0) for bond in names] for change in changes], dtype=float)
        steps = steps.reshape(-1, len(names))
        prior = self.widths.covariance(names)
        prior += np.diag(UNKNOWN_SIGMA_EV**2 * self.is_unknown(names, self.counts))
        mean, covariance = np.zeros(len(names)), prior
        if self.bonds:
            cross_covariance = prior[:, : len(self.bonds)] @ self.counts.T
            factor = cho_factor(self.covariance)
            mean = cross_covariance @ cho_solve(factor, self.errors_eV)
            covariance = prior - cross_covariance @ cho_solve(factor, cross_covariance.T)
        return steps @ mean, steps @ covariance @ steps.T

    def is_unknown(self, names: Sequence[str], counts: np.ndarray) -> np.ndarray:
        """Whether a set of reactions contains no information about the error of a bond.

        A bond counts as known if it changes in one of the reactions. It also counts as known if both of its end atoms
        occur, at the same end, in bonds of the same type that change in reactions of molecules. Types are covalent or
        dative bonds, to a metal or to hydrogen. The second rule does not apply to bonds that the calculator cannot
        describe. A bond to a facet counts as known if the reactions include a step on any facet.

        Parameters
        ----------
        names : sequence of str
            Names of n bonds, pairs and bonds to facets.
        counts : ndarray
            Number of bonds that each reaction forms, shape (any number of reactions, B).

        Returns
        -------
        ndarray
            True for a bond with unknown error, shape (n,).
        """
        on_face = _change_on_face(self.bonds, counts)
        measured = set(compress(self.bonds, (counts != 0).any(axis=0)))
        measured_in_molecules = compress(self.bonds, (counts[~on_face] != 0).any(axis=0))
        known_ends = {end for name in measured_in_molecules for end in _typed_ends(name)}
        unknown = []
        for name in names:
            if is_face(name):
                unknown.append(not on_face.any())
            elif name in measured:
                unknown.append(False)
            else:
                unknown.append(name in self.undescribed or not known_ends.issuperset(_typed_ends(name)))
        return np.array(unknown, dtype=bool)

    def unmeasured(self, change: Mapping[str, int]) -> list[str]:
        """Name the bonds of a step that change in no reference reaction.

        Parameters
        ----------
        change : mapping
            Bonds that the step forms and breaks.

        Returns
        -------
        list of str
            Bonds and bonds to facets, sorted. Bonds with unknown error are followed by their standard deviation, such
            as `Ti-C (2 eV)`.
        """
        names = sorted(name for name in set(change) - set(self.bonds) if not is_pair(name))
        unknown = self.is_unknown(names, self.counts)
        return [f"{name} ({UNKNOWN_SIGMA_EV:.0f} eV)" if u else name for name, u in zip(names, unknown, strict=True)]


def _change_on_face(bonds: Sequence[str], counts: np.ndarray) -> np.ndarray:
    """Whether each reaction changes a bond to a facet, shape (reactions,)."""
    to_face = np.array([is_face(name) for name in bonds], dtype=bool)
    return (counts[:, to_face] != 0).any(axis=1)


def _typed_ends(name: str) -> list[tuple]:
    """Both ends of a bond with the type of the bond; a pair has no ends."""
    if not is_bond(name):
        return []
    first, second, dative = split_bond(name)
    bond_type = (dative, is_metal(first), is_metal(second), second == "H")
    return [(*bond_type, "first", first), (*bond_type, "second", second)]


def _shared_group(name: str) -> str:
    """Group of bonds with a shared error: the acceptor of a dative bond, or the partner of a covalent one.

    The group of a bond to hydrogen, of a pair and of a bond to a facet is empty: their errors are independent.
    """
    if not is_bond(name):
        return ""
    first, second, dative = split_bond(name)
    if dative:
        return f"{first}<-"
    return "" if second == "H" else f"-{second}"


def measure_errors(reference: Reference, energies: Mapping[str, float | None]) -> pd.DataFrame:
    """Compare the reaction energies of a calculator with the reference set.

    Parameters
    ----------
    reference : Reference
        The reference set.
    energies : mapping
        Total energy in eV of every molecule and facet; None or absent if the calculator could not relax it.

    Returns
    -------
    DataFrame
        One row for each reaction: reaction, bonds and molecules (see `format_counts`), energy_eV, reference_eV,
        error_eV, level, reference_sigma_eV, on_face. error_eV is calculator minus reference. It is NaN if an energy is
        missing, or if the error exceeds `LARGEST_ERROR_EV`; the bonds of such a reaction count as not measured.
    """
    bonds = {name: molecule_bonds(molecule) for name, molecule in reference.molecules.items()}
    rows = []
    for reaction, level in reference.measured:
        energy = _reaction_energy(reaction, energies)
        reference_energy = reference.reaction_energy(reaction)
        error = energy - reference_energy
        if isinstance(reaction, SurfaceStep):
            change = _surface_step_bonds(reaction)
        else:
            change = reaction_bonds(reaction.stoichiometry, bonds)
        rows.append(
            {
                "reaction": reaction.name,
                "bonds": format_counts(change),
                "molecules": format_counts(reaction.stoichiometry),
                "energy_eV": energy,
                "reference_eV": reference_energy,
                "error_eV": error if abs(error) < LARGEST_ERROR_EV else np.nan,
                "level": level.label,
                "reference_sigma_eV": level.sigma_eV,
                "on_face": isinstance(reaction, SurfaceStep),
            }
        )
    return pd.DataFrame(rows)


def _reaction_energy(reaction: ReferenceReaction, energies: Mapping[str, float | None]) -> float:
    """Reaction energy in eV; NaN if the energy of a molecule is missing."""
    total = 0.0
    for name, number in reaction.stoichiometry.items():
        energy = energies.get(name)
        if energy is None:
            return np.nan
        total += energy * number
    return total


def _surface_step_bonds(step: SurfaceStep) -> Counter[str]:
    """Bonds that a reference step on a facet changes."""
    material, facet = find_facet(step.slab)
    ligand = library.ligand(step.ligand) if step.ligand else None
    roles = assign_roles(library.material(material), facet, ligand, library.precursor(step.precursor))
    return step_bonds(library.get("reactions", step.step), roles)


def fit_correction(errors: pd.DataFrame) -> Correction:
    """Fit the errors of bonds to the errors of the reference reactions.

    Parameters
    ----------
    errors : DataFrame
        Table of `measure_errors`.

    Returns
    -------
    Correction
        The fit. Without any measured reaction, the errors of all bonds are unknown.

    Raises
    ------
    InputError
        The reactions of molecules, or the steps on facets, have several levels of theory.
    """
    measured = errors.dropna(subset="error_eV")
    on_face = measured["on_face"].to_numpy(bool)
    for rows in (measured[~on_face], measured[on_face]):
        if rows["level"].nunique() > 1:
            raise InputError(
                f"reference energies of several levels are mixed: {', '.join(sorted(set(rows['level'])))}; "
                "give a table with one level for molecules and one for facets"
            )
    reference_sigma = float(errors.loc[~errors["on_face"], "reference_sigma_eV"].max())
    if measured.empty:
        return Correction((), np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), Widths(), reference_sigma)
    bonds, counts = _count_matrix(measured["bonds"])
    _, molecules = _count_matrix(measured["molecules"])
    bonds_not_measured = errors.loc[errors["error_eV"].isna(), "bonds"].fillna("").map(parse_counts)
    fit = Correction(
        bonds=bonds,
        counts=counts,
        molecules=molecules,
        errors_eV=measured["error_eV"].to_numpy(float),
        widths=INITIAL_WIDTHS,
        reference_sigma_eV=reference_sigma,
        additional_sigma_eV=np.where(on_face, measured["reference_sigma_eV"], 0.0),
        undescribed=frozenset().union(*bonds_not_measured) - set(bonds),
    )
    return optimise_widths(fit)


def _count_matrix(column: pd.Series) -> tuple[tuple[str, ...], np.ndarray]:
    """Convert a column of `format_counts` to names and a matrix; an empty cell is a row of zeros."""
    rows = [parse_counts(text) for text in column.fillna("")]
    names = tuple(sorted({name for row in rows for name in row}))
    return names, np.array([[row[name] for name in names] for row in rows], dtype=float).reshape(len(rows), -1)


def optimise_widths(fit: Correction) -> Correction:
    """Maximise the marginal likelihood of the errors with respect to the widths.

    Parameters
    ----------
    fit : Correction
        Fit with any widths.

    Returns
    -------
    Correction
        The same fit with the best widths. A width on which no reaction depends is zero.
    """
    from scipy.optimize import minimize  # imported here because it is slow, and the plan of a run needs no fit

    # The covariance is a sum of the squared widths times constant matrices, and a part that does not depend on widths.
    prior_terms = [Widths(bond=1.0), Widths(shared=1.0), Widths(pair=1.0), Widths(face=1.0)]
    parts = [fit.counts @ widths.covariance(fit.bonds) @ fit.counts.T for widths in prior_terms]
    parts.append(fit.molecules @ fit.molecules.T)
    constant_part = replace(fit, widths=Widths()).covariance

    def negative_log_likelihood(log_widths: np.ndarray) -> tuple[float, np.ndarray]:
        variances = np.exp(2 * log_widths)
        total = constant_part + sum(variance * part for variance, part in zip(variances, parts, strict=True))
        factor = cho_factor(total)
        weights = cho_solve(factor, fit.errors_eV)
        inverse = cho_solve(factor, np.eye(len(fit.errors_eV)))
        value = 0.5 * fit.errors_eV @ weights + np.log(np.diag(factor[0])).sum()
        gradient = [
            variance * ((inverse * part).sum() - weights @ part @ weights)
            for variance, part in zip(variances, parts, strict=True)
        ]
        return float(value), np.array(gradient)

    bounds = [(np.log(SMALLEST_WIDTH_EV), np.log(LARGEST_WIDTH_EV))] * len(parts)
    start = np.log(astuple(INITIAL_WIDTHS))
    found = minimize(negative_log_likelihood, start, jac=True, method="L-BFGS-B", bounds=bounds)
    determined = [part.any() for part in parts]
    return replace(fit, widths=Widths(*np.where(determined, np.exp(found.x), 0.0).tolist()))
