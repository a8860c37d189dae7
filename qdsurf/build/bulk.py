"""Test structures for the qualification of a calculator: strained bulk cells and a rattled slab."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.constraints import FixAtoms
from pymatgen.io.ase import AseAtomsAdaptor

from qdsurf.build.crystal import bulk_cell
from qdsurf.records import Material


def strained_cells(material: Material, strains: Sequence[float], shortest_vector: float) -> list[Atoms]:
    """Supercells of the primitive bulk cell, all lengths scaled by 1 + strain.

    Parameters
    ----------
    strains : relative changes of the lattice constant; atoms keep their fractional coordinates.
    shortest_vector : every cell vector is repeated to at least this length in A (some calculators see the
        Gamma point only).
    """
    primitive = AseAtomsAdaptor.get_structure(bulk_cell(material)).get_primitive_structure()
    cell = AseAtomsAdaptor.get_atoms(primitive)
    repeats = np.ceil(shortest_vector / cell.cell.lengths() - 1e-9).astype(int)
    supercell = make_supercell(Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True), np.diag(repeats))
    images = []
    for strain in strains:
        image = supercell.copy()
        image.set_cell(supercell.cell.array * (1 + strain), scale_atoms=True)
        image.info = {"strain": strain}
        images.append(image)
    return images


def rattle_slab(slab: Atoms, sigma: float, seed: int) -> list[Atoms]:
    """A slab with its lower half fixed, as cut and with the upper half displaced at random.

    Parameters
    ----------
    sigma : standard deviation of each coordinate in A.
    """
    ideal = slab.copy()
    depth = ideal.arrays["layer"].max() // 2
    moving = ideal.arrays["layer"] <= max(1, depth)
    ideal.set_constraint(FixAtoms(np.flatnonzero(~moving)))
    rattled = ideal.copy()
    rattled.positions[moving] += np.random.default_rng(seed).normal(0, sigma, (int(moving.sum()), 3))
    return [ideal, rattled]
