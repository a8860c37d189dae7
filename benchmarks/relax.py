"""Force calls of optimisers to 0.05 eV/A over fourteen relaxations: molecules, adducts, bare and ligated slabs.

    OMP_NUM_THREADS=1 python benchmarks/relax.py [NAME ...] [--optimisers qdsurf,lbfgs] [--json]

Every structure starts as the package builds it. Each optimiser of ASE runs with its own defaults; `sella` where it is
installed (`pip install sella`): its internal coordinates, order 0. The ratio is the sum of force calls over that of
ASE's LBFGS; a relaxation that is not done after 300 steps counts with the calls that it made. Energies are compared
with the lowest that any optimiser found. Last: the share of CPU time that qdsurf spends outside the calculator on an
alkane of 62 atoms and on a covered slab, and the peak memory of a 200-atom relaxation with GFN2-xTB where `--memory`
asks for it.
"""

import argparse
import json
import resource
import time
import warnings
from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc100, fcc111, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.optimize import BFGS, FIRE, FIRE2, LBFGS
from ase.optimize.precon import PreconLBFGS

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


class Counted(Calculator):
    """Any calculator, with its calls and their CPU seconds counted."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, spec: CalculatorSpec):
        super().__init__()
        self.inner, self.count, self.seconds = make_calculator(spec), 0, 0.0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Run the calculator inside."""
        super().calculate(atoms, properties, system_changes)
        self.count += 1
        start = time.process_time()
        self.inner.calculate(self.atoms, ["energy", "forces"], system_changes)
        self.seconds += time.process_time() - start
        self.results = {key: self.inner.results[key] for key in ("energy", "forces")}


def from_smiles(smiles: str) -> Atoms:
    return annotate(embed(parse_smiles(smiles)), ADSORBATE)


def shaken(atoms: Atoms, by: float = 0.1) -> Atoms:
    atoms.rattle(by, seed=1)
    return atoms


def adduct(acid: str, metal: str, base: str, donor: str) -> Atoms:
    """A donor brought to a metal centre by springs."""
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
    """Slabs for EMT: bare and shaken, an adatom, a molecule."""
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
    """PbS(100), frozen, with a ligand of two carbon atoms or an alkyl on it."""
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

OUTSIDE = {"C20H42": lambda: shaken(from_smiles("C" * 20)), "PbS100_acetate": STARTS["PbS100_acetate"][1]}


def of_ase(optimiser, **keywords) -> Callable:
    """A runner of one of ASE's optimisers."""

    def run(atoms: Atoms, calculator: Counted) -> tuple[float, bool]:
        atoms.calc = calculator
        done = optimiser(atoms, logfile=None, **keywords).run(fmax=FMAX, steps=STEPS)
        return atoms.get_potential_energy(), bool(done)

    return run


def qdsurf(atoms: Atoms, calculator: Counted) -> tuple[float, bool]:
    """`relax_one`, as the workflow runs it."""
    result = relax_one(atoms, calculator, FMAX, STEPS)[1]
    return result["energy_eV"], result["converged"]


def sella(atoms: Atoms, calculator: Counted) -> tuple[float, bool]:
    """Internal coordinates of 10.1021/acs.jctc.2c00395."""
    from sella import Sella

    return of_ase(Sella, order=0, internal=True)(atoms, calculator)


OPTIMISERS = {
    "qdsurf": qdsurf,
    "lbfgs": of_ase(LBFGS),
    "bfgs": of_ase(BFGS),
    "fire": of_ase(FIRE),
    "fire2": of_ase(FIRE2),
    "precon": of_ase(PreconLBFGS),
    "sella": sella,
}


def measure(names: list[str], optimisers: list[str]) -> dict[str, dict]:
    """Force calls, energy above the best, and whether it converged; by structure and optimiser."""
    table = {}
    for name in names:
        spec, make = STARTS[name]
        rows = {}
        for optimiser in optimisers:
            calculator = Counted(spec)
            try:
                energy, done = OPTIMISERS[optimiser](make(), calculator)
            except Exception as error:  # whatever an optimiser raises, the others go on
                energy, done = np.nan, False
                print(f"{name} {optimiser}: {type(error).__name__}: {error}", flush=True)
            rows[optimiser] = {"force_calls": calculator.count, "energy_eV": float(energy), "converged": done}
        lowest = np.nanmin([row["energy_eV"] for row in rows.values()])
        for row in rows.values():
            row["above_lowest_eV"] = round(row["energy_eV"] - lowest, 4)
        words = (
            f"{k} {r['force_calls']}{'' if r['converged'] else '!'} {r['above_lowest_eV']:+.3f}"
            for k, r in rows.items()
        )
        print(f"{name:<15}", ", ".join(words), flush=True)
        table[name] = rows
    return table


def share_outside(atoms: Atoms) -> float:
    """Share of CPU time outside the calculator in a relaxation with GFN2-xTB."""
    calculator = Counted(GFN2)
    start = time.process_time()
    relax_one(atoms, calculator, FMAX, STEPS)
    return 1 - calculator.seconds / (time.process_time() - start)


def peak_memory_GB() -> float:
    """Largest memory of this process after ten steps on an alkane of 200 atoms."""
    relax_one(shaken(from_smiles("C" * 66)), make_calculator(GFN2), FMAX, 10)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Run, print a row for each structure, then the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(STARTS), metavar="NAME", help=", ".join(STARTS))
    parser.add_argument("--optimisers", default=",".join(OPTIMISERS), help="of these, separated by commas")
    parser.add_argument("--memory", action="store_true", help="measure that of a 200-atom relaxation, a few minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    optimisers = arguments.optimisers.split(",")
    table = measure(arguments.names, optimisers)
    sums = {o: sum(rows[o]["force_calls"] for rows in table.values()) for o in optimisers}
    failed = {o: sum(not rows[o]["converged"] for rows in table.values()) for o in optimisers}
    outside = {name: share_outside(make()) for name, make in OUTSIDE.items()}
    summary = {"force_calls": sums, "not_converged": failed, "outside_share": outside}
    if "lbfgs" in sums:
        summary["ratio_to_lbfgs"] = {o: total / sums["lbfgs"] for o, total in sums.items()}
    if arguments.memory:
        summary["peak_memory_200_atoms_GB"] = peak_memory_GB()
    print(json.dumps(summary))
    if arguments.json:
        print(json.dumps(summary | {"relaxations": table}))


if __name__ == "__main__":
    main()
