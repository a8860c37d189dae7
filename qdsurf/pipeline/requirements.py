"""Requirements of a run: the systems, slabs, calculators, templates and records that a configuration asks for."""

from functools import cache
from pathlib import Path

from ase import Atoms

from qdsurf.errors import QDSurfError
from qdsurf.pipeline.config import Config
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Ligand, LigandEntry, Material
from qdsurf.records.reaction_templates import Reaction
from qdsurf.records.systems import System, find_facet
from qdsurf.surfaces.slab import cut_slab, surface_charges


class Requirements:
    """What a configuration asks for.

    Parameters
    ----------
    config : Config
        Checked configuration.
    """

    def __init__(self, config: Config):
        self.config = config
        self.systems: list[System] = config.systems
        self.templates: dict[str, Reaction] = library.chosen_reactions(config.reactions)
        self.cut = cache(self._cut)
        self.charges = cache(self._charges)
        self.entry = cache(self._entry)

    def _cut(self, slab: str) -> Atoms:
        """A slab as it is cut, before it relaxes."""
        material, facet = find_facet(slab, f"slabs: {slab}: ")
        spec = self.config.slabs[slab]
        try:
            return cut_slab(library.material(material), facet, spec.layers, spec.supercell, spec.vacuum_A, spec.bottom)
        except QDSurfError as error:
            raise type(error)(f"slabs: {slab}: {error}") from None

    def calculator(self, slab: str) -> CalculatorSpec:
        """Calculator of a slab and of everything with which its energies are compared."""
        return self.config.slabs[slab].calculator or self.config.calculator

    @property
    def calculators(self) -> dict[str, CalculatorSpec]:
        """All calculators of a run, by the names of their folders."""
        return {self.calculator(slab).folder: self.calculator(slab) for slab in self.config.slabs}

    def material(self, slab: str) -> Material:
        """Material record of a slab."""
        return library.material(find_facet(slab)[0])

    def ligand(self, name: str) -> Ligand | None:
        """Ligand record; None for 'none'."""
        return None if name == "none" else library.ligand(name)

    def _charges(self, slab: str) -> set[int]:
        """Charges of the ions of a slab's surface, e."""
        return surface_charges(self.material(slab), find_facet(slab)[1])

    def _entry(self, slab: str, ligand: str) -> LigandEntry:
        """How a ligand binds to a slab."""
        return library.ligand_entry(self.charges(slab), self.ligand(ligand), slab)

    def templates_for(self, system: System) -> dict[str, Reaction]:
        """Templates that the configuration asks for and that suit the ligand of a system."""
        entry = self.entry(system.slab, system.ligand)
        return {name: template for name, template in self.templates.items() if entry in template.ligand_entry}

    def part(self, system: System) -> dict:
        """The configuration of one system alone as plain data: other systems do not make its results stale."""
        spec = self.config.slabs[system.slab].model_copy(update={"ligands": (system.ligand,)})
        alone = {"slabs": {system.slab: spec}, "precursors": (system.precursor,), "exclude": ()}
        return self.config.model_copy(update=alone).model_dump(mode="json", exclude_defaults=True)

    def record_files(self, templates: set[str]) -> list[Path]:
        """Files of the library that a run depends on.

        Parameters
        ----------
        templates : set of str
            Names of the templates that apply to any system.
        """
        recipe = library.recipe(self.config.kinetics.recipe)
        names = {
            "materials": {find_facet(slab)[0] for slab in self.config.slabs},
            "ligands": {system.ligand for system in self.systems} - {"none"},
            "precursors": set(self.config.precursors),
            "coreactants": {step.species for step in recipe.steps if step.role == "coreactant"},
            "reactions": templates,
            "recipes": {recipe.name},
        }
        return [library.record_path(kind, name) for kind in names for name in sorted(names[kind])]
