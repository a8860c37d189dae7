"""Symmetry operations of slabs and nanocrystals: qdsurf beside spglib, moyopy and pymatgen.

    python benchmarks/symmetry.py [--json]

Slabs: only operations that keep the upper side up are counted, because these map adsorption sites onto each other. Of a
layer group, the operations that exchange the two sides are therefore discarded. Nanocrystals: pymatgen and qdsurf get
the atoms alone. spglib and moyopy need a periodic cell; they get the particle in an enlarged cell of its own crystal,
which has all operations of the particle. This is possible only if the orientation of the crystal is known.

Every structure is analysed as built, and again with random displacements of `SHAKEN_A` along each axis. Times are CPU
times, the shortest of several runs, of the structure as built.
"""

import argparse
import json
import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import spglib
from ase import Atoms
from measuring import is_installed, shortest_cpu_s
from pymatgen.core import Molecule
from pymatgen.symmetry.analyzer import PointGroupAnalyzer

from qdsurf.records import library
from qdsurf.records.systems import find_facet
from qdsurf.surfaces.crystal import bulk_cell
from qdsurf.surfaces.nanocrystal import build_nanocrystal
from qdsurf.surfaces.slab import cut_slab
from qdsurf.surfaces.symmetry import OPEN_A, surface_operations

TOLERANCE_A = 0.1  # as in `find_sites`
SHAKEN_A = 0.02
SAME_ROTATION = 0.1  # largest difference of two matrices of the same rotation
REPEATS = 5
SLABS = (
    "PbS_100_PbS", "PbS_111_Pb", "CdSe_110_CdSe", "CdSe_100_Cd", "CdSe-wz_10-10_CdSe", "CdSe-wz_0001_Cd",
    "CsPbBr3_100_CsBr", "CsPbBr3_110_CsPbBr", "CsPbI3-Pnma_010_PbI2", "InP_110_InP", "ZnO_11-20_ZnO", "HfO2_-111_HfO2",
    "TiO2_101_O", "TiO2-rutile_110_O", "Al2O3_0001_Al", "SiO2_0001_Si", "CeO2_111_O", "CuInSe2_112_CuIn",
    "Ag2Se_001_Ag", "Au_111_Au",
)  # fmt: skip
NANOCRYSTALS = (("PbS", 2.0), ("CdSe", 2.5), ("CdSe-wz", 2.5), ("CsPbBr3", 2.5), ("InP", 4.0))
SLAB_PROGRAMS = ("qdsurf", "spglib", "moyopy")
PARTICLE_PROGRAMS = ("qdsurf", "pymatgen", "spglib", "moyopy")
SpglibCell = tuple[np.ndarray, np.ndarray, np.ndarray]


def make_slab(name: str) -> Atoms:
    """Cut a bare slab of 2 x 2 surface cells and four layers."""
    material, facet = find_facet(name)
    return cut_slab(library.material(material), facet, 4, (2, 2), 15.0, charged=True)


def layer_cell(slab: Atoms) -> SpglibCell:
    """Return lattice, fractional coordinates and atomic numbers of a slab, with the third vector along z."""
    cell = slab.cell.array.copy()
    cell[2] = 0, 0, np.ptp(slab.positions[:, 2]) + OPEN_A
    return cell, slab.positions @ np.linalg.inv(cell), slab.numbers


def enlarged_cell(particle: Atoms, material: str) -> SpglibCell:
    """Return a particle in the conventional cell of its crystal, scaled to be larger than the particle."""
    bulk = bulk_cell(library.material(material)).cell
    cell = bulk.array * (np.ptp(particle.positions, axis=0).max() + OPEN_A) / bulk.lengths().min()
    return cell, (particle.positions - particle.positions.mean(axis=0)) @ np.linalg.inv(cell), particle.numbers


def upward(rotations: np.ndarray) -> np.ndarray:
    """Select the operations that keep the upper side up."""
    rotations = np.asarray(rotations)
    return rotations[rotations[:, 2, 2] == 1]


def qdsurf_operations(atoms: Atoms) -> np.ndarray:
    return np.array([rotation for rotation, _ in surface_operations(atoms, TOLERANCE_A)])


def spglib_slab(cell: SpglibCell) -> np.ndarray:
    return upward(spglib.get_symmetry_layerdataset(cell, symprec=TOLERANCE_A).rotations)


def spglib_particle(cell: SpglibCell) -> np.ndarray:
    return spglib.get_symmetry(cell, symprec=TOLERANCE_A)["rotations"]


def moyopy_cell(cell: SpglibCell) -> Any:
    import moyopy

    return moyopy.Cell(*(part.tolist() for part in cell))


def moyopy_slab(cell: SpglibCell) -> np.ndarray:
    import moyopy

    return upward(moyopy.MoyoLayerDataset(moyopy_cell(cell), symprec=TOLERANCE_A).operations.rotations)


def moyopy_particle(cell: SpglibCell) -> np.ndarray:
    import moyopy

    return np.array(moyopy.MoyoDataset(moyopy_cell(cell), symprec=TOLERANCE_A).operations.rotations)


