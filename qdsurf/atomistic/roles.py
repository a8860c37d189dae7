"""Which atoms can play the roles that a reaction template names."""

from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, COREACTANT, LIGAND, SUBSTRATE
from qdsurf.atomistic.bonding import bond_matrix, recorded_pairs, touching
from qdsurf.atomistic.bonding_criteria import BOND_LOST, COORDINATION

POSITIVE, NEGATIVE, NEUTRAL, ONE = (0.01, 9.0), (-9.0, -0.01), (-0.01, 0.01), (0.99, 1.01)  # formal charges in e
HALOGENS, CHALCOGENS = ("F", "Cl", "Br", "I"), ("O", "S", "Se", "Te")
MONOVALENT = ("Li", "Na", "K", "Rb", "Cs", "Cu", "Ag", "Tl")


class Pattern(NamedTuple):
    """Atoms by what they are and by what they are bonded to.

    Attributes
    ----------
    part : value of their column `role`.
    elements : any of these; empty: all.
    charge : lowest and highest formal charge in e; None: any.
    anchor : whether they are anchors of a ligand; None: either.
    layers : only the outermost so many layers of the crystal; None: all.
    beside, apart : patterns of an atom to which they must, and must not, be bonded.
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


# What a role is that many structures lack, and how to get one.
HINTS = {
    "surface.hydroxyl": "an O of the crystal that holds H: cut a hydroxylated facet, or add --defect H2O",
    "surface.proton": "an H on an anion of the crystal: cut a hydroxylated facet, or add --defect H2O",
    "surface.oxygen": "an outermost O without H: add --defect O_on_S or O_S, or cut an oxide",
    "surface.halide": "an outermost halide ion",
    "surface.monovalent": "an outermost ion of charge +1, not a proton",
    "surface.vacant": "a cation beside a vacancy: add --defect V_Br --defect V_Cs, or V_PbS",
    "surface.counterion": "an outermost ion with the opposite of the ligand's charge",
    "ligand.anchor": "an atom by which a ligand binds: cover the slab with `qdsurf ligate`",
    "ligand.proton": "an acid proton, or an H on an anchor",
    "ligand.tail": "an N, O or S with H that is not bound to the crystal, as in mercaptopropionate",
    "coreactant.proton": "an H on N, O, S or a halogen, as in H2O",
    "coreactant.donor": "an atom that holds an acidic H, as in H2O",
    "coreactant.carbonyl": "an O without H on C, as in AcOH",
    "coreactant.oxygen": "an O bound to O only, as in O2 and O3",
}


def find_role(atoms: Atoms, role: str) -> np.ndarray:
    """Indices of all atoms that can play a role, such as `precursor.leaving`; may be empty.

    Those of the crystal that a pattern finds come in the order of their height, the openest first.
    """
    if role not in PATTERNS:
        return _FINDERS[role](atoms)
    bonded = _bonded(atoms)
    found = np.flatnonzero(_matches(atoms, PATTERNS[role], bonded))
    heights = atoms.positions[found, 2].round(1) if role.startswith("surface.") else np.zeros(len(found))
    return found[np.argsort(-heights, kind="stable")]


def _bonded(atoms: Atoms) -> np.ndarray:
    """Bonds, shape (n, n), with those that springs have made: longer than others until they are relaxed."""
    bonded = bond_matrix(atoms)
    for i, j in recorded_pairs(atoms, "formed"):
        reach = BOND_LOST * covalent_radii[atoms.numbers[[i, j]]].sum() if max(i, j) < len(atoms) else -1.0
        if reach > 0 and atoms.get_distance(i, j, mic=True) < reach:
            bonded[i, j] = bonded[j, i] = True
    return bonded


def _matches(atoms: Atoms, pattern: Pattern, bonded: np.ndarray) -> np.ndarray:
    """Mask of the atoms that fit a pattern, shape (n,)."""
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
    """Substrate atoms of the elements whose usual charge of one sign is the largest, in the two outermost layers.

    The largest charge, because the Lewis acid of CsPbBr3 is Pb2+, not Cs+. In a metal the least (+1) or most (-1)
    electronegative element stands in.
    """
    substrate = np.flatnonzero(annotation.parts(atoms) == SUBSTRATE)
    charge = annotation.formal_charges(atoms)[substrate] * sign
    numbers = atoms.numbers[substrate]
    if charge.any():
        usual = {z: float(np.median(charge[numbers == z])) for z in set(numbers.tolist())}
        top = max(usual.values())
        chosen = (np.array([usual[z] for z in numbers.tolist()]) > top - 1e-6) & (charge > 0)
    else:
        from pymatgen.core import Element  # slow to import, and only metals need it

        rank = np.array([-sign * Element(chemical_symbols[z]).X for z in numbers])
        chosen = rank > rank.max() - 1e-6
    return substrate[chosen & (annotation.layers(atoms)[substrate] <= 2)]


def surface_cations(atoms: Atoms) -> np.ndarray:
    """Indices of the Lewis-acidic cations of the two outermost layers."""
    return _surface_ions(atoms, +1)


def surface_anions(atoms: Atoms) -> np.ndarray:
    """Indices of the anions of the two outermost layers."""
    return _surface_ions(atoms, -1)


def outermost_anions(atoms: Atoms) -> np.ndarray:
    """Indices of the anions of the outermost layer."""
    anions = surface_anions(atoms)
    return anions[annotation.layers(atoms)[anions] == 1]


def vacant_cations(atoms: Atoms) -> np.ndarray:
    """Indices of the cations that have fewer anions about them than is usual for their element and layer."""
    cations = surface_cations(atoms)
    anionic = (annotation.parts(atoms) == SUBSTRATE) & (annotation.formal_charges(atoms) < 0) | annotation.anchors(
        atoms
    )
    count = touching(atoms, COORDINATION)[np.ix_(cations, anionic)].sum(axis=1)
    kind = list(zip(atoms.numbers[cations].tolist(), annotation.layers(atoms)[cations].tolist(), strict=True))
    usual = {key: np.median([n for n, other in zip(count, kind, strict=True) if other == key]) for key in set(kind)}
    return cations[[bool(n < usual[key]) for n, key in zip(count, kind, strict=True)]] if len(cations) else cations


def outermost_ions(atoms: Atoms, charge: float) -> np.ndarray:
    """Indices of the outermost substrate ions of one formal charge."""
    ions = np.flatnonzero((annotation.parts(atoms) == SUBSTRATE) & (annotation.formal_charges(atoms) == charge))
    layers = annotation.layers(atoms)[ions]
    return ions[layers == layers.min()] if len(ions) else ions


def ligand_charge(atoms: Atoms) -> int:
    """Formal charge in e of one ligand, the mean of all; 0 where there is none."""
    ligand = annotation.parts(atoms) == LIGAND
    return round(annotation.formal_charges(atoms)[ligand].sum() / max(1, len(set(annotation.fragments(atoms)[ligand]))))


def counterions(atoms: Atoms) -> np.ndarray:
    """Indices of the outermost ions, not protons, with the opposite of a ligand's charge."""
    ions = outermost_ions(atoms, -ligand_charge(atoms))
    return ions[atoms.numbers[ions] > 1]


def ligand_protons(atoms: Atoms) -> np.ndarray:
    """Indices of the acid protons that came with ligands, else those on anchors, else those on the crystal."""
    hydrogen = (annotation.parts(atoms) == LIGAND) & (atoms.numbers == 1)
    acidic = hydrogen & (annotation.formal_charges(atoms) > 0)
    if acidic.any():
        return np.flatnonzero(acidic)
    on_anchor = hydrogen & bond_matrix(atoms)[:, annotation.anchors(atoms)].any(axis=1)
    return np.flatnonzero(on_anchor) if on_anchor.any() or not hydrogen.any() else find_role(atoms, "surface.proton")


_FINDERS = {
    "surface.cation": surface_cations,
    "surface.anion": outermost_anions,
    "surface.counterion": counterions,
    "surface.vacant": vacant_cations,
    "ligand.proton": ligand_protons,
}
