"""Synthetic tables with the columns of states.csv, steps.csv and sites.csv, and the net rates of a network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from qdsurf.microkinetics.network.assembly import build_network
from qdsurf.microkinetics.network.model import Model
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.microkinetics.rates.landscape import Landscape, read_landscape, sample_shifts
from qdsurf.microkinetics.rates.rate_constants import RateConstants
from qdsurf.microkinetics.solver import lsoda
from qdsurf.microkinetics.solver.integration import activities
from qdsurf.microkinetics.solver.rate_law import compile_law
from qdsurf.units import BOLTZMANN_EV_PER_K

SYSTEM = "PbS_111_Pb~acetate~TMA"
STEP_DEFAULTS = {
    "system": SYSTEM,
    "reaction_class": "precursor-surface",
    "activation_energy_eV": 0.0,
    "activation_sigma_eV": 0.0,
    "barrier_source": "none",
    "reactive": True,
    "removes_ligand": False,
    "removes_cation": False,
    "status": "ok",
}
STATE_DEFAULTS = {"system": SYSTEM, "sigma_eV": 0.0, "pressure_Pa": 1e5, "flags": "", "sample_model": "acetate"}


@dataclass(frozen=True)
class SyntheticTables:
    """Tables of one system, which a test may change before it uses them."""

    states: pd.DataFrame
    steps: pd.DataFrame
    sites: pd.DataFrame
    gibbs: pd.DataFrame | None = None
    factors: pd.DataFrame | None = None
    interactions: pd.DataFrame | None = None

    @property
    def tables(self) -> Tables:
        return Tables(self.states, self.steps, self.sites, self.gibbs, self.factors, self.interactions)

    @property
    def network(self) -> Network:
        return build_network(SYSTEM, self.tables)

    @property
    def landscape(self) -> Landscape:
        return read_landscape(self.network, self.tables)

    @property
    def model(self) -> Model:
        return Model(self.network, self.tables)

    def sampled(self, samples: int, seed: int) -> Landscape:
        return self.landscape.shifted(sample_shifts(self.network, self.tables, samples, seed))


def make_tables(
    states: dict[str, float],
    steps: list[dict],
    gases: dict[str, tuple[float, float]] | None = None,
    sites: dict[str, float] | None = None,
    temperature_K: float = 300.0,
    sigma_eV: float = 0.0,
    entropy_eV: float = 0.6,
) -> SyntheticTables:
    """Make tables: free energies of states in eV, gases as (mass in amu, G in eV), sites as density in nm^-2.

    `entropy_eV` is TS of a gas. Electronic energies differ from free energies by this amount, for gases only.
    """
    rows = [
        STATE_DEFAULTS
        | {"state": name, "energy_eV": level, "gibbs_eV": level, "phase": "surface", "temperature_K": temperature_K}
        | ({} if name == "ligated" else {"sigma_eV": sigma_eV})
        for name, level in states.items()
    ]
    rows += [
        STATE_DEFAULTS
        | {"state": name, "energy_eV": level + entropy_eV, "gibbs_eV": level, "phase": "gas", "mass_amu": mass}
        | {"temperature_K": temperature_K}
        for name, (mass, level) in (gases or {}).items()
    ]
    return SyntheticTables(
        states=pd.DataFrame(rows).reindex(columns=[*rows[0], "mass_amu"] if not gases else None),
        steps=pd.DataFrame([STEP_DEFAULTS | {"final_state": step.get("step")} | step for step in steps]),
        sites=pd.DataFrame(
            [
                {
                    "system": SYSTEM,
                    "family": species.split("@")[1],
                    "initial_species": species,
                    "density_per_nm2": density,
                }
                for species, density in (sites or {"free@surface": 4.0}).items()
            ]
        ),
    )


def make_trimethylaluminium(**levels: float) -> SyntheticTables:
    """Make the eight steps of the shipped templates with plausible energies; `levels` replaces some of them."""
    surface, ligand, desorption = "precursor-surface", "precursor-ligand", "ligand-surface"
    both = "adduct@surface + intact@ligand -> film@surface + deprotonated@ligand + CH4(g)"
    rows = [
        ("adduct_surface", surface, "TMA(g) + free@surface -> adduct@surface", "ligated", 0.0, ""),
        ("dissociation_surface", surface, "adduct@surface -> dissociated@surface", "adduct_surface", 0.7, ""),
        ("protonolysis_surface_hydrogen", surface, both, "adduct_surface", 0.8, ""),
        ("adduct_ligand", ligand, "TMA(g) + intact@ligand -> adduct@ligand", "ligated", 0.0, ""),
        ("carboxylate_transfer", ligand, "adduct@ligand -> transferred@ligand", "adduct_ligand", 0.75, "ligand"),
        ("protonolysis_ligand", ligand, "adduct@ligand -> amide@ligand + CH4(g)", "adduct_ligand", 0.8, ""),
        ("ligand_desorption", desorption, "intact@ligand -> vacant@ligand + HOAc(g)", "ligated", 0.0, "ligand"),
        (
            "ligand_desorption_salt",
            desorption,
            "intact@ligand -> vacant@ligand + salt(g)",
            "ligated",
            0.0,
            "ligand cation",
        ),
    ]
    steps = [
        {
            "step": name,
            "reaction_class": reaction_class,
            "lattice": lattice,
            "initial_state": initial,
            "activation_energy_eV": barrier,
            "activation_sigma_eV": 0.1 if barrier else 0.0,
            "barrier_source": "bep" if barrier else "none",
            "reactive": not name.startswith("adduct"),
            "removes_ligand": "ligand" in removes,
            "removes_cation": "cation" in removes,
        }
        for name, reaction_class, lattice, initial, barrier, removes in rows
    ]
    states = {
        "ligated": 0.0,
        "adduct_surface": -0.45,
        "dissociation_surface": -1.0,
        "protonolysis_surface_hydrogen": -2.3,
        "adduct_ligand": -0.35,
        "carboxylate_transfer": -0.7,
        "protonolysis_ligand": -2.0,
        "ligand_desorption": 0.8,
        "ligand_desorption_salt": 1.1,
    }
    gases = {"TMA": (72.09, 0.0), "CH4": (16.04, 0.0), "HOAc": (60.05, 0.0), "salt": (325.3, 0.0)}
    sites = {"free@surface": 4.0, "intact@ligand": 3.0}
    return make_tables(states | levels, steps, gases, sites, temperature_K=313.15, sigma_eV=0.2)


def net_rates_per_site(
    network: Network, rates: RateConstants, coverages: np.ndarray, pressures_Pa: dict[str, float], temperature_K: float
) -> np.ndarray:
    """Net rate of every step per reference site at given coverages and pressures, s^-1, shape (S,)."""
    gas = activities(network, pressures_Pa)
    thermal_eV = BOLTZMANN_EV_PER_K * temperature_K
    derivative, _ = lsoda.derivatives(compile_law(network), rates, thermal_eV, gas, 0.0, 0.0)
    state = np.concatenate([coverages, gas, np.zeros(len(network.steps))])
    return derivative(state)[len(coverages) + len(gas) :]


@pytest.fixture(scope="session")
def tables() -> Callable[..., SyntheticTables]:
    """Function that makes synthetic tables."""
    return make_tables


@pytest.fixture(scope="session")
def templates() -> Callable[..., SyntheticTables]:
    """Function that makes the tables of the shipped templates."""
    return make_trimethylaluminium
