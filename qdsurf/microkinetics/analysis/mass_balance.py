"""Mass balance of a simulation: species on the surface, molecules given to the gas, and elements gained."""

import numpy as np
import pandas as pd
from ase.formula import Formula

from qdsurf.microkinetics.network.model import Model
from qdsurf.units import NM2_PER_M2


def tabulate_mass_balance(model: Model, flux_per_nm2: np.ndarray, coverages: np.ndarray) -> pd.DataFrame:
    """Tabulate molecules per area of every species, and the net number of molecules given to the gas.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    flux_per_nm2 : numpy.ndarray
        Net events of each step since time zero, nm^-2, shape (S,).
    coverages : numpy.ndarray
        Coverages at the same time, shape (n,).

    Returns
    -------
    pandas.DataFrame
        system, kind (surface, gas or element), name, start_per_nm2, end_per_nm2. Elements are those that the surface
        has gained, from the formulas of the gas molecules, if the tables have formulas.
    """
    network = model.network
    capacity_per_nm2 = network.capacity_per_m2 / NM2_PER_M2
    start = network.initial * capacity_per_nm2
    end = coverages * capacity_per_nm2
    to_gas = (network.gas_right - network.gas_left) @ flux_per_nm2
    rows = [
        *(("surface", name, start[i], end[i]) for i, name in enumerate(network.species)),
        *(("gas", name, 0.0, amount) for name, amount in zip(network.gases, to_gas, strict=True)),
        *(("element", name, 0.0, amount) for name, amount in _element_gain(model, to_gas).items()),
    ]
    table = pd.DataFrame(rows, columns=["kind", "name", "start_per_nm2", "end_per_nm2"])
    table.insert(0, "system", network.system)
    return table


def _element_gain(model: Model, to_gas_per_nm2: np.ndarray) -> dict[str, float]:
    """Return the atoms of each element that the surface has gained, nm^-2; empty if the tables have no formulas.

    They follow from the molecules that the surface has given to the gas, nm^-2, shape (g,).
    """
    states = model.tables.states
    if "formula" not in states:
        return {}
    rows = states[states["system"] == model.network.system].set_index("state")
    gained: dict[str, float] = {}
    for gas, amount in zip(model.network.gases, to_gas_per_nm2, strict=True):
        for element, count in Formula(str(rows.loc[gas, "formula"])).count().items():
            gained[element] = gained.get(element, 0.0) - count * float(amount)
    return gained
