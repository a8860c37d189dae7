"""Occupation of the lattice sites of a slab: substituted ions of mixed crystals, and molecular ions."""

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from scipy.spatial.transform import Rotation

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE, annotate
from qdsurf.records.models import Material
from qdsurf.surfaces.crystal import PLACEHOLDER

# Number of random arrangements from which the one closest to a random alloy is taken.
DRAWS = 64
# Sites of a sublattice within this multiple of its shortest distance are nearest neighbours.
NEAREST_NEIGHBOUR_SHELL = 1.1


def substitute(slab: Atoms, material: Material, seed: int) -> Atoms:
    """Replace ions of the crystal by others of the same charge, as close to a random alloy as the cell allows.

    Among several random arrangements, the function takes the one in which the fraction of unlike nearest neighbours on
    the sublattice is closest to that of a random alloy, 1 - sum of x^2. This is a special quasi-random structure for
    the first neighbour shell.

    Parameters
    ----------
    slab : Atoms
        Slab or particle of the parent crystal with the column `ion`.
    material : Material
        Record with the fractions of the substituents.
    seed : int
        Seed of the arrangements.

    Returns
    -------
    Atoms
        Copy; `info["composition"]` states the fractions that the number of sites allows.

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
        distances = get_distances(slab.positions[sites], cell=slab.cell, pbc=slab.pbc)[1]
        np.fill_diagonal(distances, np.inf)
        neighbours = distances < NEAREST_NEIGHBOUR_SHELL * distances.min()
        fractions_in_cell = np.bincount(codes) / len(codes)
        unlike_random = 1 - (fractions_in_cell**2).sum()
        rng = np.random.default_rng(seed)
        draws = [rng.permutation(codes) for _ in range(DRAWS)]
        unlike = [(neighbours & (draw[:, None] != draw[None])).sum() / neighbours.sum() for draw in draws]
        symbols[sites] = names[draws[int(np.argmin(np.abs(np.array(unlike) - unlike_random)))]]
        composition = ", ".join(f"{name} {x:.3f}" for name, x in zip(names, fractions_in_cell, strict=True))
        annotation.note(slab, composition=composition)
    slab.symbols = list(symbols)
    return slab


def _occupants(parent: str, fractions: dict[str, float], count: int) -> np.ndarray:
    """Return the elements of the sites of a sublattice, in the numbers closest to the fractions."""
    shares = {parent: 1 - sum(fractions.values())} | fractions
    exact = {element: share * count for element, share in shares.items()}
    whole = {element: int(number + 1e-9) for element, number in exact.items()}
    remaining = count - sum(whole.values())
    # The remaining sites go to the elements with the largest rounding error.
    for element in sorted(exact, key=lambda e: (whole[e] - exact[e], e))[:remaining]:
        whole[element] += 1
    return np.repeat(list(whole), list(whole.values()))


def insert_molecular_ions(slab: Atoms, material: Material, seed: int) -> Atoms:
    """Replace each placeholder of a crystal by its molecular ion in a random orientation.

    Parameters
    ----------
    slab : Atoms
        Slab or particle with placeholders.
    material : Material
        Record of the material.
    seed : int
        Seed of the orientations.

    Returns
    -------
    Atoms
        The other atoms in their previous order, then the molecular ions. Without molecular ions, the same object.
    """
    if material.molecular_ion is None:
        return slab
    from qdsurf.atomistic.molecules import embed, parse_smiles  # imports RDKit, which few crystals need

    ion = material.molecular_ion
    molecule = embed(parse_smiles(ion.smiles, f"materials/{material.name}.yaml: molecular_ion"))
    molecule.positions -= molecule.get_center_of_mass()
    placeholders = np.flatnonzero(slab.symbols == PLACEHOLDER)
    rotations = Rotation.random(len(placeholders), rng=np.random.default_rng(seed))
    whole = slab[np.setdiff1d(np.arange(len(slab)), placeholders)]
    own_columns = {"numbers", "positions", "role", "fragment", "formal_charge", "anchor"}
    for placeholder, rotation in zip(placeholders, rotations, strict=True):
        piece = annotate(Atoms(molecule.symbols, rotation.apply(molecule.positions)), SUBSTRATE)
        piece.positions += slab.positions[placeholder]
        # The whole charge is on the first heavy atom, so that the charge balance lists it once for each ion.
        annotation.formal_charges(piece)[0] = ion.charge
        for key in set(slab.arrays) - own_columns:
            value = slab.arrays[key][placeholder : placeholder + 1]
            annotation.set_column(piece, key, np.repeat(value, len(piece), axis=0))
        whole += piece
    annotation.copy_notes(slab, whole)
    return whole
