"""Compute the reference energies of structures/reference/gas_reactions.yaml, and the errors of xTB against them.

Each molecule is embedded by RDKit from its SMILES (or read from its file), every conformer is relaxed with GFN2-xTB,
and the lowest one that kept its bonds gets one single point with a range-separated hybrid. `--relax` adds the energy
of a relaxation with PBE0: without it the geometries of GFN2-xTB limit the reference (EtZnOH, which GFN2-xTB bends at
Zn, falls by 0.35 eV). `--write` puts the energies, and the geometries that are files, back beside the YAML; names,
stoichiometry, sigma_eV and what follows " | " in a source are kept as they stand. Results are cached as they come, so
a run that is stopped goes on. On one core allow 45 minutes, 20 more for `--relax` and 10 for `--checks`.

    pip install -e '.[reference]'
    OMP_NUM_THREADS=1 python benchmarks/reference_reactions.py [--relax] [--checks] [--write] [--json]
"""

import argparse
import hashlib
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import yaml
from ase import Atoms
from ase.data import covalent_radii
from ase.io import read, write
from ase.optimize import BFGS, LBFGS
from ase.units import Bohr, Hartree

from qdsurf.records import Molecule, ReferenceReaction, ReferenceSet

FILE = Path(__file__).parents[1] / "structures/reference/gas_reactions.yaml"
FUNCTIONAL = "wb97m-v"  # 10.1063/1.4952647: among the best hybrids for both thermochemistry and weak binding
BASIS = "def2-tzvp"  # with the def2 ECPs for Cd, Cs and Pb
LEVEL = "wB97M-V/def2-TZVP//GFN2-xTB"
RELAXED_LEVEL = f"{LEVEL}, and relaxation with PBE0/def2-SVP"
GEOMETRY = "GFN2-xTB"
METHODS = ("GFN2-xTB", "GFN1-xTB")
FMAX_EV_PER_A = 0.01
DFT_FMAX_EV_PER_A, DFT_STEPS = 0.1, 8
CONFORMERS = 8
SCF_GRID, ENERGY_GRID, NLC_GRID = 1, 3, 1  # PySCF's grid levels
CHECKED_BASIS = ("tma_nh3", "tma_h2o_exchange")
CHECKED_GEOMETRY = ("tma_h2o_exchange", "dez_h2o_exchange")
HEADER = """\
# Gas-phase reactions with trusted electronic energies (no zero point), negative is exothermic.
# Written by benchmarks/reference_reactions.py --write; what follows " | " and the sigmas are ours.
# Symmetry numbers are those of the skeleton with freely rotating methyl groups.
"""


