"""Provenance: code, versions and machine of a result, and the hash of the code behind a rule."""

import ast
import hashlib
import json
import os
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
DEPENDENCIES = (
    *("ase", "dftd3", "numba", "numpy", "pymatgen", "rdkit", "scipy", "snakemake", "spglib", "tblite", "vesin"),
)


def module_file(module: str) -> Path:
    """File of a module of the package, given without the leading `qdsurf.`."""
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def module_of(path: Path) -> str:
    """Name of the module in a file of the package, without the leading `qdsurf.`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imported_modules(module: str) -> frozenset[str]:
    """Modules of the package that a module imports directly, without the leading `qdsurf.`."""
    found = set()
    for node in ast.walk(ast.parse(module_file(module).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "qdsurf":
            base = node.module.split(".")[1:]
            for alias in node.names:
                name = ".".join([*base, alias.name])
                found.add(name if module_file(name).is_file() else ".".join(base))
    return frozenset(found - {"", module})


def code_version(*modules: str) -> str:
    """Hash of the files of the package that some modules use, directly or through other modules.

    Snakemake compares parameters between runs, so a rule with this parameter reruns when its code changes. Files in a
    folder `data` beside a module, such as the weights of a potential, count as code of the module.

    Parameters
    ----------
    *modules : str
        Without the leading `qdsurf.`.
    """
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module not in seen:
            seen.add(module)
            queue += imported_modules(module)
    files = sorted(module_file(module) for module in seen)
    data = sorted({path for file in files for path in (file.parent / "data").glob("*.npz")})
    digest = hashlib.sha256()
    for path in (*files, *data):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def describe_run(
    config: dict,
    results: Iterable[dict],
    qualifications: Iterable[dict],
    records: Iterable[Path],
    tables: Iterable[Path],
) -> dict:
    """Describe a run: configuration, versions, machine, cost, hashes and qualifications.

    Parameters
    ----------
    config : dict
        Configuration as given.
    results, qualifications : iterables of dict
        Plain data of all relaxations and of all qualifications of calculators.
    records, tables : iterables of Path
        Files of the library that were read, and tables that were written.

    Returns
    -------
    dict
        Content of `results/provenance.json`.
    """
    results, qualifications = list(results), list(qualifications)
    costs = [*results, *qualifications]
    return {
        "config": config,
        "calculators": sorted({json.dumps(r["calculator"], sort_keys=True) for r in results}),
        "force_calls": sum(r["force_calls"] for r in costs),
        "relaxation_wall_s": round(sum(r["wall_s"] for r in costs), 1),
        "relaxation_cpu_s": round(sum(r["cpu_s"] or 0.0 for r in costs), 1),  # None if the process was lost
        "input_hashes": sorted({r["input_hash"] for r in results}),
        "records": {f"{path.parent.name}/{path.name}": file_hash(path) for path in map(Path, records)},
        "tables": {str(path): file_hash(path) for path in tables},
        "qualifications": qualifications,
        "qdsurf": version("qdsurf"),
        "code": code_version(*(module_of(path) for path in PACKAGE.rglob("*.py"))),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in DEPENDENCIES},
        "machine": {
            "system": platform.system(),
            "release": platform.release(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
    }
