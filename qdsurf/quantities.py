"""Numbers with units as people write them, such as 3nm, read through pint."""

import math
from functools import cache
from typing import TYPE_CHECKING

from qdsurf.errors import InputError

if TYPE_CHECKING:
    from pint import UnitRegistry


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
    registry = _registry()
    try:
        quantity = registry.Quantity(text)
        value = float(quantity.to(unit).magnitude)
    except Exception:  # pint raises what its parser meets
        raise InputError(f"{text!r} is no number with a unit of {unit}; write it as {example}") from None
    if not math.isfinite(value) or not any(character.isdigit() for character in text):
        raise InputError(f"{text!r} is no finite number; write it as {example}")
    return round(value, 12)


@cache
def _registry() -> "UnitRegistry":
    from pint import UnitRegistry  # 0.3 s, which only texts with units are worth

    return UnitRegistry()
