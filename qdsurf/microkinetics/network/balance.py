"""Elements and charge of every step, counted from the formulas of its states."""

from collections import Counter

import pandas as pd
from ase.formula import Formula

from qdsurf.errors import BalanceError, InputError
from qdsurf.microkinetics.network.reaction_network import Network


def assert_elements_balance(network: Network, states: pd.DataFrame) -> None:
    """Compare elements and charge of both sides of every step.

    Parameters
    ----------
    states : with the columns formula and charge; where they are absent there is nothing to compare.

    Raises
    ------
    BalanceError : names the step and lists the elements that differ.
    """
    if "formula" not in states:
        return
    rows = states[states["system"] == network.system].set_index("state")
    for s, step in enumerate(network.steps):
        gas = [
            [name for name, count in zip(network.gases, side[:, s], strict=True) for _ in range(count)]
            for side in (network.gas_left, network.gas_right)
        ]
        left = _count(rows, [*network.initial_states[s], *gas[0]])
        right = _count(rows, [*network.final_states[s], *gas[1]])
        difference = [
            f"{key}: {left[key]:g} -> {right[key]:g}" for key in sorted(left | right) if left[key] != right[key]
        ]
        if difference:
            line = f"{' + '.join(network.initial_states[s])} -> {' + '.join(network.final_states[s])}"
            raise BalanceError(f"{network.system}, step {step!r} ({line}) does not balance: {'; '.join(difference)}")


def _count(rows: pd.DataFrame, names: list[str]) -> Counter:
    """Elements and charge of several states together."""
    total: Counter = Counter()
    for name in names:
        formula, charge = rows.loc[name, "formula"], rows.loc[name].get("charge", 0.0)
        try:
            total.update(Formula(formula if isinstance(formula, str) else "").count())
        except ValueError:
            raise InputError(f"state {name!r}: formula {formula!r} is not one; write it like AlC3H9") from None
        total["charge"] += 0.0 if pd.isna(charge) else charge
    return total
