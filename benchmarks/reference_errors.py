"""Errors of calculators on the reference reactions and saddles; writes docs/benchmarks/reference-errors.md.

    python benchmarks/reference_errors.py [--calculators "SevenNet-l3i5 D3" ...] [--json]

Runs `qdsurf corrections` for each calculator and keeps what it says in docs/benchmarks/reference-errors.json.
Calculators that are not named keep their figures; `--calculators` without a name makes the page of what is there.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

STORE = Path(__file__).parent.parent / "docs/benchmarks/reference-errors.json"
PAGE = STORE.with_suffix(".md")
CALCULATORS = {
    "SevenNet-l3i5 D3": [],
    "SevenNet-0 D3": ["--parameter", "model=7net-0"],
    "GFN2-xTB": ["--calculator", "tblite", "--method", "GFN2-xTB"],
    "GFN1-xTB": ["--calculator", "tblite", "--method", "GFN1-xTB"],
    "PM7": ["--calculator", "mopac", "--method", "PM7"],
}
KEPT = ("molecules", "surface_states", "saddles", "one_bond_left_out", "one_metal_left_out", "table", "saddle_table")


def measure(name: str) -> dict:
    """What `qdsurf corrections` says of a calculator."""
    command = [Path(sys.executable).parent / "qdsurf", "corrections", "--json", *CALCULATORS[name]]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    data = json.loads(done.stdout.splitlines()[-1])
    return {"calculator": data["calculator"], "level": data["level"]} | {key: data[key] for key in KEPT if key in data}


def page(store: dict[str, dict]) -> Iterable[str]:
    """All tables."""
    names = [name for name in CALCULATORS if name in store]
    yield "# Errors on the reference reactions\n"
    yield "Written by `python benchmarks/reference_errors.py`; `qdsurf corrections` prints the same for one calculator."
    yield "Mean absolute errors in eV. `left out`: each reaction is predicted by corrections fitted to all others.\n"
    heads = ("", "reactions of molecules", "raw", "left out", "within sigma")
    heads += ("steps on surfaces", "raw", "left out", "surface left out")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for name in names:
        molecules, faces = store[name]["molecules"], store[name]["surface_states"]
        yield (
            f"| {name} | {molecules['number']} | {number(molecules, 'mae_raw_eV')} | "
            f"{number(molecules, 'mae_left_out_eV')} | {number(molecules, 'within_sigma')} | {faces['number']} | "
            f"{number(faces, 'mae_raw_eV')} | {number(faces, 'mae_left_out_eV')} | "
            f"{number(faces, 'mae_surface_left_out_eV')} |"
        )
    yield "\n## Steps on surfaces\n"
    yield "Reaction energies in eV, as computed. The reference is PBE-D3 by CP2K at the same geometries.\n"
    yield from columns("reaction", names, store, "table", "energy_eV", lambda row: row["on_face"])
    yield "\n## Saddle points\n"
    yield "Barriers in eV at the geometries of the reference. A barrier takes a share of the correction of its reaction"
    yield "energy; the share is fitted to all saddles of a calculator.\n"
    yield from columns("saddle", names, store, "saddle_table", "barrier_eV", lambda row: True)
    for key, words in (
        ("rms_raw_eV", "root mean square, raw"),
        ("sigma_eV", "each left out"),
        ("share", "share of the correction"),
    ):
        yield f"| **{words}** | {' | '.join(number(store[name]['saddles'], key) for name in names)} | |"


def columns(label: str, names: list[str], store: dict, table: str, value: str, wanted) -> Iterable[str]:
    """One row for each reaction, one column for each calculator, and the reference."""
    rows: dict[str, dict] = {}
    for name in names:
        for row in filter(wanted, store[name][table]):
            rows.setdefault(row[label], {"reference": row["reference_eV"]})[name] = row[value]
    yield f"| | {' | '.join(names)} | reference |"
    yield "|---" * (len(names) + 2) + "|"
    for key, row in rows.items():
        cells = [number(row, name, "{:+.2f}") for name in [*names, "reference"]]
        yield f"| {key} | {' | '.join(cells)} |"


def number(row: dict, key: str, form: str = "{:.2f}") -> str:
    """A number, or a dash where there is none."""
    return "–" if row.get(key) is None else form.format(row[key])


def main() -> None:
    """Measure what is asked for, store it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calculators", nargs="*", default=list(CALCULATORS), choices=CALCULATORS, metavar="NAME")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    store = json.loads(STORE.read_text()) if STORE.is_file() else {}
    for name in arguments.calculators:
        store[name] = measure(name)
        STORE.write_text(json.dumps(store) + "\n")
    PAGE.write_text("\n".join(page(store)) + "\n")
    print(PAGE.read_text())
    if arguments.json:
        print(json.dumps(store))


if __name__ == "__main__":
    main()