class Cache:
    """One JSON file per result, in a folder.

    Parameters
    ----------
    folder
        Where the files lie; made when it is missing.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, function, *key: object) -> dict:
        """Return the stored result of `key`, or what `function` returns, with its wall and CPU time in s added."""
        path = self.folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}.json"
        if not path.exists():
            wall, cpu = time.perf_counter(), time.process_time()
            result = function()
            spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
            path.write_text(json.dumps(result | spent))
        return json.loads(path.read_text())


def bond_graph(atoms: Atoms) -> set[tuple[int, int]]:
    """Return the bonded pairs of atoms, those closer than 1.3 sums of covalent radii (10.1039/b801115j).

    That holds a dative bond at the length xTB gives it (Zn-N 2.44 A, 1.26). Taken out again are the carbon or
    hydrogen that a metal meets across an atom it is bonded to (Ti...C of an amide, M...C of a chelate), and what lies
    beside caesium, whose radius covers neighbours that it does not bind.
    """
    radii = covalent_radii[atoms.numbers]
    near = atoms.get_all_distances() < 1.3 * np.add.outer(radii, radii)
    np.fill_diagonal(near, False)
    light = np.isin(atoms.numbers, (1, 6))
    donor = np.isin(atoms.numbers, (7, 8, 16, 34, 35))
    metal = ~light & ~donor
    across = (near[:, donor].astype(int) @ near[donor]) > 0
    not_bonds = (metal[:, None] & light & across) | ((atoms.numbers == 55)[:, None] & ~donor)
    near &= ~(not_bonds | not_bonds.T)
    return {(int(i), int(j)) for i, j in np.argwhere(np.triu(near))}


def embed(molecule: Molecule, conformers: int = CONFORMERS) -> list[tuple[Atoms, set[tuple[int, int]]]]:
    """Return starting geometries of a molecule, each with the bonds that it must keep.

    Parameters
    ----------
    molecule
        With SMILES, or with a file whose source names the SMILES of its bonds: RDKit's distance geometry with fixed
        seeds. With a file alone: the file, whose own bonds count.
    conformers
        Number of embeddings to try.
    """
    smiles = molecule.smiles or molecule.source.partition("SMILES ")[2]
    if not smiles:
        atoms = read(FILE.parent / molecule.geometry)
        return [(atoms, bond_graph(atoms))]
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    graph = Chem.AddHs(Chem.MolFromSmiles(smiles))
    bonds = {tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in graph.GetBonds()}
    seeds = rdDistGeom.EmbedMultipleConfs(graph, conformers, randomSeed=1, useRandomCoords=True)
    symbols = [atom.GetSymbol() for atom in graph.GetAtoms()]
    return [(Atoms(symbols, graph.GetConformer(seed).GetPositions()), bonds) for seed in seeds]


def relax(atoms: Atoms, method: str) -> dict:
    """Relax a copy of a molecule with tblite.

    Returns
    -------
    dict
        `symbols`, `positions` (A), `energy_eV`, and `converged`.
    """
    from tblite.ase import TBLite

    atoms = atoms.copy()
    atoms.calc = TBLite(method=method, electronic_temperature=300, verbosity=0)
    with LBFGS(atoms, logfile=None) as optimizer:
        converged = bool(optimizer.run(FMAX_EV_PER_A, 500))
    return {
        "symbols": atoms.get_chemical_symbols(),
        "positions": atoms.positions.tolist(),
        "energy_eV": float(atoms.get_potential_energy()),
        "converged": converged,
    }


def find_minimum(molecule: Molecule, starts: list[tuple[Atoms, set]], method: str) -> dict:
    """Relax every start and return the lowest that converged, preferring those that kept their bonds.

    The result is that of `relax`, with `kept` (bonds unchanged), `conformers` that kept them, and `spread_eV` of those.
    """
    from tblite.exceptions import TBLiteRuntimeError

    found, lost = [], []
    for start, bonds in starts:
        try:
            result = relax(start, method)
        except TBLiteRuntimeError:  # the SCF failed from this start: others remain
            continue
        kept = bond_graph(as_atoms(result)) == bonds
        if result["converged"]:
            (found if kept else lost).append(result | {"kept": kept})
    if not found and not lost:
        raise RuntimeError(f"{molecule.name}: none of {len(starts)} starts relaxed with {method}")
    energies = [result["energy_eV"] for result in found or lost]
    spread = max(energies) - min(energies)
    return min(found or lost, key=lambda r: r["energy_eV"]) | {"conformers": len(found), "spread_eV": spread}


def as_atoms(result: dict) -> Atoms:
    """Return the geometry in a result of `relax`."""
    return Atoms(result["symbols"], result["positions"])


def build_mole(atoms: Atoms, basis: str | dict):
    """Return the PySCF molecule, with def2 ECPs where the element has one."""
    from pyscf import gto

    geometry = list(zip(atoms.get_chemical_symbols(), atoms.positions, strict=True))
    ecp = dict.fromkeys(set(atoms.get_chemical_symbols()) & {"Cd", "Cs", "Pb"}, "def2-tzvp")
    return gto.M(atom=geometry, basis=basis, ecp=ecp, verbose=0, max_memory=8000)


def converge(mole, tolerance_hartree: float, guess: np.ndarray | None = None):
    """Return PySCF's converged Kohn-Sham object, on the coarse grid and without the nonlocal correlation."""
    from pyscf import dft

    mean_field = dft.RKS(mole, xc=FUNCTIONAL).density_fit()
    mean_field.nlc, mean_field.conv_tol, mean_field.grids.level = 0, tolerance_hartree, SCF_GRID
    mean_field.kernel(guess)
    if not mean_field.converged:
        raise RuntimeError(f"{mole.elements}: the SCF did not converge")
    return mean_field


def single_point(atoms: Atoms, basis: str | dict = BASIS) -> dict:
    """Return the electronic energy of a closed-shell molecule.

    The SCF runs on a coarse grid without the nonlocal correlation; one evaluation on a fine grid and VV10 with the
    converged density follow. The density enters at second order: 5e-8 Hartree for AlMe3, in half the time.

    Returns
    -------
    dict
        `energy_eV`, and `functions`, the size of the basis.
    """
    from pyscf import dft, scf

    mole = build_mole(atoms, basis)
    guess = None
    if mole.nao > 250:  # a converged small basis saves half the cycles of the large one
        small = build_mole(atoms, "def2-svp")
        guess = scf.addons.project_dm_nr2nr(small, converge(small, 1e-5).make_rdm1(), mole)
    mean_field = converge(mole, 1e-6, guess)
    density = mean_field.make_rdm1()
    mean_field.grids = dft.gen_grid.Grids(mole).set(level=ENERGY_GRID)
    energy = mean_field.energy_tot(density, vhf=mean_field.get_veff(mole, density))
    grid = dft.gen_grid.Grids(mole).set(level=NLC_GRID).build()
    nonlocal_energy = mean_field._numint.nr_nlc_vxc(mole, grid, FUNCTIONAL, density)[1]
    return {"energy_eV": float(energy + nonlocal_energy) * Hartree, "functions": int(mole.nao)}


