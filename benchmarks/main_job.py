"""Run the main job and write docs/benchmarks/main-job.md with its answers, its cost and its figures.

    python benchmarks/main_job.py [--cores N] [--page-only]

The run starts where the folder `results` stands. Elapsed time is that of this command; `--page-only` runs nothing and
keeps the time on record.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/benchmarks/main-job.md"
TIMES = PAGE.with_suffix(".json")  # minutes and cores of the run on record
# Figures of the page and of the README, and the system that each is of.
FIGURES = {
    "selectivity.png": "selectivity.png",
    "profile/CdSe_110_CdSe~oleate~TMA.png": "profile.png",
    "map/CdSe_110_CdSe~oleate~DEZ.png": "map.png",
}
SHARES = ("precursor_surface", "precursor_ligand", "ligand_surface")


def run(cores: int) -> float:
    """Run the main job; returns minutes."""
    start = time.monotonic()
    subprocess.run([str(Path(sys.executable).parent / "snakemake"), "--cores", str(cores)], check=True, cwd=ROOT)
    return (time.monotonic() - start) / 60


def share(value: float) -> str:
    """A share for people."""
    if pd.isna(value):
        return "–"
    return "<0.01" if value < 0.01 else ">0.99" if value > 0.99 else f"{value:.2f}"


def page(results: Path, times: dict) -> str:
    """Answers and cost as a page."""
    table = pd.read_csv(results / "kinetics/selectivity.csv")
    provenance = json.loads((results / "provenance.json").read_text())
    lines = ["# The main job", "", "Written by `python benchmarks/main_job.py`.", ""]
    elapsed = f"{times['minutes']:.0f} minutes on {times['cores']} cores, " if times else ""
    lines += [
        f"{len(table)} systems: {elapsed}{provenance['force_calls']} force calls, "
        f"{provenance['relaxation_cpu_s'] / 60:.0f} minutes of processor time in relaxations.",
        "",
        "| system | surface | ligand | desorption | uptake (nm^-2) | P(ligand wins) | without a number |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        shares = " | ".join(share(getattr(row, name)) for name in SHARES)
        missing = "" if pd.isna(row.missing_steps) else row.missing_steps.replace(";", "; ").replace("_", " ")
        uptake = "–" if pd.isna(row.uptake_per_nm2) else f"{row.uptake_per_nm2:.2g}"
        lines.append(f"| `{row.system}` | {shares} | {uptake} | {share(row.p_ligand_wins)} | {missing} |")
    first = table.iloc[0]
    lines += [
        "",
        f"Shares of the reactive flux over {first.time_s:g} s of the recipe at {first.temperature_K:g} K. A system in "
        "which a whole class of reactions has no number has no shares.",
        "",
        "![Selectivity](../figures/selectivity.png)",
        "",
        "| crystal | geometry | substrate relaxation | reaction energies | substrate |",
        "|---|---|---|---|---|",
    ]
    for one in provenance["qualifications"]:
        fits = " | ".join("fit" if use["fit"] else use["reason"] for use in one["uses"].values())
        lines.append(f"| {one['material']} | {fits} | {one['substrate']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run, write the page, copy the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--page-only", action="store_true")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="folder of the run")
    arguments = parser.parse_args()
    if not arguments.page_only:
        TIMES.write_text(json.dumps({"minutes": run(arguments.cores), "cores": arguments.cores}) + "\n")
    times = json.loads(TIMES.read_text()) if TIMES.is_file() else {}
    PAGE.write_text(page(arguments.results, times))
    for source, name in FIGURES.items():
        shutil.copy(arguments.results / "report" / source, ROOT / "docs/figures" / name)
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
