"""Tables of the energetics of one system, from the results of its jobs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from qdsurf.atomistic.molecules import describe_model
from qdsurf.energetics.barrier_corrections import SaddleCorrection, fit_saddle_correction
from qdsurf.energetics.bond_types import assign_roles
from qdsurf.energetics.collect import GIBBS_COLUMNS, EnergyTables, collect_tables, thermal_gas
from qdsurf.energetics.corrections import Correction, fit_correction
from qdsurf.energetics.states import Gas, SystemStates
from qdsurf.energetics.thermochemistry import state_correction
from qdsurf.pipeline.layout import JobFiles
from qdsurf.pipeline.plan import Plan
from qdsurf.records import library
from qdsurf.records.reference_set import read_saddles
from qdsurf.records.systems import System, find_facet
from qdsurf.relaxation.result import read_results_only
from qdsurf.relaxation.selection import State, read_state, refine_state
from qdsurf.saddles.result import read_saddle
from qdsurf.storage.files import read_json, read_table
from qdsurf.storage.structures import read_structures


@dataclass(frozen=True)
class SystemTables:
    """Tables of one system: at the temperature of the recipe, and the free energies at the other temperatures."""

    energies: EnergyTables
    gibbs: pd.DataFrame


def tabulate_system(plan: Plan, system: System) -> SystemTables:
    """Read the states that the jobs of a system have selected, and make its tables.

    Parameters
    ----------
    plan : Plan
        Plan of the run; its files must exist.
    system : System
        One of its systems.
    """
    own = library.recipe(plan.config.kinetics.recipe).temperature_K
    others = [t for t in plan.config.thermochemistry.temperatures_K if t != own]
    correction = fit_correction(read_table(plan.error_files(system.slab)[-1]))
    saddle_correction = SaddleCorrection()
    for path in plan.barrier_files(system.slab):
        saddle_correction = fit_saddle_correction(read_table(path), read_saddles()[0].saddles, correction)[0]
    tables = {t: _tables_at(plan, system, t, correction, saddle_correction) for t in (own, *others)}
    gibbs = [tables[t].states[GIBBS_COLUMNS] for t in others]
    return SystemTables(tables[own], pd.concat([pd.DataFrame(columns=GIBBS_COLUMNS), *gibbs]))


def _tables_at(
    plan: Plan, system: System, temperature_K: float, correction: Correction, saddle_correction: SaddleCorrection
) -> EnergyTables:
    """Tables of a system at one temperature."""
    settings = plan.config.thermochemistry
    jobs = plan.steps.states(system)
    states = {name: _read_state(plan, job) for name, job in jobs.items()}
    qualification = read_json(plan.qualification(system.slab).qualification)
    thermal = {}
    if plan.config.thermochemistry.adsorbates == "partial_hessian":
        modes = {name: np.array(read_json(job.modes)["mode_energies_eV"]) for name, job in jobs.items()}
        thermal = {name: state_correction(modes[name], temperature_K, settings) for name in modes}
    density = states["ligated"].density_per_nm2 or {"surface": np.nan, "ligand": np.nan}
    molecules = plan.gases.by_role(system)
    gases: dict[str, Gas] = {}
    for role, molecule in molecules.items():
        job = plan.molecule(system.slab, molecule.name)
        structures = read_structures(job.structure)
        gases[role] = thermal_gas(
            structures[0] if structures else None,
            _read_state(plan, job),
            read_json(job.modes)["mode_energies_eV"],
            molecule,
            role,
            density,
            temperature_K,
            settings,
        )
    roles = assign_roles(
        plan.requirements.material(system.slab),
        find_facet(system.slab)[1],
        plan.requirements.ligand(system.ligand),
        library.precursor(system.precursor),
        molecules.get("coreactant"),
    )
    ligand = plan.requirements.ligand(system.ligand)
    substrate = qualification["substrate"] if plan.config.substrate == "auto" else plan.config.substrate
    tabulated = SystemStates(
        name=str(system),
        roles=roles,
        states=states,
        gases=gases,
        names={role: molecule.name for role, molecule in molecules.items()},
        model="no ligand" if ligand is None else describe_model(ligand, plan.config.truncate_to_carbons),
        note=_note(plan, qualification["uses"]),
        substrate=substrate,
        thermal_eV=thermal,
        saddles={name: read_saddle(job.saddle["saddle"]) for name, job in plan.steps.saddles(system).items()},
        saddle_correction=saddle_correction,
    )
    return collect_tables(tabulated, plan.steps.reactions(system), correction, temperature_K)


def _read_state(plan: Plan, job: JobFiles) -> State:
    """State that a job has selected, with its better energy if the configuration asks for one."""
    state = read_state(job.state)
    if not plan.config.refine:
        return state
    refined = read_results_only(job.refined["result"])
    return refine_state(state, refined[0]) if refined else state


def _note(plan: Plan, uses: dict[str, dict]) -> str:
    """Words that go with every number of a slab: the note of the configuration, and the limits of its calculator."""
    unfit = [f"not qualified for {use.replace('_', ' ')}: {v['reason']}" for use, v in uses.items() if not v["fit"]]
    return "; ".join(filter(None, [plan.config.note, *unfit]))
