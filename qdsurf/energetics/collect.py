"""Tables of one system: states, steps, sites, and the errors that states share."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms

from qdsurf.energetics.corrections import Correction
from qdsurf.energetics.states import Gas, SystemStates, factor_table, state_errors, state_table
from qdsurf.energetics.steps import site_table, step_table
from qdsurf.energetics.thermochemistry import adsorbed_correction, gas_correction
from qdsurf.records.models import Molecule
from qdsurf.records.reaction_templates import Reaction
from qdsurf.records.settings import ThermochemistrySpec
from qdsurf.relaxation.selection import State

GIBBS_COLUMNS = ["system", "state", "temperature_K", "gibbs_eV"]


@dataclass(frozen=True)
class EnergyTables:
    """Tables of one system at one temperature; each table is described by the function that makes it."""

    states: pd.DataFrame
    steps: pd.DataFrame
    sites: pd.DataFrame
    factors: pd.DataFrame


def thermal_gas(
    atoms: Atoms | None,
    state: State,
    modes: list[float],
    molecule: Molecule,
    role: str,
    density: Mapping[str, float],
    temperature_K: float,
    settings: ThermochemistrySpec,
) -> Gas:
    """Add the free-energy corrections to a gas molecule, for the gas and for the sites that adsorb it.

    Parameters
    ----------
    atoms : Atoms or None
        Relaxed geometry; None if the molecule could not be relaxed, then both corrections are NaN.
    state : State
        Relaxed molecule.
    modes : list of float
        Energies of its normal modes, eV.
    molecule : Molecule
        Record with symmetry number and spin.
    role : str
        Precursors and by-products adsorb on the family `surface`, ligands and salts on the family `ligand`.
    density : mapping
        Sites in nm^-2 by family.
    temperature_K : float
        Temperature.
    settings : ThermochemistrySpec
        Parameters of the free energies.
    """
    if atoms is None:
        return Gas(state, np.nan, np.nan)
    energies = np.array(modes)
    free = gas_correction(
        atoms, energies, molecule.symmetry_number, temperature_K, settings, molecule.spin_multiplicity
    )
    family = "ligand" if role in ("ligand", "salt") else "surface"
    return Gas(state, free, adsorbed_correction(atoms, energies, temperature_K, density[family], settings))


def collect_tables(
    system: SystemStates, templates: Mapping[str, Reaction], correction: Correction, temperature_K: float
) -> EnergyTables:
    """Make the tables of one system at one temperature."""
    errors = state_errors(system, templates, correction)
    return EnergyTables(
        states=state_table(system, templates, errors, temperature_K),
        steps=step_table(system, templates, errors),
        sites=site_table(system, templates),
        factors=factor_table(system, errors),
    )
