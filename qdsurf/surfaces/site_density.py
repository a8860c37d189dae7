"""Site families of the kinetic lattice: how many of each a surface has."""

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND
from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.atomistic.bonding_criteria import ANION_OCCUPIED_A
from qdsurf.atomistic.roles import find_role

# Site families that few templates name, and the role whose atoms they count.
RARER_FAMILIES = {
    "hydroxyl": "surface.hydroxyl",
    "oxygen": "surface.oxygen",
    "vacancy": "surface.vacant",
    "tail": "ligand.tail",
}


def surface_area(atoms: Atoms) -> float:
    """Area of the surface cell in nm^2."""
    return float(np.linalg.norm(np.cross(*atoms.cell.array[:2]))) / 100


def count_sites(atoms: Atoms) -> dict[str, float]:
    """Density in nm^-2 of the site families of the kinetic lattice.

    `surface`: outermost anions that hold neither an acid proton nor a ligand; `ligand`: bound ligands; and where there
    are some, open cations, hydroxyls, oxygen, cations beside vacancies, acidic ends of ligands.
    """
    anions = find_role(atoms, "surface.anion")
    held = np.flatnonzero(annotation.parts(atoms) == LIGAND)
    free = [i for i in anions if len(held) == 0 or atoms.get_distances(int(i), held, mic=True).min() > ANION_OCCUPIED_A]
    ligands = len(set(annotation.fragments(atoms)[held]))
    area = surface_area(atoms)
    rarer = {family: len(find_role(atoms, role)) / area for family, role in RARER_FAMILIES.items()}
    rarer["cation"] = len(_open_cations(atoms)) / area
    usual = {"surface": len(free) / area} | ({"ligand": ligands / area} if ligands else {})
    return usual | {family: density for family, density in rarer.items() if density}


def _open_cations(atoms: Atoms) -> np.ndarray:
    """Indices of the outermost cations that hold no ligand."""
    cations = find_role(atoms, "surface.cation")
    if not len(cations):
        return cations
    layers = annotation.layers(atoms)[cations]
    held = bond_matrix(atoms)[np.ix_(cations, annotation.anchors(atoms))].any(axis=1)
    return cations[(layers == layers.min()) & ~held]
