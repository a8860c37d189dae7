"""Force calls of optimisers to 0.05 eV/A in fourteen relaxations: molecules, adducts, bare and covered slabs.

    python benchmarks/relax.py [NAME ...] [--optimisers qdsurf,lbfgs] [--memory] [--json]

Every structure starts as the package builds it. `qdsurf` is `relax_one` with the optimiser ModelNewton, as in the
workflow. The optimisers of ASE run with their default settings, except that PreconLBFGS gets its Exp preconditioner for
slabs, which it otherwise uses only above 100 atoms; for a molecule in vacuum the preconditioner cannot be made. Sella
minimises (order 0) in internal coordinates for molecules and in Cartesian coordinates for slabs.

A relaxation that has not converged after 300 steps counts with the calls that it made. Energies are relative to the
lowest one that any optimiser found. Results of the calculator are stored, and every relaxation is repeated with them to
measure the CPU time outside the calculator; the shortest time counts. `--memory` measures the peak memory of a
relaxation of 200 atoms with GFN2-xTB, which takes some minutes.
"""

import argparse
import json
import os
import resource
import time
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc100, fcc111, molecule
from ase.constraints import FixAtoms
from ase.optimize import BFGS, FIRE2, LBFGS, GoodOldQuasiNewton
from ase.optimize.precon import PreconLBFGS
from measuring import CountedCalculator, is_installed

from qdsurf.atomistic.annotation import ADSORBATE, SUBSTRATE, annotate
from qdsurf.atomistic.molecules import build_molecule, embed, parse_smiles
from qdsurf.atomistic.spring_model import apply_springs
from qdsurf.calculators.registry import make_calculator
from qdsurf.elementary_steps.adsorption_poses import place_precursor, precursor_fragment
from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.systems import find_facet
from qdsurf.relaxation.relax import relax_one
from qdsurf.surfaces.slab import cut_slab, freeze_substrate

GFN2, EMT = CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"}), CalculatorSpec(name="emt")
FMAX, STEPS = 0.05, 300
REPEATS = 3


def from_smiles(smiles: str) -> Atoms:
    return annotate(embed(parse_smiles(smiles)), ADSORBATE)


def shaken(atoms: Atoms, by: float = 0.1) -> Atoms:
    atoms.rattle(by, seed=1)
    return atoms


def adduct(acid: str, metal: str, base: str, donor: str) -> Atoms:
    """Bring a donor molecule to a metal centre by springs."""
    first, second = from_smiles(acid), from_smiles(base)
    centre, atom = first.symbols.search(metal)[0], second.symbols.search(donor)[0]
    first.arrays["formal_charge"][centre] = 2
    first.positions -= first.positions[centre]
    second.positions -= second.positions[atom]
    normal = np.linalg.svd(first.positions)[2][-1]
    if np.linalg.norm(second.positions.mean(axis=0)) > 1e-3:
        second.rotate(second.positions.mean(axis=0), normal)
    second.positions += 3.0 * normal
    both = first + second
    both.set_cell([30, 30, 30])
    driven = apply_springs(both, [(centre, len(first) + atom)], arriving=len(first))
    return annotate(Atoms(driven.symbols, driven.positions), ADSORBATE)


def metal_slab(name: str) -> Atoms:
    """Make a slab for EMT: bare with random displacements, with an adatom, or with a molecule."""
    if name == "bare":
        slab = fcc111("Cu", (3, 3, 4), vacuum=8)
        slab.set_constraint(FixAtoms(range(9)))
        return annotate(shaken(slab), SUBSTRATE)
    if name == "adatom":
        slab = fcc100("Al", (3, 3, 3), vacuum=8)
        add_adsorbate(slab, "Au", 2.5, "bridge", offset=(0.1, 0.1))
    else:
        slab = fcc111("Cu", (3, 3, 3), vacuum=8)
        n2 = molecule("N2")
        n2.rotate(60, "y")
        add_adsorbate(slab, n2, 2.2, "bridge")
    slab.set_constraint(FixAtoms(range(9)))
    return annotate(slab, SUBSTRATE)


