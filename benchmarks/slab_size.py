"""Does the slab size matter? The adduct energy of a precursor on bare slabs of growing thickness and width.

Run by hand; every slab is frozen as cut, so that only its size differs. Prints a row a size, `--json` one object last.

    OMP_NUM_THREADS=1 python benchmarks/slab_size.py PbS_100_PbS TMA 2,3,3 3,3,3 2,4,4
"""

import argparse
import json
import time

from qdsurf.atomistic.molecules import build_molecule
from qdsurf.calculators.registry import CODES
from qdsurf.elementary_steps.adsorption_poses import place_precursor, precursor_fragment
from qdsurf.elementary_steps.state_check import check_state
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.systems import find_facet
from qdsurf.relaxation.relax import relax_batch
from qdsurf.surfaces.slab import cut_slab


def adduct_energy(slab: str, precursor: str, layers: int, supercell: tuple[int, int], spec: CalculatorSpec) -> dict:
    """Energy in eV of the lowest adduct of three on the outermost anion, against slab and molecule."""
    material, facet = find_facet(slab)
    record = library.precursor(precursor)
    surface = cut_slab(library.material(material), facet, layers, supercell, vacuum=20.0)
    molecule, gas = relax_batch([build_molecule(record.molecule)], spec, 0.01, 500, label="gas")
    _, bare = relax_batch([surface], spec, 0.1, 0, label="slab")
    poses = place_precursor(surface, precursor_fragment(molecule[0], record), "surface.anion", poses=3, seed=1)
    start = time.perf_counter()
    results = relax_batch(poses, spec, 0.1, 100, keep=1, label="adduct", check=check_state)
    best = min((r for r in results if r.converged), key=lambda r: r.energy_eV, default=None)
    energy = best and best["energy_eV"] - bare[0]["energy_eV"] - gas[0]["energy_eV"]
    return {
        "layers": layers,
        "supercell": supercell,
        "atoms": len(poses[0]),
        "adduct_eV": energy,
        "wall_s": round(time.perf_counter() - start, 1),
    }


def main() -> None:
    """Read the sizes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slab")
    parser.add_argument("precursor")
    parser.add_argument("sizes", nargs="+", help="layers,a,b")
    methods = [method for code in CODES.values() for method in code.methods]
    parser.add_argument("--method", default="GFN2-xTB", choices=methods)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    name = next(name for name, code in CODES.items() if arguments.method in code.methods)
    spec = CalculatorSpec(name=name, parameters={"method": arguments.method})
    rows = []
    for size in arguments.sizes:
        layers, a, b = map(int, size.split(","))
        rows.append(adduct_energy(arguments.slab, arguments.precursor, layers, (a, b), spec))
        row = rows[-1]
        energy = "no number" if row["adduct_eV"] is None else f"{row['adduct_eV']:+.3f} eV"
        print(f"{arguments.slab} {size}: {row['atoms']} atoms, adduct {energy}, {row['wall_s']} s", flush=True)
    if arguments.json:
        print(json.dumps({"slab": arguments.slab, "precursor": arguments.precursor, "rows": rows}))


if __name__ == "__main__":
    main()
