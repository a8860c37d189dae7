"""Table of states: every relaxed structure of a system and every gas molecule, with its free energy and its error."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.energetics.barrier_corrections import SaddleCorrection
from qdsurf.energetics.bond_types import Roles, step_bonds
from qdsurf.energetics.corrections import Correction
from qdsurf.records.reaction_templates import Reaction
from qdsurf.units import STANDARD_PRESSURE_PA

LIGATED = "ligated"
SMALLEST_VARIANCE_EV2 = 1e-10  # of a shared error that is worth a row; rounding makes smaller ones


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
    roles : who plays those of the templates; see `assign_roles`.
    gases : by role: precursor, coreactant, by_product, ligand and so on; roles that the system has not are absent.
    names : names of these molecules.
    model : words for what stands in for the ligand.
    note : words that go with every row.
    saddles : plain data of `find_saddle` by template, for the steps whose saddle was searched.
    saddle_correction : how verified barriers are corrected.
    """

    name: str
    roles: Roles
    states: Mapping[str, dict]
    gases: Mapping[str, Gas]
    names: Mapping[str, str]
    model: str
    note: str = ""
    saddles: Mapping[str, dict] = field(default_factory=dict)
    saddle_correction: SaddleCorrection = field(default_factory=SaddleCorrection)


def history(reaction: Reaction, templates: Mapping[str, Reaction]) -> list[Reaction]:
    """The templates that lead from the covered surface to a state, first one first."""
    chain = [reaction]
    while chain[0].reactant != LIGATED:
        chain.insert(0, templates[chain[0].reactant])
    return chain


def exchanged(reaction: Reaction, templates: Mapping[str, Reaction]) -> tuple[list[str], list[str]]:
    """Roles of the gas molecules that a state has taken up and given off since the covered surface."""
    chain = history(reaction, templates)
    return [r.takes for r in chain if r.takes], [release for r in chain for release in r.releases]


def state_bonds(system: System, templates: Mapping[str, Reaction]) -> dict[str, Counter[str]]:
    """Bonds gained and lost by every surface state since the covered surface, by name; none for that one itself."""
    changes = {LIGATED: Counter()}
    for name in system.states:
        if name != LIGATED:
            steps = [step_bonds(reaction, system.roles) for reaction in history(templates[name], templates)]
            changes[name] = Counter({bond: sum(step[bond] for step in steps) for step in steps for bond in step})
    return changes


class StateErrors(NamedTuple):
    """What the correction says of the states of a system, against the covered surface and gas molecules.

    Attributes
    ----------
    names : of the n surface states, the covered surface first.
    correction_eV : to be added to their energies, shape (n,).
    covariance_eV2 : of what the correction does not know, shape (n, n).
    own_eV : standard deviation that each state shares with no other.
    unmeasured : bonds of the step that makes each state which the reference set does not contain.
    """

    names: list[str]
    correction_eV: np.ndarray
    covariance_eV2: np.ndarray
    own_eV: float
    unmeasured: list[list[str]]

    def between(self, initial: str, final: str) -> tuple[float, float]:
        """Correction of a step and its standard deviation, eV."""
        i, f = self.names.index(initial), self.names.index(final)
        if i == f:
            return 0.0, 0.0
        change = np.zeros(len(self.names))
        change[f], change[i] = 1.0, -1.0
        variance = change @ self.covariance_eV2 @ change + 2 * self.own_eV**2
        return float(change @ self.correction_eV), float(np.sqrt(max(variance, 0.0)))


def state_errors(system: System, templates: Mapping[str, Reaction], correction: Correction) -> StateErrors:
    """Correct the states of a system by the bonds that changed since the covered surface."""
    changes = state_bonds(system, templates)
    mean, covariance = correction.predict(list(changes.values()))
    steps = [{} if name == LIGATED else step_bonds(templates[name], system.roles) for name in changes]
    # The noise of a molecule is that of a state; the reference's own error is that of a reaction, of two states.
    own = float(np.hypot(correction.widths.noise, correction.reference_sigma_eV / np.sqrt(2)))
    return StateErrors(list(changes), -mean, covariance, own, [correction.unmeasured(step) for step in steps])


