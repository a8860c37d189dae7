"""Origin of a row of a table: states, structures, inputs, calculator and versions."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from qdsurf.atomistic.annotation import content_hash
from qdsurf.errors import InputError, unknown
from qdsurf.pipeline import layout
from qdsurf.pipeline.provenance import file_hash
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.systems import find_facet
from qdsurf.storage.files import read_json, read_table
from qdsurf.storage.structures import read_structures

RESULT_KEYS = ("calculator", "qdsurf_version", "force_calls", "wall_s", "cpu_s", "max_force_eV_per_A", "reason")


def trace_row(table: str | Path, words: Sequence[str]) -> dict[str, Any]:
    """Collect everything that a row of a results table was made from.

    Parameters
    ----------
    table : str or Path
        A CSV file in the results of a run, such as results/kinetics/selectivity.csv.
    words : sequence of str
        The number of the row, from 0, or column=value pairs that leave one row.

    Returns
    -------
    dict
        `row`; `starts`, the jobs that the row names, or all states of its system; `jobs`, these jobs and those that
        they were built from, each with its files (SHA-256), its result, and whether its structures still have the
        hashes of the results; `tables` between the jobs and the row; `changed_records`, those that differ from what
        the run has read; `run`, versions and machine from provenance.json, empty if the run has not finished.

    Raises
    ------
    InputError
        The file is no results table, or the words leave no row or several.
    """
    table = Path(table)
    results = _results_of(table)
    number, row = _choose(table, words)
    system = str(row.get("system", table.resolve().parent.name))
    if system.count("~") == 2:
        folders = _state_jobs(results, system)
    else:  # a table of a batch, such as the errors on the reference reactions
        folders = {"batch": str(table.resolve().parent.relative_to(results))}
    words = [str(row[key]) for key in ("state", "initial_state", "final_state", "lattice") if row.get(key)]
    named = [folders[name] for name in re.findall(r"[^\s()]+", " ".join(words)) if name in folders]
    starts = list(dict.fromkeys(named or folders.values()))
    jobs: dict[str, dict] = {}
    for start in starts:
        _visit(results, start, jobs)
    tables = [_at(results, layout.energy_table(system, name)) for name in layout.ENERGY_TABLES]
    calculators = sorted({job.split("/")[1] for job in jobs if job.startswith("molecules/")})
    tables += [_at(results, layout.reference(calculator).errors) for calculator in calculators]
    run = _run(results)
    used = {record["file"]: record["sha256"] for job in jobs.values() for record in job["records"]}
    return {
        "table": _file(table.resolve(), results),
        "row": {"number": number, **row},
        "starts": starts,
        "jobs": jobs,
        "tables": [_file(path, results) for path in tables if path.is_file()],
        "changed_records": sorted(file for file in used if run["records"].get(file, used[file]) != used[file]),
        "run": run,
    }


def _results_of(table: Path) -> Path:
    """Folder of results that contains a table."""
    for parent in table.resolve().parents:
        if (parent / "energetics").is_dir():
            return parent
    raise InputError(
        f"{table}: not in the results of a run, which contain a folder `energetics`; give the path of the table in "
        "its run"
    )


def _at(results: Path, path: str) -> Path:
    """A path of the layout in another folder of results."""
    return results / path.removeprefix(f"{layout.RESULTS}/")


def _choose(table: Path, words: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """Number and content of the row that the words leave."""
    frame = read_table(table)
    left = frame
    for word in words:
        column, equals, value = word.partition("=")
        if not equals and len(words) == 1:
            if not word.isdecimal() or int(word) >= len(frame):
                raise InputError(f"{table}: has no row {word!r}; it has rows 0 to {len(frame) - 1}")
            left = frame.iloc[[int(word)]]
        elif not equals:
            raise InputError(f"{word!r}: write COLUMN=VALUE, or one number of a row")
        elif column not in frame:
            raise unknown("column", column, frame.columns, str(table))
        else:
            left = left[[_same(found, value) for found in left[column]]]
    if len(left) != 1:
        raise InputError(f"{table}: {' '.join(words)} leaves {len(left)} of {len(frame)} rows; it must leave one")
    row = {key: None if pd.isna(value) else value for key, value in left.iloc[0].items()}
    return int(left.index[0]), row


def _same(found: object, value: str) -> bool:
    """Whether a cell equals the word of the user, as a number or as text."""
    try:
        return float(str(found)) == float(value)
    except ValueError:
        return str(found) == value


def _state_jobs(results: Path, system: str) -> dict[str, str]:
    """Job of every state of a system by its name in the tables, gas molecules last."""
    slab, ligand, precursor = system.split("~")
    ligated = f"{slab}~{ligand}"
    found = {"ligated": f"ligated/{ligated}"}
    for owner in (f"adsorbed/{system}", f"reactions/{system}", f"reactions/{ligated}"):
        found |= {path.name: f"{owner}/{path.name}" for path in sorted((results / owner).glob("*"))}
    gases = {precursor}
    states = _at(results, layout.energy_table(system, "states"))
    if states.is_file():
        gases |= set(read_table(states).query("phase == 'gas'")["state"])
    calculator = _calculator_folder(results, f"slabs/{slab}")
    return found | {gas: f"molecules/{calculator}/{gas}" for gas in sorted(gases)}


def _calculator_folder(results: Path, job: str) -> str:
    """Name of the folder of the calculator of a job."""
    used = read_json(results / job / "result.json")[0]["calculator"]
    return CalculatorSpec(name=used["name"], parameters=used["parameters"]).folder


def _visit(results: Path, job: str, jobs: dict[str, dict]) -> None:
    """Describe a job and all jobs that it was built from, each once."""
    if job in jobs:
        return
    parents, records = _origins(results, job)
    jobs[job] = _describe(results, job) | {
        "from": parents,
        "records": [_file(library.record_path(*record), library.STRUCTURES) for record in records],
    }
    for parent in parents:
        _visit(results, parent, jobs)


def _origins(results: Path, job: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Jobs whose output a job has read, and the records that it has read."""
    stage, owner, *rest = job.split("/")
    slab, *others = owner.split("~")
    records = [("ligands", name) for name in others[:1] if name != "none"]
    records += [("precursors", name) for name in others[1:]]
    calculator = _calculator_folder(results, f"slabs/{slab}") if others else ""
    if stage == "slabs":
        material = find_facet(owner)[0]
        return [f"bulk/{_calculator_folder(results, job)}/{material}"], [("materials", material)]
    if stage == "ligated":
        return [f"slabs/{slab}"], records
    if stage == "adsorbed":
        parents = [f"ligated/{slab}~{others[0]}", f"molecules/{calculator}/{others[1]}"]
        return parents, [*records, ("reactions", rest[0])]
    if stage == "reactions":
        states = _state_jobs(results, owner) if len(others) == 2 else {"ligated": f"ligated/{owner}"}
        reactant = library.get("reactions", rest[0]).reactant
        return [states[reactant]] if reactant in states else [], [*records, ("reactions", rest[0])]
    return [], []