def find_hessian(atoms: Atoms) -> np.ndarray:
    """Return the second derivatives of GFN2-xTB by central differences, eV/A^2, shape (3n, 3n)."""
    from tblite.ase import TBLite

    atoms = atoms.copy()
    atoms.calc = TBLite(method=GEOMETRY, electronic_temperature=300, verbosity=0)
    step, rows, start = 0.01, [], atoms.positions.copy()
    for index in np.ndindex(start.shape):
        forces = []
        for sign in (1, -1):
            atoms.positions = start
            atoms.positions[index] += sign * step
            forces.append(atoms.get_forces().ravel())
        rows.append((forces[1] - forces[0]) / (2 * step))
    hessian = np.array(rows)
    return (hessian + hessian.T) / 2


def relax_dft(atoms: Atoms) -> dict:
    """Relax with PBE0/def2-SVP from a GFN2-xTB minimum and its Hessian.

    What GFN2-xTB gets wrong are bonds to metals (Al-O by 0.04 A, Zn-C of EtZnOH by 0.07 A), stiff modes, which few
    steps of BFGS settle where the Hessian is known; 0.5 eV/A^2 is added to it so that soft modes move slowly. Gradients
    take a coarse grid, energies of both ends a finer one.

    Returns
    -------
    dict
        As `relax`, with `relaxation_eV` (energy of the end over that of the start, negative) and `steps`.
    """
    from ase.calculators.calculator import Calculator, all_changes
    from pyscf import dft

    def solve(atoms: Atoms, level: int, guess: np.ndarray | None = None):
        mean_field = dft.RKS(build_mole(atoms, "def2-svp"), xc="pbe0").density_fit().set(conv_tol=1e-6)
        mean_field.grids.level = level
        mean_field.kernel(guess)
        return mean_field

    class PBE0(Calculator):
        implemented_properties = ("energy", "forces")
        density = None

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            mean_field = solve(atoms, 0, self.density)
            self.density = mean_field.make_rdm1()
            gradient = mean_field.nuc_grad_method().kernel()
            self.results = {"energy": float(mean_field.e_tot) * Hartree, "forces": -gradient * Hartree / Bohr}

    hessian = find_hessian(atoms) + 0.5 * np.eye(3 * len(atoms))
    atoms = atoms.copy()
    atoms.calc = PBE0()
    first = solve(atoms, SCF_GRID)
    atoms.calc.density = first.make_rdm1()
    with BFGS(atoms, logfile=None, maxstep=0.15) as optimizer:
        optimizer.H0 = hessian
        converged = bool(optimizer.run(DFT_FMAX_EV_PER_A, DFT_STEPS))
    last = solve(atoms, SCF_GRID, atoms.calc.density)
    return {
        "symbols": atoms.get_chemical_symbols(),
        "positions": atoms.positions.tolist(),
        "energy_eV": float(last.e_tot) * Hartree,
        "relaxation_eV": float(last.e_tot - first.e_tot) * Hartree,
        "steps": int(optimizer.nsteps),
        "converged": converged,
    }


def large_basis(atoms: Atoms) -> dict[str, str]:
    """Return def2-QZVPP on the heavy atoms and def2-TZVPP on hydrogen."""
    return {symbol: "def2-tzvpp" if symbol == "H" else "def2-qzvpp" for symbol in set(atoms.get_chemical_symbols())}


def reaction_energy(reaction: ReferenceReaction, energies: dict[str, float]) -> float:
    """Return the sum of coefficient times energy, in eV."""
    return sum(coefficient * energies[name] for name, coefficient in reaction.stoichiometry.items())


def check_balance(reference: ReferenceSet, minima: dict[str, dict]) -> None:
    """Raise ValueError where a reaction does not conserve its atoms."""
    for reaction in reference.reactions:
        total: dict[str, int] = {}
        for name, coefficient in reaction.stoichiometry.items():
            for symbol in minima[name]["symbols"]:
                total[symbol] = total.get(symbol, 0) + coefficient
        if any(total.values()):
            raise ValueError(f"{reaction.name}: not balanced, { ({k: v for k, v in total.items() if v}) } left over")


