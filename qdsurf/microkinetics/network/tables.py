"""What the kinetics reads: the tables that the energetics wrote, or that a hand-written mechanism becomes."""

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
    """The tables of one or more systems; see docs/reference/tables.md for their columns.

    Attributes
    ----------
    states, steps, sites : as the energetics writes them.
    gibbs : free energies of the same states at other temperatures; without it there is one temperature.
    factors : errors that several states share; state i moves by sum_f loading_if z_f besides its own sigma.
    interactions : lateral interactions of pairs of species.
    """

    states: pd.DataFrame
    steps: pd.DataFrame
    sites: pd.DataFrame
    gibbs: pd.DataFrame | None = None
    factors: pd.DataFrame | None = None
    interactions: pd.DataFrame | None = None


def read_tables(folder: Path) -> Tables:
    """Read the tables of a folder, and check that their columns are there.

    Raises
    ------
    InputError : a file is missing or damaged, or has not all columns; the message names file and columns.
    """
    return Tables(*(_read_table(Path(folder), name) for name in COLUMNS))


def _read_table(folder: Path, name: str) -> pd.DataFrame | None:
    path = folder / f"{name}.csv"
    if not path.is_file():
        if name in OPTIONAL:
            return None
        needed = ", ".join(f"{table}.csv" for table in COLUMNS if table not in OPTIONAL)
        raise InputError(f"{path}: no such file; the folder must hold {needed}")
    table = read_table(path)
    missing = [column for column in COLUMNS[name] if column not in table]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}")
    return table
