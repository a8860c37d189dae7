"""JSON schema of configuration, records and mechanism: `python -m qdsurf.pipeline.schema > docs/reference/schema.json`.

An editor reads it from the first line of a file in `config/`, and completes and checks what is typed.
"""

import json

from pydantic.json_schema import models_json_schema

from qdsurf.microkinetics.network.mechanism import Mechanism
from qdsurf.pipeline.config import Config
from qdsurf.records.library import KINDS


def schema() -> dict:
    """One schema that describes a configuration; its `$defs` hold every kind of record, and `Mechanism`."""
    models = (*KINDS.values(), Config, Mechanism)
    return models_json_schema([(model, "validation") for model in models])[1] | {"$ref": "#/$defs/Config"}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1, sort_keys=True))
