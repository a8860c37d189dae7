"""Verbs that look things up: list, reactions."""

from argparse import Namespace
from pathlib import Path

from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.calculators.registry import CODES, supported_elements
from qdsurf.cli.files import read_model
from qdsurf.elementary_steps.matching import (
    Match,
    infer_entry,
    match_templates,
    offered_molecules,
    unique_count,
    without_molecules,
)
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.reaction_templates import Reaction


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
        "Reaction": lambda r: f"{' '.join(r.chemistry):<9}  {r.reaction_class:<17}  {r.equation}",
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
            "methods": list(code.methods),
            "elements": supported_elements(CalculatorSpec(name=name)),
        }
        for name, code in CODES.items()
    ]
    lines = [
        f"{c['name']:<12}  {', '.join(c['methods']) or 'no methods'}; "
        + (f"{len(c['elements'])} elements" if c["elements"] else "elements as its basis or weights have them")
        for c in data
    ]
    return data, [*lines, "module:Class  any ASE calculator that can be imported"]


def match_reactions(arguments: Namespace) -> tuple[dict, list[str]]:
    """Say of every template whether it applies to a structure, who plays its roles, and if it does not, why."""
    templates = library.reactions(arguments.templates and Path(arguments.templates))
    molecules = offered_molecules(arguments.precursor, arguments.coreactant)
    atoms = without_molecules(read_model(arguments.file, arguments.charge), arguments.file)
    entry = infer_entry(atoms)
    matches = [
        _describe_match(atoms, templates[name], match)
        for name, match in match_templates(atoms, entry, templates, molecules).items()
    ]
    data = {
        "file": arguments.file,
        "material": annotation.noted(atoms, "material"),
        "ligand": annotation.noted(atoms, "ligand"),
        "ligand_entry": entry,
        "precursor": arguments.precursor,
        "coreactant": arguments.coreactant,
        "charge_balance": charge_balance(atoms),
        "reactions": matches,
    }
    ligand = data["ligand"] or ("none" if entry == "none" else "not named")
    lines = [f"{data['material'] or arguments.file}, ligand {ligand} ({entry}); {data['charge_balance']}"]
    for match in (m for m in matches if m["applies"]):
        lines.append(f"+ {match['name']:<26} {' '.join(match['chemistry']):<9} {match['equation']}")
        lines.append(f"    {_words(match)}")
    return data, lines + [f"- {m['name']:<26} {m['reason']}" for m in matches if not m["applies"]]


def _describe_match(atoms: Atoms, template: Reaction, match: Match) -> dict:
    """A template and what it finds, as plain data."""
    return {
        "name": template.name,
        "reaction_class": template.reaction_class,
        "chemistry": template.chemistry,
        "equation": template.equation,
        "reactant": template.reactant,
        "applies": not match.reason,
        "reason": match.reason,
        "roles": {
            role: {"atoms": found, "matches": len(found), "unique": unique_count(atoms, found)}
            for role, found in match.roles.items()
        },
        "balance": {
            "takes": match.takes,
            "releases": match.releases,
            "surface_gains": match.gains,
            "charge": match.charge,
        },
    }


def _words(match: dict) -> str:
    """Roles and ledger of a template that applies, for people."""
    roles = [f"{role} {found['matches']} ({found['unique']} unique)" for role, found in match["roles"].items()]
    sides = [f"{side} {', '.join(match['balance'][side].values())}" for side in ("takes", "releases")]
    sides = [words for words in sides if not words.endswith(" ")]
    gains = " ".join(f"{element} {number:+d}" for element, number in match["balance"]["surface_gains"].items())
    ends = f"the surface: {gains}" if gains else "no element comes or goes"
    return "; ".join([*([", ".join(roles)] if roles else []), *sides, ends])
