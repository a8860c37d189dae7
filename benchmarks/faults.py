"""Kill the smoke job with SIGKILL at random moments, resume it, and count what was lost, damaged or done again.

Run by hand: `python benchmarks/faults.py [--kills N] [--seed S] [--json] [TARGET ...]`. Each kill costs about a smoke
job; targets, such as results/slabs/Ag_111_Ag/state.json, stand for less of it.
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
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from qdsurf.errors import QDSurfError
from qdsurf.provenance import file_hash
from qdsurf.structure_io import read_json

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("Snakefile", "config", "profiles", "qdsurf", "structures", "workflow", "pyproject.toml")
SAME_EVERY_TIME = (".csv", ".extxyz", ".yaml", ".svg", ".png")  # results hold times; provenance does too


class Run:
    """One start of Snakemake: the outputs of the jobs that it began, and of those that it finished."""

    def __init__(self, tree: Path, targets: Sequence[str], seconds: float | None = None):
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
        with open(tree / "run.log", "w") as log:
            self.process = subprocess.Popen(command, cwd=tree, env=environment, stdout=log, stderr=log)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                kill_tree(self.process)
        self.seconds = time.monotonic() - before
        text = (tree / "run.log").read_text()
        blocks = re.findall(r"    output: (.+)\n(?:    .+\n)*?    jobid: (\d+)", text)
        outputs = {job: output for output, job in blocks}
        self.begun = set(outputs.values())
        self.finished = {outputs[job] for job in re.findall(r"Finished jobid: (\d+)", text) if job in outputs}


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a process and all below it, in no particular order."""
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


def measure(kills: int, seed: int, targets: Sequence[str]) -> dict:
    """Run once in peace; then kill, look, and resume, as often as asked."""
    chance = random.Random(seed)
    row = {"kills": kills, "seed": seed, "moments_s": [], "running": 0, "lost": 0, "corrupt": 0, "recomputed": 0}
    row |= {"kept_relaxations": 0, "different": 0, "unfinished": 0}
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in KEPT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        whole = Run(tree, targets)
        if whole.process.returncode:
            sys.exit((tree / "run.log").read_text()[-3000:])
        expected, row["uninterrupted_s"] = fingerprints(tree), whole.seconds
        for number in range(kills):
            for name in ("results", ".snakemake"):
                shutil.rmtree(tree / name, ignore_errors=True)
            killed = Run(tree, targets, seconds=chance.uniform(0.05, 0.95) * whole.seconds)
            row["moments_s"].append(round(killed.seconds, 1))
            row["running"] += len(killed.begun - killed.finished)
            row["corrupt"] += sum(is_corrupt(path, tree, expected) for path in results_of(tree))
            parts = (tree / "results").rglob("*.part")
            row["kept_relaxations"] += sum(bool(line) for path in parts for line in path.read_text().splitlines())
            unlock = [sys.executable, "-m", "snakemake", "--unlock", "--configfile", "config/smoke.yaml"]
            subprocess.run(unlock, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True)
            resumed = Run(tree, targets)
            row["unfinished"] += resumed.process.returncode != 0
            row["lost"] += len(killed.finished & resumed.begun)
            row["recomputed"] += len(killed.begun & resumed.begun)
            found = fingerprints(tree)
            row["different"] += sum(found.get(name) != value for name, value in expected.items())
            print(f"kill {number + 1}/{kills} after {killed.seconds:.0f} s: {len(killed.finished)} jobs were finished, "
                  f"{len(killed.begun & resumed.begun)} begun again", flush=True)  # fmt: skip
    return row


def main() -> None:
    """Print the figures, or one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    row = measure(arguments.kills, arguments.seed, arguments.targets)
    print(
        f"{row['kills']} kills: {row['lost']} finished jobs lost, {row['corrupt']} files corrupt, {row['running']} jobs"
        f" were running, {row['recomputed']} done again; {row['kept_relaxations']} relaxations of theirs were kept; "
        f"{row['unfinished']} resumed runs failed, {row['different']} files differ at the end"
    )
    if arguments.json:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
