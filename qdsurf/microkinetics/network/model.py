"""One system ready to compute: its network, and its rates at any temperature and for any sample."""

import warnings
from dataclasses import dataclass

import numpy as np

from qdsurf.microkinetics.network.assembly import build_network
from qdsurf.microkinetics.network.balance import assert_elements_balance
from qdsurf.microkinetics.network.reaction_network import Network, assert_cycles_close
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.microkinetics.rates.landscape import Landscape, Shifts, read_landscape, tabulated_temperatures
from qdsurf.microkinetics.rates.rate_constants import RateConstants, rate_constants

SADDLE_TOLERANCE_EV = 1e-6


@dataclass(frozen=True)
class Model:
    """A network with the tables from which its landscape is read."""

    network: Network
    tables: Tables

    @property
    def temperature_range_K(self) -> tuple[float, float]:
        """Lowest and highest temperature at which there are free energies."""
        temperatures = tabulated_temperatures(self.network.system, self.tables)
        return temperatures[0], temperatures[-1]

    def landscape(self, temperature_K: float | None = None) -> Landscape:
        """The central landscape; see `read_landscape`."""
        return read_landscape(self.network, self.tables, temperature_K)

    def rates(self, temperature_K: float | None = None, shifts: Shifts | None = None) -> RateConstants:
        """Rate constants, at the mean energies or for shifts of them."""
        landscape = self.landscape(temperature_K)
        return rate_constants(self.network, landscape if shifts is None else landscape.shifted(shifts))


def prepare(system: str, tables: Tables) -> Model:
    """Build and check one system.

    Warns of every saddle that lies below an end of its step: it is raised to that end.

    Raises
    ------
    InputError, BalanceError
        A table is incomplete or does not balance in sites, elements, charge or around a cycle.
    """
    network = build_network(system, tables)
    model = Model(network, tables)
    landscape = model.landscape()
    assert_elements_balance(network, tables.states)
    assert_cycles_close(network, landscape.reaction_gibbs_eV)
    lowest = np.maximum(0, landscape.final_energy_eV - landscape.initial_energy_eV)
    low = ~network.barrierless & (landscape.barrier_eV < lowest - SADDLE_TOLERANCE_EV)
    for s in np.flatnonzero(low):
        warnings.warn(
            f"{system}, step {network.steps[s]!r}: the saddle ({landscape.barrier_eV[s]:.3f} eV above the initial "
            f"state) lies below an end ({lowest[s]:.3f} eV); it is raised to it.",
            stacklevel=2,
        )
    return model
