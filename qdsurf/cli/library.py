"""Verbs that read the library: list, reactions."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from ase import Atoms
from pydantic import BaseModel

from qdsurf.atomistic import annotation
from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.calculators.registry import CODES, supported_elements
from qdsurf.cli.files import read_model
from qdsurf.cli.verb_result import VerbResult
from qdsurf.elementary_steps.matching import (
    Match,
    infer_entry,
    match_templates,
    offered_molecules,
    unique_count,
    without_molecules,
)
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Coreactant, Ligand, Material, Precursor, Recipe
from qdsurf.records.reaction_templates import Reaction


def list_records(arguments: Namespace) -> VerbResult:
    """List the records of one kind.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf list`.

    Returns
    -------
    VerbResult
        Complete records as data, one line for each record as text.
    """
    if arguments.kind == "facets":
        return _list_facets()
    if arguments.kind == "calculators":
        return _list_calculators()
    records = [library.get(arguments.kind, name) for name in library.names(arguments.kind)]
    data = [{"name": record.name} | record.model_dump(mode="json") for record in records]
    width = max((len(record.name) for record in records), default=0)
    return VerbResult(data, [f"{record.name:<{width}}  {_summary(record)}" for record in records])


def _summary(record: BaseModel) -> str:
    """Return the fields that distinguish a record from others of its kind, in one line."""
    match record:
        case Material():
            lattice = record.lattice
            return f"{record.formula}, {record.phase}, a = {lattice.a_A} A at {lattice.temperature_K:g} K"
        case Ligand():
            modes = " | ".join(record.binding_modes)
            return f"{record.cbc_class}-type, charge {record.charge:+d}, {record.smiles}, {modes}"
        case Precursor():
            return f"{record.metal}, {record.smiles}, by-product {record.by_product.name}"
        case Coreactant():
            return str(record.molecule.smiles or record.molecule.geometry)
        case Reaction():
            return f"{' '.join(record.chemistry):<9}  {record.reaction_class:<17}  {record.equation}"
        case Recipe():
            steps = ", ".join(f"{step.species} {step.duration_s:g} s" for step in record.steps)
            return f"{record.temperature_K:g} K, {steps}"
    raise TypeError(f"no summary for records of type {type(record).__name__}")


def _list_facets() -> VerbResult:
    """List the facets on record, each with the name of its slab in a configuration."""
    data = []
    lines = []
    for material in map(library.material, library.names("materials")):
        for facet in material.facets:
            name = f"{material.name}_{facet.name}"
            data.append({"name": name, "material": material.name} | facet.model_dump(mode="json"))
            lines.append(f"{name:<28}  {material.name} {tuple(facet.miller_index)} {facet.termination}")
    return VerbResult(data, lines)


def _list_calculators() -> VerbResult:
    """List the calculators that have a name, with their methods and elements."""
    data = []
    lines = []
    for name, code in CODES.items():
        elements = supported_elements(CalculatorSpec(name=name))
        data.append({"name": name, "methods": list(code.methods), "elements": elements})
        methods = ", ".join(code.methods) or "no methods"
        number = f"{len(elements)} elements" if elements else "elements depend on the basis set or the weights"
        lines.append(f"{name:<12}  {methods}; {number}")
    return VerbResult(data, [*lines, "module:Class  any ASE calculator that can be imported"])


def match_reactions(arguments: Namespace) -> VerbResult:
    """List for every template whether it applies to a structure, with the atoms for each role or the reason.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf reactions`.

    Returns
    -------
    VerbResult
        Description of the structure and `reactions`, one object for each template with `applies`, `reason`, `roles`
        (indices, number and number of inequivalent atoms) and `balance` (gas molecules, elements, charge in e).

    Raises
    ------
    InputError
        A name is unknown, or the structure already has a molecule from the gas phase.
    BalanceError
        The structure is charged.
    """
    templates = library.reactions(arguments.templates and Path(arguments.templates))
    molecules = offered_molecules(arguments.precursor, arguments.coreactant)
    atoms = without_molecules(read_model(arguments.file, arguments.charge), arguments.file)
    entry = infer_entry(atoms)
    found = match_templates(atoms, entry, templates, molecules)
    matches = [_describe_match(atoms, templates[name], match) for name, match in found.items()]
    material, ligand = annotation.noted(atoms, "material"), annotation.noted(atoms, "ligand")
    balance = charge_balance(atoms)
    data = {
        "file": arguments.file,
        "material": material,
        "ligand": ligand,
        "ligand_entry": entry,
        "precursor": arguments.precursor,
        "coreactant": arguments.coreactant,
        "charge_balance": balance,
        "reactions": matches,
    }
    ligand_name = ligand or ("none" if entry == "none" else "not named")
    lines = [f"{material or arguments.file}, ligand {ligand_name} ({entry}); {balance}"]
    for match in matches:
        if match["applies"]:
            lines.append(f"+ {match['name']:<26} {' '.join(match['chemistry']):<9} {match['equation']}")
            lines.append(f"    {_roles_and_balance(match)}")
    lines += [f"- {match['name']:<26} {match['reason']}" for match in matches if not match["applies"]]
    return VerbResult(data, lines)


def _describe_match(atoms: Atoms, template: Reaction, match: Match) -> dict[str, Any]:
    """Return a template and its match as plain data."""
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


def _roles_and_balance(match: dict[str, Any]) -> str:
    """Return roles, gas molecules and change of the surface composition of a template that applies, in one line."""
    balance = match["balance"]
    parts = []
    if match["roles"]:
        roles = match["roles"].items()
        parts.append(", ".join(f"{role} {found['matches']} ({found['unique']} unique)" for role, found in roles))
    for side in ("takes", "releases"):
        if balance[side]:
            parts.append(f"{side} {', '.join(balance[side].values())}")
    gains = " ".join(f"{element} {number:+d}" for element, number in balance["surface_gains"].items())
    parts.append(f"surface composition: {gains}" if gains else "surface composition unchanged")
    return "; ".join(parts)