def check_level(
    reference: ReferenceSet, minima: dict[str, dict], relaxed: dict[str, dict], energies: dict[str, float], cache: Cache
) -> dict:
    """Return how far the energies of a few reactions move, in eV.

    `single_point_at_dft_geometry_eV` takes the single point at the PBE0/def2-SVP geometry; `larger_basis_eV` takes
    def2-QZVPP on heavy atoms and def2-TZVPP on hydrogen.
    """
    tests = {"single_point_at_dft_geometry_eV": CHECKED_GEOMETRY, "larger_basis_eV": CHECKED_BASIS}
    shifts: dict[str, dict[str, float]] = {}
    for label, names in tests.items():
        for reaction in (reaction for reaction in reference.reactions if reaction.name in names):
            moved = {}
            for name in reaction.stoichiometry:
                if label == "larger_basis_eV":
                    atoms = as_atoms(minima[name])
                    basis = large_basis(atoms)
                    found = cache(
                        lambda a=atoms, b=basis: single_point(a, b), FUNCTIONAL, "larger", minima[name]["positions"]
                    )
                    moved[name] = found["energy_eV"] + relaxed[name]["relaxation_eV"]
                else:
                    start = minima[name]
                    geometry = cache(lambda s=start: relax_dft(as_atoms(s)), "pbe0", DFT_STEPS, start["positions"])
                    atoms = as_atoms(geometry)
                    found = cache(lambda a=atoms: single_point(a), FUNCTIONAL, BASIS, geometry["positions"])
                    moved[name] = found["energy_eV"]
            shift = reaction_energy(reaction, moved) - reaction_energy(reaction, energies)
            shifts.setdefault(label, {})[reaction.name] = shift
            print(f"{reaction.name}: {label} {shift:+.3f}", flush=True)
    return shifts


def summarise(errors: dict[str, float]) -> dict[str, float | int]:
    """Return number, mean, root mean square and largest (by magnitude) of signed errors in eV."""
    values = np.array(list(errors.values()))
    return {
        "number": len(values),
        "mean_eV": float(values.mean()),
        "rms_eV": float(np.sqrt((values**2).mean())),
        "largest_eV": float(values[np.abs(values).argmax()]),
    }


def write_set(reference: ReferenceSet, relaxed: dict[str, dict], energies: dict[str, float], level: str) -> None:
    """Write the energies into the YAML, and the geometries that are files beside it."""
    programs = ", ".join(f"{name} {version(name)}" for name in ("pyscf", "tblite", "ase", "rdkit"))
    made = f"benchmarks/reference_reactions.py --write; {programs}"
    data = reference.model_dump(exclude_defaults=True)
    for record in data["reactions"]:
        reaction = next(r for r in reference.reactions if r.name == record["name"])
        _, bar, note = record["source"].partition(" | ")
        record |= {"energy_eV": round(reaction_energy(reaction, energies), 3), "level": level}
        record["source"] = made + bar + note
    for molecule in reference.molecules:
        if molecule.geometry:
            note = f"{molecule.name}, {'PBE0/def2-SVP' if level == RELAXED_LEVEL else GEOMETRY}"
            write(FILE.parent / molecule.geometry, as_atoms(relaxed[molecule.name]), format="xyz", comment=note)
    data = {key: [dict(record) for record in data[key]] for key in ("molecules", "reactions")}
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=118, allow_unicode=True)
    FILE.write_text(HEADER + text)


