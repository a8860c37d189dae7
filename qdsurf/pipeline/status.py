"""How far a run is, from the files that it has left."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from qdsurf.errors import CalculationError, InputError
from qdsurf.records.systems import System
from qdsurf.storage.check_files import verify_folder
from qdsurf.storage.files import read_json, read_table

# Each room and the file that says that a job of it is done.
ROOMS = {
    "molecules": "state.json",
    "bulk": "qualification.json",
    "slabs": "state.json",
    "ligated": "state.json",
    "adsorbed": "state.json",
    "reactions": "state.json",
    "reference": "errors.csv",
    "energetics": "states.csv",
    "kinetics": "selectivity.csv",
}
FATES = ("done", "flagged", "failed", "unfinished", "missing")


def summarise_results(folder: Path, expected: Mapping[str, Iterable[str]] | None = None) -> dict:
    """Count the jobs of every room by what became of them.

    `done` has what it was asked for; `flagged` too, but carries a warning; `failed` has run and says why there is no
    result; `unfinished` has begun; `missing` has not.

    Parameters
    ----------
    folder : results of a run.
    expected : folders of all jobs by room, relative to `folder`; None: what has not begun is not known.

    Returns
    -------
    Plain data: `rooms` (counts), `jobs` (those that are not simply done: job, fate, reason), force_calls, wall_s and
    cpu_s of all relaxations, `last_result` and its age in s.

    Raises
    ------
    InputError : there is no such folder, or no room in it.
    """
    folder = Path(folder)
    found = {room: _jobs(folder, room) for room in ROOMS}
    if not any(found.values()):
        raise InputError(f"{folder}: no results here; give the folder that holds {', '.join(ROOMS)}")
    rooms, jobs = {}, []
    for room, present in found.items():
        fates = Counter()
        for job in sorted({*present, *(expected[room] if expected else ())}):
            fate, reason = _fate(folder / job, ROOMS[room]) if job in present else ("missing", "not begun")
            fates[fate] += 1
            jobs += [] if fate == "done" else [{"job": job, "fate": fate, "reason": reason}]
        rooms[room] = {fate: fates[fate] for fate in FATES if expected or fate != "missing"}
    results = [result for path in sorted(folder.rglob("result.json")) for result in _read_list(path)]
    files = [path for path in folder.rglob("[!.]*") if path.is_file()]
    last = max(files, key=lambda path: path.stat().st_mtime)
    return {
        "folder": str(folder),
        "rooms": rooms,
        "jobs": jobs,
        "force_calls": sum(result["force_calls"] for result in results),
        "wall_s": round(sum(result["wall_s"] for result in results), 1),
        "cpu_s": round(sum(result.get("cpu_s") or 0.0 for result in results), 1),
        "last_result": str(last.relative_to(folder)),
        "last_result_age_s": round(time.time() - last.stat().st_mtime, 1),
    }


def verify_results(folder: Path) -> dict:
    """Compare every file of a run with its check file, and the kinetic tables of each system with one another.

    A file without a check file, of a user or of an older version, is not counted. Tables of which one is missing or
    damaged are not compared.

    Parameters
    ----------
    folder : results of a run.

    Returns
    -------
    Plain data: `checked` (number of files), `damaged` (file relative to `folder`, found, expected, advice), `compared`
    (number of systems), `disagreeing` (folder, reason) and `passed`, whether both lists are empty.

    Raises
    ------
    InputError : there is no such folder, or no file in it can be checked.
    """
    from qdsurf.microkinetics.analysis.consistency import (  # the rest does without the solver
        CHECKED,
        assert_tables_agree,
    )

    folder = Path(folder)
    checked, damages = verify_folder(folder)
    compared, disagreeing = 0, []
    for place in sorted(path for path in (folder / "kinetics").glob("*~*~*") if path.is_dir()):
        try:
            tables = {name: read_table(place / f"{name}.csv") for name in CHECKED}
        except InputError:
            continue  # missing, or among the damaged ones
        compared += 1
        try:
            assert_tables_agree(tables, System.parse(place.name).precursor)
        except CalculationError as error:
            disagreeing.append({"folder": str(place.relative_to(folder)), "reason": str(error)})
    if not checked and not compared:
        raise InputError(f"{folder}: no file with a stored hash here; give the folder of results of a run")
    damaged = [
        {"file": str(one.path.relative_to(folder)), "found": one.found, "expected": one.expected, "advice": one.advice}
        for one in damages
    ]
    return {
        "folder": str(folder),
        "checked": checked,
        "damaged": damaged,
        "compared": compared,
        "disagreeing": disagreeing,
        "passed": not damaged and not disagreeing,
    }


def _jobs(folder: Path, room: str) -> set[str]:
    """Folders of a room in which something lies that a job has read or written."""
    marks = {ROOMS[room], "candidates.extxyz"}
    files = (path for mark in marks for path in (folder / room).rglob(mark))
    return {_job_of(path.relative_to(folder)) for path in files if path.parent != folder / room}


def _job_of(file: Path) -> str:
    """Folder of the job that a file belongs to; the tests of a bulk crystal are one job."""
    return "/".join(file.parts[:3]) if file.parts[0] == "bulk" else str(file.parent)


def _fate(job: Path, mark: str) -> tuple[str, str]:
    """What became of a job that has begun, and why."""
    if not (job / mark).is_file():
        parts = sorted(job.rglob("*.part"))
        lines = sum(bool(line) for path in parts for line in path.read_text(errors="replace").splitlines())
        return "unfinished", f"{lines} relaxations done" if parts else "no result yet"
    try:
        data = {path.name: read_json(path) for path in job.glob("*.json")}
    except InputError as error:
        return "failed", str(error)
    if mark != "state.json":
        return "done", ""
    status, flags = data[mark]["status"], data[mark]["flags"]
    if status != "ok":
        return "failed", status
    return ("flagged", ", ".join(flags)) if flags else ("done", "")


def _read_list(path: Path) -> list[dict]:
    try:
        results = read_json(path)
    except InputError:
        return []  # `_fate` has named what is damaged
    return results if isinstance(results, list) else []
