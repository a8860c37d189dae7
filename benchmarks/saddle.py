"""Force calls to a transition state: qdsurf against ASE's standard recipe, on the same two ends.

    OMP_NUM_THREADS=1 python benchmarks/saddle.py [NAME ...] [--images 7] [--steps 400] [--tight] [--figure F] [--json]

Ends are `benchmarks/saddle_ends/NAME.extxyz`, relaxed to 0.02 eV/A; `--ends` makes them anew: an adduct by the springs
of `build.drive`, its product by driving the bonds that change, each relaxed, all from SMILES. The recipe is an IDPP
path with 7 moving images, ASE's climbing NEB, and FIRE until 0.05 eV/A. Both sides count every force call with the two
ends; qdsurf's total includes the Hessian and the two relaxations that verify the saddle, which the recipe leaves out.
`--tight` asks whether both are right: ends to 0.005 eV/A, nine images, roughly by FIRE, then climbing to 0.02 eV/A.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc100, fcc111, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.io import read, write
from ase.mep import NEB
from ase.mep.neb import NEBOptimizer
from ase.optimize import BFGS, FIRE

from qdsurf.atomistic.annotation import ADSORBATE, annotate
from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.atomistic.molecules import embed, parse_smiles
from qdsurf.atomistic.spring_model import apply_springs
from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_one
from qdsurf.report.figures.kinetics import plot_saddle
from qdsurf.report.figures.kinetics import write as write_figure
from qdsurf.saddles.search import find_saddle

ENDS = Path(__file__).parent / "saddle_ends"
GFN2, EMT = CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"}), CalculatorSpec(name="emt")
FMAX = 0.05
ACIDS = {
    "AlMe3_H2O": ("C[Al](C)C", "O"),
    "AlMe3_AcOH": ("C[Al](C)C", "CC(=O)O"),
    "ZnEt2_H2O": ("CC[Zn]CC", "O"),
    "AlMe3_MeNH2": ("C[Al](C)C", "CN"),
}  # a metal alkyl and what gives it a proton; the alkane leaves


class Counted(Calculator):
    """Any calculator, with its calls counted."""

    implemented_properties = ("energy", "forces")

    def __init__(self, spec: CalculatorSpec):
        super().__init__()
        self.inner, self.count = make_calculator(spec), 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Run the calculator inside."""
        super().calculate(atoms, properties, system_changes)
        self.count += 1
        self.inner.calculate(self.atoms, ["energy", "forces"], system_changes)
        self.results = {key: self.inner.results[key] for key in ("energy", "forces")}


def exchange(alkyl: str, acid: str) -> tuple[Atoms, Atoms]:
    """Adduct of a metal alkyl with an acid, and what it becomes with the proton on the alkyl."""
    first, second = (annotate(embed(parse_smiles(smiles)), ADSORBATE) for smiles in (alkyl, acid))
    metal = next(i for i, symbol in enumerate(first.symbols) if symbol in ("Al", "Zn"))
    donor = next(i for i, symbol in enumerate(second.symbols) if symbol in ("O", "N"))
    first.arrays["formal_charge"][metal] = 2
    first.positions -= first.positions[metal]
    second.positions -= second.positions[donor]
    normal = np.linalg.svd(first.positions)[2][-1]
    if np.linalg.norm(second.positions.mean(axis=0)) > 1e-3:
        second.rotate(second.positions.mean(axis=0), normal)
    second.positions += 3.0 * normal
    calculator = make_calculator(GFN2)
    meeting = first + second
    meeting.set_cell([30, 30, 30])
    adduct = apply_springs(meeting, [(metal, len(first) + donor)], arriving=len(first))
    adduct = relax_one(adduct, calculator, 0.02, 400)[0]
    bonded = bond_matrix(adduct)
    acidic = [
        (hydrogen, partner)
        for hydrogen in np.flatnonzero(adduct.numbers == 1)
        for partner in np.flatnonzero(bonded[hydrogen])
        if adduct.symbols[partner] in ("O", "N")
    ]
    carbons = [i for i in np.flatnonzero(bonded[metal]) if i < len(first)]
    (proton, partner), carbon = min(
        ((pair, carbon) for pair in acidic for carbon in carbons), key=lambda c: adduct.get_distance(c[0][0], c[1])
    )
    forms, breaks = [(int(carbon), int(proton))], [(metal, int(carbon)), (int(partner), int(proton))]
    product = apply_springs(adduct, forms, breaks)
    product.info = {"formed": forms, "broken": breaks}
    return adduct, relax_one(product, calculator, 0.02, 400)[0]


def hop() -> tuple[Atoms, Atoms]:
    """A gold atom in two neighbouring hollows of Al(100)."""
    ends = []
    for offset in (0, 1):
        slab = fcc100("Al", (2, 2, 3), vacuum=8)
        add_adsorbate(slab, "Au", 1.7, "hollow", offset=(offset, 0))
        slab.set_constraint(FixAtoms(range(8)))
        ends.append(relax_one(slab, make_calculator(EMT), 0.02, 400)[0])
    return tuple(ends)


