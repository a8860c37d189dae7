"""Gas species of every system: which molecules its templates adsorb and release."""

from collections.abc import Callable
from functools import cache

from qdsurf.atomistic.molecules import build_molecule, parse_smiles
from qdsurf.elementary_steps.gas_products import (
    desorbed_ligand,
    desorbed_salt,
    element,
    gas_product,
    leaving_group,
    ligand_anion,
    metal_fragment,
    precursor_gases,
    two_groups,
)
from qdsurf.energetics.bond_types import assign_roles
from qdsurf.pipeline.requirements import Requirements
from qdsurf.records import library
from qdsurf.records.models import Molecule, Precursor
from qdsurf.records.systems import System, find_facet


class GasSpecies:
    """Gas molecules of the systems of a run.

    Parameters
    ----------
    requirements : Requirements
        What the configuration asks for.
    """

    def __init__(self, requirements: Requirements):
        self.requirements, self.config = requirements, requirements.config
        self.by_role = cache(self._by_role)
        self._all: list[tuple[str, Molecule]] | None = None

    def _by_role(self, system: System) -> dict[str, Molecule]:
        """Gas molecules of a system by their role in templates."""
        precursor = library.precursor(system.precursor)
        return precursor_gases(precursor) | self._rarer_gases(system, precursor) | self._desorbing(system)

    def _desorbing(self, system: System) -> dict[str, Molecule]:
        """Molecules as which the ligand of a system can leave its slab."""
        slab = system.slab
        bound, entry = self.requirements.ligand(system.ligand), self.requirements.entry(slab, system.ligand)
        truncate = self.config.truncate_to_carbons
        if bound is None:
            return {}
        if entry in ("acid", "dative", "acceptor"):
            return {"ligand": desorbed_ligand(bound, truncate)}
        material = self.requirements.material(slab)
        molecular = material.molecular_ion
        counterions = [
            symbol
            for symbol, charge in material.formal_charges.items()
            if charge == -bound.charge and (molecular is None or symbol != molecular.name)
        ]
        if entry == "anion" and counterions:
            return {"salt": desorbed_salt(bound, counterions[0], truncate)}
        return {}

    def _rarer_gases(self, system: System, precursor: Precursor) -> dict[str, Molecule]:
        """Gas molecules that few templates name: the co-reactant of the recipe, water, O2, pairs of leaving groups."""
        templates = self.requirements.templates_for(system).values()
        named = {name for t in templates for name in (*t.releases, *([t.takes] if t.takes else []))}
        steps = library.recipe(self.config.kinetics.recipe).steps
        coreactants = [step.species for step in steps if step.role == "coreactant"]
        material = self.requirements.material(system.slab)
        ligand = self.requirements.ligand(system.ligand)
        ions = assign_roles(material, find_facet(system.slab)[1], ligand, precursor).partners
        cation, halide, monovalent = (ions[f"surface.{role}"] for role in ("cation", "halide", "monovalent"))
        made: dict[str, Callable[[], Molecule]] = {
            "water": lambda: library.get("coreactants", "H2O").molecule,
            "dioxygen": lambda: library.get("coreactants", "O2").molecule,
            "alkyl": lambda: two_groups(precursor, cation),
            "coupled": lambda: two_groups(precursor, None),
        }
        if coreactants:
            made["coreactant"] = lambda: library.get("coreactants", coreactants[0]).molecule
        if material.formal_charges.get(halide) == -1:
            made["metal_halide"] = lambda: gas_product(metal_fragment(precursor), element(halide))
        if material.formal_charges.get(monovalent) == 1:
            made["precursor_salt"] = lambda: gas_product(element(monovalent), leaving_group(precursor))
        if ligand is not None and ligand.leaving_protons:
            anion = ligand_anion(ligand, self.config.truncate_to_carbons)
            made["metal_salt"] = lambda: gas_product(metal_fragment(precursor), anion)
            if self.config.slabs[system.slab].ligands_per_cell > 1:
                made["complex"] = lambda: gas_product(element(cation), anion, anion)
        return {name: make() for name, make in made.items() if name in named}

    def _slabs_and_molecules(self) -> list[tuple[str, Molecule]]:
        """Every slab with each gas molecule that belongs to it."""
        if self._all is None:
            self._all = [(s.slab, m) for s in self.requirements.systems for m in self.by_role(s).values()]
        return self._all

    @property
    def molecules(self) -> dict[str, Molecule]:
        """All gas molecules of all systems by name."""
        return {molecule.name: molecule for _, molecule in self._slabs_and_molecules()}

    @property
    def by_slab(self) -> list[tuple[str, str]]:
        """Every slab with the name of each gas molecule that belongs to it."""
        return sorted({(slab, molecule.name) for slab, molecule in self._slabs_and_molecules()})

    @property
    def elements(self) -> dict[str, set[str]]:
        """Elements of all gas molecules that belong to a slab."""
        composition = {name: _elements(molecule) for name, molecule in self.molecules.items()}
        elements: dict[str, set[str]] = {}
        for slab, name in self.by_slab:
            elements.setdefault(slab, set()).update(composition[name])
        return elements


def _elements(molecule: Molecule) -> set[str]:
    if molecule.smiles:
        return {atom.GetSymbol() for atom in parse_smiles(molecule.smiles, molecule.name).GetAtoms()}
    return set(build_molecule(molecule).symbols)
