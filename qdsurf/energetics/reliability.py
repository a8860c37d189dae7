"""Reliability of a calculator for the metals of a crystal, from its errors on the reference reactions."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from qdsurf.energetics.bond_types import is_bond, parse_counts, split_bond
from qdsurf.energetics.corrections import fit_correction
from qdsurf.energetics.cross_validation import leave_one_out, summarise_predictions
from qdsurf.errors import InputError
from qdsurf.records.models import Material
from qdsurf.storage.files import read_table

COLUMNS = ("reaction", "bonds", "molecules", "error_eV", "level", "reference_sigma_eV", "on_face")


def read_errors(path: str | Path) -> pd.DataFrame:
    """Read a table of `measure_errors`.

    Parameters
    ----------
    path : str or Path
        CSV file.

    Returns
    -------
    DataFrame
        The table.

    Raises
    ------
    InputError
        The file is missing or damaged, is not CSV, or has no column of this name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; a run writes it. Without --errors the errors are computed")
    table = read_table(path)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}; a table of errors has {', '.join(COLUMNS)}")
    return table


def cations(material: Material) -> list[str]:
    """Return the elements of a crystal that are not anions.

    Parameters
    ----------
    material : Material
        The crystal.

    Returns
    -------
    list of str
        Elements with a formal charge of zero or more, sorted. All elements of a metal are included, molecular ions are
        not.
    """
    elements = {element for site in material.sites for element in material.occupancy(site.element)}
    if material.molecular_ion:
        elements.discard(material.molecular_ion.name)
    return sorted(element for element in elements if material.formal_charges[element] >= 0)


def reaction_errors(errors: pd.DataFrame, metals: Collection[str]) -> dict[str, Any]:
    """Summarise the errors of the reference reactions that change bonds of at least one of several metals.

    Parameters
    ----------
    errors : DataFrame
        Table of `measure_errors`.
    metals : collection of str
        Elements.

    Returns
    -------
    dict
        The keys of `summarise_predictions`, where each reaction is predicted from all others; by_metal, the number of
        reactions of each metal; fewest, the smallest of these numbers.
    """
    measured = errors.dropna(subset="error_eV")
    metals_of_reactions = [_metals(bonds) for bonds in measured["bonds"].fillna("")]
    has_metal = [not found.isdisjoint(metals) for found in metals_of_reactions]
    by_metal = {metal: sum(metal in found for found in metals_of_reactions) for metal in metals}
    summary = summarise_predictions(leave_one_out(fit_correction(errors)).loc[has_metal])
    return summary | {"by_metal": by_metal, "fewest": min(by_metal.values(), default=0)}


def _metals(bonds: str) -> set[str]:
    """First ends of the bonds that a reaction changes, which are metals in all bonds of metals."""
    return {split_bond(bond)[0] for bond in parse_counts(bonds) if is_bond(bond)}
