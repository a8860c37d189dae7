"""Verbs that look at the results of a run: status, trace."""

from argparse import Namespace
from pathlib import Path

from qdsurf.pipeline.config import load_config
from qdsurf.pipeline.plan import Plan
from qdsurf.pipeline.status import FATES, summarise_results, verify_results
from qdsurf.pipeline.trace import trace_row
from qdsurf.progress import duration

SHORT_HASH = 12  # digits of a SHA-256 that are shown


def show_status(arguments: Namespace) -> tuple[dict, list[str]]:
    """Say how far a run is, and why what has failed did; with --verify, whether its files are as they were written."""
    folder = Path(arguments.folder)
    folder = folder / "results" if (folder / "results").is_dir() else folder
    if arguments.verify:
        return _verify(folder)
    config = Path(arguments.config or folder / "config.json")
    known = arguments.config or config.is_file()
    data = summarise_results(folder, Plan(load_config(config)).rooms if known else None)
    fates = FATES if known else FATES[:-1]
    total = {fate: sum(counts[fate] for counts in data["rooms"].values()) for fate in fates}
    lines = [
        f"{data['folder']}: {', '.join(f'{total[fate]} {fate}' for fate in fates)}; {data['force_calls']} force calls, "
        f"{duration(data['wall_s'])} of relaxation; last result {duration(data['last_result_age_s'])} ago",
        "",
        f"{'room':<12}{''.join(f'{fate:>12}' for fate in fates)}",
        *(f"{room:<12}{''.join(f'{counts[fate]:12d}' for fate in fates)}" for room, counts in data["rooms"].items()),
    ]
    for fate in fates[1:]:
        jobs = [f"  {job['job']}: {job['reason']}" for job in data["jobs"] if job["fate"] == fate]
        lines += ["", f"{fate}:", *jobs] if jobs else []
    if not known:
        lines += ["", f"{config}: no such file; with --config FILE what has not begun is counted too"]
    return data | {"total": total}, lines


def _verify(folder: Path) -> tuple[dict, list[str]]:
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
    return data, lines


def trace(arguments: Namespace) -> tuple[dict, list[str]]:
    """Follow a row of a table back to what it came from."""
    data = trace_row(Path(arguments.table), arguments.row)
    values = ", ".join(f"{k}={v}" for k, v in data["row"].items() if k != "number" and v is not None)
    lines = [f"{_words(data['table'])} row {data['row']['number']}: {values}"]
    lines += [f"  from {_words(file)}" for file in data["tables"]]
    shown: set[str] = set()
    for start in data["starts"]:
        lines += _tree(start, data["jobs"], shown, "  ")
    lines += [f"changed since the run: {file}" for file in data["changed_records"]]
    run = data["run"]
    if "file" not in run:
        return data, [*lines, "run: not finished, there is no provenance.json"]
    lines += [
        f"run: {run['file']}: qdsurf {run['qdsurf']}, code {run.get('code', 'not stored')}, Python {run['python']}"
    ]
    return data, [*lines, f"  {', '.join(f'{name} {version}' for name, version in run['packages'].items())}"]


def _tree(job: str, jobs: dict[str, dict], shown: set[str], indent: str) -> list[str]:
    """Lines on a job and, below it, those it was built from; what has been shown before is only named."""
    if job in shown:
        return [f"{indent}{job}: see above"]
    shown.add(job)
    node = jobs[job]
    words = [node["status"]]
    if node.get("energy_eV") is not None:
        words += [f"{node['energy_eV']:.6f} eV"]
    if "intact" in node:
        used = node["calculator"]
        settings = "".join(f" {key}={value}" for key, value in used["parameters"].items())
        words += [f"candidate {node['candidate'] + 1}", f"{used['name']} {used['version']}{settings}"]
        words += [f"qdsurf {node['qdsurf_version']}", f"{node['force_calls']} force calls"]
        words += ["hashes agree" if node["intact"] else "HASHES DO NOT AGREE"]
    lines = [f"{indent}{job}: {', '.join(words)}"]
    lines += [f"{indent}  {_words(file)}" for file in (*node["files"], *node["records"])]
    return lines + [line for parent in node["from"] for line in _tree(parent, jobs, shown, f"{indent}  ")]


def _words(file: dict) -> str:
    return f"{file['file']} ({file['sha256'][:SHORT_HASH]})"
