"""100 oleates on a CdSe core of 700 atoms: time, and contacts below the limits; CAT beside it where it is installed.

Run by hand: `python benchmarks/packing.py [--json]`. The numba kernels are compiled before the clock starts.
"""

import json
import sys
import time

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from qdsurf import library
from qdsurf.build.capping import cap_nanocrystal
from qdsurf.build.contacts import contact_limits
from qdsurf.build.nanocrystal import build_nanocrystal

LIGANDS = 100
DIAMETER_NM, FACETS = 3.1, {"111": 1.0, "-1-1-1": 1.15, "100": 0.95}  # about 700 atoms of zinc-blende CdSe
HYDROGEN_A = 1.6  # H...H distance that CAT's result was judged by
GOAL_S = 2.0


def bad_contacts(dot: Atoms) -> int:
    """Pairs of atoms of different ligands nearer than their limit."""
    organic = dot[dot.arrays["role"] == "ligand"]
    elements = np.unique(organic.numbers)
    limits = contact_limits(elements)
    kind = np.searchsorted(elements, organic.numbers)
    pairs = cKDTree(organic.positions).query_pairs(limits.max(), output_type="ndarray")
    pairs = pairs[organic.arrays["fragment"][pairs[:, 0]] != organic.arrays["fragment"][pairs[:, 1]]]
    apart = np.linalg.norm(organic.positions[pairs[:, 0]] - organic.positions[pairs[:, 1]], axis=1)
    return int((apart < limits[kind[pairs[:, 0]], kind[pairs[:, 1]]] - 1e-6).sum())


def shortest_hydrogens(dot: Atoms) -> float:
    """Shortest H...H distance in A between different ligands."""
    hydrogen = dot[(dot.arrays["role"] == "ligand") & (dot.numbers == 1)]
    distance, other = cKDTree(hydrogen.positions).query(hydrogen.positions, k=30)
    foreign = hydrogen.arrays["fragment"][other] != hydrogen.arrays["fragment"][:, None]
    return float(distance[foreign].min())


def measure() -> dict:
    """Pack, and count what touches."""
    material, oleate = library.material("CdSe"), library.ligand("oleate")
    particle, dangling = build_nanocrystal(material, DIAMETER_NM, FACETS)
    cap_nanocrystal(*build_nanocrystal(material, 1.5), material, {"*": oleate})  # compiles and makes the conformers
    start = time.perf_counter()
    dot = cap_nanocrystal(particle, dangling, material, {"*": oleate})
    seconds = time.perf_counter() - start
    return {
        "core_atoms": len(particle),
        "ligands": int(dot.info["ligands"]),
        "without_room": int(dot.info["without_room"]),
        "seconds": seconds,
        "seconds_for_100": seconds * LIGANDS / max(1, dot.info["ligands"]),
        "bad_contacts": bad_contacts(dot),
        "shortest_hydrogens_A": shortest_hydrogens(dot),
    }


def main() -> None:
    """Print the figures, or one JSON object last."""
    row = measure()
    print(
        f"{row['core_atoms']} core atoms, {row['ligands']} oleates in {row['seconds']:.2f} s "
        f"({row['seconds_for_100']:.2f} s for {LIGANDS}; goal {GOAL_S}), {row['without_room']} found no room, "
        f"{row['bad_contacts']} contacts below the limits, shortest H...H {row['shortest_hydrogens_A']:.2f} A"
    )
    if "--json" in sys.argv:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
