"""Steps of every system: the templates that apply to it, and the jobs that make their states."""

from functools import cache

from qdsurf.pipeline import layout
from qdsurf.pipeline.gas_species import GasSpecies
from qdsurf.pipeline.layout import JobFiles
from qdsurf.pipeline.requirements import Requirements
from qdsurf.records import library
from qdsurf.records.models import Molecule
from qdsurf.records.reaction_templates import Reaction
from qdsurf.records.systems import System


class Steps:
    """Templates that apply to the systems of a run, and the states that they lead to.

    Parameters
    ----------
    requirements : Requirements
        What the configuration asks for.
    gases : GasSpecies
        Gas molecules of the systems.
    """

    def __init__(self, requirements: Requirements, gases: GasSpecies):
        self.requirements, self.gases = requirements, gases
        self.reactions = cache(self._reactions)
        self.states = cache(self._states)

    def _reactions(self, system: System) -> dict[str, Reaction]:
        """Templates that are asked for and apply to a system, each after the one from which it starts."""
        gases, leaving = self.gases.by_role(system), library.precursor(system.precursor).leaving
        fitting: dict[str, Reaction] = {}
        for name, template in self.requirements.templates_for(system).items():
            has_gases = set(template.releases) | ({template.takes} - {None}) <= gases.keys()
            has_group = leaving in template.elements.get("precursor.leaving", (leaving,))
            if has_gases and has_group and template.reactant in {"ligated", *fitting}:
                fitting[name] = template
        return fitting

    def _states(self, system: System) -> dict[str, JobFiles]:
        """Job of every surface state of a system, by the name of the state."""
        products = {name: self.job(system, reaction) for name, reaction in self.reactions(system).items()}
        return {"ligated": layout.ligated(system.ligated)} | products

    def job(self, system: System, reaction: Reaction) -> JobFiles:
        """Job of the state to which a template leads.

        A step of the covered slab without a molecule from the gas is shared by all precursors.
        """
        if reaction.takes:
            return layout.adsorbed(str(system), reaction.name)
        return layout.reaction(system.ligated if reaction.reactant == "ligated" else str(system), reaction.name)

    def arriving(self, system: System, reaction: str) -> Molecule:
        """Gas molecule that a template adsorbs."""
        takes = library.get("reactions", reaction).takes
        return self.gases.by_role(system)[takes]

    def saddles(self, system: System) -> dict[str, JobFiles]:
        """Jobs of the steps whose saddles are searched: those with a barrier, where the configuration asks for it."""
        if self.requirements.config.barriers != "verified":
            return {}
        return {
            name: self.job(system, reaction)
            for name, reaction in self.reactions(system).items()
            if reaction.barrier and not reaction.takes
        }
