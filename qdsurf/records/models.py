"""What things are: one frozen, validated record for each kind of data in `structures/`.

Every field says its unit in its name; every record names its source ("assumed" is a source that one can see).
"""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qdsurf import defaults

ReactionClass = Literal["precursor-surface", "precursor-ligand", "ligand-surface"]
BindingMode = Literal["monodentate", "chelating", "bridging"]
LigandEntry = Literal["acid", "anion", "cation", "dative", "acceptor", "none"]
Source = Annotated[str, Field(min_length=3, description="DOI, data base, or 'assumed' with the reason")]


class Record(BaseModel):
    """Base of all records: immutable, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Molecule(Record):
    """A molecule of the gas phase."""

    name: str = Field(description="name used in tables, such as CH4")
    smiles: str | None = Field(None, description="SMILES; exactly one of smiles and geometry is given")
    geometry: str | None = Field(None, description="structure file beside the record, readable by ASE")
    symmetry_number: int = Field(1, ge=1, description="rotational symmetry number of the point group")
    spin_multiplicity: int = Field(1, ge=1, description="2 S + 1 of the ground state")
    source: Source = "SMILES"

    @model_validator(mode="after")
    def _one_geometry(self):
        if (self.smiles is None) == (self.geometry is None):
            raise ValueError("give exactly one of 'smiles' and 'geometry'")
        return self


class WyckoffSite(Record):
    """One atom of the asymmetric unit."""

    element: str
    position: tuple[float, float, float] = Field(description="fractional coordinates")


class Lattice(Record):
    """Conventional cell at one temperature."""

    a_A: float = Field(gt=0)
    b_A: float | None = Field(None, gt=0, description="absent: equal to a")
    c_A: float | None = Field(None, gt=0, description="absent: equal to a")
    alpha_deg: float = 90.0
    beta_deg: float = 90.0
    gamma_deg: float = 90.0
    temperature_K: float = Field(gt=0)

    @property
    def cellpar(self) -> tuple[float, ...]:
        """Lengths in A and angles in degrees, in ASE's order."""
        b, c = self.b_A or self.a_A, self.c_A or self.a_A
        return self.a_A, b, c, self.alpha_deg, self.beta_deg, self.gamma_deg


class Adlayer(Record):
    """Atoms on top of a termination, such as O on oxidised silver."""

    element: str
    site: Literal["top", "hollow"]
    height_A: float = Field(gt=0, description="above the outermost layer")
    per_supercell: int = Field(1, ge=1, description="number of adatoms in the supercell")
    source: Source


class MolecularIon(Record):
    """A molecule that takes the place of an ion in a crystal, such as formamidinium."""

    name: str = Field(description="as in the formula and among the sites")
    smiles: str
    charge: int = Field(description="in e")
    source: Source


class Facet(Record):
    """A facet and one of its terminations."""

    miller_index: tuple[int, ...] = Field(min_length=3, max_length=4)
    termination: str = Field(description="composition of the outermost layer, or the name of its adlayer")
    cut: str | None = Field(None, description="composition of the outermost crystal layer, where an adlayer hides it")
    adlayer: Adlayer | None = None
    hydroxylated: bool = Field(False, description="cut bonds are closed by OH and H, as by water that dissociates")
    surface_energy: float | None = Field(
        None, gt=0, description="in any unit common to the facets of a material: ratios make a Wulff shape"
    )
    bare_energy_J_per_m2: float | None = Field(None, gt=0, description="surface energy in vacuum")

    @property
    def name(self) -> str:
        """Miller index and termination, such as 100_CsBr."""
        return f"{''.join(map(str, self.miller_index))}_{self.termination}"


