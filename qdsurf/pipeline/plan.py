"""Plan of a run: a checked configuration, and everything that follows from it without computing."""

from functools import cached_property
from pathlib import Path

from qdsurf.calculators.registry import assert_supported, check_calculator, is_for_molecules_only
from qdsurf.errors import InputError, QDSurfError
from qdsurf.pipeline import layout
from qdsurf.pipeline.config import Config, load_config
from qdsurf.pipeline.gas_species import GasSpecies
from qdsurf.pipeline.layout import JobFiles
from qdsurf.pipeline.requirements import Requirements
from qdsurf.pipeline.steps import Steps
from qdsurf.records.systems import System, find_facet


class Plan:
    """What a run computes.

    Parameters
    ----------
    config : Config
        Configuration; `Plan.check` also checks that everything in it can be built and computed.

    Attributes
    ----------
    requirements : Requirements
        Systems, slabs, calculators and templates.
    gases : GasSpecies
        Gas molecules of every system.
    steps : Steps
        Templates that apply to every system, and the jobs of their states.
    """

    def __init__(self, config: Config):
        self.config = config
        self.requirements = Requirements(config)
        self.gases = GasSpecies(self.requirements)
        self.steps = Steps(self.requirements, self.gases)

    @classmethod
    def check(cls, data: dict, where: str = "configuration") -> "Plan":
        """Check names, records, SMILES, crystal symmetries, calculators and elements of a configuration.

        Parameters
        ----------
        data : dict
            Content of the configuration.
        where : str
            Name of its file, for messages.

        Raises
        ------
        QDSurfError
            One message that names file and key, before the first calculation.
        """
        plan = cls(load_config(data, where))
        plan._check_slabs(where)
        plan._check_reactions(where)
        plan._check_calculators(where)
        return plan

    def _check_slabs(self, where: str) -> None:
        """Refuse slabs that cannot be cut, ligands that do not fit, and elements that a calculator does not support."""
        problems: dict[str, QDSurfError] = {}
        elements = {}
        for slab, spec in self.config.slabs.items():
            try:
                elements[slab] = set(self.requirements.cut(slab).symbols)
            except QDSurfError as error:
                problems[f"{slab}~*"] = error
                continue
            for ligand in spec.ligands:
                try:
                    self.requirements.entry(slab, ligand)
                except QDSurfError as error:
                    problems[f"{slab}~{ligand}~*"] = error
        if problems:
            messages, patterns = "\n".join(map(str, problems.values())), ", ".join(map('"{}"'.format, problems))
            first = next(iter(problems.values()))
            raise type(first)(f"{where}: {messages}\nTo run without them: `exclude: [{patterns}]`")
        gas_elements = self.gases.elements
        for slab, symbols in elements.items():
            for calculator in filter(None, (self.requirements.calculator(slab), self.config.refine)):
                assert_supported(calculator, symbols | gas_elements[slab])

    def _check_reactions(self, where: str) -> None:
        """Refuse a word under `reactions` whose templates apply to no system."""
        possible = {name: t for system in self.systems for name, t in self.steps.reactions(system).items()}
        for word in self.config.reactions:
            if not any(template.chosen_by((word,)) for template in possible.values()):
                raise InputError(
                    f"{where}: reactions: {word} applies to none of the systems: their ligands, leaving groups or "
                    "gas molecules do not fit; `qdsurf reactions FILE --precursor P` gives the reasons"
                )

    def _check_calculators(self, where: str) -> None:
        """Refuse calculators that cannot be built, or that do not compute slabs."""
        calculators = self.requirements.calculators
        named = [*(("calculator", spec) for spec in calculators.values()), ("refine", self.config.refine)]
        for key, spec in named:
            if spec and is_for_molecules_only(spec):
                raise InputError(f"{where}: {key}.name: {spec.name} computes molecules only; slabs need another")
            if spec:
                check_calculator(spec)
        for slab in self.config.slabs:
            own = self.requirements.calculator(slab)
            if calculators[own.folder] != own:
                raise InputError(f"{where}: slabs.{slab}.calculator: {own.label} has other parameters elsewhere")

    @property
    def systems(self) -> list[System]:
        """All systems of the run."""
        return self.requirements.systems

    def molecule(self, slab: str, molecule: str) -> JobFiles:
        """Job of a gas molecule with the calculator of a slab."""
        return layout.molecule(self.requirements.calculator(slab).folder, molecule)

    def qualification(self, slab: str) -> JobFiles:
        """Job of the qualification on which a slab depends."""
        return layout.bulk(self.requirements.calculator(slab).folder, find_facet(slab)[0])

    @cached_property
    def qualifications(self) -> dict[str, str]:
        """Slab on which each qualification is done, by the folder of the qualification."""
        first: dict[str, str] = {}
        for slab in self.config.slabs:
            first.setdefault(self.qualification(slab).folder, slab)
        return first

    def error_files(self, slab: str) -> list[str]:
        """Errors on the reference reactions: of the calculator of a slab, last those of its final energies."""
        reference = layout.reference(self.requirements.calculator(slab).folder)
        return [reference.errors, *([reference.refined_errors] if self.config.refine else [])]

    def barrier_files(self, slab: str) -> list[str]:
        """Barriers of the reference saddles, if the configuration verifies barriers."""
        verified = self.config.barriers == "verified"
        return [layout.reference(self.requirements.calculator(slab).folder).barriers] if verified else []

    def state_files(self, job: JobFiles) -> list[str]:
        """State that a job selects, and its better energy if the configuration asks for one."""
        return [job.state, *([job.refined["result"]] if self.config.refine else [])]

    @cached_property
    def jobs(self) -> dict[str, list[str]]:
        """Names of all jobs by stage, such as `ligated/PbS_100_PbS~oleate`, each once."""
        slabs, systems = self.config.slabs, self.systems
        folders = [
            *(self.molecule(*gas).folder for gas in self.gases.by_slab),
            *self.qualifications,
            *(layout.slab(slab).folder for slab in slabs),
            *(job.folder for system in systems for job in self.steps.states(system).values()),
            *(layout.reference(self.requirements.calculator(slab).folder).folder for slab in slabs),
            *(layout.job(f"{stage}/{system}").folder for stage in ("energetics", "kinetics") for system in systems),
        ]
        jobs: dict[str, list[str]] = {}
        for folder in dict.fromkeys(folders):
            name = folder.removeprefix(f"{layout.RESULTS}/")
            jobs.setdefault(name.split("/")[0], []).append(name)
        return jobs

    @cached_property
    def record_files(self) -> list[Path]:
        """Files of the library on which the run depends."""
        return self.requirements.record_files({name for s in self.systems for name in self.steps.reactions(s)})
