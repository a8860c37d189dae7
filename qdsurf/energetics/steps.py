"""Table of elementary steps: balanced, with reaction energy, barrier and the error of both."""

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from qdsurf.energetics.barrier_corrections import SaddleCorrection
from qdsurf.energetics.states import StateErrors, System
from qdsurf.errors import BalanceError
from qdsurf.records.reaction_templates import Reaction

# A verified way over several saddles is an upper bound; so far above the relation it is a detour. Assumed.
DETOUR_SIGMAS = 2.0

STEP_COLUMNS = [
    "system", "step", "reaction_class", "equation", "reaction_energy_eV", "activation_energy_eV", "barrier_source",
    "correction_eV", "sigma_eV", "activation_sigma_eV", "initial_state", "final_state", "lattice", "reactive",
    "removes_ligand", "removes_cation", "status", "sample_model", "note",
]  # fmt: skip


def step_table(system: System, templates: Mapping[str, Reaction], errors: StateErrors) -> pd.DataFrame:
    """Steps of one system; columns as in the contract, one row a template that applies.

    `note` names the bonds of a step that the reference set does not contain: its sigma is then mostly a prior.

    Raises
    ------
    BalanceError : the relaxed states of a step do not have the same elements or charge; the message lists them.
    """
    table = pd.DataFrame([_step(system, templates[n], errors) for n in system.states if n in templates])
    table.insert(0, "system", system.name)
    table["sample_model"] = system.model
    table["note"] = [_joined(system.note, own) for own in table["note"]]
    return table[STEP_COLUMNS]


def site_table(system: System, templates: Mapping[str, Reaction]) -> pd.DataFrame:
    """Site families of one system: family, initial_species, density_per_nm2; rarer ones where a step names them."""
    first = {"ligand": "intact@ligand"}
    named = {"surface", "ligand"} | {f for t in templates.values() for f in re.findall(r"[@&](\w+)", t.lattice)}
    density = system.states["ligated"].get("density_per_nm2", {})
    rows = [
        {"system": system.name, "family": f, "initial_species": first.get(f, f"free@{f}"), "density_per_nm2": value}
        for f, value in density.items()
        if f in named
    ]
    return pd.DataFrame(rows, columns=["system", "family", "initial_species", "density_per_nm2"])


def bep_barrier(reaction: Reaction, reaction_energy: float) -> float:
    """Activation energy in eV from the template's relation, never below zero or the reaction energy.

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
    reaction: Reaction, energy: float, correction: float, saddle: dict | None, of_saddles: SaddleCorrection, note: str
) -> dict:
    """Barrier of a step, where it comes from, and why not from a saddle if one was searched.

    A verified barrier takes its share of the correction of the step. A detour is no barrier: the relation stays.
    """
    sigma = reaction.barrier.sigma_eV if reaction.barrier else 0.0
    relation = {
        "activation_energy_eV": bep_barrier(reaction, energy),
        "activation_sigma_eV": sigma,
        "barrier_source": "bep" if reaction.barrier else "none",
    }
    if saddle is None:
        return relation
    words = f"{saddle['status']}: {saddle['reason']}"
    if saddle["barrier_eV"] is None:
        return relation | {"note": _joined(note, f"no verified saddle, {words}")}
    height = max(0.0, energy, saddle["barrier_eV"] + of_saddles.share * correction)
    saddles = sum(name.startswith("saddle") for name in saddle["energies_eV"])
    if saddles > 1 and height > relation["activation_energy_eV"] + DETOUR_SIGMAS * sigma:
        words = f"a lower way is likely than that of {saddle['barrier_eV']:.2f} eV, {words}"
        return relation | {"note": _joined(note, words)}
    barrierless = saddle["status"] == "barrierless"
    return {
        "activation_energy_eV": max(0.0, energy) if barrierless else height,
        "activation_sigma_eV": 0.0 if barrierless else of_saddles.sigma_eV,
        "barrier_source": "none" if barrierless else saddle["method"],
        "note": _joined(note, words),
    }


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def assert_balanced(reaction: Reaction, initial: dict, final: dict, taken: list[dict], given: list[dict]) -> None:
    """Compare elements and formal charge of both sides of a step.

    Raises
    ------
    BalanceError : lists the elements that differ.
    """
    left, right = Counter(initial["composition"]), Counter(final["composition"])
    for gas in taken:
        left.update(gas["composition"])
    for gas in given:
        right.update(gas["composition"])
    difference = [f"{e}: {left[e]} -> {right[e]}" for e in sorted(left | right) if left[e] != right[e]]
    if abs(initial["charge"] - final["charge"]) > 1e-6:
        difference.append(f"charge: {initial['charge']:+g} -> {final['charge']:+g}")
    if difference:
        raise BalanceError(f"{reaction.name} does not balance: {'; '.join(difference)}")


def _step(system: System, reaction: Reaction, errors: StateErrors) -> dict:
    initial, final = system.states[reaction.reactant], system.states[reaction.name]
    taken = [system.gases[reaction.takes].state] if reaction.takes else []
    given = [system.gases[release].state for release in reaction.releases]
    lattice = reaction.lattice
    for role, name in system.names.items():
        lattice = lattice.replace(f"{role}(g)", f"{name}(g)")
    row = {
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
    missing = [
        f"{name}: {state['status']}"
        for name, state in [(reaction.reactant, initial), (reaction.name, final), *_named(system, reaction)]
        if state["energy_eV"] is None
    ]
    if missing:
        numbers = "reaction_energy_eV", "activation_energy_eV", "correction_eV", "sigma_eV", "activation_sigma_eV"
        empty = dict.fromkeys(numbers, np.nan)
        return row | empty | {"barrier_source": "none", "status": " | ".join(missing)}
    assert_balanced(reaction, initial, final, taken, given)
    energy = final["energy_eV"] + sum(g["energy_eV"] for g in given)
    energy -= initial["energy_eV"] + sum(g["energy_eV"] for g in taken)
    correction, sigma = errors.between(reaction.reactant, reaction.name)
    energy += correction
    numbers = {"reaction_energy_eV": energy, "correction_eV": correction, "sigma_eV": sigma, "status": "ok"}
    saddle = system.saddles.get(reaction.name)
    return row | numbers | _barrier(reaction, energy, correction, saddle, system.saddle_correction, row["note"])


def _warning(errors: StateErrors, state: str) -> str:
    missing = errors.unmeasured[errors.names.index(state)]
    return f"not in the reference set: {', '.join(missing)}" if missing else ""


def _named(system: System, reaction: Reaction) -> list[tuple[str, dict]]:
    roles = [*([reaction.takes] if reaction.takes else []), *reaction.releases]
    return [(system.names[role], system.gases[role].state) for role in roles]
