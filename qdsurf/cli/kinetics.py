"""The verb kinetics: simulate a recipe on one system, from a mechanism file or from the tables of the energetics."""

from argparse import Namespace
from pathlib import Path

import pandas as pd

from qdsurf.cli.verb_result import VerbResult
from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.cantera_export import export_mechanism
from qdsurf.microkinetics.network.mechanism import read_mechanism
from qdsurf.microkinetics.network.tables import Tables, read_tables
from qdsurf.microkinetics.simulate_cycle import Conditions, scan_conditions, simulate_cycle, simulate_pore
from qdsurf.records import library
from qdsurf.records.models import Precursor, Recipe
from qdsurf.records.systems import System
from qdsurf.report.figures.kinetics import plot_kinetics
from qdsurf.report.figures.style import write_svg_and_png
from qdsurf.storage.files import write_atomically, write_table

MAP_POINTS = (25, 25)  # temperatures and pressures
MAP_SAMPLES = 64  # largest number of energy samples at each point of the map
YAML_SUFFIXES = (".yaml", ".yml")


def run_recipe(arguments: Namespace) -> VerbResult:
    """Simulate a recipe on one system, and write tables, figures and a mechanism for Cantera.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf kinetics`.

    Returns
    -------
    VerbResult
        Selectivity and saturation dose; docs/reference/tables.md describes the columns.

    Raises
    ------
    InputError
        A file, a name or a condition is wrong.
    """
    system, tables, precursor = _read_system(arguments)
    conditions = Conditions(
        system,
        tables,
        _read_recipe(arguments.recipe),
        precursor,
        arguments.temperature_K,
        arguments.pressure_Pa,
        arguments.cycles,
        arguments.samples,
        arguments.seed,
    )
    results = simulate_cycle(conditions)
    if arguments.map:
        results |= scan_conditions(conditions, MAP_POINTS, min(MAP_SAMPLES, arguments.samples))
    if arguments.pore_nm is not None:
        results["penetration"] = simulate_pore(conditions, results["dose"], arguments.pore_nm)
    folder = Path(arguments.output)
    for name, table in results.items():
        write_table(folder / f"{name}.csv", table, checked=False)
    write_atomically(folder / "mechanism.yaml", export_mechanism(system, tables, conditions.temperature))
    written = [*(f"{name}.csv" for name in results), *_write_figures(conditions, results, folder), "mechanism.yaml"]
    row = results["selectivity"].iloc[0].to_dict() | results["dose"].iloc[0].to_dict()
    lines = [f"{folder}: {', '.join(written)}"]
    lines += [f"{key:<26} {f'{value:.4g}' if isinstance(value, float) else value}" for key, value in row.items()]
    return VerbResult(row, lines)


def _read_system(arguments: Namespace) -> tuple[str, Tables, Precursor | None]:
    """Read one system: its name, its tables, and the precursor in its name, which a mechanism file does not have."""
    path = Path(arguments.file)
    if path.is_file() or path.suffix in YAML_SUFFIXES:
        system, tables = read_mechanism(path)
        return system, tables, None
    tables = read_tables(path)
    systems = list(dict.fromkeys(tables.states["system"]))
    if arguments.system is None and len(systems) > 1:
        raise InputError(f"{path}: contains {len(systems)} systems; choose one with --system: {', '.join(systems)}")
    system = arguments.system or systems[0]
    if system not in systems:
        raise unknown("system", system, systems, f"{path}/states.csv")
    return system, tables, library.precursor(System.parse(system).precursor)


def _read_recipe(name: str) -> Recipe:
    """Read a recipe from the library or from a file."""
    return library.read_record(Path(name), Recipe) if name.endswith(YAML_SUFFIXES) else library.recipe(name)


def _write_figures(conditions: Conditions, results: dict[str, pd.DataFrame], folder: Path) -> list[str]:
    """Write the figures of the tables and return the names of their files."""
    figures = plot_kinetics(results, conditions.recipe, conditions.system)
    for name, figure in figures.items():
        write_svg_and_png(figure, folder / name)
    return [f"{name}.{suffix}" for name in figures for suffix in ("svg", "png")]
