"""Whether a relaxed structure still is the state that was asked for."""

from itertools import combinations

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import bond_ratios, changed_bonds, intended_bonds, is_metal, recorded_pairs
from qdsurf.atomistic.bonding_criteria import STATE_BOND

# At a carbon atom of a free molecule. GFN1-xTB and GFN2-xTB keep such angles within 18 degrees of density functional
# theory in all molecules of the reference set that they hold; PM7 folds methyl groups on aluminium by 28 to 61.
FOLDED_DEG = 25.0


def check_state(candidate: Atoms, relaxed: Atoms) -> str:
    """Say why a relaxed structure is not the state that was asked for; an empty string accepts it.

    The bond graph of the molecules must be the candidate's, every bond named by the template must be formed or
    broken. Extra contacts of a metal centre to the surface or to a second anchor are allowed, and a ligand that has
    passed to a new partner may still lean on the crystal: they only bind it more firmly.
    """
    ratios, anchor = bond_ratios(relaxed), annotation.anchors(relaxed)
    name = lambda i, j: f"{relaxed.symbols[i]}{i}-{relaxed.symbols[j]}{j}"  # noqa: E731
    formed, broken = recorded_pairs(candidate, "formed"), recorded_pairs(candidate, "broken")
    reasons = [f"{name(i, j)} did not stay formed" for i, j in formed if not _held(relaxed, ratios, i, j)]
    if any(anchor[list(pair)].any() for pair in formed):
        broken = [pair for pair in broken if not anchor[list(pair)].any()]
    reasons += [f"{name(i, j)} came back" for i, j in broken if ratios[i, j] < STATE_BOND]
    lost, gained = changed_bonds(intended_bonds(candidate), relaxed)
    metal = is_metal(relaxed)
    gained = {pair for pair in gained if not metal[list(pair)].any()}
    reasons += [f"{name(*pair)} broke" for pair in sorted(lost) if not _dative(relaxed, pair)]
    reasons += [f"{name(*pair)} formed unasked" for pair in sorted(gained)]
    return "; ".join(dict.fromkeys(reasons))


def folded_groups(candidate: Atoms, relaxed: Atoms) -> list[str]:
    """Methyl and methylene groups of a free molecule that have lost their shape; on a crystal they may lean on it."""
    if (annotation.parts(relaxed) == "substrate").any():
        return []
    partners: dict[int, set[int]] = {}
    for i, j in intended_bonds(candidate):
        partners.setdefault(i, set()).add(j)
        partners.setdefault(j, set()).add(i)
    reasons = []
    for carbon, own in partners.items():
        if candidate.symbols[carbon] == "C" and sum(candidate.symbols[k] == "H" for k in own) >= 2:
            angles = [(i, carbon, j) for i, j in combinations(sorted(own), 2)]
            change = relaxed.get_angles(angles) - candidate.get_angles(angles)
            if abs(worst := max(change, key=abs)) > FOLDED_DEG:
                reasons.append(f"C{carbon} folded: an angle changed by {worst:+.0f} degrees")
    return reasons


def _held(atoms: Atoms, ratios: np.ndarray, i: int, j: int) -> bool:
    """Whether a bond that was asked for is there; one to the crystal may have moved to a like atom of the crystal."""
    substrate = annotation.parts(atoms) == "substrate"
    if substrate[i] == substrate[j]:
        return ratios[i, j] < STATE_BOND
    ion, other = (i, j) if substrate[i] else (j, i)
    alike = substrate & (atoms.numbers == atoms.numbers[ion])
    return ratios[alike, other].min() < STATE_BOND


def _dative(atoms: Atoms, pair: tuple[int, int]) -> bool:
    """Whether a bond joins a metal centre to a ligand's anchor: chelation may open and close freely."""
    return bool(is_metal(atoms)[list(pair)].any() and annotation.anchors(atoms)[list(pair)].any())
