"""A structure from anywhere gets the columns that the other builders rely on."""

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, SUBSTRATE, annotate
from qdsurf.atomistic.bonding import DONORS, bond_matrix, is_metal
from qdsurf.atomistic.bonding_criteria import SHORTEST_DISTANCE_A
from qdsurf.errors import BuildError, InputError
from qdsurf.records import library
from qdsurf.surfaces.adsorption_sites import upright
from qdsurf.surfaces.crystal import LAYER_GAP_A
from qdsurf.surfaces.rolling_probe import Cloud, exposed

LARGEST_SHARE = 2  # charge in e of a ligand of an adopted structure
EMPTY_A = 10.0  # on each side of a particle without a cell


def annotate_external(atoms: Atoms, charges: Mapping[str, float] | None = None, where: str = "structure") -> Atoms:
    """Give a structure the columns of `atomistic.annotation.annotate`, unless it has them.

    Groups of non-metal atoms that hold carbon or hydrogen are ligands, their atoms next to a metal of the crystal
    anchors; everything else is the crystal. Formal charges come from the materials on record, and what is left of the
    crystal's charge is shared evenly among the ligands.

    Parameters
    ----------
    atoms : slab with its surface along z, or particle.
    charges : formal charge in e by element, where the records have none or another.

    Raises
    ------
    InputError : an element has no formal charge, two atoms lie in one another, or the charge of the crystal is no
        whole number for each ligand.
    """
    if annotation.is_annotated(atoms):
        return atoms
    _assert_apart(atoms, where)
    adopted = annotate(_in_one_piece(atoms), SUBSTRATE)
    organic = _organic_groups(adopted)
    for number, group in enumerate(organic, start=1):
        annotation.parts(adopted)[group] = LIGAND
        annotation.fragments(adopted)[group] = number
    crystal = np.flatnonzero(annotation.parts(adopted) == SUBSTRATE)
    if not len(crystal):
        raise InputError(f"{where}: holds no crystal, all {len(atoms)} atoms belong to molecules; give a slab or a dot")
    metal = is_metal(adopted)
    known = dict.fromkeys(set(adopted.symbols), 0.0) if metal[crystal].all() else {"H": 1.0} | known_charges()
    known |= dict(charges or {})
    missing = sorted(set(adopted.symbols[crystal]) - set(known))
    if missing:
        raise InputError(f"{where}: no formal charge is known for {', '.join(missing)}; give it as ELEMENT=CHARGE")
    annotation.formal_charges(adopted)[crystal] = [known[symbol] for symbol in adopted.symbols[crystal]]
    total = annotation.formal_charges(adopted)[crystal].sum()
    if organic:
        share = -total / len(organic)
        if abs(share - round(share)) > 1e-6 or abs(share) > LARGEST_SHARE:
            raise InputError(
                f"{where}: the crystal has a charge of {total:+g} e, which {len(organic)} ligands cannot share evenly; "
                "give the columns yourself with qdsurf.atomistic.annotation.annotate"
            )
        near = bond_matrix(adopted)[:, metal & (annotation.parts(adopted) == SUBSTRATE)].any(axis=1)
        donor = np.isin(adopted.symbols, DONORS)
        for group in organic:
            anchors = next(g for g in (group[near[group] & donor[group]], group[donor[group]], group) if len(g))
            annotation.anchors(adopted)[anchors] = True
            annotation.formal_charges(adopted)[anchors] += round(share) / len(anchors)
    annotation.layers(adopted)[crystal] = _layers(adopted[crystal])
    return adopted


def _in_one_piece(atoms: Atoms) -> Atoms:
    """A slab that the cell's end does not cut; anything else as it is, with empty space where it has no cell."""
    boxed = atoms.copy()
    if bare := [axis for axis in range(3) if not atoms.cell[axis].any()]:
        boxed.center(vacuum=EMPTY_A, axis=bare)
    try:
        return upright(boxed) if boxed.pbc[:2].any() else boxed
    except BuildError:
        return boxed


def known_charges() -> dict[str, float]:
    """Formal charges by element in the materials on record; metals, which have none, stay out where others have one."""
    found: dict[str, float] = {}
    for name in library.names("materials"):
        for element, charge in library.material(name).formal_charges.items():
            if charge or element not in found:
                found[element] = charge
    return found


def _assert_apart(atoms: Atoms, where: str) -> None:
    i, j, d = neighbor_list("ijd", atoms, SHORTEST_DISTANCE_A)
    if len(d):
        k = int(np.argmin(d))
        raise InputError(
            f"{where}: {atoms.symbols[i[k]]}{i[k]} and {atoms.symbols[j[k]]}{j[k]} are {d[k]:.2f} A apart; "
            f"at least {SHORTEST_DISTANCE_A} A is expected ({len(d) // 2} such pairs)"
        )


def _organic_groups(atoms: Atoms) -> list[np.ndarray]:
    """Connected groups of non-metal atoms with carbon or hydrogen among them; a lone proton on the crystal is none."""
    light = np.flatnonzero(np.isin(atoms.numbers, [1, 6, 7, 8, 9, 15, 16, 17, 35, 53]))
    if not np.isin(atoms.numbers, [1, 6]).any():
        return []
    bonded = bond_matrix(atoms[light])
    covalent = bonded & (np.isin(atoms.numbers[light], [1, 6])[:, None] | np.isin(atoms.numbers[light], [1, 6])[None])
    label = connected_components(coo_array(covalent), directed=False)[1]
    groups = [light[label == k] for k in range(label.max() + 1)]
    return [group for group in groups if np.isin(atoms.numbers[group], 6).any() or len(group) > 2]


def _layers(crystal: Atoms) -> np.ndarray:
    """Number of the layer of each atom, 1 outermost; a proton belongs to the atom that holds it."""
    heavy = np.flatnonzero(crystal.numbers > 1) if (crystal.numbers > 1).any() else np.arange(len(crystal))
    number = np.full(len(crystal), 2)
    if crystal.pbc[:2].any():
        heights = crystal.positions[heavy, 2]
        order = np.argsort(-heights, kind="stable")
        number[heavy[order]] = 1 + np.concatenate([[0], np.cumsum(-np.diff(heights[order]) > LAYER_GAP_A)])
    else:
        number[heavy[exposed(Cloud(crystal[heavy]))]] = 1
    light = np.setdiff1d(np.arange(len(crystal)), heavy)
    for proton in light:
        number[proton] = number[heavy[np.argmin(crystal.get_distances(int(proton), heavy, mic=True))]]
    return number
