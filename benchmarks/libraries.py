"""Measure own code beside libraries, and write docs/benchmarks/own-code-beside-libraries.md.

    python benchmarks/libraries.py [solver] [saddles] [symmetry] [optimisers] [--page-only] [--json]

Each part is measured by one script of this folder, which also describes it: kinetics.py, saddle.py, symmetry.py and
relax.py. The results are stored beside the page, so that a part can be measured alone. Without the name of a part, all
parts are measured, which takes about fifteen minutes. The libraries are optional: `pip install 'qdsurf[benchmark]'`. A
library that is not installed has an empty column.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import kinetics
import relax
import saddle
import symmetry

PAGE = Path(__file__).parent.parent / "docs/benchmarks/own-code-beside-libraries.md"
RESULTS = PAGE.with_suffix(".json")
PACKAGES = {
    "solver": ("scikit-sundae", "cantera", "scipy", "numba"),
    "saddles": ("sella", "ase", "tblite"),
    "symmetry": ("spglib", "moyopy", "pymatgen"),
    "optimisers": ("ase", "sella", "tblite"),
}
MEASURE: dict[str, Callable[[], dict]] = {
    "solver": kinetics.measure,
    "saddles": saddle.measure,
    "symmetry": symmetry.measure,
    "optimisers": relax.measure,
}
NAMES = {
    "qdsurf": "qdsurf", "cvode": "CVODE", "cantera": "Cantera", "lsoda": "LSODA", "bdf": "SciPy BDF",
    "sella_idpp": "Sella, IDPP", "sella_path": "Sella, geodesic", "neb": "NEB", "neb_fire": "NEB, FIRE",
    "spglib": "spglib", "moyopy": "moyopy", "pymatgen": "pymatgen", "lbfgs": "LBFGS", "bfgs": "BFGS",
    "quasinewton": "GoodOldQuasiNewton", "fire2": "FIRE2", "precon": "PreconLBFGS", "sella": "Sella",
}  # fmt: skip
MISSING = "not installed"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with a number of significant digits; a dash for none."""
    if value is None:
        return "–"
    return f"{float(f'{value:.{digits}g}'):g}"


def versions(part: str) -> str:
    """Write the versions of the packages of a part."""
    words = []
    for name in PACKAGES[part]:
        try:
            words.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            words.append(f"{name} ({MISSING})")
    return ", ".join(words)


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


def fastest(ratios: dict[str, float | None]) -> tuple[str, float]:
    """Return the library with the smallest ratio to qdsurf, and the ratio."""
    known = {name: ratio for name, ratio in ratios.items() if ratio is not None and name != "qdsurf"}
    name = min(known, key=lambda name: known[name])
    return NAMES[name], known[name]


