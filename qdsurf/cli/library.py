"""Verbs that look things up: list, reactions."""

from argparse import Namespace

from ase import Atoms

from qdsurf import library
from qdsurf.build.ledger import assert_neutral, ledger
from qdsurf.build.roles import find_role
from qdsurf.cli.files import read_model
from qdsurf.compute.calculators import METHODS, known_calculators, supported_elements
from qdsurf.errors import InputError
from qdsurf.records import CalculatorSpec, LigandEntry, Precursor, Reaction
from qdsurf.structure_io import ADSORBATE, LIGAND


def list_records(arguments: Namespace) -> tuple[list[dict], list[str]]:
    """List the records of one kind: JSON holds them whole, people see one line each."""
    if arguments.kind == "facets":
        return _list_facets()
    if arguments.kind == "calculators":
        return _list_calculators()
    records = [library.get(arguments.kind, name) for name in library.names(arguments.kind)]
    data = [{"name": record.name} | record.model_dump(mode="json") for record in records]
    width = max((len(record.name) for record in records), default=0)
    return data, [f"{record.name:<{width}}  {_summary(record)}" for record in records]


def _summary(record) -> str:
    """One line on a record: the fields that tell it from its neighbours."""
    describe = {
        "Material": lambda r: f"{r.formula}, {r.phase}, a = {r.lattice.a_A} A at {r.lattice.temperature_K:g} K",
        "Ligand": lambda r: f"{r.cbc_class}-type, charge {r.charge:+d}, {r.smiles}, {' | '.join(r.binding_modes)}",
        "Precursor": lambda r: f"{r.metal}, {r.smiles}, leaves as {r.by_product.name}",
        "Coreactant": lambda r: r.molecule.smiles or r.molecule.geometry,
        "Reaction": lambda r: f"{r.reaction_class:<17}  {r.equation}",
        "Recipe": lambda r: f"{r.temperature_K:g} K, " + ", ".join(f"{s.species} {s.duration_s:g} s" for s in r.steps),
    }
    return describe[type(record).__name__](record)


def _list_facets() -> tuple[list[dict], list[str]]:
    """List the facets on record, each with the name of its slab in a configuration."""
    materials = [library.material(name) for name in library.names("materials")]
    data = [
        {"name": f"{material.name}_{facet.name}", "material": material.name} | facet.model_dump(mode="json")
        for material in materials
        for facet in material.facets
    ]
    return data, [
        f"{facet['name']:<28}  {facet['material']} {tuple(facet['miller_index'])} {facet['termination']}"
        for facet in data
    ]


def _list_calculators() -> tuple[list[dict], list[str]]:
    """List the calculators that go by name, with methods and elements."""
    data = [
        {
            "name": name,
            "methods": list(METHODS.get(name, ())),
            "elements": supported_elements(CalculatorSpec(name=name)),
        }
        for name in known_calculators()
    ]
    lines = [
        f"{c['name']:<12}  {', '.join(c['methods']) or 'no methods'}; "
        + (f"{len(c['elements'])} elements" if c["elements"] else "elements as its basis or weights have them")
        for c in data
    ]
    return data, [*lines, "module:Class  any ASE calculator that can be imported"]


def match_reactions(arguments: Namespace) -> tuple[dict, list[str]]:
    """Say of every template whether it applies to a covered slab, and if not, why."""
    precursor = library.precursor(arguments.precursor)
    atoms = read_model(arguments.file)
    if (atoms.arrays["role"] == ADSORBATE).any():
        raise InputError(f"{arguments.file}: holds a precursor already; give the slab with its ligands only")
    assert_neutral(atoms)
    entry = _ligand_entry(atoms, arguments.file)
    templates = library.reactions()
    reasons: dict[str, str] = {}
    for template in sorted(templates.values(), key=lambda t: _depth(t, templates)):
        reasons[template.name] = _obstacle(template, atoms, precursor, entry, reasons)
    matches = [
        {
            "name": template.name,
            "reaction_class": template.reaction_class,
            "equation": template.equation,
            "reactant": template.reactant,
            "applies": not reasons[template.name],
            "reason": reasons[template.name],
        }
        for template in templates.values()
    ]
    data = {
        "file": arguments.file,
        "material": atoms.info.get("material"),
        "ligand": atoms.info.get("ligand"),
        "ligand_entry": entry,
        "precursor": precursor.name,
        "ledger": ledger(atoms),
        "reactions": matches,
    }
    lines = [f"{data['material'] or arguments.file}, ligand {data['ligand'] or 'none'} ({entry}); {data['ledger']}"]
    lines += [f"+ {m['name']:<30} {m['reaction_class']:<17}  {m['equation']}" for m in matches if m["applies"]]
    lines += [f"- {m['name']:<30} {m['reason']}" for m in matches if not m["applies"]]
    return data, lines


def _ligand_entry(atoms: Atoms, name: str) -> LigandEntry:
    """How the ligands of a model came to the crystal.

    Raises
    ------
    InputError : there are ligands, but the file does not say how they bind.
    """
    if not (atoms.arrays["role"] == LIGAND).any():
        return "none"
    if "ligand_entry" not in atoms.info:
        raise InputError(f"{name}: has ligands but does not say ligand_entry; cover the slab with `qdsurf ligate`")
    return atoms.info["ligand_entry"]


def _depth(template: Reaction, templates: dict[str, Reaction]) -> int:
    """Number of templates that come before one."""
    depth = 0
    while template.reactant != "ligated" and depth <= len(templates):
        template = templates[template.reactant]
        depth += 1
    return depth


def _obstacle(template: Reaction, atoms: Atoms, precursor: Precursor, entry: str, earlier: dict[str, str]) -> str:
    """Say why a template does not apply; empty when it does.

    Parameters
    ----------
    earlier : obstacles of the templates that make the initial states.
    """
    if entry not in template.ligand_entry:
        return f"is for ligand_entry {' or '.join(template.ligand_entry)}, this is {entry}"
    if earlier.get(template.reactant):
        return f"starts from {template.reactant}, which does not apply"
    roles = {role for pair in (*template.breaks, *template.forms) for role in pair}
    absent = [r for r in sorted(roles) if not r.startswith("precursor.") and len(find_role(atoms, r)) == 0]
    return f"no atom plays {' or '.join(absent)}" if absent else ""
