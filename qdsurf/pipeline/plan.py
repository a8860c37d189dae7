"""What a configuration asks for, spelled out: molecules, states and steps; refused here if anything is wrong."""

from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from qdsurf.atomistic.molecules import build_molecule, describe_model, parse_smiles
from qdsurf.calculators.registry import assert_supported, check_calculator, is_for_molecules_only
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
from qdsurf.elementary_steps.selection import refine_state
from qdsurf.energetics.barrier_corrections import SaddleCorrection, fit_saddle_correction
from qdsurf.energetics.bond_types import assign_roles
from qdsurf.energetics.collect import GIBBS_COLUMNS, Tables, collect_tables, thermal_gas
from qdsurf.energetics.corrections import Correction, fit_correction
from qdsurf.energetics.thermochemistry import state_correction
from qdsurf.errors import InputError, QDSurfError
from qdsurf.pipeline.config import Config, load_config
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Ligand, LigandEntry, Molecule, Precursor
from qdsurf.records.reaction_templates import Reaction
from qdsurf.records.reference_set import read_saddles
from qdsurf.records.systems import System, find_facet
from qdsurf.storage.files import read_json, read_table
from qdsurf.storage.structures import read_structures
from qdsurf.surfaces.slab import cut_slab, surface_charges


class remembered(cached_property):
    """A method whose answers its object keeps."""

    def __init__(self, method):
        super().__init__(lambda self: cache(partial(method, self)))
        self.__doc__ = method.__doc__


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
        for slab, elements in plan._buildable_slabs(where).items():
            for spec in filter(None, (plan.calculator(slab), plan.config.refine)):
                assert_supported(spec, elements | plan.gas_elements[slab])
        plan.assert_reactions_apply(where)
        named = [*(("calculator", one) for one in plan.calculators.values()), ("refine", plan.config.refine)]
        for key, level in named:
            if level and is_for_molecules_only(level):
                raise InputError(f"{where}: {key}.name: {level.name} computes molecules only; slabs need another")
            if level:
                check_calculator(level)
        for folder, spec in plan.calculators.items():
            for slab in plan.config.slabs:
                if plan.calculator(slab).folder == folder and plan.calculator(slab) != spec:
                    raise InputError(f"{where}: slabs.{slab}.calculator: {spec.label} has other parameters elsewhere")
        return plan

    def _buildable_slabs(self, where: str) -> dict[str, set[str]]:
        """Elements of every slab; refuses at once all slabs that cannot be cut and all ligands that do not fit."""
        elements, misfits = {}, {}
        for slab, spec in self.config.slabs.items():
            try:
                elements[slab] = set(self.cut(slab).symbols)
            except QDSurfError as error:
                misfits[f"{slab}~*"] = error
                continue
            for ligand in spec.ligands:
                try:
                    self.entry(slab, ligand)
                except QDSurfError as error:
                    misfits[f"{slab}~{ligand}~*"] = error
        if misfits:
            messages, patterns = "\n".join(map(str, misfits.values())), ", ".join(map('"{}"'.format, misfits))
            raise type(next(iter(misfits.values())))(f"{where}: {messages}\nTo do without: `exclude: [{patterns}]`")
        return elements

    def assert_reactions_apply(self, where: str) -> None:
        """Refuse a reaction that is asked for and that no system can have."""
        possible = {name: t for system in self.systems for name, t in self.reactions(system).items()}
        for word in self.config.reactions:
            if not any(template.chosen_by((word,)) for template in possible.values()):
                raise InputError(
                    f"{where}: reactions: {word} applies to none of the systems: their ligands, leaving groups or "
                    "the gas molecules do not fit; `qdsurf reactions FILE --precursor P` says which"
                )

    @remembered
    def cut(self, slab: str) -> Atoms:
        """A slab as it is cut, before it relaxes."""
        material, facet = find_facet(slab, f"slabs: {slab}: ")
        spec = self.config.slabs[slab]
        try:
            return cut_slab(library.material(material), facet, spec.layers, spec.supercell, spec.vacuum_A, spec.bottom)
        except QDSurfError as error:
            raise type(error)(f"slabs: {slab}: {error}") from None

    def calculator(self, slab: str) -> CalculatorSpec:
        """Calculator of a slab and of everything that its energies are compared with."""
        return self.config.slabs[slab].calculator or self.config.calculator

    @cached_property
    def systems(self) -> list[System]:
        """All systems."""
        return self.config.systems

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

    def errors(self, slab: str) -> list[str]:
        """Tables of the errors on the reference reactions: of a slab's calculator, last that of its energies."""
        names = ["errors"] + ["refined_errors"] * (self.config.refine is not None)
        return [f"results/reference/{self.calculator(slab).folder}/{name}.csv" for name in names]

    def barriers(self, slab: str) -> list[str]:
        """Table of a calculator's barriers of the reference saddles, where the configuration verifies barriers."""
        wanted = self.config.barriers == "verified"
        return [f"results/reference/{self.calculator(slab).folder}/saddles.csv"] if wanted else []

    def state_files(self, room: str) -> list[str]:
        """What a room has selected, and its better energy where the configuration asks for one."""
        return [f"{room}/state.json"] + [f"{room}/refined.json"] * (self.config.refine is not None)

    def state(self, room: str) -> dict:
        """Read the state that a room has selected; see `select_state`."""
        state, *refined = (read_json(path) for path in self.state_files(room))
        return refine_state(state, refined[0][0]) if refined and refined[0] else state

    @remembered
    def charges(self, slab: str) -> set[int]:
        """Charges of the ions of a slab's surface, in e."""
        return surface_charges(self.material(slab), find_facet(slab)[1])

    @remembered
    def entry(self, slab: str, ligand: str) -> LigandEntry:
        """How a ligand comes to a slab."""
        return library.ligand_entry(self.charges(slab), self.ligand(ligand), slab)

    @remembered
    def leaving(self, slab: str, ligand: str) -> dict[str, Molecule]:
        """Molecules, by their roles in templates, as which a ligand can leave a slab."""
        bound, entry, truncate = self.ligand(ligand), self.entry(slab, ligand), self.config.truncate_to_carbons
        if bound is None:
            return {}
        if entry in ("acid", "dative", "acceptor"):
            return {"ligand": desorbed_ligand(bound, truncate)}
        charges = self.material(slab).formal_charges
        molecular = self.material(slab).molecular_ion
        counterions = [
            element
            for element, charge in charges.items()
            if charge == -bound.charge and (molecular is None or element != molecular.name)
        ]
        if entry == "anion" and counterions:
            return {"salt": desorbed_salt(bound, counterions[0], truncate)}
        return {}

    @remembered
    def gas_roles(self, system: System) -> dict[str, Molecule]:
        """Gas molecules of a system by the role they play in templates."""
        precursor, own = library.precursor(system.precursor), self.leaving(system.slab, system.ligand)
        return precursor_gases(precursor) | self._rarer_gases(system, precursor) | own

    def _rarer_gases(self, system: System, precursor: Precursor) -> dict[str, Molecule]:
        """Gas molecules that only some templates name: the recipe's co-reactant, water, O2, pairs of leaving groups."""
        named = {name for t in self.asked(system).values() for name in (*t.releases, *([t.takes] if t.takes else []))}
        steps = library.recipe(self.config.kinetics.recipe).steps
        coreactants = [step.species for step in steps if step.role == "coreactant"]
        material, facet, ligand = self.material(system.slab), find_facet(system.slab)[1], self.ligand(system.ligand)
        ions = assign_roles(material, facet, ligand, precursor).partners
        cation, halide, monovalent = (ions[f"surface.{role}"] for role in ("cation", "halide", "monovalent"))
        made = {
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
        return {name: made[name]() for name in made if name in named}

    @cached_property
    def molecules(self) -> dict[str, Molecule]:
        """All gas molecules of all systems by name."""
        return {m.name: m for system in self.systems for m in self.gas_roles(system).values()}

    @cached_property
    def gas_elements(self) -> dict[str, set[str]]:
        """Elements of all gas molecules that belong to a slab."""
        elements: dict[str, set[str]] = {}
        for slab, molecule in self.gases:
            elements.setdefault(slab, set()).update(self._composition[molecule])
        return elements

    @cached_property
    def _composition(self) -> dict[str, set[str]]:
        """Elements of each gas molecule."""
        return {
            name: {atom.GetSymbol() for atom in parse_smiles(molecule.smiles, name).GetAtoms()}
            if molecule.smiles
            else set(build_molecule(molecule).symbols)
            for name, molecule in self.molecules.items()
        }

    @cached_property
    def gases(self) -> list[tuple[str, str]]:
        """Every slab with the names of the gas molecules that belong to it."""
        return sorted({(s.slab, molecule.name) for s in self.systems for molecule in self.gas_roles(s).values()})

    def part(self, system: System) -> dict:
        """The configuration of one system alone, as plain data: what else is asked for does not touch its results."""
        spec = self.config.slabs[system.slab].model_copy(update={"ligands": (system.ligand,)})
        alone = {"slabs": {system.slab: spec}, "precursors": (system.precursor,), "exclude": ()}
        return self.config.model_copy(update=alone).model_dump(mode="json", exclude_defaults=True)

    def model(self, ligand: str) -> str:
        """Words for what stands in for a ligand."""
        bound = self.ligand(ligand)
        return "no ligand" if bound is None else describe_model(bound, self.config.truncate_to_carbons)

    def note(self, slab: str) -> str:
        """Words that go with every number of a slab: the configuration's, and what its calculator is not fit for."""
        uses = read_json(f"{self.qualification(slab)}/qualification.json")["uses"]
        unfit = [f"not qualified for {use.replace('_', ' ')}: {v['reason']}" for use, v in uses.items() if not v["fit"]]
        return "; ".join(filter(None, [self.config.note, *unfit]))

    def collect(self, system: System) -> tuple[pd.DataFrame, ...]:
        """Read the states that the rooms have selected and make the tables of a system.

        Returns
        -------
        states, steps, sites, factors at the temperature of the recipe; gibbs, the free energies at the others.
        """
        own = library.recipe(self.config.kinetics.recipe).temperature_K
        others = [t for t in self.config.thermochemistry.temperatures_K if t != own]
        correction = fit_correction(read_table(self.errors(system.slab)[-1]))
        of_saddles = SaddleCorrection()
        for path in self.barriers(system.slab):
            of_saddles = fit_saddle_correction(read_table(path), read_saddles()[0].saddles, correction)[0]
        gibbs = [self._tables_at(system, t, correction, of_saddles)[0][GIBBS_COLUMNS] for t in others]
        return *self._tables_at(system, own, correction, of_saddles), pd.concat(
            [pd.DataFrame(columns=GIBBS_COLUMNS), *gibbs]
        )

    def _tables_at(
        self, system: System, temperature: float, correction: Correction, of_saddles: SaddleCorrection
    ) -> Tables:
        """States, steps and sites of a system at one temperature."""
        states = {name: self.state(room) for name, room in self.states(system).items()}
        substrate = read_json(f"{self.qualification(system.slab)}/qualification.json")["substrate"]
        substrate = substrate if self.config.substrate == "auto" else self.config.substrate
        thermal = self.config.thermochemistry
        for name, state in states.items():
            state["substrate"] = substrate
            if self.mode_files(system):
                modes = read_json(f"{self.states(system)[name]}/modes.json")["mode_energies_eV"]
                state["thermal_eV"] = state_correction(np.array(modes), temperature, thermal)
        density = states["ligated"].get("density_per_nm2") or {"surface": np.nan, "ligand": np.nan}
        gases, names = {}, {}
        for role, molecule in self.gas_roles(system).items():
            room = self.molecule_room(system.slab, molecule.name)
            atoms = read_structures(f"{room}/selected.extxyz")
            modes = read_json(f"{room}/modes.json")["mode_energies_eV"]
            gases[role] = thermal_gas(
                atoms[0] if atoms else None, self.state(room), modes, molecule, role, density,
                temperature, thermal,
            )  # fmt: skip
            names[role] = molecule.name
        facet = find_facet(system.slab)[1]
        precursor = library.precursor(system.precursor)
        coreactant = self.gas_roles(system).get("coreactant")
        roles = assign_roles(self.material(system.slab), facet, self.ligand(system.ligand), precursor, coreactant)
        return collect_tables(
            str(system), roles, states, gases, names, self.reactions(system),
            correction, temperature, self.model(system.ligand), self.note(system.slab),
            {name: read_json(path) for name, path in self.saddle_files(system).items()}, of_saddles,
        )  # fmt: skip

    def mode_files(self, system: System) -> list[str]:
        """Partial Hessians of the surface states, where the configuration asks for them."""
        wanted = self.config.thermochemistry.adsorbates == "partial_hessian"
        return [f"{room}/modes.json" for room in self.states(system).values()] if wanted else []

    def saddle_files(self, system: System) -> dict[str, str]:
        """Searches of a saddle by template, where the configuration asks for them: steps with a barrier to verify."""
        wanted = self.reactions(system).values() if self.config.barriers == "verified" else ()
        return {r.name: f"{self.room(system, r)}/saddle.json" for r in wanted if r.barrier and not r.takes}

    @cached_property
    def chosen(self) -> dict[str, Reaction]:
        """Templates that the configuration asks for."""
        return library.chosen_reactions(self.config.reactions)

    @remembered
    def reactions(self, system: System) -> dict[str, Reaction]:
        """Templates that are asked for and apply to a system, each after the one it starts from."""
        gases, leaving = self.gas_roles(system), library.precursor(system.precursor).leaving
        fitting: dict[str, Reaction] = {}
        for name, template in self.asked(system).items():
            known = set(template.releases) | ({template.takes} - {None}) <= gases.keys()
            suits = leaving in template.elements.get("precursor.leaving", (leaving,))
            if known and suits and template.reactant in {"ligated", *fitting}:
                fitting[name] = template
        return fitting

    def asked(self, system: System) -> dict[str, Reaction]:
        """Templates that the configuration asks for and that suit the ligand of a system."""
        entry = self.entry(system.slab, system.ligand)
        return {name: template for name, template in self.chosen.items() if entry in template.ligand_entry}

    def arriving(self, system: System, reaction: str) -> Molecule:
        """Gas molecule that a template takes."""
        return self.gas_roles(system)[library.get("reactions", reaction).takes]

    def owner(self, system: System, reaction: Reaction) -> str:
        """Who owns the product: the system, or the covered surface when no precursor is involved."""
        return system.ligated if reaction.reactant == "ligated" and not reaction.takes else str(system)

    def room(self, system: System, reaction: Reaction) -> str:
        """Folder of a state."""
        kind = "adsorbed" if reaction.takes else "reactions"
        return f"results/{kind}/{self.owner(system, reaction)}/{reaction.name}"

    @remembered
    def states(self, system: System) -> dict[str, str]:
        """Folder of every surface state of a system by name."""
        rooms = {name: self.room(system, reaction) for name, reaction in self.reactions(system).items()}
        return {"ligated": f"results/ligated/{system.ligated}"} | rooms

    @cached_property
    def rooms(self) -> dict[str, list[str]]:
        """Folders of all jobs by room, each once, below `results/`."""
        systems, slabs = self.systems, self.config.slabs
        folders = [
            *(self.molecule_room(*gas) for gas in self.gases),
            *self.qualifications,
            *(f"results/slabs/{slab}" for slab in slabs),
            *(folder for system in systems for folder in self.states(system).values()),
            *(str(Path(self.errors(slab)[0]).parent) for slab in slabs),
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
            "ligands": {system.ligand for system in self.systems} - {"none"},
            "precursors": set(self.config.precursors),
            "coreactants": {step.species for step in recipe.steps if step.role == "coreactant"},
            "reactions": {name for system in self.systems for name in self.reactions(system)},
            "recipes": {recipe.name},
        }
        return [library.record_path(kind, name) for kind in names for name in sorted(names[kind])]
