"""Rules of the package that no linter knows; `lint-imports` checks the layers."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "qdsurf"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
RUNS_CALCULATORS = {"calculators", "relaxation", "saddles", "qualification"}


def imported(path: Path) -> set[str]:
    """Modules that a file imports, wherever in the file."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_no_module_is_called_utils_or_helpers():
    assert not [path for path in MODULES if path.stem in ("utils", "util", "helpers", "helper", "misc", "common")]


def test_no_folder_has_more_than_sixteen_modules():
    folders = {path.parent for path in MODULES}
    assert {str(folder): n for folder in folders if (n := len(list(folder.glob("[!_]*.py")))) > 16} == {}


def test_packages_start_no_import_chain():
    """Importing one module of a package must not load its neighbours; `cli` is where a program starts."""
    packages = [p for p in MODULES if p.name == "__init__.py" and p.parent.name not in ("cli", "qdsurf")]
    assert [path for path in packages if any(name.startswith("qdsurf") for name in imported(path))] == []


def test_only_packages_that_run_calculators_import_their_codes():
    codes = ("ase.calculators", "ase.optimize", "tblite", "mopactools")
    others = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] not in RUNS_CALCULATORS]
    assert [path for path in others if any(name.startswith(codes) for name in imported(path))] == []


def test_workflow_scripts_are_one_verb_without_functions():
    assert [path for path in SCRIPTS if "def " in path.read_text() or "_" not in path.stem] == []


def test_the_answers_to_where_a_change_belongs_exist():
    page = (ROOT / "docs/reference/where-a-change-belongs.md").read_text()
    files = re.findall(r"\| `([^`]+)` \|$", page, flags=re.MULTILINE)
    assert len(files) == 20 and [file for file in files if not (ROOT / file).exists()] == []


def test_contributing_draws_every_package():
    drawing = (ROOT / "CONTRIBUTING.md").read_text().split("```")[1]
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {name for name in packages if f"{name}/" not in drawing} == set()
