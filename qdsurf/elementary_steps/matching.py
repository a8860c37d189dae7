"""Which templates apply to a structure, who can play their roles, and what each step takes and gives off."""

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
from qdsurf.atomistic.roles import HINTS, find_role, ligand_charge
from qdsurf.elementary_steps.adsorption_poses import coreactant_fragment, precursor_fragment
from qdsurf.elementary_steps.products import Edit, charge_recipient, describe_role, released_atoms, role_candidates
from qdsurf.errors import BuildError, InputError, unknown
from qdsurf.records import library
from qdsurf.records.library import in_order
from qdsurf.records.models import LigandEntry
from qdsurf.records.reaction_templates import Reaction, Role
from qdsurf.surfaces.symmetry import orbits, surface_operations

# Roles that an earlier step makes, and who plays them before it.
MADE: dict[Role, Role] = {"surface.alkylated": "surface.cation", "precursor.transferred": "precursor.leaving"}
SYMMETRY_A = 0.1  # tolerance of the symmetry by which atoms are equivalent
APART_A = 50.0  # molecules from the gas, beside the surface, meet nothing


class Match(NamedTuple):
    """What a template finds in a structure.

    Attributes
    ----------
    reason : why the template does not apply; empty where it does.
    roles : indices of the atoms of the structure that can play each role of surface and ligand.
    takes, releases : formulas of the gas molecules by name; empty where the template does not apply.
    gains : elements that the surface gains, and loses, in one step.
    charge : formal charge in e that it gains.
    """

    reason: str
    roles: dict[Role, np.ndarray]
    takes: dict[str, str]
    releases: dict[str, str]
    gains: dict[str, int]
    charge: float = 0.0


def infer_entry(atoms: Atoms) -> LigandEntry:
    """How the ligands of a structure came to it: as it says itself, else by their charge and the protons there."""
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
    positive = np.flatnonzero(ligand & (annotation.formal_charges(atoms) > 0))
    free = np.union1d(find_role(atoms, "surface.proton"), positive)
    return "acid" if len(free) >= len(set(annotation.fragments(atoms)[ligand])) else "anion"


def offered_molecules(precursor: str, coreactant: str | None = None) -> dict[str, Atoms]:
    """Fragments of the molecules that are offered to a surface, by `precursor` and `coreactant`.

    Parameters
    ----------
    precursor : name of a precursor; a co-reactant or by-product in its place is taken as the co-reactant.

    Raises
    ------
    InputError : a name is unknown.
    """
    by_products = {p.by_product.name: p.by_product for p in map(library.precursor, library.names("precursors"))}
    molecules = by_products | {name: library.get("coreactants", name).molecule for name in library.names("coreactants")}
    known = [*library.names("precursors"), *molecules]
    if precursor not in known:
        raise unknown("precursor", precursor, known, "precursor")
    given: str | None = precursor
    if precursor in molecules and coreactant is None:
        given, coreactant = None, precursor
    if coreactant is not None and coreactant not in molecules:
        raise unknown("co-reactant", coreactant, molecules, "coreactant")
    found = {}
    if given is not None:
        record = library.precursor(given)
        found["precursor"] = precursor_fragment(build_molecule(record.molecule), record)
    if coreactant is not None:
        found["coreactant"] = coreactant_fragment(build_molecule(molecules[coreactant]))
    return found


def without_molecules(atoms: Atoms, where: str) -> Atoms:
    """The structure, if it is neutral and has no molecule from the gas on it.

    Raises
    ------
    InputError : it has one.
    BalanceError : it is charged.
    """
    if np.isin(annotation.parts(atoms), (ADSORBATE, COREACTANT)).any():
        raise InputError(f"{where}: holds a precursor already; give the slab with its ligands only")
    assert_neutral(atoms)
    return atoms


def match_templates(
    atoms: Atoms, entry: LigandEntry, templates: Mapping[str, Reaction], molecules: Mapping[str, Atoms]
) -> dict[str, Match]:
    """Say of every template whether it applies to a structure, and if not, why.

    Parameters
    ----------
    atoms : with the columns of `atomistic.annotation.annotate`, neutral, without molecules from the gas.
    entry : how its ligands came to it.
    molecules : fragments by `precursor` and `coreactant`; one that is absent is not offered.

    Returns
    -------
    In the order of `templates`.
    """
    together = atoms.copy()
    annotation.widen_parts(together)
    for number, molecule in enumerate(molecules.values(), start=1):
        apart = molecule.copy()
        apart.positions += together.positions.max(axis=0) + number * APART_A
        annotation.fragments(apart)[:] = annotation.fragments(together).max() + 1
        together += apart
    annotation.drop_notes(together)  # bonds on record would be those of the surface alone
    together.pbc[2] = False  # no image of the surface above the molecules
    bonded = touching(together, STATE_BOND)
    matches: dict[str, Match] = {}
    for name in in_order(templates):
        matches[name] = _match(templates[name], atoms, entry, matches, together, bonded, molecules)
    return {name: matches[name] for name in templates}


