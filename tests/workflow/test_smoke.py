"""The smoke job: it finishes, keeps the contract of its tables, and reruns exactly what a change touches."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase.db import connect
from workflow.conftest import ROOT, comparable_files, copy_tree, planned_rules, run_snakemake

from qdsurf.atomistic.annotation import content_hash
from qdsurf.pipeline.config import load_config
from qdsurf.pipeline.plan import Plan
from qdsurf.pipeline.provenance import file_hash
from qdsurf.pipeline.status import summarise_status, verify_results
from qdsurf.pipeline.trace import trace_row
from qdsurf.storage.check_files import verify_folder
from qdsurf.storage.structures import read_structures

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
    jobs = Plan(load_config(smoke / "results/config.json")).jobs
    summary = summarise_status(smoke / "results", jobs)
    assert sum(map(len, jobs.values())) == sum(sum(counts.values()) for counts in summary["stages"].values())
    assert not {"missing", "unfinished"} & {job["status"] for job in summary["jobs"]}
    assert not list((smoke / "results").rglob("*.part"))
    hidden = list((smoke / "results").rglob(".*"))
    assert hidden and all(path.suffix == ".check" for path in hidden)


def test_a_long_batch_names_its_molecules_and_says_how_long_it_takes(smoke):
    lines = (smoke / "logs/relax_reference/emt.log").read_text().splitlines()
    assert re.match(r"relax reference/emt 1/\d+ \S+: \d+ calls, \S+ eV, .*, about \d+ \w+ left$", lines[0])


def test_every_structure_table_and_json_file_can_be_verified(smoke):
    results = smoke / "results"
    written = [path for path in results.rglob("[!.]*") if path.suffix in (".csv", ".extxyz", ".json")]
    verified = verify_results(results)
    assert verified["checked"] == len(written) > 100 and verified["compared"] == 3 and verified["passed"]


@pytest.fixture
def again(smoke, tmp_path):
    """A copy of the finished tree, and a function that runs Snakemake on it.

    The records are in another place, which would be a reason to do everything again; so only ages count.
    """
    tree = shutil.copytree(smoke, tmp_path / "tree", ignore=shutil.ignore_patterns(".snakemake"))

    def run(*more: str) -> str:
        # without the last option, Snakemake waits for a minute at the end
        options = ("--configfile", "config/smoke.yaml", "--max-jobs-per-timespan", "100/1s")
        done = run_snakemake(tree, *more, *options, "--rerun-triggers", "mtime")
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    return tree, run


def cut(path: Path, lines: int, keep_time: bool) -> None:
    """Keep the first lines of a file, and its age if that is asked for."""
    before = path.stat()
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def assert_restored(smoke: Path, tree: Path) -> None:
    """All structures, tables and figures are those of the undisturbed run again, and no file is damaged."""
    names = comparable_files(smoke)
    assert names == comparable_files(tree)
    assert [name for name in names if (smoke / name).read_bytes() != (tree / name).read_bytes()] == []
    assert verify_results(tree / "results")["passed"]


def test_a_table_that_was_cut_is_computed_again_although_its_age_is_the_same(smoke, again):
    tree, run = again
    name = "results/energetics/Ag_111_Ag~none~TMA/steps.csv"
    assert "Nothing to be done" in run("-n")
    cut(tree / name, 2, keep_time=True)
    damage = f"Damaged result {name}: 1 row instead of 2 rows"
    said = run("-n")
    assert said.count(f"{damage}; a run without -n computes it again.") == 1
    assert not (tree / f"{name}.damaged").exists(), "a dry run changes nothing"
    said = run()
    assert said.count(damage) == said.count("Damaged") == 1, "only the main process looks"
    assert f"a copy is kept as {name}.damaged" in said
    assert_restored(smoke, tree)
    assert len((tree / f"{name}.damaged").read_text().splitlines()) == 2
    assert "Nothing to be done" in run("-n")
    run("--delete-all-output")
    assert verify_folder(tree / "results") == (1, []), "of config.json"
    assert "relax_molecule" in run("-n")


@pytest.mark.slow
def test_whatever_is_damaged_is_computed_again_with_all_that_depends_on_it(smoke, again):
    tree, run = again
    results = tree / "results"
    cut(results / "energetics/Ag_111_O~none~TMA/steps.csv", 2, keep_time=False)
    candidates = results / "adsorbed/Ag_111_Ag~none~TMA/adduct_surface/candidates.extxyz"
    cut(candidates, int(candidates.read_text().split()[0]) + 2, keep_time=True)
    cut(results / "ligated/Ag_111_Ag~methylamine/state.json", 5, keep_time=True)
    cut(results / "molecules/emt/methylamine/result.json", 5, keep_time=False)
    cut(results / "bulk/emt/Ag/qualification.json", 5, keep_time=True)
    said = run()
    assert said.count("Damaged result") == 5 and "candidates.extxyz: 1 frame instead of 2 frames" in said
    assert_restored(smoke, tree)
    assert len(list(results.rglob("*.damaged"))) == 5
    assert "Nothing to be done" in run("-n")


def test_a_damaged_result_is_found_again_after_a_start_that_has_computed_nothing(smoke, again):
    tree, run = again
    name = "results/kinetics/Ag_111_Ag~none~TMA/selectivity.csv"
    cut(tree / name, 1, keep_time=True)
    run("--unlock")  # reads the rules, and does nothing else
    assert "1 row" in run("-n") and (tree / f"{name}.damaged").exists()
    run()
    assert_restored(smoke, tree)


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
        ("surfaces/slab.py", {"cut_slab", "build_bulk"}, {"embed_molecule", "relax_molecule"}),
        ("microkinetics/rates/rate_constants.py", {"run_kinetics"}, {"relax_molecule", "collect_energies"}),
        ("relaxation/optimiser.py", {"relax_molecule", "relax_slab"}, {"build_bulk", "embed_molecule"}),
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


# The base rules in relaxation.smk belong to the stages whose files they write.
BASE_RULES = {
    "relax_molecule": "molecules",
    "find_modes": "molecules",
    "relax_slab": "slabs",
    "relax_reference": "reference_reactions",
    "refine_state": "reactions",
    "find_surface_modes": "reactions",
}


def test_no_stage_depends_on_a_later_stage(smoke):
    files = re.findall(r"rules/(\w+)\.smk", (ROOT / "workflow/Snakefile").read_text())
    order = {name: number for number, name in enumerate(files)}
    stage_of = {}
    for name in files:
        text = (ROOT / f"workflow/rules/{name}.smk").read_text()
        for rule in re.findall(r"^rule (\w+):|^use rule \w+ as (\w+) with", text, flags=re.MULTILINE):
            stage_of[rule[0] or rule[1]] = order[name]
    stage_of |= {rule: order[stage] for rule, stage in BASE_RULES.items()}
    done = run_snakemake(smoke, "--rulegraph", "dot", "--configfile", "config/smoke.yaml", "--forceall")
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', done.stdout))
    edges = [(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", done.stdout)]
    assert len(edges) > 20
    assert [(a, b) for a, b in edges if b != "all" and stage_of[a] > stage_of[b]] == []


def test_every_rule_has_a_message():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        blocks = re.split(r"^(?=rule |use rule )", path.read_text(), flags=re.MULTILINE)[1:]
        assert [block.partition(":")[0] for block in blocks if "\n    message:\n" not in block] == []
