"""One finished smoke job in a copy of the tree, shared by all tests of the workflow."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_snakemake(
    tree: Path, *arguments: str, cores: str = "2", variables: Mapping[str, str] = {}, timeout: float = 3600
) -> subprocess.CompletedProcess:
    """Run Snakemake on a copy of the tree, with the package of that copy."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"} | variables
    command = [sys.executable, "-m", "snakemake", "--cores", cores, *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=timeout)


def comparable_files(tree: Path) -> list[Path]:
    """Results that must be the same in every run, byte for byte: all structures and tables; the rest holds times."""
    folder = tree / "results"
    return sorted(p.relative_to(tree) for p in folder.rglob("*") if p.suffix in (".csv", ".extxyz", ".yaml", ".svg"))


def planned_rules(tree: Path) -> set[str]:
    """Rules that a dry run would execute."""
    done = run_snakemake(tree, "-n", "--configfile", "config/smoke.yaml")
    assert done.returncode == 0, done.stderr
    table = re.search(r"^Job stats:\njob .*\n-+ .*\n((?:\w+ +\d+\n)+)", done.stdout + done.stderr, flags=re.MULTILINE)
    return {line.split()[0] for line in table[1].splitlines()} - {"total"} if table else set()


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
