"""Checks that the tables of one kinetic result agree with one another."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from qdsurf.errors import CalculationError
from qdsurf.microkinetics.analysis.branching import NOISE_FACTOR
from qdsurf.microkinetics.solver.integration import FINE_TOLERANCE

CHECKED = ("coverages", "selectivity", "ledger", "growth")
# Tables are stored with ten digits, so that a number is right to 5e-11 of itself; the rest is for sums of such numbers.
ROUNDING = 1e-9


def assert_tables_agree(tables: Mapping[str, pd.DataFrame], precursor: str, cycles: int | None = None) -> None:
    """Assert that the tables of one result describe the same run, from its beginning to its end.

    Parameters
    ----------
    tables : tables of `simulate_cycle` by name, as computed or as read from their files. `CHECKED` are needed.
    precursor : name of the precursor's molecule.
    cycles : number of cycles of the run; None takes the number of rows of `growth`.

    Raises
    ------
    CalculationError
        Two tables disagree; the message names both, and gives both numbers. Or a column is missing or holds no number.
    """
    try:
        _compare_tables(tables, precursor, cycles)
    except (ValueError, KeyError, IndexError, TypeError) as error:  # of tables that were read from damaged files
        names = ", ".join(f"{name}.csv" for name in CHECKED)
        raise CalculationError(
            f"The tables {names} cannot be compared ({type(error).__name__}: {error}); each must have the columns with "
            "which it was written, and numbers in them. Compute the kinetics of this system again."
        ) from None


def _compare_tables(tables: Mapping[str, pd.DataFrame], precursor: str, cycles: int | None) -> None:
    """Make all comparisons, from the times to the uptake."""
    coverages, selectivity, ledger, growth = (tables[name] for name in CHECKED)
    system = str(selectivity["system"].iloc[0])
    if coverages.empty and ledger.empty and growth.empty:
        return  # a system of which no step has a number
    for name, table in (("coverages", coverages), ("ledger", ledger), ("growth", growth)):
        if table.empty:
            _disagree(system, "number of runs", 0, f"{name}.csv", len(selectivity), "selectivity.csv")
    _check_times(system, coverages, float(selectivity["time_s"].iloc[0]))
    _check_growth(system, growth, coverages, cycles)
    surface = ledger[ledger["kind"] == "surface"].set_index("name")
    capacities = _capacities(surface)
    _check_surface(system, surface, coverages, capacities)
    gas = ledger[ledger["kind"] == "gas"].set_index("name")["end_per_nm2"].astype(float)
    exchanged = _exchanged(coverages, capacities) + gas.abs().sum()
    total, uptake = float(growth["total_per_nm2"].iloc[-1]), float(selectivity["uptake_per_nm2"].iloc[0])
    words, rounding = f"uptake of {precursor} per nm^2", ROUNDING * exchanged
    _compare(system, words, -float(gas.get(precursor, np.nan)), "ledger.csv", total, "growth.csv", rounding)
    # The selectivity leaves out steps whose net number is noise: less than this share of the events in both directions.
    noise = NOISE_FACTOR * FINE_TOLERANCE * exchanged
    _compare(system, words, total, "growth.csv", uptake, "selectivity.csv", noise + rounding)


def _check_times(system: str, coverages: pd.DataFrame, time_s: float) -> None:
    """The rows of the coverages follow one another in time, and reach the end of the last cycle."""
    times = coverages["time_s"].to_numpy(float)
    _compare(system, "end of the run in s", times[-1], "coverages.csv", time_s, "selectivity.csv", ROUNDING * time_s)
    back = np.flatnonzero(np.diff(times) < 0)  # equal times are right: steps of 1e-9 s vanish in ten digits
    if len(back):
        row = int(back[0]) + 1
        _disagree(system, f"time of row {row} in s", times[row], "coverages.csv", times[row - 1], "the row before")


def _check_growth(system: str, growth: pd.DataFrame, coverages: pd.DataFrame, cycles: int | None) -> None:
    """Every cycle has a row, the rows add up, and the last one is the end of the coverages."""
    if cycles is not None and len(growth) != cycles:
        _disagree(system, "number of cycles", len(growth), "growth.csv", cycles, "the recipe")
    number, counted = growth["cycle"].to_numpy(), np.arange(1, len(growth) + 1)
    if not np.array_equal(number, counted):
        row = int(np.argmax(number != counted))
        _disagree(system, f"cycle of row {row}", number[row], "growth.csv", counted[row], "the rows before")
    total, each = (growth[name].to_numpy(float) for name in ("total_per_nm2", "growth_per_cycle_per_nm2"))
    step = np.diff(total, prepend=0.0)
    if np.isfinite(total).all():
        worst = int(np.argmax(np.abs(step - each)))
        words, tolerance = f"uptake of cycle {worst + 1} per nm^2", ROUNDING * np.abs(total).max()
        _compare(
            system, words, each[worst], "growth_per_cycle_per_nm2 of growth.csv", step[worst],
            "total_per_nm2 of growth.csv", tolerance,
        )  # fmt: skip
    for name in coverages.columns.drop(["system", "time_s"]):
        one, other = float(growth[name].iloc[-1]), float(coverages[name].iloc[-1])
        _compare(system, f"last coverage of {name}", one, "growth.csv", other, "coverages.csv", ROUNDING)


def _capacities(surface: pd.DataFrame) -> pd.Series:
    """Molecules per nm^2 at coverage 1 of every species, from what stood on the sites at the start.

    The name of a species, `name@family` or `name@family&family`, says which sites it occupies, and a coverage counts
    the sites of its first family.
    """
    sites = {name: str(name).rpartition("@")[2].split("&") for name in surface.index}
    density: dict[str, float] = {}
    for name, occupied in sites.items():
        for family in occupied:
            density[family] = density.get(family, 0.0) + float(surface.loc[name, "start_per_nm2"])
    return pd.Series({name: density[own[0]] / own.count(own[0]) for name, own in sites.items()}, dtype=float)


def _check_surface(system: str, surface: pd.DataFrame, coverages: pd.DataFrame, capacities: pd.Series) -> None:
    """The ledger counts at the end what the last row of the coverages says is there."""
    species = coverages.columns.drop(["system", "time_s"])
    if set(species) != set(surface.index):
        _disagree(system, "number of species", len(surface), "ledger.csv", len(species), "coverages.csv")
    for name in species:
        there = float(coverages[name].iloc[-1]) * capacities[name]
        stated, tolerance = float(surface.loc[name, "end_per_nm2"]), ROUNDING * capacities[name]
        _compare(system, f"{name} per nm^2 at the end", stated, "ledger.csv", there, "coverages.csv", tolerance)


def _exchanged(coverages: pd.DataFrame, capacities: pd.Series) -> float:
    """Molecules per nm^2 that came and went, summed over the species: the scale of what integration leaves as noise."""
    changes = coverages[list(capacities.index)].to_numpy(float)
    return float(np.abs(np.diff(changes, axis=0)).sum(axis=0) @ capacities.to_numpy())


def _compare(system: str, quantity: str, one: float, first: str, other: float, second: str, tolerance: float) -> None:
    """Accept two numbers within a tolerance; two that do not exist are equal."""
    if not (abs(one - other) <= tolerance or (np.isnan(one) and np.isnan(other))):
        _disagree(system, quantity, one, first, other, second)


def _disagree(system: str, quantity: str, one: float, first: str, other: float, second: str) -> None:
    raise CalculationError(
        f"{system}: {quantity}: {one:.10g} by {first}, but {other:.10g} by {second}; all tables of a result must "
        "describe the same run. Compute the kinetics of this system again; if the error comes back, report it."
    )
