"""The smoke job: it finishes, keeps the contract of its tables, and reruns exactly what a change touches."""

import json
import os
import re
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from ase.db import connect
from workflow.conftest import ROOT, comparable_files, copy_tree, planned_rules, run_snakemake

from qdsurf.config import load_config
from qdsurf.plan import Plan
from qdsurf.provenance import file_hash
from qdsurf.report.status import summarise_results
from qdsurf.report.trace import trace_row
from qdsurf.structure_io import content_hash, read_structures

SELECTIVITY = [
    "system", "temperature_K", "pressure_Pa", "time_s", "precursor_surface", "precursor_ligand", "ligand_surface",
    "ligand_loss", "cation_loss", "uptake_per_nm2", "p_ligand_wins", "precursor_ligand_p16", "precursor_ligand_p84",
]  # fmt: skip
STATES = [
    "system", "state", "energy_eV", "gibbs_eV", "sigma_eV", "temperature_K", "pressure_Pa", "calculator", "converged",
    "flags",
]  # fmt: skip
STEPS = [
    "system", "step", "reaction_class", "equation", "reaction_energy_eV", "activation_energy_eV", "barrier_source",
    "correction_eV", "sigma_eV",
]  # fmt: skip


def test_selectivity_has_every_system_and_the_columns_of_the_contract(smoke):
    table = pd.read_csv(smoke / "results/kinetics/selectivity.csv")
    assert list(table.columns[: len(SELECTIVITY)]) == SELECTIVITY
    assert sorted(table.system) == ["Ag_111_Ag~methylamine~TMA", "Ag_111_Ag~none~TMA", "Ag_111_O~none~TMA"]


def test_shares_sum_to_one_or_the_row_says_what_is_missing(smoke):
    table = pd.read_csv(smoke / "results/kinetics/selectivity.csv")
    shares = table[["precursor_surface", "precursor_ligand", "ligand_surface"]]
    given = shares.notna().all(axis=1)
    assert np.allclose(shares[given].sum(axis=1), 1.0)
    assert table.loc[~given, "missing_steps"].str.len().gt(0).all()


def test_no_failed_state_carries_a_number(smoke):
    states = pd.read_csv(smoke / "results/energetics/states.csv")
    assert list(states.columns[: len(STATES)]) == STATES
    assert states.loc[~states.converged, "energy_eV"].isna().all()
    assert states.loc[states.energy_eV.isna(), "flags"].str.len().gt(0).all()
    steps = pd.read_csv(smoke / "results/energetics/steps.csv")
    assert list(steps.columns[: len(STEPS)]) == STEPS
    assert (steps.reaction_energy_eV.isna() == (steps.status != "ok")).all()


def test_every_table_says_what_was_computed_and_that_emt_means_nothing(smoke):
    for table in ("energetics/states", "energetics/steps"):
        frame = pd.read_csv(smoke / f"results/{table}.csv")
        assert frame.sample_model.notna().all()
        assert frame.note.str.contains("meaningless").all()


def test_figures_and_provenance_are_there(smoke):
    for ending in ("svg", "png"):
        assert (smoke / f"results/report/selectivity.{ending}").stat().st_size > 1000
        assert len(list((smoke / "results/report").glob(f"*/*.{ending}"))) == 15
    provenance = json.loads((smoke / "results/provenance.json").read_text())
    assert provenance["force_calls"] > 0 and provenance["packages"]["ase"]


def test_energies_are_refined_at_the_same_geometries(smoke, tmp_path):
    """Another pair potential takes the place of density functional theory: what is tested is the way of the numbers."""
    tree = shutil.copytree(smoke, tmp_path / "tree", ignore=shutil.ignore_patterns(".snakemake"))
    (tree / "refine.yaml").write_text("refine: {name: 'ase.calculators.lj:LennardJones', parameters: {sigma: 2.0}}")
    system = "Ag_111_Ag~none~TMA"
    target = f"results/report/profile/{system}.png"
    shutil.rmtree(tree / "results/report/profile")
    shutil.rmtree(tree / "results/energetics")
    done = run_snakemake(tree, target, "--configfile", "config/smoke.yaml", "refine.yaml", "--rerun-triggers", "mtime")
    assert done.returncode == 0, done.stderr[-3000:]
    own, better = (
        pd.read_csv(tree / f"results/energetics/{system}/{name}/states.csv").set_index("state")
        for name in ("unrefined", ".")
    )
    assert own.calculator["ligated"] == "emt" and better.calculator["ligated"].endswith("2.0 // emt")
    for state, room in (("ligated", "ligated/Ag_111_Ag~none"), ("TMA", "molecules/emt/TMA")):
        (single,) = json.loads((tree / f"results/{room}/refined.json").read_text())
        assert single["force_calls"] == 1 and better.energy_eV[state] == pytest.approx(single["energy_eV"])
        assert abs(better.energy_eV[state] - own.energy_eV[state]) > 0.01
    assert better.energy_eV.isna().equals(own.energy_eV.isna()), "a state that was not found is not refined"


