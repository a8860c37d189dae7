"""Reaction templates: elementary steps as bonds that break and form between roles, such as `ligand.anchor`.

A role is the function of an atom in a step. `qdsurf.atomistic.roles` assigns the atoms of a structure to the roles, so
one template describes a step on many surfaces. Templates are balanced in elements and charge.
"""

import re
from typing import Annotated, Literal, Self, get_args

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
_ANY_ROLE = "|".join(re.escape(role) for role in get_args(Role))
BondOfRoles = Annotated[str, Field(pattern=rf"^({_ANY_ROLE})<?-({_ANY_ROLE})$")]
Chemistry = Literal[
    "lewis_adduct",
    "hydroxyl",  # exchange at a hydroxyl group or a hydride
    "oxidised_site",
    "carboxylate",  # carboxylate and carboxylic acid
    "amine",  # amine and ammonium
    "insertion",  # between ligand and crystal
    "cation_exchange",  # the metal of the crystal leaves or is reduced
    "vacancy",
    "water",
    "desorption",  # of a ligand
    "ion_exchange",
    "colloidal_ald",  # half-reaction of colloidal ALD
    "by_product",  # attack by a by-product
    "ozone",  # oxygen and ozone
    "oxide_acid",  # oxide with carboxylic acid
]
CHEMISTRIES: tuple[str, ...] = get_args(Chemistry)
DEFAULT = "default"

# Formal charge in e of an atom that leaves. The metal of a precursor has lost one of its groups before it leaves.
_CHARGES: dict[str, int] = {
    "precursor.leaving": -1,
    "precursor.transferred": -1,
    "precursor.metal": 1,
    "surface.cation": 2,
    "surface.alkylated": 2,
    "surface.monovalent": 1,
    "surface.halide": -1,
    "surface.hydroxyl": -1,
    "surface.proton": 1,
    "ligand.proton": 1,
    "ligand.acid": 1,
    "coreactant.proton": 1,
}
# Charge of the anchor of a ligand, which depends on how the ligand binds.
_ANCHOR_CHARGES: dict[LigandEntry, int] = {"acid": -1, "anion": -1, "cation": 1, "dative": 0, "acceptor": 0, "none": 0}
# Atom to which a leaving atom is bound in the initial state.
_BOUND_TO: dict[Role, Role] = {"precursor.leaving": "precursor.metal", "ligand.anchor": "surface.cation"}


class Barrier(Record):
    """Bronsted-Evans-Polanyi relation: activation energy = intercept + slope * reaction energy."""

    slope: float = Field(ge=0, le=1)
    intercept_eV: float
    sigma_eV: float = Field(gt=0, description="standard deviation of the relation")
    source: Source


