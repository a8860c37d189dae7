"""Roles of reaction templates: which atoms of a structure match each role.

A role, such as `surface.anion`, is a criterion for atoms. Most roles are patterns of element, formal charge, layer and
bonded neighbours (`PATTERNS`). The others need a comparison between atoms and are functions (`_FINDERS`).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, COREACTANT, LIGAND, SUBSTRATE
from qdsurf.atomistic.bonding import bond_matrix, recorded_pairs, touching
from qdsurf.atomistic.bonding_criteria import BOND_LOST, COORDINATION

# Ranges of formal charges in e.
POSITIVE, NEGATIVE, NEUTRAL, ONE = (0.01, 9.0), (-9.0, -0.01), (-0.01, 0.01), (0.99, 1.01)
HALOGENS, CHALCOGENS = ("F", "Cl", "Br", "I"), ("O", "S", "Se", "Te")
MONOVALENT = ("Li", "Na", "K", "Rb", "Cs", "Cu", "Ag", "Tl")


class Pattern(NamedTuple):
    """Criterion for atoms: their own properties and those of their bonded neighbours.

    Attributes
    ----------
    part : str
        Part of the model, the value of the column `role`.
    elements : tuple of str
        Accepted elements; empty accepts all.
    charge : tuple of float, optional
        Lowest and highest formal charge in e; None accepts all.
    anchor : bool, optional
        Whether the atom is an anchor of a ligand; None accepts both.
    layers : int, optional
        Number of outermost crystal layers in which the atom may lie; None accepts all.
    beside : Pattern, optional
        The atom must be bonded to an atom that matches this pattern.
    apart : Pattern, optional
        The atom must not be bonded to an atom that matches this pattern.
    """

    part: str
    elements: tuple[str, ...] = ()
    charge: tuple[float, float] | None = None
    anchor: bool | None = None
    layers: int | None = None
    beside: "Pattern | None" = None
    apart: "Pattern | None" = None


_HYDROGEN = Pattern(SUBSTRATE, ("H",))
_METAL = Pattern(ADSORBATE, charge=POSITIVE)
_TRANSFERRED = Pattern(ADSORBATE, charge=NEGATIVE, beside=Pattern(SUBSTRATE, charge=POSITIVE), apart=_METAL)
_TAIL = Pattern(LIGAND, ("N", "O", "S"), anchor=False, beside=Pattern(LIGAND, ("H",)))
_OXIDANT = Pattern(COREACTANT, ("O",), charge=NEUTRAL, beside=Pattern(COREACTANT, ("O",), charge=NEUTRAL))
PATTERNS = {
    "surface.hydroxyl": Pattern(SUBSTRATE, ("O",), layers=2, beside=_HYDROGEN),
    "surface.proton": Pattern(SUBSTRATE, ("H",), layers=2, beside=Pattern(SUBSTRATE, ("N", *CHALCOGENS))),
    "surface.oxygen": Pattern(SUBSTRATE, ("O",), layers=1, apart=_HYDROGEN),
    "surface.halide": Pattern(SUBSTRATE, HALOGENS, layers=1),
    "surface.monovalent": Pattern(SUBSTRATE, MONOVALENT, charge=ONE, layers=1),
    "surface.alkylated": Pattern(SUBSTRATE, charge=POSITIVE, beside=_TRANSFERRED),
    "ligand.anchor": Pattern(LIGAND, anchor=True),
    "ligand.partner": Pattern(LIGAND, anchor=True),
    "ligand.tail": _TAIL,
    "ligand.acid": Pattern(LIGAND, ("H",), beside=_TAIL),
    "precursor.metal": _METAL,
    "precursor.leaving": Pattern(ADSORBATE, charge=NEGATIVE),
    "precursor.transferred": _TRANSFERRED,
    "coreactant.donor": Pattern(COREACTANT, charge=NEGATIVE),
    "coreactant.proton": Pattern(COREACTANT, ("H",), charge=POSITIVE),
    "coreactant.carbonyl": Pattern(COREACTANT, ("O",), charge=NEUTRAL, beside=Pattern(COREACTANT, ("C",))),
    "coreactant.oxygen": _OXIDANT,
    "coreactant.far": _OXIDANT,
    "coreactant.rest": _OXIDANT,
}

# For error messages: which atom matches a role, and how to obtain a structure that contains it.
HINTS = {
    "surface.hydroxyl": "an O atom of the crystal that carries H: cut a hydroxylated facet, or add --defect H2O",
    "surface.proton": "an H atom on an anion of the crystal: cut a hydroxylated facet, or add --defect H2O",
    "surface.oxygen": "an outermost O atom without H: add --defect O_on_S or O_S, or cut an oxide",
    "surface.halide": "an outermost halide ion",
    "surface.monovalent": "an outermost ion of charge +1 other than a proton",
    "surface.vacant": "a cation beside a vacancy: add --defect V_Br --defect V_Cs, or V_PbS",
    "surface.counterion": "an outermost ion whose charge is opposite to that of a ligand",
    "ligand.anchor": "an atom through which a ligand binds: cover the slab with `qdsurf ligate`",
    "ligand.proton": "an acid proton, or an H atom on an anchor",
    "ligand.tail": "an N, O or S atom with H that is not bound to the crystal, as in mercaptopropionate",
    "coreactant.proton": "an H atom on N, O, S or a halogen, as in H2O",
    "coreactant.donor": "an atom with an acidic H, as in H2O",
    "coreactant.carbonyl": "an O atom without H that is bound to C, as in AcOH",
    "coreactant.oxygen": "an O atom that is bound only to O, as in O2 and O3",
}


def find_role(atoms: Atoms, role: str) -> np.ndarray:
    """Find all atoms that match a role.

    Parameters
    ----------
    atoms : Atoms
        Annotated structure.
    role : str
        Name of the role, such as `precursor.leaving`.

    Returns
    -------
    ndarray of int
        Indices; empty if no atom matches. Atoms of the crystal that a pattern finds are sorted by height, the highest
        first, because higher atoms are more accessible.
    """
    if role not in PATTERNS:
        return _FINDERS[role](atoms)
    found = np.flatnonzero(_matches(atoms, PATTERNS[role], _bonds_with_formed(atoms)))
    heights = atoms.positions[found, 2].round(1) if role.startswith("surface.") else np.zeros(len(found))
    return found[np.argsort(-heights, kind="stable")]


def _bonds_with_formed(atoms: Atoms) -> np.ndarray:
    """Return the bond matrix, shape (n, n), including bonds formed by the spring model, which may still be too long."""
    bonded = bond_matrix(atoms)
    for i, j in recorded_pairs(atoms, "formed"):
        if max(i, j) >= len(atoms):
            continue  # the record refers to atoms that have been removed
        longest = BOND_LOST * covalent_radii[atoms.numbers[[i, j]]].sum()
        if atoms.get_distance(i, j, mic=True) < longest:
            bonded[i, j] = bonded[j, i] = True
    return bonded


def _matches(atoms: Atoms, pattern: Pattern, bonded: np.ndarray) -> np.ndarray:
    """Return the mask of the atoms that match a pattern, shape (n,)."""
    mask = annotation.parts(atoms) == pattern.part
    if pattern.elements:
        mask = mask & np.isin(atoms.symbols, pattern.elements)
    if pattern.charge is not None:
        low, high = pattern.charge
        mask = mask & (annotation.formal_charges(atoms) >= low) & (annotation.formal_charges(atoms) <= high)
    if pattern.anchor is not None:
        mask = mask & (annotation.anchors(atoms) == pattern.anchor)
    if pattern.layers is not None:
        mask = mask & (annotation.layers(atoms) <= pattern.layers)
    if pattern.beside is not None and mask.any():
        mask = mask & bonded[:, _matches(atoms, pattern.beside, bonded)].any(axis=1)
    if pattern.apart is not None and mask.any():
        mask = mask & ~bonded[:, _matches(atoms, pattern.apart, bonded)].any(axis=1)
    return mask


def _surface_ions(atoms: Atoms, sign: int) -> np.ndarray:
    """Return the ions of one sign in the two outermost layers whose element has the largest typical charge.

    Only the largest charge counts, because the Lewis acid of CsPbBr3 is Pb2+, not Cs+. The atoms of a metal have no
    formal charge; the least electronegative element is then taken for `sign` +1 and the most electronegative for -1.
    """
    substrate = np.flatnonzero(annotation.parts(atoms) == SUBSTRATE)
    charge = annotation.formal_charges(atoms)[substrate] * sign
    numbers = atoms.numbers[substrate]
    if charge.any():
        typical = {z: float(np.median(charge[numbers == z])) for z in set(numbers.tolist())}
        largest = max(typical.values())
        chosen = (np.array([typical[z] for z in numbers.tolist()]) > largest - 1e-6) & (charge > 0)
    else:
        from pymatgen.core import Element  # slow to import, and needed only for metals

        rank = np.array([-sign * Element(chemical_symbols[z]).X for z in numbers])
        chosen = rank > rank.max() - 1e-6
    return substrate[chosen & (annotation.layers(atoms)[substrate] <= 2)]


def surface_cations(atoms: Atoms) -> np.ndarray:
    """Return the indices of the Lewis-acidic cations of the two outermost layers."""
    return _surface_ions(atoms, +1)


def surface_anions(atoms: Atoms) -> np.ndarray:
    """Return the indices of the anions of the two outermost layers."""
    return _surface_ions(atoms, -1)


def outermost_anions(atoms: Atoms) -> np.ndarray:
    """Return the indices of the anions of the outermost layer."""
    anions = surface_anions(atoms)
    return anions[annotation.layers(atoms)[anions] == 1]


def vacant_cations(atoms: Atoms) -> np.ndarray:
    """Return the indices of the surface cations with a coordination number below the median of their element and layer.

    Anions of the crystal and anchors of ligands within `COORDINATION` count as neighbours.
    """
    cations = surface_cations(atoms)
    if len(cations) == 0:
        return cations
    anions = (annotation.parts(atoms) == SUBSTRATE) & (annotation.formal_charges(atoms) < 0)
    neighbours = anions | annotation.anchors(atoms)
    coordination = touching(atoms, COORDINATION)[np.ix_(cations, neighbours)].sum(axis=1)
    kinds = list(zip(atoms.numbers[cations].tolist(), annotation.layers(atoms)[cations].tolist(), strict=True))
    median = {
        kind: np.median([n for n, other in zip(coordination, kinds, strict=True) if other == kind])
        for kind in set(kinds)
    }
    return cations[[bool(n < median[kind]) for n, kind in zip(coordination, kinds, strict=True)]]


def outermost_ions(atoms: Atoms, charge: float) -> np.ndarray:
    """Return the indices of the substrate ions with a given formal charge in the outermost layer that contains any.

    Parameters
    ----------
    atoms : Atoms
        Annotated structure.
    charge : float
        Formal charge in e.

    Returns
    -------
    ndarray of int
        Empty if no ion has this charge.
    """
    ions = np.flatnonzero((annotation.parts(atoms) == SUBSTRATE) & (annotation.formal_charges(atoms) == charge))
    layers = annotation.layers(atoms)[ions]
    return ions[layers == layers.min()] if len(ions) else ions


def ligand_charge(atoms: Atoms) -> int:
    """Return the mean formal charge of a ligand in e, rounded to an integer; 0 if the structure has no ligands."""
    ligand = annotation.parts(atoms) == LIGAND
    number = max(1, len(set(annotation.fragments(atoms)[ligand])))
    return round(annotation.formal_charges(atoms)[ligand].sum() / number)


def counterions(atoms: Atoms) -> np.ndarray:
    """Return the indices of the outermost ions, protons excluded, whose charge is opposite to that of a ligand."""
    ions = outermost_ions(atoms, -ligand_charge(atoms))
    return ions[atoms.numbers[ions] > 1]


def ligand_protons(atoms: Atoms) -> np.ndarray:
    """Return the indices of the protons that ligands can release.

    Acid protons of the ligands are taken first. If there are none, hydrogen atoms on anchors are taken. If the ligands
    have hydrogen, but none on an anchor, protons on the crystal are taken.
    """
    hydrogen = (annotation.parts(atoms) == LIGAND) & (atoms.numbers == 1)
    acidic = hydrogen & (annotation.formal_charges(atoms) > 0)
    if acidic.any():
        return np.flatnonzero(acidic)
    on_anchor = hydrogen & bond_matrix(atoms)[:, annotation.anchors(atoms)].any(axis=1)
    if on_anchor.any() or not hydrogen.any():
        return np.flatnonzero(on_anchor)
    return find_role(atoms, "surface.proton")


_FINDERS: dict[str, Callable[[Atoms], np.ndarray]] = {
    "surface.cation": surface_cations,
    "surface.anion": outermost_anions,
    "surface.counterion": counterions,
    "surface.vacant": vacant_cations,
    "ligand.proton": ligand_protons,
}
