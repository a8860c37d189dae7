"""Settings of the stages: the parts of a configuration, each with its defaults."""

from typing import Annotated, Literal

from pydantic import Field

from qdsurf import defaults
from qdsurf.records.models import CalculatorSpec, Record


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