def run(arguments: argparse.Namespace) -> dict:
    """Compute what is not cached, print the tables, and return them."""
    cache = Cache(arguments.cache)
    reference = ReferenceSet.model_validate(yaml.safe_load(FILE.read_text()))
    starts = {molecule.name: embed(molecule) for molecule in reference.molecules}
    minima: dict[str, dict[str, dict]] = {method: {} for method in METHODS}
    for method in METHODS:
        for molecule in reference.molecules:
            if method == GEOMETRY:
                begin = starts[molecule.name]
            else:  # re-relaxed from the geometry of the reference: the same conformer, whatever becomes of it
                atoms = as_atoms(minima[GEOMETRY][molecule.name])
                begin = [(atoms, bond_graph(atoms))]
            key = [(a.get_chemical_symbols(), a.positions.round(6).tolist()) for a, _ in begin]
            found = cache(lambda m=molecule, b=begin, x=method: find_minimum(m, b, x), method, FMAX_EV_PER_A, key)
            minima[method][molecule.name] = found
            if not found["kept"]:
                print(f"{molecule.name}: bonds changed with {method}", flush=True)
    lowest = minima[GEOMETRY]
    check_balance(reference, lowest)
    points = {}
    for name in sorted(lowest, key=lambda name: len(lowest[name]["symbols"])):
        found = lowest[name]
        points[name] = cache(lambda f=found: single_point(as_atoms(f)), FUNCTIONAL, BASIS, found["positions"])
        print(
            f"{name:16s} {len(found['symbols']):3d} atoms {points[name]['functions']:4d} functions"
            f" {points[name]['wall_s']:6.1f} s  {found['conformers']} conformers within {found['spread_eV']:.3f} eV",
            flush=True,
        )
    relaxed = {name: found | {"relaxation_eV": 0.0, "wall_s": 0.0} for name, found in lowest.items()}
    for name in points if arguments.relax else ():
        atoms = as_atoms(lowest[name])
        found = cache(lambda a=atoms: relax_dft(a), "pbe0", DFT_STEPS, lowest[name]["positions"])
        kept = bond_graph(as_atoms(found)) == bond_graph(atoms)
        print(
            f"{name:16s} PBE0 relaxation {found['relaxation_eV']:+.3f} eV in {found['steps']} steps,"
            f" {found['wall_s']:.0f} s{'' if kept else '  BONDS CHANGED'}",
            flush=True,
        )
        relaxed[name] = found
    energies = {name: point["energy_eV"] + relaxed[name]["relaxation_eV"] for name, point in points.items()}
    raw = {method: {name: found["energy_eV"] for name, found in minima[method].items()} for method in METHODS}
    rows = []
    for reaction in reference.reactions:
        value = reaction_energy(reaction, energies)
        row = {"reaction": reaction.name, "kind": reaction.kind, "reference_eV": value}
        row["relaxation_eV"] = reaction_energy(reaction, {n: r["relaxation_eV"] for n, r in relaxed.items()})
        for method in METHODS:
            row[f"{method}_error_eV"] = reaction_energy(reaction, raw[method]) - value
            row[f"{method}_bonds_kept"] = all(minima[method][name]["kept"] for name in reaction.stoichiometry)
        rows.append(row)
    print(
        f"\n{'reaction':26s} {'kind':9s} {'reference':>10s} {'(relaxation)':>13s}"
        + "".join(f"{m + ' error':>17s}" for m in METHODS)
        + "  eV"
    )
    for row in rows:
        marks = ("" if row[f"{m}_bonds_kept"] else "*" for m in METHODS)
        ends = "".join(f"{row[f'{m}_error_eV']:+16.3f}{mark or ' '}" for m, mark in zip(METHODS, marks, strict=True))
        print(
            f"{row['reaction']:26s} {row['kind']:9s} {row['reference_eV']:+10.3f} {row['relaxation_eV']:+13.3f}{ends}"
        )
    summary = {
        method: {
            kind: summarise({r["reaction"]: r[f"{method}_error_eV"] for r in rows if kind in ("all", r["kind"])})
            for kind in [*sorted({row["kind"] for row in rows}), "all"]
        }
        for method in METHODS
    }
    for method, kinds in summary.items():
        for kind, values in kinds.items():
            print(
                f"{method} {kind:9s} n {values['number']:2d}  mean {values['mean_eV']:+.3f}  rms {values['rms_eV']:.3f}"
                f"  largest {values['largest_eV']:+.3f} eV"
            )
    print("* a molecule of the reaction lost or gained a bond in this method's relaxation")
    if arguments.write:
        write_set(reference, relaxed, energies, RELAXED_LEVEL if arguments.relax else LEVEL)
    result = {
        "level": RELAXED_LEVEL if arguments.relax else LEVEL,
        "reactions": rows,
        "summary": summary,
        "wall_s": {
            "single_points": sum(point["wall_s"] for point in points.values()),
            "dft_relaxations": sum(found["wall_s"] for found in relaxed.values()),
            **{method: sum(found["wall_s"] for found in minima[method].values()) for method in METHODS},
        },
    }
    if arguments.checks:
        result["checks"] = check_level(reference, lowest, relaxed, energies, cache)
        print(yaml.safe_dump(result["checks"]))
    return result


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the energies into the YAML")
    parser.add_argument("--relax", action="store_true", help="add the relaxation energy with PBE0/def2-SVP")
    parser.add_argument("--checks", action="store_true", help="also test basis and geometry on a few reactions")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "qdsurf_reference",
        help="folder of the results so far (default: %(default)s)",
    )
    arguments = parser.parse_args()
    result = run(arguments)
    if arguments.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