def factor_table(system: System, errors: StateErrors) -> pd.DataFrame:
    """Errors that states share, from the eigenvectors of their covariance: system, state, factor, loading_eV."""
    values, vectors = np.linalg.eigh(errors.covariance_eV2)
    loadings = vectors * np.sqrt(np.maximum(values, 0.0))
    rows = [
        {"system": system.name, "state": name, "factor": f"bonds_{number}", "loading_eV": loadings[i, k]}
        for number, k in enumerate(np.flatnonzero(values > SMALLEST_VARIANCE_EV2)[::-1], start=1)
        for i, name in enumerate(errors.names)
    ]
    return pd.DataFrame(rows, columns=["system", "state", "factor", "loading_eV"])


def state_table(
    system: System, templates: Mapping[str, Reaction], errors: StateErrors, temperature_K: float
) -> pd.DataFrame:
    """States of one system; columns as in the contract, one row a state or gas molecule.

    A surface state's energy is that of its calculator plus the correction of the bonds that changed since the covered
    surface, also those in the gas molecules that it gave off. Its free energy adds its `thermal_eV` where a partial
    Hessian gave one, else the adsorbed corrections of the molecules it took up less those it gave off: a surface
    reaction conserves the modes, adsorption and desorption exchange them.
    """
    rows = []
    for i, name in enumerate(errors.names):
        taken, given = ([], []) if name == LIGATED else exchanged(templates[name], templates)
        thermal = sum(system.gases[r].adsorbed_eV for r in taken) - sum(system.gases[r].adsorbed_eV for r in given)
        rows.append(_surface_row(system, name, thermal, errors, i))
    for role, gas in system.gases.items():
        energy = gas.state["energy_eV"]
        row = _row(system.names[role], gas.state, energy, None if energy is None else energy + gas.gas_eV, 0.0)
        rows.append(row | {"phase": "gas", "mass_amu": gas.state.get("mass_amu"), "correction_eV": 0.0})
    table = pd.DataFrame(rows)
    table.insert(0, "system", system.name)
    table["temperature_K"] = temperature_K
    table["pressure_Pa"] = STANDARD_PRESSURE_PA
    table["sample_model"] = system.model
    table["note"] = system.note
    return table[STATE_COLUMNS]


STATE_COLUMNS = [
    "system", "state", "energy_eV", "gibbs_eV", "sigma_eV", "temperature_K", "pressure_Pa", "calculator", "converged",
    "flags", "correction_eV", "total_sigma_eV", "phase", "mass_amu", "formula", "charge", "substrate", "sample_model",
    "note",
]  # fmt: skip


def _surface_row(system: System, name: str, thermal: float, errors: StateErrors, i: int) -> dict:
    state = system.states[name]
    energy = None if state["energy_eV"] is None else state["energy_eV"] + errors.correction_eV[i]
    thermal = state.get("thermal_eV", thermal)
    row = _row(name, state, energy, None if energy is None else energy + thermal, errors.own_eV)
    total = errors.between(LIGATED, name)[1]
    return row | {
        "phase": "surface",
        "mass_amu": np.nan,
        "correction_eV": errors.correction_eV[i],
        "total_sigma_eV": total,
    }


def _row(name: str, state: dict, energy: float | None, gibbs: float | None, sigma: float) -> dict:
    flags = ";".join(state["flags"]) if state["status"] == "ok" else state["status"]
    return {
        "state": name,
        "energy_eV": energy,
        "gibbs_eV": gibbs,
        "sigma_eV": sigma,
        "calculator": _level(state.get("calculator") or {}),
        "converged": state["converged"],
        "flags": flags,
        "formula": "".join(f"{element}{count}" for element, count in sorted(state.get("composition", {}).items())),
        "charge": state.get("charge"),
        "substrate": state.get("substrate", ""),
    }


def _level(calculator: Mapping) -> str:
    """Name and settings of a calculator; behind // those of the geometry, where another one made it."""
    words = [calculator.get("name", ""), *map(str, (calculator.get("parameters") or {}).values())]
    geometry = calculator.get("geometry")
    return " ".join(words).strip() + (f" // {_level(geometry)}" if geometry else "")
