"""Balance of elements and charge of every step, counted from the formulas of its states."""

import pandas as pd
from ase.formula import Formula

from qdsurf.errors import BalanceError, InputError
from qdsurf.microkinetics.network.reaction_network import Network


def assert_elements_balance(network: Network, states: pd.DataFrame) -> None:
    """Assert that every step conserves all elements and the charge.

    Parameters
    ----------
    network : Network
        Network of the system.
    states : pandas.DataFrame
        States table. Without the column formula nothing is checked. Without the column charge, all states are neutral.

    Raises
    ------
    BalanceError
        A step does not balance. The message names the step and lists the elements that differ.
    InputError
        A formula cannot be parsed.
    """
    if "formula" not in states:
        return
    rows = states[states["system"] == network.system].set_index("state")
    for s, step in enumerate(network.steps):
        gases_left = [gas for g, gas in enumerate(network.gases) for _ in range(network.gas_left[g, s])]
        gases_right = [gas for g, gas in enumerate(network.gases) for _ in range(network.gas_right[g, s])]
        left = _count_elements(rows, [*network.initial_states[s], *gases_left])
        right = _count_elements(rows, [*network.final_states[s], *gases_right])
        difference = []
        for key in sorted(left.keys() | right.keys()):
            before, after = left.get(key, 0), right.get(key, 0)
            if before != after:
                difference.append(f"{key}: {before:g} -> {after:g}")
        if difference:
            line = f"{' + '.join(network.initial_states[s])} -> {' + '.join(network.final_states[s])}"
            raise BalanceError(f"{network.system}, step {step!r} ({line}) does not balance: {'; '.join(difference)}")


def _count_elements(rows: pd.DataFrame, names: list[str]) -> dict[str, float]:
    """Return the numbers of atoms by element and the charge, under the key `charge`, of several states together."""
    total: dict[str, float] = {"charge": 0.0}
    for name in names:
        formula = rows.loc[name, "formula"]
        charge = rows.loc[name].get("charge", 0.0)
        try:
            counts = Formula(formula if isinstance(formula, str) else "").count()
        except ValueError:
            raise InputError(f"state {name!r}: cannot read the formula {formula!r}; write it like AlC3H9") from None
        for element, count in counts.items():
            total[element] = total.get(element, 0) + count
        total["charge"] += 0.0 if pd.isna(charge) else charge
    return total
