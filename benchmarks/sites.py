"""Symmetry-unique sites of eight facets: time a facet, beside pymatgen's AdsorbateSiteFinder and ACAT where it runs.

Run by hand: `python benchmarks/sites.py [--json]`. The peers see the same slabs, 2 x 2 surface cells.
"""

import json
import sys
import time
from collections.abc import Callable

from ase import Atoms
from pymatgen.analysis.adsorption import AdsorbateSiteFinder
from pymatgen.io.ase import AseAtomsAdaptor

from qdsurf.records import library
from qdsurf.records.systems import find_facet
from qdsurf.surfaces.adsorption_sites import find_sites
from qdsurf.surfaces.slab import cut_slab

FACETS = (
    "PbS_100_PbS", "PbS_110_PbS", "PbS_111_Pb", "CdSe-wz_10-10_CdSe", "CdSe-wz_11-20_CdSe", "CdSe-wz_0001_Cd",
    "CsPbBr3_100_CsBr", "CsPbBr3_100_PbBr2",
)  # fmt: skip
REPEATS = 5
GOAL_MS, GOAL_RATIO = 20.0, 5.0


def best_ms(run: Callable, repeats: int = REPEATS) -> tuple[float, object]:
    """Shortest of several runs in ms, and what the last one returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        found = run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times), found


def with_pymatgen(slab: Atoms) -> int:
    """Number of sites that pymatgen calls distinct."""
    structure = AseAtomsAdaptor.get_structure(Atoms(slab.symbols, slab.positions, cell=slab.cell, pbc=True))
    finder = AdsorbateSiteFinder(structure, height=0.9)
    return len(finder.find_adsorption_sites()["all"])


def with_acat(slab: Atoms) -> int | None:
    """Number of sites that ACAT calls unique; None where it is not installed or fails."""
    try:
        from acat.adsorption_sites import SlabAdsorptionSites

        plain = Atoms(slab.symbols, slab.positions, cell=slab.cell, pbc=(True, True, False))
        return len(SlabAdsorptionSites(plain, surface="fcc100").get_unique_sites())
    except Exception:  # whatever a peer meets is its own answer
        return None


def measure(name: str) -> dict:
    """Times and counts of one facet."""
    material, facet = find_facet(name)
    # Bare cuts, polar ones too: what a ligand-free peer would make.
    slab = cut_slab(library.material(material), facet, 4, (2, 2), 15.0, charged=True)
    find_sites(slab)  # imports and caches are not the algorithm
    ours, sites = best_ms(lambda: find_sites(slab))
    theirs, count = best_ms(lambda: with_pymatgen(slab), 2)
    other = cut_slab(library.material(material), facet, 4, (3, 1), 21.0, charged=True)
    return {
        "facet": name,
        "atoms": len(slab),
        "ms": ours,
        "sites": len(sites),
        "sites_in_another_supercell": len(find_sites(other)),
        "pymatgen_ms": theirs,
        "pymatgen_sites": count,
        "ratio": theirs / ours,
        "acat_sites": with_acat(slab),
    }


def main() -> None:
    """Print a table, or one JSON object last."""
    rows = [measure(name) for name in FACETS]
    for row in rows:
        print(
            f"{row['facet']:<20} {row['atoms']:>3} atoms  {row['ms']:6.1f} ms, {row['sites']:>2} sites   "
            f"pymatgen {row['pymatgen_ms']:7.1f} ms, {row['pymatgen_sites']:>2} sites   x {row['ratio']:.0f}"
        )
    slowest, least = max(row["ms"] for row in rows), min(row["ratio"] for row in rows)
    print(f"slowest facet {slowest:.1f} ms (goal {GOAL_MS}), least ratio {least:.1f} (goal {GOAL_RATIO})")
    if "--json" in sys.argv:
        print(json.dumps({"facets": rows, "slowest_ms": slowest, "least_ratio": least}))


if __name__ == "__main__":
    main()
