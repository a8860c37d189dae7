"""JSON schema of every record and of the configuration: `python -m qdsurf.schema > docs/reference/schema.json`."""

import json

from qdsurf.config import Config
from qdsurf.library import KINDS


def schemas() -> dict[str, dict]:
    """Schema by kind of record, and `config`."""
    return {kind: model.model_json_schema() for kind, model in {**KINDS, "config": Config}.items()}


if __name__ == "__main__":
    print(json.dumps(schemas(), indent=1, sort_keys=True))
