"""Library of records: the data in `structures/`, read once, validated, and found by name."""

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from qdsurf.errors import FORMER_NAMES, InputError, unknown
from qdsurf.records.models import Coreactant, Ligand, LigandEntry, Material, Precursor, Recipe, Record
from qdsurf.records.reaction_templates import CHEMISTRIES, DEFAULT, Reaction

Model = TypeVar("Model", bound=BaseModel)

# An installed package contains the data. In a checkout of the repository the data are next to it.
_PACKAGE = Path(__file__).parent.parent
STRUCTURES = next(p for p in (_PACKAGE / "structures", _PACKAGE.parent / "structures") if p.is_dir())

KINDS: dict[str, type[Record]] = {
    "materials": Material,
    "ligands": Ligand,
    "precursors": Precursor,
    "coreactants": Coreactant,
    "reactions": Reaction,
    "recipes": Recipe,
}


def validate(model: type[Model], data: object, where: str) -> Model:
    """Build a record from plain data.

    Parameters
    ----------
    model : type
        Class of the record.
    data : object
        Plain data, such as the content of a YAML file.
    where : str
        Source of the data, such as the path of the file, for the error message.

    Returns
    -------
    Model
        The record.

    Raises
    ------
    InputError
        The data are not a record of this class. The message has one line for each mistake, with the source, the key and
        what would be accepted.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_describe_mistake(model, mistake, where) for mistake in error.errors()]
        raise InputError("\n".join(lines)) from None


def _describe_mistake(model: type[BaseModel], mistake: ErrorDetails, where: str) -> str:
    """Describe one mistake that pydantic found; a name of an earlier version is translated to the present one."""
    key = ".".join(map(str, mistake["loc"])) or "(whole record)"
    given = mistake["input"]
    if mistake["type"] == "extra_forbidden":
        return str(unknown("key", str(mistake["loc"][-1]), _accepted_keys(model, mistake["loc"]), f"{where}: {key}"))
    if mistake["type"] == "literal_error" and isinstance(given, str) and given in FORMER_NAMES:
        accepted = re.findall(r"'([^']*)'", mistake["ctx"]["expected"])
        return str(unknown("value", given, accepted, f"{where}: {key}"))
    return f"{where}: {key}: {mistake['msg']} (given: {given!r:.80})"


def _accepted_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that are accepted at the location of an unknown key."""
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        nested = [a for a in (annotation, *getattr(annotation, "__args__", ())) if hasattr(a, "model_fields")]
        model = nested[0] if nested else model
    return list(model.model_fields)


def read_yaml(path: str | Path) -> object:
    """Read plain data from a YAML file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    object
        Plain data.

    Raises
    ------
    InputError
        The file is missing or is not YAML; the message gives the line of a syntax error.
    """
    try:
        return yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None


def read_record(path: str | Path, model: type[Model]) -> Model:
    """Read one record from a YAML file.

    Parameters
    ----------
    path : str or Path
        The file.
    model : type
        Class of the record.

    Returns
    -------
    Model
        The record.

    Raises
    ------
    InputError
        The file cannot be read, the record is invalid, or its name differs from the name of the file.
    """
    path = Path(path)
    record = validate(model, read_yaml(path), str(path))
    name = getattr(record, "name", path.stem)
    if name != path.stem:
        raise InputError(f"{path}: name: {name!r} must be {path.stem!r}, the name of its file")
    return record


def record_path(kind: str, name: str) -> Path:
    """Return the path of the file that defines a record.

    Parameters
    ----------
    kind : str
        A key of `KINDS`, such as "ligands".
    name : str
        Name of the record.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The library has no record of this name; the message lists the names that it has.
    """
    path = STRUCTURES / kind / f"{name}.yaml"
    if not path.is_file():
        raise unknown(kind.removesuffix("s"), name, names(kind))
    return path


def names(kind: str) -> list[str]:
    """Return the names of all records of a kind.

    Parameters
    ----------
    kind : str
        A key of `KINDS`, such as "ligands".

    Returns
    -------
    list of str
        Names, sorted.
    """
    return sorted(path.stem for path in (STRUCTURES / kind).glob("*.yaml"))


@cache
def get(kind: str, name: str) -> Any:
    """Return one record.

    Parameters
    ----------
    kind : str
        A key of `KINDS`, such as "ligands".
    name : str
        Name of the record.

    Returns
    -------
    Record
        Record of the class that belongs to the kind.

    Raises
    ------
    InputError
        The library has no record of this name.
    """
    return read_record(record_path(kind, name), KINDS[kind])


def material(name: str) -> Material:
    """Return the material with this name.

    Parameters
    ----------
    name : str
        Name of the record.

    Returns
    -------
    Material
        The record.

    Raises
    ------
    InputError
        The library has no record of this name.

    Examples
    --------
    >>> pbs = material("PbS")
    >>> pbs.formal_charges, pbs.lattice.a_A
    ({'Pb': 2, 'S': -2}, 5.936)
    """
    return get("materials", name)


def facets() -> list[str]:
    """Return the names of all facets in the records of the materials, as MATERIAL_HKL_TERMINATION."""
    return [f"{name}_{facet.name}" for name in names("materials") for facet in material(name).facets]


