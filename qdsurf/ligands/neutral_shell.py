"""Ligands without charge on a whole nanocrystal: L-type ones on its open cations, Z-type ones on its open anions."""

from collections.abc import Mapping

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.atomistic.point_sampling import choose_places
from qdsurf.errors import InputError
from qdsurf.ligands.conformers import bound_form, chain_conformers
from qdsurf.ligands.packing import pack
from qdsurf.ligands.slab_ligands import seat
from qdsurf.records.models import Ligand
from qdsurf.surfaces.adsorption_sites import find_sites
from qdsurf.surfaces.nanocrystal import EVERYWHERE, particle_area


def attach_dative(
    particle: Atoms,
    ligands: Mapping[str, Ligand],
    coverage: float,
    truncate_to_carbons: int | None = None,
    seed: int | None = None,
) -> Atoms:
    """Add ligands that bind as they are; the charge of the particle does not change.

    Parameters
    ----------
    particle : with the columns of `atomistic.annotation.annotate` and `facet`; what it holds already stays.
    ligands : ligand without charge for each face by name; `*` stands for all others, edges and vertices too.
    coverage : ligands in nm^-2 of the whole particle where they are free to bind everywhere, in proportion on faces.

    Returns
    -------
    A copy; `info` counts its `ligands` and those `without_room`, with what it counted before.

    Raises
    ------
    InputError : a ligand has a charge, or the particle has no open ion for it.
    """
    core = particle[annotation.parts(particle) == SUBSTRATE]
    tops = [site for site in find_sites(particle, unique=False) if site["name"].startswith("top:") and site["free"]]
    covered = particle.copy()
    added = missed = 0
    for face, ligand in ligands.items():
        hosts, share = _hosts(particle, tops, ligands, face)
        count = min(len(hosts), round(coverage * particle_area(core) * share))
        places = np.array([particle.positions[site["atoms"][0]] for site in hosts])
        chosen = [hosts[k] for k in choose_places(places, count, particle, "uniform", seed)]
        placed = _pack_on(covered, chosen, ligand, truncate_to_carbons, seed or 0)
        for piece in placed:
            annotation.fragments(piece)[:] = annotation.fragments(covered).max() + 1
            covered = _with(covered, piece)
        added += len(placed)
        missed += count - len(placed)
    annotation.note(covered, ligands=int(annotation.noted(particle, "ligands", 0)) + added)
    annotation.note(covered, without_room=int(annotation.noted(particle, "without_room", 0)) + missed)
    return covered


def _hosts(particle: Atoms, tops: list[dict], ligands: Mapping[str, Ligand], face: str) -> tuple[list[dict], float]:
    """Open ions of a face to which its ligand binds, and their share of all such ions of the particle."""
    ligand = ligands[face]
    if ligand.charge:
        raise InputError(f"ligand {ligand.name} has charge {ligand.charge:+d}; give one that binds without charge")
    charge = annotation.formal_charges(particle) * (-1 if ligand.cbc_class == "Z" else +1)
    strongest = charge[annotation.parts(particle) == SUBSTRATE].max()
    open_ions = [site for site in tops if charge[site["atoms"][0]] == strongest > 0]
    facet = annotation.faces(particle)
    own = [
        site
        for site in open_ions
        if (name := str(facet[site["atoms"][0]])) == face or (face == EVERYWHERE and name not in ligands)
    ]
    if not own:
        ion = "anion" if ligand.cbc_class == "Z" else "cation"
        where = "" if face == EVERYWHERE else f" on {face}"
        raise InputError(f"ligand {ligand.name} needs an open {ion} of the largest charge; there is none{where}")
    return own, len(own) / len(open_ions)


def _pack_on(
    covered: Atoms, sites: list[dict], ligand: Ligand, truncate_to_carbons: int | None, seed: int
) -> list[Atoms]:
    """The ligands that find room, each bound to the ion of its site along the site's normal."""
    molecule, anchors = bound_form(ligand, truncate_to_carbons)
    chains = chain_conformers(ligand, truncate_to_carbons, 1)
    seats = []
    for site in sites:
        host = site["atoms"][0]
        seats.append(seat(covered, [host], covered.positions[host], anchors[:1], chains, np.array(site["normal"])))
    pieces = []
    for positions in pack(covered, seats, [chains] * len(seats), seed) if seats else ():
        if positions is not None:
            pieces.append(molecule.copy())
            pieces[-1].positions = positions
    return pieces


def _with(covered: Atoms, piece: Atoms) -> Atoms:
    whole = covered + piece
    annotation.faces(whole)[len(covered) :] = "-"
    annotation.copy_notes(covered, whole)
    return whole
