"""Table of elementary steps: balanced, with reaction energy, barrier, and the uncertainty of both."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from qdsurf.energetics.barrier_corrections import SaddleCorrection
from qdsurf.energetics.states import StateErrors, SystemStates
from qdsurf.errors import BalanceError
from qdsurf.records.reaction_templates import Reaction
from qdsurf.relaxation.selection import State
from qdsurf.saddles.result import SaddleResult

# A verified path over several saddles is an upper bound. This many standard deviations above the relation it is a
# detour, and a lower path is likely. Assumed.
DETOUR_SIGMAS = 2.0

STEP_COLUMNS = [
    "system",
    "step",
    "reaction_class",
    "equation",
    "reaction_energy_eV",
    "activation_energy_eV",
    "barrier_source",
    "correction_eV",
    "sigma_eV",
    "activation_sigma_eV",
    "initial_state",
    "final_state",
    "lattice",
    "reactive",
    "removes_ligand",
    "removes_cation",
    "status",
    "sample_model",
    "note",
]


def step_table(system: SystemStates, templates: Mapping[str, Reaction], errors: StateErrors) -> pd.DataFrame:
    """Tabulate the steps of one system, one row for each template that applies.

    The column `note` names the bonds of a step that the reference set does not contain: the uncertainty of such a step
    is mostly a prior.

    Returns
    -------
    DataFrame
        With the columns of `STEP_COLUMNS`.

    Raises
    ------
    BalanceError
        The relaxed states of a step differ in elements or charge; the message lists them.
    """
    table = pd.DataFrame([_step(system, templates[name], errors) for name in system.states if name in templates])
    table.insert(0, "system", system.name)
    table["sample_model"] = system.model
    table["note"] = [_joined(system.note, own) for own in table["note"]]
    return table[STEP_COLUMNS]


def site_table(system: SystemStates, templates: Mapping[str, Reaction]) -> pd.DataFrame:
    """Tabulate the site families: `surface` and `ligand`, and rarer ones that a step names.

    Returns
    -------
    DataFrame
        With the columns system, family, initial_species and density_per_nm2.
    """
    first = {"ligand": "intact@ligand"}
    named = {"surface", "ligand"} | {f for t in templates.values() for f in re.findall(r"[@&](\w+)", t.lattice)}
    rows = [
        {"system": system.name, "family": f, "initial_species": first.get(f, f"free@{f}"), "density_per_nm2": value}
        for f, value in system.states["ligated"].density_per_nm2.items()
        if f in named
    ]
    return pd.DataFrame(rows, columns=["system", "family", "initial_species", "density_per_nm2"])


def bep_barrier(reaction: Reaction, reaction_energy: float) -> float:
    """Activation energy in eV from the template's linear relation, never below zero or the reaction energy.

    Examples
    --------
    >>> from qdsurf.records import library
    >>> round(bep_barrier(library.get("reactions", "dissociation_surface"), -0.85), 3)
    0.715
    """
    if reaction.barrier is None:
        return max(0.0, reaction_energy)
    return max(0.0, reaction_energy, reaction.barrier.intercept_eV + reaction.barrier.slope * reaction_energy)


def _barrier(
    reaction: Reaction,
    energy: float,
    correction: float,
    saddle: SaddleResult | None,
    saddle_correction: SaddleCorrection,
    note: str,
) -> dict[str, Any]:
    """Barrier of a step and its source; if a saddle was searched and not used, the note says why.

    A verified barrier takes its share of the correction of the step. A detour is not used as a barrier.
    """
    sigma = reaction.barrier.sigma_eV if reaction.barrier else 0.0
    relation = {
        "activation_energy_eV": bep_barrier(reaction, energy),
        "activation_sigma_eV": sigma,
        "barrier_source": "bep" if reaction.barrier else "none",
    }
    if saddle is None:
        return relation
    words = f"{saddle.status}: {saddle.reason}"
    if saddle.barrier_eV is None:
        return relation | {"note": _joined(note, f"no verified saddle, {words}")}
    height = max(0.0, energy, saddle.barrier_eV + saddle_correction.share * correction)
    saddles = sum(name.startswith("saddle") for name in saddle.energies_eV)
    if saddles > 1 and height > bep_barrier(reaction, energy) + DETOUR_SIGMAS * sigma:
        words = f"a path lower than that of {saddle.barrier_eV:.2f} eV is likely, {words}"
        return relation | {"note": _joined(note, words)}
    if saddle.status == "barrierless":
        return {
            "activation_energy_eV": max(0.0, energy),
            "activation_sigma_eV": 0.0,
            "barrier_source": "none",
            "note": _joined(note, words),
        }
    return {
        "activation_energy_eV": height,
        "activation_sigma_eV": saddle_correction.sigma_eV,
        "barrier_source": saddle.method,
        "note": _joined(note, words),
    }


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def assert_balanced(
    reaction: Reaction, initial: State, final: State, taken: Sequence[State], given: Sequence[State]
) -> None:
    """Compare elements and formal charge of both sides of a step.

    Parameters
    ----------
    reaction : Reaction
        Template of the step.
    initial, final : State
        Surface states.
    taken, given : sequence of State
        Gas molecules that the step adsorbs and releases.

    Raises
    ------
    BalanceError
        The message lists what differs.
    """
    left, right = Counter(initial.composition), Counter(final.composition)
    for gas in taken:
        left.update(gas.composition)
    for gas in given:
        right.update(gas.composition)
    difference = [f"{e}: {left[e]} -> {right[e]}" for e in sorted(left | right) if left[e] != right[e]]
    before, after = initial.charge or 0.0, final.charge or 0.0
    if abs(before - after) > 1e-6:
        difference.append(f"charge: {before:+g} -> {after:+g}")
    if difference:
        raise BalanceError(f"{reaction.name} does not balance: {'; '.join(difference)}")


def _step(system: SystemStates, reaction: Reaction, errors: StateErrors) -> dict[str, Any]:
    """One row of the table of steps."""
    initial, final = system.states[reaction.reactant], system.states[reaction.name]
    taken = {system.names[role]: system.gases[role].state for role in ([reaction.takes] if reaction.takes else [])}
    given = {system.names[role]: system.gases[role].state for role in reaction.releases}
    lattice = reaction.lattice
    for role, name in system.names.items():
        lattice = lattice.replace(f"{role}(g)", f"{name}(g)")
    row: dict[str, Any] = {
        "step": reaction.name,
        "reaction_class": reaction.reaction_class,
        "equation": reaction.equation,
        "initial_state": reaction.reactant,
        "final_state": reaction.name,
        "lattice": lattice,
        "reactive": reaction.reactive,
        "removes_ligand": reaction.removes_ligand,
        "removes_cation": reaction.removes_cation,
        "note": _warning(errors, reaction.name),
    }
    states = [(reaction.reactant, initial), (reaction.name, final), *taken.items(), *given.items()]
    missing = [f"{name}: {state.status}" for name, state in states if state.energy_eV is None]
    if missing:
        numbers = "reaction_energy_eV", "activation_energy_eV", "correction_eV", "sigma_eV", "activation_sigma_eV"
        empty = dict.fromkeys(numbers, np.nan)
        return row | empty | {"barrier_source": "none", "status": " | ".join(missing)}
    assert_balanced(reaction, initial, final, list(taken.values()), list(given.values()))
    energy = _energy(final) + sum(map(_energy, given.values()))
    energy -= _energy(initial) + sum(map(_energy, taken.values()))
    correction, sigma = errors.between(reaction.reactant, reaction.name)
    energy += correction
    row |= {"reaction_energy_eV": energy, "correction_eV": correction, "sigma_eV": sigma, "status": "ok"}
    saddle = system.saddles.get(reaction.name)
    return row | _barrier(reaction, energy, correction, saddle, system.saddle_correction, row["note"])


def _energy(state: State) -> float:
    """Energy of a state that has one, eV."""
    if state.energy_eV is None:
        raise ValueError(f"state without energy: {state.status}")
    return state.energy_eV


def _warning(errors: StateErrors, state: str) -> str:
    missing = errors.unmeasured[errors.names.index(state)]
    return f"not in the reference set: {', '.join(missing)}" if missing else ""
