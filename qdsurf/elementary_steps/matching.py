"""Match reaction templates with a structure.

For each template, the module finds the atoms that match its roles, the gas molecules that the step takes and releases,
and the elements that the surface gains, or the reason why the template does not apply.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import ADSORBATE, COREACTANT, LIGAND
from qdsurf.atomistic.bonding import is_metal, touching
from qdsurf.atomistic.bonding_criteria import STATE_BOND
from qdsurf.atomistic.charge_balance import assert_neutral
from qdsurf.atomistic.molecules import build_molecule
from qdsurf.atomistic.roles import find_role, ligand_charge
from qdsurf.elementary_steps.adsorption_poses import coreactant_fragment, precursor_fragment
from qdsurf.elementary_steps.products import (
    OTHER_LIGAND,
    BondChanges,
    describe_absent_roles,
    find_charge_acceptor,
    gas_product_atoms,
    role_candidates,
)
from qdsurf.errors import BuildError, InputError, unknown
from qdsurf.records import library
from qdsurf.records.library import in_order
from qdsurf.records.models import LigandEntry
from qdsurf.records.reaction_templates import Reaction, Role
from qdsurf.surfaces.symmetry import orbits, surface_operations

# Roles that atoms have only after an earlier step, and the roles of the same atoms before it.
EARLIER_ROLES: dict[Role, Role] = {
    "surface.alkylated": "surface.cation",
    "precursor.transferred": "precursor.leaving",
}
# Tolerance of the symmetry operations by which atoms are equivalent.
SYMMETRY_A = 0.1
# Displacement of the gas molecules from the surface. They have no contacts at this distance.
GAS_DISTANCE_A = 50.0


class Match(NamedTuple):
    """Result of matching one template with a structure.

    Attributes
    ----------
    reason : str
        Why the template does not apply; empty if it does.
    roles : dict of str to ndarray of int
        Indices of the atoms of the structure that match each role of the surface and the ligands.
    takes, releases : dict of str to str
        Formulas of the gas molecules by name; empty if the template does not apply.
    gains : dict of str to int
        Number of atoms of each element that the surface gains in one step; negative if it loses them.
    charge : float
        Formal charge that the surface gains in one step, in e.
    """

    reason: str
    roles: dict[Role, np.ndarray]
    takes: dict[str, str]
    releases: dict[str, str]
    gains: dict[str, int]
    charge: float = 0.0


def infer_entry(atoms: Atoms) -> LigandEntry:
    """Determine how the ligands of a structure bind to the surface.

    A stored value is used if there is one. Otherwise the charge of the ligands and the number of protons decide.

    Parameters
    ----------
    atoms : Atoms
        Annotated structure.

    Returns
    -------
    str
        One of the kinds of `ligand_entry` in `qdsurf.records.library`.
    """
    ligand = annotation.parts(atoms) == LIGAND
    if not ligand.any():
        return "none"
    if annotation.has_note(atoms, "ligand_entry"):
        return annotation.noted(atoms, "ligand_entry")
    charge = ligand_charge(atoms)
    if charge == 0:
        return "acceptor" if is_metal(atoms)[ligand & annotation.anchors(atoms)].any() else "dative"
    if charge > 0:
        return "cation"
    acidic = np.flatnonzero(ligand & (annotation.formal_charges(atoms) > 0))
    protons = np.union1d(find_role(atoms, "surface.proton"), acidic)
    return "acid" if len(protons) >= len(set(annotation.fragments(atoms)[ligand])) else "anion"


def offered_molecules(precursor: str, coreactant: str | None = None) -> dict[str, Atoms]:
    """Build the gas molecules with which a surface can react.

    Parameters
    ----------
    precursor : str
        Name of a precursor. The name of a co-reactant or by-product is accepted if `coreactant` is not given.
    coreactant : str, optional
        Name of a co-reactant or by-product.

    Returns
    -------
    dict of str to Atoms
        Annotated molecules under the keys `precursor` and `coreactant`.

    Raises
    ------
    InputError
        A name is unknown.
    """
    by_products = {p.by_product.name: p.by_product for p in map(library.precursor, library.names("precursors"))}
    molecules = by_products | {name: library.get("coreactants", name).molecule for name in library.names("coreactants")}
    known = [*library.names("precursors"), *molecules]
    if precursor not in known:
        raise unknown("precursor", precursor, known, "precursor")
    precursor_name: str | None = precursor
    if precursor in molecules and coreactant is None:
        precursor_name, coreactant = None, precursor
    if coreactant is not None and coreactant not in molecules:
        raise unknown("co-reactant", coreactant, molecules, "coreactant")
    found = {}
    if precursor_name is not None:
        record = library.precursor(precursor_name)
        found["precursor"] = precursor_fragment(build_molecule(record.molecule), record)
    if coreactant is not None:
        found["coreactant"] = coreactant_fragment(build_molecule(molecules[coreactant]))
    return found


def without_molecules(atoms: Atoms, where: str) -> Atoms:
    """Return a structure after checking that it is neutral and carries no molecule from the gas.

    Parameters
    ----------
    atoms : Atoms
        Annotated structure.
    where : str
        Name of the structure, for the error message.

    Returns
    -------
    Atoms
        The same object.

    Raises
    ------
    InputError
        A molecule from the gas is on the surface.
    BalanceError
        The structure is charged.
    """
    if np.isin(annotation.parts(atoms), (ADSORBATE, COREACTANT)).any():
        raise InputError(f"{where}: the surface already carries a precursor; give the slab with its ligands only")
    assert_neutral(atoms)
    return atoms


def match_templates(
    atoms: Atoms, entry: LigandEntry, templates: Mapping[str, Reaction], molecules: Mapping[str, Atoms]
) -> dict[str, Match]:
    """Determine for every template whether it applies to a structure, and if not, why.

    Parameters
    ----------
    atoms : Atoms
        Annotated and neutral structure without molecules from the gas.
    entry : str
        How its ligands bind, see `infer_entry`.
    templates : mapping of str to Reaction
        Templates by name.
    molecules : mapping of str to Atoms
        Gas molecules from `offered_molecules`.

    Returns
    -------
    dict of str to Match
        One match for each template, in the order of `templates`.
    """
    together = atoms.copy()
    annotation.widen_parts(together)
    for number, molecule in enumerate(molecules.values(), start=1):
        displaced = molecule.copy()
        displaced.positions += together.positions.max(axis=0) + number * GAS_DISTANCE_A
        annotation.fragments(displaced)[:] = annotation.fragments(together).max() + 1
        together += displaced
    # Recorded bonds would be those of the surface alone.
    annotation.drop_notes(together)
    # Without periodicity along z, the molecules are not close to an image of the surface.
    together.pbc[2] = False
    bonded = touching(together, STATE_BOND)
    matches: dict[str, Match] = {}
    for name in in_order(templates):
        matches[name] = _match(templates[name], atoms, entry, matches, together, bonded, molecules)
    return {name: matches[name] for name in templates}


def unique_count(atoms: Atoms, indices: np.ndarray) -> int:
    """Count the atoms that are not equivalent by the symmetry of the structure.

    Parameters
    ----------
    atoms : Atoms
        Slab or particle.
    indices : ndarray of int
        Atoms to compare, shape (n,).

    Returns
    -------
    int
        Number of sets of equivalent atoms.
    """
    if len(indices) == 0:
        return 0
    operations = surface_operations(atoms, SYMMETRY_A)
    names = [atoms.symbols[i] for i in indices]
    return len(set(orbits(atoms.positions[indices], names, atoms, operations)))


def _match(
    template: Reaction,
    atoms: Atoms,
    entry: LigandEntry,
    earlier: Mapping[str, Match],
    together: Atoms,
    bonded: np.ndarray,
    molecules: Mapping[str, Atoms],
) -> Match:
    """Match one template.

    Parameters
    ----------
    earlier : mapping of str to Match
        Matches of the templates on which this one depends.
    together : Atoms
        The structure and the gas molecules.
    bonded : ndarray of bool
        Bonds in `together`, shape (n, n).
    """
    if entry not in template.ligand_entry:
        accepted = " or ".join(template.ligand_entry)
        return _no_match(f"applies to ligand_entry {accepted}, but this structure has {entry}")
    if template.reactant in earlier and earlier[template.reactant].reason:
        return _no_match(f"starts from {template.reactant}, which does not apply")
    options = {role: role_candidates(together, template, EARLIER_ROLES.get(role, role)) for role in template.roles}
    of_structure = {role: found for role, found in options.items() if role.startswith(("surface.", "ligand."))}
    for kind in ("precursor", "coreactant"):
        if kind not in molecules and any(role.startswith(f"{kind}.") for role in template.roles):
            return _no_match(f"needs a {kind}; give one with --{kind}", of_structure)
    if absent := [role for role, found in options.items() if len(found) == 0]:
        return _no_match(describe_absent_roles(template, absent), of_structure)
    if "ligand.partner" in template.roles and len(set(annotation.fragments(atoms)[options["ligand.partner"]])) < 2:
        return _no_match("needs two ligands, but this structure has one", of_structure)
    try:
        change = _first_change(template, together, options, bonded)
        gas_atoms = gas_product_atoms(together, template, change)
        released = sorted(set().union(*gas_atoms.values()))
        released_charge = annotation.formal_charges(together)[released].sum()
        if released_charge:
            # The gas molecules are neutral if an atom of the surface accepts their charge.
            find_charge_acceptor(together, template, change, released)
            released_charge = 0.0
    except BuildError as error:
        return _no_match(str(error), of_structure)
    taken: dict[str, Atoms] = {template.takes: molecules[template.takes]} if template.takes else {}
    gains: Counter[str] = Counter()
    for molecule in taken.values():
        gains.update(molecule.symbols)
    gains.subtract(Counter(together.symbols[released]))
    return Match(
        reason="",
        roles=of_structure,
        takes={name: molecule.get_chemical_formula() for name, molecule in taken.items()},
        releases={name: str(together.symbols[atoms_].formula.format("hill")) for name, atoms_ in gas_atoms.items()},
        gains={element: number for element, number in sorted(gains.items()) if number},
        charge=float(sum(annotation.formal_charges(m).sum() for m in taken.values()) - released_charge),
    )


def _no_match(reason: str, roles: dict[Role, np.ndarray] | None = None) -> Match:
    """Return the match of a template that does not apply."""
    return Match(reason, roles or {}, {}, {}, {})


def _first_change(
    template: Reaction, atoms: Atoms, options: Mapping[Role, np.ndarray], bonded: np.ndarray
) -> BondChanges:
    """Return the first choice of atoms for all roles in which the bonds that break exist.

    Choices in which the atoms of one molecule are already bonded, if the template forms a bond between them, are
    preferred.

    Raises
    ------
    BuildError
        There is no such choice.
    """
    for strict in (True, False):
        for atoms_of in _role_choices(template, annotation.fragments(atoms), options, bonded, strict):
            breaks = {(atoms_of[first], atoms_of[second]) for first, second in template.breaks}
            forms = {(atoms_of[first], atoms_of[second]) for first, second in template.forms}
            return BondChanges(forms, breaks - forms, atoms_of, [])
    raise BuildError(
        f"no set of distinct atoms with the bonds that the step breaks matches {', '.join(template.roles)}; give a "
        "structure in which these atoms are bonded"
    )


def _role_choices(
    template: Reaction, fragment: np.ndarray, options: Mapping[Role, np.ndarray], bonded: np.ndarray, strict: bool
) -> Iterator[dict[Role, int]]:
    """Yield choices of distinct atoms for the roles, with the bonds that the template breaks.

    If `strict` is true, two atoms of one molecule between which the template forms a bond must be bonded as well.
    """
    existing = [pair for pair in template.breaks if not set(pair) & set(EARLIER_ROLES) and pair[1] != "ligand.anchor"]
    checked = [*existing, *(template.forms if strict else ())]
    # Roles with few candidates are chosen first, which limits the number of combinations.
    order = sorted(options, key=lambda role: (len(options[role]), role))

    def fits(atoms_of: dict[Role, int], role: Role, atom: int) -> bool:
        if atom in atoms_of.values():
            return False
        for pair in checked:
            if role not in pair:
                continue
            other = atoms_of.get(pair[0] if role == pair[1] else pair[1])
            if other is None or bonded[atom, other]:
                continue
            if pair in existing or fragment[other] == fragment[atom] > 0:
                return False
        other_ligand = atoms_of.get(OTHER_LIGAND[role]) if role in OTHER_LIGAND else None
        return other_ligand is None or bool(fragment[other_ligand] != fragment[atom])

    def extend(atoms_of: dict[Role, int]) -> Iterator[dict[Role, int]]:
        if len(atoms_of) == len(order):
            yield atoms_of
            return
        role = order[len(atoms_of)]
        for atom in options[role].tolist():
            if fits(atoms_of, role, atom):
                yield from extend({**atoms_of, role: atom})

    return extend({})