def covered_slab(ligand: str | None, precursor: str | None) -> Atoms:
    """Make a frozen slab of PbS(100) with a ligand of two carbon atoms or with a precursor."""
    material, facet = find_facet("PbS_100_PbS")
    slab = freeze_substrate(cut_slab(library.material(material), facet, 2, (2, 2), vacuum=15.0))
    if ligand:
        return attach_ligands(slab, library.ligand(ligand), 1, 2)[0]
    record = library.precursor(precursor)
    fragment = precursor_fragment(build_molecule(record.molecule), record)
    return place_precursor(slab, fragment, "surface.anion", poses=1, seed=1)[0]


STARTS: dict[str, tuple[CalculatorSpec, Callable[[], Atoms]]] = {
    "TMA": (GFN2, lambda: build_molecule(library.precursor("TMA").molecule)),
    "DEZ": (GFN2, lambda: build_molecule(library.precursor("DEZ").molecule)),
    "TDMAT": (GFN2, lambda: build_molecule(library.precursor("TDMAT").molecule)),
    "Al2Me6": (GFN2, lambda: shaken(build_molecule(library.precursor("TMA").oligomer.molecule))),
    "acetic_acid": (GFN2, lambda: from_smiles("CC(=O)O")),
    "butylamine": (GFN2, lambda: shaken(from_smiles("CCCCN"))),
    "TMA_H2O": (GFN2, lambda: adduct("C[Al](C)C", "Al", "O", "O")),
    "TMA_MeNH2": (GFN2, lambda: adduct("C[Al](C)C", "Al", "CN", "N")),
    "DEZ_AcOH": (GFN2, lambda: adduct("CC[Zn]CC", "Zn", "CC(=O)O", "O")),
    "Cu111": (EMT, lambda: metal_slab("bare")),
    "Au_on_Al100": (EMT, lambda: metal_slab("adatom")),
    "N2_on_Cu111": (EMT, lambda: metal_slab("molecule")),
    "PbS100_acetate": (GFN2, lambda: covered_slab("oleate", None)),
    "PbS100_TMA": (GFN2, lambda: covered_slab(None, "TMA")),
}

Relaxation = Callable[[Atoms, CountedCalculator], tuple[float, bool]]


def of_ase(optimiser: type, **keywords: Any) -> Relaxation:
    """Make the relaxation with one optimiser of the interface of ASE; it returns the energy in eV and convergence."""

    def run(atoms: Atoms, calculator: CountedCalculator) -> tuple[float, bool]:
        atoms.calc = calculator
        converged = optimiser(atoms, logfile=None, **keywords).run(fmax=FMAX, steps=STEPS)
        return atoms.get_potential_energy(), bool(converged)

    return run


def qdsurf(atoms: Atoms, calculator: CountedCalculator) -> tuple[float, bool]:
    """Relax with `relax_one`, as in the workflow."""
    result = relax_one(atoms, calculator, FMAX, STEPS)
    return result.energy_eV, result.converged


def precon(atoms: Atoms, calculator: CountedCalculator) -> tuple[float, bool]:
    """Relax with PreconLBFGS (10.1063/1.4947024)."""
    return of_ase(PreconLBFGS, precon="Exp" if atoms.pbc.any() else "auto")(atoms, calculator)


def sella(atoms: Atoms, calculator: CountedCalculator) -> tuple[float, bool]:
    """Relax with Sella (10.1021/acs.jctc.2c00395)."""
    from sella import Sella

    return of_ase(Sella, order=0, internal=not atoms.pbc.any())(atoms, calculator)


OPTIMISERS: dict[str, Relaxation] = {
    "qdsurf": qdsurf,
    "lbfgs": of_ase(LBFGS),
    "bfgs": of_ase(BFGS),
    "quasinewton": of_ase(GoodOldQuasiNewton),
    "fire2": of_ase(FIRE2),
    "precon": precon,
}
if is_installed("sella"):
    OPTIMISERS["sella"] = sella


