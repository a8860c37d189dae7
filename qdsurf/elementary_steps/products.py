"""Products of a reaction template: choose the atoms, drive the bonds, take the gas molecules away."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.atomistic.bonding import (
    bond_matrix,
    bond_ratios,
    component,
    intended_bonds,
    is_metal,
    is_molecular,
    molecular_bonds,
)
from qdsurf.atomistic.bonding_criteria import STATE_BOND
from qdsurf.atomistic.charge_balance import assert_neutral
from qdsurf.atomistic.roles import find_role
from qdsurf.atomistic.spring_model import Pair, apply_springs
from qdsurf.elementary_steps.state_check import check_state
from qdsurf.errors import BuildError
from qdsurf.records.reaction_templates import Reaction, Role

# Atoms that are to form a bond must be this close in the reactant; if there are none, as with large ions, this close.
REACH_A, FAR_REACH_A = 7.0, 9.0
BOX_A = 8.0  # empty space around a gas molecule in its own box
SHAKE_A = 0.3  # standard deviation of the shifts of whole molecules, from which a drive that failed is tried again


class Edit(NamedTuple):
    """Bonds to form and to break as index pairs, the atoms in the roles, and atoms of the crystal that move."""

    forms: set[Pair]
    breaks: set[Pair]
    atoms_of: dict[Role, int]
    carried: list[int]


class Product(NamedTuple):
    """What a step leaves on the surface, and the gas molecules that it releases by name, each in a box of its own."""

    surface: Atoms
    gases: dict[str, Atoms]


def build_endpoints(reactant: Atoms, reaction: Reaction, attempts: int = 2, complete: bool = False) -> list[Atoms]:
    """Product geometries of a reaction, complete or without the gas molecules that it releases."""
    return [product.surface for product in build_products(reactant, reaction, attempts, complete)]


def build_products(reactant: Atoms, reaction: Reaction, attempts: int = 2, complete: bool = False) -> list[Product]:
    """Products of a reaction, best spring energy first.

    Atoms that lie nearest are tried first in the template's roles, with all bonds driven at once. Where that reaches no
    product, the new bonds go first, then the old ones, then shaken geometries.

    Parameters
    ----------
    reactant : relaxed initial state with the columns of `atomistic.annotation.annotate`.
    attempts : number of candidates to return; different atoms in the same roles.
    complete : leave the gas molecule beside what it left, as the end of a path that keeps all atoms.

    Returns
    -------
    Candidates. `info["formed"]` and `info["broken"]` of a surface hold the bonds that it must have and must not have
    once relaxed, `info["bonds"]` its molecular bonds, `info["failures"]` what was tried in vain.

    Raises
    ------
    BuildError : the roles are not in this structure, or the springs reach no product; it says why of every attempt.
    """
    edits = find_edits(reactant, reaction)
    products: list[Product] = []
    reasons: list[str] = []
    for number, (words, order) in enumerate(ORDERS.items()):
        for edit in [] if products else edits[: attempts if number else 3 * attempts]:
            try:
                products.append(_product(reactant, order(reactant, edit), reaction, edit, complete))
            except BuildError as error:
                reasons.append(f"{words}: {error}")
    if not products:
        raise BuildError(f"{reaction.name}: no product geometry: {'; '.join(reasons) or 'no atoms in reach'}")
    for product in products:
        annotation.note(product.surface, failures="; ".join(reasons))
    return sorted(products, key=lambda product: annotation.noted(product.surface, "energy_cost"))[:attempts]


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


def _together(reactant: Atoms, edit: Edit) -> Atoms:
    return apply_springs(reactant, edit.forms, edit.breaks, carried=edit.carried)


def _forming_first(reactant: Atoms, edit: Edit) -> Atoms:
    return _together(apply_springs(reactant, edit.forms, carried=edit.carried), edit)


def _breaking_first(reactant: Atoms, edit: Edit) -> Atoms:
    return _together(apply_springs(reactant, (), edit.breaks, carried=edit.carried), edit)


def _shaken(seed: int) -> Callable[[Atoms, Edit], Atoms]:
    def order(reactant: Atoms, edit: Edit) -> Atoms:
        shaken, fragment = reactant.copy(), annotation.fragments(reactant)
        shifts = np.random.default_rng(seed).normal(scale=SHAKE_A, size=(fragment.max() + 1, 3))
        shaken.positions += np.where(is_molecular(reactant)[:, None], shifts[fragment], 0.0)
        return _together(shaken, edit)

    return order


ORDERS: dict[str, Callable[[Atoms, Edit], Atoms]] = {
    "all bonds at once": _together,
    "new bonds first": _forming_first,
    "old bonds first": _breaking_first,
    "shaken": _shaken(0),
    "shaken again": _shaken(1),
}


def _ordered(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    return {(min(pair), max(pair)) for pair in pairs}


def find_edits(reactant: Atoms, reaction: Reaction) -> list[Edit]:
    """All ways of giving the template's roles to atoms, nearest partners first.

    Raises
    ------
    BuildError : nobody plays one of the roles.
    """
    options = {role: role_candidates(reactant, reaction, role) for role in reaction.roles}
    for role, found in options.items():
        if len(found) == 0:
            raise BuildError(f"{reaction.name}: no atom plays {describe_role(reaction, role)}")
    freed = {role for pair in reaction.breaks for role in pair if role.startswith("surface.")}
    freed &= {role for members in reaction.releases.values() for role in members}
    ratios, bonded = bond_ratios(reactant), bond_matrix(reactant)
    protons = (annotation.parts(reactant) == SUBSTRATE) & (reactant.numbers == 1)
    distance = reactant.get_all_distances(mic=True)
    # The cation that the ligand leaves is the one that takes the leaving group.
    swaps = ("surface.cation", "precursor.leaving") in reaction.forms
    swaps = swaps and any("surface.cation" in pair for pair in reaction.breaks)
    edits: list[Edit] = []
    for reach in (REACH_A, FAR_REACH_A):
        for atoms_of in [] if edits else _choices(reaction, options, distance <= reach, annotation.fragments(reactant)):
            forms = {(atoms_of[a], atoms_of[b]) for a, b in reaction.forms}
            broken = [_bonds_between(reactant, ratios, options, atoms_of, pair) for pair in reaction.breaks]
            breaks = set().union(*broken)
            if all(broken) and (not swaps or atoms_of["surface.cation"] in {i for pair in breaks for i in pair}):
                carried = [i for role, i in atoms_of.items() if role in freed]
                carried += np.flatnonzero(protons & bonded[carried].any(axis=0)).tolist()
                edits.append(Edit(forms, breaks - forms, atoms_of, carried))
    cost = lambda edit: (round(sum(distance[pair] for pair in edit.forms), 2), sorted(edit.forms))  # noqa: E731
    return sorted(edits, key=cost)


def role_candidates(atoms: Atoms, reaction: Reaction, role: Role) -> np.ndarray:
    """Indices of the atoms that can play a role in a template, which may ask for certain elements."""
    found, accepted = find_role(atoms, role), reaction.elements.get(role, ())
    return found[np.isin(atoms.symbols[found], accepted)] if accepted else found


def describe_role(reaction: Reaction, role: Role) -> str:
    """A role, and the elements that a template asks for."""
    accepted = reaction.elements.get(role, ())
    return f"{role} ({' or '.join(accepted)})" if accepted else role


def _choices(
    reaction: Reaction, options: dict[Role, np.ndarray], in_reach: np.ndarray, fragment: np.ndarray
) -> list[dict[Role, int]]:
    """Distinct atoms for the roles that form bonds, leave or are reduced; those that form a bond are within reach."""
    formed = {role for pair in reaction.forms for role in pair}
    alone = {members[0] for members in reaction.releases.values()} - formed
    choices: list[dict[Role, int]] = [{}]
    for role in sorted(formed | alone | ({reaction.reduces} - {None})):
        found = options[role]
        if role in alone:  # one anchor stands for its ligand
            found = found[np.unique(fragment[found], return_index=True)[1]]
        partners = [other for pair in reaction.forms if role in pair for other in pair if other != role]
        rival = {"ligand.anchor": "ligand.partner", "ligand.partner": "ligand.anchor"}.get(role)
        choices = [
            atoms_of | {role: atom}
            for atoms_of in choices
            for atom in found.tolist()
            if atom not in atoms_of.values()
            and all(in_reach[atom, atoms_of[other]] for other in partners if other in atoms_of)
            and (rival not in atoms_of or fragment[atoms_of[rival]] != fragment[atom])
        ]
    return choices


def _bonds_between(
    reactant: Atoms, ratios: np.ndarray, options: dict, atoms_of: dict[Role, int], pair: tuple[Role, Role]
) -> set[Pair]:
    """Bonds between two roles; a ligand that leaves the crystal gives up all of them, and at least the nearest."""
    leaves = pair[0].startswith("surface.") and pair[1] == "ligand.anchor"
    chosen = {} if leaves else {role: [atom] for role, atom in atoms_of.items() if role != "surface.cation"}
    first, second = (np.asarray(chosen.get(role, options[role])) for role in pair)
    if leaves and "ligand.anchor" in atoms_of:
        fragment = annotation.fragments(reactant)
        second = second[fragment[second] == fragment[atoms_of["ligand.anchor"]]]
    near = ratios[np.ix_(first, second)]
    limit = max(STATE_BOND, near.min() + 1e-6) if leaves else STATE_BOND
    return {(int(first[i]), int(second[j])) for i, j in np.argwhere(near < limit)}


def _product(reactant: Atoms, driven: Atoms, reaction: Reaction, edit: Edit, complete: bool) -> Product:
    """Take released molecules away, renumber the bonds that are asked for, and judge what is left."""
    forms, breaks = edit.forms, edit.breaks
    annotation.note(driven, energy_cost=annotation.noted(driven, "strain"))
    annotation.drop_notes(driven, "strain")
    gone = {} if complete else released_atoms(reactant, reaction, edit)
    left = sorted(set().union(*gone.values()))
    keep = np.setdiff1d(np.arange(len(driven)), left)
    number = {int(old): new for new, old in enumerate(keep)}
    renumber = lambda pairs: [[number[i], number[j]] for i, j in sorted(pairs) if i in number and j in number]  # noqa: E731
    final = driven[keep]
    annotation.drop_notes(final, "formed", "broken", "pose")
    annotation.note(final, formed=renumber(forms), broken=renumber(breaks), reaction=reaction.name)
    molecular = is_molecular(reactant)
    wanted = (molecular_bonds(reactant) - _ordered(breaks)) | {p for p in _ordered(forms) if molecular[list(p)].all()}
    annotation.note(final, bonds=renumber(wanted))
    if charge := annotation.formal_charges(reactant)[left].sum():
        annotation.formal_charges(final)[number[charge_recipient(reactant, reaction, edit, left)]] += charge
    assert_neutral(final)
    if reason := check_state(final, final):
        raise BuildError(reason)
    return Product(final, {name: _boxed(driven, atoms) for name, atoms in gone.items()})


def released_atoms(reactant: Atoms, reaction: Reaction, edit: Edit) -> dict[str, list[int]]:
    """Atoms of each gas molecule: what hangs together with its first role once the bonds have changed.

    The crystal and metal centres stay behind, unless the template names them.
    """
    members = [edit.atoms_of[one] for leaving in reaction.releases.values() for one in leaving if one in edit.atoms_of]
    crystal = (annotation.parts(reactant) == SUBSTRATE) & (reactant.numbers > 1)
    stays = crystal | (annotation.formal_charges(reactant) > 1)
    stays[members] = False
    hydroxides = np.triu(bond_matrix(reactant)) & ~is_molecular(reactant)[:, None] & ~is_molecular(reactant)[None, :]
    bonds = intended_bonds(reactant) | set(map(tuple, np.argwhere(hydroxides).tolist()))
    bonds = (bonds - _ordered(edit.breaks)) | _ordered(edit.forms)
    metal = is_metal(reactant)  # the two of K2S only touch
    bonds = {pair for pair in bonds if not stays[list(pair)].any() and not metal[list(pair)].all()}
    first = {name: edit.atoms_of[leaving[0]] for name, leaving in reaction.releases.items()}
    return {name: component(bonds, atom, len(reactant)).tolist() for name, atom in first.items()}


def charge_recipient(reactant: Atoms, reaction: Reaction, edit: Edit, left: Sequence[int]) -> int:
    """The atom that keeps the formal charge of what leaves, as that is neutral: what is reduced, or who gave it away.

    Raises
    ------
    BuildError : no atom can, so that the gas molecule would be an ion.
    """
    if reaction.reduces:
        return edit.atoms_of[reaction.reduces]
    charge = annotation.formal_charges(reactant)
    for pair in sorted(edit.breaks):
        for i in pair:
            if i not in left and set(pair) & set(left) and charge[i] <= 1:  # amine to amide; not a metal centre
                return i
    raise BuildError(f"{reactant.symbols[list(left)]} would leave with charge {charge[list(left)].sum():+g}")


def _boxed(driven: Atoms, atoms: Sequence[int]) -> Atoms:
    """A molecule on its own, in one piece, in a cell without periodicity."""
    molecule = Atoms(driven.symbols[atoms], driven.positions[atoms])
    vectors = molecule.positions - molecule.positions[0]
    molecule.positions = molecule.positions[0] + find_mic(vectors, driven.cell, driven.pbc)[0]
    molecule.center(vacuum=BOX_A)
    return molecule
