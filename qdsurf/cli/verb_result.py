"""Result of a verb, printed as text or as JSON."""

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class VerbResult(NamedTuple):
    """Result of a verb.

    Attributes
    ----------
    data : dict or list of dict
        Value that is printed with --json.
    lines : sequence of str
        Lines that are printed without --json.
    """

    data: dict[str, Any] | list[dict[str, Any]]
    lines: Sequence[str]

    def as_text(self) -> str:
        """Return the lines, joined.

        Returns
        -------
        str
        """
        return "\n".join(self.lines)

    def as_json(self) -> str:
        """Return the data as JSON.

        Returns
        -------
        str
            One JSON value. A number that is not finite is written as null.
        """
        return json.dumps(_to_json(self.data), allow_nan=False)

    @property
    def passed(self) -> bool:
        """Whether no check has failed; True for verbs that check nothing."""
        return not isinstance(self.data, dict) or self.data.get("passed") is not False


def _to_json(value: object) -> object:
    """Convert a value to types of JSON: numbers that are not finite become None, unknown types become strings."""
    if isinstance(value, dict):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _to_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