def test_the_run_ends_in_words_and_in_files_for_other_programs(smoke):
    summary = (smoke / "results/report/summary.rst").read_text()
    table = pd.read_csv(smoke / "results/kinetics/selectivity.csv")
    assert summary.count("\n**") == len(table) and summary.count("*No answer.*") == table.p_ligand_wins.isna().sum()
    structures = read_structures(smoke / "results/structures.extxyz")
    rows = {row.hash[1:]: row for row in connect(smoke / "results/qdsurf.db").select()}
    assert set(rows) == {content_hash(atoms) for atoms in structures} and len(structures) > 10
    for atoms in structures:
        row = rows[content_hash(atoms)]
        assert row.energy == pytest.approx(atoms.get_potential_energy()) and row.calculator == "emt"
    for page in ("structures/Ag_111_Ag~none~TMA", "tables/states", "tables/qualification", "tables/errors_emt"):
        assert (smoke / f"results/report/{page}.html").stat().st_size > 2000


def test_every_number_can_be_followed_to_its_inputs(smoke):
    for table in ("energetics/states.csv", "energetics/steps.csv", "kinetics/selectivity.csv"):
        path = smoke / "results" / table
        for number in range(len(pd.read_csv(path))):
            traced = trace_row(path, [str(number)])
            assert traced["jobs"] and all(job.get("intact", True) for job in traced["jobs"].values())
            assert not traced["changed_records"] and traced["run"]["qdsurf"]
    tables = json.loads((smoke / "results/provenance.json").read_text())["tables"]
    assert {smoke / name: file_hash(smoke / name) for name in tables} == {smoke / k: v for k, v in tables.items()}


def test_the_run_knows_what_it_was_to_do_and_that_it_is_done(smoke):
    rooms = Plan(load_config(smoke / "results/config.json")).rooms
    summary = summarise_results(smoke / "results", rooms)
    assert sum(map(len, rooms.values())) == sum(sum(counts.values()) for counts in summary["rooms"].values())
    assert not {"missing", "unfinished"} & {job["fate"] for job in summary["jobs"]}
    assert not [path for path in (smoke / "results").rglob("*") if path.suffix == ".part" or path.name[0] == "."]


def test_a_long_batch_names_its_molecules_and_says_how_long_it_takes(smoke):
    lines = (smoke / "logs/relax_reference/emt.log").read_text().splitlines()
    assert re.match(r"reference/emt 1/\d+ \S+: .* force calls, .*; about \d+ \w+ left$", lines[0])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(smoke, tmp_path):
    """The whole job once more, elsewhere and on another number of cores."""
    again = copy_tree(tmp_path)
    done = run_snakemake(again, "--configfile", "config/smoke.yaml", cores="1")
    assert done.returncode == 0, done.stderr[-3000:]
    names = comparable_files(smoke)
    assert names == comparable_files(again) and len(names) > 100
    assert [name for name in names if (smoke / name).read_bytes() != (again / name).read_bytes()] == []


def test_a_second_run_has_nothing_to_do(smoke):
    assert planned_rules(smoke) == set()


def test_touching_a_ligand_reruns_only_what_uses_it(smoke):
    path = smoke / "structures/ligands/methylamine.yaml"
    original, before = path.read_text(), path.stat().st_mtime
    time.sleep(1.1)
    path.write_text(original + "\n# touched\n")
    try:
        rules = planned_rules(smoke)
        assert "attach_ligands" in rules
        assert not rules & {"cut_slab", "relax_molecule", "qualify_calculator", "relax_slab"}
    finally:
        path.write_text(original)
        os.utime(path, (before, before))


@pytest.mark.parametrize(
    ("module", "rerun", "left_alone"),
    [
        ("build/slab.py", {"cut_slab", "build_bulk"}, {"embed_molecule", "relax_molecule"}),
        ("kinetics/rates.py", {"run_kinetics"}, {"relax_molecule", "collect_energies"}),
        ("compute/optimiser.py", {"relax_molecule", "relax_slab"}, {"build_bulk", "embed_molecule"}),
    ],
)
def test_editing_a_module_reruns_what_uses_it(smoke, module, rerun, left_alone):
    path = smoke / "qdsurf" / module
    original = path.read_text()
    path.write_text(original + "\n# edited\n")
    try:
        rules = planned_rules(smoke)
        assert rerun <= rules
        assert not rules & left_alone
    finally:
        path.write_text(original)


def test_no_rule_depends_on_a_later_room(smoke):
    rooms = re.findall(r"rules/(\w+)\.smk", (ROOT / "Snakefile").read_text())
    room_of = {}
    for number, room in enumerate(rooms):
        text = (ROOT / f"workflow/rules/{room}.smk").read_text()
        for rule in re.findall(r"^rule (\w+):|^use rule \w+ as (\w+) with", text, flags=re.MULTILINE):
            room_of[rule[0] or rule[1]] = number
    done = run_snakemake(smoke, "--rulegraph", "dot", "--configfile", "config/smoke.yaml", "--forceall")
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', done.stdout))
    edges = [(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", done.stdout)]
    assert len(edges) > 20
    backwards = [(a, b) for a, b in edges if b != "all" and room_of[a] > room_of[b]]
    assert backwards == []
