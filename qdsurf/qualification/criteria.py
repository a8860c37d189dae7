"""Criteria of a qualification: for which uses a calculator is fit. Every limit has its reason beside it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# At room temperature the atoms of a crystal vibrate by 0.1 A, 3 % of a bond of 2.5 to 3 A.
LATTICE_ERROR = 0.03
# Frequencies depend on the square root of the stiffness; this is an error of 20 to 30 % in them.
BULK_MODULUS_ERROR = 0.5
# One failure in twenty calls. With more failures, a relaxation of the usual 40 steps has two of them.
SCF_FAILURES = 0.05
# A crystal is stable if it returns to its sites after its atoms were displaced at random: the rattled structure must
# not end lower than the crystal by more than 0.02 eV for each atom that moved, and no atom may end farther than 0.7 A
# (a quarter of a bond) from its site.
MELT_EV_PER_ATOM = 0.02
MELT_SHIFT_A = 0.7
# A factor of 260 in a rate at 40 C. With a larger error the order of two channels is not known.
REACTION_ERROR_EV = 0.15
# The mean error of fewer reactions of a metal is not meaningful.
REACTIONS_OF_A_METAL = 3


def _magnitude_ratio(number: float, limit: float) -> float:
    """Return how far a number of either sign goes towards an upper limit of its magnitude."""
    return abs(number) / limit


def _ratio(number: float, limit: float) -> float:
    """Return how far a number goes towards a limit of the same sign."""
    return number / limit


def _inverse_ratio(number: float, limit: float) -> float:
    """Return how far a number goes towards a lower limit."""
    return limit / number if number else float("inf")


class Limit(NamedTuple):
    """A limit on one number of the qualification.

    Attributes
    ----------
    use : str
        Use for which a calculator is not fit beyond the limit.
    path : str
        Keys of the number in the result of `qualify`, separated by dots.
    limit : float
        Largest or smallest acceptable number.
    name : str
        Name of the number in the reason.
    format : str
        Format of the number in the reason.
    measure : callable
        How far a number goes towards the limit, from number and limit; above 1 it is beyond the limit.
    """

    use: str
    path: str
    limit: float
    name: str
    format: str
    measure: Callable[[float, float], float] = _magnitude_ratio


GEOMETRY, SUBSTRATE_RELAXATION, REACTION_ENERGIES = "geometry", "substrate_relaxation", "reaction_energies"
DROP, DROP_FORMAT = "energy_drop_eV_per_moving_atom", "{:+.3f} eV per moving atom"
SHIFT, SHIFT_FORMAT = "largest_shift_A", "{:.2f} A"
LIMITS = (
    Limit(GEOMETRY, "lattice_constant_error", LATTICE_ERROR, "lattice constant off by", "{:+.1%}"),
    Limit(GEOMETRY, "bulk_modulus_error", BULK_MODULUS_ERROR, "bulk modulus off by", "{:+.0%}"),
    Limit(GEOMETRY, "scf.failed_share", SCF_FAILURES, "failed SCFs", "{:.0%}"),
    Limit(SUBSTRATE_RELAXATION, f"stability.{DROP}", -MELT_EV_PER_ATOM, "rattled slab ends at", DROP_FORMAT, _ratio),
    Limit(SUBSTRATE_RELAXATION, f"stability.{SHIFT}", MELT_SHIFT_A, "rattled slab shifts by", SHIFT_FORMAT),
    Limit(
        SUBSTRATE_RELAXATION, f"bulk_stability.{DROP}", -MELT_EV_PER_ATOM, "rattled bulk ends at", DROP_FORMAT, _ratio
    ),
    Limit(SUBSTRATE_RELAXATION, f"bulk_stability.{SHIFT}", MELT_SHIFT_A, "rattled bulk shifts by", SHIFT_FORMAT),
    Limit(
        REACTION_ENERGIES,
        "reactions.mae_left_out_eV",
        REACTION_ERROR_EV,
        "corrected reference reactions off by",
        "{:.3f} eV",
    ),
    Limit(
        REACTION_ENERGIES,
        "reactions.fewest",
        REACTIONS_OF_A_METAL,
        "fewest reference reactions of a metal",
        "{:.0f}",
        _inverse_ratio,
    ),
)


def assess_uses(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Decide for each use whether a calculator is fit for it.

    The number that is closest to its limit, or farthest beyond it, decides.

    Parameters
    ----------
    data : mapping
        Numbers of `qualify`; None for a test that failed. Numbers of tests that were not made are absent.

    Returns
    -------
    dict
        For each use, a dict of `fit` (bool), `reason` (str), and the deciding `number` and `limit` (float or None). A
        calculator is not fit for a use without tests.
    """
    uses: dict[str, dict[str, Any]] = {}
    for use in dict.fromkeys(limit.use for limit in LIMITS):
        tested = _tested_limits(data, use)
        if not tested:
            uses[use] = {"fit": False, "reason": "not tested", "number": None, "limit": None}
            continue
        limit, number = max(tested, key=lambda pair: _extent(*pair))
        value = "no number" if number is None else limit.format.format(number)
        uses[use] = {
            "fit": _extent(limit, number) <= 1,
            "reason": f"{limit.name} {value} (limit {limit.format.format(limit.limit).lstrip('+')})",
            "number": number,
            "limit": limit.limit,
        }
    return uses


def _tested_limits(data: Mapping[str, Any], use: str) -> list[tuple[Limit, float | None]]:
    """Return the limits of a use whose tests were made, with their numbers."""
    tested = []
    for limit in LIMITS:
        if limit.use == use:
            try:
                tested.append((limit, _look_up(data, limit.path)))
            except KeyError:  # this test was not made
                continue
    return tested


def _look_up(data: Mapping[str, Any], path: str) -> float | None:
    """Return the value under nested keys that are separated by dots."""
    value: Any = data
    for key in path.split("."):
        value = value[key]
    return value


def _extent(limit: Limit, number: float | None) -> float:
    """Return how far a number goes towards its limit; a failed test is beyond any limit."""
    return float("inf") if number is None else limit.measure(number, limit.limit)
