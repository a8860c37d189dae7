"""Ligands on a slab: which ions they meet, in which binding modes, neutral by the ledger."""

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from scipy.spatial.transform import Rotation

from qdsurf.build.drive import drive
from qdsurf.build.molecules import embed, ligand_molecule
from qdsurf.build.roles import outermost_ions, surface_anions, surface_cations
from qdsurf.build.slab import assert_neutral
from qdsurf.connectivity import bond_matrix
from qdsurf.errors import BuildError
from qdsurf.library import ligand_entry
from qdsurf.records import Ligand, Material
from qdsurf.structure_io import LIGAND, annotate

PROTON_ASIDE_A = 5.5  # lateral distance of the acid proton: nearer it hops back, or meets what attacks the ligand
KEPT_FREE_A = 6.0  # a ligand may fill this much of the vacuum before the cell grows
HEIGHT_A = 3.0  # anchor above its ion before the springs pull it in


def attach_ligands(
    slab: Atoms, material: Material, ligand: Ligand, count: int = 1, truncate_to_carbons: int | None = None
) -> list[Atoms]:
    """Cover a slab with ligands: one candidate for every binding mode that the springs can reach.

    A ligand without charge binds to a cation. A carboxylate replaces a halide where the crystal has anions of
    charge -1 and an ammonium a cation of charge +1; elsewhere it comes as the dissociated acid, its H on an anion.

    Parameters
    ----------
    count : ligands in the cell, placed as far apart as the ions allow.
    truncate_to_carbons : length of the model chain; None keeps the full ligand.

    Returns
    -------
    Candidates with `info["binding_mode"]`, neutral, atom order: substrate, then ligand by ligand.

    Raises
    ------
    BuildError : no binding mode fits; the message lists each with its reason.
    """
    entry = ligand_entry(material, ligand)
    candidates, reasons = [], []
    modes = (
        ligand.binding_modes
        if entry == "acid"
        else ("monodentate", "chelating")[: len(_anchors(ligand, truncate_to_carbons))]
    )
    for mode in modes:
        try:
            covered = slab.copy()
            for site in _spread(slab, _sites(slab, ligand, entry), count):
                covered = _attach(covered, slab, site, ligand, entry, mode, truncate_to_carbons)
            assert_neutral(covered)
            covered = _keep_vacuum(covered, slab)
            covered.info |= {"ligand": ligand.name, "ligand_entry": entry, "binding_mode": mode}
            candidates.append(covered)
        except BuildError as error:
            reasons.append(f"{mode}: {error}")
    if not candidates:
        raise BuildError(f"{count} {ligand.name} do not fit on {slab.info.get('facet')}: {'; '.join(reasons)}")
    return candidates


def _keep_vacuum(covered: Atoms, slab: Atoms) -> Atoms:
    """Lengthen the cell by the height of the ligands, so that they do not touch the next image of the slab."""
    growth = covered.positions[:, 2].max() - slab.positions[:, 2].max()
    covered.cell[2, 2] += max(0.0, growth - KEPT_FREE_A)
    return covered


def _anchors(ligand: Ligand, truncate_to_carbons: int | None) -> tuple[int, ...]:
    return ligand_molecule(ligand, truncate_to_carbons)[1]


def _sites(slab: Atoms, ligand: Ligand, entry: str) -> np.ndarray:
    """Outermost ions at which the ligand binds, or which it replaces."""
    if entry in ("anion", "cation"):
        return outermost_ions(slab, ligand.charge)
    cations = surface_cations(slab)
    return cations[slab.arrays["layer"][cations] == slab.arrays["layer"][cations].min()]


def _spread(slab: Atoms, sites: np.ndarray, count: int) -> list[int]:
    """Sites as far from one another as possible, the first in the middle of the cell."""
    if count > len(sites):
        raise BuildError(f"{count} ligands for {len(sites)} sites; at most {len(sites)} fit")
    middle = slab.cell.array[:2].sum(axis=0) / 2
    chosen = [int(sites[np.argmin(np.linalg.norm((slab.positions[sites] - middle)[:, :2], axis=1))])]
    while len(chosen) < count:
        distance = np.min([slab.get_distances(c, sites, mic=True) for c in chosen], axis=0)
        chosen.append(int(sites[np.argmax(distance)]))
    return chosen


