"""Data models: one frozen, validated class for each kind of record in `structures/`.

The name of a field contains its unit. Every record names its source; a value without a source is marked "assumed".
"""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qdsurf import defaults

ReactionClass = Literal["precursor-surface", "precursor-ligand", "ligand-surface"]
BindingMode = Literal["monodentate", "chelating", "bridging"]
LigandEntry = Literal["acid", "anion", "cation", "dative", "acceptor", "none"]
Source = Annotated[str, Field(min_length=3, description="DOI, database, or 'assumed' with the reason")]


class Record(BaseModel):
    """Base of all records: immutable; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Molecule(Record):
    """A gas-phase molecule."""

    name: str = Field(description="name used in tables, such as CH4")
    smiles: str | None = Field(None, description="SMILES; exactly one of smiles and geometry is given")
    geometry: str | None = Field(None, description="structure file in the folder of the record, readable by ASE")
    symmetry_number: int = Field(1, ge=1, description="rotational symmetry number of the point group")
    spin_multiplicity: int = Field(1, ge=1, description="2 S + 1 of the ground state")
    source: Source = "SMILES"

    @model_validator(mode="after")
    def _assert_one_geometry(self) -> Self:
        """Assert that a molecule has either SMILES or a structure file."""
        if (self.smiles is None) == (self.geometry is None):
            raise ValueError("give exactly one of 'smiles' and 'geometry'")
        return self


class WyckoffSite(Record):
    """An atom of the asymmetric unit."""

    element: str
    position: tuple[float, float, float] = Field(description="fractional coordinates")


class Lattice(Record):
    """Conventional unit cell at one temperature."""

    a_A: float = Field(gt=0)
    b_A: float | None = Field(None, gt=0, description="absent: equal to a")
    c_A: float | None = Field(None, gt=0, description="absent: equal to a")
    alpha_deg: float = 90.0
    beta_deg: float = 90.0
    gamma_deg: float = 90.0
    temperature_K: float = Field(gt=0, description="temperature of these lattice parameters")

    @property
    def cellpar(self) -> tuple[float, ...]:
        """Lengths a, b, c in A and angles alpha, beta, gamma in degrees."""
        b, c = self.b_A or self.a_A, self.c_A or self.a_A
        return self.a_A, b, c, self.alpha_deg, self.beta_deg, self.gamma_deg


class Adlayer(Record):
    """Atoms adsorbed on a termination, such as O on oxidised silver."""

    element: str
    site: Literal["top", "hollow"]
    height_A: float = Field(gt=0, description="above the outermost layer")
    per_supercell: int = Field(1, ge=1, description="number of adatoms in the supercell")
    source: Source


class MolecularIon(Record):
    """A molecular ion of a crystal, such as formamidinium."""

    name: str = Field(description="as in the formula and in the sites")
    smiles: str
    charge: int = Field(description="formal charge in e")
    source: Source


class Facet(Record):
    """A facet with one of its terminations."""

    miller_index: tuple[int, ...] = Field(min_length=3, max_length=4)
    termination: str = Field(description="composition of the outermost layer, or the name of its adlayer")
    cut: str | None = Field(None, description="composition of the outermost crystal layer, below an adlayer")
    adlayer: Adlayer | None = None
    hydroxylated: bool = Field(False, description="cut bonds are saturated with OH and H, as by dissociated water")
    surface_energy: float | None = Field(
        None,
        gt=0,
        description="in any unit that all facets of the material share; only ratios matter for a Wulff shape",
    )
    bare_energy_J_per_m2: float | None = Field(None, gt=0, description="surface energy in vacuum")

    @property
    def name(self) -> str:
        """Miller index and termination, such as 100_CsBr."""
        return f"{''.join(map(str, self.miller_index))}_{self.termination}"


class Material(Record):
    """A crystal with its formal charges and its relevant facets."""

    name: str
    formula: str
    phase: str
    space_group: int = Field(ge=1, le=230)
    lattice: Lattice
    sites: tuple[WyckoffSite, ...] = Field(min_length=1)
    formal_charges: dict[str, int] = Field(description="element: charge in e; 0 for all elements of a metal")
    substitutions: dict[str, dict[str, Annotated[float, Field(gt=0, le=1)]]] = Field(
        {}, description="only for an alloy; element of the sites: {substituting element: share of these sites}"
    )
    molecular_ion: MolecularIon | None = None
    facets: tuple[Facet, ...] = ()
    surface_energy_source: Source | None = Field(None, description="source of the surface energies of the facets")
    bare_energy_source: Source | None = Field(None, description="source of the surface energies in vacuum")
    bulk_modulus_GPa: float | None = Field(None, gt=0, description="measured near room temperature")
    bulk_modulus_source: Source | None = None
    source: Source

    def occupancy(self, element: str) -> dict[str, float]:
        """Shares of the elements that occupy the sites of one element; their sum is 1."""
        others = self.substitutions.get(element, {})
        return {element: 1 - sum(others.values())} | others

    @model_validator(mode="after")
    def _assert_charges_and_sources(self) -> Self:
        """Assert that formal charges are complete, substitutions conserve charge, and measured values have a source."""
        for parent, others in self.substitutions.items():
            for element in (parent, *others):
                if element not in self.formal_charges:
                    raise ValueError(f"substitutions: {element} has no formal charge")
                if self.formal_charges[element] != self.formal_charges[parent]:
                    raise ValueError(f"substitutions: {element} and {parent} differ in formal charge")
            if sum(others.values()) > 1 + 1e-9:  # shares such as 0.1 are not exact
                raise ValueError(
                    f"substitutions: the shares on {parent} add up to {sum(others.values()):g}, which exceeds 1"
                )
        for site in self.sites:
            if site.element not in self.formal_charges:
                raise ValueError(f"formal_charges: {site.element} is missing")
        if any(facet.surface_energy for facet in self.facets) and not self.surface_energy_source:
            raise ValueError("surface_energy_source: give the source of the surface energies of the facets")
        if any(facet.bare_energy_J_per_m2 for facet in self.facets) and not self.bare_energy_source:
            raise ValueError("bare_energy_source: give the source of the surface energies in vacuum")
        if self.bulk_modulus_GPa and not self.bulk_modulus_source:
            raise ValueError("bulk_modulus_source: give the source of the bulk modulus")
        return self


class Ligand(Record):
    """A ligand in its neutral form, and how it binds to a surface."""

    name: str
    smiles: str = Field(description="full length, neutral before binding (acid, amine) or the bare cation")
    cbc_class: Literal["X", "L", "Z"] = Field(description="covalent bond classification")
    charge: int = Field(description="formal charge when bound, in e")
    anchor: str = Field(description="SMARTS; the atoms with map numbers bind to the surface")
    leaving_protons: int = Field(
        0, ge=0, description="hydrogens that the neutral form loses from its anchors on binding"
    )
    binding_modes: tuple[BindingMode, ...] = Field(min_length=1)
    symmetry_number: int = Field(1, ge=1, description="of the neutral molecule with its chain truncated")
    source: Source


class Oligomer(Record):
    """An oligomer that a precursor forms in its vapour: n M <-> M_n."""

    molecule: Molecule
    units: int = Field(ge=2, description="monomers in the oligomer")
    dissociation_enthalpy_eV: float = Field(gt=0, description="of one oligomer that dissociates into its monomers")
    dissociation_entropy_eV_per_K: float = Field(gt=0, description="of the same reaction at the standard pressure")
    source: Source


class Antoine(Record):
    """Antoine equation of the vapour pressure, log10(p/Pa) = A - B / (T + C)."""

    A: float
    B_K: float
    C_K: float = 0.0
    range_K: tuple[float, float] = Field(description="lowest and highest temperature at which the equation is valid")
    source: Source


class Precursor(Record):
    """A metal-organic molecule MLn with a metal M and n leaving groups L."""

    name: str
    smiles: str
    metal: str
    leaving: str = Field(description="element of the atom of the leaving group that is bound to the metal")
    by_product: Molecule = Field(description="molecule that a leaving group forms with a proton")
    symmetry_number: int = Field(1, ge=1)
    oligomer: Oligomer | None = None
    vapour_pressure: Antoine | None = None
    source: Source

    @property
    def molecule(self) -> Molecule:
        """The monomer in the gas phase."""
        return Molecule(name=self.name, smiles=self.smiles, symmetry_number=self.symmetry_number, source=self.source)


class Coreactant(Record):
    """The reactant of the second half-cycle of ALD."""

    molecule: Molecule
    source: Source

    @property
    def name(self) -> str:
        """Name of the molecule."""
        return self.molecule.name


class RecipeStep(Record):
    """One step of a recipe, with a constant supply of one gas."""

    role: Literal["precursor", "coreactant", "purge"]
    species: str = Field(description="name of the molecule, or 'inert' for a purge")
    pressure_Pa: float | None = Field(
        None, ge=0, description="partial pressure of the species; absent: its vapour pressure at source_temperature_K"
    )
    duration_s: float = Field(gt=0)
    source_temperature_K: float | None = Field(
        None, gt=0, description="temperature of the source vessel of the species"
    )
    time_constant_s: float = Field(
        0.0, ge=0, description="with which the pressures approach those of the supply; 0: immediately"
    )
    area_per_volume_per_m: float = Field(
        0.0, ge=0, description="exposure mode: surface area divided by the volume of the closed cell; 0: flowing gas"
    )

    @model_validator(mode="after")
    def _assert_pressure(self) -> Self:
        """Assert that a gas has a pressure, and that a closed cell has no supply."""
        if self.role != "purge" and self.pressure_Pa is None and self.source_temperature_K is None:
            raise ValueError(f"{self.species}: give pressure_Pa, or source_temperature_K for its vapour pressure")
        if self.time_constant_s and self.area_per_volume_per_m:
            raise ValueError("a closed cell (area_per_volume_per_m) has no supply; remove time_constant_s")
        return self


class Recipe(Record):
    """An ALD cycle at one temperature."""

    name: str
    temperature_K: float = Field(gt=0)
    speciation: Literal["equilibrium", "frozen"] = Field(
        "equilibrium",
        description="state of the oligomers: equilibrium at the temperature of the surface, or frozen as in the source "
        "vessel",
    )
    steps: tuple[RecipeStep, ...] = Field(min_length=1)
    source: Source

    @model_validator(mode="after")
    def _assert_exposure(self) -> Self:
        """Assert that a cycle exposes the surface, and that frozen speciation has a temperature of the source."""
        if not any(step.role != "purge" and step.pressure_Pa != 0 for step in self.steps):
            raise ValueError(
                "no step exposes the surface to a gas; give one step a role other than purge and a pressure above zero"
            )
        if self.speciation == "frozen":
            for step in self.steps:
                if step.role == "precursor" and step.source_temperature_K is None:
                    raise ValueError(f"speciation 'frozen' needs source_temperature_K in the step of {step.species}")
        return self


class CalculatorSpec(Record):
    """A calculator, by a known name or as `module:Class`, with its keyword arguments."""

    name: str = Field(
        defaults.CALCULATOR,
        description="a known name, such as sevennet, tblite or cp2k, or module:Class of any ASE calculator",
    )
    parameters: dict[str, bool | int | float | str] = Field({}, description="keyword arguments of the calculator")

    @model_validator(mode="before")
    @classmethod
    def _add_level_parameters(cls, data: object) -> object:
        """Add the parameters that define the level of theory, so that equal levels have equal records and labels."""
        if not isinstance(data, dict) or not isinstance(given := data.get("parameters", {}), dict):
            return data  # the validation of the fields reports the mistake
        level = defaults.LEVEL_PARAMETERS.get(str(data.get("name", defaults.CALCULATOR)), {})
        return data | {"parameters": level | given}

    @property
    def label(self) -> str:
        """Short name for tables, such as tblite GFN2-xTB or sevennet 7net-l3i5 D3."""
        words = [self.name]
        words += [str(value) for key, value in sorted(self.parameters.items()) if key in ("method", "model")]
        if self.parameters.get("d3", "none") != "none":
            words.append("D3")
        return " ".join(words)

    @property
    def folder(self) -> str:
        """Label as the name of a folder, such as tblite-GFN2-xTB."""
        return re.sub(r"[^\w.-]+", "-", self.label)
