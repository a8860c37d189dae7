"""From the states of the rooms to the tables of one system."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ase import Atoms

from qdsurf.energetics.barrier_corrections import SaddleCorrection
from qdsurf.energetics.bond_types import Roles
from qdsurf.energetics.corrections import Correction
from qdsurf.energetics.states import Gas, System, factor_table, state_errors, state_table
from qdsurf.energetics.steps import site_table, step_table
from qdsurf.energetics.thermochemistry import adsorbed_correction, gas_correction
from qdsurf.records.models import Molecule
from qdsurf.records.reaction_templates import Reaction
from qdsurf.records.settings import ThermochemistrySpec

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]
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
        gas_correction(
            atoms, np.array(modes), molecule.symmetry_number, temperature_K, settings, molecule.spin_multiplicity
        ),
        adsorbed_correction(atoms, np.array(modes), temperature_K, density[family], settings),
    )


def collect_tables(
    name: str,
    roles: Roles,
    states: Mapping[str, dict],
    gases: Mapping[str, Gas],
    names: Mapping[str, str],
    templates: Mapping[str, Reaction],
    correction: Correction,
    temperature_K: float,
    model: str,
    note: str = "",
    saddles: Mapping[str, dict] | None = None,
    saddle_correction: SaddleCorrection = SaddleCorrection(),  # noqa: B008 (immutable)
) -> Tables:
    """States, steps, sites and shared errors of one system, each as its own function says."""
    system = System(name, roles, states, gases, names, model, note, saddles or {}, saddle_correction)
    errors = state_errors(system, templates, correction)
    return (
        state_table(system, templates, errors, temperature_K),
        step_table(system, templates, errors),
        site_table(system, templates),
        factor_table(system, errors),
    )
