"""The systems that tests run on, built once."""

from functools import cache

from ase import Atoms

from qdsurf.atomistic.molecules import build_molecule
from qdsurf.elementary_steps.adsorption_poses import precursor_fragment
from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records import library
from qdsurf.surfaces.slab import cut_slab

# Layers and surface cells that hold a precursor and a short ligand, by phase.
SIZES = {
    "fcc metal": (2, (4, 4)),
    "zinc blende": (3, (3, 2)),
    "wurtzite": (4, (3, 2)),
    "cubic perovskite": (3, (3, 2)),
    "orthorhombic perovskite": (3, (2, 2)),
    "rock salt": (2, (3, 3)),
}
FACETS = [(name, facet) for name in library.names("materials") for facet in library.material(name).facets]
FACET_IDS = [f"{name}_{facet.name}" for name, facet in FACETS]


@cache
def make_slab(material: str) -> Atoms:
    record = library.material(material)
    return cut_slab(record, record.facets[0], *SIZES[record.phase], vacuum=20.0)


@cache
def make_ligated(material: str, ligand: str, count: int = 1, carbons: int | None = 2) -> tuple[Atoms, ...]:
    return tuple(attach_ligands(make_slab(material), library.ligand(ligand), count, carbons))


@cache
def make_fragment(precursor: str) -> Atoms:
    record = library.precursor(precursor)
    return precursor_fragment(build_molecule(record.molecule), record)
