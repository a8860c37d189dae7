"""Kill the smoke job with SIGKILL at random moments, resume it, and count what was lost, damaged or done again.

Run by hand: `python benchmarks/faults.py [--kills N] [--seed S] [--json] [--figure FILE] [TARGET ...]`. Each kill costs
about a smoke job; targets, such as results/slabs/Ag_111_Ag/state.json, stand for less of it. A kill comes at a random
time after a random number of finished jobs, so that on a busy machine it does not always come early. Ctrl-C ends it
with the kills that were made.
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
from qdsurf.provenance import file_hash
from qdsurf.report import style
from qdsurf.structure_io import read_json

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("Snakefile", "config", "profiles", "qdsurf", "structures", "workflow", "pyproject.toml")
FINISHED = "Finished jobid: "
SAME_EVERY_TIME = (".csv", ".extxyz", ".yaml", ".svg", ".png")  # results hold times; provenance does too


class Run:
    """One start of Snakemake, killed when asked: the outputs of the jobs that it began, and of those that it finished.

    Parameters
    ----------
    jobs, seconds : kill it so long after so many jobs have finished.
    """

    def __init__(self, tree: Path, targets: Sequence[str], jobs: int | None = None, seconds: float = 0.0):
        environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "2",
            "--configfile",
            "config/smoke.yaml",
            "--",
            *targets,
        ]
        before = time.monotonic()
        said = tree / "run.log"
        with open(said, "w") as log:
            self.process = subprocess.Popen(command, cwd=tree, env=environment, stdout=log, stderr=log)
            if jobs is not None:
                while self.process.poll() is None and said.read_text().count(FINISHED) < jobs:
                    time.sleep(0.1)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(seconds)
                kill_tree(self.process)
            self.process.wait()
        self.seconds = time.monotonic() - before
        text = said.read_text()
        blocks = re.findall(r"    output: (.+)\n(?:    .+\n)*?    jobid: (\d+)", text)
        outputs = {job: output for output, job in blocks}
        self.begun = set(outputs.values())
        self.finished = {outputs[job] for job in re.findall(FINISHED + r"(\d+)", text) if job in outputs}


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a process and all below it, in no particular order."""
    if process.poll() is not None:
        return
    victims = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)
    psutil.wait_procs(victims, timeout=10)
    process.wait()


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


def copy_tree(tree: Path) -> None:
    """Copy what a clone holds and the smoke job needs."""
    for name in KEPT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)


def measure(kills: int, seed: int, targets: Sequence[str], tree: Path) -> Iterator[dict]:
    """Run once in peace; then kill, look, and resume, as often as asked; what each kill did."""
    chance = random.Random(seed)
    copy_tree(tree)
    whole = Run(tree, targets)
    if whole.process.returncode:
        sys.exit((tree / "run.log").read_text()[-3000:])
    expected = fingerprints(tree)
    longest = 4 * whole.seconds / len(whole.finished)  # two cores: most jobs have ended by then
    for _ in range(kills):
        killed = None
        while killed is None or killed.process.returncode == 0:  # in the last seconds the run may be faster
            for name in ("results", ".snakemake"):
                shutil.rmtree(tree / name, ignore_errors=True)
            killed = Run(tree, targets, chance.randrange(len(whole.finished)), chance.uniform(0, longest))
        corrupt = sum(is_corrupt(path, tree, expected) for path in results_of(tree))
        parts = (tree / "results").rglob("*.part")
        kept = sum(bool(line) for path in parts for line in path.read_text().splitlines())
        unlock = [sys.executable, "-m", "snakemake", "--unlock", "--configfile", "config/smoke.yaml"]
        subprocess.run(unlock, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True)
        resumed = Run(tree, targets)
        found = fingerprints(tree)
        yield {
            "jobs": len(whole.finished),
            "moment_s": round(killed.seconds, 1),
            "finished": len(killed.finished),
            "running": len(killed.begun - killed.finished),
            "lost": len(killed.finished & resumed.begun),
            "recomputed": len(killed.begun & resumed.begun),
            "kept_relaxations": kept,
            "corrupt": corrupt,
            "failed": int(resumed.process.returncode != 0),
            "different": sum(found.get(name) != value for name, value in expected.items()),
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
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--figure", metavar="FILE", help="draw the kills, as .png or .svg")
    arguments = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        for row in measure(arguments.kills, arguments.seed, arguments.targets, Path(folder)):
            rows.append(row)
            print(f"kill {len(rows)}/{arguments.kills}: {json.dumps(row)}", flush=True)
    if not rows:
        sys.exit("no kill was made")
    counts = [key for key in rows[0] if key not in ("jobs", "moment_s", "finished")]
    row = {"kills": len(rows), "seed": arguments.seed} | {key: sum(row[key] for row in rows) for key in counts}
    row |= {key: [row[key] for row in rows] for key in ("moment_s", "finished")}
    print(
        f"{row['kills']} kills: {row['lost']} finished jobs lost, {row['corrupt']} files corrupt, {row['running']} jobs"
        f" were running, {row['recomputed']} done again; {row['kept_relaxations']} relaxations of theirs were kept; "
        f"{row['failed']} resumed runs failed, {row['different']} files differ at the end"
    )
    if arguments.figure:
        style.write(plot_kills(rows), arguments.figure)
    if arguments.json:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
