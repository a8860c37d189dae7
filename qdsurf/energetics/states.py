"""Table of states: every relaxed structure of a system and every gas molecule, with free energy and uncertainty."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from qdsurf.energetics.barrier_corrections import SaddleCorrection
from qdsurf.energetics.bond_types import Roles, step_bonds
from qdsurf.energetics.corrections import Correction
from qdsurf.records.reaction_templates import Reaction
from qdsurf.relaxation.selection import State
from qdsurf.saddles.result import SaddleResult
from qdsurf.units import STANDARD_PRESSURE_PA

LIGATED = "ligated"
SMALLEST_VARIANCE_EV2 = 1e-10  # smallest shared variance that gets a row; smaller ones are rounding errors
STATE_COLUMNS = [
    "system",
    "state",
    "energy_eV",
    "gibbs_eV",
    "sigma_eV",
    "temperature_K",
    "pressure_Pa",
    "calculator",
    "converged",
    "flags",
    "correction_eV",
    "total_sigma_eV",
    "phase",
    "mass_amu",
    "formula",
    "charge",
    "substrate",
    "sample_model",
    "note",
]


@dataclass(frozen=True)
class Gas:
    """A gas molecule with its free-energy corrections.

    Attributes
    ----------
    state : State
        Relaxed molecule.
    gas_eV, adsorbed_eV : float
        G - E in eV, of the free molecule at the standard pressure and of the molecule on the surface.
    """

    state: State
    gas_eV: float
    adsorbed_eV: float


@dataclass(frozen=True)
class SystemStates:
    """All states and gas molecules of one system, and what is needed to tabulate them.

    Attributes
    ----------
    name : str
        Of the system.
    roles : Roles
        Elements behind the roles of the templates; see `assign_roles`.
    states : mapping
        Surface states by name: `ligated`, and one for each reaction template.
    gases : mapping
        Gas molecules by role: precursor, coreactant, by_product, ligand and so on. Roles that do not occur are absent.
    names : mapping
        Names of these molecules by role.
    model : str
        Description of the model ligand.
    note : str
        Written into every row.
    substrate : str
        How the crystal was treated: frozen, relaxed or mobile.
    thermal_eV : mapping
        G - E in eV by state, where a partial Hessian was computed.
    saddles : mapping
        Saddle searches by template.
    saddle_correction : SaddleCorrection
        How verified barriers are corrected.
    """

    name: str
    roles: Roles
    states: Mapping[str, State]
    gases: Mapping[str, Gas]
    names: Mapping[str, str]
    model: str
    note: str = ""
    substrate: str = ""
    thermal_eV: Mapping[str, float] = field(default_factory=dict)
    saddles: Mapping[str, SaddleResult] = field(default_factory=dict)
    saddle_correction: SaddleCorrection = field(default_factory=SaddleCorrection)


def history(reaction: Reaction, templates: Mapping[str, Reaction]) -> list[Reaction]:
    """Templates that lead from the covered surface to a state, in order."""
    chain = [reaction]
    while chain[0].reactant != LIGATED:
        chain.insert(0, templates[chain[0].reactant])
    return chain


def exchanged(reaction: Reaction, templates: Mapping[str, Reaction]) -> tuple[list[str], list[str]]:
    """Roles of the gas molecules that were adsorbed and released between the covered surface and a state."""
    chain = history(reaction, templates)
    return [r.takes for r in chain if r.takes], [release for r in chain for release in r.releases]


def state_bonds(system: SystemStates, templates: Mapping[str, Reaction]) -> dict[str, Counter[str]]:
    """Bonds that changed between the covered surface and every surface state: number gained less number lost."""
    changes: dict[str, Counter[str]] = {LIGATED: Counter()}
    for name in system.states:
        if name != LIGATED:
            steps = [step_bonds(reaction, system.roles) for reaction in history(templates[name], templates)]
            changes[name] = Counter({bond: sum(step[bond] for step in steps) for step in steps for bond in step})
    return changes


class StateErrors(NamedTuple):
    """Corrections of the states of a system relative to the covered surface and gas molecules.

    Attributes
    ----------
    names : list of str
        The n surface states, the covered surface first.
    correction_eV : ndarray
        Added to their energies, shape (n,).
    covariance_eV2 : ndarray
        Covariance of the remaining errors, shape (n, n).
    own_eV : float
        Standard deviation of the error that each state shares with no other.
    unmeasured : list of list of str
        Bonds of the step that makes each state which the reference set does not contain.
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


