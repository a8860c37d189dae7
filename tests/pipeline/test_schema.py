"""The committed schema is the one that the records make, and an editor that reads it accepts what qdsurf accepts."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from qdsurf.pipeline.schema import schema

ROOT = Path(__file__).parents[2]
COMMITTED = json.loads((ROOT / "docs/reference/schema.json").read_text())
CONFIGS = sorted([*(ROOT / "config").glob("*.yaml"), *(ROOT / "config/examples").glob("*.yaml")])


def test_the_committed_schema_has_not_drifted():
    hint = "python -m qdsurf.pipeline.schema > docs/reference/schema.json"
    assert json.loads(json.dumps(schema())) == COMMITTED, hint


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_editor_finds_the_schema_and_accepts_the_configuration(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "docs/reference/schema.json"
    validator = Draft202012Validator(COMMITTED)
    data = yaml.safe_load(path.read_text())
    assert list(validator.iter_errors(data)) == []
    assert not validator.is_valid(data | {"sed": 1})


@pytest.mark.parametrize(("kind", "name"), [("Material", "materials/PbS"), ("Ligand", "ligands/oleate")])
def test_records_are_described_too(kind, name):
    validator = Draft202012Validator(COMMITTED | {"$ref": f"#/$defs/{kind}"})
    assert validator.is_valid(yaml.safe_load((ROOT / f"structures/{name}.yaml").read_text()))
