"""The smoke job through a real queue: the same tables, and a job that is killed for memory asks for more."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from workflow.conftest import comparable_files, copy_tree, run_snakemake

CLUSTER = Path(__file__).parent / "slurm/cluster.sh"
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(importlib.util.find_spec("snakemake_executor_plugin_slurm") is None, reason="no extra [slurm]"),
    pytest.mark.skipif(not shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin"), reason="no slurm-wlm"),
]
HERE = (  # this queue keeps no accounts, so that only squeue knows what has become of a job
    *("--slurm-no-account", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"),
    *("--jobs", "2", "--latency-wait", "5", "--configfile", "config/smoke.yaml"),
)
STARVED = ("cut_slab", "relax_slab")  # one submission; 60 MB do not hold an interpreter with ASE


@pytest.fixture(scope="module")
def queue(tmp_path_factory):
    """A Slurm of one node."""
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([CLUSTER, "up", folder], check=True)
    yield {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    subprocess.run([CLUSTER, "down", folder], check=True)


@pytest.fixture(scope="module")
def finished(queue, tmp_path_factory):
    """A tree in which the smoke job went through the queue, and what Snakemake said."""
    tree = copy_tree(tmp_path_factory.mktemp("queued"))
    starved = [f"{rule}:mem_mb=60 * 40 ** (attempt - 1)" for rule in STARVED]
    profile = ("--profile", "profiles/slurm")
    done = run_snakemake(tree, *profile, *HERE, "--set-resources", *starved, cores="1", variables=queue, timeout=3000)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return tree, done.stdout + done.stderr


def test_the_tables_are_those_of_a_workstation(smoke, finished):
    tree, _ = finished
    names = comparable_files(smoke)
    assert names == comparable_files(tree) and len(names) > 100
    assert [name for name in names if (smoke / name).read_bytes() != (tree / name).read_bytes()] == []


def test_a_job_that_is_killed_for_memory_asks_for_more(finished, queue):
    _, said = finished
    assert "Trying to restart" in said
    listed = subprocess.run(
        ["squeue", "--states=all", "--noheader", "--format=%T %m"],
        check=True, capture_output=True, text=True, env=os.environ | queue,
    ).stdout.splitlines()  # fmt: skip
    jobs = {tuple(line.split()) for line in listed}
    starved = {memory: state for state, memory in jobs if memory in ("60M", "2400M")}
    assert starved["60M"] != "COMPLETED" and starved["2400M"] == "COMPLETED"


def test_small_jobs_go_to_the_queue_together(finished):
    _, said = finished
    assert said.count("has been submitted with SLURM jobid") < said.count("jobid: ") / 3
