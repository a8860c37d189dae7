"""What a calculator is fit for, from the numbers of its qualification. Every limit has its reason beside it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

# The crystal's atoms move by 0.1 A with the heat of room temperature: 3 % of a bond of 2.5 to 3 A.
LATTICE_ERROR = 0.03
# Frequencies go with the root of the stiffness, so this is 20 to 30 % in them.
BULK_MODULUS_ERROR = 0.5
# One failure in twenty calls: more, and relaxations of the usual 40 steps meet two of them.
SCF_FAILURES = 0.05
# A crystal is stable when the shaken one comes back: it must not end lower than the crystal by more than
# 0.02 eV for each atom that moved, nor any atom farther than 0.7 A (a quarter of a bond) from its site.
MELT_EV_PER_ATOM = 0.02
MELT_SHIFT_A = 0.7
# A factor 260 in a rate at 40 C; beyond it the order of two channels is a guess.
REACTION_ERROR_EV = 0.15
# A mean of fewer reactions of a metal is not a mean.
REACTIONS_OF_A_METAL = 3


def _within(number: float, limit: float) -> float:
    return abs(number) / limit


def _falls(number: float, limit: float) -> float:
    return number / limit


def _at_least(number: float, limit: float) -> float:
    return limit / number if number else float("inf")


class Limit(NamedTuple):
    """A number of the qualification, what it may be at most (or at least), and the use that hangs on it.

    Attributes
    ----------
    path : keys of the number, separated by dots; a test that was not made has none.
    measure : how far the number goes towards the limit; above 1 it is beyond.
    """

    use: str
    path: str
    limit: float
    name: str
    format: str
    measure: Callable[[float, float], float] = _within


MOVES, DROP, EV_AN_ATOM = "substrate_relaxation", "energy_drop_eV_per_moving_atom", "{:+.3f} eV per moving atom"
LIMITS = (
    Limit("geometry", "lattice_constant_error", LATTICE_ERROR, "lattice constant off by", "{:+.1%}"),
    Limit("geometry", "bulk_modulus_error", BULK_MODULUS_ERROR, "bulk modulus off by", "{:+.0%}"),
    Limit("geometry", "scf.failed_share", SCF_FAILURES, "failed SCFs", "{:.0%}"),
    Limit(MOVES, f"stability.{DROP}", -MELT_EV_PER_ATOM, "shaken slab ends at", EV_AN_ATOM, _falls),
    Limit(MOVES, "stability.largest_shift_A", MELT_SHIFT_A, "shaken slab shifts by", "{:.2f} A"),
    Limit(MOVES, f"bulk_stability.{DROP}", -MELT_EV_PER_ATOM, "shaken bulk ends at", EV_AN_ATOM, _falls),
    Limit(MOVES, "bulk_stability.largest_shift_A", MELT_SHIFT_A, "shaken bulk shifts by", "{:.2f} A"),
    Limit(
        "reaction_energies",
        "reactions.mae_left_out_eV",
        REACTION_ERROR_EV,
        "corrected reference reactions off by",
        "{:.3f} eV",
    ),
    Limit(
        "reaction_energies",
        "reactions.fewest",
        REACTIONS_OF_A_METAL,
        "fewest reference reactions of a metal",
        "{:.0f}",
        _at_least,
    ),
)


def judge_uses(data: Mapping) -> dict[str, dict]:
    """Say for each use whether the calculator is fit for it, and which number decided: the one nearest its limit.

    Parameters
    ----------
    data : numbers as `qualify` gathers them; None stands for a test that failed.

    Returns
    -------
    By use: fit, reason (words), number and limit. A use of which nothing was tested is not fit.
    """
    uses = {}
    for use in dict.fromkeys(limit.use for limit in LIMITS):
        tested = [(limit, _find(data, limit.path)) for limit in LIMITS if limit.use == use]
        tested = [(limit, number) for limit, number in tested if number is not _ABSENT]
        if not tested:
            uses[use] = {"fit": False, "reason": "not tested", "number": None, "limit": None}
            continue
        limit, number = max(tested, key=lambda pair: _reach(*pair))
        fit = _reach(limit, number) <= 1
        value = "no number" if number is None else limit.format.format(number)
        reason = f"{limit.name} {value} (limit {limit.format.format(limit.limit).lstrip('+')})"
        uses[use] = {"fit": fit, "reason": reason, "number": number, "limit": limit.limit}
    return uses


_ABSENT = object()


def _find(data: Mapping, path: str) -> float | object | None:
    for key in path.split("."):
        if key not in data:
            return _ABSENT
        data = data[key]
    return data


def _reach(limit: Limit, number: float | None) -> float:
    return float("inf") if number is None else limit.measure(number, limit.limit)
