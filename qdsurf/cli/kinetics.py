"""The verb kinetics: a mechanism or the tables of the energetics in, everything about one system out."""

from argparse import Namespace
from pathlib import Path

import pandas as pd

from qdsurf.errors import InputError, unknown
from qdsurf.microkinetics.cantera_export import export_mechanism
from qdsurf.microkinetics.network.mechanism import read_mechanism
from qdsurf.microkinetics.network.tables import Tables, read_tables
from qdsurf.microkinetics.simulate_cycle import Conditions, scan_conditions, simulate_cycle, simulate_pore
from qdsurf.records import library
from qdsurf.records.models import Precursor, Recipe
from qdsurf.records.systems import System
from qdsurf.report.figures import kinetics as figures
from qdsurf.storage.files import write_atomically, write_table

MAP_POINTS, MAP_SAMPLES = (25, 25), 64


def run_recipe(arguments: Namespace) -> tuple[dict, list[str]]:
    """Run a recipe on one system; write its tables, its figures and, where it can be, a mechanism for Cantera."""
    system, tables, precursor = _read_system(arguments)
    conditions = Conditions(
        system, tables, _read_recipe(arguments.recipe), precursor, arguments.temperature_K, arguments.pressure_Pa,
        arguments.cycles, arguments.samples, arguments.seed,
    )  # fmt: skip
    results = simulate_cycle(conditions)
    if arguments.map:
        results |= scan_conditions(conditions, MAP_POINTS, min(MAP_SAMPLES, arguments.samples))
    if arguments.pore_nm is not None:
        results["penetration"] = simulate_pore(conditions, results["dose"], arguments.pore_nm)
    folder = Path(arguments.output)
    for name, table in results.items():
        write_table(folder / f"{name}.csv", table, checked=False)
    write_atomically(folder / "mechanism.yaml", export_mechanism(system, tables, conditions.temperature))
    written = [*(f"{name}.csv" for name in results), *_draw(conditions, results, folder), "mechanism.yaml"]
    row = results["selectivity"].iloc[0].to_dict() | results["dose"].iloc[0].to_dict()
    lines = [f"{key:<26} {f'{value:.4g}' if isinstance(value, float) else value}" for key, value in row.items()]
    return row, [f"{folder}: {', '.join(written)}", *lines]


def _read_system(arguments: Namespace) -> tuple[str, Tables, Precursor | None]:
    """One system with its tables, and the precursor that its name promises."""
    path = Path(arguments.file)
    if path.is_file() or path.suffix in (".yaml", ".yml"):
        return *read_mechanism(path), None
    tables = read_tables(path)
    systems = list(dict.fromkeys(tables.states["system"]))
    if arguments.system is None and len(systems) > 1:
        raise InputError(f"{path}: holds {len(systems)} systems; choose one with --system: {', '.join(systems)}")
    system = arguments.system or systems[0]
    if system not in systems:
        raise unknown("system", system, systems, f"{path}/states.csv")
    return system, tables, library.precursor(System.parse(system).precursor)


def _read_recipe(name: str) -> Recipe:
    """A recipe by name or from a file."""
    return library.read_record(Path(name), Recipe) if name.endswith((".yaml", ".yml")) else library.recipe(name)


def _draw(conditions: Conditions, results: dict[str, pd.DataFrame], folder: Path) -> list[str]:
    """The figures of the tables."""
    made = figures.plot_kinetics(results, conditions.recipe, conditions.system)
    for name, figure in made.items():
        figures.save(figure, folder / name)
    return [f"{name}.{ending}" for name in made for ending in ("svg", "png")]