def _attach(
    covered: Atoms, slab: Atoms, site: int, ligand: Ligand, entry: str, mode: str, truncate_to_carbons: int | None
) -> Atoms:
    """Add one ligand at an ion of the bare slab and pull it into its binding mode."""
    molecule, anchors, proton = _bound_form(ligand, truncate_to_carbons)
    origin = slab.positions[site]
    site = int(np.argmin(np.linalg.norm(covered.positions - origin, axis=1)))  # its number among what is left
    fragment = covered.arrays["fragment"].max() + 1
    molecule.arrays["fragment"][:] = fragment
    upright = _stand_up(molecule, anchors)
    partners = _partners(covered, site, entry, mode, len(anchors))
    if len(partners) > 1 and partners[0] != partners[1]:
        axis = covered.get_distance(partners[0], partners[1], vector=True, mic=True)
        upright.rotate(np.degrees(np.arctan2(axis[1], axis[0])), "z")
        origin = covered.positions[partners[0]] + axis / 2
    upright.positions += [*origin[:2], origin[2] + (1.0 if entry in ("anion", "cation") else HEIGHT_A)]
    if entry in ("anion", "cation"):
        partners = [p - (p > site) for p in partners]
        del covered[site]
    start = len(covered)
    model = covered + upright
    forms = [(p, start + a) for p, a in zip(partners, anchors, strict=False)]
    if proton and entry == "acid":
        anion = _proton_acceptor(covered, upright.positions[list(anchors)].mean(axis=0), partners)
        hydrogen = annotate(Atoms("H", [covered.positions[anion] + [0, 0, 1.4]]), LIGAND, fragment, [1.0])
        model += hydrogen
        forms.append((anion, len(model) - 1))
    model.info = dict(covered.info)
    return drive(model, forms)


def _bound_form(ligand: Ligand, truncate_to_carbons: int | None) -> tuple[Atoms, tuple[int, ...], bool]:
    """The ligand as it sits on the surface: without the acid proton, charge on its anchors."""
    rdkit_molecule, anchors, proton = ligand_molecule(ligand, truncate_to_carbons)
    atoms = annotate(embed(rdkit_molecule), LIGAND)
    atoms.arrays["formal_charge"][list(anchors)] = ligand.charge / len(anchors)
    atoms.arrays["anchor"][list(anchors)] = True
    if proton is not None:
        del atoms[proton]  # hydrogens come after the heavy atoms, so the anchors keep their numbers
    return atoms, anchors, proton is not None


def _stand_up(atoms: Atoms, anchors: tuple[int, ...]) -> Atoms:
    """Anchors at the origin, two anchors along x, the rest of the molecule pointing up."""
    atoms = atoms.copy()
    atoms.positions -= atoms.positions[list(anchors)].mean(axis=0)
    others = np.setdiff1d(np.arange(len(atoms)), anchors)
    up = atoms.positions[others].mean(axis=0) if len(others) else np.array([0, 0, 1.0])
    aims, weights = [[0, 0, 1.0]], [1.0]
    vectors = [up / np.linalg.norm(up)]
    if len(anchors) > 1:
        across = atoms.positions[anchors[1]] - atoms.positions[anchors[0]]
        vectors.append(across / np.linalg.norm(across))
        aims.append([1.0, 0, 0])
        weights.append(0.5)
    atoms.positions = Rotation.align_vectors(aims, vectors, weights=weights)[0].apply(atoms.positions)
    return atoms


def _partners(slab: Atoms, site: int, entry: str, mode: str, anchors: int) -> list[int]:
    """Ions to which the anchors bind, one for each anchor that binds."""
    if entry == "cation":
        return []  # it fills the vacancy that the ion leaves; hydrogen bonds are left to the calculator
    cations = surface_cations(slab)
    if entry == "anion":
        below = _nearest(slab, site, cations)  # the cation that the halide leaves open, then its neighbours
        return [below[0]] * 1 if mode == "monodentate" else [below[0], below[0]]
    if mode == "bridging" and anchors > 1:
        beside = cations[(slab.arrays["layer"][cations] == slab.arrays["layer"][site]) & (cations != site)]
        return [site, _nearest(slab, site, beside)[0]] if len(beside) else [site]
    return [site] * (2 if mode == "chelating" and anchors > 1 else 1)


def _nearest(slab: Atoms, site: int, candidates: np.ndarray) -> list[int]:
    distances = slab.get_distances(site, candidates, mic=True)
    return [int(i) for i in candidates[np.argsort(np.round(distances, 3), kind="stable")]]


def _proton_acceptor(slab: Atoms, anchor: np.ndarray, partners: list[int]) -> int:
    """The outermost free anion nearest to the anchor of those at least `PROTON_ASIDE_A` aside, else the farthest."""
    anions = surface_anions(slab)
    anions = anions[slab.arrays["layer"][anions] == 1]
    taken = bond_matrix(slab)[:, slab.arrays["role"] != "substrate"].any(axis=1)
    free = anions[~taken[anions]]
    if len(free) == 0:
        raise BuildError("no free anion left for the proton of the acid")
    probe = slab.copy() + Atoms("X", [anchor])
    aside = np.round(probe.get_distances(len(probe) - 1, free, mic=True), 3)
    far_enough = aside > np.hypot(PROTON_ASIDE_A, anchor[2] - slab.positions[free, 2])
    if not far_enough.any():
        return int(free[np.argmax(aside)])
    return int(free[far_enough][np.argmin(aside[far_enough])])


def iter_ligands(atoms: Atoms) -> Iterator[np.ndarray]:
    """Indices of each ligand, fragment by fragment."""
    is_ligand = atoms.arrays["role"] == LIGAND
    for fragment in np.unique(atoms.arrays["fragment"][is_ligand]):
        yield np.flatnonzero(is_ligand & (atoms.arrays["fragment"] == fragment))
