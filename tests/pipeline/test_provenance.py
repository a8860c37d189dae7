"""A rule reruns when, and only when, the code that it uses changes."""

import hashlib
import shutil

import pytest

from qdsurf.pipeline import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that a test may edit."""
    copy = tmp_path / "qdsurf"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "structures"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    provenance.imported_modules.cache_clear()
    yield copy
    provenance.imported_modules.cache_clear()


@pytest.mark.parametrize(
    ("used", "edited", "reruns"),
    [
        ("surfaces.slab", "surfaces/slab.py", True),
        ("surfaces.slab", "atomistic/bonding.py", True),
        ("surfaces.slab", "records/models.py", True),
        ("surfaces.slab", "ligands/slab_ligands.py", False),
        ("surfaces.slab", "relaxation/relax.py", False),
        ("ligands.slab_ligands", "atomistic/spring_model.py", True),
        ("relaxation.relax", "calculators/tblite.py", True),
        ("relaxation.relax", "surfaces/slab.py", False),
        ("microkinetics.network.reaction_network", "relaxation/relax.py", False),
    ],
)
def test_the_hash_follows_the_imports(package, used, edited, reruns):
    before = provenance.code_version(used)
    path = package / edited
    path.write_text(path.read_text() + "\n# edited\n")
    provenance.imported_modules.cache_clear()
    assert (provenance.code_version(used) != before) is reruns


def test_the_order_of_modules_does_not_matter():
    modules = ("surfaces.slab", "relaxation.relax")
    assert provenance.code_version(*modules) == provenance.code_version(*reversed(modules))


def test_a_module_that_does_not_exist_is_no_silent_hash():
    with pytest.raises(FileNotFoundError):
        provenance.code_version("surfaces.slabs")


def test_a_run_is_described_by_versions_machine_hashes_and_cost(tmp_path):
    (tmp_path / "ligands").mkdir()
    record, table = tmp_path / "ligands/x.yaml", tmp_path / "t.csv"
    record.write_text("a: 1\n")
    table.write_text("a\n")
    result = {"calculator": {"name": "emt"}, "force_calls": 3, "wall_s": 0.5, "cpu_s": 0.25, "input_hash": "ab"}
    lost = result | {"cpu_s": None}
    verdict = {"force_calls": 4, "wall_s": 1.0, "cpu_s": 0.75}
    described = provenance.describe_run({"seed": 1}, iter([result, lost]), iter([verdict]), [record], [table])
    assert set(described) >= {"config", "qdsurf", "code", "python", "packages", "machine", "qualifications"}
    assert all(described["packages"][name] for name in ("ase", "tblite", "rdkit", "spglib"))
    assert described["force_calls"] == 10
    assert described["relaxation_wall_s"] == 2.0 and described["relaxation_cpu_s"] == 1.0
    assert described["config"] == {"seed": 1} and described["input_hashes"] == ["ab"]
    assert len(described["calculators"]) == 1
    assert described["records"] == {"ligands/x.yaml": hashlib.sha256(b"a: 1\n").hexdigest()}
    assert described["tables"] == {str(table): hashlib.sha256(b"a\n").hexdigest()}


def test_the_code_of_a_run_is_every_module(package):
    def code() -> str:
        provenance.imported_modules.cache_clear()
        return provenance.describe_run({}, [], [], [], [])["code"]

    before = code()
    (package / "report/figures/style.py").write_text("# edited\n")
    assert code() != before