def ligand(name: str) -> Ligand:
    """Return the ligand with this name.

    Parameters
    ----------
    name : str
        Name of the record.

    Returns
    -------
    Ligand
        The record.

    Raises
    ------
    InputError
        The library has no record of this name.
    """
    return get("ligands", name)


def precursor(name: str) -> Precursor:
    """Return the precursor with this name.

    Parameters
    ----------
    name : str
        Name of the record.

    Returns
    -------
    Precursor
        The record.

    Raises
    ------
    InputError
        The library has no record of this name.
    """
    return get("precursors", name)


def reactions(folder: str | Path | None = None) -> dict[str, Reaction]:
    """Return all reaction templates by name.

    Parameters
    ----------
    folder : str or Path, optional
        Folder with additional templates, `*.yaml`. A template with a known name replaces the one of the library.

    Returns
    -------
    dict
        Templates by name.

    Raises
    ------
    InputError
        The initial state of a template is not the product of any template, or the folder has no templates.
    """
    templates: dict[str, Reaction] = {name: get("reactions", name) for name in names("reactions")}
    added = {path.stem: path for path in sorted(Path(folder).glob("*.yaml"))} if folder else {}
    if folder and not added:
        raise InputError(f"{folder}: contains no template; give a folder with files such as my_reaction.yaml")
    templates |= {name: read_record(path, Reaction) for name, path in added.items()}
    for template in templates.values():
        if template.reactant not in {"ligated", *templates}:
            path = added.get(template.name) or record_path("reactions", template.name)
            raise unknown("state", template.reactant, ["ligated", *templates], f"{path}: reactant")
    return templates


def chosen_reactions(wanted: Collection[str], where: str = "reactions") -> dict[str, Reaction]:
    """Return the templates that a configuration selects, and the templates that make their initial states.

    Parameters
    ----------
    wanted : collection of str
        Names of templates, kinds of chemistry such as `ion_exchange`, or `default`.
    where : str, optional
        Key of the configuration, for the error message.

    Returns
    -------
    dict
        Templates by name; each one follows the template that makes its initial state.

    Raises
    ------
    InputError
        A word is neither a template nor a kind of chemistry nor `default`.
    """
    templates = reactions()
    accepted = [DEFAULT, *CHEMISTRIES, *templates]
    for word in wanted:
        if word not in accepted:
            raise unknown("reaction", word, accepted, where)
    chosen = {name for name, template in templates.items() if template.chosen_by(tuple(wanted))}
    to_visit = list(chosen)
    while to_visit:
        initial_state = templates[to_visit.pop()].reactant
        if initial_state != "ligated" and initial_state not in chosen:
            chosen.add(initial_state)
            to_visit.append(initial_state)
    return {name: templates[name] for name in in_order(templates) if name in chosen}


def in_order(templates: Mapping[str, Reaction]) -> list[str]:
    """Sort templates so that each one follows the template that makes its initial state.

    Parameters
    ----------
    templates : mapping
        Templates by name.

    Returns
    -------
    list of str
        Names. Templates that start from the covered surface are first; templates of equal depth are sorted by name.
    """

    def depth(name: str) -> int:
        initial_state = templates[name].reactant
        return 0 if initial_state == "ligated" else 1 + depth(initial_state)

    return sorted(templates, key=lambda name: (depth(name), name))


def recipe(name: str) -> Recipe:
    """Return the recipe with this name.

    Parameters
    ----------
    name : str
        Name of the record.

    Returns
    -------
    Recipe
        The record.

    Raises
    ------
    InputError
        The library has no record of this name.
    """
    return get("recipes", name)


def ligand_entry(charges: Collection[int], bound: Ligand | None, where: str) -> LigandEntry:
    """Return how a ligand binds to a surface, which depends on the formal charges of the surface ions.

    * `dative`, `acceptor`: a neutral ligand binds without exchange, with a donor atom or, for a Z-type ligand, with its
      metal.
    * `anion`, `cation`: a charged ligand replaces surface ions of charge one and of its own sign, where there are any.
    * `acid`: on all other surfaces an acid binds with its anion on a cation and with its hydrogen on an anion.
    * `none`: there is no ligand.

    Parameters
    ----------
    charges : collection of int
        Charges of the surface ions in e, including the passivating ions.
    bound : Ligand or None
        The ligand; None for a bare surface.
    where : str
        Name of the surface, for the error message.

    Returns
    -------
    str
        Kind of binding.

    Raises
    ------
    InputError
        The ligand is charged, is not an acid, and the surface has no ion that it can replace.
    """
    if bound is None:
        return "none"
    if bound.charge == 0:
        return "acceptor" if bound.cbc_class == "Z" else "dative"
    if (1 if bound.charge > 0 else -1) in charges:
        return "anion" if bound.charge < 0 else "cation"
    if bound.leaving_protons:
        return "acid"
    raise InputError(
        f"ligand {bound.name} (charge {bound.charge:+d}) has no place on {where}, whose ions have the charges "
        f"{', '.join(f'{q:+d}' for q in sorted(charges))}; use a neutral ligand, an acid, or a polar facet"
    )
