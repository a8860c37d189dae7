"""Memory and time of one force call against the number of atoms: the figures of qdsurf/pipeline/resources.py.

Run by hand: `python benchmarks/resources.py [--calculators NAME ...] [--cells N ...] [--json]`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

PARAMETERS: dict[str, dict] = {}
MiB = 1024.0  # of the kibibytes of ru_maxrss


def measure(calculator: str, cell: int) -> dict:
    """One cold force call on a slab of PbS(100), or of silver for EMT, in this process."""
    from qdsurf.calculators.registry import make_calculator
    from qdsurf.records import library
    from qdsurf.records.models import CalculatorSpec
    from qdsurf.surfaces.slab import cut_slab

    material = library.material("Ag" if calculator == "emt" else "PbS")
    facet = next(f for f in material.facets if tuple(f.miller_index) == (1, 0, 0))
    slab = cut_slab(material, facet, layers=2, supercell=(cell, cell), vacuum=20.0)
    slab.calc = make_calculator(CalculatorSpec(name=calculator, parameters=PARAMETERS.get(calculator, {})))
    start = time.process_time()
    slab.get_forces()
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MiB
    return {"calculator": calculator, "atoms": len(slab), "peak_MiB": round(peak), "cpu_s": round(seconds, 2)}


def main() -> None:
    """Measure each size in a process of its own; print a row each, or one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calculators", nargs="+", default=["emt", "tblite", "mopac", "sevennet"])
    parser.add_argument("--cells", nargs="+", type=int, default=[3, 4, 6])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], int(arguments.one[1]))))
        return
    rows = []
    for calculator in arguments.calculators:
        for cell in arguments.cells:
            apart = [sys.executable, __file__, "--one", calculator, str(cell)]
            done = subprocess.run(apart, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print("{calculator:<8} {atoms:5d} atoms {peak_MiB:6d} MiB {cpu_s:8.2f} s".format(**rows[-1]), flush=True)
    if arguments.json:
        print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
