"""Python in the docs runs as printed, an example in a docstring gives what it says, a link leads somewhere."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [path for path in sorted((ROOT / "qdsurf").rglob("*.py")) if ">>> " in path.read_text()]


def run_page(path: Path, folder: Path, monkeypatch) -> dict:
    """Names that a page has defined once all its blocks have run, one after the other, in a folder."""
    monkeypatch.chdir(folder)
    names = {"__name__": path.stem}
    for block in BLOCK.findall(path.read_text()):
        exec(compile(block, path.name, "exec"), names)
    return names


def test_kinetics_of_your_own_energies(monkeypatch, capsys):
    run_page(DOCS / "tutorial/kinetics-of-your-own-energies.md", ROOT, monkeypatch)
    assert "OH@surface" in capsys.readouterr().out


def test_your_own_structure(monkeypatch):
    path = DOCS / "tutorial/your-own-structure.md"
    names = run_page(path, path.parent, monkeypatch)
    lines = [line for block in BLOCK.findall(path.read_text()) for line in block.splitlines() if line]
    assert len(lines) < 40
    row = names["answer"]["selectivity"].iloc[0]
    assert row.precursor_surface + row.precursor_ligand == pytest.approx(1)
    assert names["energy"]["protonolysis_acid"] < names["energy"]["adduct_ligand"] < -1
    assert 0 < row.p_ligand_wins < 1  # which number hangs on the versions of Python and NumPy, as the page says


def test_build_a_structure(monkeypatch, tmp_path):
    from ase.io import write

    from qdsurf.records import library
    from qdsurf.surfaces.slab import cut_slab

    slab = cut_slab(library.material("PbS"), library.material("PbS").facets[0], 2, (3, 3))
    write(tmp_path / "mine.cif", slab)
    names = run_page(DOCS / "how-to/build-a-structure.md", tmp_path, monkeypatch)
    assert len(names["covered"]) == len(slab) + 2 * 8 and names["sites"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_docstrings(path):
    module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    prose = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.DOTALL)  # a SMILES in code looks like a link
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose)
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_no_page_is_left_out():
    index = (DOCS / "index.md").read_text()
    pages = {str(path.relative_to(DOCS).with_suffix("")) for path in PAGES} - {"index"}
    assert {page for page in pages if page not in index and not page.startswith("how-to/")} == set()
