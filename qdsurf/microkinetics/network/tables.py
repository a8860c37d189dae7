"""Input tables of the kinetics, written by the energetics or derived from a hand-written mechanism."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from qdsurf.errors import InputError
from qdsurf.storage.files import read_table

COLUMNS = {
    "states": ("system", "state", "energy_eV", "gibbs_eV", "sigma_eV", "temperature_K", "mass_amu"),
    "steps": (
        *("system", "step", "reaction_class", "activation_energy_eV", "activation_sigma_eV", "barrier_source"),
        *("initial_state", "final_state", "lattice", "reactive", "removes_ligand", "removes_cation", "status"),
    ),
    "sites": ("system", "family", "initial_species", "density_per_nm2"),
    "gibbs": ("system", "state", "temperature_K", "gibbs_eV"),
    "factors": ("system", "state", "factor", "loading_eV"),
    "interactions": ("system", "species_1", "species_2", "interaction_eV_nm2"),
}
OPTIONAL = ("gibbs", "factors", "interactions")


class Tables(NamedTuple):
    """The tables of one or more systems; docs/reference/tables.md describes their columns.

    Attributes
    ----------
    states : pandas.DataFrame
        Energies of surface states and gas molecules.
    steps : pandas.DataFrame
        Elementary steps with their barriers.
    sites : pandas.DataFrame
        Site families with their densities and initial species.
    gibbs : pandas.DataFrame or None
        Free energies of the same states at other temperatures. Without this table, the free energies are known at one
        temperature only.
    factors : pandas.DataFrame or None
        Errors that several states share. A sample shifts state i by sum_f loading_if z_f in addition to its own sigma.
    interactions : pandas.DataFrame or None
        Lateral interactions of pairs of species.
    """

    states: pd.DataFrame
    steps: pd.DataFrame
    sites: pd.DataFrame
    gibbs: pd.DataFrame | None = None
    factors: pd.DataFrame | None = None
    interactions: pd.DataFrame | None = None


def read_tables(folder: Path) -> Tables:
    """Read the tables of a folder and check that they have the required columns.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with states.csv, steps.csv and sites.csv; gibbs.csv, factors.csv and interactions.csv are optional.

    Returns
    -------
    Tables

    Raises
    ------
    InputError
        A file is missing or damaged, or lacks a column. The message names the file and the columns.
    """
    folder = Path(folder)
    return Tables(
        states=_read_required(folder, "states"),
        steps=_read_required(folder, "steps"),
        sites=_read_required(folder, "sites"),
        gibbs=_read_optional(folder, "gibbs"),
        factors=_read_optional(folder, "factors"),
        interactions=_read_optional(folder, "interactions"),
    )


def _read_required(folder: Path, name: str) -> pd.DataFrame:
    """Read one table; a missing file is an error."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        needed = ", ".join(f"{table}.csv" for table in COLUMNS if table not in OPTIONAL)
        raise InputError(f"{path}: no such file; the folder must contain {needed}")
    table = read_table(path)
    missing = [column for column in COLUMNS[name] if column not in table]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}")
    return table


def _read_optional(folder: Path, name: str) -> pd.DataFrame | None:
    """Read one table if its file exists."""
    return _read_required(folder, name) if (folder / f"{name}.csv").is_file() else None
