"""Miller indices of a lattice plane, in three or four integers."""

from collections.abc import Sequence
from functools import reduce
from math import gcd

from qdsurf.errors import InputError


def parse_miller_index(text: str, reduced: bool = True) -> tuple[int, ...]:
    """Read `100`, `1,0,0`, `10-10` or `1,0,-1,0`.

    Parameters
    ----------
    reduced : three indices without a common factor; else those that were written, checked.

    Raises
    ------
    InputError : not three or four integers, all zero, or h + k + i is not 0.

    Examples
    --------
    >>> parse_miller_index("10-10"), parse_miller_index("2,0,0"), parse_miller_index("11-20", reduced=False)
    ((1, 0, 0), (1, 0, 0), (1, 1, -2, 0))
    """
    digits, sign = [], 1
    for token in text.split(",") if "," in text else text:
        if token == "-":
            sign = -1
            continue
        try:
            digits.append(sign * int(token))
        except ValueError:
            raise InputError(f"Miller index {text!r}: {token!r} is no integer; write 100, 10-10 or 1,0,-1,0") from None
        sign = 1
    three = reduce_miller_index(digits)
    return three if reduced else tuple(digits)


def reduce_miller_index(indices: Sequence[int]) -> tuple[int, int, int]:
    """Check three or four indices and return three without a common factor."""
    if len(indices) == 4:
        if sum(indices[:3]) != 0:
            raise InputError(f"Miller index {tuple(indices)}: h + k + i must be 0")
        indices = (indices[0], indices[1], indices[3])
    if len(indices) != 3 or not any(indices):
        raise InputError(f"Miller index {tuple(indices)}: give three or four integers, not all zero")
    factor = reduce(gcd, indices)
    return tuple(i // factor for i in indices)
