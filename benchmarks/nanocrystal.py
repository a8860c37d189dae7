"""Neutral, oleate-covered PbS dots of 2 to 8 nm: seconds, memory, and how both grow.

Run by hand: `python benchmarks/nanocrystal.py [--json]`. Each dot is built in a process of its own.
"""

import json
import subprocess
import sys

import numpy as np

DIAMETERS_NM = 2, 3, 4, 6, 8
GOAL_S, GOAL_MIB = 30.0, 1024.0  # of 6 nm
BUILD = """
import json, resource, sys, time
from qdsurf.records import library
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.surfaces.nanocrystal import build_nanocrystal, particle_area
material, oleate = library.material("PbS"), library.ligand("oleate")
cap_nanocrystal(*build_nanocrystal(material, 1.6), material, {"*": oleate})
start = time.perf_counter()
particle, dangling = build_nanocrystal(material, float(sys.argv[1]))
dot = cap_nanocrystal(particle, dangling, material, {"*": oleate})
print(json.dumps({
    "diameter_nm": float(sys.argv[1]), "seconds": time.perf_counter() - start, "core_atoms": len(particle),
    "atoms": len(dot), "ligands": int(dot.info["ligands"]), "passivating_ions": int(dot.info["passivating_ions"]),
    "ligands_per_nm2": dot.info["ligands"] / particle_area(particle),
    "charge": float(dot.arrays["formal_charge"].sum()),
    "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def main() -> None:
    """Print a table, or one JSON object last."""
    rows = []
    for diameter in DIAMETERS_NM:
        done = subprocess.run([sys.executable, "-c", BUILD, str(diameter)], capture_output=True, text=True, check=True)
        row = json.loads(done.stdout)
        rows.append(row)
        print(
            f"{diameter} nm: {row['core_atoms']:>5} core atoms, {row['ligands']:>3} oleates "
            f"({row['ligands_per_nm2']:.1f} nm^-2), {row['passivating_ions']:>3} Cl, {row['atoms']:>6} atoms, "
            f"charge {row['charge']:+g}, {row['seconds']:.2f} s, {row['peak_MiB']:.0f} MiB"
        )
    size = np.log([row["atoms"] for row in rows])
    growth = float(np.polyfit(size, np.log([row["seconds"] for row in rows]), 1)[0])
    print(f"time grows with the number of atoms to the power {growth:.2f}; 6 nm: goals {GOAL_S} s, {GOAL_MIB:.0f} MiB")
    if "--json" in sys.argv:
        print(json.dumps({"dots": rows, "growth_exponent": growth}))


if __name__ == "__main__":
    main()
