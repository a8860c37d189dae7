"""JSON schema of records, mechanism and configuration: `python -m qdsurf.schema > docs/reference/schema.json`."""

import json

from qdsurf.config import Config
from qdsurf.kinetics.mechanism import Mechanism
from qdsurf.library import KINDS


def schemas() -> dict[str, dict]:
    """Schema by kind of record, `config` and `mechanism`."""
    return {
        kind: model.model_json_schema() for kind, model in {**KINDS, "config": Config, "mechanism": Mechanism}.items()
    }


if __name__ == "__main__":
    print(json.dumps(schemas(), indent=1, sort_keys=True))
