"""Parse numbers with units, such as 3nm, with pint."""

import math
import re
from functools import cache
from typing import TYPE_CHECKING

from qdsurf.errors import InputError

if TYPE_CHECKING:
    from pint import UnitRegistry


# pint reads more than this, and drops a decimal comma without a word.
NUMBER_AND_UNIT = re.compile(r"(?P<number>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)\s*(?P<unit>[^\d\s.,_].*)")


def parse_quantity(text: str, unit: str, example: str) -> float:
    """Read a number with a unit.

    Parameters
    ----------
    text : such as "3nm" or "30 angstrom".
    unit : to which it is converted, as pint writes it.
    example : of what would be accepted, for the message.

    Raises
    ------
    InputError
        There is no number, no unit, or a unit of something else; or the number is not finite.

    Examples
    --------
    >>> parse_quantity("30angstrom", "nm", "3nm")
    3.0
    """
    parts = NUMBER_AND_UNIT.fullmatch(text.strip())
    try:
        if parts is None:
            raise ValueError(text)
        value = float(_registry().Quantity(float(parts["number"]), parts["unit"]).to(unit).magnitude)
    except Exception:  # pint passes on any exception of its parser
        raise InputError(
            f"{text!r} cannot be converted to {unit}; write a number with a unit, such as {example}"
        ) from None
    if not math.isfinite(value):
        raise InputError(f"{text!r} is not finite; write a number with a unit, such as {example}")
    return round(value, 12)  # 30 angstrom are 3 nm, not 2.9999999999999996


@cache
def _registry() -> "UnitRegistry":
    from pint import UnitRegistry  # imported here because it takes 0.3 s

    return UnitRegistry()
