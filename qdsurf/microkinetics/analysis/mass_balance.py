"""Where everything is after some cycles: ligands, metals, by-products."""

import numpy as np
import pandas as pd
from ase.formula import Formula

from qdsurf.microkinetics.network.model import Model
from qdsurf.units import NM2_PER_M2


def tabulate_mass_balance(model: Model, flux_per_nm2: np.ndarray, coverages: np.ndarray) -> pd.DataFrame:
    """Where everything is: molecules per area of every species, and net molecules given to the gas.

    Parameters
    ----------
    flux_per_nm2, coverages : at one time, shape (S,) and (n,).

    Returns
    -------
    pandas.DataFrame
        system, kind (surface, gas or element), name, start_per_nm2, end_per_nm2. Elements count what the surface has
        gained, from the formulas of the gas molecules, where the tables have them.
    """
    network = model.network
    capacity = network.capacity_per_m2 / NM2_PER_M2
    rows = [
        ("surface", *item)
        for item in zip(network.species, network.initial * capacity, coverages * capacity, strict=True)
    ]
    given = (network.gas_right - network.gas_left) @ flux_per_nm2
    rows += [("gas", name, 0.0, amount) for name, amount in zip(network.gases, given, strict=True)]
    rows += [("element", name, 0.0, amount) for name, amount in element_gain(model, given).items()]
    table = pd.DataFrame(rows, columns=["kind", "name", "start_per_nm2", "end_per_nm2"])
    table.insert(0, "system", network.system)
    return table


def element_gain(model: Model, given_per_nm2: np.ndarray) -> dict[str, float]:
    """Elements that the surface has gained, nm^-2, from the gas molecules it has given away; empty without formulas."""
    states = model.tables.states
    if "formula" not in states:
        return {}
    rows = states[states["system"] == model.network.system].set_index("state")
    gained: dict[str, float] = {}
    for gas, amount in zip(model.network.gases, given_per_nm2, strict=True):
        for element, count in Formula(str(rows.loc[gas, "formula"])).count().items():
            gained[element] = gained.get(element, 0.0) - count * float(amount)
    return gained