def state_errors(system: SystemStates, templates: Mapping[str, Reaction], correction: Correction) -> StateErrors:
    """Correct the states of a system by the bonds that changed since the covered surface."""
    changes = state_bonds(system, templates)
    mean, covariance = correction.predict(list(changes.values()))
    steps = [{} if name == LIGATED else step_bonds(templates[name], system.roles) for name in changes]
    # The noise belongs to one state; the error of the reference method belongs to a reaction, hence to two states.
    own = float(np.hypot(correction.widths.noise, correction.reference_sigma_eV / np.sqrt(2)))
    return StateErrors(list(changes), -mean, covariance, own, [correction.unmeasured(step) for step in steps])


def factor_table(system: SystemStates, errors: StateErrors) -> pd.DataFrame:
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
    system: SystemStates, templates: Mapping[str, Reaction], errors: StateErrors, temperature_K: float
) -> pd.DataFrame:
    """Tabulate the states of one system.

    The energy of a surface state is that of its calculator plus the correction of all bonds that changed since the
    covered surface, including those of released gas molecules. Its free energy adds the thermal correction of its
    partial Hessian. Without a partial Hessian it adds the adsorbed corrections of the molecules that were adsorbed,
    less those of the molecules that were released: a surface reaction conserves the modes, adsorption and desorption
    exchange them.

    Returns
    -------
    DataFrame
        One row for each state and gas molecule, with the columns of `STATE_COLUMNS`.
    """
    rows = []
    for i, name in enumerate(errors.names):
        taken, given = ([], []) if name == LIGATED else exchanged(templates[name], templates)
        thermal = sum(system.gases[r].adsorbed_eV for r in taken) - sum(system.gases[r].adsorbed_eV for r in given)
        rows.append(_surface_row(system, name, system.thermal_eV.get(name, thermal), errors, i))
    for role, gas in system.gases.items():
        energy = gas.state.energy_eV
        row = _row(system.names[role], gas.state, energy, None if energy is None else energy + gas.gas_eV, 0.0)
        rows.append(row | {"phase": "gas", "mass_amu": gas.state.mass_amu, "correction_eV": 0.0, "substrate": ""})
    table = pd.DataFrame(rows)
    table.insert(0, "system", system.name)
    table["temperature_K"] = temperature_K
    table["pressure_Pa"] = STANDARD_PRESSURE_PA
    table["sample_model"] = system.model
    table["note"] = system.note
    return table[STATE_COLUMNS]


def _surface_row(
    system: SystemStates, name: str, thermal_eV: float, errors: StateErrors, number: int
) -> dict[str, Any]:
    state, correction = system.states[name], errors.correction_eV[number]
    energy = None if state.energy_eV is None else state.energy_eV + correction
    row = _row(name, state, energy, None if energy is None else energy + thermal_eV, errors.own_eV)
    return row | {
        "phase": "surface",
        "mass_amu": np.nan,
        "correction_eV": correction,
        "total_sigma_eV": errors.between(LIGATED, name)[1],
        "substrate": system.substrate,
    }


def _row(name: str, state: State, energy: float | None, gibbs: float | None, sigma: float) -> dict[str, Any]:
    return {
        "state": name,
        "energy_eV": energy,
        "gibbs_eV": gibbs,
        "sigma_eV": sigma,
        "calculator": _method(state.calculator),
        "converged": state.converged,
        "flags": ";".join(state.flags) if state.status == "ok" else state.status,
        "formula": "".join(f"{element}{count}" for element, count in sorted(state.composition.items())),
        "charge": state.charge,
    }


def _method(calculator: Mapping[str, Any]) -> str:
    """Name and parameters of a calculator; behind // those of the geometry, if another calculator gave it."""
    words = [calculator.get("name", ""), *map(str, (calculator.get("parameters") or {}).values())]
    geometry = calculator.get("geometry")
    return " ".join(words).strip() + (f" // {_method(geometry)}" if geometry else "")
