"""Strain and rattle the bulk of every material with five methods; writes docs/benchmarks/qualification.md.

    python benchmarks/qualify.py [--materials PbS CdSe] [--minutes 60] [--json]

A test that takes more than its time of processor says so in the table. Structures go to results/qualify, rows to
docs/benchmarks/qualification.csv. What results/qualify holds is not computed again, a test on record only for the
materials that --materials names. `--minutes 0` computes nothing and makes the table of what is there.
"""

import argparse
import json
import signal
import time
from collections.abc import Iterable
from itertools import chain, product
from pathlib import Path

import pandas as pd

from qdsurf.qualification.criteria import MELT_EV_PER_ATOM, MELT_SHIFT_A
from qdsurf.qualification.measurements import Outcome, equation_of_state, scf_robustness, stability
from qdsurf.qualification.trial_structures import build_test
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Material
from qdsurf.records.settings import QualificationSpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.storage.files import read_json, write_json, write_table
from qdsurf.storage.structures import read_structures, write_structures

STORE = Path("results/qualify")
TABLE = Path(__file__).parent.parent / "docs/benchmarks/qualification.csv"
PAGE = TABLE.with_suffix(".md")
METHODS = {
    "SevenNet-l3i5 D3": CalculatorSpec(),
    "GFN1-xTB": CalculatorSpec(name="tblite", parameters={"method": "GFN1-xTB"}),
    "GFN2-xTB": CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"}),
    "PM7": CalculatorSpec(name="mopac", parameters={"method": "PM7"}),
    "SevenNet-0 D3": CalculatorSpec(name="sevennet", parameters={"model": "7net-0", "d3": "PBE"}),
}
SETTINGS = QualificationSpec()
LIMITS_S = {"strained_bulk": 900, "rattled_bulk": 900}
LARGEST = 400  # atoms of the bulk cell
TESTS = {"strained_bulk": "strained", "rattled_bulk": "shaken"}
FIELDS = {
    "strained": ("lattice_constant_error", "bulk_modulus_GPa"),
    "shaken": ("energy_drop_eV_per_atom", "largest_shift_A"),
}
# Those that stand on a dot's outside, most studied first; then the others as they come.
FIRST = ("PbS", "CdSe", "CsPbBr3", "PbSe", "CdS", "ZnS", "InP", "HgTe", "CdTe", "PbTe", "InAs", "CsPbI3", "CsPbCl3")


class OutOfTime(BaseException):
    """No Exception, so that no relaxation takes it for a failure of its own."""


def stop(*_) -> None:
    """Answer the timer."""
    raise OutOfTime


def folder(material: str, method: str, test: str) -> Path:
    """Where a test keeps what it found."""
    return STORE / METHODS[method].folder / material / test


def run(material: Material, method: str, test: str) -> None:
    """Run one test, or store why it has no result."""
    place = folder(material.name, method, test)
    structures = build_test(test, material, None, SETTINGS, seed=0)
    if len(structures[0]) > LARGEST:
        write_json(place / "reason.json", f"not run: {len(structures[0])} atoms")
        return
    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LIMITS_S[test])
    try:
        relaxed, results = relax_batch(structures, METHODS[method], 0.05, SETTINGS.steps(test), label=str(place))
    except OutOfTime:
        write_json(place / "reason.json", f"not done in {LIMITS_S[test]} s")
        return
    except ValueError as error:  # elements without parameters
        write_json(place / "reason.json", str(error).partition(";")[0])
        return
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    write_structures(place / "relaxed.extxyz", relaxed)
    write_json(place / "result.json", results)


def read(material: str, method: str, test: str) -> Outcome | str:
    """What a test found, or why it found nothing."""
    place = folder(material, method, test)
    if (place / "reason.json").is_file():
        return read_json(place / "reason.json")
    if not (place / "result.json").is_file():
        return "not run"
    return Outcome(read_structures(place / "relaxed.extxyz"), read_json(place / "result.json"))


def row(material: str, method: str) -> dict:
    """One line of the table; `why` says what is missing."""
    strained, rattled = (read(material, method, test) for test in LIMITS_S)
    line = {"material": material, "method": method, "lattice_constant_error": None, "bulk_modulus_GPa": None}
    line |= {"energy_drop_eV_per_atom": None, "largest_shift_A": None, "scf_calls": None, "scf_failed": None}
    why = {
        f"{name}: {found}" for name, found in (("strained", strained), ("shaken", rattled)) if isinstance(found, str)
    }
    outcomes = [found for found in (strained, rattled) if isinstance(found, Outcome)]
    if isinstance(strained, Outcome):
        strains = [atoms.info["strain"] for atoms in strained.relaxed]
        volume = strained.relaxed[0].get_volume() / (1 + strains[0]) ** 3
        found = equation_of_state(strains, strained.energies, volume)
        why |= {found.pop("lattice_constant")} if found["lattice_constant_error"] is None else set()
        line |= {key: found[key] for key in line if key in found}
    if isinstance(rattled, Outcome):
        found = stability(*rattled.relaxed, *rattled.energies)
        line["energy_drop_eV_per_atom"] = found["energy_drop_eV_per_moving_atom"]
        line["largest_shift_A"] = found["largest_shift_A"]
        why |= {f"shaken: {found['reason']}"} if found["largest_shift_A"] is None else set()
    if outcomes:
        scf = scf_robustness([result for outcome in outcomes for result in outcome.results])
        line |= {"scf_calls": scf["calls"], "scf_failed": scf["failed"]}
    return line | {"why": "; ".join(sorted(why))}


