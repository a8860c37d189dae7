"""How well a calculator does reactions of given metals, from its table of errors on the reference reactions."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from qdsurf.energetics.bond_types import is_bond, parse_counts, split_bond
from qdsurf.energetics.corrections import fit_correction
from qdsurf.energetics.cross_validation import leave_one_out, summarise_predictions
from qdsurf.errors import InputError
from qdsurf.records.models import Material

COLUMNS = "reaction", "bonds", "molecules", "error_eV", "level", "reference_sigma_eV", "on_face"


def read_errors(path: Path) -> pd.DataFrame:
    """Read a table of `measure_errors`.

    Raises
    ------
    InputError : there is no such table, or a column is missing.
    """
    try:
        table = pd.read_csv(path, float_precision="round_trip")  # pandas 2 by itself misses the last bit
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; a run writes it, or leave --errors out to have it computed") from None
    except ValueError as error:
        raise InputError(f"{path}: not readable as CSV: {error}") from None
    if missing := [column for column in COLUMNS if column not in table]:
        raise InputError(f"{path}: has no column {', '.join(missing)}; a table of errors has {', '.join(COLUMNS)}")
    return table


def cations(material: Material) -> list[str]:
    """Elements of a crystal that are not anions, all those of a metal included; no molecular ions."""
    there = {element for site in material.sites for element in material.occupancy(site.element)}
    there -= {material.molecular_ion.name} if material.molecular_ion else set()
    return sorted(element for element in there if material.formal_charges[element] >= 0)


def reaction_errors(errors: pd.DataFrame, metals: Collection[str]) -> dict:
    """Mean absolute errors, raw and left out, over the reference reactions that change bonds of any of some metals.

    Parameters
    ----------
    errors : table of `measure_errors`.
    metals : elements.

    Returns
    -------
    number and, where there are any, mae_raw_eV, mae_left_out_eV (each predicted from all other reactions) and the
    rest of `summarise_predictions`; by_metal, the number for each metal; fewest, the smallest of these.
    """
    measured = errors.dropna(subset="error_eV")
    changed = [_metals(bonds) for bonds in measured["bonds"].fillna("")]
    own = [not found.isdisjoint(metals) for found in changed]
    counts = {metal: sum(metal in found for found in changed) for metal in metals}
    summary = summarise_predictions(leave_one_out(fit_correction(errors)).loc[own])
    return summary | {"by_metal": counts, "fewest": min(counts.values(), default=0)}


def _metals(bonds: str) -> set[str]:
    """First partners of the bonds of a reaction, which are metals wherever there is one."""
    return {split_bond(bond)[0] for bond in parse_counts(bonds) if is_bond(bond)}
