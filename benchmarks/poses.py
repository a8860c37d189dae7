"""Rigid poses of TMA over a site: time a pose, beside pymatgen's AdsorbateSiteFinder.add_adsorbate.

Run by hand: `python benchmarks/poses.py [--json]`. Ours are turned, lowered to the first contact, checked against every
periodic image and stripped of duplicates; pymatgen puts the molecule at a fixed height and checks nothing.
"""

import json
import sys
import time

import numpy as np
from ase import Atoms
from pymatgen.analysis.adsorption import AdsorbateSiteFinder
from pymatgen.core import Molecule
from pymatgen.io.ase import AseAtomsAdaptor

from qdsurf.atomistic.molecules import build_molecule
from qdsurf.elementary_steps.adsorption_poses import precursor_fragment
from qdsurf.elementary_steps.rigid_poses import rigid_poses
from qdsurf.records import library
from qdsurf.records.systems import find_facet
from qdsurf.surfaces.adsorption_sites import find_sites
from qdsurf.surfaces.slab import cut_slab

SURFACES = ("PbS_100_PbS", "CdSe_110_CdSe", "CdSe-wz_10-10_CdSe", "CsPbBr3_100_CsBr")
ORIENTATIONS = 128
GOAL_MS = 1.0


def measure(name: str) -> dict:
    """Times on one surface."""
    material, facet = find_facet(name)
    slab = cut_slab(library.material(material), facet, 3, (3, 3), 20.0)
    record = library.precursor("TMA")
    tma = precursor_fragment(build_molecule(record.molecule), record)
    anchor = int(np.argmax(tma.arrays["formal_charge"]))
    site = next(s for s in find_sites(slab) if s.name.startswith("top"))
    rigid_poses(slab, tma, site.position, site.normal, anchor, 8)
    start = time.perf_counter()
    poses, rejected = rigid_poses(slab, tma, site.position, site.normal, anchor, ORIENTATIONS)
    ours = 1e3 * (time.perf_counter() - start)
    structure = AseAtomsAdaptor.get_structure(Atoms(slab.symbols, slab.positions, cell=slab.cell, pbc=True))
    finder = AdsorbateSiteFinder(structure)
    molecule = Molecule(list(tma.symbols), tma.positions)
    place = np.add(site.position, [0, 0, 3])
    start = time.perf_counter()
    for _ in range(20):
        finder.add_adsorbate(molecule, place)
    theirs = 1e3 * (time.perf_counter() - start) / 20
    return {
        "surface": name,
        "site": site.name,
        "poses": len(poses),
        "rejected": len(rejected),
        "ms_a_pose": ours / len(poses),
        "ms_an_orientation": ours / ORIENTATIONS,
        "pymatgen_ms_a_pose": theirs,
        "ratio": theirs * len(poses) / ours,
    }


def main() -> None:
    """Print a table, or one JSON object last."""
    rows = [measure(name) for name in SURFACES]
    for row in rows:
        print(
            f"{row['surface']:<20} {row['site']:<7} {row['poses']:>3} poses, {row['rejected']:>3} rejected  "
            f"{row['ms_a_pose']:.2f} ms a pose, {row['ms_an_orientation']:.2f} ms an orientation   "
            f"pymatgen {row['pymatgen_ms_a_pose']:.2f} ms   x {row['ratio']:.0f}"
        )
    slowest = max(row["ms_a_pose"] for row in rows)
    print(f"slowest {slowest:.2f} ms a pose (goal {GOAL_MS})")
    if "--json" in sys.argv:
        print(json.dumps({"surfaces": rows, "slowest_ms_a_pose": slowest}))


if __name__ == "__main__":
    main()
