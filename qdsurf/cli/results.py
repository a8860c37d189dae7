"""Verbs on the results of a run: status, trace."""

from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qdsurf.cli.verb_result import VerbResult
from qdsurf.logs import duration
from qdsurf.pipeline.config import load_config
from qdsurf.pipeline.plan import Plan
from qdsurf.pipeline.status import STATUSES, summarise_status, verify_results
from qdsurf.pipeline.trace import trace_row

SHORT_HASH = 12  # digits of a SHA-256 that are shown


def show_status(arguments: Namespace) -> VerbResult:
    """Count the jobs of a run by status, with the reasons of failures; with --verify, check its files.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf status`.

    Returns
    -------
    VerbResult
        Data of `pipeline.status.summarise_status` and `total`, the number of jobs by status; with --verify, data of
        `pipeline.status.verify_results`.

    Raises
    ------
    InputError
        The folder contains no results, or the configuration is wrong.
    """
    folder = Path(arguments.folder)
    folder = folder / "results" if (folder / "results").is_dir() else folder
    if arguments.verify:
        return _verify(folder)
    config = Path(arguments.config or folder / "config.json")
    jobs_are_known = bool(arguments.config) or config.is_file()
    data = summarise_status(folder, Plan(load_config(config)).jobs if jobs_are_known else None)
    statuses = STATUSES if jobs_are_known else STATUSES[:-1]
    total = {status: sum(counts[status] for counts in data["stages"].values()) for status in statuses}
    counted = ", ".join(f"{total[status]} {status}" for status in statuses)
    lines = [
        f"{data['folder']}: {counted}; {data['force_calls']} force calls, {duration(data['wall_s'])} of relaxation; "
        f"last result {duration(data['last_result_age_s'])} ago",
        "",
        f"{'stage':<12}" + "".join(f"{status:>12}" for status in statuses),
    ]
    for stage, counts in data["stages"].items():
        lines.append(f"{stage:<12}" + "".join(f"{counts[status]:12d}" for status in statuses))
    for status in statuses[1:]:
        jobs = [f"  {job['job']}: {job['reason']}" for job in data["jobs"] if job["status"] == status]
        if jobs:
            lines += ["", f"{status}:", *jobs]
    if not jobs_are_known:
        lines += ["", f"{config}: no such file; with --config FILE the jobs that have not started are counted too"]
    return VerbResult(data | {"total": total}, lines)


def _verify(folder: Path) -> VerbResult:
    """Compare the files of a run with their check files, and the kinetic tables of each system with one another."""
    data = verify_results(folder)
    damaged, disagreeing = data["damaged"], data["disagreeing"]
    lines = [
        f"{data['folder']}: {data['checked']} files checked, {len(damaged)} damaged; "
        f"{data['compared']} kinetic results compared, {len(disagreeing)} disagreeing"
    ]
    if damaged:
        lines += ["", "damaged:"]
        lines += [f"  {one['file']}: {one['found']} instead of {one['expected']}. {one['advice']}" for one in damaged]
    if disagreeing:
        lines += ["", "disagreeing:", *(f"  {one['folder']}: {one['reason']}" for one in disagreeing)]
    return VerbResult(data, lines)


def trace(arguments: Namespace) -> VerbResult:
    """Trace a row of a table back to the jobs and records that it was made from.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf trace`.

    Returns
    -------
    VerbResult
        Data of `pipeline.trace.trace_row`.

    Raises
    ------
    InputError
        The file is not a table of results, or the row is not found.
    """
    data = trace_row(Path(arguments.table), arguments.row)
    values = ", ".join(
        f"{name}={value}" for name, value in data["row"].items() if name != "number" and value is not None
    )
    lines = [f"{_name_and_hash(data['table'])} row {data['row']['number']}: {values}"]
    lines += [f"  from {_name_and_hash(file)}" for file in data["tables"]]
    lines += _job_tree(data["starts"], data["jobs"], set(), "  ")
    lines += [f"changed since the run: {file}" for file in data["changed_records"]]
    run = data["run"]
    if "file" not in run:
        lines.append("run: not finished, there is no provenance.json")
        return VerbResult(data, lines)
    lines.append(
        f"run: {run['file']}: qdsurf {run['qdsurf']}, code {run.get('code', 'not stored')}, Python {run['python']}"
    )
    lines.append("  " + ", ".join(f"{name} {version}" for name, version in run["packages"].items()))
    return VerbResult(data, lines)


def _job_tree(starts: Iterable[str], jobs: Mapping[str, Mapping[str, Any]], shown: set[str], indent: str) -> list[str]:
    """Return lines on jobs and, indented below each, the jobs that it was built from; a job is described once."""
    lines = []
    for job in starts:
        if job in shown:
            lines.append(f"{indent}{job}: see above")
            continue
        shown.add(job)
        lines.append(f"{indent}{job}: {', '.join(_facts(jobs[job]))}")
        lines += [f"{indent}  {_name_and_hash(file)}" for file in (*jobs[job]["files"], *jobs[job]["records"])]
        lines += _job_tree(jobs[job]["from"], jobs, shown, f"{indent}  ")
    return lines


def _facts(job: Mapping[str, Any]) -> list[str]:
    """Return status, energy, candidate, calculator and hash check of a job, as far as it has them."""
    facts = [job["status"]]
    if job.get("energy_eV") is not None:
        facts.append(f"{job['energy_eV']:.6f} eV")
    if "intact" in job:
        used = job["calculator"]
        parameters = "".join(f" {key}={value}" for key, value in used["parameters"].items())
        facts.append(f"candidate {job['candidate'] + 1}")
        facts.append(f"{used['name']} {used['version']}{parameters}")
        facts.append(f"qdsurf {job['qdsurf_version']}")
        facts.append(f"{job['force_calls']} force calls")
        facts.append("hashes agree" if job["intact"] else "HASHES DO NOT AGREE")
    return facts


def _name_and_hash(file: Mapping[str, str]) -> str:
    """Return the name of a file with the beginning of its hash."""
    return f"{file['file']} ({file['sha256'][:SHORT_HASH]})"
