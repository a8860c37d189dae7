"""Reaction templates: which bonds break and form between named roles, balanced in elements and charge."""

import re
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from qdsurf.records.models import LigandEntry, ReactionClass, Record, Source

Role = Literal[
    "surface.cation",
    "surface.anion",
    "surface.counterion",
    "surface.hydroxyl",
    "surface.proton",
    "surface.oxygen",
    "surface.halide",
    "surface.monovalent",
    "surface.vacant",
    "surface.alkylated",
    "ligand.anchor",
    "ligand.partner",
    "ligand.proton",
    "ligand.tail",
    "ligand.acid",
    "precursor.metal",
    "precursor.leaving",
    "precursor.transferred",
    "coreactant.donor",
    "coreactant.proton",
    "coreactant.carbonyl",
    "coreactant.oxygen",
    "coreactant.far",
    "coreactant.rest",
]
RolePair = tuple[Role, Role]
BondOfRoles = Annotated[
    str,
    Field(pattern=rf"^({'|'.join(map(re.escape, get_args(Role)))})<?-({'|'.join(map(re.escape, get_args(Role)))})$"),
]
CHEMISTRIES = {
    "lewis_adduct": "Lewis adduct",
    "hydroxyl": "exchange at hydroxyl or hydride",
    "oxidised_site": "oxidised site",
    "carboxylate": "carboxylate and carboxylic acid",
    "amine": "amine and ammonium",
    "insertion": "insertion between ligand and crystal",
    "cation_exchange": "cation exchange; the metal leaves or is reduced",
    "vacancy": "vacancy",
    "water": "water",
    "desorption": "ligand desorption",
    "ion_exchange": "ion exchange",
    "colloidal_ald": "half-reaction of colloidal ALD",
    "by_product": "attack by a by-product",
    "ozone": "oxygen and ozone",
    "oxide_acid": "oxide with carboxylic acid",
}
Chemistry = Literal[tuple(CHEMISTRIES)]
DEFAULT = "default"

# Formal charge in e that an atom carries away when it leaves; a precursor's metal has given up one group by then.
_CHARGES = {
    "precursor.leaving": -1,
    "precursor.transferred": -1,
    "precursor.metal": 1,
    "surface.cation": 2,
    "surface.alkylated": 2,
    "surface.monovalent": 1,
    "surface.halide": -1,
    "surface.hydroxyl": -1,
} | dict.fromkeys(("surface.proton", "ligand.proton", "ligand.acid", "coreactant.proton"), 1)
_ANCHORS = {"acid": -1, "anion": -1, "cation": 1, "dative": 0, "acceptor": 0, "none": 0}
_HOLDERS = {"precursor.leaving": "precursor.metal", "ligand.anchor": "surface.cation"}


class Barrier(Record):
    """Bronsted-Evans-Polanyi relation: Ea = intercept + slope * reaction energy."""

    slope: float = Field(ge=0, le=1)
    intercept_eV: float
    sigma_eV: float = Field(gt=0, description="standard deviation of the relation")
    source: Source


