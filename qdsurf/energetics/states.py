"""Table of states: every relaxed structure of a system and every gas molecule, with its free energy and its error."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qdsurf.records import Precursor, Reaction
from qdsurf.units import STANDARD_PRESSURE_PA

LIGATED = "ligated"


@dataclass(frozen=True)
class Gas:
    """A gas molecule as the molecules room hands it on.

    Attributes
    ----------
    state : plain data of `select_state` (energy_eV, composition, status, ...).
    gas_eV, adsorbed_eV : G - E in eV, free at the standard pressure and held by the surface.
    """

    state: dict
    gas_eV: float
    adsorbed_eV: float


@dataclass(frozen=True)
class System:
    """What the tables need to know of one system.

    Attributes
    ----------
    states : plain data of `select_state` by state name; `ligated` and one for each reaction template.
    gases : by role: precursor, by_product, ligand, salt; roles that the system has not are absent.
    names : names of these molecules.
    model : words for what stands in for the ligand.
    note : words that go with every row.
    """

    name: str
    precursor: Precursor
    states: Mapping[str, dict]
    gases: Mapping[str, Gas]
    names: Mapping[str, str]
    model: str
    note: str = ""


def history(reaction: Reaction, templates: Mapping[str, Reaction]) -> list[Reaction]:
    """The templates that lead from the covered surface to a state, first one first."""
    chain = [reaction]
    while chain[0].reactant != LIGATED:
        chain.insert(0, templates[chain[0].reactant])
    return chain


def exchanged(reaction: Reaction, templates: Mapping[str, Reaction]) -> tuple[list[str], list[str]]:
    """Roles of the gas molecules that a state has taken up and given off since the covered surface."""
    chain = history(reaction, templates)
    return ["precursor" for r in chain if r.binds_precursor], [release for r in chain for release in r.releases]


def error_kind(reaction: Reaction) -> str:
    """Whether a step changes covalent bonds (`exchange`) or dative ones only (`dative`)."""
    return "exchange" if reaction.barrier or (reaction.releases and reaction.forms) else "dative"


def state_sigma(reaction: Reaction, templates: Mapping[str, Reaction], errors: Mapping[str, float]) -> float:
    """Standard deviation in eV of a state's energy against the covered surface and gas molecules.

    The measured errors of the kinds of bond change on the way there, added in quadrature, each kind once.
    """
    return float(np.sqrt(sum(errors[kind] ** 2 for kind in {error_kind(r) for r in history(reaction, templates)})))


def state_table(
    system: System, templates: Mapping[str, Reaction], errors: Mapping[str, float], temperature_K: float
) -> pd.DataFrame:
    """States of one system; columns as in the contract, one row a state or gas molecule.

    A surface state's free energy is its electronic energy plus its `thermal_eV` where a partial Hessian gave one,
    else plus the adsorbed corrections of the molecules it took up less those it gave off: a surface reaction
    conserves the modes, adsorption and desorption exchange them.
    """
    rows = [_surface_row(system, LIGATED, 0.0, 0.0)]
    for name in system.states:
        if name == LIGATED:
            continue
        taken, given = exchanged(templates[name], templates)
        thermal = sum(system.gases[r].adsorbed_eV for r in taken) - sum(system.gases[r].adsorbed_eV for r in given)
        rows.append(_surface_row(system, name, thermal, state_sigma(templates[name], templates, errors)))
    for role, gas in system.gases.items():
        energy = gas.state["energy_eV"]
        row = _row(system.names[role], gas.state, energy, None if energy is None else energy + gas.gas_eV, 0.0)
        rows.append(row | {"phase": "gas", "mass_amu": gas.state.get("mass_amu")})
    table = pd.DataFrame(rows)
    table.insert(0, "system", system.name)
    table["temperature_K"] = temperature_K
    table["pressure_Pa"] = STANDARD_PRESSURE_PA
    table["sample_model"] = system.model
    table["note"] = system.note
    return table[STATE_COLUMNS]


STATE_COLUMNS = [
    "system", "state", "energy_eV", "gibbs_eV", "sigma_eV", "temperature_K", "pressure_Pa", "calculator", "converged",
    "flags", "phase", "mass_amu", "formula", "charge", "substrate", "sample_model", "note",
]  # fmt: skip


def _surface_row(system: System, name: str, thermal: float, sigma: float) -> dict:
    state = system.states[name]
    energy = state["energy_eV"]
    thermal = state.get("thermal_eV", thermal)
    row = _row(name, state, energy, None if energy is None else energy + thermal, sigma)
    return row | {"phase": "surface", "mass_amu": np.nan}


def _row(name: str, state: dict, energy: float | None, gibbs: float | None, sigma: float) -> dict:
    calculator = state.get("calculator") or {}
    settings = " ".join(str(v) for v in (calculator.get("parameters") or {}).values())
    flags = ";".join(state["flags"]) if state["status"] == "ok" else state["status"]
    return {
        "state": name,
        "energy_eV": energy,
        "gibbs_eV": gibbs,
        "sigma_eV": sigma,
        "calculator": f"{calculator.get('name', '')} {settings}".strip(),
        "converged": state["converged"],
        "flags": flags,
        "formula": "".join(f"{element}{count}" for element, count in sorted(state.get("composition", {}).items())),
        "charge": state.get("charge"),
        "substrate": state.get("substrate", ""),
    }
