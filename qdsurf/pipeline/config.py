"""WHAT to compute: the configuration, checked as a whole before anything runs."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from qdsurf.errors import InputError, unknown
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Record
from qdsurf.records.name_patterns import any_of, spell_out
from qdsurf.records.reaction_templates import DEFAULT
from qdsurf.records.settings import KineticsSpec, QualificationSpec, RelaxSpec, SlabSpec, ThermochemistrySpec
from qdsurf.records.systems import System, find_facet


class Config(Record):
    """Everything a run needs; see config/config.yaml for one that is explained."""

    slabs: dict[str, SlabSpec] = Field(
        min_length=1,
        description="MATERIAL_HKL_TERMINATION: how it is built; with `*`, `?` or `[abc]`: every facet on record that "
        "matches and is not written out itself",
    )
    precursors: tuple[str, ...] = Field(min_length=1, description="names or patterns")
    exclude: tuple[str, ...] = Field(
        (), description="systems to leave out: names or patterns of MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR"
    )
    reactions: tuple[str, ...] = Field(
        (DEFAULT,),
        min_length=1,
        description="steps to compute: templates by name, kinds of chemistry such as 'ion_exchange', or 'default'; the "
        "states from which they start are included",
    )
    truncate_to_carbons: int | None = Field(None, ge=1, description="length of ligand chains; absent: full length")
    calculator: CalculatorSpec = Field(
        CalculatorSpec(), description="for every slab that does not name its own; default: sevennet 7net-l3i5 with D3"
    )
    refine: CalculatorSpec | None = Field(
        None,
        description="a better level for energies: single points on every selected state, gas molecule and reference "
        "molecule at the calculator's geometries; absent: the calculator's own energies",
    )
    substrate: Literal["auto", "relaxed", "mobile", "frozen"] = Field(
        "auto",
        description="frozen: as cut; relaxed: the bare slab's mobile layers relax, then all is held under molecules; "
        "mobile: they move throughout; auto: relaxed where the calculator holds the crystal, else frozen",
    )
    relax: RelaxSpec = RelaxSpec()
    barriers: Literal["bep", "verified"] = Field(
        "bep",
        description="bep: the relation of the template; verified: search the saddle of every step that has such a "
        "relation, and keep the relation, with the reason, where none is verified",
    )
    qualification: QualificationSpec = QualificationSpec()
    thermochemistry: ThermochemistrySpec = ThermochemistrySpec()
    kinetics: KineticsSpec
    seed: int = Field(0, ge=0)
    note: str = Field("", description="printed with every result, such as a warning")

    @property
    def systems(self) -> list["System"]:
        """Every slab with each of its ligands and each precursor, but what is excluded."""
        left_out = any_of(self.exclude)
        systems = (
            System(slab, ligand, precursor)
            for slab, spec in self.slabs.items()
            for ligand in spec.ligands
            for precursor in self.precursors
        )
        return [system for system in systems if not left_out.match(str(system))]


def load_config(source: Path | dict, where: str = "configuration") -> Config:
    """Read a configuration and check every name in it against the library.

    Parameters
    ----------
    source : path of a YAML file, or its content.

    Raises
    ------
    InputError : names file and key, and what would be accepted.
    """
    if not isinstance(source, dict):
        where, source = str(source), library.read_yaml(source)
    config = _spelled_out(library.validate(Config, source, where), where)
    if config.refine and config.barriers == "verified":
        raise InputError(
            f"{where}: barriers: verified saddles are not refined yet, and two levels cannot be mixed; give `barriers: "
            "bep`, or no `refine`"
        )
    for slab, spec in config.slabs.items():
        find_facet(slab, f"{where}: slabs: ")
        for ligand in spec.ligands:
            _known("ligands", ligand, f"{where}: slabs.{slab}.ligands", extra=["none"])
    for precursor in config.precursors:
        _known("precursors", precursor, f"{where}: precursors")
    _known("recipes", config.kinetics.recipe, f"{where}: kinetics.recipe")
    for step in library.recipe(config.kinetics.recipe).steps:
        if step.role == "coreactant":
            _known("coreactants", step.species, f"recipes/{config.kinetics.recipe}.yaml: steps.species")
    library.chosen_reactions(config.reactions, f"{where}: reactions")
    return config


def _spelled_out(config: Config, where: str) -> Config:
    """The same configuration without patterns: only names, and only those that a system needs."""
    asked: dict[str, str] = {}
    for word, spec in config.slabs.items():
        for slab in spell_out(word, library.facets, "slab", f"{where}: slabs"):
            if slab in config.slabs and slab != word:
                continue
            other = asked.setdefault(slab, word)
            if config.slabs[other] != spec:
                raise InputError(f"{where}: slabs: {other!r} and {word!r} ask for {slab} differently; write it out")
    slabs = {
        slab: config.slabs[word].model_copy(
            update={"ligands": _names("ligands", config.slabs[word].ligands, f"{where}: slabs.{word}.ligands")}
        )
        for slab, word in asked.items()
    }
    precursors = _names("precursors", config.precursors, f"{where}: precursors")
    config = config.model_copy(update={"slabs": slabs, "precursors": precursors})
    return _without_excluded(config, where) if config.exclude else config


def _names(kind: str, words: Iterable[str], where: str) -> tuple[str, ...]:
    """Names of a kind that words and patterns ask for, each once."""
    accepted = partial(library.names, kind)
    return tuple(dict.fromkeys(name for word in words for name in spell_out(word, accepted, kind[:-1], where)))


def _without_excluded(config: Config, where: str) -> Config:
    """Drop the slabs, ligands and precursors of which no system is left."""
    everything = [str(system) for system in config.model_copy(update={"exclude": ()}).systems]
    for word in config.exclude:
        if not any(map(any_of([word]).match, everything)):
            raise InputError(f"{where}: exclude: {word!r} is none of the systems, such as {everything[0]!r}")
    left = config.systems
    if not left:
        raise InputError(f"{where}: exclude: nothing is left of {len(everything)} systems")
    pairs, precursors = {(s.slab, s.ligand) for s in left}, {s.precursor for s in left}
    slabs = {
        slab: spec.model_copy(update={"ligands": tuple(x for x in spec.ligands if (slab, x) in pairs)})
        for slab, spec in config.slabs.items()
        if any((slab, ligand) in pairs for ligand in spec.ligands)
    }
    kept = tuple(name for name in config.precursors if name in precursors)
    return config.model_copy(update={"slabs": slabs, "precursors": kept})


def _known(kind: str, name: str, where: str, extra: Iterable[str] = ()) -> None:
    accepted = [*library.names(kind), *extra]
    if name not in accepted:
        raise unknown(kind.removesuffix("s"), name, accepted, where)
    if name not in extra:
        library.get(kind, name)