def rows_on_record() -> dict[tuple[str, str], dict]:
    """Rows of the table as it is."""
    table = pd.read_csv(TABLE).fillna({"why": ""}).astype(object)
    return {(line["material"], line["method"]): line for line in table.where(table.notna(), None).to_dict("records")}


def reasons(why: str) -> dict[str, list[str]]:
    """What is missing of each test."""
    parts = [part for part in why.split("; ") if part]
    shaken = [part for part in parts if part.startswith("shaken: ")]
    return {"strained": [part for part in parts if part not in shaken], "shaken": shaken}


def ran(line: dict, test: str) -> bool:
    """Whether a row has a test, or the reason why it failed."""
    return f"{test}: not run" not in reasons(line["why"])[test]


def merge(line: dict, record: dict | None) -> dict:
    """A row with the tests that only the row on record has."""
    other = [test for test in FIELDS if record and ran(record, test) and not ran(line, test)]
    if not other or len(other) == len(FIELDS):
        return record if other else line
    (test,) = other
    why = reasons(line["why"]) | {test: reasons(record["why"])[test]}
    calls = {
        key: line[key] + record[key] if line[key] and record[key] else line[key] for key in ("scf_calls", "scf_failed")
    }
    return line | {key: record[key] for key in FIELDS[test]} | calls | {"why": "; ".join(chain(*why.values()))}


def markdown(table: pd.DataFrame) -> Iterable[str]:
    """The table for people, one row a material and one column a method."""
    yield "# Every material strained and rattled\n"
    yield "Written by `python benchmarks/qualify.py`; [qualification.csv](qualification.csv) holds the same rows.\n"
    yield (
        "Strained: error of the lattice constant, and bulk modulus in GPa. Rattled: atoms of the bulk are displaced at "
        "random and relaxed again; energy relative to the crystal in eV per moving atom (negative: the method leaves "
        "the crystal), and largest shift in A. A reason stands where a test has no result.\n"
    )
    yield from summary(table)
    yield f"\n| | {' | '.join(METHODS)} |"
    yield "|---" * (1 + len(METHODS)) + "|"
    for name, rows in table.groupby("material", sort=False):
        cells = {one.method: cell(one) for one in rows.itertuples()}
        yield f"| {name} | {' | '.join(cells[method] for method in METHODS)} |"


def summary(table: pd.DataFrame) -> Iterable[str]:
    """How many materials each method keeps, and how far its lattice constants are off."""
    heads = ("method", "strained", "lattice constant within 3 %", "mean error", "rattled", "stable")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for method, rows in table.groupby("method", sort=False):
        errors = rows["lattice_constant_error"].dropna().astype(float).abs()
        drops = rows[["energy_drop_eV_per_atom", "largest_shift_A"]].dropna().astype(float)
        kept = (
            (drops["energy_drop_eV_per_atom"] > -MELT_EV_PER_ATOM) & (drops["largest_shift_A"] < MELT_SHIFT_A)
        ).sum()
        yield (f"| {method} | {len(errors)} | {(errors <= 0.03).sum()} | {errors.mean():.1%} | {len(drops)} | {kept} |")


def cell(one) -> str:
    """Lattice constant and bulk modulus; energy and shift of the shaken bulk; or why there is none."""
    missing = {test: ", ".join(words).removeprefix(f"{test}: ") for test, words in reasons(one.why).items()}
    strained, shaken = missing["strained"], "" if missing["shaken"] == "not run" else missing["shaken"]
    if not pd.isna(one.lattice_constant_error):
        strained = f"{one.lattice_constant_error:+.1%}, {one.bulk_modulus_GPa:.0f}"
    if not pd.isna(one.largest_shift_A):
        shaken = f"{one.energy_drop_eV_per_atom:+.3f}, {one.largest_shift_A:.2f}"
    return f"{strained}; {shaken}" if shaken else strained


def main() -> None:
    """Run what is not done, as long as there is time, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--materials", nargs="+", metavar="M", help="default: all")
    parser.add_argument(
        "--methods", nargs="+", default=list(METHODS), choices=METHODS, metavar="M", help="default: all"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="no test starts after these (default 60)")
    parser.add_argument("--json", action="store_true", help="print the table as one JSON value, last")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    names = [*FIRST, *(name for name in library.names("materials") if name not in FIRST)]
    known = {} if arguments.materials else rows_on_record()
    for (test, short), name, method in product(TESTS.items(), arguments.materials or names, arguments.methods):
        on_record = (name, method) in known and ran(known[name, method], short)
        if not on_record and time.monotonic() < end and read(name, method, test) == "not run":
            run(library.material(name), method, test)
    record = rows_on_record()
    table = pd.DataFrame([merge(row(*pair), record.get(pair)) for pair in product(names, METHODS)])
    write_table(TABLE, table, checked=False)
    PAGE.write_text("\n".join(markdown(table)) + "\n")
    print(PAGE.read_text())
    if arguments.json:
        print(json.dumps(table.astype(object).where(table.notna(), None).to_dict("records")))


if __name__ == "__main__":
    main()