def unique_count(atoms: Atoms, indices: np.ndarray) -> int:
    """Number of atoms that the symmetry of the structure does not make equivalent."""
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
    refused = lambda reason, roles=None: Match(reason, roles or {}, {}, {}, {})  # noqa: E731
    if entry not in template.ligand_entry:
        return refused(f"is for ligand_entry {' or '.join(template.ligand_entry)}, this is {entry}")
    if template.reactant in earlier and earlier[template.reactant].reason:
        return refused(f"starts from {template.reactant}, which does not apply")
    options = {role: role_candidates(together, template, MADE.get(role, role)) for role in template.roles}
    own = {role: found for role, found in options.items() if role.startswith(("surface.", "ligand."))}
    for kind in ("precursor", "coreactant"):
        if kind not in molecules and any(role.startswith(f"{kind}.") for role in template.roles):
            return refused(f"needs a {kind}; give one with --{kind}", own)
    absent = [role for role, found in options.items() if len(found) == 0]
    if absent:
        hints = [HINTS[role] for role in absent if role in HINTS]
        words = f"no atom plays {' or '.join(describe_role(template, role) for role in absent)}"
        return refused(f"{words} ({'; '.join(hints)})" if hints else words, own)
    if "ligand.partner" in template.roles and len(set(annotation.fragments(atoms)[options["ligand.partner"]])) < 2:
        return refused("needs two ligands; this structure has one", own)
    try:
        edit = _first_edit(template, together, options, bonded)
        gone = released_atoms(together, template, edit)
        left = sorted(set().union(*gone.values()))
        leaves = annotation.formal_charges(together)[left].sum()
        if leaves:
            charge_recipient(together, template, edit, left)  # it keeps this charge
            leaves = 0.0
    except BuildError as error:
        return refused(str(error), own)
    taken = {template.takes: molecules[template.takes]} if template.takes else {}
    gains = sum((Counter(m.symbols) for m in taken.values()), Counter())
    gains.subtract(Counter(together.symbols[left]))
    formulas = {name: str(together.symbols[indices].formula.format("hill")) for name, indices in gone.items()}
    takes = {name: m.get_chemical_formula() for name, m in taken.items()}
    charge = sum(annotation.formal_charges(m).sum() for m in taken.values()) - leaves
    return Match("", own, takes, formulas, {e: n for e, n in sorted(gains.items()) if n}, float(charge))


def _first_edit(template: Reaction, atoms: Atoms, options: dict[Role, np.ndarray], bonded: np.ndarray) -> Edit:
    """Atoms for all roles at once, whose bonds are there to be broken; those of one molecule that stay bonded first.

    Raises
    ------
    BuildError : there are none.
    """
    for strict in (True, False):
        for atoms_of in _assignments(template, annotation.fragments(atoms), options, bonded, strict):
            broken = [(atoms_of[a], atoms_of[b]) for a, b in template.breaks]
            forms = {(atoms_of[a], atoms_of[b]) for a, b in template.forms}
            return Edit(forms, set(broken) - forms, atoms_of, [])
    raise BuildError(f"no distinct atoms, bonded as the step asks, play {', '.join(template.roles)} at once")


def _assignments(
    template: Reaction, fragment: np.ndarray, options: dict[Role, np.ndarray], bonded: np.ndarray, strict: bool
) -> Iterator[dict[Role, int]]:
    """Distinct atoms for roles, with the bonds that the template breaks; `strict`: and those inside a molecule."""
    bonds = [pair for pair in template.breaks if not set(pair) & set(MADE) and pair[1] != "ligand.anchor"]
    order = sorted(options, key=lambda role: (len(options[role]), role))

    def fits(atoms_of: dict[Role, int], role: Role, atom: int) -> bool:
        for pair in (*bonds, *(template.forms if strict else ())):
            if role in pair:
                other = atoms_of.get(pair[0] if role == pair[1] else pair[1])
                same = other is not None and (pair in bonds or fragment[other] == fragment[atom] > 0)
                if same and not bonded[atom, other]:
                    return False
        rival = {"ligand.anchor": "ligand.partner", "ligand.partner": "ligand.anchor"}.get(role)
        return atom not in atoms_of.values() and (rival not in atoms_of or fragment[atoms_of[rival]] != fragment[atom])

    def extend(atoms_of: dict[Role, int]) -> Iterator[dict[Role, int]]:
        if len(atoms_of) == len(order):
            yield atoms_of
            return
        role = order[len(atoms_of)]
        for atom in options[role].tolist():
            if fits(atoms_of, role, atom):
                yield from extend(atoms_of | {role: atom})

    return extend({})
