"""Build a whole quantum dot with ligands, relax it on one core, and say how energy and shape change.

    python benchmarks/relaxed_dot.py [--folder results/dot] [--json]

Runs `qdsurf nanocrystal` and `qdsurf relax` as a user would, and writes docs/benchmarks/relaxed-dot.md with its figure.
A dot in the folder is used again, and relaxed further if it has not converged.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

DOCS = Path(__file__).parent.parent / "docs"
PAGE, FIGURE = DOCS / "benchmarks/relaxed-dot.md", DOCS / "figures/relaxed_dot.png"
BUILD = ("nanocrystal", "CdSe", "--diameter", "3nm", "--ligand", "oleate")
PARTS = 4  # relaxations of so many steps, one after the other, until one converges
RELAX = ("relax", "--fmax", "0.1", "--max-steps", "400")


def run(*words: str) -> str:
    """Run qdsurf."""
    command = [str(Path(sys.executable).parent / "qdsurf"), *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def make(folder: Path) -> None:
    """Build the dot and relax it, some hundred steps at a time; what is in the folder is continued."""
    built, relaxed, record = folder / "dot.xyz", folder / "relaxed.xyz", folder / "result.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not built.is_file():
        run(*BUILD, "-o", str(built))
    for _ in range(PARTS):
        before = json.loads(record.read_text()) if record.is_file() else {"force_calls": 0, "cpu_s": 0.0, "parts": 0}
        if before.get("converged"):
            return
        start = relaxed if relaxed.is_file() else built
        said = run(RELAX[0], str(start), *RELAX[1:], "-o", str(relaxed), "--json")
        result = json.loads(said)["results"][0]
        result |= {key: before[key] + result[key] for key in ("force_calls", "cpu_s")}
        record.write_text(json.dumps(result | {"parts": before.get("parts", 1) + 1}))


def shape(atoms) -> dict[str, float]:
    """Bond lengths, size and bound ligands of a dot."""
    from qdsurf.atomistic.bonding import bond_matrix

    crystal = atoms.arrays["role"] == "substrate"
    bonded = bond_matrix(atoms)
    pairs = np.argwhere(np.triu(bonded & crystal[:, None] & crystal))
    lengths = np.linalg.norm(atoms.positions[pairs[:, 0]] - atoms.positions[pairs[:, 1]], axis=1)
    core = atoms.positions[crystal]
    anchors = np.flatnonzero(atoms.arrays["anchor"] & ~crystal)
    bound = {atoms.arrays["fragment"][a] for a in anchors if bonded[a, crystal].any()}
    return {
        "mean Cd-Se bond (A)": lengths.mean(),
        "standard deviation of the bonds (A)": lengths.std(),
        "radius of gyration of the crystal (A)": np.sqrt(((core - core.mean(axis=0)) ** 2).sum(axis=1).mean()),
        "bonds within the crystal": len(pairs),
        "ligands bound to the crystal": len(bound),
    }


def describe(folder: Path) -> dict:
    """How the dot changes."""
    from ase.build import minimize_rotation_and_translation
    from ase.io import read

    from qdsurf.calculators.sevennet.calculator import SevenNet

    before, after = read(folder / "dot.xyz"), read(folder / "relaxed.xyz")
    result = json.loads((folder / "result.json").read_text())
    first = before.copy()
    first.calc = SevenNet()
    start = first.get_potential_energy()
    crystal = before.arrays["role"] == "substrate"
    aligned = after.copy()
    minimize_rotation_and_translation(before, aligned)
    moved = np.linalg.norm(aligned.positions - before.positions, axis=1)
    return {
        "atoms": len(before),
        "energy lowered by the relaxation (eV)": start - result.energy_eV,
        "force calls": result.force_calls,
        "relaxations one after the other": result.get("parts", 1),
        "reason": result.reason,
        "largest force (eV/A)": result.max_force_eV_per_A,
        "processor time (min)": result.cpu_s / 60,
        "root mean square shift of the crystal (A)": float(np.sqrt((moved[crystal] ** 2).mean())),
        "largest shift of a crystal atom (A)": float(moved[crystal].max()),
        "before": shape(before),
        "after": shape(after),
    }


def draw(folder: Path) -> None:
    """The dot before and after."""
    from PIL import Image

    pictures = []
    for name in ("dot", "relaxed"):
        run("show", str(folder / f"{name}.xyz"), "-o", str(folder / f"{name}.png"))
        pictures.append(Image.open(folder / f"{name}.png").convert("RGB"))
    sheet = Image.new("RGB", (sum(p.width for p in pictures), max(p.height for p in pictures)), "white")
    at = 0
    for picture in pictures:
        sheet.paste(picture, (at, 0))
        at += picture.width
    sheet.quantize(64).save(FIGURE, optimize=True)


def page(data: dict) -> str:
    """The figures as a page."""
    lines = [
        "# A whole quantum dot, relaxed",
        "",
        "Written by `python benchmarks/relaxed_dot.py`, which runs",
        "",
        "```",
    ]
    lines += [
        f"qdsurf {' '.join(BUILD)} -o dot.xyz",
        f"qdsurf relax dot.xyz {' '.join(RELAX[1:])} -o relaxed.xyz",
        "```",
        "",
    ]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {key} | {format_value(value)} |" for key, value in data.items() if not isinstance(value, dict)]
    lines += ["", "| | as built | relaxed |", "|---|---|---|"]
    lines += [
        f"| {key} | {format_value(value)} | {format_value(data['after'][key])} |"
        for key, value in data["before"].items()
    ]
    return "\n".join([*lines, "", "![As built, and relaxed](../figures/relaxed_dot.png)", ""])


def format_value(value: float | int | str) -> str:
    """A number with three digits, or one decimal where it is large."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def main() -> None:
    """Make the dot, the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("results/dot"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    make(arguments.folder)
    data = describe(arguments.folder)
    draw(arguments.folder)
    PAGE.write_text(page(data))
    print(page(data))
    if arguments.json:
        print(json.dumps(data, default=float))


if __name__ == "__main__":
    main()