class Material(Record):
    """A crystal, its formal charges and the facets that matter."""

    name: str
    formula: str
    phase: str
    space_group: int = Field(ge=1, le=230)
    lattice: Lattice
    sites: tuple[WyckoffSite, ...] = Field(min_length=1)
    formal_charges: dict[str, int] = Field(description="element: charge in e; 0 throughout for a metal")
    substitutions: dict[str, dict[str, Annotated[float, Field(gt=0, le=1)]]] = Field(
        {}, description="of an alloy: element of the sites: {other element: its share of them}"
    )
    molecular_ion: MolecularIon | None = None
    facets: tuple[Facet, ...] = ()
    surface_energy_source: Source | None = Field(None, description="of the surface energies of the facets")
    bare_energy_source: Source | None = Field(None, description="of the surface energies in vacuum")
    bulk_modulus_GPa: float | None = Field(None, gt=0, description="measured, near room temperature")
    bulk_modulus_source: Source | None = None
    source: Source

    def occupancy(self, element: str) -> dict[str, float]:
        """Shares of the elements on the sites of one element; they add up to 1."""
        others = self.substitutions.get(element, {})
        return {element: 1 - sum(others.values())} | others

    @model_validator(mode="after")
    def _charges_are_known(self):
        for parent, others in self.substitutions.items():
            for element in (parent, *others):
                if element not in self.formal_charges:
                    raise ValueError(f"substitutions: {element} has no formal charge")
                if self.formal_charges[element] != self.formal_charges[parent]:
                    raise ValueError(f"substitutions: {element} and {parent} differ in formal charge")
            if sum(others.values()) > 1 + 1e-9:
                raise ValueError(f"substitutions: the shares on {parent} add up to {sum(others.values()):g}, above 1")
        for site in self.sites:
            if site.element not in self.formal_charges:
                raise ValueError(f"formal_charges: {site.element} is missing")
        if any(facet.surface_energy for facet in self.facets) and not self.surface_energy_source:
            raise ValueError("surface_energy_source: say where the surface energies of the facets are from")
        if any(facet.bare_energy_J_per_m2 for facet in self.facets) and not self.bare_energy_source:
            raise ValueError("bare_energy_source: say where the surface energies in vacuum are from")
        if self.bulk_modulus_GPa and not self.bulk_modulus_source:
            raise ValueError("bulk_modulus_source: say where the bulk modulus is from")
        return self


class Ligand(Record):
    """A ligand in its neutral form, and how it holds on to a surface."""

    name: str
    smiles: str = Field(description="full length, neutral before binding (acid, amine) or the bare cation")
    cbc_class: Literal["X", "L", "Z"] = Field(description="covalent bond classification")
    charge: int = Field(description="formal charge when bound, in e")
    anchor: str = Field(description="SMARTS; its atoms with map numbers bind to the surface")
    leaving_protons: int = Field(0, ge=0, description="hydrogens of the anchors that the neutral form loses on binding")
    binding_modes: tuple[BindingMode, ...] = Field(min_length=1)
    symmetry_number: int = Field(1, ge=1, description="of the neutral molecule, truncated")
    source: Source


class Oligomer(Record):
    """The oligomer that a precursor forms in its vapour: n M <-> M_n."""

    molecule: Molecule
    units: int = Field(ge=2, description="monomers in the oligomer")
    dissociation_enthalpy_eV: float = Field(gt=0, description="of one oligomer into its monomers")
    dissociation_entropy_eV_per_K: float = Field(gt=0, description="same reaction, at the standard pressure")
    source: Source


class Antoine(Record):
    """Vapour pressure, log10(p/Pa) = A - B / (T + C), and the range in which it holds."""

    A: float
    B_K: float
    C_K: float = 0.0
    range_K: tuple[float, float]
    source: Source


class Precursor(Record):
    """A metal-organic molecule MLn."""

    name: str
    smiles: str
    metal: str
    leaving: str = Field(description="element of the leaving group's atom that is bound to the metal")
    by_product: Molecule = Field(description="what a leaving group becomes with a proton")
    symmetry_number: int = Field(1, ge=1)
    oligomer: Oligomer | None = None
    vapour_pressure: Antoine | None = None
    source: Source

    @property
    def molecule(self) -> Molecule:
        """The monomer in the gas phase."""
        return Molecule(name=self.name, smiles=self.smiles, symmetry_number=self.symmetry_number, source=self.source)


