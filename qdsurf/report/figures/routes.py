"""Energies along the routes of one system, relative to the ligated surface and the precursor in the gas.

Electronic energies add up the reaction energies of the steps that lead to a state. Gibbs energies add up
differences of the state table, with every gas molecule that the lattice step takes up or sets free.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, replace

import pandas as pd

from qdsurf.errors import InputError
from qdsurf.report.system_names import require_columns, rows_of

START = "ligated"
NAN = float("nan")


@dataclass(frozen=True)
class Level:
    """A state on a route and the step that makes it.

    Energies in eV relative to `ligated` plus gas molecules, NaN where there is no number. `raw_eV` is the energy before
    the calculator was corrected, `saddle_eV` that of the transition state of the step, NaN where the step has none.
    Where the energies are of a better level than the geometries, `raw_eV` and `unrefined_eV`, with its standard
    deviation, are those of the geometries' calculator before and after its correction. `reason` says why the energy is
    missing.
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
    raw_eV: float = NAN
    unrefined_eV: float = NAN
    unrefined_sigma_eV: float = NAN

    @property
    def found(self) -> bool:
        """Whether the state has an energy."""
        return math.isfinite(self.energy_eV)


def gas_change(lattice: str) -> Counter:
    """Count gas molecules in a lattice step, negative when taken up.

    Raises
    ------
    InputError : the step has no single arrow.

    Examples
    --------
    >>> gas_change("TMA(g) + free@surface -> adduct@surface")
    Counter({'TMA': -1})
    """
    sides = lattice.split("->")
    if len(sides) != 2:
        raise InputError(
            f"lattice step {lattice!r} must have one '->', such as 'TMA(g) + free@surface -> adduct@surface'."
        )
    change: Counter = Counter()
    for sign, side in zip((-1, 1), sides, strict=True):
        for term in re.split(r"\s\+\s", side.strip()):
            match = re.fullmatch(r"(?:(\d+)\s+)?(\S+)\(g\)", term.strip())
            if match:
                change[match[2]] += sign * int(match[1] or 1)
    return change


def levels(states: pd.DataFrame, steps: pd.DataFrame, system: str) -> list[Level]:
    """Find every state that the steps of a system make, parents before children, one branch after another.

    Parameters
    ----------
    states, steps : tables of the room `energetics`, any number of systems.
    system : which rows to use.

    Returns
    -------
    Levels in the order in which they are drawn. A state whose step, or any step before it, has no number is in the
    list with energy NaN and a reason.

    Raises
    ------
    InputError : the system is unknown, or a column is missing.
    """
    require_columns(states, ("state", "gibbs_eV", "sigma_eV"), "states")
    columns = ("step", "reaction_class", "reaction_energy_eV", "activation_energy_eV", "barrier_source")
    require_columns(steps, (*columns, "initial_state", "final_state", "lattice"), "steps")
    own_states = rows_of(states, system, "states").drop_duplicates("state").set_index("state")
    own_steps = rows_of(steps, system, "steps").drop_duplicates("final_state")

    origin = Level(START, "", "", 0.0, 0.0, 0.0, NAN, NAN, "")
    found: dict[str, Level] = {}

    def descend(parent: Level) -> None:
        for _, step in own_steps[own_steps["initial_state"] == parent.state].iterrows():
            if step["final_state"] not in found and step["final_state"] != START:
                found[step["final_state"]] = _follow(parent, step, own_states)
                descend(found[step["final_state"]])

    descend(origin)
    for _, step in own_steps[~own_steps["final_state"].isin([*found, START])].iterrows():
        lost = Level(step["initial_state"], "", "", NAN, NAN, NAN, NAN, NAN, "no step leads to its initial state")
        found[step["final_state"]] = _follow(lost, step, own_states)
    return list(found.values())


def with_unrefined(refined: list[Level], unrefined: list[Level]) -> list[Level]:
    """Put what the calculator of the geometries says beside the better energies of the same states."""
    own = {level.state: level for level in unrefined}
    return [
        replace(
            level,
            raw_eV=own[level.state].raw_eV,
            unrefined_eV=own[level.state].energy_eV,
            unrefined_sigma_eV=own[level.state].sigma_eV,
        )
        for level in refined
    ]


def _number(row, column: str) -> float:
    value = row.get(column)
    return NAN if value is None or pd.isna(value) else float(value)


def _text(row, column: str) -> str:
    value = row.get(column)
    return "" if value is None or pd.isna(value) else str(value)


def _follow(parent: Level, step: pd.Series, states: pd.DataFrame) -> Level:
    """Level that a step makes from its parent."""
    state = step["final_state"]
    row = states.loc[state] if state in states.index else pd.Series(dtype=object)
    energy = parent.energy_eV + _number(step, "reaction_energy_eV")
    reason = ""
    if not math.isfinite(energy):
        status = _text(step, "status")
        own = status if status not in ("", "ok") else _text(row, "flags")
        reason = own or (parent.reason and f"after {parent.state}") or "no number in the table"
    has_saddle = math.isfinite(energy) and _text(step, "barrier_source") not in ("", "none")
    return Level(
        state=state,
        parent=parent.state,
        reaction_class=step["reaction_class"],
        energy_eV=energy,
        gibbs_eV=parent.gibbs_eV + _gibbs_step(step, states) if math.isfinite(energy) else NAN,
        sigma_eV=_number(row, "total_sigma_eV" if "total_sigma_eV" in row else "sigma_eV"),
        saddle_eV=parent.energy_eV + _number(step, "activation_energy_eV") if has_saddle else NAN,
        saddle_sigma_eV=_number(step, "activation_sigma_eV") if has_saddle else NAN,
        reason=reason,
        raw_eV=energy - _number(row, "correction_eV"),
    )


def _gibbs_step(step: pd.Series, states: pd.DataFrame) -> float:
    """Gibbs reaction energy in eV, NaN when a state or a gas molecule is not in the table."""
    change = Counter({step["final_state"]: 1, step["initial_state"]: -1})
    change.update(gas_change(step["lattice"]))
    return sum(
        count * (_number(states.loc[name], "gibbs_eV") if name in states.index else NAN)
        for name, count in change.items()
        if count
    )
