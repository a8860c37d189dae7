"""One finished smoke job in a copy of the tree, shared by all tests of the workflow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_snakemake(tree: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Snakemake on a copy of the tree, with the package of that copy."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=600)


def planned_rules(tree: Path) -> set[str]:
    """Rules that a dry run would execute."""
    done = run_snakemake(tree, "-n", "--quiet", "progress", "--configfile", "config/smoke.yaml")
    assert done.returncode == 0, done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    return {line.split()[1].rstrip(":") for line in lines if line.startswith(("rule ", "localrule "))}


def copy_tree(target: Path) -> Path:
    """Copy what git would clone, and what numba has compiled of it."""
    keep = ["Snakefile", "config", "profiles", "qdsurf", "structures", "workflow", "pyproject.toml"]
    for name in keep:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("*.pyc"))
        else:
            shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Path:
    """A tree in which the smoke job has run."""
    tree = copy_tree(tmp_path_factory.mktemp("smoke"))
    done = run_snakemake(tree, "--configfile", "config/smoke.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return tree
