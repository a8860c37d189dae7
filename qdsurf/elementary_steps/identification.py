"""Identify a state from its structure: its graph of bonds, and what the metal of the precursor is bonded to.

A state is what its structure shows, not what it was built for. Two structures with the same composition and the same
graph are the same state; the lower one represents it.
"""

from dataclasses import dataclass
from typing import Literal

import networkx as nx
import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, LIGAND
from qdsurf.atomistic.bonding import bond_matrix, is_metal

BondingClass = Literal["on_crystal", "on_ligand", "on_both", "unbound", "ligand", "bare"]
"""`unbound`: the metal of the precursor is bonded to neither; without a precursor, `ligand` or `bare`."""
REFINEMENTS = 4  # rounds of the Weisfeiler-Lehman hash: neighbours four bonds away are told apart


@dataclass(frozen=True)
class Identity:
    """What a structure is, from its bonds.

    Attributes
    ----------
    graph : str
        Hash of the graph of bonds; equal for structures that are the same state.
    bonding : str
        What the metal of the precursor is bonded to.
    ligands : int
        Number of ligands.
    ligands_on_crystal : int
        Number of ligands that are still bonded to a cation of the crystal.
    ligands_on_metal : int
        Number of ligands that are bonded to the metal of the precursor.
    """

    graph: str
    bonding: BondingClass
    ligands: int
    ligands_on_crystal: int
    ligands_on_metal: int


def identify(atoms: Atoms) -> Identity:
    """Identify a structure by its bonds.

    Bonds are those of `bonding_criteria`: 1.15 sums of covalent radii within molecules, 1.25 to the crystal. Atoms of
    the crystal enter the graph by their element and by the molecules that they are bonded to, not by their place, so
    that the same adduct on two equivalent sites is one state.

    Parameters
    ----------
    atoms : Atoms
        Annotated slab or particle.

    Returns
    -------
    Identity
        Graph, bonding class, and where the ligands are.
    """
    bonded = bond_matrix(atoms)
    crystal, parts = annotation.substrate_mask(atoms), annotation.parts(atoms)
    metal = is_metal(atoms) & (parts == ADSORBATE)
    ligand = parts == LIGAND
    donors = np.flatnonzero(ligand & (atoms.numbers > 1))
    charges = annotation.formal_charges(atoms)
    fragments = annotation.fragments(atoms)
    to_cation: np.ndarray = np.any(bonded[:, crystal & (charges > 0)], axis=1)
    to_metal: np.ndarray = np.any(bonded[:, metal], axis=1)
    on_crystal = bool((to_metal & crystal & (charges < 0)).any())
    on_ligand = bool(to_metal[donors].any())
    return Identity(
        graph=_graph_hash(atoms, bonded),
        bonding=_bonding_class(bool(metal.any()), on_crystal, on_ligand, bool(ligand.any())),
        ligands=len(set(fragments[ligand])),
        ligands_on_crystal=len(set(fragments[donors][to_cation[donors]])),
        ligands_on_metal=len(set(fragments[donors][to_metal[donors]])),
    )


def _bonding_class(has_metal: bool, on_crystal: bool, on_ligand: bool, has_ligand: bool) -> BondingClass:
    if not has_metal:
        return "ligand" if has_ligand else "bare"
    if on_crystal and on_ligand:
        return "on_both"
    if on_crystal:
        return "on_crystal"
    return "on_ligand" if on_ligand else "unbound"


def _graph_hash(atoms: Atoms, bonded: np.ndarray) -> str:
    """Hash of the bonds within molecules and between molecules and crystal."""
    crystal = annotation.substrate_mask(atoms)
    touched: np.ndarray = ~crystal | bonded[:, ~crystal].any(axis=1)
    graph = nx.Graph()
    for k in np.flatnonzero(touched).tolist():
        graph.add_node(k, kind=f"{atoms.symbols[k]}{'*' if crystal[k] else ''}")
    pairs = np.argwhere(np.triu(bonded) & touched[:, None] & touched[None, :] & ~(crystal[:, None] & crystal[None, :]))
    graph.add_edges_from(pairs.tolist())
    return nx.weisfeiler_lehman_graph_hash(graph, node_attr="kind", iterations=REFINEMENTS)
