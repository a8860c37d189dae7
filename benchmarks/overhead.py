"""What qdsurf costs beside the physics: imports, the start of a job, the plan of 10,000 systems, a batch of its jobs.

Run by hand: `python benchmarks/overhead.py [--systems N] [--batches N] [--tree DIR] [--json]`. `--tree` takes a copy of
the repository in which a job has run; its orchestration is the share of the cores' time in which no script has worked:
Snakemake's own, and the start of every script.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOALS = {
    "import_s": 0.2, "script_start_s": 1.0, "plan_s": 60.0, "plan_peak_GiB": 2.0, "dry_run_s": 60.0,
    "dry_run_peak_GiB": 2.0, "orchestration": 0.05,
}  # fmt: skip
IMPORTS = """
import ast, sys
from snakemake.iocontainers import Snakemake  # as Snakemake has every script do
tree = ast.parse(open(sys.argv[1]).read())
tree.body = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
exec(compile(tree, sys.argv[1], "exec"))
"""
SIZE = {"layers": 4, "supercell": [2, 2]}


def cost(*command: str, repeat: int = 5) -> float:
    """Least CPU seconds of a Python process, which a busy machine does not change."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(repeat))


def fits(ligand, charges: set[int]) -> bool:
    """Whether a ligand has a place on a surface of ions with these charges."""
    from qdsurf.errors import QDSurfError
    from qdsurf.records import library

    try:
        return bool(library.ligand_entry(charges, ligand, ""))
    except QDSurfError:
        return False


def screen(systems: int) -> dict:
    """A configuration of at least so many systems: materials x facets x ligands x precursors on record."""
    from qdsurf.errors import QDSurfError
    from qdsurf.records import library
    from qdsurf.surfaces.slab import cut_slab, surface_charges

    slabs, precursors = {}, library.names("precursors")
    bound = [library.ligand(name) for name in library.names("ligands")]
    for material in map(library.material, library.names("materials")):
        for facet in material.facets:
            with suppress(QDSurfError):  # a cut that this thickness or cell cannot balance
                cut_slab(material, facet, SIZE["layers"], SIZE["supercell"])
                charges = surface_charges(material, facet)
                fitting = [ligand.name for ligand in bound if ligand.cbc_class != "Z" and fits(ligand, charges)]
                slabs[f"{material.name}_{facet.name}"] = fitting
    most = next(n for n in range(1, 100) if sum(len(x[:n]) for x in slabs.values()) * len(precursors) >= systems)
    return {
        "slabs": {slab: SIZE | {"ligands": ligands[:most]} for slab, ligands in slabs.items() if ligands},
        "precursors": precursors,
        "truncate_to_carbons": 2,
        "calculator": {"name": "tblite"},
        "kinetics": {"recipe": library.names("recipes")[0]},
    }


def plan(systems: int) -> dict:
    """Check a configuration and name every job of it; the time and the memory of this process."""
    from qdsurf.pipeline.plan import Plan

    data = screen(systems)
    start, cpu = time.perf_counter(), time.process_time()
    checked = Plan.check(data)
    rooms = checked.rooms
    return {
        "systems": len(checked.config.systems),
        "slabs": len(checked.config.slabs),
        "jobs": {room: len(folders) for room, folders in rooms.items()},
        "plan_s": time.perf_counter() - start,
        "plan_cpu_s": time.process_time() - cpu,
        "plan_peak_GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def dry_run(systems: int, batches: int) -> dict:
    """Have Snakemake plan every job of one batch of a large screen, up to the kinetics of its systems."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "screen.json"
        config.write_text(json.dumps(screen(systems)))
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--configfile", str(config)]
        command += ["--directory", folder, "--batch", f"join_selectivity=1/{batches}", "--"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        target = "results/kinetics/selectivity.csv"
        subprocess.run([*command, target], check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "dry_run_s": time.perf_counter() - start,
        "dry_run_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "dry_run_peak_GiB": after.ru_maxrss / 2**20,  # the largest child so far; nothing before it comes near
    }


def starts() -> dict[str, float]:
    """CPU seconds until each script of the workflow has imported what it needs."""
    scripts = sorted((ROOT / "workflow/scripts").glob("*.py"))
    return {path.stem: cost("-c", IMPORTS, str(path), repeat=3) for path in scripts}


def orchestration(tree: Path, starts_s: dict[str, float]) -> dict:
    """How a finished job has spent its time, from what Snakemake has noted of every job."""
    notes = [json.loads(path.read_text()) for path in (tree / ".snakemake/metadata").rglob("*") if path.is_file()]
    jobs = {tuple(note["log"]): note for note in notes}.values()  # a note is of one output
    span = max(job["endtime"] for job in jobs) - min(job["starttime"] for job in jobs)
    busy = sum(job["endtime"] - job["starttime"] for job in jobs)
    starting = sum(starts_s[Path(json.loads(job["code"])).stem] for job in jobs)  # the code of a rule is its script
    return {
        "tree_jobs": len(jobs),
        "wall_s": span,
        "busy_s": busy,
        "starting_s": starting,
        "orchestration": 1 - (busy - starting) / (os.cpu_count() * span),
    }


def main() -> None:
    """Print the figures, or one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=10_000)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--tree", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-plan", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_plan:
        print(json.dumps(plan(arguments.systems)))
        return
    bare = cost("-c", "pass")
    scripts = starts()
    row = {"python_s": bare, "import_s": cost("-c", "import qdsurf") - bare, "scripts_s": scripts}
    row["script_start_s"] = statistics.median(scripts.values())
    apart = [sys.executable, __file__, "--only-plan", "--systems", str(arguments.systems)]
    row |= json.loads(subprocess.run(apart, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    row |= dry_run(arguments.systems, arguments.batches)
    if arguments.tree:
        row |= orchestration(arguments.tree, scripts)
    for key, goal in GOALS.items():
        if key in row:
            print(f"{key:<16} {row[key]:8.3f}   goal at most {goal:g}")
    print(f"slowest script   {max(scripts, key=scripts.get)} {max(scripts.values()):.2f} s")
    print(f"planned          {row['systems']} systems, {row['jobs']}; {row['plan_cpu_s']:.1f} s of CPU")
    print(f"of that a batch  1/{arguments.batches}: {row['dry_run_cpu_s']:.1f} s of CPU")
    if arguments.json:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
