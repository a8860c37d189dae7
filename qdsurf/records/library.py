"""The data in `structures/`, read once, validated, and found by name."""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from qdsurf.errors import InputError, unknown
from qdsurf.records.models import Coreactant, Ligand, LigandEntry, Material, Precursor, Recipe
from qdsurf.records.reaction_templates import CHEMISTRIES, DEFAULT, Reaction

Model = TypeVar("Model", bound=BaseModel)

# An installed wheel carries the data inside the package; a checkout has it at the top.
_PACKAGE = Path(__file__).parent.parent
STRUCTURES = next(p for p in (_PACKAGE / "structures", _PACKAGE.parent / "structures") if p.is_dir())

KINDS = {
    "materials": Material,
    "ligands": Ligand,
    "precursors": Precursor,
    "coreactants": Coreactant,
    "reactions": Reaction,
    "recipes": Recipe,
}


def validate(model: type[Model], data: object, where: str) -> Model:
    """Build a record from plain data.

    Raises
    ------
    InputError : names the file, the key and what would be accepted, one line for each mistake.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            key = ".".join(map(str, item["loc"])) or "(whole record)"
            if item["type"] == "extra_forbidden":
                fields = _fields_beside(model, item["loc"])
                lines.append(str(unknown("key", str(item["loc"][-1]), fields, f"{where}: {key}")))
            else:
                lines.append(f"{where}: {key}: {item['msg']} (given: {item['input']!r:.80})")
        raise InputError("\n".join(lines)) from None


def _fields_beside(model: type[BaseModel], location: tuple) -> list[str]:
    """Names of the keys that are accepted at the place of an unknown key."""
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        nested = [a for a in (annotation, *getattr(annotation, "__args__", ())) if hasattr(a, "model_fields")]
        model = nested[0] if nested else model
    return list(model.model_fields)


def read_yaml(path: Path) -> object:
    """Read plain data from a YAML file; a syntax error names the line."""
    try:
        return yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None


def read_record(path: Path, model: type[Model]) -> Model:
    """Read one record and check it; a named record must be named like its file."""
    path = Path(path)
    record = validate(model, read_yaml(path), str(path))
    if getattr(record, "name", path.stem) != path.stem:
        raise InputError(f"{path}: name: {record.name!r} must be {path.stem!r}, the name of its file")
    return record


def record_path(kind: str, name: str) -> Path:
    """Path of the file that defines a record, for kinds such as "ligands".

    Raises
    ------
    InputError : the name is not in the library; the message lists what is.
    """
    path = STRUCTURES / kind / f"{name}.yaml"
    if not path.is_file():
        raise unknown(kind.removesuffix("s"), name, names(kind))
    return path


def names(kind: str) -> list[str]:
    """Names of all records of a kind, sorted."""
    return sorted(path.stem for path in (STRUCTURES / kind).glob("*.yaml"))


@cache
def get(kind: str, name: str):
    """The record of that kind and name."""
    return read_record(record_path(kind, name), KINDS[kind])


def material(name: str) -> Material:
    """The material of that name.

    Examples
    --------
    >>> pbs = material("PbS")
    >>> pbs.formal_charges, pbs.lattice.a_A
    ({'Pb': 2, 'S': -2}, 5.936)
    """
    return get("materials", name)


def facets() -> list[str]:
    """Every facet on record, as MATERIAL_HKL_TERMINATION."""
    return [f"{name}_{facet.name}" for name in names("materials") for facet in material(name).facets]


def ligand(name: str) -> Ligand:
    """The ligand of that name."""
    return get("ligands", name)


def precursor(name: str) -> Precursor:
    """The precursor of that name."""
    return get("precursors", name)


def reactions(folder: Path | None = None) -> dict[str, Reaction]:
    """All reaction templates by name; each one's reactant must exist.

    Parameters
    ----------
    folder : with templates of one's own, `*.yaml`; one of a known name takes the other's place.

    Raises
    ------
    InputError : a template starts from a state that no template makes, or the folder holds none.
    """
    templates = {name: get("reactions", name) for name in names("reactions")}
    own = sorted(Path(folder).glob("*.yaml")) if folder else []
    if folder and not own:
        raise InputError(f"{folder}: holds no template; give a folder with files such as my_reaction.yaml")
    templates |= {path.stem: read_record(path, Reaction) for path in own}
    for template in templates.values():
        if template.reactant not in {"ligated", *templates}:
            beside = folder and Path(folder) / f"{template.name}.yaml"
            path = beside if beside in own else record_path("reactions", template.name)
            raise unknown("state", template.reactant, ["ligated", *templates], f"{path}: reactant")
    return templates


def chosen_reactions(wanted: Collection[str], where: str = "reactions") -> dict[str, Reaction]:
    """The templates that a choice takes, with those that make the states they start from, each after its own.

    Parameters
    ----------
    wanted : names of templates, kinds of chemistry such as `ion_exchange`, or `default`.

    Raises
    ------
    InputError : a word is none of these.
    """
    templates = reactions()
    for word in wanted:
        if word not in {DEFAULT, *CHEMISTRIES, *templates}:
            raise unknown("reaction", word, [DEFAULT, *CHEMISTRIES, *templates], where)
    chosen = {name for name, template in templates.items() if template.chosen_by(tuple(wanted))}
    waiting = list(chosen)
    while waiting:
        before = templates[waiting.pop()].reactant
        if before != "ligated" and before not in chosen:
            chosen.add(before)
            waiting.append(before)
    return {name: templates[name] for name in in_order(templates) if name in chosen}


def in_order(templates: Mapping[str, Reaction]) -> list[str]:
    """Names of templates, those that start from the covered surface first, each after the one it starts from."""

    def depth(name: str) -> int:
        before = templates[name].reactant
        return 0 if before == "ligated" else 1 + depth(before)

    return sorted(templates, key=lambda name: (depth(name), name))


def recipe(name: str) -> Recipe:
    """The recipe of that name."""
    return get("recipes", name)


def ligand_entry(charges: Collection[int], bound: Ligand | None, where: str) -> LigandEntry:
    """How a ligand comes to a surface, decided by the formal charges of its ions.

    A neutral ligand binds as it is: by a donor (`dative`) or, Z-type, by its metal (`acceptor`). A charged one replaces
    ions of charge one and of its own sign where the surface has some (`anion`, `cation`); an acid meets other surfaces
    as `acid`: its anion on a cation, its H on an anion.

    Parameters
    ----------
    charges : of the ions of the surface in e, stand-ins included.
    where : name of the surface, for the message.

    Raises
    ------
    InputError : an ion meets a surface that has nothing of its charge to give.
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
