"""What a folder of results says of itself: how far it is, and where a number came from."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from ase import Atoms

from qdsurf import cli
from qdsurf.atomistic.annotation import annotate
from qdsurf.errors import InputError
from qdsurf.pipeline import layout
from qdsurf.pipeline.provenance import file_hash
from qdsurf.pipeline.status import summarise_status, verify_results
from qdsurf.pipeline.trace import trace_row
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.result import read_results, write_results
from qdsurf.relaxation.selection import select_state, write_state
from qdsurf.storage.files import write_json, write_table
from qdsurf.storage.structures import read_structures, write_structures

ROOT = Path(__file__).parents[2]
SYSTEM = "Ag_111_Ag~methylamine~TMA"
JOBS = [
    "molecules/emt/TMA", "molecules/emt/CH4", "molecules/emt/methylamine", "slabs/Ag_111_Ag",
    "ligated/Ag_111_Ag~methylamine", f"adsorbed/{SYSTEM}/adduct_surface", f"reactions/{SYSTEM}/dissociation_surface",
    "reactions/Ag_111_Ag~methylamine/ligand_desorption_dative",
]  # fmt: skip


def run_job(folder: Path, max_steps: int = 50) -> None:
    """One relaxation with all its files, as the workflow leaves them; the chemistry is a silver dimer's."""
    stretched = [annotate(Atoms("Ag2", [[0, 0, 0], [0, 0, length]]), "adsorbate") for length in (2.7, 2.5)]
    for atoms in stretched:
        atoms.info["name"] = folder.name
    files = layout.JobFiles(str(folder))
    write_structures(files.candidates, stretched)
    results = relax_batch(read_structures(files.candidates), CalculatorSpec(name="emt"), max_steps=max_steps)
    write_results(results, files.relaxed, files.result)
    state, structure = select_state(stretched, read_results(files.relaxed, files.result))
    write_state(state, structure, files.structure, files.state, "none")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    results = tmp_path_factory.mktemp("run") / "results"
    for job in JOBS:
        run_job(results / job)
    verdict = {"lattice_constant": "+0.1% against experiment", "substrate": "relaxed"}
    write_json(results / "bulk/emt/Ag/qualification.json", verdict)
    states = [
        ("ligated", "surface"),
        ("adduct_surface", "surface"),
        ("TMA", "gas"),
        ("CH4", "gas"),
        ("methylamine", "gas"),
    ]
    steps = {"step": ["adduct_surface"], "initial_state": ["ligated"], "final_state": ["adduct_surface"]}
    tables = {
        f"energetics/{SYSTEM}/states": pd.DataFrame(states, columns=["state", "phase"]).assign(system=SYSTEM),
        "energetics/states": pd.DataFrame(states, columns=["state", "phase"]).assign(system=SYSTEM),
        "energetics/steps": pd.DataFrame(steps).assign(system=SYSTEM),
        "kinetics/selectivity": pd.DataFrame({"system": [SYSTEM], "time_s": [12.0]}),
        f"kinetics/{SYSTEM}/selectivity": pd.DataFrame({"system": [SYSTEM], "time_s": [12.0]}),
        "reference/emt/errors": pd.DataFrame({"reaction": ["A+B"]}),
    }
    for name, table in tables.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(results / f"{name}.csv", index=False)
    return results


