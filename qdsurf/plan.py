"""What a configuration asks for, spelled out: molecules, states and steps; refused here if anything is wrong."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from qdsurf import library
from qdsurf.build.molecules import build_molecule, describe_model, parse_smiles, released_ligand, released_salt
from qdsurf.build.slab import cut_slab, surface_charges
from qdsurf.compute.calculators import assert_supported, make_calculator
from qdsurf.compute.levels import LEVELS
from qdsurf.config import Config, System, find_facet, load_config
from qdsurf.energetics.bonds import assign_roles
from qdsurf.energetics.collect import GIBBS_COLUMNS, Tables, collect_tables, thermal_gas
from qdsurf.energetics.corrections import Correction, fit_correction
from qdsurf.energetics.thermochemistry import harmonic_correction
from qdsurf.errors import InputError, QDSurfError
from qdsurf.records import CalculatorSpec, Ligand, LigandEntry, Molecule, Reaction
from qdsurf.structure_io import read_json, read_structures


@dataclass(frozen=True)
class Plan:
    """A checked configuration and everything that follows from it without computing."""

    config: Config

    @classmethod
    def check(cls, data: dict, where: str = "configuration") -> "Plan":
        """Check names, records, SMILES, crystal symmetries and elements of a configuration.

        Raises
        ------
        QDSurfError : one message that names file and key, before the first calculation.
        """
        plan = cls(load_config(data, where))
        elements_of = {slab: plan.elements(slab) for slab in plan.config.slabs}
        for slab, elements in elements_of.items():
            systems = [system for system in plan.config.systems if system.slab == slab]
            for molecule in {m.name: m for system in systems for m in plan.gas_roles(system).values()}.values():
                if molecule.smiles:
                    elements |= {a.GetSymbol() for a in parse_smiles(molecule.smiles, molecule.name).GetAtoms()}
                else:
                    elements |= set(build_molecule(molecule).symbols)
            assert_supported(plan.calculator(slab), elements)
        for system in plan.config.systems:
            if (bound := plan.ligand(system.ligand)) and bound.cbc_class == "Z":
                raise InputError(
                    f"{where}: slabs.{system.slab}.ligands: {bound.name} is Z-type, and no reaction template is "
                    "written for those yet; give X- or L-type ligands"
                )
        for folder, spec in plan.calculators.items():
            if spec.name in LEVELS and LEVELS[spec.name].molecules_only:
                raise InputError(f"{where}: calculator.name: {spec.name} computes molecules only; slabs need another")
            make_calculator(spec)
            for slab in plan.config.slabs:
                if plan.calculator(slab).folder == folder and plan.calculator(slab) != spec:
                    raise InputError(f"{where}: slabs.{slab}.calculator: {spec.label} has other parameters elsewhere")
        return plan

    def elements(self, slab: str) -> set[str]:
        """Elements of a slab, seen by cutting it."""
        material, facet = find_facet(slab, f"slabs: {slab}: ")
        spec = self.config.slabs[slab]
        size = spec.layers, spec.supercell, spec.vacuum_A, spec.bottom
        try:
            return set(cut_slab(library.material(material), facet, *size).symbols)
        except QDSurfError as error:
            raise type(error)(f"slabs: {slab}: {error}") from None

    def calculator(self, slab: str) -> CalculatorSpec:
        """Calculator of a slab and of everything that its energies are compared with."""
        return self.config.slabs[slab].calculator or self.config.calculator

    @cached_property
    def calculators(self) -> dict[str, CalculatorSpec]:
        """All calculators of a run, by the names of their folders."""
        return {self.calculator(slab).folder: self.calculator(slab) for slab in self.config.slabs}

    def material(self, slab: str):
        """Material record of a slab."""
        return library.material(find_facet(slab)[0])

    def ligand(self, name: str) -> Ligand | None:
        """Ligand record; None for 'none'."""
        return None if name == "none" else library.ligand(name)

    @cached_property
    def qualifications(self) -> dict[str, str]:
        """Folder of the qualification of each calculator for each material, and the slab on which it is done."""
        first: dict[str, str] = {}
        for slab in self.config.slabs:
            first.setdefault(self.qualification(slab), slab)
        return first

    def qualification(self, slab: str) -> str:
        """Folder of the qualification that a slab depends on."""
        return f"results/bulk/{self.calculator(slab).folder}/{find_facet(slab)[0]}"

    def molecule_room(self, slab: str, molecule: str) -> str:
        """Folder of a molecule at the level of a slab."""
        return f"results/molecules/{self.calculator(slab).folder}/{molecule}"

    def errors(self, slab: str) -> str:
        """Table of the errors of a slab's calculator on the reference reactions."""
        return f"results/reference/{self.calculator(slab).folder}/errors.csv"

    @cached_property
    def entries(self) -> dict[tuple[str, str], LigandEntry]:
        """How each ligand comes to each of its slabs."""
        charges = {slab: surface_charges(self.material(slab), find_facet(slab)[1]) for slab in self.config.slabs}
        return {
            (slab, ligand): library.ligand_entry(charges[slab], self.ligand(ligand), slab)
            for slab, spec in self.config.slabs.items()
            for ligand in spec.ligands
        }

    def entry(self, system: System) -> LigandEntry:
        """How the ligand of a system comes to its slab."""
        return self.entries[system.slab, system.ligand]

    @cached_property
    def leaving(self) -> dict[tuple[str, str], dict[str, Molecule]]:
        """Molecules, by their roles in templates, as which each ligand can leave each of its slabs."""
        return {(slab, ligand): self._leaving(slab, ligand) for slab, ligand in self.entries}

    def _leaving(self, slab: str, ligand: str) -> dict[str, Molecule]:
        bound, entry, truncate = self.ligand(ligand), self.entries[slab, ligand], self.config.truncate_to_carbons
        if bound is None:
            return {}
        if entry in ("acid", "dative"):
            return {"ligand": released_ligand(bound, truncate)}
        charges = self.material(slab).formal_charges
        molecular = self.material(slab).molecular_ion
        counterions = [
            element
            for element, charge in charges.items()
            if charge == -bound.charge and (molecular is None or element != molecular.name)
        ]
        if entry == "anion" and counterions:
            return {"salt": released_salt(bound, counterions[0], truncate)}
        return {}

    def gas_roles(self, system: System) -> dict[str, Molecule]:
        """Gas molecules of a system by the role they play in templates."""
        precursor = library.precursor(system.precursor)
        roles = {"precursor": precursor.molecule, "by_product": precursor.by_product}
        return roles | self.leaving[system.slab, system.ligand]

    @cached_property
    def molecules(self) -> dict[str, Molecule]:
        """All gas molecules of all systems by name."""
        return {m.name: m for system in self.config.systems for m in self.gas_roles(system).values()}

    def model(self, ligand: str) -> str:
        """Words for what stands in for a ligand."""
        bound = self.ligand(ligand)
        return "no ligand" if bound is None else describe_model(bound, self.config.truncate_to_carbons)

    def collect(self, system: System) -> tuple[pd.DataFrame, ...]:
        """Read the states that the rooms have selected and make the tables of a system.

        Returns
        -------
        states, steps, sites, factors at the temperature of the recipe; gibbs, the free energies at the others.
        """
        own = library.recipe(self.config.kinetics.recipe).temperature_K
        others = [t for t in self.config.thermochemistry.temperatures_K if t != own]
        correction = fit_correction(pd.read_csv(self.errors(system.slab)))
        gibbs = [self._tables_at(system, temperature, correction)[0][GIBBS_COLUMNS] for temperature in others]
        return *self._tables_at(system, own, correction), pd.concat([pd.DataFrame(columns=GIBBS_COLUMNS), *gibbs])

    def _tables_at(self, system: System, temperature: float, correction: Correction) -> Tables:
        """States, steps and sites of a system at one temperature."""
        states = {name: read_json(f"{room}/state.json") for name, room in self.states(system).items()}
        substrate = read_json(f"{self.qualification(system.slab)}/qualification.json")["substrate"]
        substrate = substrate if self.config.substrate == "auto" else self.config.substrate
        thermal = self.config.thermochemistry
        for name, state in states.items():
            state["substrate"] = substrate
            if self.mode_files(system):
                modes = read_json(f"{self.states(system)[name]}/modes.json")["mode_energies_eV"]
                state["thermal_eV"] = harmonic_correction(modes, temperature, thermal.lowest_mode_cm)
        density = states["ligated"].get("density_per_nm2") or {"surface": np.nan, "ligand": np.nan}
        gases, names = {}, {}
        for role, molecule in self.gas_roles(system).items():
            room = self.molecule_room(system.slab, molecule.name)
            atoms = read_structures(f"{room}/selected.extxyz")
            modes = read_json(f"{room}/modes.json")["mode_energies_eV"]
            gases[role] = thermal_gas(
                atoms[0] if atoms else None, read_json(f"{room}/state.json"), modes, molecule, role, density,
                temperature, thermal,
            )  # fmt: skip
            names[role] = molecule.name
        facet = find_facet(system.slab)[1]
        precursor = library.precursor(system.precursor)
        roles = assign_roles(self.material(system.slab), facet, self.ligand(system.ligand), precursor)
        return collect_tables(
            str(system), roles, states, gases, names, self.reactions(system),
            correction, temperature, self.model(system.ligand), self.config.note,
        )  # fmt: skip

    def mode_files(self, system: System) -> list[str]:
        """Partial Hessians of the surface states, where the configuration asks for them."""
        wanted = self.config.thermochemistry.adsorbates == "partial_hessian"
        return [f"{room}/modes.json" for room in self.states(system).values()] if wanted else []

    @cached_property
    def templates(self) -> dict[str, Reaction]:
        """All reaction templates by name."""
        return library.reactions()

    def reactions(self, system: System) -> dict[str, Reaction]:
        """Templates that apply to a system, each after the one it starts from."""
        entry = self.entry(system)
        gases = self.gas_roles(system)
        fitting = {
            name: template
            for name, template in self.templates.items()
            if entry in template.ligand_entry and set(template.releases) <= gases.keys()
        }
        return dict(sorted(fitting.items(), key=lambda item: item[1].reactant != "ligated"))

    def owner(self, system: System, reaction: Reaction) -> str:
        """Who owns the product: the system, or the covered surface when no precursor is involved."""
        return system.ligated if reaction.reactant == "ligated" and not reaction.binds_precursor else str(system)

    def room(self, system: System, reaction: Reaction) -> str:
        """Folder of a state."""
        kind = "adsorbed" if reaction.binds_precursor else "reactions"
        return f"results/{kind}/{self.owner(system, reaction)}/{reaction.name}"

    def states(self, system: System) -> dict[str, str]:
        """Folder of every surface state of a system by name."""
        rooms = {name: self.room(system, reaction) for name, reaction in self.reactions(system).items()}
        return {"ligated": f"results/ligated/{system.ligated}"} | rooms

    @cached_property
    def rooms(self) -> dict[str, list[str]]:
        """Folders of all jobs by room, each once, below `results/`."""
        systems, slabs = self.config.systems, self.config.slabs
        gases = {(s.slab, molecule.name) for s in systems for molecule in self.gas_roles(s).values()}
        folders = [
            *(self.molecule_room(*gas) for gas in sorted(gases)),
            *self.qualifications,
            *(f"results/slabs/{slab}" for slab in slabs),
            *(folder for system in systems for folder in self.states(system).values()),
            *(str(Path(self.errors(slab)).parent) for slab in slabs),
            *(f"results/{room}/{system}" for room in ("energetics", "kinetics") for system in systems),
        ]
        rooms: dict[str, list[str]] = {}
        for folder in dict.fromkeys(folder.removeprefix("results/") for folder in folders):
            rooms.setdefault(folder.split("/")[0], []).append(folder)
        return rooms

    @cached_property
    def records(self) -> list[Path]:
        """Files of the library that a run depends on."""
        recipe = library.recipe(self.config.kinetics.recipe)
        names = {
            "materials": {find_facet(slab)[0] for slab in self.config.slabs},
            "ligands": {system.ligand for system in self.config.systems} - {"none"},
            "precursors": set(self.config.precursors),
            "coreactants": {step.species for step in recipe.steps if step.role == "coreactant"},
            "reactions": {name for system in self.config.systems for name in self.reactions(system)},
            "recipes": {recipe.name},
        }
        return [library.record_path(kind, name) for kind in names for name in sorted(names[kind])]
