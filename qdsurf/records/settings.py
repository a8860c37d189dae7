"""Settings of the stages: the sections of a configuration, with their default values."""

from typing import Annotated, Literal

from pydantic import Field

from qdsurf import defaults
from qdsurf.records.models import CalculatorSpec, Record


class SlabSpec(Record):
    """Size of a slab, and the ligands on it."""

    layers: int = Field(ge=1, description="atomic layers")
    supercell: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        description="repetitions of the primitive surface cell along a and b"
    )
    vacuum_A: float = Field(defaults.VACUUM_A, ge=8, description="empty space along the surface normal")
    bottom: str | None = Field(
        None, description="composition of the lowest layer; absent: follows from the number of layers"
    )
    mobile_layers: int = Field(
        defaults.MOBILE_LAYERS, ge=0, description="number of outermost layers that move if the substrate is not frozen"
    )
    ligands: tuple[str, ...] = Field(
        description="names of ligands, 'none' for the bare slab; a name with `*`, `?` or `[abc]` selects all that match"
    )
    ligands_per_cell: int = Field(1, ge=1)
    calculator: CalculatorSpec | None = Field(
        None,
        description="for all systems of this slab, their molecules and their reference reactions; absent: the common "
        "calculator of the configuration",
    )


class RelaxSpec(Record):
    """Convergence criteria of a relaxation, and the number of candidates."""

    fmax_eV_per_A: float = Field(
        defaults.FMAX_EV_PER_A, gt=0, description="largest force on a free atom of a relaxed structure"
    )
    max_steps: int = Field(defaults.MAX_STEPS, ge=0, description="of one relaxation; 0: a single point")
    candidates: int = Field(
        4, ge=1, description="number of adsorption poses of each adduct and of product geometries of each step"
    )
    keep: int | None = Field(
        1,
        ge=1,
        description="candidates are relaxed in the order of their single-point energies until this number of them has "
        "kept its bonds; null: all are relaxed",
    )
    timeout_s: float | None = Field(
        None,
        gt=0,
        description="time limit for one structure, after which it is recorded as failed; absent: five minutes plus ten "
        "times the time that its force calls take with this calculator on an idle machine",
    )


QualificationTest = Literal["strained_bulk", "rattled_bulk", "rattled_slab", "facets"]


class QualificationSpec(Record):
    """Tests that a calculator must pass before the atoms of a crystal may move."""

    more_tests: tuple[Literal["rattled_bulk", "facets"], ...] = Field(
        ("facets",),
        description="in addition to strained bulk and rattled slab: a rattled bulk cell, the energies of the facets",
    )
    strains: tuple[float, ...] = Field(
        (-0.06, -0.03, 0.0, 0.03, 0.06), description="relative changes of the lattice constants"
    )
    shortest_vector_A: float = Field(11.0, gt=0, description="smallest cell vector of the bulk supercell")
    rattle_A: float = Field(0.1, gt=0, description="standard deviation of the random displacement")
    max_steps: int = Field(40, ge=1, description="of the relaxation of a rattled structure")

    @property
    def tests(self) -> tuple[QualificationTest, ...]:
        """Names of all tests."""
        return "strained_bulk", "rattled_slab", *dict.fromkeys(self.more_tests)

    def steps(self, test: QualificationTest) -> int:
        """Maximum number of relaxation steps in a test; 0 is a single point."""
        return self.max_steps if test.startswith("rattled") else 0


class ThermochemistrySpec(Record):
    """Parameters of the free energies."""

    adsorbates: Literal["free_molecule", "partial_hessian"] = Field(
        "free_molecule",
        description="free_molecule: internal modes of the free molecule and six hindered external modes; "
        "partial_hessian: modes of all atoms outside the crystal in each state, which needs six force calls for each "
        "atom",
    )
    lowest_mode_cm: float = Field(50.0, gt=0, description="lowest wavenumber, cm-1; softer modes are raised to it")
    soft_modes: Literal["quasi_rrho", "raised"] = Field(
        "quasi_rrho",
        description="soft modes of partial Hessians; quasi_rrho: below switch_cm the entropy of a mode approaches that "
        "of a free rotor, and imaginary modes are raised to lowest_mode_cm; raised: all modes below lowest_mode_cm are "
        "raised to it",
    )
    switch_cm: float = Field(
        100.0, gt=0, description="wavenumber at which rotor and oscillator have equal weights, cm-1"
    )
    translation_barrier_eV: float = Field(
        0.1, gt=0, description="barrier for the translation of an adsorbate between two sites"
    )
    rotation_barrier_eV: float = Field(
        0.02, gt=0, description="barrier for the rotation of an adsorbate about the surface normal"
    )
    frustrated_mode_cm: float = Field(
        100.0, gt=0, description="wavenumber of each of the three other external modes, cm-1"
    )
    temperatures_K: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (291.15, 323.15, 373.15, 423.15, 473.15, 523.15, 573.15, 623.15, 673.15),
        description="in addition to the temperature of the recipe; the process map extends over this range",
    )
    source: str = Field("assumed", description="of the two barriers and of frustrated_mode_cm")


class KineticsSpec(Record):
    """Recipe, number of cycles and sampling of the uncertainties."""

    recipe: str = Field(description="name of the recipe")
    samples: int = Field(512, ge=1, description="random samples of the energies, for the probabilities")
    cycles: int = Field(1, ge=1, description="number of ALD cycles")
    map_points: tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]] = Field(
        (16, 16), description="number of temperatures and of pressures of the process map"
    )
    map_samples: int = Field(
        32, ge=0, description="random samples of the energies at every point of the map; 0: no probabilities"
    )