def dissociation() -> tuple[Atoms, Atoms]:
    """N2 flat on a bridge of Cu(111), and its two atoms in hollows."""
    ends = []
    for together in (True, False):
        slab = fcc111("Cu", (3, 3, 2), vacuum=8)
        slab.set_constraint(FixAtoms(range(9)))
        if together:
            n2 = molecule("N2")
            n2.rotate(90, "y")
            add_adsorbate(slab, n2, 2.0, "bridge")
        else:
            add_adsorbate(slab, "N", 1.2, "fcc")
            add_adsorbate(slab, "N", 1.2, "hcp")
        ends.append(relax_one(slab, make_calculator(EMT), 0.02, 400)[0])
    return tuple(ends)


REACTIONS = {name: (GFN2, lambda pair=pair: exchange(*pair)) for name, pair in ACIDS.items()}
REACTIONS |= {"Au_on_Al100": (EMT, hop), "N2_on_Cu111": (EMT, dissociation)}


def store_ends(name: str) -> None:
    """Make the two ends of a reaction and write them."""
    ends = []
    for made in REACTIONS[name][1]():
        atoms = Atoms(made.symbols, made.positions, pbc=made.pbc, constraint=made.constraints)
        atoms.cell = made.cell if made.pbc.any() else None
        ends.append(atoms)
    ENDS.mkdir(exist_ok=True)
    write(ENDS / f"{name}.extxyz", ends, format="extxyz")


def run_recipe(ends: list[Atoms], spec: CalculatorSpec, images: int, steps: int) -> dict:
    """ASE: IDPP, climbing NEB, FIRE."""
    band = [ends[0].copy(), *(ends[0].copy() for _ in range(images)), ends[1].copy()]
    neb = NEB(band, climb=True, method="improvedtangent")
    neb.interpolate("idpp")
    for atoms in band:
        atoms.calc = Counted(spec)
    start = time.process_time()
    converged = FIRE(neb, logfile=None).run(fmax=FMAX, steps=steps)
    energies = np.array([atoms.get_potential_energy() for atoms in band])
    return {
        "converged": bool(converged),
        "force_calls": sum(atoms.calc.count for atoms in band),
        "barrier_eV": float(energies.max() - energies[0]),
        "cpu_s": round(time.process_time() - start, 1),
    }


def run_tight(ends: list[Atoms], spec: CalculatorSpec) -> dict:
    """ASE without regard to cost: relaxed ends, a band that is first pulled straight and then climbs."""
    band = [ends[0].copy(), *(ends[0].copy() for _ in range(9)), ends[1].copy()]
    for atoms in band:
        atoms.calc = Counted(spec)
    for atoms in (band[0], band[-1]):
        BFGS(atoms, logfile=None).run(fmax=0.005, steps=500)
    neb = NEB(band, k=1.0, method="improvedtangent")
    neb.interpolate("idpp")
    FIRE(neb, logfile=None, maxstep=0.05).run(fmax=0.3, steps=300)
    neb.climb = True
    converged = NEBOptimizer(neb, logfile=None).run(fmax=0.02, steps=600)
    energies = np.array([atoms.get_potential_energy() for atoms in band])
    calls = sum(atoms.calc.count for atoms in band)
    return {"converged": bool(converged), "force_calls": calls, "barrier_eV": float(energies.max() - energies[0])}


def run_qdsurf(name: str, ends: list[Atoms], spec: CalculatorSpec, figure: Path | None) -> dict:
    """Find and verify, and draw what was found."""
    calculator = Counted(spec)
    start = time.process_time()
    path, result = find_saddle(*ends, calculator, fmax=FMAX)
    assert calculator.count == result["force_calls"]["total"], "a force call was not counted"
    if figure:
        write_figure(plot_saddle(path, result, name.replace("_", " and "), "way over the saddle"), figure)
    kept = "status", "reason", "barrier_eV", "imaginary_modes_cm", "moved_atoms", "force_calls"
    return {key: result[key] for key in kept} | {"cpu_s": round(time.process_time() - start, 1)}


def main() -> None:
    """Run the reactions, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(REACTIONS), metavar="NAME", help=", ".join(REACTIONS))
    parser.add_argument("--images", type=int, default=7, help="moving images of the recipe")
    parser.add_argument("--steps", type=int, default=400, help="of the recipe, at most")
    parser.add_argument("--ends", action="store_true", help="make the ends anew")
    parser.add_argument("--tight", action="store_true", help="also a band to tight tolerance")
    parser.add_argument("--own", action="store_true", help="leave the recipe out")
    parser.add_argument("--figure", type=Path, help="draw the last reaction, as .png or .svg")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    rows = {}
    for name in arguments.names:
        spec = REACTIONS[name][0]
        if arguments.ends:
            store_ends(name)
        ends = read(ENDS / f"{name}.extxyz", ":")
        own = run_qdsurf(name, ends, spec, arguments.figure)
        row = {"qdsurf": own}
        if not arguments.own:
            row["recipe"] = run_recipe(ends, spec, arguments.images, arguments.steps)
            row["ratio"] = own["force_calls"]["total"] / row["recipe"]["force_calls"]
        if arguments.tight:
            row["tight"] = run_tight(ends, spec)
        rows[name] = row
        print(name, json.dumps(row), flush=True)
    if arguments.json:
        print(json.dumps({"images": arguments.images, "steps": arguments.steps, "reactions": rows}))


if __name__ == "__main__":
    main()
