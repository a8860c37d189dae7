"""WHAT to compute: the configuration, checked as a whole before anything runs."""

import re
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from qdsurf import defaults, library
from qdsurf.errors import InputError, unknown
from qdsurf.miller import parse_miller_index
from qdsurf.patterns import any_of, spell_out
from qdsurf.records import CalculatorSpec, Facet, Record
from qdsurf.templates import ROUTINE


class SlabSpec(Record):
    """Size of one slab, and the ligands that are tried on it."""

    layers: int = Field(ge=1, description="atomic layers")
    supercell: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        description="repetitions of the primitive surface cell"
    )
    vacuum_A: float = Field(defaults.VACUUM_A, ge=8, description="empty space along c")
    bottom: str | None = Field(None, description="composition of the lowest layer; absent: whatever the layers give")
    mobile_layers: int = Field(
        defaults.MOBILE_LAYERS, ge=0, description="outermost layers that move where the substrate is not frozen"
    )
    ligands: tuple[str, ...] = Field(
        description="names of ligands, 'none' for the bare slab; with `*`, `?` or `[abc]`: all on record that match"
    )
    ligands_per_cell: int = Field(1, ge=1)
    calculator: CalculatorSpec | None = Field(
        None,
        description="for the systems of this slab, their molecules and reference reactions too; absent: the common one",
    )


class RelaxSpec(Record):
    """When a relaxation ends, and how many candidates are relaxed."""

    fmax_eV_per_A: float = Field(defaults.FMAX_EV_PER_A, gt=0, description="largest force on a free atom")
    max_steps: int = Field(defaults.MAX_STEPS, ge=0)
    candidates: int = Field(4, ge=1, description="poses of each adduct, product geometries of each step")
    keep: int | None = Field(
        1, ge=1, description="relax in the order of single points until so many keep their bonds; null: relax all"
    )
    timeout_s: float | None = Field(
        None,
        gt=0,
        description="longest time for one structure, after which it is ended and recorded as failed; absent: ten times "
        "what its force calls take with this calculator on an idle machine, and five minutes",
    )


QualificationTest = Literal["strained_bulk", "rattled_bulk", "rattled_slab", "facets"]


class QualificationSpec(Record):
    """Tests that a calculator must pass before a crystal is allowed to move."""

    more_tests: tuple[Literal["rattled_bulk", "facets"], ...] = Field(
        ("facets",),
        description="beside strained bulk and rattled slab: a rattled bulk cell, the energies of the facets",
    )
    strains: tuple[float, ...] = Field((-0.06, -0.03, 0.0, 0.03, 0.06), description="of the lattice constant")
    shortest_vector_A: float = Field(11.0, gt=0, description="smallest cell vector of the bulk supercell")
    rattle_A: float = Field(0.1, gt=0, description="standard deviation of the random displacement")
    max_steps: int = Field(40, ge=1, description="of the relaxations of rattled structures")

    @property
    def tests(self) -> tuple[QualificationTest, ...]:
        """Names of all tests."""
        return "strained_bulk", "rattled_slab", *dict.fromkeys(self.more_tests)

    def steps(self, test: QualificationTest) -> int:
        """Steps that a structure of a test may take; 0 is a single point."""
        return self.max_steps if test.startswith("rattled") else 0


class ThermochemistrySpec(Record):
    """Parameters of the free energies."""

    adsorbates: Literal["free_molecule", "partial_hessian"] = Field(
        "free_molecule",
        description="free_molecule: modes of the free molecule and six hindered ones; partial_hessian: modes of all "
        "atoms but the crystal's in each state, six force calls an atom",
    )
    lowest_mode_cm: float = Field(50.0, gt=0, description="softer modes are raised to this wavenumber, cm-1")
    soft_modes: Literal["quasi_rrho", "raised"] = Field(
        "quasi_rrho",
        description="of partial Hessians; quasi_rrho: towards free rotors below switch_cm, imaginary ones raised",
    )
    switch_cm: float = Field(100.0, gt=0, description="wavenumber at which rotor and oscillator count half, cm-1")
    translation_barrier_eV: float = Field(0.1, gt=0, description="of an adsorbate between sites")
    rotation_barrier_eV: float = Field(0.02, gt=0, description="of an adsorbate about the surface normal")
    frustrated_mode_cm: float = Field(100.0, gt=0, description="wavenumber of each of the three other external modes")
    temperatures_K: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (291.15, 323.15, 373.15, 423.15, 473.15, 523.15, 573.15, 623.15, 673.15),
        description="besides the recipe's; the map over temperature reaches from the lowest to the highest",
    )
    source: str = Field("assumed", description="where the three parameters come from")


class KineticsSpec(Record):
    """Recipe and sampling."""

    recipe: str
    samples: int = Field(512, ge=1, description="energy samples for the probabilities")
    cycles: int = Field(1, ge=1, description="how often the recipe is run")
    map_points: tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]] = Field(
        (16, 16), description="temperatures and pressures of the map"
    )
    map_samples: int = Field(32, ge=0, description="energy samples at every point of the map; 0: no probability")


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
        (ROUTINE,),
        min_length=1,
        description="steps to compute: templates by name, chemistries D1 to D15, or 'routine' for those marked so; the "
        "states that they start from come along",
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


class System(NamedTuple):
    """One competition: a slab (MATERIAL_HKL_TERMINATION), a ligand (or 'none'), a precursor."""

    slab: str
    ligand: str
    precursor: str

    def __str__(self) -> str:
        return "~".join(self)

    @property
    def ligated(self) -> str:
        """Name of the covered surface, without the precursor."""
        return f"{self.slab}~{self.ligand}"

    @classmethod
    def parse(cls, name: str) -> "System":
        """Read `MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR`."""
        parts = name.split("~")
        if len(parts) != 3:
            raise InputError(f"system {name!r}: write MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR")
        return cls(*parts)


@cache
def find_facet(slab: str, where: str = "") -> tuple[str, Facet]:
    """Material name and facet of a slab's name, from the material's record or, for any other plane, made up here.

    Raises
    ------
    InputError : the name has another form. Whether the crystal has such a termination is seen when it is cut.
    """
    match = re.fullmatch(r"(.+?)_([-\d,]+)_(.+)", slab)
    if not match:
        raise InputError(f"{where}{slab!r}: write MATERIAL_HKL_TERMINATION, such as PbS_100_PbS")
    if match[1] not in library.names("materials"):
        raise unknown("material", match[1], library.names("materials"), f"{where}{slab}")
    material = library.material(match[1])
    recorded = {facet.name: facet for facet in material.facets}
    name = f"{match[2]}_{match[3]}"
    return material.name, recorded.get(name) or Facet(
        miller_index=parse_miller_index(match[2], reduced=False), termination=match[3]
    )


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