def _describe(results: Path, job: str) -> dict:
    """Files and result of one job."""
    folder = results / job
    found: dict = {"files": [_file(path, results) for path in sorted(folder.rglob("[!.]*.*"))]}
    if (folder / "qualification.json").is_file():
        qualification = read_json(folder / "qualification.json")
        return found | {"status": qualification["lattice_constant"], "substrate": qualification["substrate"]}
    if not (folder / "state.json").is_file():
        return found | {"status": "no result"}
    state = read_json(folder / "state.json")
    found |= {"status": state["status"], "energy_eV": state["energy_eV"], "candidate": state.get("candidate")}
    if "candidate" in state:
        result = read_json(folder / "result.json")[state["candidate"]]
        found |= {"intact": all(_intact(folder, state, result))} | {key: result[key] for key in RESULT_KEYS}
    return found


def _intact(folder: Path, state: dict, result: dict) -> Iterator[bool]:
    """Whether the structures have the hashes that are stored with the result, and the state has its energy."""
    yield content_hash(read_structures(folder / "candidates.extxyz")[state["candidate"]]) == result["input_hash"]
    yield content_hash(read_structures(folder / "selected.extxyz")[0]) == state["structure_hash"]
    yield state["energy_eV"] == result["energy_eV"]


def _file(path: Path, base: Path) -> dict:
    return {"file": str(path.relative_to(base)), "sha256": file_hash(path)}


def _run(results: Path) -> dict:
    """Versions and machine from results/provenance.json."""
    if not (results / "provenance.json").is_file():
        return {"records": {}}
    provenance = read_json(results / "provenance.json")
    keys = ("qdsurf", "code", "python", "packages", "machine", "config", "records")
    return {"file": "provenance.json", "records": {}} | {key: provenance[key] for key in keys if key in provenance}
