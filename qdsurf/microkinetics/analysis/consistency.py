"""Consistency of the tables of one kinetic result."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from qdsurf.errors import CalculationError
from qdsurf.microkinetics.analysis.branching import NOISE_FACTOR
from qdsurf.microkinetics.solver.integration import FINE_TOLERANCE

CHECKED = ("coverages", "selectivity", "ledger", "growth")
# Tables are stored with ten digits, so that a number has a relative error of 5e-11. The rest is for sums of numbers.
ROUNDING = 1e-9


class _Value(NamedTuple):
    """A number and the place where it was found."""

    number: float
    source: str


def assert_tables_agree(tables: Mapping[str, pd.DataFrame], precursor: str, cycles: int | None = None) -> None:
    """Assert that the tables of one result describe the same simulation, from its beginning to its end.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        Tables of `simulate_cycle` by name, as computed or as read from their files. `CHECKED` are required.
    precursor : str
        Name of the precursor molecule.
    cycles : int or None
        Number of cycles. None: the number of rows of `growth`.

    Raises
    ------
    CalculationError
        Two tables disagree; the message names both tables and both numbers. Or a column is missing or contains text.
    """
    try:
        _compare_tables(tables, precursor, cycles)
    except (ValueError, KeyError, IndexError, TypeError) as error:  # from tables that were read from damaged files
        names = ", ".join(f"{name}.csv" for name in CHECKED)
        raise CalculationError(
            f"The tables {names} cannot be compared ({type(error).__name__}: {error}); each must have the columns with "
            "which it was written, with numbers in them. Compute the kinetics of this system again."
        ) from None


def _compare_tables(tables: Mapping[str, pd.DataFrame], precursor: str, cycles: int | None) -> None:
    """Compare the times, the coverages, the mass balance and the uptake of all tables."""
    coverages, selectivity, mass_balance, growth = (tables[name] for name in CHECKED)
    system = str(selectivity["system"].iloc[0])
    if coverages.empty and mass_balance.empty and growth.empty:
        return  # a system without energies
    for name, table in (("coverages", coverages), ("ledger", mass_balance), ("growth", growth)):
        if table.empty:
            found = _Value(0, f"{name}.csv")
            raise _disagreement(system, "number of simulations", found, _Value(len(selectivity), "selectivity.csv"))
    _check_times(system, coverages, _Value(float(selectivity["time_s"].iloc[0]), "selectivity.csv"))
    _check_growth(system, growth, coverages, cycles)
    surface = mass_balance[mass_balance["kind"] == "surface"].set_index("name")
    capacities = _capacities_per_nm2(surface)
    _check_surface(system, surface, coverages, capacities)
    gas = mass_balance[mass_balance["kind"] == "gas"].set_index("name")["end_per_nm2"].astype(float)
    exchanged = _exchanged_per_nm2(coverages, capacities) + gas.abs().sum()
    rounding = ROUNDING * exchanged
    # The selectivity omits steps whose net number is noise, that is less than this fraction of the exchanged events.
    noise = NOISE_FACTOR * FINE_TOLERANCE * exchanged
    quantity = f"uptake of {precursor} per nm^2"
    of_mass_balance = _Value(-float(gas.get(precursor, np.nan)), "ledger.csv")
    of_growth = _Value(float(growth["total_per_nm2"].iloc[-1]), "growth.csv")
    of_selectivity = _Value(float(selectivity["uptake_per_nm2"].iloc[0]), "selectivity.csv")
    _compare(system, quantity, of_mass_balance, of_growth, rounding)
    _compare(system, quantity, of_growth, of_selectivity, noise + rounding)


def _check_times(system: str, coverages: pd.DataFrame, duration_s: _Value) -> None:
    """Check that the rows of the coverages are in order of time, and reach the end of the last cycle."""
    times = coverages["time_s"].to_numpy(float)
    end = _Value(times[-1], "coverages.csv")
    _compare(system, "end of the simulation in s", end, duration_s, ROUNDING * duration_s.number)
    decreasing = np.flatnonzero(np.diff(times) < 0)  # equal times are correct: steps of 1e-9 s vanish in ten digits
    if len(decreasing):
        row = int(decreasing[0]) + 1
        found, before = _Value(times[row], "coverages.csv"), _Value(times[row - 1], "the row before")
        raise _disagreement(system, f"time of row {row} in s", found, before)


def _check_growth(system: str, growth: pd.DataFrame, coverages: pd.DataFrame, cycles: int | None) -> None:
    """Check that every cycle has a row, that the rows add up, and that the last one agrees with the coverages."""
    if cycles is not None and len(growth) != cycles:
        found = _Value(len(growth), "growth.csv")
        raise _disagreement(system, "number of cycles", found, _Value(cycles, "the recipe"))
    numbers, expected = growth["cycle"].to_numpy(), np.arange(1, len(growth) + 1)
    if not np.array_equal(numbers, expected):
        row = int(np.argmax(numbers != expected))
        found = _Value(numbers[row], "growth.csv")
        raise _disagreement(system, f"cycle of row {row}", found, _Value(expected[row], "the rows before"))
    total = growth["total_per_nm2"].to_numpy(float)
    per_cycle = growth["growth_per_cycle_per_nm2"].to_numpy(float)
    differences = np.diff(total, prepend=0.0)
    if np.isfinite(total).all():
        worst = int(np.argmax(np.abs(differences - per_cycle)))
        _compare(
            system,
            f"uptake of cycle {worst + 1} per nm^2",
            _Value(per_cycle[worst], "growth_per_cycle_per_nm2 of growth.csv"),
            _Value(differences[worst], "total_per_nm2 of growth.csv"),
            ROUNDING * np.abs(total).max(),
        )
    for name in coverages.columns.drop(["system", "time_s"]):
        of_growth = _Value(float(growth[name].iloc[-1]), "growth.csv")
        of_coverages = _Value(float(coverages[name].iloc[-1]), "coverages.csv")
        _compare(system, f"last coverage of {name}", of_growth, of_coverages, ROUNDING)


def _capacities_per_nm2(surface: pd.DataFrame) -> pd.Series:
    """Return the molecules per nm^2 at coverage 1 of every species, from the species on the sites at the start.

    The name of a species, `name@family` or `name@family&family`, gives the sites that it occupies. A coverage refers to
    the sites of its first family.
    """
    sites = {name: str(name).rpartition("@")[2].split("&") for name in surface.index}
    density: dict[str, float] = {}
    for name, occupied in sites.items():
        for family in occupied:
            density[family] = density.get(family, 0.0) + float(surface.loc[name, "start_per_nm2"])
    return pd.Series(
        {name: density[occupied[0]] / occupied.count(occupied[0]) for name, occupied in sites.items()}, dtype=float
    )


def _check_surface(system: str, surface: pd.DataFrame, coverages: pd.DataFrame, capacities: pd.Series) -> None:
    """Check that the mass balance at the end agrees with the last row of the coverages."""
    species = coverages.columns.drop(["system", "time_s"])
    if set(species) != set(surface.index):
        of_mass_balance = _Value(len(surface), "ledger.csv")
        raise _disagreement(system, "number of species", of_mass_balance, _Value(len(species), "coverages.csv"))
    for name in species:
        of_mass_balance = _Value(float(surface.loc[name, "end_per_nm2"]), "ledger.csv")
        of_coverages = _Value(float(coverages[name].iloc[-1]) * capacities[name], "coverages.csv")
        _compare(system, f"{name} per nm^2 at the end", of_mass_balance, of_coverages, ROUNDING * capacities[name])


def _exchanged_per_nm2(coverages: pd.DataFrame, capacities: pd.Series) -> float:
    """Return the absolute changes of all species, summed over time, nm^-2: the scale of the integration noise."""
    values = coverages[list(capacities.index)].to_numpy(float)
    return float(np.abs(np.diff(values, axis=0)).sum(axis=0) @ capacities.to_numpy())


def _compare(system: str, quantity: str, one: _Value, other: _Value, tolerance: float) -> None:
    """Raise an error if two numbers differ by more than a tolerance; two NaN are equal."""
    both_missing = np.isnan(one.number) and np.isnan(other.number)
    if not (abs(one.number - other.number) <= tolerance or both_missing):
        raise _disagreement(system, quantity, one, other)


def _disagreement(system: str, quantity: str, one: _Value, other: _Value) -> CalculationError:
    """Make the error for two tables with different numbers."""
    return CalculationError(
        f"{system}: {quantity}: {one.number:.10g} in {one.source}, but {other.number:.10g} in {other.source}; all "
        "tables of a result must describe the same simulation. Compute the kinetics of this system again. If the error "
        "occurs again, report it."
    )
