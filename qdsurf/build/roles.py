"""Which atoms can play the roles that a reaction template names."""

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from pymatgen.core import Element

from qdsurf.connectivity import bond_matrix
from qdsurf.structure_io import ADSORBATE, LIGAND, SUBSTRATE


def _surface_ions(atoms: Atoms, sign: int) -> np.ndarray:
    """Substrate atoms of the elements whose usual charge of one sign is the largest, in the two outermost layers.

    The largest charge, because the Lewis acid of CsPbBr3 is Pb2+, not Cs+. In a metal the least (+1) or most (-1)
    electronegative element stands in.
    """
    substrate = np.flatnonzero(atoms.arrays["role"] == SUBSTRATE)
    charge = atoms.arrays["formal_charge"][substrate] * sign
    numbers = atoms.numbers[substrate]
    if charge.any():
        usual = {z: float(np.median(charge[numbers == z])) for z in set(numbers.tolist())}
        top = max(usual.values())
        chosen = (np.array([usual[z] for z in numbers.tolist()]) > top - 1e-6) & (charge > 0)
    else:
        rank = np.array([-sign * Element(chemical_symbols[z]).X for z in numbers])
        chosen = rank > rank.max() - 1e-6
    return substrate[chosen & (atoms.arrays["layer"][substrate] <= 2)]


def surface_cations(atoms: Atoms) -> np.ndarray:
    """Indices of the Lewis-acidic cations of the two outermost layers."""
    return _surface_ions(atoms, +1)


def surface_anions(atoms: Atoms) -> np.ndarray:
    """Indices of the anions of the two outermost layers."""
    return _surface_ions(atoms, -1)


def outermost_ions(atoms: Atoms, charge: float) -> np.ndarray:
    """Indices of the outermost substrate ions of one formal charge."""
    ions = np.flatnonzero((atoms.arrays["role"] == SUBSTRATE) & (atoms.arrays["formal_charge"] == charge))
    layers = atoms.arrays["layer"][ions]
    return ions[layers == layers.min()] if len(ions) else ions


def find_role(atoms: Atoms, role: str) -> np.ndarray:
    """Indices of all atoms that can play a role, such as `precursor.leaving`; may be empty."""
    kind, part = atoms.arrays["role"], role.partition(".")[2]
    charge, anchor = atoms.arrays["formal_charge"], atoms.arrays["anchor"]
    if role == "surface.cation":
        return surface_cations(atoms)
    if role == "surface.anion":
        anions = surface_anions(atoms)
        return anions[atoms.arrays["layer"][anions] == 1]
    if role == "surface.counterion":
        return outermost_ions(
            atoms, -round(charge[kind == LIGAND].sum() / max(1, len(set(atoms.arrays["fragment"][kind == LIGAND]))))
        )
    if role == "ligand.anchor":
        return np.flatnonzero((kind == LIGAND) & anchor)
    if role == "ligand.proton":
        acidic = (kind == LIGAND) & (atoms.numbers == 1) & (charge > 0)
        if acidic.any():
            return np.flatnonzero(acidic)
        on_anchor = bond_matrix(atoms)[:, anchor].any(axis=1)
        return np.flatnonzero((kind == LIGAND) & (atoms.numbers == 1) & on_anchor)
    sign = 1 if part == "metal" else -1
    return np.flatnonzero((kind == ADSORBATE) & (charge * sign > 0))