class Coreactant(Record):
    """The other half of an ALD cycle."""

    molecule: Molecule
    source: Source

    @property
    def name(self) -> str:
        """Name of the molecule."""
        return self.molecule.name


class RecipeStep(Record):
    """One piece of a cycle with constant supply."""

    role: Literal["precursor", "coreactant", "purge"]
    species: str = Field(description="name of the molecule, or 'inert' for a purge")
    pressure_Pa: float | None = Field(
        None, ge=0, description="partial pressure of the species; absent: its vapour pressure at source_temperature_K"
    )
    duration_s: float = Field(gt=0)
    source_temperature_K: float | None = Field(None, gt=0, description="of the vessel from which the species comes")
    time_constant_s: float = Field(0.0, ge=0, description="with which pressures follow the supply; 0: at once")
    area_per_volume_per_m: float = Field(
        0.0, ge=0, description="exposure mode: area of the surface by volume of the closed cell; 0: gas flows"
    )

    @model_validator(mode="after")
    def _has_a_pressure(self):
        if self.role != "purge" and self.pressure_Pa is None and self.source_temperature_K is None:
            raise ValueError(f"{self.species}: give pressure_Pa, or source_temperature_K for its vapour pressure")
        if self.time_constant_s and self.area_per_volume_per_m:
            raise ValueError("a closed cell (area_per_volume_per_m) has no supply to follow; leave time_constant_s out")
        return self


class Recipe(Record):
    """One ALD cycle at one temperature."""

    name: str
    temperature_K: float = Field(gt=0)
    speciation: Literal["equilibrium", "frozen"] = Field(
        "equilibrium", description="of oligomers: at the surface's temperature, or as in the source vessel"
    )
    steps: tuple[RecipeStep, ...] = Field(min_length=1)
    source: Source

    @model_validator(mode="after")
    def _exposes_something(self):
        if not any(step.role != "purge" and step.pressure_Pa != 0 for step in self.steps):
            raise ValueError("no step exposes the surface to anything; give one a role and a pressure above zero")
        if self.speciation == "frozen":
            for step in self.steps:
                if step.role == "precursor" and step.source_temperature_K is None:
                    raise ValueError(f"speciation 'frozen' needs source_temperature_K in the step of {step.species}")
        return self


class CalculatorSpec(Record):
    """A calculator by name, or as `module:Class`, with its keyword arguments."""

    name: str = Field(
        defaults.CALCULATOR,
        description="a known name, such as sevennet, tblite or cp2k, or module:Class of any ASE calculator",
    )
    parameters: dict[str, bool | int | float | str] = Field({}, description="keyword arguments of the calculator")

    @model_validator(mode="before")
    @classmethod
    def _write_out_level(cls, data: object) -> object:
        if not isinstance(data, dict) or not isinstance(given := data.get("parameters", {}), dict):
            return data  # refused by the fields
        level = defaults.LEVEL_PARAMETERS.get(str(data.get("name", defaults.CALCULATOR)), {})
        return data | {"parameters": level | given}

    @property
    def label(self) -> str:
        """Short name for tables, such as tblite GFN2-xTB or sevennet 7net-l3i5 D3."""
        words = [str(v) for k, v in sorted(self.parameters.items()) if k in ("method", "model")]
        dispersion = self.parameters.get("d3", "none") != "none"
        return " ".join([self.name, *words, *(["D3"] if dispersion else [])])

    @property
    def folder(self) -> str:
        """Label as the name of a folder, such as tblite-GFN2-xTB."""
        return re.sub(r"[^\w.-]+", "-", self.label)
