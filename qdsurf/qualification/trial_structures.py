"""Test structures for the qualification of a calculator: bulk cells and bare slabs, strained, rattled or as cut."""

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

THINNEST_A = 5.0  # of the slabs for surface energies: two layers of bonds lie between the surfaces


def build_test(test: QualificationTest, material: Material, slab: Atoms, spec: QualificationSpec, seed: int):
    """Structures of one test.

    Parameters
    ----------
    slab : bare slab that is rattled.

    Returns
    -------
    List of Atoms, as the function of that test says.
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
    """Supercells of the primitive bulk cell, all lengths scaled by 1 + strain.

    Parameters
    ----------
    strains : relative changes of the lattice constant; atoms keep their fractional coordinates, molecular ions their
        shape.
    shortest_vector : every cell vector is repeated to at least this length in A (some calculators see the
        Gamma point only).
    seed : of substituted ions and of the orientations of molecular ions.
    """
    primitive = AseAtomsAdaptor.get_structure(bulk_cell(material)).get_primitive_structure()
    cell = AseAtomsAdaptor.get_atoms(primitive)
    repeats = np.ceil(shortest_vector / cell.cell.lengths() - 1e-9).astype(int)
    supercell = make_supercell(Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True), np.diag(repeats))
    annotation.set_column(annotate(supercell, SUBSTRATE), "ion", np.arange(len(supercell)))
    supercell = substitute(supercell, material, seed)
    images = []
    for strain in strains:
        image = supercell.copy()
        image.set_cell(supercell.cell.array * (1 + strain), scale_atoms=True)
        image = insert_molecular_ions(image, material, seed)
        bare = Atoms(image.symbols, image.positions, cell=image.cell, pbc=True)
        annotation.note(bare, strain=strain)
        images.append(bare)
    return images


def free_upper_half(slab: Atoms) -> Atoms:
    """A copy whose lower half is fixed, at least the outermost layer free."""
    free = slab.copy()
    depth = annotation.layers(free).max() // 2
    free.set_constraint(FixAtoms(np.flatnonzero(annotation.layers(free) > max(1, depth))))
    return free


def rattle(ideal: Atoms, sigma: float, seed: int) -> list[Atoms]:
    """A structure as it is, and with its free atoms displaced at random.

    Parameters
    ----------
    sigma : standard deviation of each coordinate in A.
    """
    rattled = ideal.copy()
    fixed = ideal.constraints[0].index if ideal.constraints else []
    moving = np.setdiff1d(np.arange(len(ideal)), fixed)
    rattled.positions[moving] += np.random.default_rng(seed).normal(0, sigma, (len(moving), 3))
    return [ideal, rattled]


def facet_pairs(material: Material, width: float) -> list[Atoms]:
    """Slabs as cut, a thin and a thick one for each facet on record whose surface energy is that of the facet alone.

    That needs slabs with the composition of the crystal, no charge on either side, and no stand-ins. Where two
    terminations end such a slab, as CsBr and PbBr2 do, the energy is the mean of both. Mixed crystals have none: two
    slabs of them differ in composition.

    Returns
    -------
    thin, thick, thin, thick, ...; `info["facet"]` names the plane and its termination.
    """
    if material.substitutions or material.molecular_ion:
        return []
    planes: dict[tuple[int, ...], Facet] = {}
    for facet in material.facets:
        if not facet.hydroxylated and facet.adlayer is None:
            planes.setdefault(facet.miller_index, facet)
    return [slab for facet in planes.values() for slab in _facet_pair(material, facet, width)]


def _facet_pair(material: Material, facet: Facet, width: float) -> list[Atoms]:
    """Slabs that differ by whole periods of the crystal; nothing for a polar plane."""
    top = next(t for t in list_terminations(material, facet.miller_index) if t["name"] == facet.termination)
    if abs(top["charge_per_nm2"]) > 1e-6:
        return []
    period = len(crystal_period(material, facet.miller_index).layers)
    step = period * -(-2 // period)  # two layers at least, so that odd numbers are not compared with even ones
    formula = bulk_cell(material).symbols.formula.reduce()[0]
    for bottom in list_terminations(material, facet.miller_index, -1):  # those with the fewest broken bonds first
        for layers in range(2, 2 + 4 * step):
            try:
                thin = cut_slab(material, facet, layers, bottom=bottom["name"])
            except (BuildError, BalanceError):
                continue
            if thin.symbols.formula.reduce()[0] == formula and np.ptp(thin.positions[:, 2]) >= THINNEST_A:
                repeats = np.ceil(width / thin.cell.lengths()[:2] - 1e-9).astype(int).tolist()
                return [cut_slab(material, facet, n, repeats, bottom=bottom["name"]) for n in (layers, layers + step)]
    return []
