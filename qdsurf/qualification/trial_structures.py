"""Test structures for the qualification of a calculator: strained and rattled bulk cells and slabs, and bare slabs."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.constraints import FixAtoms
from pymatgen.io.ase import AseAtomsAdaptor

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.errors import BalanceError, BuildError
from qdsurf.records.models import Facet, Material
from qdsurf.records.settings import QualificationSpec, QualificationTest
from qdsurf.surfaces.alloys import insert_molecular_ions, substitute
from qdsurf.surfaces.crystal import bulk_cell, crystal_period
from qdsurf.surfaces.slab import cut_slab, list_terminations

# Smallest thickness of a slab for surface energies: two layers of bonds lie between the surfaces.
THINNEST_A = 5.0
# A termination with a larger charge belongs to a polar plane.
NEUTRAL_PER_NM2 = 1e-6


def build_test(
    test: QualificationTest, material: Material, slab: Atoms, spec: QualificationSpec, seed: int
) -> list[Atoms]:
    """Build the structures of one test.

    Parameters
    ----------
    test : str
        `strained_bulk`, `rattled_bulk`, `rattled_slab` or `facets`.
    material : Material
        Record of the material.
    slab : Atoms
        Bare slab for `rattled_slab`; the other tests do not use it.
    spec : QualificationSpec
        Strains, displacements and the size of the cells.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    list of Atoms
        As `strained_cells`, `rattle` or `facet_pairs` return it.
    """
    width = spec.shortest_vector_A
    if test == "strained_bulk":
        return strained_cells(material, spec.strains, width, seed)
    if test == "rattled_bulk":
        return rattle(strained_cells(material, [0.0], width, seed)[0], spec.rattle_A, seed)
    if test == "rattled_slab":
        return rattle(free_upper_half(slab), spec.rattle_A, seed)
    return facet_pairs(material, width)


def strained_cells(material: Material, strains: Sequence[float], shortest_vector: float, seed: int = 0) -> list[Atoms]:
    """Build supercells of the primitive bulk cell with all lengths scaled by 1 + strain.

    Parameters
    ----------
    material : Material
        Record of the material.
    strains : sequence of float
        Relative changes of the lattice constant. Atoms keep their fractional coordinates, molecular ions their shape.
    shortest_vector : float
        Smallest length of a cell vector in A, because some calculators use the Gamma point only.
    seed : int
        Seed of the substituted ions and of the orientations of molecular ions.

    Returns
    -------
    list of Atoms
        One for each strain, with the note `strain`.
    """
    primitive = AseAtomsAdaptor.get_structure(bulk_cell(material)).get_primitive_structure()
    cell = AseAtomsAdaptor.get_atoms(primitive)
    repeats = np.ceil(shortest_vector / cell.cell.lengths() - 1e-9).astype(int)
    supercell = make_supercell(Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True), np.diag(repeats))
    annotation.set_column(annotate(supercell, SUBSTRATE), "ion", np.arange(len(supercell)))
    supercell = substitute(supercell, material, seed)
    cells = []
    for strain in strains:
        strained = supercell.copy()
        strained.set_cell(supercell.cell.array * (1 + strain), scale_atoms=True)
        strained = insert_molecular_ions(strained, material, seed)
        bare = Atoms(strained.symbols, strained.positions, cell=strained.cell, pbc=True)
        annotation.note(bare, strain=strain)
        cells.append(bare)
    return cells


def free_upper_half(slab: Atoms) -> Atoms:
    """Return a copy of a slab whose lower half is fixed; at least the outermost layer is free."""
    constrained = slab.copy()
    layers = annotation.layers(constrained)
    depth = layers.max() // 2
    constrained.set_constraint(FixAtoms(np.flatnonzero(layers > max(1, depth))))
    return constrained


def rattle(ideal: Atoms, sigma: float, seed: int) -> list[Atoms]:
    """Displace the free atoms of a structure at random.

    Parameters
    ----------
    ideal : Atoms
        Structure; atoms fixed by its first constraint do not move.
    sigma : float
        Standard deviation of each coordinate in A.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    list of Atoms
        The structure itself and the rattled copy.
    """
    rattled = ideal.copy()
    fixed = ideal.constraints[0].index if ideal.constraints else []
    moving = np.setdiff1d(np.arange(len(ideal)), fixed)
    rattled.positions[moving] += np.random.default_rng(seed).normal(0, sigma, (len(moving), 3))
    return [ideal, rattled]


def facet_pairs(material: Material, width: float) -> list[Atoms]:
    """Cut a thin and a thick slab for each recorded facet whose surface energy is defined by bare slabs.

    This requires slabs with the composition of the crystal, without charge on either side, and without passivating
    ions. If the two sides of such a slab differ, such as CsBr and PbBr2, the energy is the mean of both. Mixed crystals
    have no such facet, because two of their slabs differ in composition.

    Parameters
    ----------
    material : Material
        Record of the material.
    width : float
        Smallest length of the surface cell vectors in A.

    Returns
    -------
    list of Atoms
        Thin, thick, thin, thick and so on; the note `facet` is the plane and its termination.
    """
    if material.substitutions or material.molecular_ion:
        return []
    planes: dict[tuple[int, ...], Facet] = {}
    for facet in material.facets:
        if not facet.hydroxylated and facet.adlayer is None:
            planes.setdefault(facet.miller_index, facet)
    return [slab for facet in planes.values() for slab in _facet_pair(material, facet, width)]


def _facet_pair(material: Material, facet: Facet, width: float) -> list[Atoms]:
    """Cut two slabs that differ by whole periods of the crystal; none for a polar plane."""
    top = next(t for t in list_terminations(material, facet.miller_index) if t.name == facet.termination)
    if abs(top.charge_per_nm2) > NEUTRAL_PER_NM2:
        return []
    period = len(crystal_period(material, facet.miller_index).layers)
    # At least two layers, so that a slab with an odd number is not compared with one with an even number.
    step = period * -(-2 // period)
    formula = bulk_cell(material).symbols.formula.reduce()[0]
    # The terminations with the fewest broken bonds come first.
    for bottom in list_terminations(material, facet.miller_index, -1):
        for layers in range(2, 2 + 4 * step):
            try:
                thin = cut_slab(material, facet, layers, bottom=bottom.name)
            except (BuildError, BalanceError):
                continue
            if thin.symbols.formula.reduce()[0] == formula and np.ptp(thin.positions[:, 2]) >= THINNEST_A:
                along_a, along_b = np.ceil(width / thin.cell.lengths()[:2] - 1e-9).astype(int).tolist()
                return [
                    cut_slab(material, facet, number, (along_a, along_b), bottom=bottom.name)
                    for number in (layers, layers + step)
                ]
    return []