def pymatgen_particle(molecule: Molecule) -> np.ndarray:
    operations = PointGroupAnalyzer(molecule, tolerance=TOLERANCE_A).get_symmetry_operations()
    return np.array([operation.rotation_matrix for operation in operations])


def is_group(rotations: np.ndarray) -> bool:
    """Whether the product of any two rotations is one of the rotations."""
    products = np.einsum("aij,bjk->abik", rotations, rotations).reshape(-1, 1, 9)
    return bool((np.abs(products - rotations.reshape(1, -1, 9)).max(axis=2).min(axis=1) < SAME_ROTATION).all())


def programs(atoms: Atoms, material: str | None) -> dict[str, Callable[[], np.ndarray]]:
    """Return the call of each program for one structure; the input of each program is prepared here."""
    calls: dict[str, Callable] = {"qdsurf": lambda: qdsurf_operations(atoms)}
    if material is None:
        cell = layer_cell(atoms)
        calls["spglib"] = lambda: spglib_slab(cell)
        calls["moyopy"] = lambda: moyopy_slab(cell)
    else:
        cell = enlarged_cell(atoms, material)
        molecule = Molecule(atoms.get_chemical_symbols(), atoms.positions)
        calls["pymatgen"] = lambda: pymatgen_particle(molecule)
        calls["spglib"] = lambda: spglib_particle(cell)
        calls["moyopy"] = lambda: moyopy_particle(cell)
    if not is_installed("moyopy"):
        del calls["moyopy"]
    return calls


def operations_or_none(run: Callable[[], np.ndarray]) -> np.ndarray | None:
    """Return the rotations that a program finds, or None if it raises an exception."""
    try:
        return run()
    except Exception:  # any exception of a library is a result
        return None


def shaken(atoms: Atoms) -> Atoms:
    """Return a copy with random displacements."""
    copy = atoms.copy()
    copy.positions += np.random.default_rng(0).normal(scale=SHAKEN_A, size=copy.positions.shape)
    return copy


def measure_structure(name: str, atoms: Atoms, material: str | None = None) -> dict[str, Any]:
    """Return the numbers of operations and the times of all programs for one structure."""
    row: dict[str, Any] = {"structure": name, "atoms": len(atoms), "operations": {}, "ms": {}}
    row |= {"operations_shaken": {}, "is_group_shaken": {}}
    displaced = programs(shaken(atoms), material)
    for program, run in programs(atoms, material).items():
        operations_or_none(run)  # the first call imports modules
        seconds, rotations = shortest_cpu_s(partial(operations_or_none, run), REPEATS)
        row["ms"][program] = 1e3 * seconds
        row["operations"][program] = None if rotations is None else len(rotations)
        rotations = operations_or_none(displaced[program])
        row["operations_shaken"][program] = None if rotations is None else len(rotations)
        row["is_group_shaken"][program] = rotations is not None and is_group(rotations)
    return row


def summarise(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Return for each program the agreement with qdsurf, the operations kept when shaken, and the ratio of the times.

    The ratio is the sum of the times of the program divided by that of qdsurf.
    """
    total_ms = {name: sum(row["ms"][name] for row in rows) for name in rows[0]["ms"]}
    return {
        name: {
            "structures": len(rows),
            "agrees_with_qdsurf": sum(row["operations"][name] == row["operations"]["qdsurf"] for row in rows),
            "unchanged_when_shaken": sum(row["operations_shaken"][name] == row["operations"][name] for row in rows),
            "is_group_when_shaken": sum(row["is_group_shaken"][name] for row in rows),
            "mean_ms": total_ms[name] / len(rows),
            "time_over_qdsurf": total_ms[name] / total_ms["qdsurf"],
        }
        for name in total_ms
    }


def measure() -> dict[str, Any]:
    """Return the rows of all structures and a summary for slabs and nanocrystals."""
    warnings.filterwarnings("ignore")
    slabs = [measure_structure(name, make_slab(name)) for name in SLABS]
    particles = []
    for material, diameter in NANOCRYSTALS:
        particle = build_nanocrystal(library.material(material), diameter)[0]
        particles.append(measure_structure(f"{material} {diameter:g} nm", particle, material))
    return {
        "tolerance_A": TOLERANCE_A,
        "shaken_A": SHAKEN_A,
        "slabs": slabs,
        "nanocrystals": particles,
        "summary": {"slabs": summarise(slabs), "nanocrystals": summarise(particles)},
    }


def main() -> None:
    """Print a row per structure, and one JSON object last if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    arguments = parser.parse_args()
    results = measure()
    for row in results["slabs"] + results["nanocrystals"]:
        cells = (f"{name} {row['operations'][name]} ({ms:.2f} ms)" for name, ms in row["ms"].items())
        print(f"{row['structure']:<22} {row['atoms']:>4} atoms  " + ", ".join(cells))
    for kind, summary in results["summary"].items():
        for name, values in summary.items():
            print(kind, name, ", ".join(f"{key} {value:.3g}" for key, value in values.items()))
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
