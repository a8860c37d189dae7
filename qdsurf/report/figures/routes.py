"""Energies along the reaction routes of one system, relative to the ligated surface and the precursor in the gas phase.

The electronic energy of a state is the sum of the reaction energies of the steps that lead to it. The Gibbs energy is
the sum of differences of the state table, including the gas molecules that each step consumes or releases.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, replace

import pandas as pd

from qdsurf.errors import InputError
from qdsurf.report.tables import require_columns, rows_of

START = "ligated"


@dataclass(frozen=True)
class Level:
    """Energies of a state and of the step that leads to it.

    All energies are in eV, relative to the state `ligated` and gas molecules. NaN marks a missing number.

    Attributes
    ----------
    state : str
        Name of the state.
    parent : str
        State from which the step starts.
    reaction_class : str
        Class of the step.
    energy_eV, sigma_eV : float
        Electronic energy and its standard deviation.
    gibbs_eV : float
        Gibbs energy.
    saddle_eV, saddle_sigma_eV : float
        Energy of the transition state of the step and its standard deviation, NaN for a step without a barrier.
    reason : str
        Reason why the energy is missing, otherwise empty.
    raw_eV : float
        Energy before the correction of the calculator.
    unrefined_eV, unrefined_sigma_eV : float
        Corrected energy at the level of theory of the geometries and its standard deviation. NaN unless `energy_eV`
        comes from a better level. In this case, `raw_eV` also belongs to the level of the geometries.
    """

    state: str
    parent: str
    reaction_class: str
    energy_eV: float
    gibbs_eV: float
    sigma_eV: float
    saddle_eV: float
    saddle_sigma_eV: float
    reason: str
    raw_eV: float = math.nan
    unrefined_eV: float = math.nan
    unrefined_sigma_eV: float = math.nan

    @property
    def found(self) -> bool:
        """Whether the state has an energy."""
        return math.isfinite(self.energy_eV)


def gas_change(lattice: str) -> Counter[str]:
    """Count the gas molecules that a step of the kinetic lattice consumes and releases.

    Parameters
    ----------
    lattice : str
        Equation of the step.

    Returns
    -------
    collections.Counter
        Number of molecules by name, negative if the step consumes them.

    Raises
    ------
    InputError
        The equation does not have exactly one arrow.

    Examples
    --------
    >>> gas_change("TMA(g) + free@surface -> adduct@surface")
    Counter({'TMA': -1})
    """
    sides = lattice.split("->")
    if len(sides) != 2:
        raise InputError(
            f"lattice step {lattice!r} has {len(sides) - 1} arrows '->', but exactly one is needed. "
            "Write an equation such as 'TMA(g) + free@surface -> adduct@surface'."
        )
    change: Counter[str] = Counter()
    for sign, side in zip((-1, 1), sides, strict=True):
        for term in re.split(r"\s\+\s", side.strip()):
            match = re.fullmatch(r"(?:(\d+)\s+)?(\S+)\(g\)", term.strip())
            if match:
                change[match[2]] += sign * int(match[1] or 1)
    return change


def energy_levels(states: pd.DataFrame, steps: pd.DataFrame, system: str) -> list[Level]:
    """Compute the energy of every state that the steps of a system lead to.

    Parameters
    ----------
    states, steps : pandas.DataFrame
        Tables `results/energetics/states.csv` and `results/energetics/steps.csv` for any number of systems.
    system : str
        Name of the system.

    Returns
    -------
    list of Level
        Levels in the order in which they are drawn: each state precedes the states that follow from it, and one branch
        is complete before the next one begins. If the step to a state, or an earlier step, has no reaction energy, the
        level has energy NaN and a reason.

    Raises
    ------
    InputError
        The system is not in the tables, or a column is missing.
    """
    require_columns(states, ("state", "gibbs_eV", "sigma_eV"), "states")
    columns = ("step", "reaction_class", "reaction_energy_eV", "activation_energy_eV", "barrier_source")
    require_columns(steps, (*columns, "initial_state", "final_state", "lattice"), "steps")
    system_states = rows_of(states, system, "states").drop_duplicates("state").set_index("state")
    system_steps = rows_of(steps, system, "steps").drop_duplicates("final_state")

    levels: dict[str, Level] = {}

    def add_branch(parent: Level) -> None:
        for _, step in system_steps[system_steps["initial_state"] == parent.state].iterrows():
            state = step["final_state"]
            if state not in levels and state != START:
                levels[state] = _level_after_step(parent, step, system_states)
                add_branch(levels[state])

    add_branch(Level(START, "", "", 0.0, 0.0, 0.0, math.nan, math.nan, ""))
    for _, step in system_steps[~system_steps["final_state"].isin([*levels, START])].iterrows():
        unreached = _level_without_numbers(step["initial_state"], "no step leads to its initial state")
        levels[step["final_state"]] = _level_after_step(unreached, step, system_states)
    return list(levels.values())


def with_unrefined(refined: list[Level], unrefined: list[Level]) -> list[Level]:
    """Add the energies at the level of theory of the geometries to levels with better energies.

    Parameters
    ----------
    refined : list of Level
        Levels with the better energies.
    unrefined : list of Level
        Levels of the same states at the level of theory of the geometries.

    Returns
    -------
    list of Level
        `refined` with `raw_eV`, `unrefined_eV` and `unrefined_sigma_eV` from `unrefined`.
    """
    by_state = {level.state: level for level in unrefined}
    return [
        replace(
            level,
            raw_eV=by_state[level.state].raw_eV,
            unrefined_eV=by_state[level.state].energy_eV,
            unrefined_sigma_eV=by_state[level.state].sigma_eV,
        )
        for level in refined
    ]


def _number(row: pd.Series, column: str) -> float:
    """Number in a column, NaN if the cell is empty or the column is missing."""
    value = row.get(column)
    return math.nan if value is None or pd.isna(value) else float(value)


def _text(row: pd.Series, column: str) -> str:
    """Text in a column, empty if the cell is empty or the column is missing."""
    value = row.get(column)
    return "" if value is None or pd.isna(value) else str(value)


def _level_without_numbers(state: str, reason: str) -> Level:
    return Level(state, "", "", math.nan, math.nan, math.nan, math.nan, math.nan, reason)


def _level_after_step(parent: Level, step: pd.Series, states: pd.DataFrame) -> Level:
    """Compute the level that a step reaches from its parent."""
    state = step["final_state"]
    row = states.loc[state] if state in states.index else pd.Series(dtype=object)
    energy = parent.energy_eV + _number(step, "reaction_energy_eV")
    has_energy = math.isfinite(energy)
    has_saddle = has_energy and _text(step, "barrier_source") not in ("", "none")
    return Level(
        state=state,
        parent=parent.state,
        reaction_class=step["reaction_class"],
        energy_eV=energy,
        gibbs_eV=parent.gibbs_eV + _gibbs_reaction_energy(step, states) if has_energy else math.nan,
        sigma_eV=_number(row, "total_sigma_eV" if "total_sigma_eV" in row else "sigma_eV"),
        saddle_eV=parent.energy_eV + _number(step, "activation_energy_eV") if has_saddle else math.nan,
        saddle_sigma_eV=_number(step, "activation_sigma_eV") if has_saddle else math.nan,
        reason="" if has_energy else _reason_for_missing_energy(parent, step, row),
        raw_eV=energy - _number(row, "correction_eV"),
    )


def _reason_for_missing_energy(parent: Level, step: pd.Series, row: pd.Series) -> str:
    """Reason from the step, from the state, or from an earlier step, in this order."""
    status = _text(step, "status")
    if status not in ("", "ok"):
        return status
    flags = _text(row, "flags")
    if flags:
        return flags
    if parent.reason:
        return f"initial state {parent.state} not found"
    return "no energy in the table"


def _gibbs_reaction_energy(step: pd.Series, states: pd.DataFrame) -> float:
    """Gibbs reaction energy in eV, NaN if a state or a gas molecule is not in the table."""
    change = Counter({step["final_state"]: 1, step["initial_state"]: -1})
    change.update(gas_change(step["lattice"]))
    return sum(
        count * (_number(states.loc[name], "gibbs_eV") if name in states.index else math.nan)
        for name, count in change.items()
        if count
    )
