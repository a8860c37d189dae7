"""Products of a reaction template: choose the atoms, drive the bonds, take the gas molecule away, and later judge."""

import itertools
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from qdsurf.build.drive import drive
from qdsurf.build.ledger import assert_neutral
from qdsurf.build.roles import find_role
from qdsurf.connectivity import (
    bond_ratios,
    changed_bonds,
    component,
    intended_bonds,
    is_metal,
    is_molecular,
    molecular_bonds,
    recorded_pairs,
)
from qdsurf.errors import BuildError
from qdsurf.records import Reaction, Role

REACH_A = 7.0  # atoms that are to form a bond must be this close in the reactant
HELD = 1.35  # a bond of two roles, one of them substrate, exists below this multiple of the covalent radii

Edit = tuple[set[tuple[int, int]], set[tuple[int, int]], dict[Role, int]]


def build_endpoints(reactant: Atoms, reaction: Reaction, attempts: int = 2, complete: bool = False) -> list[Atoms]:
    """Product geometries of a reaction, best spring energy first.

    Parameters
    ----------
    reactant : relaxed initial state with the columns of `structure_io.annotate`.
    attempts : number of candidates to return; different atoms in the same roles.
    complete : leave the gas molecule beside what it left, as the end of a path that keeps all atoms.

    Returns
    -------
    Candidates, without the released gas molecule unless `complete`. `info["formed"]` and `info["broken"]` hold the
    bonds that a relaxed product must have and must not have, `info["bonds"]` its molecular bonds.

    Raises
    ------
    BuildError : the roles are not in this structure, or the springs reach no product.
    """
    candidates, reasons = [], []
    for forms, breaks, atoms_of in _edits(reactant, reaction)[: 3 * attempts]:
        try:
            driven = drive(reactant, forms, breaks)
            driven.info["energy_cost"] = driven.info.pop("strain")
            product = _release(reactant, driven, reaction, forms, breaks, atoms_of, complete)
            if reason := judge(product, product):
                raise BuildError(reason)
            candidates.append(product)
        except BuildError as error:
            reasons.append(str(error))
    if not candidates:
        raise BuildError(f"{reaction.name}: no product geometry: {'; '.join(reasons) or 'no atoms in reach'}")
    return sorted(candidates, key=lambda atoms: atoms.info["energy_cost"])[:attempts]


def endpoint_candidates(
    reactant: Sequence[Atoms], reaction: Reaction, attempts: int, complete: bool = False
) -> tuple[list[Atoms], str]:
    """Products of a reaction, or the reason why there are none; `reactant` is empty where none was found."""
    if not reactant:
        return [], f"its initial state {reaction.reactant} was not found"
    try:
        return build_endpoints(reactant[0], reaction, attempts, complete), ""
    except BuildError as error:
        return [], str(error)


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


