"""100 oleates on a CdSe core of 700 atoms: CPU time, and contacts below the limits; CAT beside it where it runs.

Run by hand: `python benchmarks/packing.py [--peer-python PATH] [--json]`. The numba kernels are compiled before the
clock starts; of CAT only the construction of the dot is timed, on a core with a stand-in at each of the same places.
It needs an interpreter of its own: `pip install nlesc-CAT==1.1.0 plams==1.5.1 schema==0.7.4 'numpy<2' 'pandas<2.2'`.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from scipy.spatial import cKDTree

from qdsurf.atomistic.contacts import contact_limits
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.records import library
from qdsurf.surfaces.nanocrystal import build_nanocrystal

LIGANDS = 100
DIAMETER_NM, FACETS = 3.1, {"111": 1.0, "-1-1-1": 1.15, "100": 0.95}  # about 700 atoms of zinc-blende CdSe
GOAL_S = 2.0
CAT = """
import sys, time
from scm.plams import Settings
from CAT.base import prep_core, prep_input, prep_ligand, prep_qd

s = Settings()
s.path, s.input_cores, s.input_ligands = sys.argv[1], ["core.xyz"], [r"CCCCCCCC/C=C\\CCCCCCCC(=O)[O-]"]
for part in ("core", "ligand", "qd", "database"):
    s.optional[part].dirname = part
s.optional.core.anchor, s.optional.ligand.anchor, s.optional.qd.optimize = "Cl", "[O-]C(=O)", False
s.optional.database.read = s.optional.database.write = False
s.optional.database.mol_format = "xyz"
ligands, cores, dots = prep_input(s)
cores, ligands = prep_core(cores), prep_ligand(ligands)
start = time.process_time()
prep_qd(ligands, cores, dots)
print(time.process_time() - start)
"""


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


def describe_dot(dot: Atoms, ligands: int, seconds: float) -> dict:
    """What was packed, how fast, and what touches."""
    return {
        "ligands": ligands,
        "seconds": seconds,
        "seconds_for_100": seconds * LIGANDS / max(1, ligands),
        "bad_contacts": bad_contacts(dot),
        "shortest_hydrogens_A": shortest_hydrogens(dot),
    }


def with_qdsurf() -> tuple[dict, Atoms]:
    """Pack; the figures, and the same core with stand-ins for a peer."""
    material, oleate = library.material("CdSe"), library.ligand("oleate")
    particle, dangling = build_nanocrystal(material, DIAMETER_NM, FACETS)
    cap_nanocrystal(*build_nanocrystal(material, 1.5), material, {"*": oleate})  # compiles and makes the conformers
    start = time.process_time()
    dot = cap_nanocrystal(particle, dangling, material, {"*": oleate})
    row = describe_dot(dot, int(dot.info["ligands"]), time.process_time() - start)
    row |= {"core_atoms": len(particle), "without_room": int(dot.info["without_room"])}
    return row, cap_nanocrystal(particle, dangling, material)


def with_cat(core: Atoms, python: str) -> dict:
    """The figures of CAT, run by its own interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(core.symbols, core.positions, strict=True)]
        Path(folder, "core").mkdir()
        Path(folder, "core", "core.xyz").write_text("\n".join([str(len(core)), "", *lines, ""]))
        done = subprocess.run([python, "-c", CAT, folder], check=True, capture_output=True, text=True)
        dot = read(next(Path(folder, "qd").glob("*.xyz")), do_not_split_by_at_sign=True)
    passivating_ions = int((core.symbols == "Cl").sum())
    bare = len(core) - passivating_ions
    size = (len(dot) - bare) // passivating_ions
    number = (np.arange(len(dot)) - bare) // size + 1
    dot.set_array("role", np.where(number > 0, "ligand", "substrate"))
    dot.set_array("fragment", np.maximum(number, 0))
    return describe_dot(dot, passivating_ions, float(done.stdout.split()[-1]))


def words(name: str, row: dict) -> str:
    """One line for people."""
    return (
        f"{name}: {row['ligands']} oleates in {row['seconds']:.2f} s ({row['seconds_for_100']:.2f} s for {LIGANDS}), "
        f"{row['bad_contacts']} contacts below the limits, shortest H...H {row['shortest_hydrogens_A']:.2f} A"
    )


def main() -> None:
    """Print the figures, or one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="interpreter in which CAT is installed")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    row, core = with_qdsurf()
    print(f"{row['core_atoms']} core atoms; goal {GOAL_S} s for {LIGANDS}; {row['without_room']} found no room")
    print(words("qdsurf", row))
    if arguments.peer_python:
        row["CAT"] = with_cat(core, arguments.peer_python)
        row["CAT_time_ratio"] = row["CAT"]["seconds_for_100"] / row["seconds_for_100"]
        print(words("CAT", row["CAT"]))
        print(f"CAT takes {row['CAT_time_ratio']:.1f} times as long")
    if arguments.json:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
