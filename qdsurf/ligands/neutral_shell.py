"""Neutral ligands on a nanocrystal: L-type ligands on exposed cations, Z-type ligands on exposed anions."""

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.atomistic.point_sampling import choose_places
from qdsurf.errors import InputError
from qdsurf.ligands.conformers import bound_form, chain_conformers
from qdsurf.ligands.packing import pack
from qdsurf.ligands.slab_ligands import binding_site
from qdsurf.records.models import Ligand
from qdsurf.surfaces.adsorption_sites import Site, find_sites
from qdsurf.surfaces.nanocrystal import EVERYWHERE, particle_area


def attach_dative(
    particle: Atoms,
    ligands: Mapping[str, Ligand],
    coverage: float,
    truncate_to_carbons: int | None = None,
    seed: int | None = None,
) -> Atoms:
    """Attach neutral ligands to a nanocrystal; the charge of the particle does not change.

    Parameters
    ----------
    particle : Atoms
        Annotated particle with the column `facet`. Ligands that it already carries are kept.
    ligands : mapping of str to Ligand
        Neutral ligand for each face by name; `*` stands for all other faces, the edges and the vertices.
    coverage : float
        Number of ligands per surface area of the whole particle in nm^-2. A face receives the fraction of them that
        corresponds to its fraction of the exposed ions.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.
    seed : int, optional
        Seed of the distribution and the packing.

    Returns
    -------
    Atoms
        Covered copy. `info["ligands"]` and `info["without_room"]` are the numbers of attached ligands and of ligands
        that did not fit, both including the numbers that the particle already had.

    Raises
    ------
    InputError
        A ligand is charged, or the particle has no exposed ion to which it can bind.
    """
    core = particle[annotation.parts(particle) == SUBSTRATE]
    free_top_sites = [site for site in find_sites(particle, unique=False) if site.name.startswith("top:") and site.free]
    covered = particle.copy()
    attached = rejected = 0
    for face, ligand in ligands.items():
        sites, fraction = _sites_of_face(particle, free_top_sites, ligands, face)
        count = min(len(sites), round(coverage * particle_area(core) * fraction))
        positions = np.array([particle.positions[site.atoms[0]] for site in sites])
        chosen = [sites[k] for k in choose_places(positions, count, particle, "uniform", seed)]
        packed = _pack_on_sites(covered, chosen, ligand, truncate_to_carbons, seed or 0)
        for molecule in packed:
            annotation.fragments(molecule)[:] = annotation.fragments(covered).max() + 1
            covered = _join(covered, molecule)
        attached += len(packed)
        rejected += count - len(packed)
    annotation.note(covered, ligands=int(annotation.noted(particle, "ligands", 0)) + attached)
    annotation.note(covered, without_room=int(annotation.noted(particle, "without_room", 0)) + rejected)
    return covered


def _sites_of_face(
    particle: Atoms, free_top_sites: Sequence[Site], ligands: Mapping[str, Ligand], face: str
) -> tuple[list[Site], float]:
    """Return the sites of a face to which its ligand binds, and their fraction of all such sites of the particle.

    Raises
    ------
    InputError
        The ligand is charged, or there is no such site.
    """
    ligand = ligands[face]
    if ligand.charge:
        raise InputError(f"ligand {ligand.name} has charge {ligand.charge:+d}; give one that binds without charge")
    charge = annotation.formal_charges(particle) * (-1 if ligand.cbc_class == "Z" else +1)
    strongest = charge[annotation.parts(particle) == SUBSTRATE].max()
    suitable = [site for site in free_top_sites if charge[site.atoms[0]] == strongest > 0]
    facet = annotation.faces(particle)

    def is_on_face(site: Site) -> bool:
        name = str(facet[site.atoms[0]])
        return name == face or (face == EVERYWHERE and name not in ligands)

    on_face = [site for site in suitable if is_on_face(site)]
    if not on_face:
        ion = "anion" if ligand.cbc_class == "Z" else "cation"
        where = "the particle" if face == EVERYWHERE else f"the face {face}"
        raise InputError(
            f"ligand {ligand.name} needs an open {ion} of the largest charge, but {where} has none; give another "
            "ligand, or another face"
        )
    return on_face, len(on_face) / len(suitable)


def _pack_on_sites(
    covered: Atoms, sites: Sequence[Site], ligand: Ligand, truncate_to_carbons: int | None, seed: int
) -> list[Atoms]:
    """Return the ligands that fit, each bound to the ion of its site along the normal."""
    molecule, anchors = bound_form(ligand, truncate_to_carbons)
    chains = chain_conformers(ligand, truncate_to_carbons, 1)
    binding_sites = []
    for site in sites:
        host = site.atoms[0]
        binding_sites.append(binding_site(covered, [host], covered.positions[host], anchors[:1], chains, site.normal))
    if not binding_sites:
        return []
    packed = []
    for positions in pack(covered, binding_sites, [chains] * len(binding_sites), seed):
        if positions is not None:
            bound = molecule.copy()
            bound.positions = positions
            packed.append(bound)
    return packed


def _join(covered: Atoms, molecule: Atoms) -> Atoms:
    """Return the particle with one more molecule, which lies on no face."""
    joined = covered + molecule
    annotation.faces(joined)[len(covered) :] = "-"
    annotation.copy_notes(covered, joined)
    return joined
