"""Force calls to a transition state: qdsurf beside Sella and the climbing-image NEB of ASE, between the same minima.

    python benchmarks/saddle.py [NAME ...] [--own] [--ends] [--figure FILE] [--json]

The end points are `benchmarks/saddle_ends/NAME.extxyz`, relaxed to 0.02 eV/A. `--ends` computes them again from SMILES:
springs bring the molecules together, and springs along the changing bonds make the product.

All programs get the two end points and a largest force of 0.05 eV/A at the saddle point:

qdsurf      `find_saddle`: initial path, eigenvector following, partial Hessian, relaxation to both sides
sella_idpp  Sella from the highest of 7 images of the IDPP path of ASE
sella_path  Sella from the highest image of the geodesic path of qdsurf
neb         7 images, IDPP, without climbing to 0.5 eV/A, then climbing, both with ASE's NEBOptimizer
neb_fire    7 images, IDPP, climbing from the start, with FIRE: the recipe of many tutorials

Sella uses internal coordinates for molecules and Cartesian coordinates for slabs. Every force call counts, also those
of the images from which the highest is selected. The NEB and Sella are limited to `STEPS` steps. Sella begins with a
random vector; it runs `SEEDS` times, and the run with the median number of calls counts.

qdsurf verifies its saddle points, the libraries do not. Therefore the saddle points of all programs are checked here by
the same procedure, without code of qdsurf: the Hessian of all free atoms must have one negative eigenvalue, and
relaxations to both sides along its eigenvector must give the bonds of the two end points. If qdsurf returns a path with
several saddle points, each is checked against the minima beside it. The calls of this check are listed separately.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc100, fcc111, molecule
from ase.constraints import FixAtoms
from ase.io import read, write
from ase.mep import NEB
from ase.mep.neb import NEBOptimizer
from ase.neighborlist import natural_cutoffs
from ase.optimize import BFGS, FIRE
from measuring import CountedCalculator, is_installed

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, annotate
from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.atomistic.molecules import embed, parse_smiles
from qdsurf.atomistic.spring_model import apply_springs
from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_one
from qdsurf.report.figures.saddle import plot_saddle
from qdsurf.report.figures.style import write_figure
from qdsurf.saddles.interpolation import geodesic_path
from qdsurf.saddles.search import find_saddle

ENDS = Path(__file__).parent / "saddle_ends"
GFN2, EMT = CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"}), CalculatorSpec(name="emt")
FMAX = 0.05
IMAGES = 7
STEPS = 400
SEEDS = 3
ROUGH_FMAX = 0.5  # of the band before an image climbs
# Check of a saddle point.
DISPLACEMENT_A = 0.01  # central differences
NEGATIVE_EV_PER_A2 = -0.1  # eigenvalues above this are rotations and soft torsions within the error of the forces
PUSH_A = 0.2  # displacement of the atom that moves farthest
QUENCH_FMAX, QUENCH_STEPS = 0.02, 500
# Bond and no bond, in units of the sum of the covalent radii. A pair in between counts as unchanged.
BONDED, NOT_BONDED = 1.15, 1.45
JOINS_BOTH = "joins both"
MakeCalculator = Callable[[], CountedCalculator]
ACIDS = {
    "AlMe3_H2O": ("C[Al](C)C", "O"),
    "AlMe3_AcOH": ("C[Al](C)C", "CC(=O)O"),
    "ZnEt2_H2O": ("CC[Zn]CC", "O"),
    "AlMe3_MeNH2": ("C[Al](C)C", "CN"),
}  # metal alkyl and proton donor; an alkane leaves


def exchange(alkyl: str, acid: str) -> tuple[Atoms, Atoms]:
    """Make the adduct of a metal alkyl with an acid, and the product with the proton on the alkyl group."""
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
    adduct = relax_one(adduct, calculator, 0.02, 400).atoms
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
    return adduct, relax_one(product, calculator, 0.02, 400).atoms


def hop() -> tuple[Atoms, Atoms]:
    """Make a gold atom in two adjacent hollow sites of Al(100)."""
    ends = []
    for offset in (0, 1):
        slab = fcc100("Al", (2, 2, 3), vacuum=8)
        add_adsorbate(slab, "Au", 1.7, "hollow", offset=(offset, 0))
        slab.set_constraint(FixAtoms(range(8)))
        ends.append(relax_one(slab, make_calculator(EMT), 0.02, 400).atoms)
    return tuple(ends)


def dissociation() -> tuple[Atoms, Atoms]:
    """Make N2 flat on a bridge site of Cu(111), and its two atoms in hollow sites."""
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
        ends.append(relax_one(slab, make_calculator(EMT), 0.02, 400).atoms)
    return tuple(ends)


REACTIONS = {name: (GFN2, lambda pair=pair: exchange(*pair)) for name, pair in ACIDS.items()}
REACTIONS |= {"Au_on_Al100": (EMT, hop), "N2_on_Cu111": (EMT, dissociation)}


def store_ends(name: str) -> None:
    """Compute the two end points of a reaction and write them."""
    ends = []
    for made in REACTIONS[name][1]():
        atoms = Atoms(made.symbols, made.positions, pbc=made.pbc, constraint=made.constraints)
        atoms.cell = made.cell if made.pbc.any() else None
        ends.append(atoms)
    ENDS.mkdir(exist_ok=True)
    write(ENDS / f"{name}.extxyz", ends, format="extxyz")


def run_qdsurf(name: str, ends: list[Atoms], make: MakeCalculator, figure: Path | None) -> dict[str, Any]:
    """Find and verify a saddle point with qdsurf, and draw the profile if a file is given."""
    calculator = make()
    result = find_saddle(*ends, calculator, fmax=FMAX)
    assert calculator.calls == result.force_calls["total"], "a force call was not counted"
    if figure:
        write_figure(plot_saddle(result.structures, result, name.replace("_", " and "), "energy profile"), figure)
    path = result.structures
    is_saddle = [str(annotation.noted(atoms, "state", "")).startswith("saddle") for atoms in path]
    calls = result.force_calls
    return {
        "converged": result.status == "verified",
        "calls_of_path": calls["ends"] + calls.get("path", 0),
        "calls_to_find": calls["total"] - calls.get("hessian", 0) - calls.get("downhill", 0),
        "calls_with_own_verification": calls["total"],
        "own_verification": f"{result.status}: {result.reason}",
        "barrier_eV": result.barrier_eV,
        "saddles": [(path[k], path[k - 1], path[k + 1]) for k in range(len(path)) if is_saddle[k]],
    }


def idpp_band(ends: list[Atoms]) -> list[Atoms]:
    """Interpolate between the end points with the image-dependent pair potential."""
    band = [ends[0].copy(), *(ends[0].copy() for _ in range(IMAGES)), ends[1].copy()]
    NEB(band).interpolate("idpp", mic=bool(ends[0].pbc.any()))
    return band


def run_sella(path: list[Atoms], ends: list[Atoms], make: MakeCalculator) -> dict[str, Any]:
    """Optimise the highest image of a path to a saddle point of first order with Sella."""
    from sella import Sella

    energies = []
    calculator = make()
    for image in path:
        image.calc = calculator
        energies.append(image.get_potential_energy())
    atoms = path[1 + int(np.argmax(energies[1:-1]))].copy()
    atoms.calc = calculator
    optimiser = Sella(atoms, order=1, internal=not atoms.pbc.any(), logfile=None)
    converged = optimiser.run(fmax=FMAX, steps=STEPS)
    barrier = atoms.get_potential_energy() - energies[0]
    saddles = [(atoms, *ends)]
    return {"converged": bool(converged), "barrier_eV": barrier, "saddles": saddles, "calls_of_path": len(path)}


def run_neb(ends: list[Atoms], make: MakeCalculator, staged: bool) -> dict[str, Any]:
    """Relax a band with ASE.

    Staged: first without a climbing image, with NEBOptimizer. Otherwise climbing from the start, with FIRE.
    """
    band = idpp_band(ends)
    for atoms in band:
        atoms.calc = make()
    neb = NEB(band, climb=not staged, method="improvedtangent")
    steps = 0
    if staged:
        rough = NEBOptimizer(neb, logfile=None)
        rough.run(fmax=ROUGH_FMAX, steps=STEPS)
        steps = rough.nsteps
        neb.climb = True
    optimiser = NEBOptimizer(neb, logfile=None) if staged else FIRE(neb, logfile=None)
    converged = optimiser.run(fmax=FMAX, steps=STEPS - steps)
    energies = [atoms.get_potential_energy() for atoms in band]
    top = int(np.argmax(energies))
    barrier = energies[top] - energies[0]
    return {"converged": bool(converged), "barrier_eV": barrier, "saddles": [(band[top], *ends)]}


def programs(name: str, ends: list[Atoms], figure: Path | None) -> dict[str, Callable[[MakeCalculator], dict]]:
    """Return the call of each program; every calculator that it makes is counted."""
    calls: dict[str, Callable[[MakeCalculator], dict]] = {"qdsurf": lambda make: run_qdsurf(name, ends, make, figure)}
    if is_installed("sella"):
        calls["sella_idpp"] = lambda make: run_sella(idpp_band(ends), ends, make)
        calls["sella_path"] = lambda make: run_sella(geodesic_path(*ends), ends, make)
    calls["neb"] = lambda make: run_neb(ends, make, staged=True)
    calls["neb_fire"] = lambda make: run_neb(ends, make, staged=False)
    return calls


def hessian(atoms: Atoms, free: np.ndarray) -> np.ndarray:
    """Compute the Hessian of the free atoms by central differences, eV/A^2, shape (3 n, 3 n)."""
    rows = []
    work = atoms.copy()
    work.calc = atoms.calc
    for atom in free:
        for axis in range(3):
            forces = []
            for sign in (1, -1):
                work.positions = atoms.positions
                work.positions[atom, axis] += sign * DISPLACEMENT_A
                forces.append(work.get_forces()[free].ravel())
            rows.append((forces[1] - forces[0]) / (2 * DISPLACEMENT_A))
    return (np.array(rows) + np.array(rows).T) / 2


def same_bonds(first: Atoms, second: Atoms) -> bool:
    """Whether no pair of atoms is bonded in one structure and clearly not bonded in the other."""
    radii = np.array(natural_cutoffs(first))
    scaled = [
        atoms.get_all_distances(mic=bool(atoms.pbc.any())) / np.add.outer(radii, radii) for atoms in (first, second)
    ]
    lower, higher = np.minimum(*scaled), np.maximum(*scaled)
    return not ((lower < BONDED) & (higher > NOT_BONDED)).any()


def check_saddle(saddle: Atoms, initial: Atoms, final: Atoms, spec: CalculatorSpec) -> tuple[str, int]:
    """Check a saddle point without code of qdsurf; see the top of this file.

    Returns
    -------
    str
        `JOINS_BOTH`, "other minima", or the number of negative eigenvalues if it is not 1.
    int
        Force calls of the check.
    """
    atoms = Atoms(saddle.symbols, saddle.positions, cell=saddle.cell, pbc=saddle.pbc, constraint=saddle.constraints)
    calculator = CountedCalculator(spec)
    atoms.calc = calculator
    fixed = {index for constraint in atoms.constraints for index in constraint.get_indices()}
    free = np.array([index for index in range(len(atoms)) if index not in fixed])
    values, vectors = np.linalg.eigh(hessian(atoms, free))
    negative = int((values < NEGATIVE_EV_PER_A2).sum())
    if negative != 1:
        return f"{negative} negative eigenvalues", calculator.calls
    mode = vectors[:, 0].reshape(-1, 3)
    mode *= PUSH_A / np.linalg.norm(mode, axis=1).max()
    sides = []
    for sign in (1, -1):
        side = atoms.copy()
        side.calc = calculator
        side.positions[free] += sign * mode
        BFGS(side, logfile=None, maxstep=0.1).run(fmax=QUENCH_FMAX, steps=QUENCH_STEPS)
        sides.append(side)
    orders = ((initial, final), (final, initial))
    joined = any(same_bonds(sides[0], one) and same_bonds(sides[1], other) for one, other in orders)
    return JOINS_BOTH if joined else "other minima", calculator.calls


def check_saddles(saddles: list[tuple[Atoms, Atoms, Atoms]], spec: CalculatorSpec) -> tuple[str, int]:
    """Check all saddle points of a path; returns the first failure, or `JOINS_BOTH`, and the force calls."""
    if not saddles:
        return "no saddle point", 0
    checks = [check_saddle(saddle, initial, final, spec) for saddle, initial, final in saddles]
    failures = [state for state, _ in checks if state != JOINS_BOTH]
    return (failures or [JOINS_BOTH])[0], sum(calls for _, calls in checks)


def run_counted(run: Callable[[MakeCalculator], dict], spec: CalculatorSpec, seed: int) -> dict[str, Any]:
    """Run a program once with counted calculators, and check its saddle points."""
    calculators: list[CountedCalculator] = []

    def make() -> CountedCalculator:
        calculators.append(CountedCalculator(spec))
        return calculators[-1]

    np.random.seed(seed)  # noqa: NPY002  # Sella uses the global generator
    start = time.process_time()
    try:
        row = run(make)
    except Exception as error:  # any exception of a library is a result
        row = {"converged": False, "barrier_eV": None, "saddles": [], "error": f"{type(error).__name__}: {error}"}
    cpu_s = time.process_time() - start
    row.setdefault("calls_to_find", sum(calculator.calls for calculator in calculators))
    row["cpu_s_outside_calculator"] = round(cpu_s - sum(calculator.cpu_s for calculator in calculators), 2)
    row["check"], row["calls_of_check"] = check_saddles(row.pop("saddles"), spec)
    return row


def measure_reaction(name: str, own: bool = False, figure: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return calls, barrier and check of all programs for one reaction."""
    spec = REACTIONS[name][0]
    ends = read(ENDS / f"{name}.extxyz", ":")
    rows = {}
    for program, run in programs(name, ends, figure).items():
        if own and program != "qdsurf":
            continue
        seeds = SEEDS if program.startswith("sella") else 1
        runs = sorted((run_counted(run, spec, seed) for seed in range(seeds)), key=lambda row: row["calls_to_find"])
        rows[program] = runs[seeds // 2] | {"calls_of_all_seeds": [row["calls_to_find"] for row in runs]}
        rows[program]["cpu_s_outside_calculator"] = min(row["cpu_s_outside_calculator"] for row in runs)
    return rows


def measure(names: list[str] | None = None) -> dict[str, Any]:
    """Return the rows of all reactions, with the totals of each program."""
    warnings.filterwarnings("ignore")
    reactions = {name: measure_reaction(name) for name in names or REACTIONS}
    totals = {
        program: {
            "calls_to_find": sum(rows[program]["calls_to_find"] for rows in reactions.values()),
            "converged": sum(rows[program]["converged"] for rows in reactions.values()),
            "joins_both": sum(rows[program]["check"] == JOINS_BOTH for rows in reactions.values()),
            "cpu_s_outside_calculator": sum(rows[program]["cpu_s_outside_calculator"] for rows in reactions.values()),
        }
        for program in next(iter(reactions.values()))
    }
    return {"fmax_eV_per_A": FMAX, "images": IMAGES, "steps": STEPS, "reactions": reactions, "totals": totals}


def print_reaction(name: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print a line per program."""
    for program, row in rows.items():
        barrier = "no barrier" if row["barrier_eV"] is None else f"{row['barrier_eV']:.3f} eV"
        state = "converged" if row["converged"] else row.get("error", "not converged")
        calls = f"{row['calls_to_find']} calls"
        if program == "qdsurf":
            calls += f", {row['calls_with_own_verification']} with verification"
        print(f"{name:<12} {program:<11} {calls}, {barrier}, {state}, {row['check']}", flush=True)


def main() -> None:
    """Measure, print a line per reaction and program, and one JSON object last if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(REACTIONS), metavar="NAME", help=", ".join(REACTIONS))
    parser.add_argument("--ends", action="store_true", help="compute the end points again")
    parser.add_argument("--own", action="store_true", help="run qdsurf only")
    parser.add_argument("--figure", type=Path, help="draw the energy profile of the last reaction, as .png or .svg")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    reactions = {}
    for name in arguments.names:
        if arguments.ends:
            store_ends(name)
        reactions[name] = measure_reaction(name, arguments.own, arguments.figure)
        print_reaction(name, reactions[name])
    if arguments.json:
        print(json.dumps(reactions))


if __name__ == "__main__":
    main()
