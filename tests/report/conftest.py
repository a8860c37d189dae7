"""Synthetic tables of nine systems with the columns of `results/energetics` and `results/kinetics`."""

import itertools

import numpy as np
import pandas as pd
import pytest

from qdsurf.records.models import Recipe

SURFACES = ("PbS_100_PbS", "CdSe_110_CdSe", "CsPbBr3_100_CsBr")
PRECURSORS = ("TMA", "DEZ", "TDMAT")
GASES = {"TMA": "CH4", "DEZ": "C2H6", "TDMAT": "HNMe2"}
SYSTEMS = tuple(f"{surface}~oleate~{precursor}" for surface in SURFACES for precursor in PRECURSORS)
MISSING = "PbS_100_PbS~oleate~DEZ"  # its dissociation has no energy
NO_NUMBER = "CsPbBr3_100_CsBr~oleate~TDMAT"  # none of its shares are known
TEMPERATURE_K = 313.15

# step: class, initial state, energy in eV, spread between systems in eV, intrinsic barrier in eV, lattice
TEMPLATES = {
    "adduct_surface": ("precursor-surface", "ligated", -0.8, 0.4, None,
                       "{m}(g) + free@surface -> adduct@surface"),
    "dissociation_surface": ("precursor-surface", "adduct_surface", -0.5, 0.7, 0.7,
                             "adduct@surface -> dissociated@surface"),
    "protonolysis_surface_hydrogen": ("precursor-surface", "adduct_surface", -1.4, 0.6, 0.5,
                                      "adduct@surface + intact@ligand -> film@surface + deprotonated@ligand + {g}(g)"),
    "adduct_ligand": ("precursor-ligand", "ligated", -0.6, 0.3, None,
                      "{m}(g) + intact@ligand -> adduct@ligand"),
    "carboxylate_transfer": ("precursor-ligand", "adduct_ligand", -1.2, 0.8, 0.6,
                             "adduct@ligand -> transferred@ligand"),
    "ligand_desorption": ("ligand-surface", "ligated", 1.0, 0.3, None,
                          "intact@ligand -> vacant@ligand + HOAc(g)"),
    "ligand_desorption_salt": ("ligand-surface", "ligated", 0.8, 0.4, None,
                               "intact@ligand -> vacant@ligand + PbOAc2(g)"),
}  # fmt: skip


def _energetics(system: str, rng: np.random.Generator) -> tuple[list[dict], list[dict]]:
    precursor = system.split("~")[-1]
    common = {"system": system, "temperature_K": TEMPERATURE_K, "calculator": "synthetic", "flags": ""}
    surface = {**common, "phase": "surface", "pressure_Pa": 1e5, "converged": True}
    states = [{**surface, "state": "ligated", "energy_eV": -500.0, "gibbs_eV": -498.0, "sigma_eV": 0.0}]
    for gas in (precursor, GASES[precursor], "HOAc", "PbOAc2"):
        row = {"state": gas, "energy_eV": -30.0, "gibbs_eV": -30.7, "sigma_eV": 0.0, "phase": "gas"}
        states.append({**common, **row, "pressure_Pa": 1e5, "converged": True})
    energies, steps = {"ligated": 0.0}, []
    for step, (group, initial, mean, spread, barrier, lattice) in TEMPLATES.items():
        lost = system == MISSING and step == "dissociation_surface"
        delta = np.nan if lost else float(np.round(rng.normal(mean, spread), 3))
        energies[step] = energies[initial] + delta
        activation = 0.0 if barrier is None else max(0.05, barrier + 0.4 * delta, delta + 0.05)
        status = "SCF did not converge in step 12" if lost else "ok"
        steps.append({
            "system": system, "step": step, "reaction_class": group, "equation": step, "reaction_energy_eV": delta,
            "activation_energy_eV": np.nan if lost else activation, "correction_eV": 0.1, "sigma_eV": 0.4,
            "barrier_source": "none" if barrier is None else "bep", "activation_sigma_eV": 0.25, "status": status,
            "initial_state": initial, "final_state": step, "lattice": lattice.format(m=precursor, g=GASES[precursor]),
            "reactive": barrier is not None, "removes_ligand": "desorption" in step, "removes_cation": "salt" in step,
        })  # fmt: skip
        moved = {"{m}(g)": -1} if "{m}(g) +" in lattice else {"(g)": lattice.count("(g)")}
        gas_energy = -30.0 * sum(moved.values()) if "(g)" in lattice else 0.0
        total = -500.0 + energies[step] - gas_energy - (-30.0 if "hydrogen" in step else 0.0)
        sigma = float(np.round(rng.uniform(0.3, 0.9), 2))
        row = {"state": step, "energy_eV": total, "gibbs_eV": total + 2.1, "sigma_eV": np.nan if lost else sigma}
        row |= {"correction_eV": 0.1, "total_sigma_eV": row["sigma_eV"] + 0.05}
        states.append({**surface, **row, "converged": not lost})
    return states, steps


