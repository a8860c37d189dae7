"""What follows from a configuration: one calculator for each slab, and never a difference between two."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ase import Atoms

from qdsurf.errors import InputError, QDSurfError, UnsupportedElementError
from qdsurf.pipeline import layout, tables
from qdsurf.pipeline.config import load_config
from qdsurf.pipeline.plan import Plan
from qdsurf.records import library
from qdsurf.records.systems import System
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.relaxation.selection import State, refine_state

ROOT = Path(__file__).parents[2]
GFN2 = {"name": "tblite", "parameters": {"method": "GFN2-xTB"}}
PM7 = {"name": "mopac", "parameters": {"method": "PM7"}}


def slab(**keys) -> dict:
    return {"layers": 2, "supercell": [3, 3], "ligands": ["oleate"]} | keys


def config(**keys) -> dict:
    common = {"precursors": ["TMA"], "calculator": GFN2, "kinetics": {"recipe": "alumina_thermal_40C"}}
    return common | {"slabs": {"PbS_100_PbS": slab(), "CsPbBr3_100_CsBr": slab(layers=3, calculator=PM7)}} | keys


def test_everything_that_a_slab_is_compared_with_is_at_its_level():
    plan = Plan.check(config())
    assert set(plan.requirements.calculators) == {"tblite-GFN2-xTB", "mopac-PM7"}
    for name, folder in (("PbS_100_PbS", "tblite-GFN2-xTB"), ("CsPbBr3_100_CsBr", "mopac-PM7")):
        paths = plan.molecule(name, "TMA").folder, plan.qualification(name).folder, *plan.error_files(name)
        assert all(path.split("/")[2] == folder for path in paths)
        assert plan.qualifications[plan.qualification(name).folder] == name


def test_one_name_cannot_mean_two_calculators():
    loose = {"name": "tblite", "parameters": {"method": "GFN2-xTB", "accuracy": 10.0}}
    slabs = {"PbS_100_PbS": slab(), "CdSe_110_CdSe": slab(layers=3, calculator=loose)}
    with pytest.raises(
        InputError, match="slabs.PbS_100_PbS.calculator: tblite GFN2-xTB has other parameters elsewhere"
    ):
        Plan.check(config(slabs=slabs), "config.yaml")


def test_a_slab_is_refused_by_its_own_calculator_only():
    slabs = {"Ag_111_Ag": slab(supercell=[4, 4], ligands=["none"], calculator={"name": "emt"})}
    assert "emt" in Plan.check(config(slabs=slabs)).requirements.calculators
    with pytest.raises(UnsupportedElementError, match="emt has no parameters for .*Pb"):
        Plan.check(config(slabs={"PbS_100_PbS": slab(calculator={"name": "emt"})}))


def test_better_energies_are_asked_of_every_state_molecule_and_reference_reaction():
    slabs = {"Ag_111_Ag": slab(supercell=[4, 4], ligands=["none"], calculator={"name": "emt"})}
    plain, refined = (Plan.check(config(slabs=slabs, **more)) for more in ({}, {"refine": {"name": "emt"}}))
    job = layout.slab("Ag_111_Ag")
    assert plain.state_files(job) == [job.state] and len(plain.error_files("Ag_111_Ag")) == 1
    assert refined.state_files(job) == [job.state, "results/slabs/Ag_111_Ag/refined.json"]
    assert refined.error_files("Ag_111_Ag")[-1].endswith("refined_errors.csv")
    with pytest.raises(InputError, match="barriers: verified saddles are not refined yet"):
        Plan.check(config(slabs=slabs, refine={"name": "emt"}, barriers="verified"))
    with pytest.raises(InputError, match="refine.name: pyscf computes molecules only"):
        Plan.check(config(slabs=slabs, refine={"name": "pyscf"}))


def test_a_state_keeps_its_reason_or_takes_the_better_energy():
    state = State("ok", -1.0, True, calculator={"name": "cheap"})
    single = RelaxationResult(Atoms(), -2.0, None, False, "not converged in 0 steps", calculator={"name": "dear"})
    better = refine_state(state, single)
    assert better.energy_eV == -2.0 and better.converged and better.status == "ok"
    assert better.calculator == {"name": "dear", "geometry": {"name": "cheap"}}
    failed = refine_state(state, replace(single, energy_eV=None, reason="failed: SCF"))
    assert failed.energy_eV is None and failed.status == "refinement failed: SCF" and not failed.converged
    lost = State("dissociated")
    assert refine_state(lost, single) == lost


def test_saddles_are_searched_where_they_are_asked_for():
    system = System("PbS_100_PbS", "oleate", "TMA")
    assert Plan.check(config()).steps.saddles(system) == {}
    plan = Plan.check(config(barriers="verified"))
    jobs, reactions = plan.steps.saddles(system), plan.steps.reactions(system)
    saddle = jobs["protonolysis_acid"].saddle["saddle"]
    assert saddle == "results/reactions/PbS_100_PbS~oleate~TMA/protonolysis_acid/saddle.json"
    assert set(jobs) == {name for name, reaction in reactions.items() if reaction.barrier}
    with pytest.raises(InputError, match="barriers"):
        Plan.check(config(barriers="neb"))


def test_a_dissociated_acid_may_protonate_the_precursor_that_its_anion_binds():
    plan = Plan.check(config())
    acid = plan.steps.reactions(System("PbS_100_PbS", "oleate", "TMA"))
    assert {"protonolysis_acid", "carboxylate_transfer"} <= acid.keys()
    assert acid["protonolysis_acid"].reaction_class == "precursor-ligand"
    assert "protonolysis_acid" not in plan.steps.reactions(System("CsPbBr3_100_CsBr", "oleate", "TMA"))


TODAY = {
    "adduct_amine", "adduct_ligand", "adduct_surface", "carboxylate_transfer", "dissociation_surface",
    "ligand_desorption_acid", "ligand_desorption_dative", "ligand_desorption_salt", "protonolysis_acid",
    "protonolysis_amine", "protonolysis_ammonium", "protonolysis_surface_hydrogen",
}  # fmt: skip


def test_a_run_computes_the_default_templates_unless_it_names_others():
    assert set(library.chosen_reactions(("default",))) == TODAY | {"ligand_desorption_acceptor"}
    plan = Plan.check(config())
    for system in plan.config.systems:
        assert set(plan.steps.reactions(system)) <= TODAY
        assert set(plan.gases.by_role(system)) <= {"precursor", "by_product", "ligand", "salt"}
    system = System("PbS_100_PbS", "oleate", "TMA")
    metal = Plan.check(config(reactions=["cation_exchange"]))
    assert list(metal.steps.reactions(system)) == [
        "adduct_surface", "dissociation_surface", "cation_exchange", "reductive_coupling",
    ]  # fmt: skip
    gases = metal.gases.by_role(system)
    assert (gases["alkyl"].smiles, gases["coupled"].smiles) == ("[CH3][Pb][CH3]", "CC")
    assert gases["coupled"].symmetry_number == 6
    water = Plan.check(config(reactions=["default", "hydrolysis_film"]))
    assert set(water.steps.reactions(system)) == set(plan.steps.reactions(system)) | {
        "adduct_coreactant_film",
        "hydrolysis_film",
    }
    assert (
        water.gases.by_role(system)["coreactant"].name
        == water.steps.arriving(system, "adduct_coreactant_film").name
        == "H2O"
    )


def test_a_z_type_ligand_leaves_as_it_came():
    plan = Plan.check(config(slabs={"PbS_100_PbS": slab(ligands=["cadmium_chloride"])}))
    system = System("PbS_100_PbS", "cadmium_chloride", "TMA")
    assert plan.requirements.entry(system.slab, system.ligand) == "acceptor"
    assert plan.gases.by_role(system)["ligand"].name == "cadmium_chloride"
    assert list(plan.steps.reactions(system)) == [
        "adduct_surface",
        "ligand_desorption_acceptor",
        "dissociation_surface",
    ]


def test_a_leaving_group_that_a_template_does_not_know_keeps_it_out():
    plan = Plan.check(config(reactions=["default", "reductive_coupling"], precursors=["TMA", "TDMAT"]))
    assert "reductive_coupling" in plan.steps.reactions(System("PbS_100_PbS", "oleate", "TMA"))
    assert "reductive_coupling" not in plan.steps.reactions(System("PbS_100_PbS", "oleate", "TDMAT"))


@pytest.mark.parametrize(
    ("reactions", "message"),
    [
        (["ion_exchnge"], "config.yaml: reactions: unknown reaction 'ion_exchnge'; did you mean 'ion_exchange'"),
        (["D11"], "config.yaml: reactions: 'D11' is now called 'ion_exchange'"),
        (["routine"], "config.yaml: reactions: 'routine' is now called 'default'"),
        (["protonolysis_amine"], "reactions: protonolysis_amine applies to none of the systems"),
        ([], "reactions: "),
    ],
)
def test_reactions_that_no_system_can_have_are_refused(reactions, message):
    with pytest.raises(InputError, match=message):
        Plan.check(config(reactions=reactions), "config.yaml")


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("PbS_111_Pt", {}, "PbS .*: unknown termination 'Pt'.*Accepted: Pb, S"),
        ("PbS_100_PbS", {"ligands": ["oleylammonium"]}, "oleylammonium .* has no place on PbS"),
        ("CdSe_111_Cd", {"layers": 4, "supercell": [1, 1]}, r"carries \+0.5 e in this cell"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_runs(name, keys, message):
    with pytest.raises(QDSurfError, match=message):
        Plan.check(config(slabs={name: slab(**keys)}))


def test_a_plane_that_is_not_on_record_can_be_asked_for():
    plan = Plan.check(config(slabs={"PbS_210_PbS": slab(supercell=[1, 1], ligands=["none"])}))
    assert set(plan.requirements.cut("PbS_210_PbS").symbols) == {"Pb", "S"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"calculator": {"name": "pyscf"}}, "pyscf computes molecules only; slabs need another"),
    ],
)
def test_what_no_run_could_finish_is_refused_before_it(keys, message):
    with pytest.raises(InputError, match=message):
        Plan.check(config(**keys), "config.yaml")


def test_all_that_does_not_fit_is_refused_at_once_with_the_way_out():
    slabs = {"PbS_1[01]0_*": slab(ligands=["none", "iodide", "oleylammonium"]), "CdSe_111_Cd": slab(supercell=[1, 1])}
    with pytest.raises(QDSurfError) as refused:
        Plan.check(config(slabs=slabs), "c.yaml")
    message = str(refused.value)
    assert message.count("has no place on PbS") == 4 and "carries +0.5 e in this cell" in message
    patterns = yaml.safe_load(message.split("`")[1])
    assert patterns["exclude"][0] == "PbS_100_PbS~iodide~*" and patterns["exclude"][-1] == "CdSe_111_Cd~*"
    assert {s.ligand for s in Plan.check(config(slabs=slabs, **patterns)).systems} == {"none"}


def test_what_systems_share_is_computed_once():
    plan = Plan.check(library.read_yaml(ROOT / "config/examples/screen.yaml"))
    systems, jobs = plan.systems, plan.jobs
    assert len(systems) == 625 and len(set(systems)) == len(systems)
    pairs = {system.ligated for system in systems}
    assert sorted(jobs["slabs"]) == sorted(f"slabs/{slab}" for slab in plan.config.slabs)
    assert len(jobs["bulk"]) == len({slab.split("_")[0] for slab in plan.config.slabs}) < len(plan.config.slabs)
    assert sorted(jobs["ligated"]) == sorted(f"ligated/{pair}" for pair in pairs) and 3 * len(pairs) < len(systems)
    assert sorted(jobs["molecules"]) == sorted(
        f"molecules/sevennet-7net-l3i5-D3/{name}" for name in plan.gases.molecules
    )
    assert len(jobs["reference"]) == 1
    desorptions = [job for job in jobs["reactions"] if "desorption" in job]
    assert 0 < len(desorptions) <= len(pairs), "a ligand leaves each surface once, whatever the precursor"


def test_ions_and_ozone_of_the_example_have_the_gas_molecules_that_they_release():
    plan = Plan.check(library.read_yaml(ROOT / "config/examples/exchange.yaml"))
    iodide, sulfide, tma = plan.systems
    for system in (iodide, sulfide):
        assert (
            "exchange_ligand" in plan.steps.reactions(system)
            and plan.gases.by_role(system)["metal_salt"].name == "NaC2H3O2"
        )
    released = {name for template in plan.steps.reactions(sulfide).values() for name in template.releases}
    assert "by_product" in plan.gases.by_role(iodide) and "by_product" not in released  # Na-S-H is no H2S
    assert {"oxygen_insertion", "ozone_transfer"} <= plan.steps.reactions(tma).keys()
    on_perovskite = config(
        slabs={"CsPbBr3_100_CsBr": slab(layers=3, calculator=PM7)}, precursors=["NaI"], reactions=["ion_exchange"]
    )
    (system,) = (plan := Plan.check(on_perovskite)).systems
    assert {"exchange_halide", "exchange_monovalent"} <= plan.steps.reactions(system).keys()
    gases = plan.gases.by_role(system)
    assert (gases["metal_halide"].name, gases["precursor_salt"].name) == ("NaBr", "CsI")


def test_a_system_carries_its_own_part_of_the_configuration():
    """What else is asked for must not make its tables stale."""
    system = System("PbS_100_PbS", "oleate", "TMA")
    alone = {"PbS_100_PbS": slab()}
    more = {"slabs": alone | {"PbS_110_PbS": slab()}, "precursors": ["TMA", "DEZ"]}
    parts = [Plan(load_config(config(**keys))).requirements.part(system) for keys in ({"slabs": alone}, more)]
    assert parts[0] == parts[1]
    (only,) = Plan(load_config(parts[0])).systems
    assert only == system
    assert Plan(load_config(config(slabs=alone, seed=7))).requirements.part(system) != parts[0]


def test_a_molecular_ion_leaves_in_no_salt():
    slabs = {"FAPbBr3_100_FABr": slab(layers=3, ligands=["none", "oleate"], calculator=PM7)}
    plan = Plan.check(config(slabs=slabs))
    assert "salt" not in plan.gases.by_role(System("FAPbBr3_100_FABr", "oleate", "TMA"))


def test_what_a_calculator_is_not_fit_for_stands_beside_every_number():
    uses = {
        "geometry": {"fit": False, "reason": "lattice constant off by -3.1% (limit 3.0%)"},
        "substrate_relaxation": {"fit": True, "reason": "rattled slab shifts by 0.16 A (limit 0.70 A)"},
        "reaction_energies": {"fit": False, "reason": "not tested"},
    }
    assert tables._note(Plan.check(config(note="a trial")), uses) == (
        "a trial; not qualified for geometry: lattice constant off by -3.1% (limit 3.0%); "
        "not qualified for reaction energies: not tested"
    )