def listed(words: list[str]) -> str:
    """Join words to a list in a sentence."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def solver_section(data: dict[str, Any]) -> list[str]:
    """Write table and decision of the stiff solver."""
    rows = []
    ratios: dict[str, list[tuple[str, str, float]]] = {"single": [], "map": []}
    for network, cases in data["networks"].items():
        for case, result in cases.items():
            label = f"{network}, {'one cycle' if case == 'single' else str(result['members']) + ' cycles'}"
            for name in ("qdsurf", "cvode", "cantera", "lsoda", "bdf"):
                row = result["solvers"].get(name)
                if row is None:
                    rows.append([label, NAMES[name], *[MISSING] * 6])
                    continue
                share = row.get("callback_share")
                numbers = [number(row[key]) for key in ("rtol", "error")]
                times = [number(row["ms"], 3), number(row["time_over_qdsurf"])]
                callbacks = "–" if share is None else f"{share:.0%}"
                failures = f"{row['gave_up']} of {row['attempts']}"
                rows.append([label, NAMES[name], *numbers, *times, callbacks, failures])
            ratio = fastest({name: row["time_over_qdsurf"] for name, row in result["solvers"].items()})
            ratios[case].append((network, *ratio))
    header = ["network", "solver", "rtol", "largest error", "CPU time per cycle, ms", "time / qdsurf"]
    text = [
        "A pulse and a purge of surface kinetics. For each solver, the loosest tolerance counts with which all "
        "coverages "
        f"have an error of at most {data['error']:g}. CVODE, LSODA and BDF get compiled functions for rates and "
        "Jacobian; the column `callbacks` is the fraction of the time in these functions. The last column counts the "
        "integrations that a solver gave up, at all tolerances that were tried. CVODE is used through scikit-sundae; "
        "scikits.odes and numbalsoda have no wheels for this platform on PyPI. Cantera contains CVODES, compiled "
        "together "
        "with the rates.",
        "",
        *table([*header, "callbacks", "given up"], rows),
        "",
    ]
    best = {
        case: listed([f"{ratio:.2g} ({name}, {network})" for network, name, ratio in ratios[case]]) for case in ratios
    }
    if all(ratio > 1 for _, _, ratio in ratios["map"]):
        decision = (
            f"keep own code, because maps and samples are most of the work and it integrates {data['lanes']} of their "
            f"members at once. On maps, the fastest library takes {best['map']} times as long."
        )
    else:
        decision = (
            "the library wins: candidate to replace `qdsurf/microkinetics/solver`. On maps, the fastest library takes "
            f"{best['map']} times as long as qdsurf."
        )
    single = f" For a single cycle, the fastest library takes {best['single']} times as long."
    if all(ratio < 1 for _, _, ratio in ratios["single"]):
        single += " A single cycle therefore does not justify own code."
    return [*text, f"**Decision:** {decision}{single}"]


def saddle_cell(row: dict[str, Any] | None) -> str:
    """Write calls, barrier and check of one search."""
    if row is None:
        return MISSING
    if row["barrier_eV"] is None:
        return f"{row['calls_to_find']}, failed"
    calls = str(row["calls_to_find"])
    if "calls_of_path" in row:
        calls += f" ({row['calls_of_path']} + {row['calls_to_find'] - row['calls_of_path']})"
    check = row["check"] if row["converged"] else f"not converged, {row['check']}"
    return f"{calls}; {row['barrier_eV']:.3f} eV; {check}"


def saddle_section(data: dict[str, Any]) -> list[str]:
    """Write table and decision of the saddle search."""
    names = ("qdsurf", "sella_path", "sella_idpp", "neb", "neb_fire")
    rows = []
    for reaction, programs in data["reactions"].items():
        own = programs["qdsurf"]
        cells = [saddle_cell(programs.get(name)) for name in names]
        rows.append([reaction, *cells[:1], str(own["calls_with_own_verification"]), *cells[1:]])
    totals = data["totals"]
    count = len(data["reactions"])
    time = [f"{totals[name]['cpu_s_outside_calculator']:.1f} s" if name in totals else MISSING for name in names]
    rows.append(["CPU time outside the calculator", time[0], "", *time[1:]])
    text = [
        "Force calls, barrier and independent check of the saddle point between the same two minima. In parentheses: "
        "calls of the initial path, and calls of the climb. The check of this page uses no code of qdsurf: one "
        "negative "
        "eigenvalue of the Hessian, and relaxations to both sides that join both end points. qdsurf also verifies by "
        "itself, which the third column includes and the libraries do not do. Sella starts from the highest image of "
        "the "
        f"geodesic path of qdsurf or of the IDPP path of ASE, and has the median of {saddle.SEEDS} runs. NEB: "
        f"{data['images']} images, IDPP, {saddle.ROUGH_FMAX} eV/A without climbing, then climbing, with NEBOptimizer. "
        "NEB, "
        f"FIRE: climbing from the start. At most {data['steps']} steps, to {data['fmax_eV_per_A']} eV/A. Calculators: "
        "GFN2-xTB for molecules, EMT for metal slabs.",
        "",
        *table(["reaction", "qdsurf", "qdsurf with verification", *(NAMES[name] for name in names[1:])], rows),
        "",
    ]
    verified = {name: totals[name]["joins_both"] for name in names if name in totals}
    library = max((name for name in verified if name != "qdsurf"), key=lambda name: verified[name])
    shared = [
        programs
        for programs in data["reactions"].values()
        if all(programs[name]["check"] == saddle.JOINS_BOTH for name in ("qdsurf", library))
    ]
    calls = {name: sum(programs[name]["calls_to_find"] for programs in shared) for name in ("qdsurf", library)}
    facts = (
        f"{verified['qdsurf']} of {count} saddle points of qdsurf and {verified[library]} of {NAMES[library]} pass the "
        f"check. On the {len(shared)} reactions that both solve, {NAMES[library]} needs {calls[library]} calls and "
        "qdsurf "
        f"{calls['qdsurf']}"
    )
    if library.startswith("sella"):
        climbs = {
            name: sum(programs[name]["calls_to_find"] - programs[name]["calls_of_path"] for programs in shared)
            for name in calls
        }
        facts += f", of which the climb takes {climbs[library]} and {climbs['qdsurf']}"
    if verified["qdsurf"] > verified[library]:
        decision = f"keep own code, because it also finds paths over several saddle points and verifies them. {facts}."
        if calls[library] < calls["qdsurf"]:
            decision += (
                f" The calls of the initial path are therefore the part to improve; {NAMES[library]} needs fewer."
            )
    elif calls["qdsurf"] <= calls[library]:
        decision = f"keep own code, because it needs no more calls than the best library. {facts}."
    else:
        decision = f"the library wins: candidate to replace `eigenvector_following.py`. {facts}."
    return [*text, f"**Decision:** {decision}"]


def symmetry_table(rows: list[dict], names: tuple[str, ...]) -> list[str]:
    """Write the numbers of operations and the times of slabs or nanocrystals."""
    lines = []
    for row in rows:
        cells = []
        for name in names:
            if name not in row["ms"]:
                cells.append(MISSING)
                continue
            built, displaced = row["operations"][name], row["operations_shaken"][name]
            words = f"{'failed' if built is None else built}, {'failed' if displaced is None else displaced}"
            if displaced is not None and not row["is_group_shaken"][name]:
                words += " (no group)"
            cells.append(f"{words}; {number(row['ms'][name])} ms")
        lines.append([row["structure"], str(row["atoms"]), *cells])
    return table(["structure", "atoms", *(NAMES[name] for name in names)], lines)


def symmetry_section(data: dict[str, Any]) -> list[str]:
    """Write tables and decisions of the symmetry."""
    summary = data["summary"]
    slabs, particles = summary["slabs"], summary["nanocrystals"]
    text = [
        "Number of symmetry operations as built, and with random displacements of "
        f"{data['shaken_A']:g} A along each axis; CPU time as built. The tolerance is {data['tolerance_A']:g} A. "
        "Slabs: "
        "operations that keep the upper side up; `surface_operations` beside `spglib.get_symmetry_layerdataset` and "
        "`moyopy.MoyoLayerDataset`.",
        "",
        *symmetry_table(data["slabs"], symmetry.SLAB_PROGRAMS),
        "",
    ]
    spglib_wins = slabs["spglib"]["agrees_with_qdsurf"] == slabs["spglib"]["structures"]
    spglib_wins &= slabs["spglib"]["time_over_qdsurf"] < 1
    agreement = listed(
        [f"{NAMES[name]} in {row['agrees_with_qdsurf']}" for name, row in slabs.items() if name != "qdsurf"]
    )
    facts = (
        f"Of {slabs['qdsurf']['structures']} slabs, {agreement} find as many operations as qdsurf, which calls "
        f"`spglib.get_symmetry` and selects. `get_symmetry_layerdataset` takes "
        f"{slabs['spglib']['time_over_qdsurf']:.2f} of the time."
    )
    kept = listed([f"{row['unchanged_when_shaken']} ({NAMES[name]})" for name, row in slabs.items()])
    facts += f" The displacements change no number of operations in {kept} slabs."
    decision = (
        "the library wins: candidate to replace the slab part of `surface_operations`."
        if spglib_wins
        else "keep own code."
    )
    text += [
        f"**Decision for slabs:** {decision} {facts}",
        "",
        "Nanocrystals: `surface_operations` beside `PointGroupAnalyzer` of pymatgen. spglib and moyopy need a cell; "
        "they "
        "get the particle in an enlarged cell of its crystal, which is possible only for a known orientation. "
        "`no group` means that the product of two operations is not among them.",
        "",
        *symmetry_table(data["nanocrystals"], symmetry.PARTICLE_PROGRAMS),
        "",
    ]
    count = particles["qdsurf"]["structures"]
    agree = particles["pymatgen"]["agrees_with_qdsurf"]
    ratios = {name: row["time_over_qdsurf"] for name, row in particles.items() if name != "qdsurf"}
    times = listed([f"{NAMES[name]} {ratio:.2g}" for name, ratio in ratios.items()])
    keep = ratios["pymatgen"] > 1 and agree == count
    reason = (
        "keep own code, because it works in any orientation and is faster than the only library that also does."
        if keep
        else "the library wins: candidate to replace `_point_group` by `PointGroupAnalyzer`."
    )
    groups = {name: row["is_group_when_shaken"] for name, row in particles.items()}
    text.append(
        f"**Decision for nanocrystals:** {reason} pymatgen finds as many operations in {agree} of {count} particles. "
        "Times "
        f"relative to qdsurf: {times}."
    )
    if groups["qdsurf"] < count:
        others = listed([f"{groups[name]} ({NAMES[name]})" for name in groups if name != "qdsurf"])
        text[-1] += (
            f" With displacements near the tolerance, the operations of qdsurf form a group in {groups['qdsurf']} of "
            f"{count} particles, those of the libraries in {others}: own code lacks this step."
        )
    return text


def optimiser_section(data: dict[str, Any]) -> list[str]:
    """Write table and decision of the optimisers."""
    names = ("qdsurf", "lbfgs", "bfgs", "quasinewton", "fire2", "precon", "sella")
    totals = data["totals"]
    rows = []
    for structure, optimisers in data["relaxations"].items():
        cells = []
        for name in names:
            row = optimisers.get(name)
            if row is None:
                cells.append(MISSING)
            elif row["energy_eV"] is None:
                cells.append(f"{row['force_calls']}, failed")
            else:
                late = "" if row["converged"] else " (not converged)"
                cells.append(f"{row['force_calls']}{late}, +{max(0.0, row['above_lowest_eV']):.3f}")
        rows.append([structure, *cells])

    def total(title: str, write: Callable[[dict], str]) -> list[str]:
        return [title, *(write(totals[name]) if name in totals else MISSING for name in names)]

    count = len(data["relaxations"])
    rows += [
        total("**sum of calls**", lambda row: str(row["force_calls"])),
        total("sum / qdsurf", lambda row: number(row["calls_over_qdsurf"], 3)),
        total("converged", lambda row: f"{row['converged']} of {count}"),
        total("mean energy above the lowest, eV", lambda row: f"{row['mean_above_lowest_eV']:.3f}"),
        total(
            "CPU time per call outside the calculator, ms", lambda row: number(row["ms_per_call_outside_calculator"])
        ),
    ]
    text = [
        f"Force calls to {data['fmax_eV_per_A']} eV/A, and energy in eV above the lowest that any optimiser found. "
        f"At most {data['steps']} steps. Calculators: GFN2-xTB, and EMT for the three metal slabs. Sella uses internal "
        "coordinates for molecules and Cartesian coordinates for slabs; PreconLBFGS uses its Exp preconditioner for "
        "slabs. "
        "The other optimisers have the default settings of ASE.",
        "",
        *table(["structure", *(NAMES[name] for name in names)], rows),
        "",
    ]
    library, ratio = fastest({name: row["calls_over_qdsurf"] for name, row in totals.items()})
    key = next(name for name in names if NAMES[name] == library)
    fewer = sum(
        optimisers[key]["force_calls"] < optimisers["qdsurf"]["force_calls"]
        for optimisers in data["relaxations"].values()
    )
    above = {name: totals[name]["mean_above_lowest_eV"] for name in ("qdsurf", key)}
    cost = {name: totals[name]["ms_per_call_outside_calculator"] for name in ("qdsurf", key)}
    facts = (
        f"{library} is the best library: {ratio:.2f} times as many calls in all, fewer calls than qdsurf on {fewer} of "
        f"{count} structures, on average {above[key]:.3f} eV above the lowest energy (qdsurf {above['qdsurf']:.3f} "
        "eV), and "
        f"{cost[key] / cost['qdsurf']:.1f} times the CPU time of qdsurf per call outside the calculator."
    )
    if ratio > 1:
        decision = f"keep own code, because it needs the fewest force calls in all. {facts}"
    else:
        decision = f"the library wins: candidate to replace `qdsurf/relaxation/optimiser.py`. {facts}"
    return [*text, f"**Decision:** {decision}"]


SECTIONS: dict[str, tuple[str, Callable[[dict], list[str]]]] = {
    "solver": ("Stiff solver", solver_section),
    "saddles": ("Saddle search", saddle_section),
    "symmetry": ("Symmetry of slabs and nanocrystals", symmetry_section),
    "optimisers": ("Optimisers", optimiser_section),
}


def page(results: dict[str, Any]) -> str:
    """Write all sections that have been measured."""
    lines = [
        "# Own code beside libraries",
        "",
        "Written by `python benchmarks/libraries.py`. qdsurf has own code for four tasks for which there are also "
        "libraries. Each table compares both on the same input in one run on one machine. All columns are printed, "
        "also "
        "where a library is better. Times are CPU times of one thread, the shortest of several runs.",
    ]
    for part, (title, write) in SECTIONS.items():
        lines += ["", f"## {title}", ""]
        if part not in results:
            lines.append(f"Not measured yet: `python benchmarks/libraries.py {part}`.")
            continue
        data = results[part]
        lines += [
            f"`python benchmarks/libraries.py {part}`, {data['date']}, {data['processor']}; {data['versions']}.",
            "",
            *write(data["results"]),
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the named parts, store the results, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(MEASURE))
    parser.add_argument("--page-only", action="store_true", help="measure nothing, write the page from stored results")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(MEASURE):
        parser.error(f"unknown part {sorted(unknown)[0]!r}; the parts are {', '.join(MEASURE)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for part in [] if arguments.page_only else arguments.parts or MEASURE:
        measured = MEASURE[part]()
        date = datetime.now(UTC).date().isoformat()
        results[part] = {"date": date, "processor": processor(), "versions": versions(part), "results": measured}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))
    print(f"written: {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE}")
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
