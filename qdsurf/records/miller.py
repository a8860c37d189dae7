"""Miller indices of a lattice plane, given as three or four integers."""

from collections.abc import Sequence
from math import gcd

from qdsurf.errors import InputError


def parse_miller_index(text: str, reduced: bool = True) -> tuple[int, ...]:
    """Read a Miller index such as `100`, `1,0,0`, `10-10` or `1,0,-1,0`.

    Parameters
    ----------
    text : str
        Three indices, or four for a hexagonal crystal. A minus sign belongs to the digit that follows.
    reduced : bool, optional
        Whether to return three indices without a common factor. Otherwise the given indices are checked and returned.

    Returns
    -------
    tuple of int
        The indices.

    Raises
    ------
    InputError
        The text is not three or four integers, all of them are zero, or h + k + i is not zero.

    Examples
    --------
    >>> parse_miller_index("10-10"), parse_miller_index("2,0,0"), parse_miller_index("11-20", reduced=False)
    ((1, 0, 0), (1, 0, 0), (1, 1, -2, 0))
    """
    digits = []
    sign = 1
    for token in text.split(",") if "," in text else text:
        if token == "-":
            sign = -1
            continue
        try:
            digits.append(sign * int(token))
        except ValueError:
            raise InputError(
                f"Miller index {text!r}: {token!r} is not an integer; write 100, 10-10 or 1,0,-1,0"
            ) from None
        sign = 1
    three = reduce_miller_index(digits)
    return three if reduced else tuple(digits)


def reduce_miller_index(indices: Sequence[int]) -> tuple[int, int, int]:
    """Check a Miller index and divide it by its common factor.

    Parameters
    ----------
    indices : sequence of int
        Three indices, or four for a hexagonal crystal.

    Returns
    -------
    tuple of int
        Three indices without a common factor.

    Raises
    ------
    InputError
        There are not three or four indices, all of them are zero, or h + k + i is not zero.
    """
    if len(indices) == 4:
        if sum(indices[:3]) != 0:
            raise InputError(f"Miller index {tuple(indices)}: h + k + i must be 0")
        indices = (indices[0], indices[1], indices[3])
    if len(indices) != 3 or not any(indices):
        raise InputError(f"Miller index {tuple(indices)}: give three or four integers, not all zero")
    h, k, l = indices  # noqa: E741  (the letters of crystallography)
    factor = gcd(h, k, l)
    return h // factor, k // factor, l // factor