class Reaction(Record):
    """A reaction template: the bonds between roles that an elementary step breaks and forms."""

    name: str
    reaction_class: ReactionClass
    chemistry: tuple[Chemistry, ...] = Field(
        min_length=1, description="kinds of chemistry, see `qdsurf list reactions`"
    )
    default: bool = Field(False, description="whether a configuration that names no reactions includes the template")
    equation: str = Field(description="chemical equation, for readers")
    reactant: str = Field(description="template whose product is the initial state; 'ligated' is the covered surface")
    takes: Literal["precursor", "coreactant"] | None = Field(None, description="gas molecule that adsorbs in the step")
    breaks: tuple[RolePair, ...] = Field((), description="pairs of roles whose bond breaks")
    forms: tuple[RolePair, ...] = Field(
        (), description="pairs of roles that are bonded in the product; some may be bonded in the initial state"
    )
    lost: tuple[BondOfRoles, ...] = Field(
        (),
        description="chemical bonds that the step breaks, for the energy correction; `a-b` is a covalent bond, "
        "`a<-b` a dative bond from b to a",
    )
    gained: tuple[BondOfRoles, ...] = Field(
        (), description="chemical bonds that the step forms; every atom keeps its number of covalent bonds"
    )
    releases: dict[str, tuple[Role, ...]] = Field(
        {}, description="gas molecules that leave: name, and the roles of the atoms that leave in it"
    )
    reduces: Role | None = Field(None, description="role that accepts the two electrons of two coupling groups")
    elements: dict[Role, tuple[str, ...]] = Field({}, description="elements to which a role is restricted")
    ligand_entry: tuple[LigandEntry, ...] = Field(description="kinds of ligand binding to which the template applies")
    lattice: str = Field(description="the step between species of the kinetic lattice; gas species are marked (g)")
    barrier: Barrier | None = Field(
        None, description="absent: the barrier is the reaction energy, or zero if exothermic"
    )
    source: Source

    @property
    def reactive(self) -> bool:
        """Whether the step converts the precursor or the ligand. The formation of an adduct does not."""
        return self.barrier is not None or bool(self.releases)

    @property
    def roles(self) -> tuple[Role, ...]:
        """All roles of the template, sorted."""
        in_bonds = {role for pair in (*self.breaks, *self.forms) for role in pair}
        released = {role for members in self.releases.values() for role in members}
        return tuple(sorted(in_bonds | released))

    @property
    def arrival(self) -> tuple[Role, Role]:
        """Role of the atom with which a gas molecule adsorbs, and role of the atom to which it binds."""
        (pair,) = self._adsorption_bonds()
        first, second = pair
        return pair if first.startswith(f"{self.takes}.") else (second, first)

    @property
    def removes_ligand(self) -> bool:
        """Whether a ligand loses its bond to the crystal."""
        leaves = ("surface.cation", "ligand.anchor") in self.breaks or self._releases_any({"ligand.anchor"})
        return leaves and self.takes is None

    @property
    def removes_cation(self) -> bool:
        """Whether a cation leaves the crystal."""
        cations = {"surface.cation", "surface.alkylated", "surface.monovalent"}
        if "anion" in self.ligand_entry:
            cations.add("surface.counterion")
        return self._releases_any(cations)

    def chosen_by(self, wanted: tuple[str, ...]) -> bool:
        """Whether a selection includes this template.

        Parameters
        ----------
        wanted : tuple of str
            Names of templates, kinds of chemistry, or `default`.

        Returns
        -------
        bool
            True if the selection contains the name of the template or one of its kinds of chemistry, or if it contains
            `default` and the template is computed by default.
        """
        return self.name in wanted or bool(set(self.chemistry) & set(wanted)) or (self.default and DEFAULT in wanted)

    def _releases_any(self, roles: set[str]) -> bool:
        """Whether an atom with one of these roles leaves the surface."""
        return any(roles & set(members) for members in self.releases.values())

    def _adsorption_bonds(self) -> list[RolePair]:
        """Bonds of `forms` with an atom of the gas molecule that adsorbs."""
        return [pair for pair in self.forms if any(role.startswith(f"{self.takes}.") for role in pair)]

    @model_validator(mode="after")
    def _assert_balanced(self) -> Self:
        """Refuse a template whose gas molecules are absent from `lattice`, or do not leave as neutral molecules."""
        if self.lattice.count("->") != 1:
            raise ValueError(f"lattice {self.lattice!r}: write two sides with '->'")
        left, right = (set(re.findall(r"(\w+)\(g\)", side)) for side in self.lattice.split("->"))
        adsorbed = {self.takes} if self.takes else set()
        if differences := sorted((left ^ adsorbed) | (right ^ set(self.releases))):
            raise ValueError(f"lattice {self.lattice!r} and the gas molecules disagree on {differences[0]}(g)")
        for name, members in self.releases.items():
            for entry in self.ligand_entry:
                self._assert_neutral_molecule(name, members, entry)
        if self.takes and len(self._adsorption_bonds()) != 1:
            raise ValueError(f"takes {self.takes}, so forms must name the one bond by which it arrives")
        return self

    def _assert_neutral_molecule(self, release: str, members: tuple[Role, ...], entry: LigandEntry) -> None:
        """Refuse a released molecule that is charged, is not connected, or is still bound to the surface."""
        anchor = _ANCHOR_CHARGES[entry]
        charges = _CHARGES | {"ligand.anchor": anchor, "ligand.partner": anchor, "surface.counterion": -anchor}
        if "ligand.anchor" in members and anchor >= 0:
            charges["ligand.proton"] = 0  # the charge of the anchor includes the proton of an amine or ammonium
        charges_by_role = ", ".join(f"{role} {charges.get(role, 0):+d}" for role in members)
        if sum(charges.get(role, 0) for role in members) + (2 if self.reduces else 0):
            raise ValueError(f"{release} would leave with a charge for ligand_entry {entry}: {charges_by_role}")
        connected = {members[0]}
        for _ in members:
            connected |= {role for pair in self.forms if connected & set(pair) for role in pair if role in members}
        if missing := [role for role in members if role not in connected]:
            raise ValueError(
                f"{release} is not one molecule: forms must connect {members[0]} with {', '.join(missing)} "
                f"({charges_by_role})"
            )
        for role, neighbour in _BOUND_TO.items():
            if role in members and neighbour not in members and not self._is_freed(role, neighbour, entry):
                raise ValueError(f"{release} leaves, so breaks must name [{neighbour}, {role}]")

    def _is_freed(self, role: Role, neighbour: Role, entry: LigandEntry) -> bool:
        """Whether the bond of a leaving atom breaks. Ammonium has no such bond; a Z-type ligand is bound to anions."""
        if role == "ligand.anchor" and entry in ("cation", "acceptor"):
            return entry == "cation" or ("surface.anion", role) in self.breaks
        return {role, neighbour} in [set(bond) for bond in self.breaks]