class Reaction(Record):
    """A template: which bonds break and form between named roles."""

    name: str
    reaction_class: ReactionClass
    chemistry: tuple[Chemistry, ...] = Field(
        min_length=1, description="kinds of chemistry, see `qdsurf list reactions`"
    )
    default: bool = Field(False, description="computed if a configuration names no reactions")
    equation: str = Field(description="chemistry, for people")
    reactant: str = Field(description="template whose product is the initial state; 'ligated' is the covered surface")
    takes: Literal["precursor", "coreactant"] | None = Field(None, description="the molecule that arrives from the gas")
    breaks: tuple[RolePair, ...] = ()
    forms: tuple[RolePair, ...] = Field((), description="bonds that the product has; some may be there before")
    lost: tuple[BondOfRoles, ...] = Field(
        (), description="bonds of the step in chemist's terms, for its correction: ..."
    )
    gained: tuple[BondOfRoles, ...] = Field(
        (), description="... `a-b` covalent, `a<-b` dative from b to a; no atom changes its number of covalent bonds"
    )
    releases: dict[str, tuple[Role, ...]] = Field(
        {}, description="gas molecules that leave: name, and the roles whose atoms leave in it"
    )
    reduces: Role | None = Field(None, description="role that takes up the two electrons of two groups that couple")
    elements: dict[Role, tuple[str, ...]] = Field({}, description="roles that only these elements play")
    ligand_entry: tuple[LigandEntry, ...] = Field(description="ways of binding of the ligand to which it applies")
    lattice: str = Field(description="the step in species of the kinetic lattice, gas species marked (g)")
    barrier: Barrier | None = Field(None, description="absent: the step has no barrier beyond its reaction energy")
    source: Source

    @property
    def reactive(self) -> bool:
        """Whether the step commits the precursor or the ligand; adducts only wait."""
        return self.barrier is not None or bool(self.releases)

    @property
    def roles(self) -> tuple[Role, ...]:
        """All roles that are named, sorted."""
        members = {role for leaving in self.releases.values() for role in leaving}
        return tuple(sorted({role for pair in (*self.breaks, *self.forms) for role in pair} | members))

    @property
    def arrival(self) -> tuple[Role, Role]:
        """The atom by which a molecule from the gas arrives, and the one that it meets."""
        (pair,) = (pair for pair in self.forms if any(role.startswith(f"{self.takes}.") for role in pair))
        own = next(role for role in pair if role.startswith(f"{self.takes}."))
        return own, next(role for role in pair if role != own)

    @property
    def removes_ligand(self) -> bool:
        """Whether a ligand gives up the crystal."""
        leaves = ("surface.cation", "ligand.anchor") in self.breaks or self._releases({"ligand.anchor"})
        return leaves and self.takes is None

    @property
    def removes_cation(self) -> bool:
        """Whether a cation of the crystal leaves."""
        counterion = {"surface.counterion"} if "anion" in self.ligand_entry else set()
        return self._releases({"surface.cation", "surface.alkylated", "surface.monovalent"} | counterion)

    def chosen_by(self, wanted: tuple[str, ...]) -> bool:
        """Whether a choice of names, chemistries or `default` takes this template."""
        return self.name in wanted or bool(set(self.chemistry) & set(wanted)) or (self.default and DEFAULT in wanted)

    def _releases(self, roles: set[str]) -> bool:
        return any(roles & set(leaving) for leaving in self.releases.values())

    @model_validator(mode="after")
    def _balances(self):
        """Refuse a template whose gas molecules do not appear, or do not leave as neutral molecules."""
        if self.lattice.count("->") != 1:
            raise ValueError(f"lattice {self.lattice!r}: write two sides with '->'")
        left, right = (set(re.findall(r"(\w+)\(g\)", side)) for side in self.lattice.split("->"))
        for name in sorted((left ^ ({self.takes} - {None})) | (right ^ set(self.releases))):
            raise ValueError(f"lattice {self.lattice!r} and the gas molecules disagree on {name}(g)")
        for name, members in self.releases.items():
            for entry in self.ligand_entry:
                self._check_release(name, members, entry)
        arriving = [pair for pair in self.forms if any(role.startswith(f"{self.takes}.") for role in pair)]
        if self.takes and len(arriving) != 1:
            raise ValueError(f"takes {self.takes}, so forms must name the one bond by which it arrives")
        return self

    def _check_release(self, release: str, members: tuple[Role, ...], entry: str) -> None:
        anchor = _ANCHORS[entry]
        charges = _CHARGES | {"ligand.anchor": anchor, "ligand.partner": anchor, "surface.counterion": -anchor}
        if "ligand.anchor" in members and anchor >= 0:
            charges["ligand.proton"] = 0  # the proton of an amine or ammonium is counted with its nitrogen
        charges_by_role = ", ".join(f"{role} {charges.get(role, 0):+d}" for role in members)
        if sum(charges.get(role, 0) for role in members) + (2 if self.reduces else 0):
            raise ValueError(f"{release} would leave with a charge for ligand_entry {entry}: {charges_by_role}")
        linked = {members[0]}
        for _ in members:
            linked |= {role for pair in self.forms if linked & set(pair) for role in pair if role in members}
        if missing := [role for role in members if role not in linked]:
            raise ValueError(f"{release} needs forms: [{members[0]}, {', '.join(missing)}] ({charges_by_role})")
        for role, holder in _HOLDERS.items():
            if role in members and holder not in members and not self._freed(role, holder, entry):
                raise ValueError(f"{release} leaves, so breaks must name [{holder}, {role}]")

    def _freed(self, role: Role, holder: Role, entry: str) -> bool:
        """Whether the bond that holds a leaving atom is broken; ammonium has none, a Z-type ligand sits on anions."""
        if role == "ligand.anchor" and entry in ("cation", "acceptor"):
            return entry == "cation" or ("surface.anion", role) in self.breaks
        return {role, holder} in [set(bond) for bond in self.breaks]
