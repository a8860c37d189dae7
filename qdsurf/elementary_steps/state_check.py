"""Check that a relaxed structure is still in the state for which it was built, from its bonds."""

from itertools import combinations

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.bonding import bond_ratios, changed_bonds, intended_bonds, is_metal, recorded_pairs
from qdsurf.atomistic.bonding_criteria import STATE_BOND

# Largest accepted change of an angle at a carbon atom of a free molecule. GFN1-xTB and GFN2-xTB keep these angles
# within 18 degrees of density functional theory in all molecules of the reference set that are stable with them. PM7
# folds methyl groups on aluminium by 28 to 61 degrees.
FOLDED_DEG = 25.0


def check_state(candidate: Atoms, relaxed: Atoms) -> str:
    """Compare the bonds of a relaxed structure with those of the state for which it was built.

    The molecules must have the bonds of the candidate. All bonds that the reaction template forms must be formed, and
    all bonds that it breaks must be broken. A metal centre may have additional contacts to the surface or to a second
    anchor. A ligand that has moved to a new partner may still touch the crystal. These contacts only strengthen the
    adsorption.

    Parameters
    ----------
    candidate : Atoms
        Annotated starting structure; `info["formed"]` and `info["broken"]` are the bonds that the template changes.
    relaxed : Atoms
        The same atoms after the relaxation.

    Returns
    -------
    str
        Why the structure is not in its state; empty if it is.
    """
    ratios, anchor = bond_ratios(relaxed), annotation.anchors(relaxed)

    def bond(pair: tuple[int, int]) -> str:
        i, j = pair
        return f"bond {relaxed.symbols[i]}{i}-{relaxed.symbols[j]}{j}"

    formed, broken = recorded_pairs(candidate, "formed"), recorded_pairs(candidate, "broken")
    if any(anchor[list(pair)].any() for pair in formed):
        broken = [pair for pair in broken if not anchor[list(pair)].any()]
    lost, gained = changed_bonds(intended_bonds(candidate), relaxed)
    metal = is_metal(relaxed)
    reasons = [f"{bond(pair)} of this step did not form" for pair in formed if not _is_formed(relaxed, ratios, pair)]
    reasons += [f"{bond(pair)} of this step is not broken" for pair in broken if ratios[pair] < STATE_BOND]
    reasons += [
        f"{bond(pair)} broke during the relaxation but is not part of this reaction"
        for pair in sorted(lost)
        if not _joins_metal_and_anchor(relaxed, pair)
    ]
    reasons += [
        f"{bond(pair)} formed during the relaxation but is not part of this reaction"
        for pair in sorted(gained)
        if not metal[list(pair)].any()
    ]
    return "; ".join(dict.fromkeys(reasons))


def folded_groups(candidate: Atoms, relaxed: Atoms) -> list[str]:
    """Find methyl and methylene groups of a free molecule whose angles changed by more than `FOLDED_DEG`.

    Molecules on a crystal are not checked, because contacts with the surface may deform these groups.

    Parameters
    ----------
    candidate : Atoms
        Annotated starting structure.
    relaxed : Atoms
        The same atoms after the relaxation.

    Returns
    -------
    list of str
        One sentence for each folded group.
    """
    if (annotation.parts(relaxed) == "substrate").any():
        return []
    neighbours: dict[int, set[int]] = {}
    for i, j in intended_bonds(candidate):
        neighbours.setdefault(i, set()).add(j)
        neighbours.setdefault(j, set()).add(i)
    reasons = []
    for carbon, bonded in neighbours.items():
        if candidate.symbols[carbon] == "C" and sum(candidate.symbols[k] == "H" for k in bonded) >= 2:
            angles = [(i, carbon, j) for i, j in combinations(sorted(bonded), 2)]
            changes_deg = relaxed.get_angles(angles) - candidate.get_angles(angles)
            largest = max(changes_deg, key=abs)
            if abs(largest) > FOLDED_DEG:
                reasons.append(
                    f"the group at C{carbon} folded: an angle changed by {largest:+.0f} degrees, at most "
                    f"{FOLDED_DEG:.0f} are accepted"
                )
    return reasons


def _is_formed(atoms: Atoms, ratios: np.ndarray, pair: tuple[int, int]) -> bool:
    """Whether a bond exists; a bond to the crystal may have moved to another atom of the same element."""
    substrate = annotation.parts(atoms) == "substrate"
    i, j = pair
    if substrate[i] == substrate[j]:
        return bool(ratios[pair] < STATE_BOND)
    crystal_atom, other = (i, j) if substrate[i] else (j, i)
    same_element = substrate & (atoms.numbers == atoms.numbers[crystal_atom])
    return bool(ratios[same_element, other].min() < STATE_BOND)


def _joins_metal_and_anchor(atoms: Atoms, pair: tuple[int, int]) -> bool:
    """Whether a bond joins a metal centre and the anchor of a ligand; chelating bonds may open and close."""
    return bool(is_metal(atoms)[list(pair)].any() and annotation.anchors(atoms)[list(pair)].any())