@pytest.fixture
def results(finished, tmp_path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(finished, tmp_path / "results")
    return tmp_path / "results"


def statuses(summary: dict) -> dict[str, tuple[str, str]]:
    return {job["job"]: (job["status"], job["reason"]) for job in summary["jobs"]}


def test_every_job_is_counted_once_in_its_stage(finished):
    summary = summarise_status(finished)
    stages = {"molecules": 3, "bulk": 1, "slabs": 1, "ligated": 1, "adsorbed": 1, "reactions": 2, "reference": 1}
    assert {stage: counts["done"] for stage, counts in summary["stages"].items()} == stages | {
        "energetics": 1,
        "kinetics": 1,
    }
    assert summary["jobs"] == [] and "missing" not in summary["stages"]["bulk"]
    every = [r for path in finished.rglob("result.json") for r in json.loads(path.read_text())]
    assert summary["force_calls"] == sum(r["force_calls"] for r in every) > 2 * len(JOBS)
    assert summary["wall_s"] == pytest.approx(sum(r["wall_s"] for r in every), abs=0.1)


def test_what_failed_is_unfinished_or_missing_is_named_with_its_reason(results):
    run_job(results / "molecules/emt/CH4", max_steps=1)
    (results / "ligated/Ag_111_Ag~methylamine/state.json").unlink()
    (results / "ligated/Ag_111_Ag~methylamine/result.json").unlink()
    (results / "ligated/Ag_111_Ag~methylamine/result.json.part").write_text("\nx {}\ny {}")
    flagged = results / f"adsorbed/{SYSTEM}/adduct_surface/state.json"
    write_json(flagged, json.loads(flagged.read_text()) | {"flags": ["loose_scf"]})
    (results / "slabs/Ag_111_Ag/result.json").write_text('[{"energy_eV": -1')
    summary = summarise_status(results, {"molecules": ["molecules/emt/HNMe2"]})
    found = statuses(summary)
    assert found["molecules/emt/CH4"] == ("failed", "not converged in 1 steps")
    assert found["molecules/emt/HNMe2"] == ("missing", "not started")
    assert found["ligated/Ag_111_Ag~methylamine"] == ("unfinished", "2 relaxations done")
    assert found[f"adsorbed/{SYSTEM}/adduct_surface"] == ("flagged", "loose_scf")
    assert (
        found["slabs/Ag_111_Ag"][0] == "failed"
        and "result.json: other content instead of" in found["slabs/Ag_111_Ag"][1]
    )
    assert summary["stages"]["molecules"] == {"done": 2, "flagged": 0, "failed": 1, "unfinished": 0, "missing": 1}


def test_a_file_that_is_no_json_fails_its_job_without_a_check_file_too(results):
    write_json(results / "slabs/Ag_111_Ag/result.json", [], checked=False)
    (results / "slabs/Ag_111_Ag/result.json").write_text('[{"energy_eV": -1')
    status, reason = statuses(summarise_status(results))["slabs/Ag_111_Ag"]
    assert status == "failed" and "result.json: not readable as JSON" in reason


def test_verification_names_what_was_found_and_what_was_written(results, capsys):
    everything = cli.main(["status", str(results), "--verify"])
    words = capsys.readouterr().out
    count = len(list(results.rglob(".*.check")))
    assert everything == 0 and count > 30
    assert f"{results}: {count} files checked, 0 damaged; 0 kinetic results compared, 0 disagreeing" in words
    candidates = results / "molecules/emt/TMA/candidates.extxyz"
    frames = candidates.read_text().splitlines(keepends=True)
    candidates.write_text("".join(frames[: len(frames) // 2]))
    (results / "slabs/Ag_111_Ag/state.json").write_text("{}")
    (results / "slabs/Ag_111_Ag/result.json").unlink()
    assert cli.main(["status", str(results.parent), "--verify"]) == 1
    words = capsys.readouterr().out
    assert f"{count - 1} files checked, 2 damaged" in words
    assert "  molecules/emt/TMA/candidates.extxyz: 1 frame instead of 2 frames. Start snakemake again" in words
    assert f"or delete {candidates.with_name('.candidates.extxyz.check')} to use it as it is." in words
    assert cli.main(["status", str(results), "--verify", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["checked"] == count - 1 and data["passed"] is False and data["disagreeing"] == []
    assert [one["file"] for one in data["damaged"]] == [
        "molecules/emt/TMA/candidates.extxyz",
        "slabs/Ag_111_Ag/state.json",
    ]


def test_verification_compares_the_kinetic_tables_of_each_system(tmp_path, capsys):
    coverages = pd.DataFrame(
        {"system": SYSTEM, "time_s": [0.0, 2.0], "free@surface": [1.0, 0.9], "x@surface": [0, 0.1]}
    )
    ledger = [("surface", "free@surface", 5.0, 4.5), ("surface", "x@surface", 0.0, 0.5), ("gas", "TMA", 0.0, -0.5)]
    growth = {"cycle": [1], "growth_per_cycle_per_nm2": [0.5], "total_per_nm2": [0.5], "limit_cycle": [False]}
    tables = {
        "coverages": coverages,
        "selectivity": pd.DataFrame({"system": [SYSTEM], "time_s": [2.0], "uptake_per_nm2": [0.5]}),
        "ledger": pd.DataFrame(ledger, columns=["kind", "name", "start_per_nm2", "end_per_nm2"]),
        "growth": pd.DataFrame(growth | {"free@surface": [0.9], "x@surface": [0.1]}),
    }
    folder = tmp_path / "kinetics" / SYSTEM
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    assert cli.main(["status", str(tmp_path), "--verify"]) == 0
    assert "4 files checked, 0 damaged; 1 kinetic results compared, 0 disagreeing" in capsys.readouterr().out
    write_table(folder / "coverages.csv", coverages.iloc[:1])
    assert cli.main(["status", str(tmp_path), "--verify"]) == 1
    words = capsys.readouterr().out
    reason = "end of the simulation in s: 0 in coverages.csv, but 2 in selectivity.csv"
    assert f"  kinetics/{SYSTEM}: {SYSTEM}: {reason}" in words
    (folder / "coverages.csv").write_text("system,time_s\n")
    data = verify_results(tmp_path)
    assert len(data["damaged"]) == 1 and data["compared"] == 0, "a damaged table is named once"


def test_a_folder_without_stored_hashes_cannot_be_verified(tmp_path, capsys):
    assert cli.main(["status", str(tmp_path), "--verify"]) == 2
    assert "no file with a stored hash here; give the folder of results of a run" in capsys.readouterr().err


def test_the_age_is_that_of_the_newest_file(results):
    for path in results.rglob("*"):
        os.utime(path, (time.time() - 9000,) * 2)
    os.utime(results / "slabs/Ag_111_Ag/state.json", (time.time() - 600,) * 2)
    summary = summarise_status(results)
    assert summary["last_result"] == "slabs/Ag_111_Ag/state.json"
    assert summary["last_result_age_s"] == pytest.approx(600, abs=60)


@pytest.mark.parametrize("name", ["gone", "."])
def test_a_folder_without_results_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="no results here; give the folder that contains molecules, bulk"):
        summarise_status(tmp_path / name)


def test_a_step_leads_to_its_states_and_to_all_they_were_built_from(finished):
    traced = trace_row(finished / "energetics/steps.csv", ["step=adduct_surface"])
    adduct, ligated = f"adsorbed/{SYSTEM}/adduct_surface", "ligated/Ag_111_Ag~methylamine"
    assert traced["starts"] == [ligated, adduct]
    assert set(traced["jobs"]) == {adduct, ligated, "slabs/Ag_111_Ag", "bulk/emt/Ag", "molecules/emt/TMA"}
    job = traced["jobs"][adduct]
    assert job["from"] == [ligated, "molecules/emt/TMA"] and job["intact"]
    assert [record["file"] for record in job["records"]] == [
        "ligands/methylamine.yaml", "precursors/TMA.yaml", "reactions/adduct_surface.yaml"
    ]  # fmt: skip
    assert job["calculator"]["name"] == "emt" and job["qdsurf_version"] and job["force_calls"] > 1
    files = {file["file"]: file["sha256"] for job in traced["jobs"].values() for file in job["files"]}
    assert all(file_hash(finished / name) == found for name, found in files.items()) and len(files) >= 20
    assert f"{adduct}/result.json" in files and "bulk/emt/Ag/qualification.json" in files
    assert "reference/emt/errors.csv" in {file["file"] for file in traced["tables"]}


def test_a_step_that_gives_off_a_molecule_leads_to_it_and_a_batch_to_its_files(results):
    row = "ligated,ligand_desorption_dative,intact@ligand -> free@ligand + methylamine(g)"
    (results / "energetics/steps.csv").write_text(f"system,initial_state,final_state,lattice\n{SYSTEM},{row}\n")
    traced = trace_row(results / "energetics/steps.csv", ["0"])
    assert traced["starts"][2:] == ["molecules/emt/methylamine"] and len(traced["starts"]) == 3
    run_job(results / "reference/emt")
    traced = trace_row(results / "reference/emt/errors.csv", ["reaction=A+B"])
    assert traced["starts"] == ["reference/emt"]
    assert "reference/emt/result.json" in {file["file"] for file in traced["jobs"]["reference/emt"]["files"]}


@pytest.mark.parametrize("table", ["kinetics/selectivity.csv", f"kinetics/{SYSTEM}/selectivity.csv"])
def test_a_row_on_a_whole_system_leads_to_every_state_and_molecule(finished, table):
    traced = trace_row(finished / table, ["0"])
    assert set(traced["jobs"]) == {*JOBS, "bulk/emt/Ag"}
    assert traced["jobs"][f"reactions/{SYSTEM}/dissociation_surface"]["from"] == [f"adsorbed/{SYSTEM}/adduct_surface"]
    assert traced["run"] == {"records": {}}


@pytest.mark.parametrize("name", ["candidates.extxyz", "selected.extxyz", "state.json"])
def test_a_file_that_was_changed_afterwards_is_noticed(results, name):
    path = results / "molecules/emt/TMA" / name
    if name == "state.json":
        state = json.loads(path.read_text())
        write_json(path, state | {"energy_eV": state["energy_eV"] + 0.1})
    else:
        frames = read_structures(path)
        for atoms in frames:
            atoms.positions[0, 0] += 1e-4
        write_structures(path, frames)
    jobs = trace_row(results / "energetics/states.csv", ["state=TMA"])["jobs"]
    assert not jobs["molecules/emt/TMA"]["intact"]


def test_a_record_that_was_changed_since_the_run_is_named(results):
    write_json(results / "provenance.json", {"qdsurf": "0.1.0", "records": {"ligands/methylamine.yaml": "other"}})
    traced = trace_row(results / "energetics/states.csv", ["state=ligated"])
    assert traced["changed_records"] == ["ligands/methylamine.yaml"] and traced["run"]["qdsurf"] == "0.1.0"


@pytest.mark.parametrize(
    ("table", "words", "message"),
    [
        ("energetics/states.csv", ["9"], "has no row '9'; it has rows 0 to 4"),
        ("energetics/states.csv", ["stat=TMA"], "unknown column 'stat'; did you mean 'state'"),
        ("energetics/states.csv", ["phase=gas"], "phase=gas leaves 3 of 5 rows; it must leave one"),
        ("energetics/states.csv", ["phase=gas", "1"], "'1': write COLUMN=VALUE, or one number of a row"),
        ("energetics/gone.csv", ["0"], r"gone\.csv: no such file"),
        ("../elsewhere.csv", ["0"], "not in the results of a run"),
    ],
)
def test_a_row_that_cannot_be_found_is_explained(results, table, words, message):
    (results.parent / "elsewhere.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=message):
        trace_row(results / table, words)


def test_the_command_line_says_it_in_words_and_as_data(finished, capsys):
    assert cli.main(["status", str(finished.parent)]) == 0
    words = capsys.readouterr().out
    assert "12 done, 0 flagged, 0 failed, 0 unfinished" in words and "no such file; with --config FILE" in words
    config = str(ROOT / "config/smoke.yaml")
    assert cli.main(["status", str(finished), "--config", config, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["total"]["missing"] == sum(job["status"] == "missing" for job in data["jobs"]) > 3
    table = str(finished / "energetics/steps.csv")
    assert cli.main(["trace", table, "0"]) == 0
    words = capsys.readouterr().out
    assert (
        f"  adsorbed/{SYSTEM}/adduct_surface: ok, " in words
        and re.search("candidate [12], emt", words)
        and "hashes agree" in words
    )
    assert "ligated/Ag_111_Ag~methylamine: see above" in words and "run: not finished" in words
    assert cli.main(["trace", table, "0", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"row", "starts", "jobs", "tables", "run"}


def test_the_command_line_explains_in_one_line_what_it_cannot_do(tmp_path, capsys):
    assert cli.main(["status", str(tmp_path)]) == 2
    assert cli.main(["trace", str(tmp_path / "x.csv"), "0"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(line.startswith("qdsurf: error: ") for line in lines)
