"""Site densities of the kinetic lattice: numbers of anions, ligands and other site families per area."""

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND
from qdsurf.atomistic.bonding import bond_matrix
from qdsurf.atomistic.bonding_criteria import ANION_OCCUPIED_A
from qdsurf.atomistic.roles import find_role

# Additional site families, which few reaction templates use, and the role that their atoms match.
RARER_FAMILIES = {
    "hydroxyl": "surface.hydroxyl",
    "oxygen": "surface.oxygen",
    "vacancy": "surface.vacant",
    "tail": "ligand.tail",
}


def surface_area(atoms: Atoms) -> float:
    """Return the area of the surface cell in nm^2."""
    return float(np.linalg.norm(np.cross(*atoms.cell.array[:2]))) / 100


def count_sites(atoms: Atoms) -> dict[str, float]:
    """Compute the densities of the site families of the kinetic lattice.

    Parameters
    ----------
    atoms : Atoms
        Annotated slab.

    Returns
    -------
    dict of str to float
        Densities in nm^-2 by site family. `surface` counts the outermost anions without an acid proton or ligand on
        them. `ligand` counts the bound ligands. The families of `RARER_FAMILIES` and `cation`, the outermost cations
        without a ligand, are listed if they have sites.
    """
    anions = find_role(atoms, "surface.anion")
    ligand_atoms = np.flatnonzero(annotation.parts(atoms) == LIGAND)
    free = [
        i
        for i in anions
        if len(ligand_atoms) == 0 or atoms.get_distances(int(i), ligand_atoms, mic=True).min() > ANION_OCCUPIED_A
    ]
    ligands = len(set(annotation.fragments(atoms)[ligand_atoms]))
    area = surface_area(atoms)
    densities = {"surface": len(free) / area}
    if ligands:
        densities["ligand"] = ligands / area
    rarer = {family: len(find_role(atoms, role)) / area for family, role in RARER_FAMILIES.items()}
    rarer["cation"] = len(_open_cations(atoms)) / area
    return densities | {family: density for family, density in rarer.items() if density}


def _open_cations(atoms: Atoms) -> np.ndarray:
    """Return the indices of the outermost cations to which no ligand is bonded."""
    cations = find_role(atoms, "surface.cation")
    if not len(cations):
        return cations
    layers = annotation.layers(atoms)[cations]
    occupied = bond_matrix(atoms)[np.ix_(cations, annotation.anchors(atoms))].any(axis=1)
    return cations[(layers == layers.min()) & ~occupied]
