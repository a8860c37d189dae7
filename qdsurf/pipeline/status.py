"""Status of a run, from the files that it has written."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qdsurf.errors import CalculationError, InputError
from qdsurf.pipeline import layout
from qdsurf.records.systems import System
from qdsurf.storage.check_files import verify_folder
from qdsurf.storage.files import read_json, read_table

STATUSES = ("done", "flagged", "failed", "unfinished", "missing")


def summarise_status(folder: str | Path, expected: Mapping[str, Iterable[str]] | None = None) -> dict[str, Any]:
    """Count the jobs of every stage by their status.

    A job is `done` if it has its result, `flagged` if the result carries a warning, `failed` if it has run and gives a
    reason for having no result, `unfinished` if it has started, and `missing` if it has not.

    Parameters
    ----------
    folder : str or Path
        Results of a run.
    expected : mapping, optional
        Names of all jobs by stage. Without it, jobs that have not started are not known.

    Returns
    -------
    dict
        `stages` (counts by status), `jobs` (those that are not simply done: job, status, reason), `force_calls`,
        `wall_s` and `cpu_s` of all relaxations, `last_result` and its age in s.

    Raises
    ------
    InputError
        There is no such folder, or no stage in it.
    """
    folder = Path(folder)
    found = {stage: _jobs(folder, stage) for stage in layout.STAGES}
    if not any(found.values()):
        raise InputError(f"{folder}: no results here; give the folder that contains {', '.join(layout.STAGES)}")
    stages, jobs = {}, []
    for stage, present in found.items():
        counts: Counter[str] = Counter()
        for job in sorted({*present, *(expected.get(stage, ()) if expected else ())}):
            status, reason = ("missing", "not started")
            if job in present:
                status, reason = _status(folder / job, layout.STAGES[stage])
            counts[status] += 1
            if status != "done":
                jobs.append({"job": job, "status": status, "reason": reason})
        stages[stage] = {status: counts[status] for status in STATUSES if expected or status != "missing"}
    results = [result for path in sorted(folder.rglob("result.json")) for result in _read_list(path)]
    files = [path for path in folder.rglob("[!.]*") if path.is_file()]
    last = max(files, key=lambda path: path.stat().st_mtime)
    return {
        "folder": str(folder),
        "stages": stages,
        "jobs": jobs,
        "force_calls": sum(result["force_calls"] for result in results),
        "wall_s": round(sum(result["wall_s"] for result in results), 1),
        "cpu_s": round(sum(result.get("cpu_s") or 0.0 for result in results), 1),
        "last_result": str(last.relative_to(folder)),
        "last_result_age_s": round(time.time() - last.stat().st_mtime, 1),
    }


def verify_results(folder: str | Path) -> dict[str, Any]:
    """Compare every file of a run with its check file, and the kinetic tables of each system with one another.

    Files without a check file, from a user or an older version, are not counted. The tables of a system are not
    compared if one of them is missing or damaged.

    Parameters
    ----------
    folder : str or Path
        Results of a run.

    Returns
    -------
    dict
        `checked` (number of files), `damaged` (file relative to `folder`, found, expected, advice), `compared` (number
        of systems), `disagreeing` (folder, reason), and `passed` (whether both lists are empty).

    Raises
    ------
    InputError
        There is no such folder, or no file in it can be checked.
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


def _jobs(folder: Path, stage: str) -> set[str]:
    """Names of the jobs of a stage that have read or written a file."""
    marks = {layout.STAGES[stage], "candidates.extxyz"}
    files = (path for mark in marks for path in (folder / stage).rglob(mark))
    return {layout.job_name(str(path.relative_to(folder))) for path in files if path.parent != folder / stage}


def _status(job: Path, finished: str) -> tuple[str, str]:
    """Status of a job that has started, and the reason for it."""
    if not (job / finished).is_file():
        parts = sorted(job.rglob("*.part"))
        lines = sum(bool(line) for path in parts for line in path.read_text(errors="replace").splitlines())
        return "unfinished", f"{lines} relaxations done" if parts else "no result yet"
    try:
        data = {path.name: read_json(path) for path in job.glob("*.json")}
    except InputError as error:
        return "failed", str(error)
    if finished != "state.json":
        return "done", ""
    status, flags = data[finished]["status"], data[finished]["flags"]
    if status != "ok":
        return "failed", status
    return ("flagged", ", ".join(flags)) if flags else ("done", "")


def _read_list(path: Path) -> list[dict[str, Any]]:
    """Results in a file; none if the file is damaged, which the status of its job says."""
    try:
        results = read_json(path)
    except InputError:
        return []
    return results if isinstance(results, list) else []