@pytest.fixture(scope="session")
def energetics() -> tuple[pd.DataFrame, pd.DataFrame]:
    """States and steps of nine systems; one state of one system is missing."""
    rng = np.random.default_rng(4)
    rows = [_energetics(system, rng) for system in SYSTEMS]
    return tuple(pd.DataFrame(list(itertools.chain(*part))) for part in zip(*rows, strict=True))


@pytest.fixture(scope="session")
def selectivity() -> pd.DataFrame:
    """Selectivity of nine systems; the shares of the last one are missing."""
    rng = np.random.default_rng(2)
    rows = []
    for system in SYSTEMS:
        surface, ligand, desorption = rng.dirichlet([0.8, 0.8, 0.15])
        row = {
            "system": system, "temperature_K": TEMPERATURE_K, "pressure_Pa": 10.67, "time_s": 0.025,
            "precursor_surface": surface, "precursor_ligand": ligand, "ligand_surface": desorption,
            "ligand_loss": 0.1, "cation_loss": 0.0, "uptake_per_nm2": 1.2, "p_ligand_wins": rng.uniform(0.02, 0.98),
            "precursor_ligand_p16": ligand * rng.uniform(0.05, 0.9),
            "precursor_ligand_p84": ligand + (1 - ligand) * rng.uniform(0.1, 0.9), "missing_steps": "",
        }  # fmt: skip
        if system == MISSING:
            row["missing_steps"] = "dissociation_surface"
        if system == NO_NUMBER:
            row |= {
                key: np.nan for key, value in row.items() if key not in ("system", "missing_steps", "temperature_K")
            }
            row["missing_steps"] = "adduct_surface; dissociation_surface; adduct_ligand; carboxylate_transfer"
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Published cycle of TMA and water at 40 C, 10.1002/adom.202000900."""
    steps = [("precursor", "TMA", 10.67, 0.025), ("purge", "inert", 0.0, 5.0),
             ("coreactant", "H2O", 10.67, 0.030), ("purge", "inert", 0.0, 7.0)]  # fmt: skip
    keys = ("role", "species", "pressure_Pa", "duration_s")
    return Recipe(name="thermal_Al2O3_40C", temperature_K=TEMPERATURE_K, source="assumed for a test",
                  steps=[dict(zip(keys, step, strict=True)) for step in steps])  # fmt: skip


@pytest.fixture(scope="session")
def coverages() -> pd.DataFrame:
    """Coverages of two coupled site families over the whole cycle, with fast pulses and slow purges."""
    edges = np.cumsum([0, 0.025, 5.0, 0.030, 7.0])
    time = np.unique(np.concatenate([np.linspace(*pair, 80) for pair in itertools.pairwise(edges)]))
    pulse = np.minimum(time, 0.025)
    adsorbed = 1 - np.exp(-pulse / 0.008)
    kept = np.exp(-np.clip(time - 0.025, 0, None) / 1.5)
    reacted = adsorbed * (1 - kept)
    bound = 0.45 * (1 - np.exp(-pulse / 0.015))
    transferred = bound * (1 - np.exp(-np.clip(time - 0.025, 0, None) / 0.6))
    return pd.DataFrame({
        "time_s": time, "free@surface": 1 - adsorbed, "adduct@surface": adsorbed * kept,
        "dissociated@surface": 0.7 * reacted, "film@surface": 0.3 * reacted,
        "intact@ligand": 1 - bound - 0.3 * reacted * 0.8, "adduct@ligand": bound - transferred,
        "transferred@ligand": transferred, "deprotonated@ligand": 0.3 * reacted * 0.8, "vacant@ligand": 1e-7 * time,
    })  # fmt: skip
