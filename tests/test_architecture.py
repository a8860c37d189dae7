"""The structure of the package, from the syntax tree; `lint-imports` checks the layers."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "qdsurf"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Modules of the package, without the leading `qdsurf.`, that a file imports, wherever in the file."""
    known, found = {dotted(module) for module in MODULES}, set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            head, _, rest = name.partition(".")
            if head == "qdsurf" and rest:
                found.add(rest if rest in known else rest.rpartition(".")[0])
    return found - {"", dotted(path)}


def external_imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}


def test_no_module_is_called_utils_or_helpers():
    assert not [path for path in MODULES if path.stem in ("utils", "util", "helpers", "helper", "misc", "common")]


# cli is where a program starts; the package itself loads `api` when a name of it is asked for.
PACKAGES = [p for p in MODULES if p.name == "__init__.py" and p.parent.name not in ("cli", "qdsurf")]


@pytest.mark.parametrize("path", PACKAGES, ids=dotted)
def test_packages_start_no_import_chain(path):
    assert not imports(path)


@pytest.mark.parametrize(
    "path", [p for p in MODULES if dotted(p).split(".")[0] not in ("compute", "calculators")], ids=dotted
)
def test_only_compute_knows_calculators(path):
    assert not [
        name for name in external_imports(path) if name.startswith(("ase.calculators", "ase.optimize", "tblite"))
    ]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_workflow_scripts_are_one_verb(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 20
    assert "def " not in path.read_text() and "_" in path.stem