def _ordered(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    return {(min(pair), max(pair)) for pair in pairs}


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


def _edits(reactant: Atoms, reaction: Reaction) -> list[Edit]:
    """All ways of giving the template's roles to atoms, nearest partners first."""
    roles = sorted({role for pair in (*reaction.breaks, *reaction.forms) for role in pair})
    options = {}
    for role in roles:
        found = find_role(reactant, role)
        if len(found) == 0:
            raise BuildError(f"{reaction.name}: no atom plays {role}")
        options[role] = found
    ratios = bond_ratios(reactant)
    radius = reactant.get_all_distances(mic=True)
    formed_roles = sorted({role for pair in reaction.forms for role in pair})
    # The cation that the ligand leaves is the one that takes the leaving group.
    takes_group = "surface.cation" in {role for pair in reaction.breaks for role in pair} & set(formed_roles)
    edits = []
    for choice in itertools.product(*(options[role] for role in formed_roles)):
        atoms_of = dict(zip(formed_roles, map(int, choice), strict=True))
        forms = {(atoms_of[a], atoms_of[b]) for a, b in reaction.forms}
        broken = [_bonds_between(ratios, options, atoms_of, pair) for pair in reaction.breaks]
        if not all(broken) or any(radius[pair] > REACH_A for pair in forms):
            continue
        breaks = set().union(*broken)
        if not takes_group or atoms_of["surface.cation"] in {i for pair in breaks for i in pair}:
            edits.append((forms, breaks - forms, atoms_of))
    cost = lambda edit: (round(sum(radius[pair] for pair in edit[0]), 2), sorted(edit[0]))  # noqa: E731
    return sorted(edits, key=cost)


def _bonds_between(ratios: np.ndarray, options: dict, atoms_of: dict[Role, int], pair: tuple[Role, Role]) -> set:
    """Bonds between two roles; a ligand that leaves the crystal gives up all of them, and at least the nearest."""
    leaves = pair == ("surface.cation", "ligand.anchor")
    chosen = {} if leaves else {role: [atom] for role, atom in atoms_of.items() if role != "surface.cation"}
    first, second = (np.asarray(chosen.get(role, options[role])) for role in pair)
    near = ratios[np.ix_(first, second)]
    limit = max(HELD, near.min() + 1e-6) if leaves else HELD
    return {(int(first[i]), int(second[j])) for i, j in np.argwhere(near < limit)}


def _release(
    reactant: Atoms,
    driven: Atoms,
    reaction: Reaction,
    forms: set,
    breaks: set,
    atoms_of: dict[Role, int],
    complete: bool = False,
) -> Atoms:
    """Take released molecules away and renumber the bonds that are asked for."""
    leaving = {"by_product": "precursor.leaving", "ligand": "ligand.anchor", "salt": "ligand.anchor"}
    # A metal centre never leaves with a gas molecule, so its bonds do not count for what hangs together.
    metals = set(np.flatnonzero(reactant.arrays["formal_charge"] > 1).tolist())
    bonds = (molecular_bonds(reactant) - _ordered(breaks)) | _ordered(forms)
    bonds = {pair for pair in bonds if not metals & set(pair)}
    gone: set[int] = set()
    for release in () if complete else reaction.releases:
        start = atoms_of.get(leaving[release])
        start = int(find_role(driven, leaving[release])[0]) if start is None else start
        gone |= set(component(bonds, start, len(driven)).tolist())
        if release == "salt":
            gone.add(atoms_of["surface.counterion"])
    keep = np.setdiff1d(np.arange(len(driven)), sorted(gone))
    number = {int(old): new for new, old in enumerate(keep)}
    renumber = lambda pairs: [[number[i], number[j]] for i, j in sorted(pairs) if i in number and j in number]  # noqa: E731
    final = driven[keep]
    final.info = {k: v for k, v in driven.info.items() if k not in ("formed", "broken", "pose")}
    final.info |= {"formed": renumber(forms), "broken": renumber(breaks), "reaction": reaction.name}
    kept = {int(i) for i in keep}
    molecular = is_molecular(reactant)
    wanted = (molecular_bonds(reactant) - _ordered(breaks)) | {p for p in _ordered(forms) if molecular[list(p)].all()}
    final.info["bonds"] = renumber(wanted)
    _settle_charge(reactant, final, gone, kept, breaks, number)
    assert_neutral(final)
    return final


def _settle_charge(reactant: Atoms, final: Atoms, gone: set, kept: set, breaks: set, number: dict[int, int]) -> None:
    """What leaves is neutral, so its formal charge stays with the atom that gave it away (amine to amide)."""
    charge = reactant.arrays["formal_charge"][sorted(gone)].sum() if gone else 0.0
    if charge:
        donors = [
            i
            for pair in breaks
            for i in pair
            if i in kept and set(pair) & gone and not reactant.arrays["formal_charge"][i] > 1
        ]
        if not donors:
            raise BuildError(f"{reactant.symbols[sorted(gone)]} would leave with charge {charge:+g}")
        final.arrays["formal_charge"][number[donors[0]]] += charge
