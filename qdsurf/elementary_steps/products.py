"""Products of a reaction template.

The atoms that match the roles of the template are chosen, the spring model forms and breaks the bonds, and the gas
molecules are removed from the surface.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from qdsurf.atomistic.roles import HINTS, find_role
from qdsurf.atomistic.spring_model import Pair, apply_springs
from qdsurf.elementary_steps.candidates import Candidates
from qdsurf.elementary_steps.state_check import check_state
from qdsurf.errors import BuildError
from qdsurf.records.reaction_templates import Reaction, Role, RolePair

# Largest distance in the reactant of two atoms that form a bond. The second value is used if no atoms are within the
# first one, as with large ions.
REACH_A, FAR_REACH_A = 7.0, 9.0
# Empty space around a gas molecule in its own cell.
GAS_VACUUM_A = 8.0
# Standard deviation of the displacements of whole molecules before another attempt with the springs.
DISPLACEMENT_A = 0.3
# Two roles that must be matched by atoms of different ligands.
OTHER_LIGAND: dict[Role, Role] = {"ligand.anchor": "ligand.partner", "ligand.partner": "ligand.anchor"}


class BondChanges(NamedTuple):
    """Bonds that a step forms and breaks between the atoms of a structure.

    Attributes
    ----------
    forms, breaks : set of tuple of int
        Pairs of atoms whose bond is formed or broken.
    atoms_of : dict of str to int
        Atom for each role of the template.
    carried : list of int
        Atoms of the crystal that move in the step.
    """

    forms: set[Pair]
    breaks: set[Pair]
    atoms_of: dict[Role, int]
    carried: list[int]


class Product(NamedTuple):
    """Product of a step.

    Attributes
    ----------
    surface : Atoms
        The surface after the step.
    gases : dict of str to Atoms
        Gas molecules that the step releases, by name, each in its own cell without periodicity.
    """

    surface: Atoms
    gases: dict[str, Atoms]


def build_endpoints(reactant: Atoms, reaction: Reaction, attempts: int = 2, complete: bool = False) -> list[Atoms]:
    """Build product surfaces of a reaction, lowest spring energy first.

    Parameters
    ----------
    reactant : Atoms
        Relaxed and annotated initial state.
    reaction : Reaction
        Template.
    attempts : int
        Largest number of products.
    complete : bool
        Keep the gas molecules beside the surface.

    Returns
    -------
    list of Atoms
        Surfaces of `build_products`.

    Raises
    ------
    BuildError
        As `build_products`.
    """
    return [product.surface for product in build_products(reactant, reaction, attempts, complete)]


def build_products(reactant: Atoms, reaction: Reaction, attempts: int = 2, complete: bool = False) -> list[Product]:
    """Build products of a reaction, lowest spring energy first.

    The nearest atoms that match the roles of the template are tried first, with all bonds changed at once. If this
    yields no product, the new bonds are formed before the old ones are broken, then the old ones are broken first, then
    the molecules are displaced at random.

    Parameters
    ----------
    reactant : Atoms
        Relaxed and annotated initial state.
    reaction : Reaction
        Template.
    attempts : int
        Largest number of products; they differ in the atoms that match the roles.
    complete : bool
        Keep the gas molecules beside the surface, as in the final state of a path, which has all atoms.

    Returns
    -------
    list of Product
        In `info` of each surface, `formed` and `broken` are the bonds that must exist and must not exist after the
        relaxation, `bonds` are its molecular bonds, and `failures` are the reasons of failed attempts.

    Raises
    ------
    BuildError
        No atom matches one of the roles, or the springs yield no product; the message lists the reasons.
    """
    changes = find_bond_changes(reactant, reaction)
    products: list[Product] = []
    reasons: list[str] = []
    for number, (description, apply) in enumerate(SEQUENCES.items()):
        if products:
            break
        for change in changes[: attempts if number else 3 * attempts]:
            try:
                products.append(_product(reactant, apply(reactant, change), reaction, change, complete))
            except BuildError as error:
                reasons.append(f"{description}: {error}")
    if not products:
        words = "; ".join(reasons) or f"no atoms that can form its bonds are within {FAR_REACH_A:g} A of each other"
        raise BuildError(f"{reaction.name}: no product geometry was found: {words}")
    for product in products:
        annotation.note(product.surface, failures="; ".join(reasons))
    return sorted(products, key=lambda product: annotation.noted(product.surface, "energy_cost"))[:attempts]


def endpoint_candidates(
    reactant: Sequence[Atoms], reaction: Reaction, attempts: int, complete: bool = False
) -> Candidates:
    """Build product surfaces of a reaction from the result of an earlier stage.

    Parameters
    ----------
    reactant : sequence of Atoms
        Initial state, one structure; empty if the earlier stage found none.
    reaction, attempts, complete
        As for `build_endpoints`.

    Returns
    -------
    Candidates
        Surfaces, or the reason why there are none.
    """
    if not reactant:
        return Candidates((), f"its initial state {reaction.reactant} was not found")
    try:
        return Candidates(build_endpoints(reactant[0], reaction, attempts, complete))
    except BuildError as error:
        return Candidates((), str(error))


def _all_at_once(reactant: Atoms, change: BondChanges) -> Atoms:
    """Form and break all bonds together."""
    return apply_springs(reactant, change.forms, change.breaks, carried=change.carried)


def _forming_first(reactant: Atoms, change: BondChanges) -> Atoms:
    """Form the new bonds before the old ones are broken."""
    return _all_at_once(apply_springs(reactant, change.forms, carried=change.carried), change)


def _breaking_first(reactant: Atoms, change: BondChanges) -> Atoms:
    """Break the old bonds before the new ones are formed."""
    return _all_at_once(apply_springs(reactant, (), change.breaks, carried=change.carried), change)


def _after_displacement(seed: int) -> Callable[[Atoms, BondChanges], Atoms]:
    """Return a function that displaces every molecule at random and then changes all bonds together."""

    def apply(reactant: Atoms, change: BondChanges) -> Atoms:
        displaced, fragment = reactant.copy(), annotation.fragments(reactant)
        shifts = np.random.default_rng(seed).normal(scale=DISPLACEMENT_A, size=(fragment.max() + 1, 3))
        displaced.positions += np.where(is_molecular(reactant)[:, None], shifts[fragment], 0.0)
        return _all_at_once(displaced, change)

    return apply


# Sequences in which the spring model changes the bonds, in the order in which they are tried.
SEQUENCES: dict[str, Callable[[Atoms, BondChanges], Atoms]] = {
    "all bonds at once": _all_at_once,
    "new bonds first": _forming_first,
    "old bonds first": _breaking_first,
    "displaced molecules": _after_displacement(0),
    "molecules displaced differently": _after_displacement(1),
}


def find_bond_changes(reactant: Atoms, reaction: Reaction) -> list[BondChanges]:
    """Find all choices of atoms for the roles of a template and the bonds that change with them.

    Parameters
    ----------
    reactant : Atoms
        Annotated initial state.
    reaction : Reaction
        Template.

    Returns
    -------
    list of BondChanges
        Sorted by the total distance of the atoms that form bonds, shortest first.

    Raises
    ------
    BuildError
        No atom matches one of the roles.
    """
    options = {role: role_candidates(reactant, reaction, role) for role in reaction.roles}
    if absent := [role for role, found in options.items() if len(found) == 0]:
        raise BuildError(f"{reaction.name}: {describe_absent_roles(reaction, absent)}")
    released_roles = {role for members in reaction.releases.values() for role in members}
    freed = {role for pair in reaction.breaks for role in pair if role.startswith("surface.")} & released_roles
    ratios, bonded = bond_ratios(reactant), bond_matrix(reactant)
    protons = (annotation.parts(reactant) == SUBSTRATE) & (reactant.numbers == 1)
    distance = reactant.get_all_distances(mic=True)
    # If a ligand leaves a cation and a leaving group binds to a cation in one step, it is the same cation.
    same_cation = ("surface.cation", "precursor.leaving") in reaction.forms
    same_cation = same_cation and any("surface.cation" in pair for pair in reaction.breaks)
    changes: list[BondChanges] = []
    for reach in (REACH_A, FAR_REACH_A):
        if changes:
            break
        for atoms_of in _role_choices(reaction, options, distance <= reach, annotation.fragments(reactant)):
            forms = {(atoms_of[first], atoms_of[second]) for first, second in reaction.forms}
            broken = [_bonds_between(reactant, ratios, options, atoms_of, pair) for pair in reaction.breaks]
            breaks: set[Pair] = set().union(*broken)
            if not all(broken):
                continue
            if same_cation and atoms_of["surface.cation"] not in {i for pair in breaks for i in pair}:
                continue
            carried = [i for role, i in atoms_of.items() if role in freed]
            carried += np.flatnonzero(protons & bonded[carried].any(axis=0)).tolist()
            changes.append(BondChanges(forms, breaks - forms, atoms_of, carried))

    def cost(change: BondChanges) -> tuple[float, list[Pair]]:
        return round(sum(distance[pair] for pair in change.forms), 2), sorted(change.forms)

    return sorted(changes, key=cost)


def role_candidates(atoms: Atoms, reaction: Reaction, role: Role) -> np.ndarray:
    """Return the indices of the atoms that match a role of a template, which may restrict the elements."""
    found, accepted = find_role(atoms, role), reaction.elements.get(role, ())
    return found[np.isin(atoms.symbols[found], accepted)] if accepted else found


def describe_absent_roles(reaction: Reaction, roles: Iterable[Role]) -> str:
    """State which roles of a template no atom matches, and how to obtain a structure with such atoms."""
    names, hints = [], []
    for role in roles:
        accepted = reaction.elements.get(role, ())
        names.append(f"{role} ({' or '.join(accepted)})" if accepted else role)
        if role in HINTS:
            hints.append(HINTS[role])
    words = f"no atom matches {' or '.join(names)}"
    return f"{words} ({'; '.join(hints)})" if hints else words


def _role_choices(
    reaction: Reaction, options: Mapping[Role, np.ndarray], in_reach: np.ndarray, fragment: np.ndarray
) -> list[dict[Role, int]]:
    """Return the choices of distinct atoms for the roles that form bonds, leave or are reduced.

    Atoms that form a bond are within reach of each other.
    """
    forming = {role for pair in reaction.forms for role in pair}
    leaving = {members[0] for members in reaction.releases.values()} - forming
    reduced = {reaction.reduces} if reaction.reduces is not None else set()
    choices: list[dict[Role, int]] = [{}]
    for role in sorted(forming | leaving | reduced):
        found = options[role]
        if role in leaving:
            # One anchor represents its ligand.
            found = found[np.unique(fragment[found], return_index=True)[1]]
        partners = [other for pair in reaction.forms if role in pair for other in pair if other != role]
        extended: list[dict[Role, int]] = []
        for atoms_of in choices:
            near = [atoms_of[other] for other in partners if other in atoms_of]
            other_ligand = atoms_of.get(OTHER_LIGAND[role]) if role in OTHER_LIGAND else None
            for atom in found.tolist():
                if atom in atoms_of.values() or not in_reach[atom, near].all():
                    continue
                if other_ligand is not None and fragment[other_ligand] == fragment[atom]:
                    continue
                extended.append({**atoms_of, role: atom})
        choices = extended
    return choices


def _bonds_between(
    reactant: Atoms,
    ratios: np.ndarray,
    options: Mapping[Role, np.ndarray],
    atoms_of: Mapping[Role, int],
    pair: RolePair,
) -> set[Pair]:
    """Return the bonds between the atoms of two roles that break.

    A ligand that leaves the crystal loses all of its bonds to the crystal, and at least the shortest one.
    """
    ligand_leaves = pair[0].startswith("surface.") and pair[1] == "ligand.anchor"
    limit = STATE_BOND
    if ligand_leaves:
        first, second = (options[role] for role in pair)
        if "ligand.anchor" in atoms_of:
            fragment = annotation.fragments(reactant)
            second = second[fragment[second] == fragment[atoms_of["ligand.anchor"]]]
        limit = max(STATE_BOND, ratios[np.ix_(first, second)].min() + 1e-6)
    else:
        # The bond may involve any cation, not only the one that matches the role in other bonds.
        chosen: dict[Role, np.ndarray] = {
            role: np.array([atom]) for role, atom in atoms_of.items() if role != "surface.cation"
        }
        first, second = (chosen.get(role, options[role]) for role in pair)
    near = ratios[np.ix_(first, second)] < limit
    return {(int(first[i]), int(second[j])) for i, j in np.argwhere(near)}


def _product(reactant: Atoms, changed: Atoms, reaction: Reaction, change: BondChanges, complete: bool) -> Product:
    """Remove the gas molecules from the result of the spring model, record the bonds of the state, and check them.

    Raises
    ------
    BuildError
        A gas molecule would be charged, or other bonds have changed.
    """
    annotation.note(changed, energy_cost=annotation.noted(changed, "strain"))
    annotation.drop_notes(changed, "strain")
    gas_atoms = {} if complete else gas_product_atoms(reactant, reaction, change)
    removed = sorted(set().union(*gas_atoms.values()))
    kept = np.setdiff1d(np.arange(len(changed)), removed)
    new_index = {int(old): new for new, old in enumerate(kept)}

    def renumbered(pairs: Iterable[Pair]) -> list[list[int]]:
        return [[new_index[i], new_index[j]] for i, j in sorted(pairs) if i in new_index and j in new_index]

    surface = changed[kept]
    annotation.drop_notes(surface, "formed", "broken", "pose")
    annotation.note(surface, formed=renumbered(change.forms), broken=renumbered(change.breaks), reaction=reaction.name)
    molecular = is_molecular(reactant)
    new_bonds = {pair for pair in _ordered_pairs(change.forms) if molecular[list(pair)].all()}
    bonds = (molecular_bonds(reactant) - _ordered_pairs(change.breaks)) | new_bonds
    annotation.note(surface, bonds=renumbered(bonds))
    if charge := annotation.formal_charges(reactant)[removed].sum():
        acceptor = find_charge_acceptor(reactant, reaction, change, removed)
        annotation.formal_charges(surface)[new_index[acceptor]] += charge
    assert_neutral(surface)
    if reason := check_state(surface, surface):
        raise BuildError(reason)
    return Product(surface, {name: _in_own_cell(changed, atoms) for name, atoms in gas_atoms.items()})


def _ordered_pairs(pairs: Iterable[Pair]) -> set[Pair]:
    """Return each pair with the smaller index first."""
    return {(min(i, j), max(i, j)) for i, j in pairs}


def gas_product_atoms(reactant: Atoms, reaction: Reaction, change: BondChanges) -> dict[str, list[int]]:
    """Find the atoms of the gas molecules that a step releases.

    A gas molecule consists of the atoms that are connected to the atom of its first role after the bonds have changed.
    Atoms of the crystal and metal centres remain on the surface unless the template names them.

    Parameters
    ----------
    reactant : Atoms
        Annotated initial state.
    reaction : Reaction
        Template.
    change : BondChanges
        Atoms of the roles, and the bonds that change.

    Returns
    -------
    dict of str to list of int
        Sorted indices of the atoms by the name of the molecule.
    """
    named = [
        change.atoms_of[role] for members in reaction.releases.values() for role in members if role in change.atoms_of
    ]
    crystal = (annotation.parts(reactant) == SUBSTRATE) & (reactant.numbers > 1)
    remains = crystal | (annotation.formal_charges(reactant) > 1)
    remains[named] = False
    substrate = ~is_molecular(reactant)
    # Bonds within the crystal connect the oxygen and hydrogen atoms of hydroxides.
    crystal_bonds = np.argwhere(np.triu(bond_matrix(reactant)) & substrate[:, None] & substrate[None, :])
    bonds = intended_bonds(reactant) | {(int(i), int(j)) for i, j in crystal_bonds}
    bonds = (bonds - _ordered_pairs(change.breaks)) | _ordered_pairs(change.forms)
    # Contacts between metal atoms are not bonds, as between the two K atoms of K2S.
    metal = is_metal(reactant)
    bonds = {pair for pair in bonds if not remains[list(pair)].any() and not metal[list(pair)].all()}
    return {
        name: component(bonds, change.atoms_of[members[0]], len(reactant)).tolist()
        for name, members in reaction.releases.items()
    }


def find_charge_acceptor(reactant: Atoms, reaction: Reaction, change: BondChanges, released: Sequence[int]) -> int:
    """Find the atom that keeps the formal charge of the atoms that leave, because gas molecules are neutral.

    Parameters
    ----------
    reactant : Atoms
        Annotated initial state.
    reaction : Reaction
        Template.
    change : BondChanges
        Atoms of the roles, and the bonds that change.
    released : sequence of int
        Atoms that leave.

    Returns
    -------
    int
        The atom that the template reduces, or the atom whose bond to a leaving atom breaks. A metal centre does not
        accept the charge; the nitrogen atom of an amine that becomes an amide does.

    Raises
    ------
    BuildError
        There is no such atom, so that the gas molecule would be an ion.
    """
    if reaction.reduces:
        return change.atoms_of[reaction.reduces]
    charge = annotation.formal_charges(reactant)
    for pair in sorted(change.breaks):
        for i in pair:
            if i not in released and set(pair) & set(released) and charge[i] <= 1:
                return i
    raise BuildError(
        f"{reactant.symbols[list(released)]} would leave with the formal charge {charge[list(released)].sum():+g} e, "
        "but gas molecules must be neutral; use a template that also releases a counterion, or that names with "
        "`reduces` the role that accepts the charge"
    )


def _in_own_cell(changed: Atoms, atoms: Sequence[int]) -> Atoms:
    """Return a molecule without the surface, with all atoms in one periodic image, in a cell without periodicity."""
    molecule = Atoms(changed.symbols[atoms], changed.positions[atoms])
    vectors = molecule.positions - molecule.positions[0]
    molecule.positions = molecule.positions[0] + find_mic(vectors, changed.cell, changed.pbc)[0]
    molecule.center(vacuum=GAS_VACUUM_A)
    return molecule
