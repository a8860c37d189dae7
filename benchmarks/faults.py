"""Kill the smoke job with SIGKILL at random moments, resume it, and count what was lost, damaged or done again.

Run by hand: `python benchmarks/faults.py [--kills N] [--each N] [--seed S] [--json] [--figure FILE] [TARGET ...]`. A
kill comes a random time after a random number of finished jobs, so that a busy machine does not make all of them early;
a run is killed ten times on its way. Targets, such as results/slabs/Ag_111_Ag/state.json, stand for less than the whole
job. Ctrl-C ends it with the kills that were made.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from matplotlib.figure import Figure

from qdsurf.errors import QDSurfError
from qdsurf.pipeline.provenance import file_hash
from qdsurf.report.figures import style
from qdsurf.storage.files import read_json

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("Snakefile", "config", "profiles", "qdsurf", "structures", "workflow", "pyproject.toml")
FINISHED = "Finished jobid: "
SNAKEMAKE, SMOKE = (sys.executable, "-m", "snakemake"), ("--configfile", "config/smoke.yaml")
LONGEST_S = 4.0  # most jobs have ended by then
SAME_EVERY_TIME = (".csv", ".extxyz", ".yaml", ".svg", ".png")  # results hold times; provenance does too


class Run:
    """One start of Snakemake, killed when asked: the outputs of the jobs that it began, and of those that it finished.

    Parameters
    ----------
    jobs, seconds : kill it so long after so many jobs have finished.
    """

    def __init__(self, tree: Path, targets: Sequence[str], jobs: int | None = None, seconds: float = 0.0):
        command = [*SNAKEMAKE, "--cores", "2", *SMOKE, "--", *targets]
        said = tree / "run.log"
        with open(said, "w") as log:
            process = subprocess.Popen(command, cwd=tree, env=environment(tree), stdout=log, stderr=log)
            if jobs is not None:
                while process.poll() is None and said.read_text().count(FINISHED) < jobs:
                    time.sleep(0.1)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
                kill_tree(process)
            self.ended = process.wait() == 0
        self.begun, self.finished = read_log(said)


def environment(tree: Path) -> dict[str, str]:
    """Variables under which a tree uses its own copy of the package."""
    return os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}


def read_log(path: Path) -> tuple[set[str], set[str]]:
    """Outputs of the jobs that Snakemake said it began, and of those that it said it finished."""
    text = path.read_text()
    outputs = {job: output for output, job in re.findall(r"    output: (.+)\n(?:    .+\n)*?    jobid: (\d+)", text)}
    return set(outputs.values()), {outputs[job] for job in re.findall(FINISHED + r"(\d+)", text) if job in outputs}


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a process and all below it, in no particular order."""
    if process.poll() is not None:
        return
    victims = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(victims[1:], timeout=10)


def results_of(tree: Path) -> list[Path]:
    """Files of results under their final names."""
    return sorted(path for path in (tree / "results").rglob("*") if path.is_file() and path.name[0] != ".")


def fingerprints(tree: Path) -> dict[str, str]:
    """Hashes of the files that must be the same in every run."""
    return {str(p.relative_to(tree)): file_hash(p) for p in results_of(tree) if p.suffix in SAME_EVERY_TIME}


def is_corrupt(path: Path, tree: Path, expected: dict[str, str]) -> bool:
    """Whether a file holds something else than an uninterrupted run writes."""
    if path.suffix in SAME_EVERY_TIME:
        return file_hash(path) != expected[str(path.relative_to(tree))]
    try:
        return path.suffix == ".json" and read_json(path) is None
    except QDSurfError:
        return True


def undisturbed(tree: Path, targets: Sequence[str]) -> int:
    """Run the job in a copy of what a clone holds, unless that is done; how many jobs it has."""
    if not (tree / "run.log").exists():
        for name in KEPT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        if not Run(tree, targets).ended:
            sys.exit((tree / "run.log").read_text()[-3000:])
    return len(read_log(tree / "run.log")[1])


def measure(kills: int, each: int, seed: int, targets: Sequence[str], tree: Path) -> Iterator[dict]:
    """Run once in peace; then begin anew as often as it takes, with `each` kills on the way; what each kill did."""
    chance, made = random.Random(seed), 0
    jobs, expected = undisturbed(tree, targets), fingerprints(tree)
    while made < kills:
        for name in ("results", ".snakemake"):
            shutil.rmtree(tree / name, ignore_errors=True)
        moments = sorted(chance.sample(range(jobs), min(each, kills - made)))
        rows = interrupted(tree, targets, [(moment, chance.uniform(0, LONGEST_S)) for moment in moments], expected)
        made += len(rows)
        yield from ({"jobs": jobs} | row for row in rows)


