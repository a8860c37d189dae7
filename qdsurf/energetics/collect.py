"""From the states of the rooms to the three tables of one system."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ase import Atoms

from qdsurf.config import ThermochemistrySpec
from qdsurf.energetics.corrections import typical_errors
from qdsurf.energetics.states import Gas, System, state_table
from qdsurf.energetics.steps import site_table, step_table
from qdsurf.energetics.thermochemistry import adsorbed_correction, gas_correction
from qdsurf.records import Molecule, Precursor, Reaction

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
GIBBS_COLUMNS = ["system", "state", "temperature_K", "gibbs_eV"]


def thermal_gas(
    atoms: Atoms | None,
    state: dict,
    modes: list[float],
    molecule: Molecule,
    role: str,
    density: Mapping[str, float],
    temperature_K: float,
    settings: ThermochemistrySpec,
) -> Gas:
    """A gas molecule with its free-energy corrections, on its own and on the site family that holds it.

    Parameters
    ----------
    atoms : relaxed geometry; None if the molecule could not be relaxed, then both corrections are NaN.
    density : sites in nm^-2 by family; precursors and by-products meet `surface`, ligands and salts `ligand`.
    """
    if atoms is None:
        return Gas(state, np.nan, np.nan)
    family = "ligand" if role in ("ligand", "salt") else "surface"
    return Gas(
        state,
        gas_correction(atoms, np.array(modes), molecule.symmetry_number, temperature_K, settings),
        adsorbed_correction(atoms, np.array(modes), temperature_K, density[family], settings),
    )


def collect_tables(
    name: str,
    precursor: Precursor,
    states: Mapping[str, dict],
    gases: Mapping[str, Gas],
    names: Mapping[str, str],
    templates: Mapping[str, Reaction],
    errors: pd.DataFrame,
    temperature_K: float,
    model: str,
    note: str = "",
) -> Tables:
    """States, steps and sites of one system; see `state_table`, `step_table` and `site_table`."""
    system = System(name, precursor, states, gases, names, model, note)
    sigma = typical_errors(errors)
    return (
        state_table(system, templates, sigma, temperature_K),
        step_table(system, templates, sigma),
        site_table(system),
    )
