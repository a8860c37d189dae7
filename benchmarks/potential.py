"""Speed, memory and scaling of SevenNet in numba, beside torch and GFN2-xTB in one run.

Run by hand: `python benchmarks/potential.py [--json]`; it writes docs/benchmarks/potential.md. Times are processor
seconds of one thread for energy and forces, the smallest of several calls after one that is not counted. torch is
measured where `sevenn` is installed, also in another environment: `--torch PYTHON` names its interpreter.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before the libraries are loaded

import numpy as np  # noqa: E402
from ase.io import read  # noqa: E402

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/benchmarks/potential.md"
STRUCTURES = ROOT / "tests/calculators/data/torch_7net-l3i5.extxyz"
SLABS = {57: "PbS(100) acetate TMA, 57 atoms", 197: "PbS(100) acetates TMA, 197 atoms"}
SIZES = (3, 5, 7, 8, 9)  # cubic cells of CdSe along each edge: 216, 1000, 2744, 4096 and 5832 atoms
MEMORY_CELLS = 5  # 1000 atoms
CALLS = 7
LONG_CALLS = 2  # where one takes seconds
MODELS = ("7net-l3i5", "7net-0")


def slab(atoms: int):
    """One of the two covered slabs."""
    return next(one.copy() for one in read(STRUCTURES, ":") if one.info["name"] == SLABS[atoms])


def crystal(cells: int):
    """A shaken crystal of CdSe."""
    from ase.build import bulk

    atoms = bulk("CdSe", "zincblende", 6.05, cubic=True) * cells
    atoms.rattle(0.05, seed=0)
    return atoms


def seconds(atoms, calculator, calls: int = CALLS) -> float:
    """Smallest processor time of a call, with atoms moved a little between calls."""
    rng, times = np.random.default_rng(0), []
    atoms.calc = calculator
    for _ in range(calls + 1):
        atoms.positions += rng.normal(scale=1e-3, size=(len(atoms), 3))
        start = time.process_time()
        atoms.get_forces()
        times.append(time.process_time() - start)
    return min(times[1:])


def with_torch(model: str, atoms: int) -> float:
    """Time of the torch implementation, in this interpreter."""
    import torch
    from sevenn.calculator import SevenNetCalculator

    torch.set_num_threads(1)
    return seconds(slab(atoms), SevenNetCalculator(model, device="cpu"), 3)


def torch_times(python: str | None) -> dict[str, float]:
    """Times of torch for both models and slabs; empty where sevenn is not installed."""
    if python is None and importlib.util.find_spec("sevenn") is None:
        return {}
    command = [python or sys.executable, __file__, "--only-torch"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_MiB() -> float:
    """Peak memory of one force call for 1000 atoms, in this process."""
    from qdsurf.calculators.sevennet.calculator import SevenNet

    atoms = crystal(MEMORY_CELLS)
    atoms.calc = SevenNet()
    atoms.get_forces()
    status = Path("/proc/self/status").read_text()  # ru_maxrss would be that of the process that started this one
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(python: str | None) -> dict:
    """All figures."""
    from qdsurf.calculators.registry import make_calculator
    from qdsurf.calculators.sevennet.calculator import SevenNet
    from qdsurf.records.models import CalculatorSpec

    rows = {}
    for model in MODELS:
        for atoms in SLABS:
            for d3 in ("none", "PBE"):
                rows[f"{model} {atoms} {d3}"] = seconds(slab(atoms), SevenNet(model, d3=d3))
    torch = torch_times(python)
    gfn2 = seconds(slab(57), make_calculator(CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"})), 1)
    sizes = {}
    for cells in SIZES:
        atoms = crystal(cells)
        sizes[len(atoms)] = {
            d3: seconds(atoms, SevenNet(d3=d3), LONG_CALLS) / len(atoms) * 1e6 for d3 in ("none", "PBE")
        }
    memory = subprocess.run([sys.executable, __file__, "--only-memory"], check=True, capture_output=True, text=True)
    return {
        "cpu_s": rows,
        "torch_cpu_s": torch,
        "gfn2_cpu_s_57": gfn2,
        "microseconds_per_atom": sizes,
        "peak_MiB_1000_atoms": float(memory.stdout.splitlines()[-1]),
        "torch_over_numba": {key: value / rows[f"{key} none"] for key, value in torch.items()},
        "gfn2_over_default_57": gfn2 / rows["7net-l3i5 57 PBE"],
        "largest_over_smallest_per_atom": {
            d3: max(one[d3] for one in sizes.values()) / min(one[d3] for one in sizes.values())
            for d3 in ("none", "PBE")
        },
    }


def page(data: dict) -> str:
    """The figures as a page."""
    cpu, lines = data["cpu_s"], ["# Speed of the default potential", ""]
    lines += ["Written by `python benchmarks/potential.py`. Processor seconds of one thread for energy and forces.", ""]
    lines += ["| | atoms | numba | numba with D3 | torch | torch / numba |", "|---|---|---|---|---|---|"]
    for model in MODELS:
        for atoms in SLABS:
            torch = data["torch_cpu_s"].get(f"{model} {atoms}")
            ratio = data["torch_over_numba"].get(f"{model} {atoms}")
            beside = "not installed | " if torch is None else f"{torch:.3f} | {ratio:.1f}"
            own = f"{cpu[f'{model} {atoms} none']:.3f} | {cpu[f'{model} {atoms} PBE']:.3f}"
            lines.append(f"| {model} | {atoms} | {own} | {beside} |")
    lines += [
        "",
        f"GFN2-xTB takes {data['gfn2_cpu_s_57']:.2f} s for the 57 atoms, "
        f"{data['gfn2_over_default_57']:.0f} times as long as the default with D3.",
        "",
        "| atoms of CdSe | microseconds per atom | with D3 |",
        "|---|---|---|",
    ]
    lines += [f"| {n} | {one['none']:.0f} | {one['PBE']:.0f} |" for n, one in data["microseconds_per_atom"].items()]
    ratios = data["largest_over_smallest_per_atom"]
    lines += [
        "",
        f"Largest over smallest time per atom: {ratios['none']:.2f} for the network alone, {ratios['PBE']:.2f} with "
        "D3, whose share grows with the number of atoms.",
    ]
    lines += ["", f"A process that computes 1000 atoms takes {data['peak_MiB_1000_atoms']:.0f} MiB."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, write the page, and print a table or one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter of an environment with sevenn")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-torch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only-memory", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_torch:
        print(json.dumps({f"{m} {n}": with_torch(m, n) for m in MODELS for n in SLABS}))
    elif arguments.only_memory:
        print(peak_MiB())
    else:
        data = measure(arguments.torch)
        PAGE.write_text(page(data))
        print(page(data))
        if arguments.json:
            print(json.dumps(data))


if __name__ == "__main__":
    main()
