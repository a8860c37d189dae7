"""Configuration of a run, checked as a whole before anything is computed."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from qdsurf.errors import InputError, unknown
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Record
from qdsurf.records.name_patterns import any_of, matching_names
from qdsurf.records.reaction_templates import DEFAULT
from qdsurf.records.settings import KineticsSpec, QualificationSpec, RelaxSpec, SlabSpec, ThermochemistrySpec
from qdsurf.records.systems import System, find_facet


class Config(Record):
    """Everything that a run needs; config/config.yaml is an example with comments."""

    slabs: dict[str, SlabSpec] = Field(
        min_length=1,
        description="MATERIAL_HKL_TERMINATION and how the slab is built; a name with `*`, `?` or `[abc]` stands for "
        "every facet on record that matches and is not named itself",
    )
    precursors: tuple[str, ...] = Field(min_length=1, description="names or patterns")
    exclude: tuple[str, ...] = Field(
        (), description="systems that are not computed: names or patterns of MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR"
    )
    reactions: tuple[str, ...] = Field(
        (DEFAULT,),
        min_length=1,
        description="steps to compute: templates by name, kinds of chemistry such as 'ion_exchange', or 'default'; the "
        "states from which they start are included",
    )
    truncate_to_carbons: int | None = Field(
        None, ge=1, description="number of carbon atoms to which ligand chains are shortened; absent: full length"
    )
    calculator: CalculatorSpec = Field(
        CalculatorSpec(), description="calculator of every slab that does not name its own; default: sevennet with D3"
    )
    refine: CalculatorSpec | None = Field(
        None,
        description="better method for energies: single points of every selected state, gas molecule and reference "
        "molecule at the geometries of the calculator; absent: the energies of the calculator",
    )
    substrate: Literal["auto", "relaxed", "mobile", "frozen"] = Field(
        "auto",
        description="frozen: the crystal stays as cut; relaxed: the mobile layers of the bare slab relax and are fixed "
        "under molecules; mobile: they move throughout; auto: relaxed if the calculator is qualified for it, else "
        "frozen",
    )
    relax: RelaxSpec = RelaxSpec()
    barriers: Literal["bep", "verified"] = Field(
        "bep",
        description="bep: the linear relation of the template; verified: search the saddle of every step with such a "
        "relation, and use the relation where no saddle is verified",
    )
    qualification: QualificationSpec = QualificationSpec()
    thermochemistry: ThermochemistrySpec = ThermochemistrySpec()
    kinetics: KineticsSpec
    seed: int = Field(0, ge=0, description="of all random numbers")
    note: str = Field("", description="written beside every result, such as a warning")

    @property
    def systems(self) -> list[System]:
        """Every slab with each of its ligands and each precursor, except the excluded ones."""
        excluded = any_of(self.exclude)
        systems = (
            System(slab, ligand, precursor)
            for slab, spec in self.slabs.items()
            for ligand in spec.ligands
            for precursor in self.precursors
        )
        return [system for system in systems if not excluded.match(str(system))]


def load_config(source: str | Path | dict[str, Any], where: str = "configuration") -> Config:
    """Read a configuration and check every name in it against the library.

    Parameters
    ----------
    source : str, Path or dict
        Path of a YAML file, or its content.
    where : str
        Name of the file for messages, if its content is given.

    Raises
    ------
    InputError
        The message names file and key, and lists what would be accepted.
    """
    if isinstance(source, dict):
        content: object = source
    else:
        where, content = str(source), library.read_yaml(Path(source))
    config = _resolve_patterns(library.validate(Config, content, where), where)
    if config.refine and config.barriers == "verified":
        raise InputError(
            f"{where}: barriers: verified saddles are not refined yet, and two methods cannot be mixed; give "
            "`barriers: bep`, or no `refine`"
        )
    for slab, spec in config.slabs.items():
        find_facet(slab, f"{where}: slabs: ")
        for ligand in spec.ligands:
            _check_name("ligands", ligand, f"{where}: slabs.{slab}.ligands", extra=["none"])
    for precursor in config.precursors:
        _check_name("precursors", precursor, f"{where}: precursors")
    _check_name("recipes", config.kinetics.recipe, f"{where}: kinetics.recipe")
    for step in library.recipe(config.kinetics.recipe).steps:
        if step.role == "coreactant":
            _check_name("coreactants", step.species, f"recipes/{config.kinetics.recipe}.yaml: steps.species")
    library.chosen_reactions(config.reactions, f"{where}: reactions")
    return config


def _resolve_patterns(config: Config, where: str) -> Config:
    """Replace patterns by the names that they match, and keep only names that a system needs."""
    requested: dict[str, str] = {}
    for word, spec in config.slabs.items():
        for slab in matching_names(word, library.facets, "slab", f"{where}: slabs"):
            if slab in config.slabs and slab != word:
                continue
            other = requested.setdefault(slab, word)
            if config.slabs[other] != spec:
                raise InputError(
                    f"{where}: slabs: {other!r} and {word!r} both match {slab}, with different settings; add an entry "
                    f"for {slab} itself"
                )
    slabs = {
        slab: config.slabs[word].model_copy(
            update={"ligands": _names("ligands", config.slabs[word].ligands, f"{where}: slabs.{word}.ligands")}
        )
        for slab, word in requested.items()
    }
    precursors = _names("precursors", config.precursors, f"{where}: precursors")
    config = config.model_copy(update={"slabs": slabs, "precursors": precursors})
    return _without_excluded(config, where) if config.exclude else config


def _names(kind: str, words: Iterable[str], where: str) -> tuple[str, ...]:
    """Names of a kind that words and patterns stand for, each once."""
    accepted = partial(library.names, kind)
    return tuple(dict.fromkeys(name for word in words for name in matching_names(word, accepted, kind[:-1], where)))


def _without_excluded(config: Config, where: str) -> Config:
    """Drop slabs, ligands and precursors that belong to excluded systems only."""
    everything = [str(system) for system in config.model_copy(update={"exclude": ()}).systems]
    for word in config.exclude:
        if not any(map(any_of([word]).match, everything)):
            raise InputError(
                f"{where}: exclude: {word!r} matches no system; a system is, for example, {everything[0]!r}"
            )
    kept = config.systems
    if not kept:
        raise InputError(f"{where}: exclude: all {len(everything)} systems are excluded; remove a pattern")
    pairs, precursors = {(s.slab, s.ligand) for s in kept}, {s.precursor for s in kept}
    slabs = {
        slab: spec.model_copy(update={"ligands": tuple(x for x in spec.ligands if (slab, x) in pairs)})
        for slab, spec in config.slabs.items()
        if any((slab, ligand) in pairs for ligand in spec.ligands)
    }
    names = tuple(name for name in config.precursors if name in precursors)
    return config.model_copy(update={"slabs": slabs, "precursors": names})


def _check_name(kind: str, name: str, where: str, extra: Iterable[str] = ()) -> None:
    """Refuse a name that is not on record, and a record that is wrong."""
    accepted = [*library.names(kind), *extra]
    if name not in accepted:
        raise unknown(kind.removesuffix("s"), name, accepted, where)
    if name not in extra:
        library.get(kind, name)
