"""A checked network with its tables: energies and rate constants at any temperature and for any sample."""

import warnings
from dataclasses import dataclass

import numpy as np

from qdsurf.microkinetics.network.assembly import build_network
from qdsurf.microkinetics.network.balance import assert_elements_balance
from qdsurf.microkinetics.network.reaction_network import Network, assert_cycles_close
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.microkinetics.rates.landscape import EnergyShifts, Landscape, read_landscape, tabulated_temperatures
from qdsurf.microkinetics.rates.rate_constants import RateConstants, rate_constants

SADDLE_TOLERANCE_EV = 1e-6


@dataclass(frozen=True)
class Model:
    """A network with the tables that contain its energies.

    Attributes
    ----------
    network : Network
        Species, sites and steps.
    tables : Tables
        Tables from which the network was built.
    """

    network: Network
    tables: Tables

    @property
    def temperature_range_K(self) -> tuple[float, float]:
        """Lowest and highest temperature with tabulated free energies, K."""
        temperatures = tabulated_temperatures(self.network.system, self.tables)
        return temperatures[0], temperatures[-1]

    def landscape(self, temperature_K: float | None = None) -> Landscape:
        """Return the energy landscape at the mean energies; see `read_landscape`."""
        return read_landscape(self.network, self.tables, temperature_K)

    def rates(self, temperature_K: float | None = None, shifts: EnergyShifts | None = None) -> RateConstants:
        """Return the rate constants.

        Parameters
        ----------
        temperature_K : float or None
            Temperature, K. None: that of the states table.
        shifts : EnergyShifts or None
            Shifts of the energies, for example samples of their errors. None: the mean energies.

        Returns
        -------
        RateConstants
            In s^-1, shape (S,), or (samples, S) for shifts with an axis of samples.
        """
        landscape = self.landscape(temperature_K)
        return rate_constants(self.network, landscape if shifts is None else landscape.shifted(shifts))


def prepare(system: str, tables: Tables) -> Model:
    """Build the network of one system and check its balances.

    A warning names every saddle point that lies below an end of its step. The rate constants use the energy of that end
    instead.

    Parameters
    ----------
    system : str
        Name as in the column `system` of the tables.
    tables : Tables
        Tables of the energetics or of a mechanism.

    Returns
    -------
    Model

    Raises
    ------
    InputError, BalanceError
        A table is incomplete, or does not balance in sites, elements, charge or around a cycle.
    """
    network = build_network(system, tables)
    model = Model(network, tables)
    landscape = model.landscape()
    assert_elements_balance(network, tables.states)
    assert_cycles_close(network, landscape.reaction_gibbs_eV)
    higher_end = np.maximum(0, landscape.final_energy_eV - landscape.initial_energy_eV)
    too_low = ~network.barrierless & (landscape.barrier_eV < higher_end - SADDLE_TOLERANCE_EV)
    for s in np.flatnonzero(too_low):
        warnings.warn(
            f"{system}, step {network.steps[s]!r}: the saddle ({landscape.barrier_eV[s]:.3f} eV above the initial "
            f"state) lies below an end ({higher_end[s]:.3f} eV); the energy of this end is used for the saddle.",
            stacklevel=2,
        )
    return model