def interrupted(
    tree: Path, targets: Sequence[str], moments: Sequence[tuple[int, float]], expected: dict[str, str]
) -> list[dict]:
    """One run of the job, killed so long after so many jobs had finished and resumed each time; a row for each kill."""
    rows, finished, cut, begun = [], set(), [], []
    for moment, seconds in moments:
        run = Run(tree, targets, moment - len(finished), seconds)
        begun.append(run.begun)
        if run.ended:  # in its last seconds it may be faster
            break
        lost = len(finished & run.begun)
        finished |= run.finished
        cut.append(run.begun - finished)
        rows.append({"finished": len(finished), "running": len(cut[-1]), "lost": lost, **look(tree, expected)})
        unlock = [*SNAKEMAKE, "--unlock", *SMOKE]
        subprocess.run(unlock, cwd=tree, env=environment(tree), capture_output=True, check=True)
    if not rows:
        return []
    last = Run(tree, targets)
    found = fingerprints(tree)
    rows[-1] |= {
        "lost": rows[-1]["lost"] + len(finished & last.begun),
        "failed": int(not last.ended),
        "different": sum(found.get(name) != value for name, value in expected.items()),
    }
    for number, row in enumerate(rows):
        row["recomputed"] = len(cut[number] & set().union(*begun[number + 1 :], last.begun))
    return rows


def look(tree: Path, expected: dict[str, str]) -> dict[str, int]:
    """What a kill has left: files that are not what they should be, and relaxations in journals."""
    lines = [line for path in (tree / "results").rglob("*.part") for line in path.read_text().splitlines() if line]
    return {
        "corrupt": sum(is_corrupt(path, tree, expected) for path in results_of(tree)),
        "kept_relaxations": len(lines),
    }


@style.styled
def plot_kills(rows: Sequence[dict]) -> Figure:
    """Each kill at the number of jobs that had finished: rings for jobs that ran, dots for those done again."""
    figure = style.canvas(style.DOUBLE_COLUMN_IN, 1.3)
    axes = style.axes_at(figure, 0.6, 0.45, 6.2, 0.6)
    for name, look in (("running", {"facecolor": "none", "s": 28}), ("recomputed", {"facecolor": style.BLUE, "s": 8})):
        points = [(row["finished"], count + 1) for row in rows for count in range(row[name])]
        axes.scatter(*zip(*points, strict=True), edgecolor=style.BLUE, linewidth=0.6, clip_on=False, **look)
    axes.set(
        xlim=(0, rows[0]["jobs"]), ylim=(0, 2.6), yticks=[0, 1, 2], xlabel="jobs finished at the kill", ylabel="jobs"
    )
    lost, again = (sum(row[name] for row in rows) for name in ("lost", "recomputed"))
    words = f"{len(rows)} kills: {lost} finished jobs lost, {again} done again (dots) of those that ran (rings)"
    axes.set_title(words, loc="left")
    return figure


def main() -> None:
    """Print the figures, or one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--each", type=int, default=10, help="kills of one run before it starts anew")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--tree", help="folder for the copy; one in which the job has run, with its run.log, is taken as it is"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--figure", metavar="FILE", help="draw the kills, as .png or .svg")
    arguments = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        tree = Path(arguments.tree or folder).resolve()
        for row in measure(arguments.kills, arguments.each, arguments.seed, arguments.targets, tree):
            rows.append(row)
            print(f"kill {len(rows)}/{arguments.kills}: {json.dumps(row)}", flush=True)
    if not rows:
        sys.exit("no kill was made")
    counts = [key for key in rows[-1] if key not in ("jobs", "finished")]
    row = {"kills": len(rows), "seed": arguments.seed} | {key: sum(row.get(key, 0) for row in rows) for key in counts}
    row["moments"] = [row["finished"] for row in rows]
    print(
        f"{row['kills']} kills: {row['lost']} finished jobs lost, {row['corrupt']} files corrupt, {row['running']} jobs"
        f" were running, {row['recomputed']} done again; {row['kept_relaxations']} relaxations of theirs were kept; "
        f"{row['failed']} resumed runs failed, {row['different']} files differ at the end"
    )
    if arguments.figure:
        style.write_figure(plot_kills(rows), arguments.figure)
    if arguments.json:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
