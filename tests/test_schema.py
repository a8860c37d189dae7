"""The committed schema is the one that the records make."""

import json
from pathlib import Path

from qdsurf.schema import schemas


def test_the_committed_schema_has_not_drifted():
    committed = Path(__file__).parents[1] / "docs/reference/schema.json"
    hint = "python -m qdsurf.schema > docs/reference/schema.json"
    assert json.loads(committed.read_text()) == json.loads(json.dumps(schemas())), hint