def measure_relaxation(optimiser: str, make: Callable[[], Atoms], spec: CalculatorSpec) -> dict[str, Any]:
    """Return force calls, energy, convergence and the CPU time outside the calculator."""
    calculator = CountedCalculator(spec)
    outside = []
    for _ in range(REPEATS):
        calculator.restart()
        atoms = make()
        start = time.process_time()
        try:
            energy, converged = OPTIMISERS[optimiser](atoms, calculator)
        except Exception as error:  # any exception of an optimiser is a result
            return {"force_calls": calculator.calls, "energy_eV": None, "converged": False, "error": str(error)}
        outside.append(time.process_time() - start - calculator.cpu_s)
    return {
        "force_calls": calculator.calls,
        "energy_eV": float(energy),
        "converged": converged,
        "cpu_s_outside_calculator": min(outside),
    }


def measure(names: list[str] | None = None, optimisers: list[str] | None = None) -> dict[str, Any]:
    """Return the rows of all structures, with the totals of each optimiser."""
    warnings.filterwarnings("ignore")
    optimisers = optimisers or list(OPTIMISERS)
    relaxations = {}
    for name in names or STARTS:
        spec, make = STARTS[name]
        rows = {optimiser: measure_relaxation(optimiser, make, spec) for optimiser in optimisers}
        lowest = min(row["energy_eV"] for row in rows.values() if row["energy_eV"] is not None)
        for row in rows.values():
            row["above_lowest_eV"] = None if row["energy_eV"] is None else row["energy_eV"] - lowest
        print_relaxation(name, rows)
        relaxations[name] = rows
    totals = {optimiser: summarise([rows[optimiser] for rows in relaxations.values()]) for optimiser in optimisers}
    for row in totals.values():
        row["calls_over_qdsurf"] = row["force_calls"] / totals["qdsurf"]["force_calls"] if "qdsurf" in totals else None
    return {"fmax_eV_per_A": FMAX, "steps": STEPS, "relaxations": relaxations, "totals": totals}


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the totals of one optimiser."""
    calls = sum(row["force_calls"] for row in rows)
    above = [row["above_lowest_eV"] for row in rows if row["above_lowest_eV"] is not None]
    return {
        "force_calls": calls,
        "converged": sum(row["converged"] for row in rows),
        "mean_above_lowest_eV": float(np.mean(above)) if above else None,
        "largest_above_lowest_eV": max(above, default=None),
        "ms_per_call_outside_calculator": 1e3 * sum(row.get("cpu_s_outside_calculator", 0.0) for row in rows) / calls,
    }


def print_relaxation(name: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print one line: calls and energy above the lowest of each optimiser."""
    cells = []
    for optimiser, row in rows.items():
        energy = row.get("error", "") if row["above_lowest_eV"] is None else f"{row['above_lowest_eV']:+.3f}"
        cells.append(f"{optimiser} {row['force_calls']}{'' if row['converged'] else '!'} {energy}")
    print(f"{name:<15}", ", ".join(cells), flush=True)


def peak_memory_GB() -> float:
    """Return the peak memory of this process after ten steps on an alkane of 200 atoms."""
    relax_one(shaken(from_smiles("C" * 66)), make_calculator(GFN2), FMAX, 10)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measure, print a line per structure, then the totals, and one JSON object last if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(STARTS), metavar="NAME", help=", ".join(STARTS))
    parser.add_argument("--optimisers", default=",".join(OPTIMISERS), help="names separated by commas")
    parser.add_argument("--memory", action="store_true", help="also measure the memory of a relaxation of 200 atoms")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    results = measure(arguments.names, arguments.optimisers.split(","))
    if arguments.memory:
        results["peak_memory_200_atoms_GB"] = peak_memory_GB()
    print(json.dumps({key: value for key, value in results.items() if key != "relaxations"}))
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
