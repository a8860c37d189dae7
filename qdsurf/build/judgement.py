"""Whether a relaxed structure still is the state that was asked for."""

import numpy as np
from ase import Atoms

from qdsurf.connectivity import bond_ratios, changed_bonds, intended_bonds, is_metal, recorded_pairs

HELD = 1.35  # a bond of two roles, one of them substrate, exists below this multiple of the covalent radii


def judge(candidate: Atoms, relaxed: Atoms) -> str:
    """Say why a relaxed structure is not the state that was asked for; an empty string accepts it.

    The bond graph of the molecules must be the candidate's, every bond named by the template must be formed or
    broken. Extra contacts of a metal centre to the surface or to a second anchor are allowed, and a ligand that has
    passed to a new partner may still lean on the crystal: they only bind it more firmly.
    """
    ratios, anchor = bond_ratios(relaxed), relaxed.arrays["anchor"]
    name = lambda i, j: f"{relaxed.symbols[i]}{i}-{relaxed.symbols[j]}{j}"  # noqa: E731
    formed, broken = recorded_pairs(candidate, "formed"), recorded_pairs(candidate, "broken")
    reasons = [f"{name(i, j)} did not stay formed" for i, j in formed if not _held(relaxed, ratios, i, j)]
    if any(anchor[list(pair)].any() for pair in formed):
        broken = [pair for pair in broken if not anchor[list(pair)].any()]
    reasons += [f"{name(i, j)} came back" for i, j in broken if ratios[i, j] < HELD]
    lost, gained = changed_bonds(intended_bonds(candidate), relaxed)
    metal = is_metal(relaxed)
    gained = {pair for pair in gained if not metal[list(pair)].any()}
    reasons += [f"{name(*pair)} broke" for pair in sorted(lost) if not _dative(relaxed, pair)]
    reasons += [f"{name(*pair)} formed unasked" for pair in sorted(gained)]
    return "; ".join(dict.fromkeys(reasons))


def _held(atoms: Atoms, ratios: np.ndarray, i: int, j: int) -> bool:
    """Whether a bond that was asked for is there; one to the crystal may have moved to a like atom of the crystal."""
    substrate = atoms.arrays["role"] == "substrate"
    if substrate[i] == substrate[j]:
        return ratios[i, j] < HELD
    ion, other = (i, j) if substrate[i] else (j, i)
    alike = substrate & (atoms.numbers == atoms.numbers[ion])
    return ratios[alike, other].min() < HELD


def _dative(atoms: Atoms, pair: tuple[int, int]) -> bool:
    """Whether a bond joins a metal centre to a ligand's anchor: chelation may open and close freely."""
    return bool(is_metal(atoms)[list(pair)].any() and atoms.arrays["anchor"][list(pair)].any())
