"""Mixed crystals and molecular ions: what stands on the sites of an ideal slab."""

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from scipy.spatial.transform import Rotation

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.records.models import Material
from qdsurf.surfaces.crystal import PLACEHOLDER

DRAWS = 64  # random arrangements from which the least ordered is taken


def substitute(slab: Atoms, material: Material, seed: int) -> Atoms:
    """Exchange ions of the crystal for others of the same charge, as near to a random alloy as their number allows.

    Of several seeded arrangements the one is taken in which the number of unlike nearest neighbours on the
    sublattice is nearest to that of a random alloy, x (1 - x): a special quasi-random cell for its first shell.

    Returns
    -------
    A copy; `info["composition"]` holds the fractions that the number of sites allows.

    References
    ----------
    Zunger, Wei, Ferreira, Bernard, Phys. Rev. Lett. 65, 353 (1990), 10.1103/PhysRevLett.65.353.
    """
    slab = slab.copy()
    symbols = np.array(slab.symbols, dtype=object)
    for parent, fractions in material.substitutions.items():
        sites = np.flatnonzero((symbols == parent) & (annotation.ions(slab) >= 0))
        occupants = _occupants(parent, fractions, len(sites))
        names, codes = np.unique(occupants, return_inverse=True)
        if len(names) < 2:
            symbols[sites] = occupants
            continue
        apart = get_distances(slab.positions[sites], cell=slab.cell, pbc=slab.pbc)[1]
        np.fill_diagonal(apart, np.inf)
        near = apart < 1.1 * apart.min()
        shares = np.bincount(codes) / len(codes)
        random_unlike = 1 - (shares**2).sum()
        rng = np.random.default_rng(seed)
        draws = [rng.permutation(codes) for _ in range(DRAWS)]
        unlike = [(near & (d[:, None] != d[None])).sum() / near.sum() for d in draws]
        symbols[sites] = names[draws[int(np.argmin(np.abs(np.array(unlike) - random_unlike)))]]
        annotation.note(slab, composition=", ".join(f"{n} {s:.3f}" for n, s in zip(names, shares, strict=True)))
    slab.symbols = list(symbols)
    return slab


def _occupants(parent: str, fractions: dict[str, float], count: int) -> np.ndarray:
    """Elements for the sites of one sublattice, the numbers nearest to the fractions."""
    shares = {parent: 1 - sum(fractions.values())} | fractions
    exact = {element: share * count for element, share in shares.items()}
    whole = {element: int(number + 1e-9) for element, number in exact.items()}
    left = count - sum(whole.values())
    for element in sorted(exact, key=lambda e: (whole[e] - exact[e], e))[:left]:
        whole[element] += 1
    return np.repeat(list(whole), list(whole.values()))


def insert_molecular_ions(slab: Atoms, material: Material, seed: int) -> Atoms:
    """Put the molecular ion of a crystal, turned at random, where the placeholder stands; others keep their order."""
    if material.molecular_ion is None:
        return slab
    from qdsurf.atomistic.molecules import embed, parse_smiles  # with RDKit, which few crystals need

    ion = material.molecular_ion
    molecule = embed(parse_smiles(ion.smiles, f"materials/{material.name}.yaml: molecular_ion"))
    molecule.positions -= molecule.get_center_of_mass()
    places = np.flatnonzero(slab.symbols == PLACEHOLDER)
    rotations = Rotation.random(len(places), rng=np.random.default_rng(seed))
    whole = slab[np.setdiff1d(np.arange(len(slab)), places)]
    for place, rotation in zip(places, rotations, strict=True):
        piece = annotate(Atoms(molecule.symbols, rotation.apply(molecule.positions)), SUBSTRATE)
        piece.positions += slab.positions[place]
        annotation.formal_charges(piece)[0] = ion.charge  # on the first heavy atom; the ledger counts it once
        for key in set(slab.arrays) - {"numbers", "positions", "role", "fragment", "formal_charge", "anchor"}:
            piece.set_array(key, np.repeat(slab.arrays[key][place : place + 1], len(piece), axis=0))
        whole += piece
    annotation.copy_notes(slab, whole)
    return whole
