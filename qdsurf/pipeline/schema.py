"""JSON schema of configuration, records and mechanism: `python -m qdsurf.pipeline.schema > docs/reference/schema.json`.

The first line of a file in `config/` names the schema, so that an editor completes keys and checks values.
"""

import json

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from qdsurf.microkinetics.network.mechanism import Mechanism
from qdsurf.pipeline.config import Config
from qdsurf.records.library import KINDS


def schema() -> dict:
    """Schema of a configuration, with every kind of record and the mechanism under `$defs`."""
    models: list[type[BaseModel]] = [*KINDS.values(), Config, Mechanism]
    return models_json_schema([(model, "validation") for model in models])[1] | {"$ref": "#/$defs/Config"}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1, sort_keys=True))
